package gmp

import (
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// oldQuery notes the presence of an older querier (RFC 3376 section 7.2.1, RFC 3810
// section 8.2.1).
func (h *Host) oldQuery(now time.Time, m *Message, response time.Duration) {
	g := plain(m.Group)
	if m.specific() && inSSM(h.cfg.SSM, g) {
		h.events.add(Event{Kind: SSMQueried, Group: g, Addr: plain(m.Src), Generation: m.Generation})
	}
	// Older version querier present timeout (section 8.12): the query interval is
	// that of the last query that told one, the response interval this query's.
	until := now.Add(time.Duration(h.robustness)*h.queryInterval + response)
	switch {
	case m.Generation == V1:
		h.v1Until = until
	case !m.specific() || h.p.AnyOldQuery:
		h.v2Until = until
	}
	h.compat(now)
}

// compat follows the host compatibility mode. A change of it cancels all pending
// answers and repetitions (RFC 3376 section 7.2.1).
func (h *Host) compat(now time.Time) {
	if due(h.v1Until, now) {
		h.v1Until = time.Time{}
	}
	if due(h.v2Until, now) {
		h.v2Until = time.Time{}
	}
	mode := V3
	switch {
	case !h.v1Until.IsZero():
		mode = V1
	case !h.v2Until.IsZero():
		mode = V2
	}
	mode = min(mode, h.cfg.Generation)
	if mode == h.mode {
		return
	}
	h.mode = mode
	h.events.add(Event{Kind: HostMode, Generation: mode})
	h.general = general{}
	h.out.clear()
	h.changed.clear()
	h.answers.clear()
	h.leaves.clear()
	for i := 0; i < len(h.sorted); {
		m := h.sorted[i]
		m.modeLeft, m.changes, m.changeAt, m.changeDue = 0, nil, time.Time{}, false
		m.answerAt, m.asked, m.whole, m.answerDue = time.Time{}, nil, false, false
		// Whoever reported it last, it may have been us.
		m.repeats, m.last, m.told = 0, true, m.told && mode < V3
		h.unserved(m)
		h.settle(m)
		if !m.gone {
			i++
		}
	}
}

// unserved tells once that the querier cannot serve a source-specific group.
func (h *Host) unserved(m *member) {
	if h.mode < V3 && m.ssm && !m.told && !m.filter.IsEmpty() {
		m.told = true
		h.events.add(Event{Kind: SSMUnserved, Group: m.group, Generation: h.mode})
	}
}

// changeOld reports a change of an interface state by the older protocols, which
// know only whether there are members.
func (h *Host) changeOld(now time.Time, m *member, from group.Filter) {
	switch {
	case from.IsEmpty():
		h.unserved(m)
		h.reportOld(m)
	case m.filter.IsEmpty():
		m.repeats = 0
		// The last reporter leaves, in IGMPv2 and MLDv1 (RFC 2236 section 3,
		// RFC 2710 section 4). If nobody fetches the leaves, no more are
		// kept than there were groups.
		if h.mode == V2 && (m.last || h.cfg.AlwaysLeave) && h.leaves.len() < h.cfg.MaxGroups {
			h.leaves.push(m.group)
		}
	}
}

// reportOld sends an unsolicited report and repeats it (RFC 2236 section 3).
func (h *Host) reportOld(m *member) {
	m.repeats, m.answerAt = h.robustness, time.Time{}
	if !m.answerDue {
		m.answerDue = true
		h.answers.push(m)
		h.prune(&h.answers)
	}
}

// delay sets a member's timer for an answer, unless it runs out earlier (RFC 2236
// section 3, RFC 2710 section 4).
func (h *Host) delay(now time.Time, m *member, wait time.Duration) {
	if m.answerDue || !m.answerAt.IsZero() && m.answerAt.Sub(now) <= wait {
		return
	}
	m.answerAt = now.Add(within(h.cfg.Rand, wait))
}

// overhear takes another host's V1 or V2 report, which makes ours unnecessary, if the
// routers got it too (RFC 1112 appendix I, RFC 2710 section 4). V3
// reports are never suppressed (RFC 3376 section 7.2.2 says MAY), and those for
// source-specific groups must not be (RFC 4604 section 2.2.1).
func (h *Host) overhear(m *Message) {
	mem := h.groups[plain(m.Group)]
	if h.mode == V3 || m.elsewhere(plain(m.Group)) || mem == nil || mem.ssm || mem.answerAt.IsZero() || plain(m.Src) == h.src() && h.src() != h.p.Unspecified {
		h.stats.Ignored++
		return
	}
	h.stats.Suppressed++
	mem.answerAt, mem.repeats, mem.last = time.Time{}, 0, false
	h.settle(mem)
}

// transmitOld gives the next V1 or V2 message.
func (h *Host) transmitOld(now time.Time, m *Message) bool {
	for h.answers.len() > 0 {
		mem := h.answers.pop()
		mem.answerDue = false
		if mem.gone || mem.filter.IsEmpty() {
			continue
		}
		mem.last = true
		if mem.repeats > 0 {
			mem.repeats--
		}
		if mem.repeats > 0 {
			mem.answerAt = now.Add(within(h.cfg.Rand, h.p.OldUnsolicited))
		}
		h.settle(mem)
		m.reset(KindReport, h.mode)
		m.Src, m.Dst, m.Group = h.src(), mem.group, mem.group
		h.stats.Reports++
		return true
	}
	for h.leaves.len() > 0 {
		g := h.leaves.pop()
		if old := h.groups[g]; old != nil && !old.filter.IsEmpty() {
			continue // joined again before it was said
		}
		m.reset(KindLeave, V2)
		m.Src, m.Dst, m.Group = h.src(), h.p.AllRouters, g
		h.stats.Leaves++
		return true
	}
	return false
}
