package core

import (
	"math/bits"

	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A position is a point in a sender's sequence of transmission: object, block,
// symbol (RFC 5740 section 5.3).
type position struct {
	object wire.TransportID
	block  uint32
	symbol uint32
}

// compare orders positions; object IDs wrap (RFC 5740 section 4.2.1).
func (p position) compare(q position) int {
	if d := p.object.Sub(q.object); d != 0 {
		return d
	}
	if p.block != q.block {
		if p.block < q.block {
			return -1
		}
		return 1
	}
	return int(p.symbol) - int(q.symbol)
}

// maxSymbols is the most symbols a block may have here: GF(2^8) has no more.
const maxSymbols = 256

// A symbolSet is a set of encoding symbol IDs below maxSymbols.
type symbolSet [maxSymbols / 64]uint64

func (s *symbolSet) add(i int)      { s[i>>6] |= 1 << (i & 63) }
func (s *symbolSet) has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }
func (s *symbolSet) contains(t *symbolSet) bool {
	for i := range s {
		if t[i]&^s[i] != 0 {
			return false
		}
	}
	return true
}

func (s *symbolSet) union(t *symbolSet) {
	for i := range s {
		s[i] |= t[i]
	}
}

func (s *symbolSet) remove(t *symbolSet) {
	for i := range s {
		s[i] &^= t[i]
	}
}

func (s *symbolSet) len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// addRange adds lo up to hi, both included and both below maxSymbols.
func (s *symbolSet) addRange(lo, hi int) {
	for i := lo; i <= hi; i++ {
		s.add(i)
	}
}

// keep removes all members from i on.
func (s *symbolSet) keep(i int) {
	for w := range s {
		switch {
		case w<<6 >= i:
			s[w] = 0
		case w == i>>6:
			s[w] &= 1<<(i&63) - 1
		}
	}
}

// next returns the lowest member not below i, or -1.
func (s *symbolSet) next(i int) int {
	for w := i >> 6; w < len(s); w++ {
		v := s[w]
		if w == i>>6 {
			v &^= 1<<(i&63) - 1
		}
		if v != 0 {
			return w<<6 + bits.TrailingZeros64(v)
		}
	}
	return -1
}
