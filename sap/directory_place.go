package sap

import (
	"net/netip"
	"slices"
	"time"
)

// A place is where an entry is heard, and by whom.
type place struct {
	Place
	src    netip.Addr
	last   time.Time
	fresh  bool             // heard since the entry became what it is
	gaps   [5]time.Duration // between packets, the latest
	n      int              // how many there were
	period time.Duration    // their median, 0 when there are not two yet
}

// minGap is how far apart two packets are that are not copies of one.
const minGap = 500 * time.Millisecond

// hear notes that x was heard, and reports whether that was a repetition: from the same
// host on the same group, since the same is sent to several groups at once.
func (e *directory) hear(x *entry, now, wall time.Time, at Place, src netip.Addr) (again bool) {
	x.count++
	x.lastWall, x.stale = wall, false
	for i := range x.places {
		if p := &x.places[i]; p.Place == at && p.src == src {
			p.fresh = true
			return p.heard(now)
		}
	}
	p := place{Place: at, src: src, last: now, fresh: true}
	if len(x.places) < maxPlaces {
		x.places = append(x.places, p)
		return false
	}
	// The one that would be silent first gives way. What it stood for stays: x must not
	// end sooner because somebody sent copies.
	first, until := 0, time.Time{}
	for i := range x.places {
		if end := e.placeEnd(x, &x.places[i]); i == 0 || end.Before(until) {
			first, until = i, end
		}
	}
	x.places[first] = p
	if until.After(x.floor) {
		x.floor = until
	}
	return false
}

// heard measures the period, and reports whether the packet was no copy.
func (p *place) heard(now time.Time) bool {
	gap := now.Sub(p.last)
	if gap < minGap {
		return false
	}
	p.last = now
	p.gaps[p.n%len(p.gaps)] = gap
	p.n++
	if n := min(p.n, len(p.gaps)); n > 1 {
		g := p.gaps
		slices.Sort(g[:n])
		p.period = g[n/2]
	}
	return true
}

// periodOf returns the period at a place; as long as that is not known, the longest of
// the same sender elsewhere, and of the first owner what a Store told.
func (x *entry) periodOf(p *place) time.Duration {
	if p.period > 0 {
		return p.period
	}
	period := x.periodFrom(p.src)
	if period == 0 && p.src == x.owners[0].addr {
		period = x.known
	}
	return period
}

// periodFrom returns the longest period at which a host announces, 0 if not known yet.
func (x *entry) periodFrom(src netip.Addr) (period time.Duration) {
	for i := range x.places {
		if p := &x.places[i]; p.src == src {
			period = max(period, p.period)
		}
	}
	return period
}

// lastFrom returns when a host was heard last, or the zero Time.
func (x *entry) lastFrom(src netip.Addr) (last time.Time) {
	for i := range x.places {
		if p := &x.places[i]; p.src == src && p.last.After(last) {
			last = p.last
		}
	}
	return last
}

// period returns the time between announcements, 0 if not known yet: those of the first
// owner, or of the next that is heard.
func (x *entry) period() time.Duration {
	for _, o := range x.owners {
		if period := x.periodFrom(o.addr); period > 0 {
			return period
		}
	}
	return x.known
}
