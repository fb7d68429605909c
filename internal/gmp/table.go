package gmp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// A table is what a router knows of the groups on a link (RFC 3376 section 6.2, RFC
// 3810 section 7.2), or a switch of those behind a port. Its owner tells it the time
// and how long memberships last, and sends the queries.
type table struct {
	p      *Profile
	rules  *rules
	light  bool // rules are RFC 5790's
	port   int  // of a Snooper; for events
	ssm    func(netip.Addr) bool
	cap    Generation // the newest that groups are followed in
	limits TableLimits

	gmi time.Duration // group membership interval in use

	groups   map[netip.Addr]*entry
	schedule schedule[*entry]
	order    uint64
	holders  map[netip.Addr]*holder
	spare    *holder // for the next account
	sources  int     // of all groups
	tracked  int     // reporters and their sources
	tracking bool

	dirty  fifo[*entry] // whose filter may differ from the one told
	events *events
	stats  *TableStats
	told   [LimitTracked + 1]bool
	set    []netip.Addr // scratch
	next   []source     // scratch
}

// TableLimits bound what a Router, or a Snooper for each port, keeps for others. Zero
// fields take the default in their comment. What is there stays: at a limit it is
// the new that does not get in. A source that finds no room in an any-source group
// makes all its senders wanted, so that nobody misses what he asked for.
type TableLimits struct {
	MaxGroups      int // default 4,096; 1,024 for a Snooper's port
	MaxSources     int // of a group; default 1,024
	MaxAllSources  int // of all groups; default 65,536; 16,384 for a Snooper's port
	MaxHostGroups  int // that one address may have brought in; default a quarter of MaxGroups
	MaxHostSources int // likewise; default a quarter of MaxAllSources
	MaxTracked     int // hosts in groups, and their sources, when tracked; default MaxAllSources
}

func (l *TableLimits) normalize(groups, sources int) bool {
	setDefault(&l.MaxGroups, groups)
	setDefault(&l.MaxSources, 1024)
	setDefault(&l.MaxAllSources, sources)
	setDefault(&l.MaxHostGroups, (l.MaxGroups+3)/4)
	setDefault(&l.MaxHostSources, (l.MaxAllSources+3)/4)
	setDefault(&l.MaxTracked, l.MaxAllSources)
	return l.MaxGroups > 0 && l.MaxSources > 0 && l.MaxAllSources > 0 && l.MaxHostGroups > 0 && l.MaxHostSources > 0 && l.MaxTracked > 0
}

// TableStats counts what became of reports.
type TableStats struct {
	Reports    uint64 // V1 and V2 reports, leaves, and records of V3 reports taken
	BadGroup   uint64 // of a group that cannot be reported
	BadSource  uint64 // from an address that cannot be a host's, or listing such a source
	BadRecord  uint64 // of an unknown type
	SSMMisused uint64 // a source-specific group without sources (RFC 4604 sections 3.1 and 3.5)
	OldMode    uint64 // ignored because of an older host (RFC 3376 section 7.3.2)
	Refused    uint64 // groups and sources that found no room
}

// An entry is the state of a group.
type entry struct {
	slot[*entry]
	group   netip.Addr
	mode    group.FilterMode
	until   time.Time // group timer; zero in INCLUDE mode
	sources []source  // sorted
	by      *holder
	v1, v2  time.Time // older host present timers

	// Queries under way (RFC 3376 section 6.6.3).
	queries  int       // group-specific ones left
	queryAt  time.Time // the next
	sourceAt time.Time // the next for sources
	queued   bool      // in Router.asking

	shown group.Filter // what the shell was told
	dirty bool         // in table.dirty
	gone  bool         // out of the table

	hosts map[netip.Addr]*reporter // when tracked
	blind time.Time                // until when some host may not be among them
}

