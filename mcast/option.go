package mcast

import (
	"net"
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// defaultReadBuffer is what SO_RCVBUF is asked to be: 40 ms of a 800 Mbit/s
// stream. The usual system default of 208 KiB holds 2 ms.
const defaultReadBuffer = 4 << 20

// An Option changes how a connection is opened. A bad value is reported by Open,
// Listen or Dial.
type Option func(*config) error

// config is what the options and the address say, and what was resolved from
// them.
type config struct {
	sources     []netip.Addr
	iface       string // as given
	ttl         int
	loopback    bool
	tos         int
	readBuffer  int
	writeBuffer int
	offload     offloadMode
	unicast     bool
	multiGroup  bool
	anySSM      bool

	join  bool           // Open, Listen
	send  bool           // Open, Dial
	group netip.AddrPort // canonical
	ifi   net.Interface
	src   netip.Addr // to send from, when Interface named an address
}

type offloadMode uint8

const (
	offloadAuto offloadMode = iota
	offloadOn
	offloadOff
)

func defaults() config {
	return config{ttl: 1, loopback: true, readBuffer: defaultReadBuffer}
}

// wildcard reports whether the socket must be bound to no address, because it
// receives more than its one group.
func (c *config) wildcard() bool { return c.unicast || c.multiGroup || !c.join }

// receives reports whether ReadBatch makes sense.
func (c *config) receives() bool { return c.join || c.unicast }

// channels lists what Open and Listen join.
func (c *config) channels() []group.Channel {
	if len(c.sources) == 0 {
		return []group.Channel{{Group: c.group.Addr()}}
	}
	chs := make([]group.Channel, len(c.sources))
	for i, s := range c.sources {
		chs[i] = group.Channel{Group: c.group.Addr(), Source: s}
	}
	return chs
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
func Interface(name string) Option {
	return func(c *config) error {
		if name == "" {
			return fail(ErrNoInterface, nil, "give mcast.Interface a name, index or address, or leave it out to choose by route")
		}
		c.iface = name
		return nil
	}
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

// TOS sets the IPv4 TOS or IPv6 traffic class octet of packets sent, 0 to 255:
// DSCP in the upper six bits, ECN in the lower two (RFC 2474 section 3, RFC 3168
// section 5). The default is 0.
func TOS(n int) Option {
	return func(c *config) error {
		if n < 0 || n > 255 {
			return fail(ErrOption, nil, "give mcast.TOS a number from 0 to 255")
		}
		c.tos = n
		return nil
	}
}

// ReadBuffer sets how many bytes the kernel may queue for this connection. The
// default is 4 MiB. Without CAP_NET_ADMIN Linux gives at most net.core.rmem_max
// and reports no error; Conn.ReadBuffer tells what was got.
func ReadBuffer(bytes int) Option {
	return func(c *config) error {
		if bytes <= 0 || bytes > 1<<30 {
			return fail(ErrOption, nil, "give mcast.ReadBuffer a size from 1 byte to 1 GiB")
		}
		c.readBuffer = bytes
		return nil
	}
}

// WriteBuffer sets how many bytes may wait in the kernel to be sent. The default
// is the system's. Limits are as for ReadBuffer (net.core.wmem_max).
func WriteBuffer(bytes int) Option {
	return func(c *config) error {
		if bytes <= 0 || bytes > 1<<30 {
			return fail(ErrOption, nil, "give mcast.WriteBuffer a size from 1 byte to 1 GiB")
		}
		c.writeBuffer = bytes
		return nil
	}
}

// Offload sets whether the kernel's segmentation offload (UDP_SEGMENT, UDP_GRO)
// is used. The default is yes where the kernel has it and is not known to corrupt
// packets with it (Linux 7.0 to 7.1.4 does on some network cards). On asks for it
// there too; off never uses it.
func Offload(on bool) Option {
	return func(c *config) error {
		c.offload = offloadOff
		if on {
			c.offload = offloadOn
		}
		return nil
	}
}

// MultiGroup lets Join add further groups. The connection is then bound to no
// group in particular, and the destination of each packet is checked instead.
func MultiGroup() Option {
	return func(c *config) error { c.multiGroup = true; return nil }
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
