package tfmcc

import "time"

// Bounds of reordering: a packet counts as lost when so many later ones have come
// (RFC 4654 section 5.1), and more once packets came later than that.
const (
	minTolerance = 3
	maxTolerance = 32
	maxHoles     = 16
)

// A hole is a run of packets that did not come, between two that did.
type hole struct {
	from, to      uint64
	before, after time.Time // when its neighbours came
	later         int       // packets that came behind it
}

// A sequence follows the 16-bit counter of a sender's messages.
type sequence struct {
	started   bool
	newest    uint64
	at        time.Time // when newest came
	got       uint64    // bit i: newest-i came
	tolerance int
	holes     [maxHoles]hole
	n         int
	strays    int // packets from far behind in a row
	stray     uint16
}

// take follows one packet. It returns its number and whether it is news. lost is
// called for each hole that has become a loss.
func (s *sequence) take(now time.Time, seq uint16, lost func(*hole)) (n uint64, fresh bool) {
	if !s.started {
		*s = sequence{started: true, newest: 1<<32 | uint64(seq), at: now, got: 1, tolerance: minTolerance}
		return s.newest, true
	}
	d := int64(int16(seq - uint16(s.newest)))
	if d < -256 {
		// An outage of more than half the numbers looks like packets of the past.
		if gap := seq - s.stray; s.strays > 0 && gap >= 1 && gap <= 8 {
			s.strays++
		} else {
			s.strays = 1
		}
		if s.stray = seq; s.strays < minTolerance {
			return 0, false
		}
		d += 1 << 16
	}
	s.strays = 0
	if d > 0 {
		s.forward(now, uint64(d), lost)
		return s.newest, true
	}
	return s.backward(uint64(-d))
}

func (s *sequence) forward(now time.Time, d uint64, lost func(*hole)) {
	if d > 1 {
		if s.n == maxHoles {
			s.judge(1, lost)
		}
		s.holes[s.n] = hole{from: s.newest + 1, to: s.newest + d - 1, before: s.at, after: now}
		s.n++
	}
	s.newest += d
	s.at = now
	s.got = s.got<<d | 1 // a shift by 64 and more is 0
	over := 0
	for i := range s.n {
		if s.holes[i].later++; s.holes[i].later >= s.tolerance && over == i {
			over++
		}
	}
	s.judge(over, lost)
}

// judge takes the oldest n holes for lost.
func (s *sequence) judge(n int, lost func(*hole)) {
	for i := range n {
		lost(&s.holes[i])
	}
	if n > 0 {
		copy(s.holes[:], s.holes[n:s.n])
		s.n -= n
	}
}

// backward takes a packet that others have overtaken.
func (s *sequence) backward(d uint64) (n uint64, fresh bool) {
	n = s.newest - d
	if d >= 64 || s.got&(1<<d) != 0 {
		return n, false
	}
	s.got |= 1 << d
	for i := range s.n {
		h := &s.holes[i]
		if n < h.from || n > h.to {
			continue
		}
		switch {
		case h.from == h.to:
			copy(s.holes[i:], s.holes[i+1:s.n])
			s.n--
		case n == h.from:
			h.from++
		case n == h.to:
			h.to--
		case s.n < maxHoles:
			copy(s.holes[i+1:], s.holes[i:s.n])
			s.n++
			s.holes[i].to, s.holes[i+1].from = n-1, n+1
		}
		return n, true
	}
	// It was taken for lost: wait longer from now on.
	s.tolerance = int(min(max(d+1, uint64(s.tolerance)), maxTolerance))
	return n, true
}
