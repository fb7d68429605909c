package madcap

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"

	"github.com/gomulticast/multicast/mcast/group"
)

// maxProbes is how many addresses are looked at for one request, besides those it gets.
const maxProbes = 8192

// A span is offsets in a pool from lo to before hi.
type span struct{ lo, hi uint64 }

// spans is a set of offsets: spans in order, none touching another.
type spans []span

// at returns the place of the first span that ends behind off.
func (s spans) at(off uint64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].hi > off })
}

// overlaps reports whether an offset from lo to before hi is in the set.
func (s spans) overlaps(lo, hi uint64) bool {
	i := s.at(lo)
	return i < len(s) && s[i].lo < hi
}

// add puts lo to before hi into the set.
func (s *spans) add(lo, hi uint64) {
	i := sort.Search(len(*s), func(i int) bool { return (*s)[i].hi >= lo })
	j := i
	for ; j < len(*s) && (*s)[j].lo <= hi; j++ {
		lo, hi = min(lo, (*s)[j].lo), max(hi, (*s)[j].hi)
	}
	*s = slices.Replace(*s, i, j, span{lo, hi})
}

// remove takes lo to before hi out of the set.
func (s *spans) remove(lo, hi uint64) {
	i := s.at(lo)
	j := i
	var rest []span
	for ; j < len(*s) && (*s)[j].lo < hi; j++ {
		x := (*s)[j]
		if x.lo < lo {
			rest = append(rest, span{x.lo, lo})
		}
		if x.hi > hi {
			rest = append(rest, span{hi, x.hi})
		}
	}
	*s = slices.Replace(*s, i, j, rest...)
}

// gap returns the first span outside of the set from off on, cut at end; its lo is end
// when there is none.
func (s spans) gap(off, end uint64) span {
	i := s.at(off)
	for ; i < len(s) && s[i].lo <= off; i++ {
		off = s[i].hi
	}
	if off >= end {
		return span{end, end}
	}
	if i < len(s) {
		end = min(end, s[i].lo)
	}
	return span{off, end}
}

// A pool is a part of a scope that addresses are drawn from.
type pool struct {
	first netip.Addr
	size  uint64
	taken spans // leased, held, reserved, or found unfit for good
}

func newPool(z group.Zone) *pool {
	n, _ := offsetOf(z.First, z.Last)
	return &pool{first: z.First, size: n + 1}
}

// cut returns the part of a range that is in the pool.
func (p *pool) cut(r Range) (s span, ok bool) {
	last, ok := r.Last()
	if !ok || r.First.BitLen() != p.first.BitLen() {
		return s, false
	}
	if s.hi, ok = offsetOf(p.first, last); !ok {
		return s, false
	}
	s.hi = min(s.hi+1, p.size)
	if s.lo, ok = offsetOf(p.first, r.First); !ok { // begins below
		s.lo = 0
		ok = r.First.Less(p.first)
	}
	return s, ok && s.lo < s.hi
}

func (p *pool) addr(off uint64) netip.Addr {
	a, _ := addOffset(p.first, off)
	return a
}

// A finder looks for addresses in pools.
type finder struct {
	rng    *rand.Rand
	unfit  func(netip.Addr) (forGood, now bool)
	probes int
	max    int
}

// run returns up to want addresses in a row, at least need of them, from off on.
func (f *finder) run(p *pool, from, end uint64, need, want int) (span, bool) {
	for off := from; f.probes < f.max; {
		g := p.taken.gap(off, end)
		if g.lo >= end {
			break
		}
		if g.hi-g.lo < uint64(need) {
			off = g.hi
			continue
		}
		hi := g.lo
		for hi < g.hi && hi-g.lo < uint64(want) && f.probes < f.max {
			f.probes++
			forGood, now := f.unfit(p.addr(hi))
			if forGood {
				p.taken.add(hi, hi+1)
			}
			if forGood || now {
				break
			}
			hi++
		}
		if hi-g.lo >= uint64(need) {
			return span{g.lo, hi}, true
		}
		off = hi + 1
	}
	return span{}, false
}

// find draws want addresses: in a row if there is room, else in pieces, at least need.
func (f *finder) find(pools []*pool, need, want int) (found []Range) {
	if len(pools) == 0 {
		return nil
	}
	order := f.rng.Perm(len(pools))
	for _, i := range order {
		p := pools[i]
		start := f.rng.Uint64N(p.size)
		s, ok := f.run(p, start, p.size, want, want)
		if !ok {
			s, ok = f.run(p, 0, min(p.size, start+uint64(want)), want, want)
		}
		if ok {
			return []Range{{p.addr(s.lo), uint16(s.hi - s.lo)}}
		}
	}
	if want == 1 {
		return nil
	}
	f.probes = 0
	left := want
	for _, i := range order {
		p := pools[i]
		for off := uint64(0); left > 0 && len(found) < maxRanges; {
			s, ok := f.run(p, off, p.size, 1, left)
			if !ok {
				break
			}
			found = append(found, Range{p.addr(s.lo), uint16(s.hi - s.lo)})
			left -= int(s.hi - s.lo)
			off = s.hi
		}
	}
	if want-left < need {
		return nil
	}
	return found
}
