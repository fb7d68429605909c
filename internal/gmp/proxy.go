package gmp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// ProxyConfig holds a proxy's settings.
type ProxyConfig struct {
	// Upstream is the interface towards the root of the tree (RFC 4605 section
	// 2.1), and Host the host that the proxy is there. Without MaxGroups and
	// MaxSources it gets what all downstream interfaces may have together.
	Upstream int
	Host     HostConfig

	// Downstream are the other interfaces, at least one (section 2.2).
	Downstream []Downstream

	// AnyQuerier forwards to an interface although another router is its
	// querier: only for links that have no other proxy (section 3).
	AnyQuerier bool
}

// A Downstream is an interface on which a proxy is a router.
type Downstream struct {
	IfIndex int
	Router  RouterConfig // of the Host's profile
}

// A Proxy learns what the links downstream want, asks for all of it upstream as one
// host, and tells where packets go (RFC 4605). Message.IfIndex says which interface a
// message arrived at or leaves by.
type Proxy struct {
	clock
	upstream   int
	host       *Host
	down       []downstream // by index
	anyQuerier bool
	events     events
	refused    uint64
}

type downstream struct {
	index  int
	router *Router
}

// ProxyStats counts what a proxy did and saw.
type ProxyStats struct {
	Refused    uint64 // groups that found no room upstream
	LostEvents uint64 // events that nobody fetched, or that came too many at once
}

// NewProxy returns a proxy that has heard nothing.
func NewProxy(now time.Time, cfg ProxyConfig) (*Proxy, error) {
	if len(cfg.Downstream) == 0 {
		return nil, fmt.Errorf("%w: a proxy without downstream interface", ErrConfig)
	}
	p := &Proxy{clock: clock{now}, upstream: cfg.Upstream, anyQuerier: cfg.AnyQuerier}
	groups, sources := 0, 0
	for _, d := range cfg.Downstream {
		if d.Router.Profile != cfg.Host.Profile {
			return nil, fmt.Errorf("%w: interface %d has not the profile of the upstream interface", ErrConfig, d.IfIndex)
		}
		if d.IfIndex == cfg.Upstream || p.find(d.IfIndex) != nil {
			return nil, fmt.Errorf("%w: interface %d is there twice", ErrConfig, d.IfIndex)
		}
		r, err := NewRouter(now, d.Router)
		if err != nil {
			return nil, fmt.Errorf("interface %d: %w", d.IfIndex, err)
		}
		p.down = append(p.down, downstream{d.IfIndex, r})
		slices.SortFunc(p.down, func(a, b downstream) int { return a.index - b.index })
		groups += r.cfg.Limits.MaxGroups
		sources += r.cfg.Limits.MaxSources
	}
	// Two events for each change, and all may change at once.
	p.events.more = 4 * groups
	setDefault(&cfg.Host.MaxGroups, groups)
	setDefault(&cfg.Host.MaxSources, max(sources, 64))
	var err error
	if p.host, err = NewHost(now, cfg.Host); err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	p.settle(now)
	return p, nil
}

func (p *Proxy) find(index int) *Router {
	for i := range p.down {
		if p.down[i].index == index {
			return p.down[i].router
		}
	}
	return nil
}

// Upstream returns the host part, for its state and SetAddr; sockets of the proxy's
// own machine may join there too, with ids that are no downstream interface.
func (p *Proxy) Upstream() *Host { return p.host }

// Router returns the router part of a downstream interface, or nil.
func (p *Proxy) Router(index int) *Router { return p.find(index) }

// Handle takes a message that arrived at the interface m.IfIndex.
func (p *Proxy) Handle(now time.Time, m *Message) {
	now = p.clock.set(now)
	p.advance(now)
	if m.IfIndex == p.upstream {
		p.host.Handle(now, m)
	} else if r := p.find(m.IfIndex); r != nil {
		r.Handle(now, m)
	}
	p.settle(now)
}

// Advance runs what is due.
func (p *Proxy) Advance(now time.Time) {
	now = p.clock.set(now)
	p.advance(now)
	p.settle(now)
}

func (p *Proxy) advance(now time.Time) {
	p.host.Advance(now)
	for i := range p.down {
		p.down[i].router.Advance(now)
	}
}

