package fcast

import (
	"cmp"
	"slices"

	"github.com/gomulticast/multicast/rmt/lct"
)

// Key names an object for good: by the TOI and the carousel instance that it was first
// sent with (RFC 6968 section 3.6). It can be compared with ==.
type Key struct {
	TOI      lct.TOI
	Instance uint64
}

// A Carousel is what a receiver knows of the objects on the air: the newest descriptor,
// and since when each object has its TOI. The zero Carousel knows nothing. It keeps a
// descriptor's items and at most 4 times as many intervals, and is not safe for
// concurrent use.
type Carousel struct {
	limits Limits
	cid    CID
	known  bool
	spans  []span        // of cid.Objects, in order, none over another
	equal  []Equivalence // of cid.Equivalences, in order
}

// A span is TOIs that are listed since an instance.
type span struct {
	Interval
	since uint64
}

// NewCarousel returns a Carousel that knows nothing, for descriptors within limits.
func NewCarousel(limits Limits) *Carousel { return &Carousel{limits: limits} }

// Update takes a descriptor, which the caller does not change any more, and reports
// whether it is newer than what is known; otherwise it is dropped. One without an
// instance ID is that of instance 0.
func (c *Carousel) Update(d CID) bool {
	if c.known && d.Instance <= c.cid.Instance {
		return false
	}
	limit := 4 * c.limits.withDefaults().Items
	c.spans = age(c.spans, d.Objects, d.Instance, limit)
	c.equal = slices.SortedFunc(slices.Values(d.Equivalences), func(a, b Equivalence) int { return a.TOI.Compare(b.TOI) })
	c.cid, c.known = d, true
	return true
}

// CID returns the newest descriptor, and whether there was any.
func (c *Carousel) CID() (CID, bool) { return c.cid, c.known }

// Key returns the key of the object that toi is now, and whether it is listed: if not,
// and there was a descriptor, the object is off the air and will not be completed. The
// key of an object whose first descriptor was missed names the first that came, so that
// the object may be taken for another; never the other way round.
func (c *Carousel) Key(toi lct.TOI) (Key, bool) {
	i, ok := slices.BinarySearchFunc(c.equal, toi, func(e Equivalence, t lct.TOI) int { return e.TOI.Compare(t) })
	if ok {
		return Key{c.equal[i].First, c.equal[i].Instance}, true
	}
	i, ok = slices.BinarySearchFunc(c.spans, toi, func(s span, t lct.TOI) int {
		switch {
		case s.Last.Compare(t) < 0:
			return -1
		case s.First.Compare(t) > 0:
			return 1
		}
		return 0
	})
	if !ok {
		return Key{}, false
	}
	return Key{toi, c.spans[i].since}, true
}

// age returns the intervals of objects in order, cut where their age changes: what is
// in old keeps its own, the rest is of now. There are not many more than limit.
func age(old []span, objects []Interval, now uint64, limit int) []span {
	objects = slices.SortedFunc(slices.Values(objects), func(a, b Interval) int {
		return cmp.Or(a.First.Compare(b.First), a.Last.Compare(b.Last))
	})
	var out []span
	add := func(first, last lct.TOI, since uint64) {
		if n := len(out); n > 0 && out[n-1].since == since && out[n-1].Last.Next() == first {
			out[n-1].Last = last
			return
		}
		out = append(out, span{Interval{first, last}, since})
	}
	for _, o := range objects {
		first := o.First
		if n := len(out); n > 0 && out[n-1].Last.Compare(first) >= 0 { // it was listed twice
			if out[n-1].Last.Compare(o.Last) >= 0 {
				continue
			}
			first = out[n-1].Last.Next()
		}
		for {
			for len(old) > 0 && old[0].Last.Compare(first) < 0 {
				old = old[1:]
			}
			if len(old) == 0 || old[0].First.Compare(o.Last) > 0 || len(out) >= limit {
				add(first, o.Last, now)
				break
			}
			if old[0].First.Compare(first) > 0 {
				add(first, before(old[0].First), now)
				first = old[0].First
			}
			if old[0].Last.Compare(o.Last) >= 0 {
				add(first, o.Last, old[0].since)
				break
			}
			add(first, old[0].Last, old[0].since)
			first = old[0].Last.Next()
		}
	}
	return out
}

// before returns t-1. t is not 0.
func before(t lct.TOI) lct.TOI {
	if t.Lo == 0 {
		t.Hi--
	}
	t.Lo--
	return t
}
