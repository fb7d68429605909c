package gmp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// A general is the answer to a general query: the interface timer, and then the
// messages of a long answer, spread over the time that is left (RFC 3376 section 5.2).
type general struct {
	at    time.Time // the interface timer
	end   time.Time // of the time to answer
	run   bool      // an answer is being sent
	again bool      // and another is to follow
	next  time.Time // when its next message may go
	until time.Time // when its last should
	from  netip.Addr
}

// Handle takes a message that arrived on the interface.
func (h *Host) Handle(now time.Time, m *Message) {
	now = h.clock.set(now)
	h.advance(now)
	switch m.Kind {
	case KindQuery:
		h.query(now, m)
	case KindReport:
		h.overhear(m)
	default:
		h.stats.Ignored++
	}
}

func (h *Host) query(now time.Time, m *Message) {
	g := plain(m.Group)
	switch {
	case !h.p.querier(plain(m.Src)):
		h.stats.BadSource++
		return
	case m.Generation < h.p.Oldest || m.Generation > V3 || m.MaxResp < 0 || m.specific() && !h.p.Covers(g):
		h.stats.Ignored++
		return
	}
	h.stats.Queries++
	specific := m.specific()
	wait := m.MaxResp
	switch {
	case m.Generation == V1 || h.cfg.Generation == V1:
		// Zero means 10 s (RFC 3376 section 7.2.1), which is all that an IGMPv1
		// host knows, as it knows no specific queries.
		wait, specific = 10*time.Second, false
	case wait < h.p.Tick:
		wait = h.p.Tick // at once (RFC 2710 section 4), but not all hosts together
	}
	wait = min(wait, h.p.longestResp())
	if m.Generation == V3 {
		h.adopt(m)
	} else {
		h.oldQuery(now, m, wait)
	}
	if specific {
		if mem := h.groups[g]; mem != nil && !mem.filter.IsEmpty() {
			h.asked(now, mem, m, wait)
			h.settle(mem)
		}
		return
	}
	if h.joined == 0 {
		return
	}
	if h.mode < V3 {
		for _, mem := range h.sorted {
			if !mem.filter.IsEmpty() {
				h.delay(now, mem, wait)
				h.settle(mem)
			}
		}
		return
	}
	// An answer of several messages begins early, so that the others spread over
	// the time to answer and do not come in a burst at its end (section 5.2).
	messages := time.Duration(h.size/h.out.room + 1)
	at := now.Add(within(h.cfg.Rand, wait/messages))
	if g := &h.general; g.at.IsZero() || g.at.After(at) { // rules 1 and 2
		g.at, g.end = at, now.Add(wait)
	}
}

// adopt takes over what a V3 querier says of itself (RFC 3376 sections 4.1.6 and
// 4.1.7).
func (h *Host) adopt(m *Message) {
	h.robustness = max(h.cfg.Timers.Robustness, int(min(m.QRV, 7)))
	h.queryInterval = h.cfg.Timers.QueryInterval
	if m.Interval > 0 {
		h.queryInterval = min(m.Interval, h.cfg.Timers.MaxQueryInterval)
	}
}

// asked schedules an answer to a specific query, by the rules of RFC 3376 section
// 5.2.
func (h *Host) asked(now time.Time, m *member, q *Message, wait time.Duration) {
	if h.mode < V3 {
		h.delay(now, m, wait)
		return
	}
	at := now.Add(within(h.cfg.Rand, wait))
	if g := h.general.at; !g.IsZero() && !g.After(at) { // rule 1
		return
	}
	set, bad := h.p.clean(h.set[:0], q.Sources)
	h.set = set
	// A list of nothing but nonsense is no question about the whole group.
	if bad > 0 && len(set) == 0 {
		return
	}
	switch {
	case m.answerAt.IsZero() && !m.answerDue: // rule 3
		m.answerAt = at
		m.whole, m.asked = len(set) == 0, slices.Clone(set)
	case len(set) == 0 || m.whole: // rule 4
		m.whole, m.asked = true, nil
	default: // rule 5
		m.asked = union(nil, m.asked, set)
	}
	if !m.answerDue && at.Before(m.answerAt) {
		m.answerAt = at
	}
	// More sources than a filter may have are answered for with the whole state,
	// which says as much.
	if len(m.asked) > h.cfg.MaxSources {
		m.whole, m.asked = true, nil
	}
}

