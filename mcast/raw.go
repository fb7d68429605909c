package mcast

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// RawProtocol is a protocol that a [RawConn] hears.
type RawProtocol uint8

// Protocols of a RawConn.
const (
	RawIGMP RawProtocol = iota + 1 // IGMP and what shares its number, IPv4 protocol 2
	RawMLD                         // MLD and Multicast Router Discovery, ICMPv6 types 130 to 132, 143 and 151 to 153
	RawPIM                         // PIM version 2 over IPv4 and IPv6, protocol 103: its hellos tell a switch of routers
	RawCGMP                        // Cisco's frames from routers to switches, IEEE 802.3 to 01:00:0c:dd:dd:dd; see [RawConn]
	RawGMRP                        // frames from stations to switches, IEEE 802.3 to 01:80:c2:00:00:20; see [RawConn]
)

var rawNames = [...]string{RawIGMP: "IGMP", RawMLD: "MLD", RawPIM: "PIM", RawCGMP: "CGMP", RawGMRP: "GMRP"}

// String returns the protocol's name, as in "IGMP".
func (p RawProtocol) String() string {
	if int(p) < len(rawNames) && rawNames[p] != "" {
		return rawNames[p]
	}
	return "RawProtocol(" + strconv.Itoa(int(p)) + ")"
}

// A rawSet is a set of RawProtocols, a bit for each.
type rawSet uint

// frames reports whether the protocols in the set are right on Ethernet.
func (s rawSet) frames() bool { return s&rawFrames != 0 }

const (
	rawFrames  rawSet = 1<<RawCGMP | 1<<RawGMRP
	rawDefault rawSet = 1<<RawIGMP | 1<<RawMLD
)

// rawSetOf makes a set of the protocols named.
func rawSetOf(protocols []RawProtocol) (set rawSet, err error) {
	for _, p := range protocols {
		if p == 0 || int(p) >= len(rawNames) {
			return 0, fail(ErrOption, nil, "%v is none; use mcast.RawIGMP, RawMLD, RawPIM, RawCGMP or RawGMRP", p)
		}
		set |= 1 << p
	}
	if set.frames() && set&^rawFrames != 0 {
		return 0, fail(ErrOption, nil, "CGMP and GMRP are frames and the others are packets; open a connection for each kind")
	}
	if set == 0 {
		set = rawDefault
	}
	return set, nil
}

// A RawConn hears the messages of group management protocols on one link, whoever
// they are for, and sends such messages. It is what queriers, proxies, monitors and hosts with a group
// management of their own need; a program that just wants a group uses [Open], and
// the kernel reports for it.
//
// CGMP and GMRP have no IP: a connection for them reads Ethernet frames where others
// read IP packets, and only reads.
//
// It implements [datagram.Conn]. ReadBatch and WriteBatch may run at the same time;
// calls of the same one take turns. All other methods may be called at any time from
// any goroutine.
type RawConn struct {
	ifi    net.Interface
	set    rawSet
	sock   rawSocket
	count  counters
	closed atomic.Bool
}

var _ datagram.Conn = (*RawConn)(nil)

// OpenRaw opens an interface, by name, index or address, for the protocols named, or
// for IGMP and MLD if none is. It works on Linux only, where it needs CAP_NET_RAW;
// elsewhere the error is an [UnsupportedError]. CGMP and GMRP, which go with no other
// protocol, need an interface with Ethernet addresses; ErrOption says that it has none.
//
// Reports of IGMPv1, IGMPv2 and MLDv1 are sent to the group they are about, which
// the network card may not let in: all multicast is asked for as long as the
// connection is open, for frames their two addresses. The kernel's own group management goes on as it does, and does
// not hear what is sent here.
//
// ctx bounds the call, not the connection's life.
func OpenRaw(ctx context.Context, iface string, protocols ...RawProtocol) (*RawConn, error) {
	c, err := openRaw(ctx, iface, protocols)
	if err != nil {
		var e OpError
		if e.Interface = iface; c != nil {
			e.Interface = c.ifi.Name
		}
		return nil, opError("open raw", err, e)
	}
	return c, nil
}

func openRaw(ctx context.Context, iface string, protocols []RawProtocol) (*RawConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := new(RawConn)
	var err error
	if c.set, err = rawSetOf(protocols); err != nil {
		return nil, err
	}
	if c.ifi, _, err = findInterface(iface); err != nil {
		return nil, err
	}
	return c, c.sock.open(&c.ifi, c.set, &c.count)
}

