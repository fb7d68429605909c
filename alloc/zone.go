package alloc

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// maxZone is how many addresses are drawn from at a time.
const maxZone = 1 << 32

// halves returns an address as two numbers.
func halves(a netip.Addr) (hi, lo uint64) {
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// join is the opposite, for an address of the version of like.
func join(hi, lo uint64, like netip.Addr) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	if a := netip.AddrFrom16(b); !like.Is4() {
		return a
	} else {
		return a.Unmap()
	}
}

// sizeOf returns the number of addresses in a valid zone, and false when they are more
// than maxZone.
func sizeOf(z group.Zone) (uint64, bool) {
	h1, l1 := halves(z.First)
	h2, l2 := halves(z.Last)
	n := l2 - l1 + 1
	return n, (h1 == h2 || h1+1 == h2 && l2 < l1) && n != 0 && n <= maxZone
}

// nth returns the address at an offset in a zone.
func nth(z group.Zone, off uint64) netip.Addr {
	hi, lo := halves(z.First)
	if lo+off < lo {
		hi++
	}
	return join(hi, lo+off, z.First)
}

// normal returns a zone without interface names and IPv4-mapped addresses.
func normal(z group.Zone) group.Zone {
	return group.Zone{First: z.First.Unmap().WithZone(""), Last: z.Last.Unmap().WithZone("")}
}

// narrow returns a zone that is small enough to draw from: z, or the addresses of a random
// place in it that differ only in the part of the group ID that is free to choose (RFC
// 3307 section 4.3).
func narrow(rng *rand.Rand, z group.Zone) group.Zone {
	if _, ok := sizeOf(z); ok {
		return z
	}
	h1, l1 := halves(z.First)
	h2, l2 := halves(z.Last)
	hi := h1
	if d := h2 - h1; d != 0 {
		hi += below(rng, d)
	}
	low, high := uint64(0), ^uint64(0)
	if hi == h1 {
		low = l1
	}
	if hi == h2 {
		high = l2
	}
	lo := low + below(rng, high-low)
	block := group.Zone{First: join(hi, lo&^0xffff_ffff|0x8000_0000, z.First), Last: join(hi, lo|0xffff_ffff, z.First)}
	if block.First.Less(z.First) {
		block.First = z.First
	}
	if z.Last.Less(block.Last) {
		block.Last = z.Last
	}
	if block.Last.Less(block.First) { // the edge of a zone that leaves out the free part
		return group.Zone{First: z.First, Last: z.First}
	}
	return block
}

// below returns a number of 0 to n.
func below(rng *rand.Rand, n uint64) uint64 {
	if n == ^uint64(0) {
		return rng.Uint64()
	}
	return rng.Uint64N(n + 1)
}

// scopeZone returns the groups of a scope that anyone in it may choose from.
func scopeZone(f Family, s group.Scope) (group.Zone, error) {
	if s == 0 {
		s = group.RealmLocal
	}
	if f == IPv6 {
		p := netip.PrefixFrom(netip.AddrFrom16([16]byte{0xff, 0x10 | byte(s)}), 16) // flag T
		return group.ZoneOfPrefix(p), nil
	}
	switch s {
	case group.RealmLocal:
		return group.LocalZone, nil
	case group.OrganizationLocal:
		return group.OrganizationZone, nil
	case group.Global:
		return group.Zone{}, fmt.Errorf("%w: no one may choose from all IPv4 groups of global scope: use source-specific groups (NewSSM), those of your prefix or AS (NewPrefix, NewGLOP), or announce them (NewSAP)", ErrRequest)
	}
	return group.Zone{}, fmt.Errorf("%w: IPv4 has no zone of scope %v: ask for %v (239.255.0.0/16) or %v (239.192.0.0/14), or name the Zone", ErrRequest, s, group.RealmLocal, group.OrganizationLocal)
}

// overlap returns what two zones have in common, if anything.
func overlap(a, b group.Zone) group.Zone {
	if a.First.BitLen() != b.First.BitLen() {
		return group.Zone{}
	}
	if a.First.Less(b.First) {
		a.First = b.First
	}
	if b.Last.Less(a.Last) {
		a.Last = b.Last
	}
	return a
}

// from returns what there is for a request among the groups that an allocator has: those
// of its family, scope and zone. The error wraps ErrRequest.
func (t *terms) from(all []group.Zone, allowed ...group.Code) (offer, error) {
	o := offer{allowed: allowed}
	if t.Zone.IsValid() {
		o.scope = normal(t.Zone)
	}
	for _, z := range all {
		if o.scope.IsValid() {
			z = overlap(z, o.scope)
		}
		if z.IsValid() && familyOf(z.First) == t.Family && (t.Scope == 0 || group.ScopeOf(z.First) == t.Scope) {
			o.zones = append(o.zones, z)
		}
	}
	if len(o.zones) > 0 {
		return o, nil
	}
	asked := t.Family.String()
	switch {
	case o.scope.IsValid():
		asked = zonesText([]group.Zone{o.scope})
	case t.Scope != 0:
		asked += " of scope " + t.Scope.String()
	}
	return o, fmt.Errorf("%w: there is no %s among %s: ask for what there is", ErrRequest, asked, zonesText(all))
}
