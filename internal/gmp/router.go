package gmp

import (
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// A Router learns what the hosts on one link want to receive, and asks them if it is
// the link's querier.
type Router struct {
	cfg RouterConfig
	p   *Profile
	clock

	timers Timers // in use: the querier's robustness and interval, if it is not us
	table  table
	since  time.Time

	querier    netip.Addr // the other querier, or zero when it is us
	otherUntil time.Time  // other querier present timer (RFC 3376 section 6.6.2)
	generalAt  time.Time  // the next general query
	generalDue bool
	startup    int // general queries left of the first ones

	asking   fifo[*entry] // groups with queries to send now
	pace     pacer        // of groups that begin to be asked
	queries  []query      // of the group being asked
	asked    []netip.Addr
	warnedAt time.Time // last OldQuerier or NewQuerier

	events events
	stats  RouterStats
}

// RouterStats counts what a router did and saw.
type RouterStats struct {
	TableStats
	Queries    uint64 // of other routers, taken
	Ignored    uint64 // messages that are not for routers, or impossible
	BadQuerier uint64 // queries from an address that cannot be a querier's
	Sent       uint64 // queries
	LostEvents uint64 // events that nobody fetched
}

// A query is a specific query about to be sent.
type query struct {
	suppress bool
	group    bool // ask for the group, not for sources
	from, to int  // sources, in Router.asked
}

// NewRouter returns a router that has heard nothing. It takes itself for the querier
// and asks at once (RFC 3376 section 8.7, RFC 3810 section 7.6.2).
func NewRouter(now time.Time, cfg RouterConfig) (*Router, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	r := &Router{cfg: cfg, p: cfg.Profile, clock: clock{now}, timers: cfg.Timers, since: now}
	r.table = table{
		p: r.p, light: cfg.Lightweight, cap: cfg.Generation, tracking: cfg.Tracking,
		ssm:    func(g netip.Addr) bool { return inSSM(cfg.SSM, g) },
		events: &r.events, stats: &r.stats.TableStats,
	}
	if cfg.Lightweight {
		r.table.rules = &lightRules
	}
	r.table.init(cfg.Limits)
	r.table.gmi = r.timers.membership()
	if r.canAsk() {
		r.start(now)
	}
	return r, nil
}

// start begins to ask as at startup.
func (r *Router) start(now time.Time) {
	r.startup, r.generalAt = r.timers.StartupCount, now
	r.events.add(Event{Kind: QuerierElected})
	r.advance(now)
}

// src is the source of queries.
func (r *Router) src() netip.Addr {
	if r.cfg.Addr.IsValid() {
		return r.cfg.Addr
	}
	return r.p.Unspecified
}

// canAsk: MLD queries need a link-local source (RFC 3590 section 4).
func (r *Router) canAsk() bool { return r.p.querier(r.src()) }

// SetAddr tells the router that the interface has another address.
func (r *Router) SetAddr(now time.Time, a netip.Addr) {
	now = r.clock.set(now)
	could := r.canAsk()
	if r.cfg.Addr = plain(a); !could && r.canAsk() && !r.querier.IsValid() {
		r.start(now)
	}
}

// Handle takes a message that arrived on the link.
func (r *Router) Handle(now time.Time, m *Message) {
	now = r.clock.set(now)
	r.advance(now)
	src := plain(m.Src)
	if m.Kind == KindQuery {
		r.heard(now, src, m)
		return
	}
	if !r.p.reporter(src) {
		r.stats.BadSource++
		return
	}
	switch m.Kind {
	case KindReport:
		if m.Generation < r.p.Oldest || m.Generation > V2 {
			r.stats.Ignored++
			return
		}
		if g, ok := r.reportable(m.Group); ok {
			if e := r.table.old(now, src, m.Generation, g); e != nil {
				r.table.settle(now, e)
			}
		}
	case KindLeave:
		// Non-queriers ignore leaves (RFC 2236 section 3, RFC 2710 section 4).
		if g, ok := r.reportable(m.Group); ok && r.IsQuerier() {
			if r.cfg.Generation > V1 {
				r.leave(now, src, g)
			}
		}
	case KindStateReport:
		for i := range m.Records {
			rec := &m.Records[i]
			if g, ok := r.reportable(rec.Group); ok {
				if e, askGroup := r.table.record(now, src, rec.Type, g, rec.Sources); e != nil {
					r.ask(now, e, askGroup)
					r.table.settle(now, e)
				}
			}
		}
	default:
		r.stats.Ignored++
	}
}

// leave takes a V2 leave, which is TO_IN({}) (RFC 3376 section 7.3.2).
func (r *Router) leave(now time.Time, src, g netip.Addr) {
	if r.table.ssm(g) { // RFC 4604 section 3.7
		r.table.misused(g, src)
		return
	}
	if e, askGroup := r.table.record(now, src, ToIn, g, nil); e != nil {
		r.ask(now, e, askGroup)
		r.table.settle(now, e)
	}
}

func (r *Router) reportable(g netip.Addr) (netip.Addr, bool) {
	g = plain(g)
	if !g.IsValid() || !r.p.Covers(g) || r.p.Exempt(g) {
		r.stats.BadGroup++
		return g, false
	}
	return g, true
}

// IsQuerier reports whether this router is the link's querier, as far as it knows.
func (r *Router) IsQuerier() bool { return !r.querier.IsValid() && r.canAsk() }

// Querier returns the address of the link's querier, this router's own if that is
// it. An MLD router without address returns the zero Addr.
func (r *Router) Querier() netip.Addr {
	switch {
	case r.querier.IsValid():
		return r.querier
	case r.canAsk():
		return r.src()
	}
	return netip.Addr{}
}

// Timers returns the timers in use: the robustness and query interval are the
// querier's.
func (r *Router) Timers() Timers { return r.timers }

// Filter returns what the link wants of a group, and INCLUDE {} if that is nothing.
func (r *Router) Filter(g netip.Addr) group.Filter {
	if e := r.table.groups[plain(g)]; e != nil {
		return e.filter()
	}
	return group.Filter{}
}

// Forward reports whether packets from src to g are wanted on the link (RFC 3376
// section 6.3, RFC 3810 section 7.3). It allocates nothing.
func (r *Router) Forward(src, g netip.Addr) bool {
	e := r.table.groups[plain(g)]
	return e != nil && e.accepts(plain(src))
}

// Groups appends the groups that are wanted, in ascending order.
func (r *Router) Groups(dst []netip.Addr) []netip.Addr { return r.table.sorted(dst) }

// State returns all that is known of a group; false if that is nothing.
func (r *Router) State(g netip.Addr) (GroupState, bool) {
	e := r.table.groups[plain(g)]
	if e == nil {
		return GroupState{}, false
	}
	return r.table.state(e), true
}

// Reporters appends the hosts known to want something of a group, in ascending
// order; none without Tracking.
func (r *Router) Reporters(dst []netip.Addr, g netip.Addr) []netip.Addr {
	if e := r.table.groups[plain(g)]; e != nil {
		return e.reporters(dst)
	}
	return dst
}

// Usage returns how much state there is: groups, sources in them, and tracked hosts
// with their sources.
func (r *Router) Usage() (groups, sources, tracked int) {
	return len(r.table.groups), r.table.sources, r.table.tracked
}

// Stats returns the counters so far.
func (r *Router) Stats() RouterStats {
	s := r.stats
	s.LostEvents = r.events.lost
	return s
}

// Event gives the next event.
func (r *Router) Event(e *Event) bool { return r.events.poll(e) || r.table.poll(e) }
