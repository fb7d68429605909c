package gmp

import (
	"net/netip"
	"slices"
	"time"
)

// A Snooper learns from the messages that pass through a switch which ports want
// which groups and which lead to routers (RFC 4541). Message.IfIndex is the port that
// a message came in by. It changes and keeps back no message: Relay says where one
// goes, Forward and ForwardMAC where data goes.
type Snooper struct {
	cfg SnooperConfig
	p   *Profile
	clock

	ports   []*port // by number
	timers  Timers  // in use
	floodTo time.Time

	// Of the last query from a router.
	heardGen      Generation
	heardQRV      uint8
	heardInterval time.Duration
	heardMaxResp  time.Duration

	asking []int // ports to send a query by
	events events
	stats  SnooperStats
}

// A port is a port of the switch.
type port struct {
	id     int
	table  table
	static bool      // always leads to a router
	flood  bool      // gets unknown groups
	fast   bool      // FastLeave
	router time.Time // until when it leads to a router
}

// SnooperStats counts what a switch did and saw.
type SnooperStats struct {
	TableStats
	Queries    uint64 // taken
	Ignored    uint64 // messages that are impossible, or from no port
	Neighbors  uint64 // advertisements and PIM hellos of routers, taken
	BadQuerier uint64 // queries, and these, from an address that cannot be a router's
	Sent       uint64 // queries after changes of topology
	LostEvents uint64 // events that nobody fetched
}

// NewSnooper returns a switch that has seen nothing.
func NewSnooper(now time.Time, cfg SnooperConfig) (*Snooper, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	s := &Snooper{cfg: cfg, p: cfg.Profile, clock: clock{now}, timers: cfg.Timers}
	for _, id := range cfg.Ports {
		s.AddPort(id)
	}
	return s, nil
}

// AddPort adds a port, with what the configuration says of its number. It reports
// false if it is there, or too many are.
func (s *Snooper) AddPort(id int) bool {
	i, found := slices.BinarySearchFunc(s.ports, id, byID)
	if found || len(s.ports) >= maxPorts {
		return false
	}
	p := &port{
		id: id, static: slices.Contains(s.cfg.RouterPorts, id),
		flood: slices.Contains(s.cfg.FloodPorts, id), fast: slices.Contains(s.cfg.FastLeave, id),
	}
	p.table = table{p: s.p, port: id, gmi: s.timers.membership(), events: &s.events, stats: &s.stats.TableStats}
	p.table.init(s.cfg.Limits)
	s.ports = slices.Insert(s.ports, i, p)
	return true
}

func byID(p *port, id int) int { return p.id - id }

// RemovePort forgets a port and all that was learned there, without events.
func (s *Snooper) RemovePort(id int) {
	if i, found := slices.BinarySearchFunc(s.ports, id, byID); found {
		s.ports = slices.Delete(s.ports, i, i+1)
	}
}

func (s *Snooper) port(id int) *port {
	if i, found := slices.BinarySearchFunc(s.ports, id, byID); found {
		return s.ports[i]
	}
	return nil
}

// Handle takes a message that came in by the port m.IfIndex.
func (s *Snooper) Handle(now time.Time, m *Message) {
	now = s.clock.set(now)
	s.advance(now)
	p, src := s.port(m.IfIndex), plain(m.Src)
	switch {
	case p == nil:
		s.stats.Ignored++
		return
	case m.Kind == KindQuery:
		s.query(now, p, src, m)
		return
	case m.Kind == KindRouter:
		s.neighbor(now, p, src, m.MaxResp)
		return
	case src != s.p.Unspecified && !s.p.reporter(src):
		// From the unspecified address reports count here (RFC 4541 section
		// 2.1.1, RFC 3590 section 4).
		s.stats.BadSource++
		return
	}
	switch m.Kind {
	case KindReport:
		if m.Generation < s.p.Oldest || m.Generation > V2 {
			s.stats.Ignored++
			return
		}
		if g, ok := s.reportable(m.Group); ok {
			if e := p.table.old(now, src, m.Generation, g); e != nil {
				p.table.settle(now, e)
			}
		}
	case KindLeave:
		s.record(now, p, src, ToIn, m.Group, nil)
	case KindStateReport:
		for i := range m.Records {
			r := &m.Records[i]
			s.record(now, p, src, r.Type, r.Group, r.Sources)
		}
	default:
		s.stats.Ignored++
	}
}

// record takes a group record. What is left ages, or ends when the querier's question
// passes and nobody answers.
func (s *Snooper) record(now time.Time, p *port, src netip.Addr, t RecordType, g netip.Addr, list []netip.Addr) {
	g, ok := s.reportable(g)
	if !ok {
		return
	}
	e, askGroup := p.table.record(now, src, t, g, list)
	if e == nil {
		return
	}
	if p.fast {
		for i := range e.sources {
			if e.sources[i].asked {
				e.sources[i].until = time.Time{}
			}
		}
		if askGroup {
			e.until = now
		}
	}
	p.table.settle(now, e)
}

