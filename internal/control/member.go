package control

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// A Group is a group that hosts on the link have reported.
type Group struct {
	Addr   netip.Addr
	Filter group.Filter // what all of them together want

	// Version is the oldest that a reporter spoke: all routers treat the group
	// so (RFC 3376 section 7.3.2).
	Version int

	First, Last time.Time // reports

	// Stale says that for a group membership interval nobody reported it, for
	// nobody asks.
	Stale bool

	// Aliases are the other groups here with the same Ethernet address, and
	// Control that of 224.0.0.0/24, which switches send to every port.
	Aliases []netip.Addr
	Control netip.Addr

	// Reporters are the hosts that reported it. Those of old versions keep quiet
	// when they hear another, so there may be more.
	Reporters []Reporter
}

// A Reporter is a host that reported a group.
type Reporter struct {
	Addr        netip.Addr // unspecified for one without address
	Version     int
	Filter      group.Filter
	First, Last time.Time
	Reports     uint64
}

// An entry is what is kept of a group.
type entry struct {
	addr        netip.Addr
	family      *family
	mac         [6]byte
	first, last time.Time
	askedUntil  time.Time // answers to a query of sources tell only part
	members     map[netip.Addr]*member
}

type member struct {
	host        *host
	version     int
	mode        group.FilterMode
	sources     map[netip.Addr]struct{}
	first, last time.Time
	isInAt      time.Time // the last IS_IN, which may go on in the next report
	reports     uint64
}

// A host counts what one address brought in.
type host struct {
	addr             netip.Addr
	members, sources int
}

// said takes what a host said of a group.
func (w *Watch) said(f *family, src netip.Addr, r *Record, s *Entry) {
	g := s.Group.WithZone("")
	if !g.IsMulticast() || g.Is4() != (f.proto == IGMP) {
		return
	}
	if group.IsSSM(g) {
		switch {
		case r.Version < f.newest:
			f.oldSSM = sighting{at: w.now, host: src, group: g}
		case s.Mode == IsEx || s.Mode == ToEx:
			f.exclude = sighting{at: w.now, host: src, group: g}
		}
	}
	if r.Refused {
		return
	}
	e := w.groups[g]
	var m *member
	if e != nil {
		m = e.members[src]
	}
	excludes := s.Mode == ModeJoin || s.Mode == IsEx || s.Mode == ToEx
	if m == nil {
		// Nothing is to be left, and BLOCK alone tells too little.
		if !excludes && (len(s.Sources) == 0 || s.Mode == Block || s.Mode == ModeLeave) || s.Mode == Other {
			return
		}
		if e, m = w.admit(f, e, g, src); m == nil {
			return
		}
	}
	m.version, m.last, e.last = r.Version, w.now, w.now
	m.reports++
	w.apply(e, m, s)
	if m.mode == group.Include && len(m.sources) == 0 {
		w.remove(e, m)
	}
}

// apply changes a host's filter (RFC 3376 section 4.2.12).
func (w *Watch) apply(e *entry, m *member, s *Entry) {
	if lists := s.Mode == IsIn || s.Mode == Allow || s.Mode == Block; lists && m.mode == group.Exclude && group.IsSSM(e.addr) {
		// It was reported in an old version, which knows no sources; no host
		// excludes any of a source-specific group (RFC 4604 section 2.2).
		w.replace(m, group.Include, nil)
	}
	switch s.Mode {
	case ModeJoin:
		w.replace(m, group.Exclude, nil)
	case ModeLeave:
		w.replace(m, group.Include, nil)
	case IsEx, ToEx:
		w.replace(m, group.Exclude, s.Sources)
	case ToIn:
		w.replace(m, group.Include, s.Sources)
	case IsIn:
		// The answer to a query of sources tells of those, in any mode; a long
		// answer comes in several reports (RFC 3376 sections 4.2.16 and 5.2).
		partial := w.now.Before(e.askedUntil)
		switch {
		case m.mode == group.Exclude && partial:
		case m.mode == group.Include && (partial || !m.isInAt.IsZero() && w.now.Sub(m.isInAt) < time.Second):
			w.union(m, s.Sources)
		default:
			w.replace(m, group.Include, s.Sources)
		}
		m.isInAt = w.now
	case Allow:
		if m.mode == group.Include {
			w.union(m, s.Sources)
		} else {
			w.without(m, s.Sources)
		}
	case Block:
		if m.mode == group.Include {
			w.without(m, s.Sources)
		} else {
			w.union(m, s.Sources)
		}
	}
}

// admit makes room for a host in a group, or returns nil.
func (w *Watch) admit(f *family, e *entry, g, src netip.Addr) (*entry, *member) {
	h := w.hosts[src]
	l := &w.cfg.Limits
	if w.members >= l.Members || h != nil && h.members >= (l.Members+3)/4 || e == nil && len(w.groups) >= l.Groups {
		w.full()
		return e, nil
	}
	if h == nil {
		h = &host{addr: src}
		w.hosts[src] = h
	}
	if e == nil {
		e = &entry{addr: g, family: f, mac: group.MAC(g), first: w.now, members: make(map[netip.Addr]*member)}
		w.groups[g] = e
		w.macs[e.mac] = append(w.macs[e.mac], e)
		if group.IsSSM(g) {
			f.ssm++
			f.ssmGroup = g
		}
	}
	m := &member{host: h, first: w.now}
	e.members[src] = m
	h.members++
	w.members++
	return e, m
}

