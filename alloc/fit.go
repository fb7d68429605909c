package alloc

import (
	"iter"
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// fault returns the first thing that forbids giving an address out, "" if nothing does.
// Codes in allowed are no such thing: what they are about was settled by whoever chose the
// zone.
func fault(a netip.Addr, allowed ...group.Code) string {
next:
	for _, f := range group.Lint(a, group.Use{Purpose: group.Allocate}) {
		for _, c := range allowed {
			if f.Code == c {
				continue next
			}
		}
		return f.Message
	}
	return ""
}

// A set is addresses in use, and their Ethernet addresses.
type set struct {
	addrs map[netip.Addr]struct{}
	macs  map[[6]byte]struct{}
}

func newSet(all iter.Seq[netip.Addr]) set {
	s := set{make(map[netip.Addr]struct{}), make(map[[6]byte]struct{})}
	if all != nil {
		for a := range all {
			s.add(a)
		}
	}
	return s
}

func (s set) add(a netip.Addr) {
	a = a.Unmap().WithZone("")
	s.addrs[a] = struct{}{}
	s.macs[group.MAC(a)] = struct{}{}
}

// has reports whether an address is in the set, or only its Ethernet address and that
// counts.
func (s set) has(a netip.Addr, aliases bool) bool {
	if _, ok := s.addrs[a]; ok || !aliases {
		return ok
	}
	_, ok := s.macs[group.MAC(a)]
	return ok
}

// matters reports whether an address in use can forbid one of some zones, being in one of
// them or sharing an Ethernet address with one. Of IPv6 all of the family may.
func matters(a netip.Addr, zones []group.Zone) bool {
	for _, z := range zones {
		switch {
		case familyOf(a) != familyOf(z.First):
		case a.Is6() || z.Contains(a):
			return true
		default:
			for x := range group.Aliases(a) {
				if z.Contains(x) {
					return true
				}
			}
		}
	}
	return false
}
