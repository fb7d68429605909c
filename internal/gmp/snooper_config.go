package gmp

import (
	"fmt"
	"net/netip"
)

// Unknown is what a switch does with packets to a group that nobody reported (RFC
// 4541 section 2.1.2).
type Unknown uint8

const (
	// FloodUnknown sends them out of all ports.
	FloodUnknown Unknown = iota

	// PruneUnknown sends them out of router ports, and FloodPorts.
	PruneUnknown
)

// SnooperConfig holds a switch's settings. Zero fields take the default in their
// comment.
type SnooperConfig struct {
	// Profile is &IGMP or &MLD; required. A switch has a Snooper for each, and
	// for each VLAN.
	Profile *Profile

	// Ports are its ports, each number once. AddPort and RemovePort change them.
	Ports []int

	// RouterPorts always lead to a router (RFC 4541 section 2.1.1, 1c).
	RouterPorts []int

	// Unknown is the policy for groups that nobody reported; FloodPorts get them
	// in any case (section 2.1.2, 3).
	Unknown    Unknown
	FloodPorts []int

	// FloodReports sends reports to all ports (section 2.1.1, 1: for monitoring).
	// Hosts of older generations then keep each other from reporting.
	FloodReports bool

	// FastLeave ends a port's membership as soon as a host there leaves, without
	// waiting for the router to ask: for ports with one host only.
	FastLeave []int

	// Addr is the source of the query sent after a change of topology (section
	// 2.1.1, 4). Default 0.0.0.0; with :: hosts would ignore it (RFC 3810
	// section 5.1.14), so that MLD sends none without a link-local Addr.
	Addr netip.Addr

	// Timers say how long memberships and router ports last, if the querier's
	// query interval and robustness are not larger.
	Timers Timers

	// Limits bound the state of each port.
	Limits TableLimits
}

// maxPorts bounds the ports of a Snooper.
const maxPorts = 65536

func (c *SnooperConfig) normalize() error {
	if c.Profile == nil {
		return fmt.Errorf("%w: no profile; use &gmp.IGMP or &gmp.MLD", ErrConfig)
	}
	if c.Addr = plain(c.Addr); !c.Addr.IsValid() {
		c.Addr = c.Profile.Unspecified
	}
	switch {
	case c.Unknown > PruneUnknown:
		return fmt.Errorf("%w: unknown policy %d", ErrConfig, c.Unknown)
	case c.Addr != c.Profile.Unspecified && !c.Profile.querier(c.Addr):
		return fmt.Errorf("%w: %v is no address for %s queries", ErrConfig, c.Addr, c.Profile.Name)
	case len(c.Ports) > maxPorts:
		return fmt.Errorf("%w: %d ports, the most is %d", ErrConfig, len(c.Ports), maxPorts)
	case !c.Limits.normalize(1024, 16384):
		return fmt.Errorf("%w: limits must be positive: %+v", ErrConfig, c.Limits)
	}
	return c.Timers.normalize(c.Profile, V3)
}