// remove forgets a host in a group, and the group when it was the last.
func (w *Watch) remove(e *entry, m *member) {
	w.replace(m, group.Include, nil)
	if m.host.members--; m.host.members == 0 {
		delete(w.hosts, m.host.addr)
	}
	w.members--
	if delete(e.members, m.host.addr); len(e.members) > 0 {
		return
	}
	delete(w.groups, e.addr)
	if group.IsSSM(e.addr) {
		e.family.ssm--
	}
	rest := slices.DeleteFunc(w.macs[e.mac], func(o *entry) bool { return o == e })
	if w.macs[e.mac] = rest; len(rest) == 0 {
		delete(w.macs, e.mac)
	}
}

// replace gives a host another filter.
func (w *Watch) replace(m *member, mode group.FilterMode, sources []netip.Addr) {
	w.hold(m, -len(m.sources))
	m.mode, m.sources = mode, nil
	w.union(m, sources)
}

// union adds to a host's sources as long as there is room.
func (w *Watch) union(m *member, sources []netip.Addr) {
	for _, a := range sources {
		if _, ok := m.sources[a]; ok {
			continue
		}
		if w.sources >= w.cfg.Limits.Sources || m.host.sources >= (w.cfg.Limits.Sources+3)/4 {
			w.full()
			return
		}
		if m.sources == nil {
			m.sources = make(map[netip.Addr]struct{})
		}
		m.sources[a] = struct{}{}
		w.hold(m, 1)
	}
}

// without takes from a host's sources.
func (w *Watch) without(m *member, sources []netip.Addr) {
	n := len(m.sources)
	for _, a := range sources {
		delete(m.sources, a)
	}
	w.hold(m, len(m.sources)-n)
}

func (w *Watch) hold(m *member, n int) {
	w.sources += n
	m.host.sources += n
}

// filter returns what the host wants.
func (m *member) filter() group.Filter {
	return group.Filter{Mode: m.mode, Sources: slices.SortedFunc(maps.Keys(m.sources), netip.Addr.Compare)}
}

// expireMembers forgets hosts that did not answer. What could not be answered, for
// nobody asked, stays as long as there is room.
func (w *Watch) expireMembers() {
	for i := range w.families {
		f := &w.families[i]
		life := w.membership(f)
		keep := f.elected() == nil && len(w.groups) < w.cfg.Limits.Groups/2 && w.members < w.cfg.Limits.Members/2
		if keep {
			continue
		}
		for _, e := range w.groups {
			if e.family != f {
				continue
			}
			for _, m := range e.members {
				// Of those from before the querier came, the first answer is
				// waited for.
				if from := later(m.last, f.firstQuery()); w.now.Sub(from) >= life {
					w.remove(e, m)
				}
			}
		}
	}
}

// firstQuery is when the queriers that are heard began to ask; zero without any.
func (f *family) firstQuery() (first time.Time) {
	for _, q := range f.queriers {
		if first.IsZero() || q.First.Before(first) {
			first = q.First
		}
	}
	return first
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Groups returns the groups that are reported, in ascending order, with their
// reporters, by address.
func (w *Watch) Groups() []Group {
	list := make([]Group, 0, len(w.groups))
	for _, e := range w.groups {
		g := Group{Addr: e.addr, First: e.first, Last: e.last, Control: control(e.addr)}
		g.Stale = w.now.Sub(e.last) >= w.membership(e.family)
		for _, m := range e.members {
			if g.Version == 0 || m.version < g.Version {
				g.Version = m.version
			}
			g.Reporters = append(g.Reporters, Reporter{
				Addr: m.host.addr, Version: m.version, First: m.first, Last: m.last, Reports: m.reports,
				Filter: m.filter(),
			})
		}
		slices.SortFunc(g.Reporters, func(a, b Reporter) int { return a.Addr.Compare(b.Addr) })
		g.Filter = together(e.members)
		for _, o := range w.macs[e.mac] {
			if len(g.Aliases) == maxAliases {
				break
			}
			if o != e {
				g.Aliases = append(g.Aliases, o.addr)
			}
		}
		slices.SortFunc(g.Aliases, netip.Addr.Compare)
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b Group) int { return a.Addr.Compare(b.Addr) })
	return list
}

// maxAliases bounds Group.Aliases: all that IPv4 can have.
const maxAliases = 31

// together returns what hosts want between them (RFC 3376 section 3.2): if one
// excludes, all but what no one wants.
func together(members map[netip.Addr]*member) group.Filter {
	wanted, excluded := make(map[netip.Addr]struct{}), map[netip.Addr]struct{}(nil)
	for _, m := range members {
		switch {
		case m.mode == group.Include:
			maps.Copy(wanted, m.sources)
		case excluded == nil:
			excluded = make(map[netip.Addr]struct{})
			maps.Copy(excluded, m.sources)
		default:
			maps.DeleteFunc(excluded, func(a netip.Addr, _ struct{}) bool {
				_, ok := m.sources[a]
				return !ok
			})
		}
	}
	f := group.Filter{Mode: group.Include}
	if excluded != nil {
		maps.DeleteFunc(excluded, func(a netip.Addr, _ struct{}) bool {
			_, ok := wanted[a]
			return ok
		})
		f.Mode, wanted = group.Exclude, excluded
	}
	f.Sources = slices.SortedFunc(maps.Keys(wanted), netip.Addr.Compare)
	return f
}
