package mcast

import (
	"net/netip"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// Read waits for one datagram and receives it into b, in one system call. The
// packet's Data is the part of b that was filled. A datagram longer than b is cut,
// and the packet marked Truncated; the rest is lost.
//
// Read, ReadBatch and loops over Packets may be mixed, one after the other or at
// the same time: each datagram goes to one of them.
func (c *Conn) Read(b []byte) (datagram.Packet, error) {
	if err := c.canRead(); err != nil {
		return datagram.Packet{}, c.error("read", err)
	}
	if len(b) == 0 {
		return datagram.Packet{}, c.error("read", fail(ErrNoSpace, nil, "give Read a slice of some length, best that of the longest datagram"))
	}
	if p, ok := c.loop.restOne(b); ok && !c.closed.Load() {
		return p, nil
	}
	for {
		p, err := c.sock.read(b)
		if err == nil {
			return p, nil
		}
		if !c.rd.spurious(c.sock, err) {
			return datagram.Packet{}, c.error("read", err)
		}
	}
}

func (c *Conn) canRead() error {
	if c.cfg.receives() {
		return nil
	}
	return fail(ErrSendOnly, nil, "use mcast.Open or mcast.Listen to receive from a group, or mcast.Unicast() for answers")
}

// Write sends b as one datagram to the connection's group and returns len(b). It
// waits as WriteBatch does. b is not kept.
func (c *Conn) Write(b []byte) (int, error) { return c.writeTo(b, netip.AddrPort{}) }

// writeTo is Write to an address.
func (c *Conn) writeTo(b []byte, dst netip.AddrPort) (int, error) {
	err := c.canWrite()
	switch {
	case err != nil:
	case c.pace != nil:
		err = c.pace.writeOne(c.sock, b, dst)
	default:
		err = c.sock.write(b, dst)
	}
	if err != nil {
		return 0, c.error("write", err)
	}
	return len(b), nil
}

func (c *Conn) canWrite() error {
	if c.cfg.send {
		return nil
	}
	return fail(ErrReceiveOnly, nil, "use mcast.Open to send and receive, or mcast.Dial to send")
}
