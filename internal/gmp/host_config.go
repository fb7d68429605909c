package gmp

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// Errors of Host.SetFilter.
var (
	// ErrFamily: the group is of the other family.
	ErrFamily = errors.New("group of another address family")

	// ErrSSM: EXCLUDE mode for a source-specific group (RFC 4604 section 2.1).
	ErrSSM = errors.New("source-specific group without sources")

	// ErrLimit: MaxGroups, MaxSockets or MaxSources.
	ErrLimit = errors.New("too many groups, sockets or sources")

	// ErrShutdown: the host has said goodbye.
	ErrShutdown = errors.New("host has shut down")
)

// HostConfig holds a host's settings. Zero fields take the default in their comment.
type HostConfig struct {
	// Profile is &IGMP or &MLD; required.
	Profile *Profile

	// Addr is the interface's address for reports, link-local for MLD. Until
	// there is one it stays zero, and reports go out from the unspecified
	// address (RFC 3376 section 4.2.13, RFC 3590 section 4).
	Addr netip.Addr

	// MTU bounds the size of a packet in bytes. At least 576 for IGMP and 1,280
	// for MLD; default 1,500.
	MTU int

	// Timers: Robustness and Unsolicited count here, and QueryInterval until a
	// querier has told its own. A larger robustness of the querier is taken
	// over; a smaller one is not, so that a forged query cannot make a host
	// careless.
	Timers Timers

	// Generation is the newest that the host speaks: V2 or V1 make it one of
	// the older hosts. Default V3.
	Generation Generation

	// Lightweight keeps to the records of RFC 5790: EXCLUDE is without sources,
	// and queries are answered with TO_EX and ALLOW.
	Lightweight bool

	// AlwaysLeave sends a leave in V2 mode even when another host was the last
	// to report the group (RFC 2710 section 4 wants the choice).
	AlwaysLeave bool

	// SSM is the source-specific range. Default 232.0.0.0/8 and ff3x::/32 (RFC
	// 4604 section 2).
	SSM []netip.Prefix

	// MaxGroups bounds the groups joined, default 1,024; as many that were left
	// and are not yet reported often enough may be kept. MaxSockets bounds the
	// sockets of a group, default 1,024, and MaxSources the sources of a filter
	// and of their union, default 1,024, at least 64 (RFC 3376 section 2).
	MaxGroups, MaxSockets, MaxSources int

	// Rand is the source of chance; required.
	Rand *rand.Rand
}

func (c *HostConfig) normalize() error {
	setDefault(&c.MTU, 1500)
	setDefault(&c.MaxGroups, 1024)
	setDefault(&c.MaxSockets, 1024)
	setDefault(&c.MaxSources, 1024)
	if c.Generation == 0 {
		c.Generation = V3
	}
	c.Addr = plain(c.Addr)
	switch {
	case c.Profile == nil:
		return fmt.Errorf("%w: no profile; use &gmp.IGMP or &gmp.MLD", ErrConfig)
	case c.Generation < c.Profile.Oldest || c.Generation > V3:
		return fmt.Errorf("%w: %s has no generation %d", ErrConfig, c.Profile.Name, c.Generation)
	case c.MTU < c.Profile.minMTU() || c.MTU > 65535:
		return fmt.Errorf("%w: MTU %d is not between %d and 65535 bytes", ErrConfig, c.MTU, c.Profile.minMTU())
	case c.MaxGroups < 1 || c.MaxSockets < 1 || c.MaxSources < 64:
		return fmt.Errorf("%w: limits of %d groups, %d sockets and %d sources; at least 1, 1 and 64 (RFC 3376 section 2)", ErrConfig, c.MaxGroups, c.MaxSockets, c.MaxSources)
	case c.Rand == nil:
		return fmt.Errorf("%w: no source of chance", ErrConfig)
	}
	if c.Addr.IsValid() && c.Addr != c.Profile.Unspecified && !(c.Profile.unicast(c.Addr) && c.Profile.querier(c.Addr)) {
		return fmt.Errorf("%w: %v is no address for %s reports", ErrConfig, c.Addr, c.Profile.Name)
	}
	return c.Timers.normalize(c.Profile, V3)
}

// minMTU is the least that every link of the family carries (RFC 791 section 3.1,
// RFC 8200 section 5).
func (p *Profile) minMTU() int {
	if p.LinkLocal {
		return 1280
	}
	return 576
}

// inSSM reports whether g is source-specific by a configured range or the default.
func inSSM(ranges []netip.Prefix, g netip.Addr) bool {
	if ranges == nil {
		return group.IsSSM(g)
	}
	for _, r := range ranges {
		if r.Contains(g) {
			return true
		}
	}
	return false
}
