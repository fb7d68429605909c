package gmp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// Explicit tracking keeps what each host said of a group, as RFC 3376 appendix A.2
// allows, so that a router knows when the last one leaves.

// A reporter is what one host said of a group.
type reporter struct {
	mode    group.FilterMode
	until   time.Time // of EXCLUDE mode
	sources []source  // sorted: wanted, with timers, or excluded
}

// track follows a record.
func (t *table) track(now time.Time, e *entry, src netip.Addr, typ RecordType, set []netip.Addr) {
	if !t.tracking {
		return
	}
	if src.IsUnspecified() || t.generation(e) < V3 {
		// Several hosts may share that address; older hosts keep silent when
		// another has spoken.
		e.blind = now.Add(t.gmi)
		return
	}
	r := e.hosts[src]
	if r == nil {
		if t.tracked >= t.limits.MaxTracked {
			t.full(LimitTracked, src)
			e.blind = now.Add(t.gmi)
			return
		}
		if e.hosts == nil {
			e.hosts = map[netip.Addr]*reporter{}
		}
		r = &reporter{}
		e.hosts[src] = r
		t.tracked++
	}
	excludes := r.mode == group.Exclude
	t.tracked -= len(r.sources)
	switch typ {
	case IsEx, ToEx:
		r.mode, r.until = group.Exclude, now.Add(t.gmi)
		r.replace(set, r.until)
	case ToIn:
		// A long list comes in several records, so that a second one in INCLUDE
		// mode adds to the first; the old sources time out.
		if r.mode, r.until = group.Include, (time.Time{}); excludes || len(set) == 0 {
			r.sources = r.sources[:0]
		}
		r.add(set, now.Add(t.gmi))
	case IsIn, Allow:
		// IS_IN also answers for a few sources in EXCLUDE mode.
		if excludes {
			r.cut(set)
		} else {
			r.add(set, now.Add(t.gmi))
		}
	case Block:
		if excludes {
			r.add(set, r.until)
		} else {
			r.cut(set)
		}
	}
	if room := t.limits.MaxTracked - t.tracked; len(r.sources) > room {
		r.sources = slices.Clip(r.sources[:max(room, 0)])
		t.full(LimitTracked, src)
		e.blind = now.Add(t.gmi)
	}
	t.tracked += len(r.sources)
}

func (r *reporter) replace(set []netip.Addr, until time.Time) {
	r.sources = r.sources[:0]
	for _, a := range set {
		r.sources = append(r.sources, source{addr: a, until: until})
	}
}

func (r *reporter) add(set []netip.Addr, until time.Time) {
	for _, a := range set {
		i, ok := slices.BinarySearchFunc(r.sources, a, func(s source, a netip.Addr) int { return s.addr.Compare(a) })
		if ok {
			r.sources[i].until = until
		} else {
			r.sources = slices.Insert(r.sources, i, source{addr: a, until: until})
		}
	}
}

func (r *reporter) cut(set []netip.Addr) {
	r.sources = slices.DeleteFunc(r.sources, func(s source) bool { return contains(set, s.addr) })
}

// wants reports whether the host wants packets from src.
func (r *reporter) wants(src netip.Addr) bool {
	_, listed := slices.BinarySearchFunc(r.sources, src, func(s source, a netip.Addr) int { return s.addr.Compare(a) })
	return listed == (r.mode == group.Include)
}

// forget drops what hosts have not repeated, and returns when there is more to drop.
func (t *table) forget(now time.Time, e *entry) (at time.Time) {
	for src, r := range e.hosts {
		if r.mode == group.Exclude {
			if r.until.After(now) {
				at = earliest(at, r.until)
				continue
			}
			t.tracked -= len(r.sources)
			r.mode, r.sources = group.Include, nil
		}
		n := len(r.sources)
		r.sources = slices.DeleteFunc(r.sources, func(s source) bool { return !s.until.After(now) })
		t.tracked -= n - len(r.sources)
		for i := range r.sources {
			at = earliest(at, r.sources[i].until)
		}
		if len(r.sources) == 0 {
			delete(e.hosts, src)
			t.tracked--
		}
	}
	return at
}

// lastGone drops at once what a record asked to query and no tracked host wants any
// more. It reports whether the group itself still has to be queried.
func (t *table) lastGone(now time.Time, e *entry, askGroup bool) bool {
	for i := range e.sources {
		if s := &e.sources[i]; s.asked && !e.wanted(s.addr) {
			s.asked, s.left, s.until = false, 0, time.Time{}
		}
	}
	if !askGroup {
		return false
	}
	for _, r := range e.hosts {
		if r.mode == group.Exclude {
			return true
		}
	}
	e.until = now
	return false
}

func (e *entry) wanted(src netip.Addr) bool {
	for _, r := range e.hosts {
		if r.wants(src) {
			return true
		}
	}
	return false
}

// reporters appends the hosts of a group that are tracked, in ascending order.
func (e *entry) reporters(dst []netip.Addr) []netip.Addr {
	n := len(dst)
	for a := range e.hosts {
		dst = append(dst, a)
	}
	slices.SortFunc(dst[n:], netip.Addr.Compare)
	return dst
}