// Next returns when Advance or Transmit has something to do, or the zero time.
func (p *Proxy) Next() time.Time {
	next := p.host.Next()
	for i := range p.down {
		next = earliest(next, p.down[i].router.Next())
	}
	return next
}

// Transmit gives the next message to send, by the interface m.IfIndex.
func (p *Proxy) Transmit(now time.Time, m *Message) bool {
	now = p.clock.set(now)
	if p.host.Transmit(now, m) {
		m.IfIndex = p.upstream
		return true
	}
	for i := range p.down {
		if d := &p.down[i]; d.router.Transmit(now, m) {
			m.IfIndex = d.index
			return true
		}
	}
	return false
}

// Shutdown leaves all groups upstream.
func (p *Proxy) Shutdown(now time.Time) {
	now = p.clock.set(now)
	p.host.Shutdown(now)
	p.settle(now)
}

// Event gives the next event, with the interface it belongs to.
func (p *Proxy) Event(e *Event) bool { return p.events.poll(e) }

// Stats returns the counters so far; those of its parts are at Upstream and Router.
func (p *Proxy) Stats() ProxyStats {
	return ProxyStats{Refused: p.refused, LostEvents: p.events.lost}
}

// settle carries what changed downstream to the membership database (RFC 4605
// section 4.1), which is the host's: every downstream interface is a socket of it,
// so that the host merges them by the rules of RFC 3376 section 3.2.
func (p *Proxy) settle(now time.Time) {
	var e Event
	for i := range p.down {
		d := &p.down[i]
		for d.router.Event(&e) {
			e.IfIndex = d.index
			p.events.add(e)
			switch e.Kind {
			case MembershipAdded, MembershipChanged, MembershipRemoved:
				if group.ScopeOf(e.Group) <= group.LinkLocal {
					continue // ends at the link
				}
				p.subscribe(now, d.index, e.Group, e.Filter)
				if p.forwards(d) {
					p.events.add(Event{Kind: ForwardingChanged, IfIndex: d.index, Group: e.Group, Filter: e.Filter})
				}
			case QuerierElected, QuerierLost:
				if !p.anyQuerier {
					p.events.add(Event{Kind: ForwardingChanged, IfIndex: d.index})
				}
			}
		}
	}
	for p.host.Event(&e) {
		e.IfIndex = p.upstream
		p.events.add(e)
	}
}

// subscribe hands a subscription to the host. One with too many sources becomes one
// for all senders, if the group allows it.
func (p *Proxy) subscribe(now time.Time, index int, g netip.Addr, f group.Filter) {
	err := p.host.SetFilter(now, uint64(index), g, f)
	if errors.Is(err, ErrLimit) && !f.IsEmpty() {
		err = p.host.SetFilter(now, uint64(index), g, group.Filter{Mode: group.Exclude})
	}
	if err != nil && !errors.Is(err, ErrShutdown) {
		// What was asked for before must not stay.
		_ = p.host.SetFilter(now, uint64(index), g, group.Filter{})
		if p.refused++; p.refused == 1 {
			p.events.add(Event{Kind: LimitReached, IfIndex: p.upstream, Group: g, Limit: LimitGroups})
		}
	}
}

// forwards reports whether packets go out of a downstream interface at all.
func (p *Proxy) forwards(d *downstream) bool { return p.anyQuerier || d.router.IsQuerier() }

// Outgoing appends the interfaces that a packet from src to g, which arrived at the
// interface in, is sent out of (RFC 4605 section 4.2): upstream, unless it came from
// there, and downstream where it is wanted and this proxy is the querier. In
// ascending order but for the upstream interface, which comes first. Groups that end
// at the link go nowhere.
func (p *Proxy) Outgoing(dst []int, in int, src, g netip.Addr) []int {
	g = plain(g)
	if !p.host.p.Covers(g) || group.ScopeOf(g) <= group.LinkLocal || in != p.upstream && p.find(in) == nil {
		return dst
	}
	if in != p.upstream {
		dst = append(dst, p.upstream)
	}
	for i := range p.down {
		if d := &p.down[i]; d.index != in && p.forwards(d) && d.router.Forward(src, g) {
			dst = append(dst, d.index)
		}
	}
	return dst
}

// Database returns the membership record of a group (RFC 4605 section 2.5). Its
// sources must not be changed.
func (p *Proxy) Database(g netip.Addr) group.Filter { return p.host.Filter(g) }