// A source is a source record of a group.
type source struct {
	addr  netip.Addr
	until time.Time // source timer; zero or past is not forwarded, in EXCLUDE mode
	left  uint8     // queries left
	asked bool      // by the record just taken
	by    *holder
}

// A holder is a host whose reports brought groups and sources in.
type holder struct {
	addr            netip.Addr
	groups, sources int
}

func (t *table) init(limits TableLimits) {
	t.limits = limits
	t.groups, t.holders = map[netip.Addr]*entry{}, map[netip.Addr]*holder{}
	if t.rules == nil {
		t.rules = &fullRules
	}
	if t.cap == 0 {
		t.cap = V3
	}
}

// generation is the group compatibility mode (RFC 3376 section 7.3.2).
func (t *table) generation(e *entry) Generation {
	g := V3
	switch {
	case !e.v1.IsZero():
		g = V1
	case !e.v2.IsZero():
		g = V2
	}
	return min(g, t.cap)
}

// record takes a group record, or an older message in that form, from src. It returns
// the group's entry, in which asked sources are marked, and whether the group itself
// is to be queried; nil if there is nothing to do. The caller then calls settle.
func (t *table) record(now time.Time, src netip.Addr, typ RecordType, g netip.Addr, list []netip.Addr) (*entry, bool) {
	if typ < IsIn || typ > Block {
		t.stats.BadRecord++
		return nil, false
	}
	set, bad := t.p.clean(t.set[:0], list)
	t.set = set
	t.stats.BadSource += uint64(bad)
	excludes := typ == IsEx || typ == ToEx
	if excludes && t.ssm != nil && t.ssm(g) {
		t.misused(g, src)
		return nil, false
	}
	e := t.groups[g]
	if e == nil {
		if !excludes && (typ == Block || len(set) == 0) {
			return nil, false
		}
		if e = t.create(g, src); e == nil {
			return nil, false
		}
	}
	if gen := t.generation(e); gen < V3 && typ == Block || gen < V2 && typ == ToIn {
		t.stats.OldMode++
		t.settle(now, e)
		return nil, false
	} else if typ == ToEx && gen < V3 || excludes && t.light {
		set = nil
	}
	t.stats.Reports++
	t.track(now, e, src, typ, set)
	by := t.holders[src]
	if by == nil {
		if t.spare == nil {
			t.spare = &holder{}
		}
		by = t.spare
		by.addr = src
	}
	askGroup := t.apply(now, e, typ, set, by)
	// A new account is kept if it holds something, and one that apply closed and
	// opened again too.
	if by.groups+by.sources > 0 {
		t.holders[src] = by
		if by == t.spare {
			t.spare = nil
		}
	}
	return e, askGroup
}

func (t *table) misused(g, src netip.Addr) {
	t.stats.SSMMisused++
	if t.stats.SSMMisused == 1 {
		t.events.add(Event{IfIndex: t.port, Kind: SSMMisused, Group: g, Addr: src})
	}
}

// apply runs a row of the tables over the group's sources.
func (t *table) apply(now time.Time, e *entry, typ RecordType, set []netip.Addr, by *holder) (askGroup bool) {
	row := &t.rules[e.mode][typ]
	groupTimer, old, next := e.until, e.sources, t.next[:0]
	refused := false
	for len(old) > 0 || len(set) > 0 {
		var s source
		var d deed
		c := 0
		switch {
		case len(old) == 0:
			c = 1
		case len(set) == 0:
			c = -1
		default:
			c = old[0].addr.Compare(set[0])
		}
		switch runs := c > 0 || old[0].until.After(now); {
		case c > 0:
			s, d = source{addr: set[0], by: by}, row.r
		case c < 0 && runs:
			s, d = old[0], row.x
		case c < 0:
			s, d = old[0], row.y
		case runs:
			s, d = old[0], row.xr
		default:
			s, d = old[0], row.yr
		}
		if c <= 0 {
			old = old[1:]
		}
		if c >= 0 {
			set = set[1:]
		}
		if c > 0 {
			if d == keep || d == drop {
				continue
			}
			if !t.room(len(next)+len(old), by) {
				refused = true
				continue
			}
			t.sources++
			by.sources++
		}
		switch d &^ ask {
		case drop:
			t.release(&s)
			continue
		case renew:
			s.until = now.Add(t.gmi)
		case block:
			s.until, s.left = time.Time{}, 0
		case follow:
			s.until = groupTimer
		}
		s.asked = d&ask != 0
		next = append(next, s)
	}
	t.next = next
	e.sources = append(e.sources[:0], next...)
	e.mode = row.next
	if row.renewGroup {
		e.until = now.Add(t.gmi)
	}
	wants := typ == IsIn || typ == ToIn || typ == Allow
	if refused && wants && (t.ssm == nil || !t.ssm(e.group)) {
		// A source that is wanted and cannot be kept: all are let through until
		// it can.
		e.mode, e.until = group.Exclude, now.Add(t.gmi)
		return false
	}
	return row.askGroup
}

