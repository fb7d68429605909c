package mcast

import (
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// BatchSize is the most packets that ReadBatch and WriteBatch pass to the kernel
// in one system call.
const BatchSize = 64

// OffloadSpace is the space, in bytes, that every packet given to ReadBatch must
// have for receive offload to be used: one coalesced packet can be this long.
const OffloadSpace = 65535

// What a write does when the interface's queue is full (ENOBUFS).
const (
	queueWaits = 5                // tries after the first before giving up
	queueWait  = time.Millisecond // between them
)

// ReadBatch blocks until at least one packet has arrived that the connection
// wants and fills ps[:n] with what has arrived by then, at most BatchSize. The
// data is received into ps[i].Data[:cap(ps[i].Data)]; packets may trade their
// Data with each other within ps. A packet longer than its space is dropped and
// counted in Stats.
//
// When every packet has at least OffloadSpace bytes of space, receive offload is
// switched on if the system has it, and packets with SegSize set may follow. It
// stays on: to pass less space later costs a copy of each packet and half a
// megabyte of memory, so keep to one size.
//
// Src and Dst carry no zone; IfIndex is the zone of both. Time is the kernel's
// clock on arrival; of a coalesced packet, that of one of its datagrams.
func (c *Conn) ReadBatch(ps []datagram.Packet) (int, error) {
	if err := c.canRead(); err != nil {
		return 0, c.error("read", err)
	}
	if n, long := c.loop.rest(ps); (n > 0 || long > 0) && !c.closed.Load() {
		c.count.truncated.Add(uint64(long))
		if n > 0 {
			return n, nil
		}
	}
	for {
		n, err := c.sock.readBatch(ps)
		if err == nil {
			return n, nil
		}
		if !c.rd.spurious(c.sock, err) {
			return n, c.error("read", err)
		}
	}
}

// WriteBatch sends ps in order and returns how many packets were taken before
// the first error. Of the packet that failed, segments may have been sent.
//
// A packet whose Dst is zero goes to the connection's group. Non-zero Src (the
// address; the port is the connection's own), IfIndex, HopLimit and TOS apply to
// that packet only. A link-local Dst without a zone is on IfIndex, or else on the
// connection's interface. Unicast destinations are allowed; the packet's source
// port is the group's, so that answers need Unicast to be heard.
//
// With send offload, the segments of a packet, and neighbouring packets of equal
// size and destination, go to the kernel together. When an interface refuses that
// they are sent one by one instead, at once and for as long as the connection
// lasts, and Stats counts it; other interfaces that packets choose are not
// affected.
//
// When the socket's buffer is full WriteBatch waits, as it does for Pacing and
// TransmitTimes. When the interface's own queue is full (ENOBUFS) it tries again
// for a few milliseconds before it gives up with an error; the packets may be
// passed again.
func (c *Conn) WriteBatch(ps []datagram.Packet) (n int, err error) {
	if err := c.canWrite(); err != nil {
		return 0, c.error("write", err)
	}
	if c.pace != nil {
		n, err = c.pace.write(c.sock, ps)
	} else {
		n, err = c.sock.writeBatch(ps)
	}
	if err != nil {
		return n, c.error("write", err)
	}
	return n, nil
}

// error wraps an error of reading or writing. What comes out of a closed socket,
// whatever the system calls it, is net.ErrClosed.
func (c *Conn) error(op string, err error) error {
	return c.wrap(op, err, OpError{Channel: group.Channel{Group: c.cfg.group.Addr()}, Addr: c.cfg.group.String(), Interface: c.cfg.ifi.Name})
}
