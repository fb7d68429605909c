package core

import "math/bits"

// maxSymbols is the most symbols, source and parity together, that a block may have here.
// The field has 65,535 (RFC 5510 section 6.1); but to recover a block takes time with the
// product of what it has and what it lost, and nothing else happens in that time: up to
// 60 ms for symbols of two bytes, at this bound, and 300 ms for segments of 1,400.
const maxSymbols = 2048

// lowSymbols is how many symbols lie within a symbolSet: all that a block has over GF(2^8).
const lowSymbols = 256

// A symbolSet is a set of encoding symbol IDs below maxSymbols. The words for those from
// lowSymbols on are made when the first of them is added, and belong to the set: a set is
// copied by copyOf, or moved, and then no longer used where it was.
type symbolSet struct {
	low  [lowSymbols / 64]uint64
	high []uint64
}

// word returns the members from 64*w on.
func (s *symbolSet) word(w int) uint64 {
	if w < len(s.low) {
		return s.low[w]
	}
	if w -= len(s.low); w < len(s.high) {
		return s.high[w]
	}
	return 0
}

// at returns the word for members from 64*w on, to be changed.
func (s *symbolSet) at(w int) *uint64 {
	if w < len(s.low) {
		return &s.low[w]
	}
	w -= len(s.low)
	for len(s.high) <= w {
		s.high = append(s.high, 0)
	}
	return &s.high[w]
}

// words returns how many words there are.
func (s *symbolSet) words() int { return len(s.low) + len(s.high) }

func (s *symbolSet) add(i int) {
	if i < lowSymbols { // so that this much is inlined
		s.low[i>>6] |= 1 << (i & 63)
		return
	}
	*s.at(i >> 6) |= 1 << (i & 63)
}

func (s *symbolSet) has(i int) bool {
	if i < lowSymbols {
		return s.low[i>>6]&(1<<(i&63)) != 0
	}
	return s.word(i>>6)&(1<<(i&63)) != 0
}

// clear removes all members and keeps the memory.
func (s *symbolSet) clear() {
	s.low = [lowSymbols / 64]uint64{}
	clear(s.high)
}

// copyOf makes s equal to t, in memory of its own.
func (s *symbolSet) copyOf(t *symbolSet) {
	s.low, s.high = t.low, append(s.high[:0], t.high...)
}

func (s *symbolSet) contains(t *symbolSet) bool {
	for w := range t.words() {
		if t.word(w)&^s.word(w) != 0 {
			return false
		}
	}
	return true
}

func (s *symbolSet) union(t *symbolSet) {
	for w := range t.words() {
		if v := t.word(w); v != 0 {
			*s.at(w) |= v
		}
	}
}

func (s *symbolSet) remove(t *symbolSet) {
	for w := range min(s.words(), t.words()) {
		*s.at(w) &^= t.word(w)
	}
}

func (s *symbolSet) len() int {
	n := 0
	for _, w := range s.low {
		n += bits.OnesCount64(w)
	}
	for _, w := range s.high {
		n += bits.OnesCount64(w)
	}
	return n
}

// wordMask returns the bits of word w that stand for symbols from lo up to, not including,
// hi.
func wordMask(w, lo, hi int) uint64 {
	v := ^uint64(0)
	if lo > w<<6 {
		v <<= min(lo-w<<6, 64)
	}
	if end := (w + 1) << 6; hi < end {
		v &= ^uint64(0) >> min(end-hi, 64)
	}
	return v
}

// addRange adds lo up to hi, both included and both below maxSymbols.
func (s *symbolSet) addRange(lo, hi int) {
	if lo > hi {
		return
	}
	for w := lo >> 6; w <= hi>>6; w++ {
		*s.at(w) |= wordMask(w, lo, hi+1)
	}
}

// keep removes all members from i on.
func (s *symbolSet) keep(i int) {
	for w := i >> 6; w < s.words(); w++ {
		*s.at(w) &= wordMask(w, 0, i)
	}
}

// next returns the lowest member not below i, or -1.
func (s *symbolSet) next(i int) int {
	for w := i >> 6; w < s.words(); w++ {
		if v := s.word(w) & wordMask(w, i, maxSymbols); v != 0 {
			return w<<6 + bits.TrailingZeros64(v)
		}
	}
	return -1
}

// gap returns the lowest symbol not below i that is not a member.
func (s *symbolSet) gap(i int) int {
	for w := i >> 6; ; w++ {
		if v := ^s.word(w) & wordMask(w, i, (w+1)<<6); v != 0 {
			return w<<6 + bits.TrailingZeros64(v)
		}
	}
}

// gapBefore returns the highest symbol below i that is not a member, or -1.
func (s *symbolSet) gapBefore(i int) int {
	for w := (i - 1) >> 6; w >= 0; w-- {
		if v := ^s.word(w) & wordMask(w, 0, i); v != 0 {
			return w<<6 + 63 - bits.LeadingZeros64(v)
		}
	}
	return -1
}

// addLowest adds the lowest symbols from lo up to, not including, hi that t does not have,
// n of them or as many as there are, and returns how many.
func (s *symbolSet) addLowest(t *symbolSet, lo, hi, n int) (added int) {
	for w := lo >> 6; w<<6 < hi && added < n; w++ {
		v := ^t.word(w) & wordMask(w, lo, hi)
		for bits.OnesCount64(v) > n-added {
			v &^= 1 << (63 - bits.LeadingZeros64(v))
		}
		if v != 0 {
			*s.at(w) |= v
			added += bits.OnesCount64(v)
		}
	}
	return added
}

// addHighest is addLowest from the other end.
func (s *symbolSet) addHighest(t *symbolSet, lo, hi, n int) (added int) {
	for w := (hi - 1) >> 6; w >= 0 && (w+1)<<6 > lo && added < n; w-- {
		v := ^t.word(w) & wordMask(w, lo, hi)
		for bits.OnesCount64(v) > n-added {
			v &= v - 1
		}
		if v != 0 {
			*s.at(w) |= v
			added += bits.OnesCount64(v)
		}
	}
	return added
}
