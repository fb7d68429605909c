package glop

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// Errors of FromRP, FromLinkLocal and Group, wrapped with what they are about.
var (
	// ErrRP means an address cannot be that of a rendezvous point in a group: all
	// between its prefix and its last 4 bits must be 0, and those not 0.
	ErrRP = errors.New("not an address for an embedded rendezvous point")

	// ErrLinkLocal means an address is not a link-local unicast address.
	ErrLinkLocal = errors.New("not an IPv6 link-local unicast address, fe80::/64")

	// ErrGroupID means a group ID is below those that may be chosen.
	ErrGroupID = errors.New("not a group ID to choose")
)

// FromRP returns the groups of a scope whose rendezvous point is rp's address:
// ff7x:riid,plen:prefix::/96 (RFC 3956 sections 3 and 4). rp is the point's address
// with the length of its prefix, as in 2001:db8:beef:feed::1/64; the address must be
// that prefix, zeros, and a last digit of 1 to f, so a shorter length lets one point
// serve more networks: group addresses of the longer prefixes, such as those that
// begin ff7e:320:2001:db8:dead, have it too (section 5.2). The error wraps ErrRP,
// ErrPrefix or ErrScope.
func FromRP(rp netip.Prefix, scope group.Scope) (netip.Prefix, error) {
	if err := check6(rp, scope); err != nil {
		return netip.Prefix{}, err
	}
	b := rp.Addr().As16()
	out := fields(rp, scope, group.FlagR|group.FlagP|group.FlagT, b[15]&0xf)
	f, _ := group.FieldsOf(out.Addr())
	switch back, err := f.RP(); {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("glop: %s: %w: %w", rp, ErrRP, err)
	case back != rp.Addr().WithZone(""):
		return netip.Prefix{}, fmt.Errorf("glop: %s: %w: only its /%d and its last digit are in a group; give the point %s too (RFC 3956 section 4)",
			rp, ErrRP, rp.Bits(), back)
	}
	return out, nil
}

// RPOf returns the rendezvous point of a group (RFC 3956 section 4, for every value of
// the flag X by RFC 7371 section 4.2). The error is group.ErrNoRP, ErrRIID,
// ErrRPPrefixLen or ErrRPAddress of that package, and costs no allocation: routers ask
// for groups that anyone may have written.
func RPOf(addr netip.Addr) (netip.Addr, error) {
	f, _ := group.FieldsOf(addr)
	return f.RP()
}

// FromLinkLocal returns the groups of the owner of a link-local address, in the scope
// group.InterfaceLocal or group.LinkLocal: ff32:ff:iid::/96 (RFC 4489 section 3). The
// address must have passed duplicate address detection, and be meant for one link: a
// zone is not kept. The error wraps ErrLinkLocal or ErrScope.
func FromLinkLocal(addr netip.Addr, scope group.Scope) (netip.Prefix, error) {
	b := addr.As16()
	if !addr.Is6() || [8]byte(b[:8]) != [8]byte{0xfe, 0x80} {
		return netip.Prefix{}, fmt.Errorf("glop: %s: %w", addr, ErrLinkLocal)
	}
	if scope != group.InterfaceLocal && scope != group.LinkLocal {
		return netip.Prefix{}, fmt.Errorf("glop: %s: %w: groups from an interface ID are link-local or interface-local (RFC 4489 section 3); "+
			"for more use a unicast prefix", scope, ErrScope)
	}
	f := group.Fields{Flags: group.FlagP | group.FlagT, Scope: scope, PrefixLen: 255, Network: [8]byte(b[8:])}
	return netip.PrefixFrom(f.Addr(), 96), nil
}

// LinkLocalOf returns the link-local address whose interface ID a group is made from
// (RFC 4489 section 3), without a zone. It reports false for groups of other kinds.
func LinkLocalOf(addr netip.Addr) (netip.Addr, bool) {
	f, _ := group.FieldsOf(addr)
	return f.LinkLocal()
}

// Group returns the group of a /96 that FromUnicast6, FromRP, FromLinkLocal or
// group.SSMPrefix gave, with a group ID. IDs of 80000000 to ffffffff are free to
// choose, best at random; 40000000 to 7fffffff are IANA's for services that have one
// everywhere (RFC 3307 section 4), and lower ones would meet permanent groups on
// Ethernet. The error wraps ErrGroupID for those and for 40000000 among source-specific
// groups, which is never a destination (RFC 4607 section 4.3); or ErrPrefix.
func Group(p netip.Prefix, id uint32) (netip.Addr, error) {
	f, ok := group.FieldsOf(p.Addr())
	if !ok || p.Bits() != 96 || f.Flags&group.FlagP == 0 {
		return netip.Addr{}, fmt.Errorf("glop: %s: %w: give a /96 in ff30::/12 or ff70::/12", p, ErrPrefix)
	}
	if f.ID = id; id < 0x40000000 {
		return netip.Addr{}, fmt.Errorf("glop: group ID %08x: %w: give 80000000 to ffffffff, or a service's from 40000000 on (RFC 3307 section 4)", id, ErrGroupID)
	}
	g := f.Addr()
	if group.SSMPartOf(g) == group.SSMNull {
		return netip.Addr{}, fmt.Errorf("glop: group ID %08x: %w: give 80000000 to ffffffff", id, ErrGroupID)
	}
	return g, nil
}
