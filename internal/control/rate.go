package control

import (
	"net/netip"
	"time"
)

// rateWindow is what a rate is an average of, in buckets of a second.
const rateWindow = 10

// A rate counts messages of the last seconds, and who sends most of them.
type rate struct {
	buckets [rateWindow]int
	at      int64 // second of the newest bucket
	top     [16]sender
	topAt   int64 // when top began
}

// A sender counts what one address sends. Of more than are kept the least frequent
// are replaced, so the counts of those are too high, and the most frequent is right.
type sender struct {
	addr netip.Addr
	n    int
}

// turn empties the buckets that are over.
func (r *rate) turn(now time.Time) {
	s := now.Unix()
	for steps := min(s-r.at, rateWindow); steps > 0; steps-- {
		r.buckets[slot(s-steps+1)] = 0
	}
	r.at = max(r.at, s)
}

func (r *rate) add(now time.Time, from netip.Addr) {
	r.turn(now)
	r.buckets[slot(r.at)]++
	if r.at-r.topAt >= rateWindow {
		r.top, r.topAt = [16]sender{}, r.at
	}
	least := 0
	for i := range r.top {
		if r.top[i].addr == from {
			r.top[i].n++
			return
		}
		if r.top[i].n < r.top[least].n {
			least = i
		}
	}
	r.top[least] = sender{from, r.top[least].n + 1}
}

// perSecond returns the average of the window.
func (r *rate) perSecond(now time.Time) float64 {
	r.turn(now)
	sum := 0
	for _, n := range r.buckets {
		sum += n
	}
	return float64(sum) / rateWindow
}

// most returns who sent most lately.
func (r *rate) most() netip.Addr {
	best := r.top[0]
	for _, s := range r.top[1:] {
		if s.n > best.n {
			best = s
		}
	}
	return best.addr
}

// slot is the bucket of a second, also before 1970.
func slot(s int64) int { return int((s%rateWindow + rateWindow) % rateWindow) }
