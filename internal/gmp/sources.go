package gmp

import (
	"net/netip"
	"slices"

	"github.com/gomulticast/multicast/mcast/group"
)

// Sets of sources are sorted lists without repetition. Each function appends its
// result to dst, which must not share memory with the others.

// union appends a+b.
func union(dst, a, b []netip.Addr) []netip.Addr {
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].Compare(b[0]); {
		case c < 0:
			dst, a = append(dst, a[0]), a[1:]
		case c > 0:
			dst, b = append(dst, b[0]), b[1:]
		default:
			dst, a, b = append(dst, a[0]), a[1:], b[1:]
		}
	}
	return append(append(dst, a...), b...)
}

// intersect appends a*b.
func intersect(dst, a, b []netip.Addr) []netip.Addr {
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].Compare(b[0]); {
		case c < 0:
			a = a[1:]
		case c > 0:
			b = b[1:]
		default:
			dst, a, b = append(dst, a[0]), a[1:], b[1:]
		}
	}
	return dst
}

// minus appends a-b.
func minus(dst, a, b []netip.Addr) []netip.Addr {
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].Compare(b[0]); {
		case c < 0:
			dst, a = append(dst, a[0]), a[1:]
		case c > 0:
			b = b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	return append(dst, a...)
}

func contains(set []netip.Addr, a netip.Addr) bool {
	_, ok := slices.BinarySearchFunc(set, a, netip.Addr.Compare)
	return ok
}

// clean appends the addresses of a message's list that can be sources, as a set, and
// returns how many could not.
func (p *Profile) clean(dst, list []netip.Addr) (set []netip.Addr, bad int) {
	sorted := true
	for _, a := range list {
		if a = plain(a); !p.unicast(a) {
			bad++
			continue
		}
		if n := len(dst); n > 0 && dst[n-1].Compare(a) >= 0 {
			sorted = false
		}
		dst = append(dst, a)
	}
	if !sorted {
		slices.SortFunc(dst, netip.Addr.Compare)
		dst = slices.Compact(dst)
	}
	return dst, bad
}

// accepts is Filter.Accepts for a filter whose sources are a set.
func accepts(f group.Filter, src netip.Addr) bool {
	return contains(f.Sources, src) == (f.Mode == group.Include)
}

// same reports whether two filters whose sources are sets are equal.
func same(a, b group.Filter) bool {
	return a.Mode == b.Mode && slices.Equal(a.Sources, b.Sources)
}

// A merger joins filters whose sources are sets, by the rules of RFC 3376 section
// 3.2 and RFC 3810 section 4.2. Its zero value has joined none.
type merger struct {
	any      bool // a filter in EXCLUDE mode was among them
	in, ex   []netip.Addr
	in2, ex2 []netip.Addr // room for the next result
}

func (m *merger) add(f group.Filter) {
	switch {
	case f.Mode == group.Include:
		m.in2 = union(m.in2[:0], m.in, f.Sources)
		m.in, m.in2 = m.in2, m.in
	case !m.any:
		m.any = true
		m.ex = append(m.ex[:0], f.Sources...)
	default:
		m.ex2 = intersect(m.ex2[:0], m.ex, f.Sources)
		m.ex, m.ex2 = m.ex2, m.ex
	}
}

// result returns a filter with a list of its own: in EXCLUDE mode what all want to
// exclude and none includes, else what any includes.
func (m *merger) result() group.Filter {
	f := group.Filter{Mode: group.Include, Sources: m.in}
	if m.any {
		f = group.Filter{Mode: group.Exclude, Sources: minus(m.ex2[:0], m.ex, m.in)}
	}
	f.Sources = slices.Clone(f.Sources)
	if len(f.Sources) == 0 {
		f.Sources = nil
	}
	return f
}
