package igmp

import (
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/gmp"
	"github.com/gomulticast/multicast/mcast/datagram"
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
	Router  RouterConfig
}

// A Proxy learns what the links downstream want, asks for all of it upstream as one
// host, and tells where packets go (RFC 4605); it moves none itself. It is an engine,
// as [Host] is, for several interfaces: Packet.IfIndex says by which a packet comes
// and goes. [RunProxy] drives it on a connection for each.
type Proxy struct {
	engine   *gmp.Proxy
	upstream int
	host     *Host
	routers  []proxyPort // in the order of the configuration
	foreign  uint64
	out      gmp.Message
}

// A proxyPort is the part of a proxy on a downstream interface.
type proxyPort struct {
	index  int
	router *Router
}

// ProxyStats counts what a proxy did and saw; more is at Upstream and Router.
type ProxyStats struct {
	Foreign    uint64 // packets of an interface that is not the proxy's
	Refused    uint64 // groups that found no room upstream
	LostEvents uint64 // that nobody fetched, or that came too many at once
}

// NewProxy returns a proxy that has heard nothing. Its error wraps ErrConfig.
func NewProxy(now time.Time, cfg ProxyConfig) (*Proxy, error) {
	host, err := cfg.Host.engine()
	if err != nil {
		return nil, err
	}
	c := gmp.ProxyConfig{Upstream: cfg.Upstream, Host: host, AnyQuerier: cfg.AnyQuerier}
	for _, d := range cfg.Downstream {
		router, err := d.Router.engine()
		if err != nil {
			return nil, err
		}
		c.Downstream = append(c.Downstream, gmp.Downstream{IfIndex: d.IfIndex, Router: router})
	}
	engine, err := gmp.NewProxy(now, c)
	if err != nil {
		return nil, err
	}
	p := &Proxy{engine: engine, upstream: cfg.Upstream}
	p.host = &Host{newCodec(cfg.Host.Policy, PolicyRFC, cfg.Host.Networks), engine.Upstream()}
	for _, d := range cfg.Downstream {
		p.routers = append(p.routers, proxyPort{d.IfIndex, &Router{newCodec(d.Router.Policy, PolicyRFC, d.Router.Networks), engine.Router(d.IfIndex)}})
	}
	return p, nil
}

// Upstream returns the host part, for its state and SetAddr; the proxy's own machine
// may SetFilter there too, with socket numbers that are no downstream interface. The
// proxy handles its packets and events.
func (p *Proxy) Upstream() *Host { return p.host }

// Router returns the router part of a downstream interface, or nil. The proxy handles
// its packets and events.
func (p *Proxy) Router(ifIndex int) *Router {
	for _, d := range p.routers {
		if d.index == ifIndex {
			return d.router
		}
	}
	return nil
}

// codec returns what reads and writes the packets of an interface, or nil.
func (p *Proxy) codec(ifIndex int) *codec {
	if ifIndex == p.upstream {
		return &p.host.codec
	}
	if r := p.Router(ifIndex); r != nil {
		return &r.codec
	}
	return nil
}

// Handle takes a whole IP packet that arrived at the interface p.IfIndex.
func (p *Proxy) Handle(now time.Time, packet *datagram.Packet) {
	c := p.codec(packet.IfIndex)
	if c == nil {
		p.foreign++
		return
	}
	if m := c.read(packet); m != nil {
		p.engine.Handle(now, m)
	}
}

// Advance runs what is due.
func (p *Proxy) Advance(now time.Time) { p.engine.Advance(now) }

// Next returns when Advance or Transmit has something to do, or the zero time.
func (p *Proxy) Next() time.Time { return p.engine.Next() }

// Transmit appends the next packet to send, from its IP header on, to packet.Data[:0]
// and sets IfIndex to the interface to send it by.
func (p *Proxy) Transmit(now time.Time, packet *datagram.Packet) bool {
	for p.engine.Transmit(now, &p.out) {
		if p.codec(p.out.IfIndex).write(packet, &p.out) {
			return true
		}
	}
	return false
}

// Shutdown leaves all groups upstream. Done tells when the last message about it is
// out.
func (p *Proxy) Shutdown(now time.Time) { p.engine.Shutdown(now) }

// Done reports whether Shutdown was called and all has been said.
func (p *Proxy) Done() bool { return p.host.Done() }

// Event returns the next event, with the interface it belongs to.
func (p *Proxy) Event() (Event, bool) { return eventOf(p.engine) }

// Outgoing appends the interfaces that a packet from src to g, which arrived at the
// interface in, is sent out of (RFC 4605 section 4.2): upstream, unless it came from
// there, and downstream where it is wanted and this proxy is the querier. In
// ascending order but for the upstream interface, which comes first. Groups that end
// at the link go nowhere.
func (p *Proxy) Outgoing(dst []int, in int, src, g netip.Addr) []int {
	return p.engine.Outgoing(dst, in, src, g)
}

// Database returns the membership record of a group (RFC 4605 section 2.5). Its
// sources must not be changed.
func (p *Proxy) Database(g netip.Addr) group.Filter { return p.engine.Database(g) }

// Stats returns the counters so far.
func (p *Proxy) Stats() ProxyStats {
	s := p.engine.Stats()
	return ProxyStats{Foreign: p.foreign, Refused: s.Refused, LostEvents: s.LostEvents}
}
