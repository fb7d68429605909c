package igmp

import (
	"iter"
	"net/netip"
)

// Sources is a list of source addresses as it is on the wire, 4 bytes each. A nil
// list is empty.
type Sources []byte

// Len returns the number of sources.
func (s Sources) Len() int { return len(s) / 4 }

// At returns source i, 0 to Len()-1.
func (s Sources) At(i int) netip.Addr { return netip.AddrFrom4([4]byte(s[4*i : 4*i+4])) }

// All returns the sources in order.
func (s Sources) All() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for b := s; len(b) >= 4; b = b[4:] {
			if !yield(netip.AddrFrom4([4]byte(b[:4]))) {
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

// Contains reports whether a, an IPv4 address, is in the list.
func (s Sources) Contains(a netip.Addr) bool {
	for x := range s.All() {
		if x == a {
			return true
		}
	}
	return false
}

// Append returns the list with addresses behind. On one that is not IPv4 it returns
// the list as it was, and [ErrAddress]; IPv4-mapped addresses count as IPv4.
func (s Sources) Append(addrs ...netip.Addr) (Sources, error) {
	out := s
	for _, a := range addrs {
		b, ok := as4(a)
		if !ok {
			return s, ErrAddress
		}
		out = append(out, b[:]...)
	}
	return out, nil
}

// as4 returns the bytes of an IPv4 address.
func as4(a netip.Addr) ([4]byte, bool) {
	if a = a.Unmap(); !a.Is4() {
		return [4]byte{}, false
	}
	return a.As4(), true
}

// addr4 returns the address at the beginning of b.
func addr4(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b[:4])) }