func (s *Snooper) reportable(g netip.Addr) (netip.Addr, bool) {
	g = plain(g)
	if !g.IsValid() || !s.p.Covers(g) || s.p.Exempt(g) {
		s.stats.BadGroup++
		return g, false
	}
	return g, true
}

// query learns from a router's query.
func (s *Snooper) query(now time.Time, p *port, src netip.Addr, m *Message) {
	switch {
	case !s.p.querier(src):
		s.stats.BadQuerier++
		return
	case m.Generation < s.p.Oldest || m.Generation > V3 || m.MaxResp < 0 || m.specific() && !s.p.Covers(plain(m.Group)):
		s.stats.Ignored++
		return
	}
	s.stats.Queries++
	if !src.IsUnspecified() {
		s.learn(m)
		s.routerSeen(now, p, s.timers.otherQuerier())
	}
	// A query that the hosts did not get must not end what they want.
	if m.specific() && !m.Suppress && !m.elsewhere(plain(m.Group)) {
		wait := max(s.timers.lastMemberTime(), time.Duration(s.timers.lastMemberCount())*min(m.MaxResp, s.p.longestResp()))
		for _, p := range s.ports {
			p.table.lower(now, plain(m.Group), m.Sources, wait)
		}
	}
}

// learn takes over the querier's timers where they are longer than ours: shorter ones
// in a forged query would end memberships before their hosts are asked.
func (s *Snooper) learn(m *Message) {
	if m.specific() {
		return
	}
	s.heardGen, s.heardQRV, s.heardInterval, s.heardMaxResp = m.Generation, m.QRV, m.Interval, m.MaxResp
	s.timers = s.cfg.Timers
	if m.Generation == V3 {
		s.timers.Robustness = max(s.timers.Robustness, int(min(m.QRV, 7)))
		s.timers.QueryInterval = max(s.timers.QueryInterval, min(m.Interval, s.timers.MaxQueryInterval))
	}
	s.timers.QueryResponse = max(s.timers.QueryResponse, min(m.MaxResp, s.timers.MaxQueryInterval))
	for _, p := range s.ports {
		p.table.gmi = s.timers.membership()
	}
}

// neighbor learns from a router's advertisement (RFC 4541 section 2.1.1, 1a) or PIM
// hello. A goodbye is only counted, since another router may be behind the port, whose
// members a forged one would cut off: it ages, as any that has fallen silent.
func (s *Snooper) neighbor(now time.Time, p *port, src netip.Addr, hold time.Duration) {
	if src.IsUnspecified() || !s.p.querier(src) {
		s.stats.BadQuerier++
		return
	}
	if s.stats.Neighbors++; hold > 0 {
		s.routerSeen(now, p, min(hold, s.cfg.Timers.MaxQueryInterval))
	}
}

// RouterSeen tells of a router behind a port for the time hold, for those who know of
// it otherwise than by a message that Handle takes. Zero ends that at once.
func (s *Snooper) RouterSeen(now time.Time, id int, hold time.Duration) {
	now = s.clock.set(now)
	s.advance(now)
	if p := s.port(id); p != nil {
		if hold > 0 {
			s.routerSeen(now, p, hold)
			return
		}
		s.routerGone(p)
	}
}

func (s *Snooper) routerSeen(now time.Time, p *port, hold time.Duration) {
	if p.router.IsZero() && !p.static {
		s.events.add(Event{Kind: RouterPortAdded, IfIndex: p.id})
	}
	p.router = later(p.router, now.Add(hold))
}

func (s *Snooper) routerGone(p *port) {
	if !p.router.IsZero() && !p.static {
		s.events.add(Event{Kind: RouterPortRemoved, IfIndex: p.id})
	}
	p.router = time.Time{}
}

// Advance runs what is due.
func (s *Snooper) Advance(now time.Time) { s.advance(s.clock.set(now)) }

func (s *Snooper) advance(now time.Time) {
	if due(s.floodTo, now) {
		s.floodTo = time.Time{}
	}
	for _, p := range s.ports {
		if due(p.router, now) {
			s.routerGone(p)
		}
		p.table.advance(now, nil)
	}
}

// Next returns when Advance or Transmit has something to do, or the zero time.
func (s *Snooper) Next() time.Time {
	if len(s.asking) > 0 {
		return s.now
	}
	next := s.floodTo
	for _, p := range s.ports {
		next = earliest(next, earliest(p.router, p.table.schedule.first()))
	}
	return next
}

// Stats returns the counters so far.
func (s *Snooper) Stats() SnooperStats {
	v := s.stats
	v.LostEvents = s.events.lost
	return v
}

// Event gives the next event, with its port.
func (s *Snooper) Event(e *Event) bool {
	if s.events.poll(e) {
		return true
	}
	for _, p := range s.ports {
		if p.table.poll(e) {
			return true
		}
	}
	return false
}
