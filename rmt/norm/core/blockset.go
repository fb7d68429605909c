package core

import "sort"

// A blockSet is a set of source block numbers kept as disjoint, ascending,
// non-adjacent ranges. A transfer in order needs one range whatever the size of
// the object; each hole adds one.
type blockSet struct {
	ranges []blockRange
}

// A blockRange is the blocks lo up to hi, both included.
type blockRange struct{ lo, hi uint32 }

func (s *blockSet) empty() bool { return len(s.ranges) == 0 }

func (s *blockSet) clear() { s.ranges = s.ranges[:0] }

// search returns the index of the first range that ends at b or later.
func (s *blockSet) search(b uint32) int {
	// The common question is about the newest end.
	if n := len(s.ranges); n > 0 && s.ranges[n-1].hi < b {
		return n
	}
	return sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].hi >= b })
}

func (s *blockSet) has(b uint32) bool {
	i := s.search(b)
	return i < len(s.ranges) && s.ranges[i].lo <= b
}

// hasRange reports whether all of lo up to hi are members.
func (s *blockSet) hasRange(lo, hi uint32) bool {
	i := s.search(lo)
	return i < len(s.ranges) && s.ranges[i].lo <= lo && s.ranges[i].hi >= hi
}

// add adds lo up to hi, both included. It returns false, and changes nothing,
// when that would need more than limit ranges.
func (s *blockSet) add(lo, hi uint32, limit int) bool {
	i := s.search(lo)
	if i > 0 && lo > 0 && s.ranges[i-1].hi == lo-1 { // touches the one before
		i--
		lo = s.ranges[i].lo
	}
	j := i
	for j < len(s.ranges) && (s.ranges[j].lo <= hi || s.ranges[j].lo == hi+1 && hi != ^uint32(0)) {
		lo, hi = min(lo, s.ranges[j].lo), max(hi, s.ranges[j].hi)
		j++
	}
	if i == j {
		if len(s.ranges) >= limit {
			return false
		}
		s.ranges = append(s.ranges, blockRange{})
		copy(s.ranges[i+1:], s.ranges[i:])
		s.ranges[i] = blockRange{lo, hi}
		return true
	}
	s.ranges[i] = blockRange{lo, hi}
	s.ranges = append(s.ranges[:i+1], s.ranges[j:]...)
	return true
}

// below removes all members before b.
func (s *blockSet) below(b uint32) {
	i := s.search(b)
	s.ranges = append(s.ranges[:0], s.ranges[i:]...)
	if len(s.ranges) > 0 {
		s.ranges[0].lo = max(s.ranges[0].lo, b)
	}
}

// rebase lowers all members by d and removes those below it.
func (s *blockSet) rebase(d uint32) {
	s.below(d)
	for i := range s.ranges {
		s.ranges[i].lo -= d
		s.ranges[i].hi -= d
	}
}

// remove removes one member.
func (s *blockSet) remove(b uint32) {
	i := s.search(b)
	if i == len(s.ranges) || s.ranges[i].lo > b {
		return
	}
	switch r := s.ranges[i]; {
	case r.lo == r.hi:
		s.ranges = append(s.ranges[:i], s.ranges[i+1:]...)
	case b == r.lo:
		s.ranges[i].lo++
	case b == r.hi:
		s.ranges[i].hi--
	default:
		s.ranges = append(s.ranges, blockRange{})
		copy(s.ranges[i+1:], s.ranges[i:])
		s.ranges[i].hi, s.ranges[i+1].lo = b-1, b+1
	}
}

// first returns the lowest member.
func (s *blockSet) first() (uint32, bool) {
	if len(s.ranges) == 0 {
		return 0, false
	}
	return s.ranges[0].lo, true
}

// popFirst removes the lowest member.
func (s *blockSet) popFirst() {
	if r := &s.ranges[0]; r.lo < r.hi {
		r.lo++
		return
	}
	s.ranges = append(s.ranges[:0], s.ranges[1:]...)
}

// nextMissing returns the lowest non-member not below b, and the last block
// before the next member after it.
func (s *blockSet) nextMissing(b uint32) (lo, hi uint32) {
	i := s.search(b)
	if i < len(s.ranges) && s.ranges[i].lo <= b {
		if s.ranges[i].hi == ^uint32(0) {
			return ^uint32(0), 0
		}
		b = s.ranges[i].hi + 1
		i++
	}
	if i < len(s.ranges) {
		return b, s.ranges[i].lo - 1
	}
	return b, ^uint32(0)
}
