package sparse

import "math/bits"

// dense finds the inactive unknowns: it writes the equations that are no pivots in
// terms of them, and solves those.
type dense struct {
	words int      // of a vector: a bit for each inactive unknown
	vecs  []uint64 // by unknown that a pivot gives: the inactive ones in it
	lead  []uint64 // by inactive unknown: the equation that leads to it, reduced
	has   []bool
	rank  int
	row   []uint64
	from  []uint32 // leads that were added to row
	rows  []uint64 // the equations of SetGray
	sum   []uint64
}

// eliminate solves for the inactive unknowns by Gauss and Jordan.
func (s *Solver) eliminate() bool {
	u := len(s.inactive)
	if u == 0 {
		return true
	}
	n := len(s.state)
	s.words = (u + 63) / 64
	if (n+u+s.sys.grayN+2)*s.words > s.limits.Bits/8 {
		return false
	}
	s.vecs = resize(s.vecs, n*s.words)
	s.lead, s.has = resize(s.lead, u*s.words), resize(s.has, u)
	s.row, s.rank = resize(s.row, s.words), 0
	for i := range s.plan.pivots {
		pv := &s.plan.pivots[i]
		v := s.vec(pv.col)
		for _, c := range s.sys.row(pv.row) {
			if c != pv.col {
				s.addUnknown(v, c)
			}
		}
		pv.again = !isZero(v)
	}
	for r := range uint32(s.sys.rows()) {
		if s.used[r] {
			continue
		}
		clear(s.row)
		for _, c := range s.sys.row(r) {
			s.addUnknown(s.row, c)
		}
		if s.insert(r); s.rank == u {
			return true
		}
	}
	s.grayVectors()
	for i := range uint32(s.sys.grayN) {
		copy(s.row, s.rows[int(i)*s.words:])
		if s.insert(grayRow | i) {
			s.plan.gray |= 1 << i
		}
		if s.rank == u {
			return true
		}
	}
	return false
}

func (s *Solver) vec(c uint32) []uint64 { return s.vecs[int(c)*s.words:][:s.words] }

// addUnknown adds unknown c, in terms of inactive ones, to v.
func (s *Solver) addUnknown(v []uint64, c uint32) {
	if st := s.state[c]; st >= stateInactive {
		v[(st-stateInactive)>>6] ^= 1 << ((st - stateInactive) & 63)
		return
	}
	addWords(v, s.vec(c))
}

// insert takes in the equation r, whose vector is s.row, unless it follows from others.
func (s *Solver) insert(r uint32) bool {
	s.from = s.from[:0]
	for i := range s.row {
		// Leads have no bits of other leads, so a word's bits at the start are all.
		for w := s.row[i]; w != 0; w &= w - 1 {
			if b := i<<6 + bits.TrailingZeros64(w); s.has[b] {
				addWords(s.row, s.leadOf(b))
				s.from = append(s.from, uint32(b))
			}
		}
	}
	lead := firstBit(s.row)
	if lead < 0 {
		return false
	}
	col := s.inactive[lead]
	for _, b := range s.from {
		s.plan.steps = append(s.plan.steps, step{col, s.inactive[b]})
	}
	for b, has := range s.has {
		if l := s.leadOf(b); has && l[lead>>6]>>(lead&63)&1 != 0 {
			addWords(l, s.row)
			s.plan.steps = append(s.plan.steps, step{s.inactive[b], col})
		}
	}
	copy(s.leadOf(lead), s.row)
	s.has[lead] = true
	s.rank++
	s.plan.leads = append(s.plan.leads, pivot{row: r, col: col})
	return true
}

func (s *Solver) leadOf(b int) []uint64 { return s.lead[b*s.words:][:s.words] }

// grayVectors writes the equations of SetGray in terms of inactive unknowns; compare
// Plan.sumGray.
func (s *Solver) grayVectors() {
	s.rows = resize(s.rows, s.sys.grayN*s.words)
	s.sum = resize(s.sum, s.words)
	toggle := func(set uint32) {
		for ; set != 0; set &= set - 1 {
			addWords(s.rows[bits.TrailingZeros32(set)*s.words:][:s.words], s.sum)
		}
	}
	last := uint32(0)
	for j, mask := range s.sys.gray {
		toggle(mask ^ last)
		last = mask
		s.addUnknown(s.sum, uint32(j))
	}
	toggle(last)
	for i := range uint32(s.sys.grayN) {
		s.addUnknown(s.rows[int(i)*s.words:][:s.words], s.sys.grayOwn+i)
	}
}

func addWords(dst, src []uint64) {
	for i, w := range src {
		dst[i] ^= w
	}
}

func isZero(v []uint64) bool {
	for _, w := range v {
		if w != 0 {
			return false
		}
	}
	return true
}

func firstBit(v []uint64) int {
	for i, w := range v {
		if w != 0 {
			return i<<6 + bits.TrailingZeros64(w)
		}
	}
	return -1
}
