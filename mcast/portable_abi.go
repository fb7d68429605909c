package mcast

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"

	"github.com/gomulticast/multicast/mcast/group"
)

// connABI is the socket of a system whose abi is known: options by number, control
// messages through package net's ReadMsgUDP and WriteMsgUDP.
type connABI struct {
	a   *abi
	p   *ipABI
	udp *net.UDPConn
	raw syscall.RawConn

	in  []byte // nil when nothing was asked for
	out []byte
	tos int // sent with each packet, where that is how it is done
}

// controlSpace is room for all control messages of one packet. The most that was
// asked for is 120 bytes (IPv6 on a 64-bit machine: pktinfo 40, hop limit 24, class
// 24, timestamp 32).
const controlSpace = 256

func newABIConn(c *net.UDPConn, a *abi, is4 bool) (*connABI, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &connABI{a: a, p: a.of(is4), udp: c, raw: raw}, nil
}

// set sets an option. errors.ErrUnsupported means that the system has none.
func (c *connABI) set(level, opt int, value []byte, name string) error {
	if opt == 0 {
		return errors.ErrUnsupported
	}
	var err error
	if cerr := c.raw.Control(func(fd uintptr) {
		err = os.NewSyscallError("setsockopt "+name, setsockopt(fd, level, opt, value))
	}); cerr != nil {
		return cerr
	}
	return err
}

// ask asks for a control message and reports whether it will come.
func (c *connABI) ask(level int, m message) bool {
	if m.typ == 0 || c.set(level, m.option, number(1, 4), "what arrives") != nil {
		return false
	}
	if c.in == nil {
		c.in = make([]byte, controlSpace)
	}
	return true
}

func (c *connABI) controls() Capabilities {
	p := c.p
	return Capabilities{
		Destination: c.ask(p.level, p.pktinfo) || c.ask(p.level, p.recvDst) && c.ask(p.level, p.recvIf),
		HopLimit:    c.ask(p.level, p.recvHops),
		TOS:         c.ask(p.level, p.recvTOS),
		Timestamps:  c.ask(c.a.solSocket, c.a.timestamp),
	}
}

func (c *connABI) read(b []byte) (n int, src netip.AddrPort, o origin, err error) {
	n, oobn, _, src, err := c.udp.ReadMsgUDPAddrPort(b, c.in)
	c.a.parse(c.in[:max(0, min(oobn, len(c.in)))], &o)
	return n, src, o, err
}

func (c *connABI) sources() bool    { return c.p.sendSource }
func (c *connABI) interfaces() bool { return c.p.sendInterface }

func (c *connABI) write(b []byte, src netip.Addr, ifindex int, to netip.AddrPort) error {
	if src.IsValid() && !c.p.sendSource {
		return unsupported("a source address per packet")
	}
	c.out = c.a.appendSource(c.out[:0], c.p, src, ifindex)
	if c.tos != 0 {
		c.out = c.a.appendMessage(c.out, c.p.level, c.p.tosType, number(c.tos, 4))
	}
	_, _, err := c.udp.WriteMsgUDPAddrPort(b, c.out, to)
	return err
}

func (c *connABI) join(ifi *net.Interface, ch group.Channel) error {
	opt, name := c.a.joinGroup, "MCAST_JOIN_GROUP"
	if !ch.AnySource() {
		opt, name = c.a.joinSourceGroup, "MCAST_JOIN_SOURCE_GROUP"
	}
	err := c.request(opt, ifi, ch, name)
	if c.a.joinAgain && isNoMemory(err) {
		err = c.request(opt, ifi, ch, name)
	}
	return err
}

func (c *connABI) leave(ifi *net.Interface, ch group.Channel) error {
	if ch.AnySource() {
		return c.request(c.a.leaveGroup, ifi, ch, "MCAST_LEAVE_GROUP")
	}
	return c.request(c.a.leaveSourceGroup, ifi, ch, "MCAST_LEAVE_SOURCE_GROUP")
}

func (c *connABI) block(ifi *net.Interface, ch group.Channel) error {
	return c.request(c.a.blockSource, ifi, ch, "MCAST_BLOCK_SOURCE")
}

func (c *connABI) unblock(ifi *net.Interface, ch group.Channel) error {
	return c.request(c.a.unblockSource, ifi, ch, "MCAST_UNBLOCK_SOURCE")
}

func (c *connABI) request(opt int, ifi *net.Interface, ch group.Channel, name string) error {
	return c.set(c.p.level, opt, c.a.groupReq(ifi.Index, ch), name)
}

func (c *connABI) setInterface(ifi *net.Interface) error {
	return c.set(c.p.level, c.p.multicastIf, c.p.outgoing(ifi.Index), c.name("IP_MULTICAST_IF", "IPV6_MULTICAST_IF"))
}

func (c *connABI) setLoopback(on bool) error {
	n := 0
	if on {
		n = 1
	}
	return c.set(c.p.level, c.p.multicastLoop, number(n, 4), c.name("IP_MULTICAST_LOOP", "IPV6_MULTICAST_LOOP"))
}

func (c *connABI) setTOS(n int) error {
	switch {
	case c.p.tos != 0:
		return c.set(c.p.level, c.p.tos, number(n, 4), c.name("IP_TOS", "IPV6_TCLASS"))
	case n != 0 && (!c.p.tosMessage || !sendsTOS()):
		return fail(unsupported("to set the TOS"), nil, "leave mcast.TOS out and mark the packets by the system's QoS policy")
	}
	c.tos = n
	return nil
}

func (c *connABI) setHopLimit(n int, unicast bool) error {
	if unicast {
		return c.set(c.p.level, c.p.unicastHops, number(n, 4), c.name("IP_TTL", "IPV6_UNICAST_HOPS"))
	}
	return c.set(c.p.level, c.p.multicastHops, number(n, c.p.hopsSize), c.name("IP_MULTICAST_TTL", "IPV6_MULTICAST_HOPS"))
}

func (c *connABI) hopLimit(unicast bool) (n int, err error) {
	opt, name := c.p.multicastHops, c.name("IP_MULTICAST_TTL", "IPV6_MULTICAST_HOPS")
	if unicast {
		opt, name = c.p.unicastHops, c.name("IP_TTL", "IPV6_UNICAST_HOPS")
	}
	if cerr := c.raw.Control(func(fd uintptr) {
		n, err = getsockoptInt(fd, c.p.level, opt)
	}); cerr != nil {
		return 0, cerr
	}
	return n, os.NewSyscallError("getsockopt "+name, err)
}

// name is an option's name of this IP version, for errors.
func (c *connABI) name(v4, v6 string) string {
	if c.p.level == ipv6Level {
		return v6
	}
	return v4
}
