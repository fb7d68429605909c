package mld

import (
	"iter"
	"net/netip"
)

// Sources is a list of source addresses as it is on the wire, 16 bytes each. A nil
// list is empty.
type Sources []byte

// Len returns the number of sources.
func (s Sources) Len() int { return len(s) / 16 }

// At returns source i, 0 to Len()-1.
func (s Sources) At(i int) netip.Addr { return addr16(s[16*i:]) }

// All returns the sources in order.
func (s Sources) All() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for b := s; len(b) >= 16; b = b[16:] {
			if !yield(addr16(b)) {
				return
			}
		}
	}
}

// AppendTo appends the sources to dst.
func (s Sources) AppendTo(dst []netip.Addr) []netip.Addr {
	for a := range s.All() {
		dst = append(dst, a)
	}
	return dst
}

// Contains reports whether a, an IPv6 address without a zone, is in the list.
func (s Sources) Contains(a netip.Addr) bool {
	for x := range s.All() {
		if x == a {
			return true
		}
	}
	return false
}

// Append returns the list with addresses behind. On one that is not IPv6 it returns
// the list as it was, and [ErrAddress]. Zones are ignored.
func (s Sources) Append(addrs ...netip.Addr) (Sources, error) {
	out := s
	for _, a := range addrs {
		b, ok := as16(a)
		if !ok {
			return s, ErrAddress
		}
		out = append(out, b[:]...)
	}
	return out, nil
}