// appendAnswer writes the current-state record that answers a specific query, by
// the table in RFC 3376 section 5.2.
func (h *Host) appendAnswer(m *member) {
	asked, whole := m.asked, m.whole
	m.asked, m.whole = nil, false
	switch {
	case m.filter.IsEmpty():
	case whole:
		h.appendState(m)
	case m.filter.Mode == group.Include:
		h.set = intersect(h.set[:0], m.filter.Sources, asked)
		h.out.addSome(h.isIn(), m.group, h.set)
	default:
		h.set = minus(h.set[:0], asked, m.filter.Sources)
		h.out.addSome(h.isIn(), m.group, h.set)
	}
}

// appendState writes the current-state record of a group.
func (h *Host) appendState(m *member) {
	switch {
	case m.filter.Mode == group.Include:
		h.out.add(h.isIn(), m.group, m.filter.Sources)
	case h.cfg.Lightweight:
		h.out.add(ToEx, m.group, nil)
	default:
		h.out.add(IsEx, m.group, m.filter.Sources)
	}
}

// isIn is the type of an answer that lists sources (RFC 5790 section 4.4).
func (h *Host) isIn() RecordType {
	if h.cfg.Lightweight {
		return Allow
	}
	return IsIn
}

// appendGeneral writes the next message of an answer to a general query, and books
// the one after it.
func (h *Host) appendGeneral(now time.Time) {
	g := &h.general
	i := 0
	if g.from.IsValid() {
		var found bool
		if i, found = slices.BinarySearchFunc(h.sorted, g.from, byGroup); found {
			i++
		}
	}
	size := 0
	for ; i < len(h.sorted); i++ {
		m := h.sorted[i]
		if m.filter.IsEmpty() {
			continue
		}
		n := h.out.size(len(m.filter.Sources))
		if size > 0 && size+n > h.out.room {
			break
		}
		size += n
		// It says all that a specific query may have asked.
		m.answerAt, m.asked, m.whole = time.Time{}, nil, false
		h.appendState(m)
		h.settle(m)
		g.from = m.group
	}
	rest := 0
	for ; i < len(h.sorted); i++ {
		if m := h.sorted[i]; !m.filter.IsEmpty() {
			rest += h.out.size(len(m.filter.Sources))
		}
	}
	switch {
	case rest > 0:
		messages := time.Duration(rest/h.out.room + 1)
		g.next = now.Add(max(g.until.Sub(now), 0) / messages)
	case g.again:
		g.again, g.from, g.next = false, netip.Addr{}, now
	default:
		g.run = false
	}
}

// Advance runs what is due.
func (h *Host) Advance(now time.Time) { h.advance(h.clock.set(now)) }

func (h *Host) advance(now time.Time) {
	h.compat(now)
	for due(h.schedule.first(), now) {
		m := h.schedule[0].owner
		if due(m.changeAt, now) {
			h.report(m)
		}
		if due(m.answerAt, now) {
			m.answerAt = time.Time{}
			if !m.answerDue {
				m.answerDue = true
				h.answers.push(m)
				h.prune(&h.answers)
			}
		}
		h.settle(m)
	}
	if g := &h.general; due(g.at, now) {
		g.at, g.until = time.Time{}, g.end
		if g.run {
			// An answer in the middle is finished first, else a flood of
			// queries would keep the later groups from being reported.
			g.again = true
		} else {
			g.run, g.from, g.next = true, netip.Addr{}, now
		}
	}
}

// Next returns when Advance or Transmit has something to do, or the zero time.
func (h *Host) Next() time.Time {
	g := &h.general
	next := earliest(h.schedule.first(), earliest(g.at, earliest(h.v1Until, h.v2Until)))
	if h.changed.len() > 0 || h.answers.len() > 0 || h.leaves.len() > 0 || !h.out.empty() {
		next = earliest(next, h.pace.next(h.now))
	}
	if g.run {
		next = earliest(next, later(g.next, h.pace.next(h.now)))
	}
	return next
}
