package mcast

import (
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/gomulticast/multicast/mcast/group"
)

// An Option changes how a connection is opened. A bad value is reported by Open,
// Listen or Dial.
type Option func(*config) error

// config is what the options and the address say, and what was resolved from
// them.
type config struct {
	sources    []netip.Addr
	ifaces     []string // as given
	allIfaces  bool
	ttl        int
	loopback   bool
	tos        int
	unicast    bool
	multiGroup bool
	funnel     bool
	anySSM     bool

	ioConfig

	join  bool           // Open, Listen
	send  bool           // Open, Dial
	group netip.AddrPort // canonical
	ifi   net.Interface  // the first, to send on, as it was when opened
	src   netip.Addr     // to send from, when Interface named an address

	several bool                           // more than one interface, now or later
	now     *atomic.Pointer[net.Interface] // the first as it is now; nil before it changed

	onEvent func(Event)
	watch   func(is4 bool) (watcher, error)
}

// link returns the interface to send on, as it is now.
func (c *config) link() *net.Interface {
	if c.now != nil {
		if ifi := c.now.Load(); ifi != nil {
			return ifi
		}
	}
	return &c.ifi
}

// move changes the interface to send on.
func (c *config) move(ifi *net.Interface) {
	copied := *ifi
	c.now.Store(&copied)
}

func defaults() config {
	return config{ttl: 1, loopback: true, ioConfig: ioDefaults(), watch: newWatch}
}

// wildcard reports whether the socket must be bound to no address, because it
// receives more than its one group, or a group whose bind would name an interface
// on more than one of them.
func (c *config) wildcard() bool {
	return c.unicast || c.multiGroup || !c.join || c.several && needsZone(c.group.Addr())
}

func needsZone(g netip.Addr) bool { return g.Is6() && group.ScopeOf(g).NeedsZone() }

// receives reports whether ReadBatch makes sense.
func (c *config) receives() bool { return c.join || c.unicast }

// filter is what Open and Listen join.
func (c *config) filter() group.Filter {
	if len(c.sources) == 0 {
		return anySource
	}
	return group.Filter{Sources: c.sources}.Canonical()
}

// Source joins source-specifically: only packets from addr are received
// (RFC 4607). Give it several times for several senders. It has no meaning for
// Dial.
func Source(addr string) Option {
	return func(c *config) error {
		a, err := netip.ParseAddr(addr)
		if err != nil {
			return fail(ErrBadSource, err, `write the source as an IP address, as in mcast.Source("192.0.2.10")`)
		}
		c.sources = append(c.sources, a.Unmap())
		return nil
	}
}

// Interface chooses the network interface to join and send on, by name ("eth0"),
// by index ("3") or by one of its addresses ("192.0.2.1"). With an address,
// packets to groups are also sent from that address. Without Interface, the
// group's zone chooses ("[ff02::1%eth0]:5004"), else the routing table.
//
// Give it several times to join on several interfaces; packets whose IfIndex is 0
// leave by the first. An interface is followed by its name from then on: deleted and
// made again under the name it had, it is joined again.
func Interface(name string) Option {
	return func(c *config) error {
		if name == "" {
			return fail(ErrNoInterface, nil, "give mcast.Interface a name, index or address, or leave it out to choose by route")
		}
		c.ifaces = append(c.ifaces, name)
		return nil
	}
}

// AllInterfaces joins on every interface that is up, has the MULTICAST flag and an
// address of the group's IP version, those that come to be so later included. Where
// one must be chosen, packets whose IfIndex is 0 leave by the one that the route to
// the group names, or else the first by index. At least one must be there.
func AllInterfaces() Option {
	return func(c *config) error { c.allIfaces = true; return nil }
}

// OnEvent calls f when something happens to the connection's interfaces and
// memberships, after it was opened. Calls come one after the other, from a goroutine
// of the connection's. f may call any method, but while it does not return no other
// change is noticed. One call may still be under way after Close has returned.
func OnEvent(f func(Event)) Option {
	return func(c *config) error { c.onEvent = f; return nil }
}

// TTL sets how many routers a packet to a group may pass, plus one: the IPv4 TTL
// or IPv6 hop limit, 0 to 255. The default of 1 keeps packets on the local
// network; 0 keeps them on the host. Unicast packets keep the system's default.
func TTL(n int) Option {
	return func(c *config) error {
		if n < 0 || n > 255 {
			return fail(ErrOption, nil, "give mcast.TTL a number from 0 to 255")
		}
		c.ttl = n
		return nil
	}
}

// Loopback sets whether packets sent to a group also reach programs on this
// host, this one included, that joined it. The default is on. On Windows the
// system applies it to what the connection receives instead.
func Loopback(on bool) Option {
	return func(c *config) error { c.loopback = on; return nil }
}

// marked is the octet that a packet leaves with: of its own, if it has only ECN, and the
// connection's DSCP.
func (c *config) marked(tos uint8) int {
	if tos>>2 == 0 {
		return int(tos) | c.tos&^3
	}
	return int(tos)
}

// TOS sets the IPv4 TOS or IPv6 traffic class octet of packets sent, 0 to 255:
// DSCP in the upper six bits, ECN in the lower two (RFC 2474 section 3, RFC 3168
// section 5). The default is 0. A Windows that cannot send it makes opening fail with
// an UnsupportedError.
func TOS(n int) Option {
	return func(c *config) error {
		if n < 0 || n > 255 {
			return fail(ErrOption, nil, "give mcast.TOS a number from 0 to 255")
		}
		c.tos = n
		return nil
	}
}

// MultiGroup lets Join add further groups. The connection is then bound to no
// group in particular, and the destination of each packet is checked instead.
//
// On Linux there may be any number of groups, and of sources in an INCLUDE filter:
// when the kernel allows one socket no more (20 groups over IPv4, 10 and 64 sources),
// further sockets are opened and read in turn, and closed when they hold nothing any
// more. The kernel's filters stay exact. Each socket has a receive buffer of its own,
// and packets of groups on different sockets may change their order.
func MultiGroup() Option {
	return func(c *config) error { c.multiGroup = true; return nil }
}

// Funnel is MultiGroup in another way: all packets come through one socket, in
// order, while helper sockets without a port hold the memberships. Group, source and
// interface of each packet are compared after it was copied, so whatever else this
// host's programs join at the same port costs time (it is counted as Foreign), and so
// do sources that another program joined of a group that is joined here
// source-specifically: the kernel no longer filters for this socket. An EXCLUDE filter
// may have any number of sources. Linux only.
func Funnel() Option {
	return func(c *config) error { c.funnel, c.multiGroup = true, true; return nil }
}

// Unicast also receives packets sent to this host's own addresses at the
// connection's port, such as answers to what was sent to the group, from any
// interface. The port is the group's, or with Dial one that the system picks. Any
// number of programs can share a group's port, but a unicast packet goes to just
// one of them, which one is for the system to choose: when several programs on a
// host need answers, let those that only send use Dial.
func Unicast() Option {
	return func(c *config) error { c.unicast = true; return nil }
}

// AllowAnySourceInSSM permits joining a group in 232.0.0.0/8 or ff3x::/32 without
// a source. Routers ignore such joins (RFC 4604 section 2.2.1), so it is of use
// on one link only, to monitors for instance.
func AllowAnySourceInSSM() Option {
	return func(c *config) error { c.anySSM = true; return nil }
}