// room reports whether a group of n sources may have one more.
func (t *table) room(n int, by *holder) bool {
	switch {
	case n >= t.limits.MaxSources || t.sources >= t.limits.MaxAllSources:
		t.full(LimitSources, by.addr)
	case by.sources >= t.limits.MaxHostSources:
		t.full(LimitHostSources, by.addr)
	default:
		return true
	}
	return false
}

// full counts what found no room and tells of it once.
func (t *table) full(l Limit, src netip.Addr) {
	if l != LimitTracked {
		t.stats.Refused++
	}
	if !t.told[l] {
		t.told[l] = true
		t.events.add(Event{IfIndex: t.port, Kind: LimitReached, Limit: l, Addr: src})
	}
}

func (t *table) create(g, src netip.Addr) *entry {
	switch h := t.holders[src]; {
	case len(t.groups) >= t.limits.MaxGroups:
		t.full(LimitGroups, src)
		return nil
	case h != nil && h.groups >= t.limits.MaxHostGroups:
		t.full(LimitHostGroups, src)
		return nil
	}
	by := t.holders[src]
	if by == nil {
		by = &holder{addr: src}
		t.holders[src] = by
	}
	e := &entry{group: g, by: by}
	by.groups++
	t.order++
	e.slot.owner, e.slot.order = e, t.order
	t.groups[g] = e
	return e
}

func (t *table) release(s *source) {
	t.sources--
	s.by.sources--
	t.close(s.by)
}

func (t *table) close(h *holder) {
	if h.groups <= 0 && h.sources <= 0 && t.holders[h.addr] == h {
		delete(t.holders, h.addr)
	}
}

// old takes a V1 or V2 report (RFC 3376 section 7.3.2, RFC 3810 section 8.3.2).
func (t *table) old(now time.Time, src netip.Addr, gen Generation, g netip.Addr) *entry {
	if t.ssm != nil && t.ssm(g) {
		t.misused(g, src)
		return nil
	}
	e, _ := t.record(now, src, IsEx, g, nil)
	if e == nil {
		return nil
	}
	before := t.generation(e)
	// The older host present interval is as long as the group membership interval
	// (section 8.13).
	if gen == V1 {
		e.v1 = now.Add(t.gmi)
	} else {
		e.v2 = now.Add(t.gmi)
	}
	if after := t.generation(e); after < before {
		t.events.add(Event{IfIndex: t.port, Kind: OldHost, Group: g, Addr: src, Generation: after})
	}
	return e
}

// drop removes all that is in the table.
func (t *table) drop(now time.Time) {
	all := make([]*entry, 0, len(t.groups))
	for _, e := range t.groups {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *entry) int { return a.group.Compare(b.group) })
	for _, e := range all {
		e.mode, e.until = group.Include, time.Time{}
		for i := range e.sources {
			e.sources[i].until = time.Time{}
		}
		t.settle(now, e)
	}
}
