package fcast

import (
	"math/rand/v2"
	"testing"

	"github.com/gomulticast/multicast/rmt/lct"
)

func TestCarousel(t *testing.T) {
	toi := func(n uint64) lct.TOI { return lct.TOI{Lo: n} }
	c := NewCarousel(Limits{})
	key := func(n uint64, want Key, listed bool) {
		t.Helper()
		if k, ok := c.Key(toi(n)); ok != listed || k != want {
			t.Errorf("the key of %d is %+v, %v; want %+v, %v", n, k, ok, want, listed)
		}
	}
	if _, ok := c.CID(); ok {
		t.Error("a descriptor before the first")
	}
	key(1, Key{}, false)
	if !c.Update(CID{Instance: 2, HasInstance: true, List: List{Objects: []Interval{interval(1, 5)}}}) {
		t.Error("the first was dropped")
	}
	key(5, Key{toi(5), 2}, true)
	// 1 and 2 are gone, 6 is new, and 100 was 4.
	if !c.Update(CID{Instance: 3, HasInstance: true, List: List{Objects: []Interval{interval(3, 6)}, Equivalences: []Equivalence{equivalence(101, 5, 2), equivalence(100, 4, 2)}}}) {
		t.Error("the second was dropped")
	}
	key(2, Key{}, false)
	key(3, Key{toi(3), 2}, true)
	key(6, Key{toi(6), 3}, true)
	key(100, Key{toi(4), 2}, true)
	key(101, Key{toi(5), 2}, true)
	for _, old := range []uint64{1, 2, 3} {
		if c.Update(CID{Instance: old, HasInstance: true}) {
			t.Errorf("instance %d was taken after 3", old)
		}
	}
	key(6, Key{toi(6), 3}, true)
	// The idle carousel.
	if !c.Update(CID{Instance: 4, HasInstance: true, Complete: true}) {
		t.Error("the third was dropped")
	}
	key(3, Key{}, false)
	if d, ok := c.CID(); !ok || !d.Complete || d.Instance != 4 {
		t.Errorf("%+v, %v", d, ok)
	}
}

// What age does is what a map of TOIs would say.
func TestCarouselAge(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		c := NewCarousel(Limits{})
		since := map[lct.TOI]uint64{}
		for instance := range uint64(6) {
			var d CID
			d.Instance, d.HasInstance = instance, true
			now := map[lct.TOI]uint64{}
			for range r.IntN(6) {
				// Around where Lo wraps.
				first := lct.TOI{Lo: uint64(r.IntN(30)) - 10}
				if int64(first.Lo) >= 0 {
					first.Hi = 1
				}
				i := Interval{first, first}
				for range r.IntN(8) {
					i.Last = i.Last.Next()
				}
				d.Objects = append(d.Objects, i)
				for u := i.First; ; u = u.Next() {
					now[u] = instance
					if s, ok := since[u]; ok {
						now[u] = s
					}
					if u == i.Last {
						break
					}
				}
			}
			since = now
			c.Update(d)
			for u := (lct.TOI{Lo: 1<<64 - 20}); u != (lct.TOI{Hi: 1, Lo: 40}); u = u.Next() {
				k, ok := c.Key(u)
				s, listed := since[u]
				if ok != listed || ok && k != (Key{u, s}) {
					t.Fatalf("instance %d: %v is %+v, %v; want %d, %v\n%+v", instance, u, k, ok, s, listed, c.spans)
				}
			}
		}
	}
}

// Gaps that come and go, each time elsewhere, cut what is listed into ever more pieces of
// their own age; not without end.
func TestCarouselBound(t *testing.T) {
	const items = 100
	c := NewCarousel(Limits{Items: items})
	r := rand.New(rand.NewPCG(7, 8))
	most := 0
	for instance := range uint64(40) {
		d := CID{Instance: instance, List: List{Objects: []Interval{interval(0, 1<<40)}}}
		if instance%2 == 1 {
			d.Objects = nil
			first := uint64(0)
			for range items {
				last := first + 1<<30 + r.Uint64N(1<<20)
				d.Objects = append(d.Objects, interval(first, last))
				first = last + 2
			}
		}
		c.Update(d)
		if n := len(c.spans); n > 4*items+2*items {
			t.Fatalf("%d spans after instance %d", n, instance)
		}
		most = max(most, len(c.spans))
	}
	if most < 4*items {
		t.Errorf("at most %d spans: the bound was not reached", most)
	}
}
