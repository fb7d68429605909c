package gmp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// advance runs the timers of all groups.
func (t *table) advance(now time.Time, query func(*entry)) {
	for due(t.schedule.first(), now) {
		e := t.schedule[0].owner
		if query != nil && (due(e.queryAt, now) || due(e.sourceAt, now)) {
			query(e)
		}
		t.settle(now, e)
	}
}

// expire runs a group's timers (RFC 3376 sections 6.3 and 6.5, RFC 3810 sections
// 7.3 and 7.5).
func (t *table) expire(now time.Time, e *entry) {
	if due(e.v1, now) {
		e.v1 = time.Time{}
	}
	if due(e.v2, now) {
		e.v2 = time.Time{}
	}
	if e.mode == group.Exclude && !e.until.After(now) {
		// Sources whose timers run are the new list.
		e.mode = group.Include
	}
	if e.mode == group.Include {
		e.until, e.queries, e.queryAt = time.Time{}, 0, time.Time{}
	}
	remove := e.mode == group.Include || t.light // RFC 5790 section 5.1
	e.sources = slices.DeleteFunc(e.sources, func(s source) bool {
		if remove && !s.until.After(now) {
			t.release(&s)
			return true
		}
		return false
	})
	for i := range e.sources {
		if s := &e.sources[i]; !s.until.After(now) {
			s.until, s.left = time.Time{}, 0
		}
	}
}

// settle follows up a change of a group: it runs timers that are due, removes what
// is empty, books the next deadline and notes that the filter may be another. A
// query that waits to be sent has no deadline, its sender will book one.
func (t *table) settle(now time.Time, e *entry) {
	if e.gone {
		return
	}
	t.expire(now, e)
	t.mark(e)
	if e.mode == group.Include && len(e.sources) == 0 {
		t.remove(e)
		return
	}
	at := earliest(earliest(e.v1, e.v2), e.until)
	if !e.queued {
		at = earliest(at, earliest(e.queryAt, e.sourceAt))
	}
	for i := range e.sources {
		at = earliest(at, e.sources[i].until)
	}
	if e.hosts != nil {
		at = earliest(at, t.forget(now, e))
	}
	t.schedule.set(&e.slot, at)
	t.rearm()
}

func (t *table) remove(e *entry) {
	e.gone = true
	t.schedule.remove(&e.slot)
	delete(t.groups, e.group)
	for _, r := range e.hosts {
		t.tracked -= 1 + len(r.sources)
	}
	e.hosts = nil
	e.by.groups--
	t.close(e.by)
	t.rearm()
}

// rearm lets a limit be told again when there has been room for a quarter.
func (t *table) rearm() {
	if l := &t.limits; t.told[LimitGroups] && len(t.groups) < l.MaxGroups-l.MaxGroups/4 {
		t.told[LimitGroups], t.told[LimitHostGroups] = false, false
	}
	if l := &t.limits; (t.told[LimitSources] || t.told[LimitHostSources]) && t.sources < l.MaxAllSources/2 {
		t.told[LimitSources], t.told[LimitHostSources] = false, false
	}
	if t.told[LimitTracked] && t.tracked < t.limits.MaxTracked/2 {
		t.told[LimitTracked] = false
	}
}

// mark notes a group whose filter may have changed. If nobody asks for the changes,
// no more are kept than there can be groups.
func (t *table) mark(e *entry) {
	if e.dirty {
		return
	}
	e.dirty = true
	t.dirty.push(e)
	if t.dirty.len() > 2*t.limits.MaxGroups+maxEvents {
		t.dirty.pop().dirty = false
		t.events.lost++
	}
}

// poll gives the next change of a group's filter.
func (t *table) poll(ev *Event) bool {
	for t.dirty.len() > 0 {
		e := t.dirty.pop()
		e.dirty = false
		if e.isShown() {
			continue
		}
		f := e.filter()
		*ev = Event{Kind: MembershipChanged, IfIndex: t.port, Group: e.group, Filter: f, Generation: t.generation(e)}
		switch {
		case e.shown.IsEmpty():
			ev.Kind = MembershipAdded
		case f.IsEmpty():
			ev.Kind = MembershipRemoved
		}
		e.shown = f
		return true
	}
	return false
}

// isShown reports whether e.filter is e.shown, without making a list.
func (e *entry) isShown() bool {
	if e.mode != e.shown.Mode {
		return false
	}
	shown := e.shown.Sources
	for i := range e.sources {
		if s := &e.sources[i]; s.until.IsZero() == (e.mode == group.Exclude) {
			if len(shown) == 0 || shown[0] != s.addr {
				return false
			}
			shown = shown[1:]
		}
	}
	return len(shown) == 0
}

// filter is what the link wants of a group (RFC 3376 section 6.3): the sources with
// running timers in INCLUDE mode, all but those without in EXCLUDE mode. The list is
// a new one.
func (e *entry) filter() group.Filter {
	f := group.Filter{Mode: e.mode}
	for i := range e.sources {
		if s := &e.sources[i]; s.until.IsZero() == (e.mode == group.Exclude) {
			f.Sources = append(f.Sources, s.addr)
		}
	}
	return f
}

// accepts reports whether the link wants packets from src (RFC 3376 section 6.3).
func (e *entry) accepts(src netip.Addr) bool {
	if s := e.find(src); s != nil {
		return !s.until.IsZero()
	}
	return e.mode == group.Exclude
}

func (e *entry) find(src netip.Addr) *source {
	i, ok := slices.BinarySearchFunc(e.sources, src, func(s source, a netip.Addr) int { return s.addr.Compare(a) })
	if !ok {
		return nil
	}
	return &e.sources[i]
}

// lower takes a query of another router with a clear S flag: timers are lowered to
// the last member query time (RFC 3376 section 6.6.1).
func (t *table) lower(now time.Time, g netip.Addr, sources []netip.Addr, lmqt time.Duration) {
	e := t.groups[g]
	if e == nil {
		return
	}
	at := now.Add(lmqt)
	if len(sources) == 0 {
		if e.mode == group.Exclude && e.until.After(at) {
			e.until = at
		} else if e.mode == group.Include {
			return
		}
	}
	for _, a := range sources {
		if s := e.find(plain(a)); s != nil && s.until.After(at) {
			s.until = at
		}
	}
	t.settle(now, e)
}

// A SourceState is a source of a group as a router sees it.
type SourceState struct {
	Addr  netip.Addr
	Until time.Time // of its timer; zero when it is not forwarded, in EXCLUDE mode
}

// A GroupState is all that a router or switch knows of a group (RFC 3376 section
// 6.2, RFC 3810 section 7.2).
type GroupState struct {
	Group      netip.Addr
	Mode       group.FilterMode
	Until      time.Time // of the group (filter) timer; zero in INCLUDE mode
	Generation Generation
	Sources    []SourceState // sorted
}

func (t *table) state(e *entry) GroupState {
	s := GroupState{Group: e.group, Mode: e.mode, Until: e.until, Generation: t.generation(e)}
	for i := range e.sources {
		s.Sources = append(s.Sources, SourceState{e.sources[i].addr, e.sources[i].until})
	}
	return s
}

// sorted returns the groups in ascending order.
func (t *table) sorted(dst []netip.Addr) []netip.Addr {
	n := len(dst)
	for g := range t.groups {
		dst = append(dst, g)
	}
	slices.SortFunc(dst[n:], netip.Addr.Compare)
	return dst
}
