package control

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// A Querier is an address that sends General Queries.
type Querier struct {
	Proto   string
	Addr    netip.Addr // unspecified for a switch that asks
	Version int

	// Elected says that it is the one by its address, of those that are heard.
	Elected bool

	// Interval and Robustness are as it says; 0 if it does not. Seen is the time
	// between its last two General Queries.
	Interval, Seen time.Duration
	Robustness     int
	MaxResp        time.Duration

	First, Last time.Time // General Queries
	Expires     time.Time // when it counts as gone unless it asks again
	General     uint64
	Specific    uint64 // queries of a group

	interval time.Duration // in use
	robust   int
	against  netip.Addr // asks although it heard this one, which wins; else not valid
}

// query takes a query that hosts would answer.
func (w *Watch) query(f *family, src netip.Addr, r *Record) {
	now := w.now
	q := f.find(src)
	if !r.Asked.General {
		if q != nil {
			q.Specific++
		}
		for i := range r.Groups {
			e := w.groups[r.Groups[i].Group]
			if e != nil && len(r.Groups[i].Sources) > 0 {
				e.askedUntil = now.Add(r.Asked.MaxResp + time.Second)
			}
		}
		return
	}
	if q == nil {
		if len(f.queriers) >= w.cfg.Limits.Queriers {
			w.full()
			return
		}
		q = &Querier{Proto: f.proto, Addr: src, First: now}
		f.queriers = append(f.queriers, q)
	}
	// One that asks on after having heard one with a lower address does not know
	// the election, or does not hear it (RFC 3376 section 6.6.2); if that one has
	// been silent for long enough, it is gone.
	q.against = netip.Addr{}
	for _, o := range f.queriers {
		if o == q || !o.Last.After(q.Last) || q.General == 0 || !f.wins(o.Addr, q.Addr) {
			continue
		}
		switch silent := now.Sub(o.Last); {
		case silent >= w.patience(q, o):
			o.Expires = now
		case silent >= time.Second:
			q.against = o.Addr
		}
	}
	if q.General > 0 {
		q.Seen = now.Sub(q.Last)
	}
	q.General++
	q.Last, q.Version, q.MaxResp = now, r.Version, r.Asked.MaxResp
	q.Interval, q.Robustness = r.Asked.Interval, r.Asked.Robustness
	q.interval, q.robust = q.Interval, q.Robustness
	if q.interval == 0 {
		q.interval = max(w.cfg.Interval, q.Seen)
	}
	if q.robust == 0 {
		q.robust = w.cfg.Robustness
	}
	// The Other Querier Present Interval (RFC 3376 section 8.5, RFC 3810 section
	// 9.5).
	q.Expires = now.Add(time.Duration(q.robust)*q.interval + q.MaxResp/2)
	f.heard = now
	w.expireQueriers(f)
}

// patience is how long q stands by when o has fallen silent: by o's timers, or by its
// own when o does not tell (RFC 3376 sections 4.1.6, 4.1.7 and 8.5). Clocks may differ
// a little.
func (w *Watch) patience(q, o *Querier) time.Duration {
	robust, interval := o.Robustness, o.Interval
	if robust == 0 {
		robust = q.robust
	}
	if interval == 0 {
		interval = q.interval
	}
	d := time.Duration(robust)*interval + o.MaxResp/2
	return d - d/20
}

func (f *family) find(a netip.Addr) *Querier {
	for _, q := range f.queriers {
		if q.Addr == a {
			return q
		}
	}
	return nil
}

// wins reports whether a is elected against b: the lower address (RFC 3376 section
// 6.6.2), of IPv6 the lower interface identifier (RFC 3810 section 7.6.2). 0.0.0.0
// is no candidate (RFC 4541 section 2.1.1).
func (f *family) wins(a, b netip.Addr) bool {
	if a.IsUnspecified() || b.IsUnspecified() {
		return false
	}
	if f.proto == MLD {
		x, y := a.As16(), b.As16()
		return bytes.Compare(x[8:], y[8:]) < 0
	}
	return a.Less(b)
}

// elect marks the querier of the link.
func (f *family) elect(now time.Time) {
	var best *Querier
	for _, q := range f.queriers {
		if q.Elected = false; !q.live(now) {
			continue
		}
		if best == nil || best.Addr.IsUnspecified() && !q.Addr.IsUnspecified() || f.wins(q.Addr, best.Addr) {
			best = q
		}
	}
	if best != nil {
		best.Elected = true
	}
}

func (f *family) elected() *Querier {
	for _, q := range f.queriers {
		if q.Elected {
			return q
		}
	}
	return nil
}

// membership is how long a membership lasts without a report (RFC 3376 section 8.4).
func (w *Watch) membership(f *family) time.Duration {
	if q := f.elected(); q != nil {
		return time.Duration(q.robust)*q.interval + q.MaxResp
	}
	return time.Duration(w.cfg.Robustness)*w.cfg.Interval + defaultMaxResp
}

// expireQueriers forgets those that have fallen silent, and elects anew. One that
// stands by is remembered for as long again: it may ask next.
func (w *Watch) expireQueriers(f *family) {
	f.elect(w.now)
	best := f.elected()
	f.queriers = slices.DeleteFunc(f.queriers, func(q *Querier) bool {
		until := q.Expires
		if best != nil && f.wins(best.Addr, q.Addr) {
			until = until.Add(q.Expires.Sub(q.Last))
		}
		return !until.After(w.now)
	})
}

// live reports whether q has not fallen silent.
func (q *Querier) live(now time.Time) bool { return q.Expires.After(now) }

// Queriers returns those of both protocols that are heard, elected ones first.
func (w *Watch) Queriers() (list []Querier) {
	for i := range w.families {
		f := &w.families[i]
		from := len(list)
		for _, q := range f.queriers {
			if !q.live(w.now) {
				continue
			}
			list = append(list, *q)
		}
		slices.SortStableFunc(list[from:], func(a, b Querier) int {
			if a.Elected != b.Elected {
				if a.Elected {
					return -1
				}
				return 1
			}
			return a.Addr.Compare(b.Addr)
		})
	}
	return list
}

// control is the group of 224.0.0.0/24 whose frames g's look like, if any.
func control(g netip.Addr) netip.Addr {
	a, _ := group.ControlAlias(g)
	return a
}
