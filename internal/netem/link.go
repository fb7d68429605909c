// Package netem is a network in virtual time: links that lose, delay, reorder,
// duplicate and throttle, and a [Sim] that runs engines over them under one event
// heap. The same seed gives the same run, byte for byte.
package netem

import (
	"math/rand/v2"
	"time"
)

// A Link describes one direction of a path. The zero Link is perfect.
type Link struct {
	Delay  time.Duration // one way
	Jitter time.Duration // added, uniform between 0 and this; it reorders

	Loss  float64 // fraction of packets lost, 0 to 1
	Burst float64 // mean length of a run of losses in packets; up to 1 is independent loss

	Duplicate float64 // fraction delivered twice
	Damage    float64 // fraction delivered with bits flipped; of a Sim's incoming links only
	Reorder   float64 // fraction held back by up to ReorderBy
	ReorderBy time.Duration

	Rate  int64 // bits per second; 0 is unlimited
	Queue int   // bytes waiting for the rate before packets are dropped; 0 is unlimited
	Mark  int   // bytes waiting from which packets are marked that may be (ECN); 0 is never
}

// A Shaper applies a Link to a sequence of packets. It keeps no packet: it only
// says when one arrives. It is not for concurrent use.
type Shaper struct {
	link Link
	rng  *rand.Rand
	bad  bool      // in a run of losses
	free time.Time // when the line is idle again
}

// NewShaper returns a shaper that draws from rng.
func NewShaper(l Link, rng *rand.Rand) *Shaper { return &Shaper{link: l, rng: rng} }

// SetLink changes the link. What waits for its rate goes on at the former one.
func (s *Shaper) SetLink(l Link) { s.link = l }

// Waiting returns how many bytes wait for the link's rate at now.
func (s *Shaper) Waiting(now time.Time) int {
	if s.link.Rate <= 0 || !s.free.After(now) {
		return 0
	}
	return int(float64(s.free.Sub(now)) * float64(s.link.Rate) / 8e9)
}

// marks reports whether the link would mark a packet at now.
func (s *Shaper) marks(now time.Time) bool {
	return s.link.Mark > 0 && s.Waiting(now) > s.link.Mark
}

// Offer sends a packet of size bytes at now. It returns how many copies arrive, 0
// to 2, and when.
func (s *Shaper) Offer(now time.Time, size int) (n int, at [2]time.Time) {
	l := &s.link
	out := now
	if l.Rate > 0 {
		start := now
		if s.free.After(now) {
			start = s.free
		}
		if l.Queue > 0 && float64(start.Sub(now))*float64(l.Rate)/8e9 > float64(l.Queue) {
			return 0, at
		}
		out = start.Add(time.Duration(float64(size) * 8e9 / float64(l.Rate)))
		s.free = out
	}
	if s.lost() {
		return 0, at
	}
	n = 1
	if l.Duplicate > 0 && s.rng.Float64() < l.Duplicate {
		n = 2
	}
	for i := range n {
		d := l.Delay
		if l.Jitter > 0 {
			d += time.Duration(s.rng.Int64N(int64(l.Jitter) + 1))
		}
		if l.Reorder > 0 && s.rng.Float64() < l.Reorder {
			d += time.Duration(s.rng.Int64N(int64(l.ReorderBy) + 1))
		}
		at[i] = out.Add(d)
	}
	return n, at
}

// lost is a two-state model after Gilbert: in the bad state everything is lost, and
// the states change so that the mean loss and the mean run are as set.
func (s *Shaper) lost() bool {
	l := &s.link
	if l.Loss <= 0 {
		return false
	}
	if l.Burst <= 1 || l.Loss >= 1 {
		return s.rng.Float64() < l.Loss
	}
	leave := 1 / l.Burst
	enter := leave * l.Loss / (1 - l.Loss)
	if s.bad {
		s.bad = s.rng.Float64() >= leave
	} else {
		s.bad = s.rng.Float64() < enter
	}
	return s.bad
}
