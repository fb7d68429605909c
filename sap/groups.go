package sap

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sdp"
)

// Groups that announcements are sent to (RFC 2974 section 3). Those of IPv6 are
// ff0X::2:7ffe, X being the scope.
var (
	// GlobalGroup is for IPv4 groups of global scope.
	GlobalGroup = netip.AddrFrom4([4]byte{224, 2, 127, 254})

	// LocalGroup and OrganizationGroup are the last addresses of the zones
	// that RFC 2365 defines.
	LocalGroup        = netip.AddrFrom4([4]byte{239, 255, 255, 255})
	OrganizationGroup = netip.AddrFrom4([4]byte{239, 195, 255, 255})

	// LinkGroup is the last address of 224.0.0.0/24. VLC listens there.
	LinkGroup = netip.AddrFrom4([4]byte{224, 0, 0, 255})

	// PipeWireGroup is what PulseAudio and PipeWire use, and nobody else.
	PipeWireGroup = netip.AddrFrom4([4]byte{224, 0, 0, 56})
)

// groupVersion0 is the group of SAP version 0, which must not be used (RFC 2974 section
// 3).
var groupVersion0 = netip.AddrFrom4([4]byte{224, 2, 127, 255})

// ErrScope means that no SAP group is known for a multicast group.
var ErrScope = errors.New("sap: no announcement group for this scope")

// GroupOfScope returns the SAP group of an IPv6 scope, ff0X::2:7ffe, or the zero
// Addr for a scope that IPv6 does not have.
func GroupOfScope(s group.Scope) netip.Addr {
	if s <= group.ScopeReserved || s >= group.ScopeReservedF {
		return netip.Addr{}
	}
	return netip.AddrFrom16([16]byte{0: 0xff, 1: byte(s), 13: 2, 14: 0x7f, 15: 0xfe})
}

// GroupFor returns where a session that uses g is announced: the last address of its
// administrative zone, the global group, or the IPv6 group of its scope (RFC 2974
// section 3). zones are the zones of this network beside those of RFC 2365; of those
// that contain g the smallest counts. The error wraps ErrScope when g is no group, or
// is in a part of 239.0.0.0/8 that no zone covers.
func GroupFor(g netip.Addr, zones ...group.Zone) (netip.Addr, error) {
	g = g.Unmap().WithZone("")
	var best group.Zone
	for _, z := range zones {
		if z.Contains(g) && (!best.IsValid() || best.Contains(z.First) && best.Contains(z.Last)) {
			best = z
		}
	}
	if a, ok := best.Relative(group.OffsetSAP); ok {
		return a.Unmap().WithZone(""), nil
	}
	switch {
	case !g.IsMulticast():
		return netip.Addr{}, fmt.Errorf("%w: %v is not multicast", ErrScope, g)
	case g.Is6():
		a := GroupOfScope(group.ScopeOf(g))
		if !a.IsValid() {
			return netip.Addr{}, fmt.Errorf("%w: %v has scope %v", ErrScope, g, group.ScopeOf(g))
		}
		return a, nil
	}
	if z, ok := group.ZoneOf(g); ok {
		a, _ := z.Relative(group.OffsetSAP)
		return a, nil
	}
	switch group.ScopeOf(g) {
	case group.LinkLocal:
		return LinkGroup, nil
	case group.AdminScoped:
		return netip.Addr{}, fmt.Errorf("%w: %v is in no zone; name the zone it is in, or use the AES67 profile, which announces all of 239.0.0.0/8 on %v", ErrScope, g, LocalGroup)
	}
	return GlobalGroup, nil
}

// GroupsFor returns where a session is announced: the group of each of its channels,
// each once (RFC 2974 section 3: a copy to each scope). Profile AES67 adds
// 239.255.255.255 for everything in 239.0.0.0/8. The error wraps ErrScope when the
// session has no multicast group, or one of its groups belongs to no zone.
func GroupsFor(d *sdp.Description, p Profile, zones ...group.Zone) ([]netip.Addr, error) {
	var all []netip.Addr
	add := func(a netip.Addr) {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	// Nothing is joined here, so a source is not needed.
	for _, ch := range d.Channels() {
		local := p == AES67 && ch.Group.Is4() && ch.Group.As4()[0] == 239
		a, err := GroupFor(ch.Group, zones...)
		if err == nil {
			add(a)
		} else if !local {
			return nil, err
		}
		if local {
			add(LocalGroup)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: the description names no multicast group", ErrScope)
	}
	return all, nil
}

// AllGroups returns every group that a listener should join: the IPv4 groups named in
// this package, those of the zones given, and those of all IPv6 scopes from link to
// global. Groups of link-local scope need to be joined on each interface, and what
// RFC 4007 says of zones holds for the other scopes too, so it is best to join all on
// each.
func AllGroups(zones ...group.Zone) []netip.Addr {
	all := []netip.Addr{GlobalGroup, OrganizationGroup, LocalGroup, LinkGroup, PipeWireGroup}
	for _, z := range zones {
		if a, ok := z.Relative(group.OffsetSAP); ok && !slices.Contains(all, a.Unmap()) {
			all = append(all, a.Unmap())
		}
	}
	for s := group.LinkLocal; s <= group.Global; s++ {
		all = append(all, GroupOfScope(s))
	}
	return all
}