// Interface returns the interface as it was when the connection was opened.
func (c *RawConn) Interface() net.Interface { return c.ifi }

// Addr returns the address that messages are sent from on this interface: the
// primary IPv4 address, or the link-local IPv6 address, without a zone (RFC 3376
// section 4.2.13, RFC 3810 section 5.1.14). It is the zero Addr when there is none
// now.
func (c *RawConn) Addr(is4 bool) (a netip.Addr) {
	c.sock.inNamespace(func() error {
		for _, b := range addrsOf(&c.ifi) {
			if b.Is4() == is4 && (is4 || b.IsLinkLocalUnicast()) {
				a = b.WithZone("")
				break
			}
		}
		return nil
	})
	return a
}

// Networks returns the networks of the interface's addresses of a family, as they are
// now: who is in none of them is not on the link (RFC 3376 section 9.2).
func (c *RawConn) Networks(is4 bool) (list []netip.Prefix) {
	c.sock.inNamespace(func() error {
		addrs, err := c.ifi.Addrs()
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			ip, _ := netip.AddrFromSlice(n.IP)
			bits, size := n.Mask.Size()
			if ip = ip.Unmap(); ip.Is4() == is4 && size == ip.BitLen() {
				list = append(list, netip.PrefixFrom(ip, bits).Masked())
			}
		}
		return err
	})
	return list
}

// SetOutgoing makes the connection hear what this host itself sends, too, as a
// monitor wants; its own writes it never hears. Off at first: for who takes part,
// they are another's. What is queued already stays.
func (c *RawConn) SetOutgoing(on bool) error {
	return c.error("set outgoing", c.sock.setOutgoing(on))
}

// ReadBatch blocks until at least one packet has arrived and fills ps[:n] with what
// has arrived by then, at most BatchSize. Data is a whole IP packet from its header
// on, without the padding of the link; what is malformed comes too. Src and Dst are
// the addresses in the header, with port 0 and no zone, HopLimit and TOS what it
// says; they are zero if there is no sound header. Time is the kernel's clock on
// arrival.
//
// Of a connection for CGMP and GMRP, Data is a whole Ethernet frame from its
// destination address on, which needs 14 bytes more than the interface's MTU and
// keeps its padding; Src, Dst, HopLimit and TOS are zero.
//
// While the interface is down nothing arrives, and reading goes on when it is up
// again. When it was deleted, the error is ErrNoInterface.
//
// Frames with a VLAN tag belong to another link and are not heard.
func (c *RawConn) ReadBatch(ps []datagram.Packet) (int, error) {
	n, err := c.sock.read(ps)
	return n, c.error("read", err)
}

// WriteBatch sends ps in order and returns how many packets were taken before the
// first error. Data is a whole IP packet, as igmp.AppendPacket and mld.AppendPacket
// make it, which leaves as it is, or with SegSize a run of them. It goes to the
// Ethernet address of the group that its header names; other destinations are
// refused with ErrNotMulticast. All other fields are ignored. A connection for CGMP and
// GMRP refuses with ErrReceiveOnly.
func (c *RawConn) WriteBatch(ps []datagram.Packet) (int, error) {
	n, err := c.sock.write(ps)
	return n, c.error("write", err)
}

// SetReadDeadline sets the time after which blocked and later calls of ReadBatch
// fail with an error that wraps os.ErrDeadlineExceeded. The zero Time takes the
// limit off.
func (c *RawConn) SetReadDeadline(t time.Time) error {
	return c.error("set deadline", c.sock.setReadDeadline(t))
}

// Stats returns counts since the connection was opened: Dropped and Truncated.
func (c *RawConn) Stats() Stats { return c.count.stats() }

// Close releases the connection. Blocked calls, and all later ones, return an error
// wrapping net.ErrClosed. Closing again does nothing and returns nil.
func (c *RawConn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.sock.close()
}

func (c *RawConn) error(op string, err error) error {
	if err == nil {
		return nil
	}
	if c.closed.Load() && !errors.Is(err, net.ErrClosed) {
		err = &fault{err: net.ErrClosed}
	}
	return opError(op, err, OpError{Interface: c.ifi.Name})
}
