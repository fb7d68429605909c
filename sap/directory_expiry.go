package sap

import (
	"container/heap"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/pace"
)

// Advance implements engine.Engine: it removes what is not heard any more.
func (e *directory) Advance(wall time.Time) {
	now := e.clock.at(wall)
	for len(e.order) > 0 && !e.order[0].deadline.After(now) {
		x := e.order[0]
		doomed := e.doomed(x, now)
		switch {
		case !doomed.IsZero() && !doomed.After(now):
			e.remove(x, Deleted)
		case !x.ends.IsZero() && !wall.Before(x.ends):
			e.remove(x, Ended)
		case !e.silent(x).After(now):
			e.remove(x, Expired)
		default: // some of its owners left, or the clock on the wall went back
			e.schedule(x, now, wall)
		}
	}
}

// schedule sets when x is removed if it is not heard again.
func (e *directory) schedule(x *entry, now, wall time.Time) {
	doomed := e.doomed(x, now)
	if doomed.IsZero() {
		e.purge(x, now)
	}
	x.deadline = e.silent(x)
	by := func(at time.Time) {
		if at.Before(x.deadline) {
			x.deadline = at
		}
	}
	if !doomed.IsZero() {
		by(doomed)
	}
	for i := range x.owners { // who is to be purged
		if o := &x.owners[i]; !o.left.IsZero() && o.left.Add(deleteGrace).After(now) {
			by(o.left.Add(deleteGrace))
		}
	}
	if !x.ends.IsZero() {
		by(now.Add(max(x.ends.Sub(wall), 0)))
	}
	if !x.deadline.After(now) {
		x.deadline = now.Add(time.Nanosecond)
	}
	heap.Fix(&e.order, x.index)
}

// silent returns when x is expired if nobody is heard again. Each place counts by
// itself, by the period of its sender: otherwise a copy of an announcement sent faster
// than the announcement, and then not any more, would end it.
func (e *directory) silent(x *entry) time.Time {
	if len(x.places) == 0 {
		return x.since.Add(x.expiry(e.cfg.Expiry, x.known, e.guess(x)))
	}
	at := x.floor
	for i := range x.places {
		if end := e.placeEnd(x, &x.places[i]); end.After(at) {
			at = end
		}
	}
	return at
}

// until returns when one who announces x counts as silent.
func (e *directory) until(x *entry, src netip.Addr) (at time.Time) {
	for i := range x.places {
		if p := &x.places[i]; p.src == src {
			if end := e.placeEnd(x, p); end.After(at) {
				at = end
			}
		}
	}
	return at
}

// placeEnd returns when a place of x counts as silent.
func (e *directory) placeEnd(x *entry, p *place) time.Time {
	return p.last.Add(x.expiry(e.cfg.Expiry, x.periodOf(p), e.guess(x)))
}

// guess returns the period at which announcements of x's size should come (RFC 2974
// section 3.1), from what is announced here.
func (e *directory) guess(x *entry) time.Duration {
	return max(RFC2974.interval(), time.Duration(len(e.order))*pace.Duration(len(x.text), DefaultBandwidth))
}

// expiry returns how long an entry is kept when it is announced at a period, 0 for
// one that is not known, and not heard again.
func (x *entry) expiry(p ExpiryPolicy, period, guess time.Duration) time.Duration {
	if p == ExpireMeasured && period > 0 {
		return max(10*period, time.Minute)
	}
	return max(10*max(period, guess), time.Hour) // RFC 2974 section 4
}
