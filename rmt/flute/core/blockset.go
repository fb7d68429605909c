package core

import "sort"

// A blockSet is a set of source block numbers kept as disjoint, ascending,
// non-adjacent ranges. A transfer in order needs one range whatever the size of
// the object; each hole adds one.
type blockSet struct {
	ranges []BlockRange
	n      uint64 // members
}

// A BlockRange is the source blocks First up to Last, both included.
type BlockRange struct{ First, Last uint32 }

// search returns the index of the first range that ends at b or later.
func (s *blockSet) search(b uint32) int {
	// The common question is about the newest end.
	if n := len(s.ranges); n > 0 && s.ranges[n-1].Last < b {
		return n
	}
	return sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].Last >= b })
}

func (s *blockSet) has(b uint32) bool {
	i := s.search(b)
	return i < len(s.ranges) && s.ranges[i].First <= b
}

// add adds b, which is no member. It returns false, and changes nothing, when that
// would need more than limit ranges.
func (s *blockSet) add(b uint32, limit int) bool {
	i := s.search(b)
	before := i > 0 && s.ranges[i-1].Last+1 == b
	after := i < len(s.ranges) && b+1 == s.ranges[i].First
	switch {
	case before && after:
		s.ranges[i-1].Last = s.ranges[i].Last
		s.ranges = append(s.ranges[:i], s.ranges[i+1:]...)
	case before:
		s.ranges[i-1].Last = b
	case after:
		s.ranges[i].First = b
	case len(s.ranges) >= limit:
		return false
	default:
		s.ranges = append(s.ranges, BlockRange{})
		copy(s.ranges[i+1:], s.ranges[i:])
		s.ranges[i] = BlockRange{b, b}
	}
	s.n++
	return true
}
