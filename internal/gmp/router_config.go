package gmp

import (
	"fmt"
	"net/netip"
)

// RouterConfig holds a router's settings. Zero fields take the default in their
// comment.
type RouterConfig struct {
	// Profile is &IGMP or &MLD; required.
	Profile *Profile

	// Addr is the interface's address, by which queriers are elected;
	// link-local for MLD. Without one an IGMP router asks from 0.0.0.0, as a
	// switch does, and gives way to everyone; an MLD router does not ask.
	Addr netip.Addr

	// MTU bounds the size of a query in bytes. At least 576 for IGMP and 1,280
	// for MLD; default 1,500.
	MTU int

	// Timers are those of RFC 3376 section 8.
	Timers Timers

	// Generation is the protocol that is spoken: V2 or V1 for a link with a
	// router that knows no other, on all its routers alike (RFC 3376 section
	// 7.3.1). Default V3.
	Generation Generation

	// Lightweight keeps the state of RFC 5790 section 5, which excludes no
	// sources.
	Lightweight bool

	// SSM is the source-specific range. Default 232.0.0.0/8 and ff3x::/32 (RFC
	// 4604 section 3).
	SSM []netip.Prefix

	// Tracking keeps what each host reported (RFC 3376 appendix A.2).
	Tracking bool

	// FastLeave, with Tracking, ends a membership without asking when the last
	// host known of says that it leaves. It is done only when all hosts of the
	// group should be known: no older host and none without address among them,
	// and the router up for a group membership interval.
	FastLeave bool

	// Limits bound the state.
	Limits TableLimits
}

func (c *RouterConfig) normalize() error {
	setDefault(&c.MTU, 1500)
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
	case c.Addr.IsValid() && c.Addr != c.Profile.Unspecified && !c.Profile.querier(c.Addr):
		return fmt.Errorf("%w: %v is no address for %s queries", ErrConfig, c.Addr, c.Profile.Name)
	case c.FastLeave && !c.Tracking:
		return fmt.Errorf("%w: FastLeave needs Tracking", ErrConfig)
	case !c.Limits.normalize(4096, 65536):
		return fmt.Errorf("%w: limits must be positive: %+v", ErrConfig, c.Limits)
	}
	return c.Timers.normalize(c.Profile, c.Generation)
}
