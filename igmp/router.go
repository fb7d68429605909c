package igmp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/internal/gmp"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// RouterConfig holds a router's settings. Zero fields take the default in their
// comment.
type RouterConfig struct {
	// Addr is the interface's address, by which queriers are elected: the lowest
	// wins. Without one the router asks from 0.0.0.0, as a switch does, and gives
	// way to everyone.
	Addr netip.Addr

	// Networks are those of the interface: who is in none of them is OffLink.
	// Default: nobody is.
	Networks []netip.Prefix

	// Policy says which packets are refused. Default PolicyRFC.
	Policy Violations

	// MTU bounds the size of a query in bytes, at least 576. Default 1,500.
	MTU int

	// Timers are those of RFC 3376 section 8.
	Timers Timers

	// Version is the protocol that is spoken: 2 or 1 for a link with a router
	// that knows no other, on all its routers alike (RFC 3376 section 7.3.1).
	// Default 3.
	Version uint8

	// Lightweight keeps the state of RFC 5790 section 5, which excludes no
	// sources.
	Lightweight bool

	// SSM is the source-specific range. Default 232.0.0.0/8 (RFC 4604 section
	// 3).
	SSM []netip.Prefix

	// Tracking keeps what each host reported (RFC 3376 appendix A.2).
	Tracking bool

	// FastLeave, with Tracking, ends a membership without asking when the last
	// host known of says that it leaves. It is done only when all hosts of the
	// group should be known: no older host and none without address among them,
	// and the router up for a group membership interval.
	FastLeave bool

	// Limits bound the state.
	Limits Limits
}

func (c *RouterConfig) engine() (gmp.RouterConfig, error) {
	return gmp.RouterConfig{
		Profile: &gmp.IGMP, Addr: c.Addr, MTU: c.MTU, Timers: gmp.Timers(c.Timers), Generation: generation(c.Version),
		Lightweight: c.Lightweight, SSM: c.SSM, Tracking: c.Tracking, FastLeave: c.FastLeave, Limits: gmp.TableLimits(c.Limits),
	}, checkVersion(c.Version)
}

// A Router learns what the hosts on one link want to receive, and asks them if it is
// the link's querier (RFC 3376 sections 6 and 7.3). It is an engine, as [Host] is.
// [RunRouter] drives it on a connection.
type Router struct {
	codec
	engine *gmp.Router
}

// RouterStats counts what a router did and saw.
type RouterStats struct {
	TableStats
	Packets    PacketStats // that did not get as far
	Queries    uint64      // of other routers, taken
	Ignored    uint64      // messages that are not for routers, or impossible
	BadQuerier uint64      // queries from an address that cannot be a querier's
	Sent       uint64      // queries
	LostEvents uint64      // that nobody fetched
}

// NewRouter returns a router that has heard nothing. It takes itself for the querier
// and asks at once (RFC 3376 section 6.6.2). Its error wraps ErrConfig.
func NewRouter(now time.Time, cfg RouterConfig) (*Router, error) {
	c, err := cfg.engine()
	if err != nil {
		return nil, err
	}
	r, err := gmp.NewRouter(now, c)
	if err != nil {
		return nil, err
	}
	return &Router{newCodec(cfg.Policy, PolicyRFC, cfg.Networks), r}, nil
}

// SetAddr tells the router that the interface has another address.
func (r *Router) SetAddr(now time.Time, a netip.Addr) { r.engine.SetAddr(now, a) }

// SetNetworks replaces RouterConfig.Networks, when those of the interface have changed.
func (r *Router) SetNetworks(networks []netip.Prefix) { r.networks = slices.Clone(networks) }

// IsQuerier reports whether this router is the link's querier, as far as it knows.
func (r *Router) IsQuerier() bool { return r.engine.IsQuerier() }

// Querier returns the address of the link's querier, this router's own if that is
// it.
func (r *Router) Querier() netip.Addr { return r.engine.Querier() }

// Timers returns the timers in use: the robustness and query interval are the
// querier's.
func (r *Router) Timers() Timers { return Timers(r.engine.Timers()) }

// Filter returns what the link wants of a group, and INCLUDE {} if that is nothing.
func (r *Router) Filter(g netip.Addr) group.Filter { return r.engine.Filter(g) }

// Forward reports whether packets from src to g are wanted on the link (RFC 3376
// section 6.3). It allocates nothing.
func (r *Router) Forward(src, g netip.Addr) bool { return r.engine.Forward(src, g) }

// Groups appends the groups that are wanted, in ascending order.
func (r *Router) Groups(dst []netip.Addr) []netip.Addr { return r.engine.Groups(dst) }

// State returns all that is known of a group; false if that is nothing.
func (r *Router) State(g netip.Addr) (GroupState, bool) { return stateOf(r.engine.State(g)) }

// Reporters appends the hosts known to want something of a group, in ascending
// order; none without Tracking.
func (r *Router) Reporters(dst []netip.Addr, g netip.Addr) []netip.Addr {
	return r.engine.Reporters(dst, g)
}

// Usage returns how much state there is: groups, sources in them, and tracked hosts
// with their sources.
func (r *Router) Usage() (groups, sources, tracked int) { return r.engine.Usage() }

// Handle takes a whole IP packet that arrived.
func (r *Router) Handle(now time.Time, p *datagram.Packet) {
	if m := r.read(p); m != nil {
		r.engine.Handle(now, m)
	}
}

// Advance runs what is due.
func (r *Router) Advance(now time.Time) { r.engine.Advance(now) }

// Next returns when Advance or Transmit has something to do, or the zero time.
func (r *Router) Next() time.Time { return r.engine.Next() }

// Transmit appends the next packet to send, from its IP header on, to p.Data[:0].
func (r *Router) Transmit(now time.Time, p *datagram.Packet) bool {
	for r.engine.Transmit(now, &r.out) {
		r.out.IfIndex = 0
		if r.write(p, &r.out) {
			return true
		}
	}
	return false
}

// Event returns the next event.
func (r *Router) Event() (Event, bool) { return eventOf(r.engine) }

// Stats returns the counters so far.
func (r *Router) Stats() RouterStats {
	s := r.engine.Stats()
	return RouterStats{
		TableStats: TableStats(s.TableStats), Packets: r.stats, Queries: s.Queries, Ignored: s.Ignored,
		BadQuerier: s.BadQuerier, Sent: s.Sent, LostEvents: s.LostEvents,
	}
}
