package gmp

import (
	"net/netip"
	"slices"
	"time"
)

// ask does what a row of the tables says of queries: Send Q(G,X) for the sources
// marked, and Send Q(G) (RFC 3376 section 6.6.3). Only the querier does so; others
// lower their timers when they hear its query. If they did on the report already, as
// section 6.6.3.1 can be read, and the querier had missed the report, they would
// forget members that nobody asked.
func (r *Router) ask(now time.Time, e *entry, askGroup bool) {
	if r.cfg.FastLeave && r.knowsAll(now, e) {
		askGroup = r.table.lastGone(now, e, askGroup)
	}
	canSend := r.IsQuerier() && r.cfg.Generation > V1
	lmqt, count := r.timers.lastMemberTime(), r.timers.lastMemberCount()
	sources := false
	// What is being asked already is merged (section 6.4.2): the next repetition
	// is the first of the new ones. Without this a flood of leaves would be a
	// flood of queries.
	//
	// When many groups are to be asked at once, each has its time, and its timers
	// run from then on: hosts can answer only what they were asked.
	turn := r.pace.next(now)
	at := turn
	if !e.sourceAt.IsZero() {
		at = later(e.sourceAt, now)
	}
	begun := false
	for i := range e.sources {
		s := &e.sources[i]
		if asked := s.asked; !asked {
			continue
		}
		s.asked = false
		// Older protocols cannot ask for sources.
		if limit := at.Add(lmqt); canSend && r.cfg.Generation == V3 && s.until.After(limit) {
			s.until, s.left = limit, uint8(count)
			sources = true
		}
	}
	if sources && e.sourceAt.IsZero() {
		e.sourceAt, begun = turn, true
	}
	if askGroup && canSend {
		if e.queryAt.IsZero() {
			e.queryAt, begun = turn, true
		}
		e.queries = count
		if limit := later(e.queryAt, now).Add(lmqt); e.until.After(limit) {
			e.until = limit
		}
	}
	if begun {
		r.pace.take(now)
	}
	if due(e.sourceAt, now) || due(e.queryAt, now) {
		r.enqueue(e)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// knowsAll reports whether every host in the group should be among the tracked.
func (r *Router) knowsAll(now time.Time, e *entry) bool {
	return r.table.generation(e) == V3 && !e.blind.After(now) && !r.since.Add(r.table.gmi).After(now)
}

func (r *Router) enqueue(e *entry) {
	if !e.queued {
		e.queued = true
		r.asking.push(e)
		// If nobody sends them, groups that are gone must not pile up.
		if r.asking.len() > 2*r.cfg.Limits.MaxGroups {
			r.asking.purge(func(e *entry) bool { return !e.gone })
		}
	}
}

// Transmit gives the next query, or reports false when there is none to send at now.
func (r *Router) Transmit(now time.Time, m *Message) bool {
	now = r.clock.set(now)
	for {
		switch {
		case len(r.queries) > 0:
			r.specific(m)
		case r.generalDue:
			r.generalDue = false
			if !r.IsQuerier() {
				continue
			}
			r.prepare(m)
			m.Dst, m.Group = r.p.AllSystems, r.p.Unspecified
			if m.Generation > V1 {
				m.MaxResp = r.timers.QueryResponse
			}
		case r.asking.len() > 0:
			e := r.asking.pop()
			e.queued = false
			if !e.gone {
				r.build(now, e)
				r.table.settle(now, e)
			}
			continue
		default:
			return false
		}
		r.stats.Sent++
		return true
	}
}

// prepare fills in what all queries have.
func (r *Router) prepare(m *Message) {
	m.reset(KindQuery, r.cfg.Generation)
	m.Src = r.src()
	if m.Generation == V3 {
		if m.QRV = uint8(r.timers.Robustness); r.timers.Robustness > 7 {
			m.QRV = 0 // section 4.1.6
		}
		m.Interval = r.timers.QueryInterval
	}
}

// specific gives the first of the queries built.
func (r *Router) specific(m *Message) {
	q := &r.queries[0]
	g := r.asked[0]
	r.prepare(m)
	m.Dst, m.Group, m.MaxResp = g, g, r.timers.LastMember
	m.Suppress = q.suppress && m.Generation == V3
	if !q.group {
		n := min(q.to-q.from, (r.cfg.MTU-r.p.QueryBytes)/r.p.AddrBytes)
		m.Sources = r.asked[q.from : q.from+n : q.from+n]
		if q.from += n; q.from < q.to {
			return
		}
	}
	r.queries = slices.Delete(r.queries, 0, 1)
}

// build makes the queries of a group that are due, and books their repetition (RFC
// 3376 section 6.6.3, RFC 3810 section 7.6.3).
func (r *Router) build(now time.Time, e *entry) {
	limit := now.Add(r.timers.lastMemberTime())
	r.queries, r.asked = r.queries[:0], append(r.asked[:0], e.group)
	askGroup := due(e.queryAt, now) && e.queries > 0
	if due(e.queryAt, now) {
		e.queryAt = time.Time{}
	}
	if askGroup {
		r.queries = append(r.queries, query{group: true, suppress: e.until.After(limit)})
		if e.queries--; e.queries > 0 {
			e.queryAt = now.Add(r.timers.LastMember)
		}
	}
	if !due(e.sourceAt, now) {
		return
	}
	e.sourceAt = time.Time{}
	for _, suppress := range [...]bool{true, false} {
		from := len(r.asked)
		for i := range e.sources {
			s := &e.sources[i]
			if s.left == 0 || s.until.After(limit) != suppress {
				continue
			}
			if s.left--; s.left > 0 {
				e.sourceAt = now.Add(r.timers.LastMember)
			}
			// With a query for the whole group, one that changes no timer has
			// nothing to add.
			if !suppress || !askGroup {
				r.asked = append(r.asked, s.addr)
			}
		}
		if to := len(r.asked); to > from {
			r.queries = append(r.queries, query{suppress: suppress, from: from, to: to})
		}
	}
}

// Advance runs what is due.
func (r *Router) Advance(now time.Time) { r.advance(r.clock.set(now)) }

func (r *Router) advance(now time.Time) {
	if due(r.otherUntil, now) {
		r.elect(now)
	}
	if due(r.generalAt, now) {
		r.generalDue = true
		if r.startup > 0 {
			r.startup--
		}
		// The first ones follow closely (RFC 3376 section 8.6).
		next := r.timers.QueryInterval
		if r.startup > 0 {
			next = r.timers.StartupInterval
		}
		r.generalAt = now.Add(next)
	}
	r.table.advance(now, r.enqueue)
}

// Next returns when Advance or Transmit has something to do, or the zero time.
func (r *Router) Next() time.Time {
	if r.generalDue || len(r.queries) > 0 || r.asking.len() > 0 {
		return r.now
	}
	return earliest(r.table.schedule.first(), earliest(r.otherUntil, r.generalAt))
}

// elect makes this router the querier: the other has been silent for too long (RFC
// 3376 section 6.6.2).
func (r *Router) elect(now time.Time) {
	was := r.querier
	r.querier, r.otherUntil = netip.Addr{}, time.Time{}
	r.timers = r.cfg.Timers
	r.table.gmi = r.timers.membership()
	if !r.canAsk() {
		return
	}
	r.generalAt = now
	r.events.add(Event{Kind: QuerierElected, Addr: was})
}

// heard takes another router's query (RFC 3376 section 6.6, RFC 3810 section 7.6).
func (r *Router) heard(now time.Time, src netip.Addr, m *Message) {
	g := plain(m.Group)
	switch {
	case !r.p.querier(src):
		r.stats.BadQuerier++
		return
	case m.Generation < r.p.Oldest || m.Generation > V3 || m.MaxResp < 0 || m.specific() && !r.p.Covers(g):
		r.stats.Ignored++
		return
	case src == r.src() && !src.IsUnspecified():
		return // our own, come back
	}
	r.stats.Queries++
	r.warn(now, src, m)
	// Queries from 0.0.0.0 are a switch's and take no part (RFC 4541 section
	// 2.1.1).
	// One that was sent to us alone would leave the hosts without anyone who asks.
	alone := plain(m.Dst).IsValid() && !m.Dst.IsMulticast()
	if !src.IsUnspecified() && !alone && (!r.canAsk() || r.src().IsUnspecified() || r.p.lower(src, r.src())) {
		r.yield(now, src, m)
	}
	if !m.specific() || m.Suppress {
		return
	}
	// A query that the hosts did not get must not end what they want.
	if m.elsewhere(g) {
		return
	}
	// The time is that of the querier (RFC 2236 section 3), but not less than
	// ours: RFC 3376 section 6.6.1 knows only that.
	count := time.Duration(r.timers.lastMemberCount())
	r.table.lower(now, g, m.Sources, max(r.timers.lastMemberTime(), count*min(m.MaxResp, r.p.longestResp())))
}

// yield follows the querier: its robustness and interval become ours (RFC 3376
// sections 4.1.6, 4.1.7 and 6.6.2), and where it gives hosts longer to answer than we
// would, so does that. An older one does not tell, and then our own hold, not those of
// the querier before.
func (r *Router) yield(now time.Time, src netip.Addr, m *Message) {
	t, own := &r.timers, &r.cfg.Timers
	t.Robustness, t.QueryInterval = own.Robustness, own.QueryInterval
	if m.Generation == V3 {
		if m.QRV > 0 {
			t.Robustness = int(min(m.QRV, 7))
		}
		if m.Interval > 0 {
			t.QueryInterval = min(max(m.Interval, time.Second), own.MaxQueryInterval)
		}
	}
	if !m.specific() {
		t.QueryResponse = max(own.QueryResponse, min(m.MaxResp, own.MaxQueryInterval))
	}
	r.table.gmi = t.membership()
	if r.querier != src {
		r.querier = src
		r.events.add(Event{Kind: QuerierLost, Addr: src, Generation: m.Generation})
	}
	// Specific queries under way are still repeated (RFC 2236 section 3).
	r.otherUntil = now.Add(r.timers.otherQuerier())
	r.generalAt, r.generalDue, r.startup = time.Time{}, false, 0
}

// warn tells of a querier of another generation, at most once in a query interval
// (RFC 3376 section 7.3.1).
func (r *Router) warn(now time.Time, src netip.Addr, m *Message) {
	kind := OldQuerier
	switch {
	case m.Generation == r.cfg.Generation || m.Generation == V2 && m.specific():
		return
	case m.Generation > r.cfg.Generation:
		kind = NewQuerier
	}
	if r.warnedAt.IsZero() || now.Sub(r.warnedAt) >= r.cfg.Timers.QueryInterval {
		r.warnedAt = now
		r.events.add(Event{Kind: kind, Addr: src, Generation: m.Generation})
	}
}
