package madcap

import (
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// take marks addresses as taken in whatever pools they are in: a lease outlives the
// configuration under which it was granted.
func (s *Server) take(rs []Range) {
	s.pooled(rs, func(p *pool, x span) { p.taken.add(x.lo, x.hi) })
}

// free is the opposite of take, for addresses that are nobody's any more.
func (s *Server) free(rs []Range) {
	s.pooled(rs, func(p *pool, x span) { p.taken.remove(x.lo, x.hi) })
	for _, sc := range s.scopes { // those stay
		for _, st := range sc.Static {
			s.take(st.Ranges)
		}
	}
}

// pooled calls f with the parts of ranges that are in a pool.
func (s *Server) pooled(rs []Range, f func(*pool, span)) {
	for _, sc := range s.scopes {
		for _, p := range sc.pools {
			for _, r := range rs {
				if x, ok := p.cut(r); ok {
					f(p, x)
				}
			}
		}
	}
}

// unfit reports whether an address cannot be given out though it is free: never, or not
// now.
func (s *Server) unfit(a netip.Addr) (forGood, now bool) {
	for _, f := range group.Lint(a, group.Use{Purpose: group.Allocate}) {
		// The administrator made a scope of it.
		if f.Code != group.CodeExpansion {
			return true, true
		}
	}
	if s.cfg.InUse != nil && s.cfg.InUse(a) {
		return false, true
	}
	if s.cfg.AvoidAliases {
		for x := range group.Aliases(a) {
			if x != a && (s.isTaken(x) || s.cfg.InUse != nil && s.cfg.InUse(x)) {
				return false, true
			}
		}
	}
	return false, false
}

// isTaken reports whether an address in a pool is taken.
func (s *Server) isTaken(a netip.Addr) bool {
	for _, sc := range s.scopes {
		for _, p := range sc.pools {
			if off, ok := offsetOf(p.first, a); ok && off < p.size && p.taken.overlaps(off, off+1) {
				return true
			}
		}
	}
	return false
}

// draw takes addresses out of a scope: those asked for that are free, or any.
func (s *Server) draw(sc *serverScope, t *terms) []Range {
	var rs []Range
	if len(t.ranges) > 0 {
		rs = s.particular(sc, t)
	} else {
		f := finder{rng: s.cfg.Rand, unfit: s.unfit, max: maxProbes + t.want}
		rs = f.find(sc.pools, t.min, t.want)
	}
	s.take(rs)
	return rs
}

// particular returns those of the addresses asked for that can be had.
func (s *Server) particular(sc *serverScope, t *terms) (rs []Range) {
	left, probes := t.want, 0
	for _, r := range t.ranges {
		for a := range r.All() {
			if probes++; left == 0 || len(rs) > maxRanges || probes > maxProbes+t.want {
				break
			}
			if !s.available(sc, a) {
				continue
			}
			left--
			if n := len(rs); n > 0 {
				if last, _ := rs[n-1].Last(); last.Next() == a {
					rs[n-1].Count++
					continue
				}
			}
			rs = append(rs, RangeOf(a))
		}
	}
	if t.want-left < t.min || len(rs) > maxRanges {
		return nil
	}
	return rs
}

func (s *Server) available(sc *serverScope, a netip.Addr) bool {
	for _, p := range sc.pools {
		if off, ok := offsetOf(p.first, a); ok && off < p.size {
			if p.taken.overlaps(off, off+1) {
				return false
			}
			_, unfit := s.unfit(a)
			return !unfit
		}
	}
	return false
}
