package gmp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// change gives a member another interface state and begins to report the difference
// (RFC 3376 section 5.1, RFC 3810 section 6.1).
func (h *Host) change(now time.Time, m *member, to group.Filter) {
	from := m.filter
	if same(from, to) {
		return
	}
	m.filter = to
	h.size += h.stateSize(to) - h.stateSize(from)
	switch {
	case from.IsEmpty():
		h.joined++
	case to.IsEmpty():
		h.joined--
		// Without reception state there is nothing to answer (section 5.2).
		m.answerAt, m.whole, m.asked = time.Time{}, false, nil
	}
	if h.mode < V3 {
		h.changeOld(now, m, from)
		return
	}
	if from.Mode != to.Mode {
		// A filter mode change carries the whole list as often as any earlier
		// change of a source would have to be repeated.
		m.modeLeft, m.changes = h.robustness, nil
	} else {
		h.set = minus(h.set[:0], from.Sources, to.Sources)
		h.set = minus(h.set, to.Sources, from.Sources)
		slices.SortFunc(h.set, netip.Addr.Compare)
		m.changes = retransmit(m.changes, h.set, h.robustness)
	}
	h.report(m)
	h.limitLeaving(m)
}

// stateSize returns the bytes of a group's current-state record.
func (h *Host) stateSize(f group.Filter) int {
	if f.IsEmpty() {
		return 0
	}
	return h.out.size(len(f.Sources))
}

// retransmit puts sources into retransmission state, each for left reports.
func retransmit(changes []change, sources []netip.Addr, left int) []change {
	out := make([]change, 0, len(changes)+len(sources))
	for len(changes) > 0 && len(sources) > 0 {
		switch c := changes[0].addr.Compare(sources[0]); {
		case c < 0:
			out, changes = append(out, changes[0]), changes[1:]
		case c > 0:
			out, sources = append(out, change{sources[0], left}), sources[1:]
		default:
			changes = changes[1:]
		}
	}
	out = append(out, changes...)
	for _, a := range sources {
		out = append(out, change{a, left})
	}
	return out
}

// report sends a member's changes at once. What was to be repeated later is part of
// it.
func (h *Host) report(m *member) {
	m.changeAt = time.Time{}
	if !m.changeDue {
		m.changeDue = true
		h.changed.push(m)
		h.prune(&h.changed)
	}
}

// prune takes members that are gone out of a queue that nobody sends from.
func (h *Host) prune(q *fifo[*member]) {
	if q.len() > 3*h.cfg.MaxGroups {
		q.purge(func(m *member) bool { return !m.gone })
	}
}

// limitLeaving keeps no more groups that were left than may be joined: the one left
// longest, which has been reported at least once in most cases, is forgotten.
func (h *Host) limitLeaving(m *member) {
	if !m.filter.IsEmpty() || len(h.sorted)-h.joined <= h.cfg.MaxGroups {
		return
	}
	var oldest *member
	for _, o := range h.sorted {
		if o != m && o.filter.IsEmpty() && (oldest == nil || o.slot.order < oldest.slot.order) {
			oldest = o
		}
	}
	if oldest != nil {
		h.stats.Forgotten++
		h.remove(oldest)
	}
}

// appendChange writes the records of a state-change report, by the second table of
// RFC 3376 section 5.1, and books the next one.
func (h *Host) appendChange(now time.Time, m *member) {
	f := m.filter
	switch {
	case m.modeLeft > 0:
		t := ToIn
		if f.Mode == group.Exclude {
			t = ToEx
		}
		h.out.add(t, m.group, f.Sources)
		m.modeLeft--
	case len(m.changes) > 0:
		h.set = h.set[:0]
		for _, c := range m.changes {
			if accepts(f, c.addr) {
				h.set = append(h.set, c.addr)
			}
		}
		h.out.addSome(Allow, m.group, h.set)
		h.set = h.set[:0]
		for _, c := range m.changes {
			if !accepts(f, c.addr) {
				h.set = append(h.set, c.addr)
			}
		}
		h.out.addSome(Block, m.group, h.set)
	}
	// A source is as often in the reports as the filter mode is: a TO_IN or TO_EX
	// says what became of it, too.
	m.changes = slices.DeleteFunc(m.changes, func(c change) bool { return c.left <= 1 })
	for i := range m.changes {
		m.changes[i].left--
	}
	if m.modeLeft > 0 || len(m.changes) > 0 {
		m.changeAt = now.Add(within(h.cfg.Rand, h.cfg.Timers.Unsolicited))
	}
	h.settle(m)
}

// Announce reports all groups anew, as when a link came up or the first valid
// address was assigned (RFC 3590 section 4, RFC 3810 section 5.2.13).
func (h *Host) Announce(now time.Time) {
	now = h.clock.set(now)
	h.advance(now)
	for _, m := range h.sorted {
		if m.filter.IsEmpty() {
			continue
		}
		switch {
		case h.mode < V3:
			h.reportOld(m)
		case m.filter.Mode == group.Exclude:
			m.modeLeft = h.robustness
			h.report(m)
		default:
			// Not TO_IN, which would take sources from others' lists in
			// the router until they answer, and is unusual for SSM.
			m.changes = retransmit(m.changes, m.filter.Sources, h.robustness)
			h.report(m)
		}
		h.settle(m)
	}
}
