package mcast

import (
	"sync/atomic"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// SetCoalescing has ReadBatch leave the connection alone for up to d, at most 10 ms, each
// time it has emptied it of packets that come thick and fast. To be woken costs the machine as
// much as to receive several packets, and mostly the sender pays, if it is on the same
// machine: dozens that have gathered cost it once. The time is found anew every time, such
// that no more gather than a batch and a part of ReadBuffer hold; packets that come one by
// one are returned at once as ever. That suits files; where half a millisecond matters leave it
// off, as it is at first. 0 switches it off again.
//
// With Spin, over more than one socket (many groups, Shards) and on systems other than Linux it
// does nothing.
func (c *Conn) SetCoalescing(d time.Duration) {
	c.sock.setCoalescing(min(max(d, 0), maxCoalescing), c.ReadBuffer())
}

const (
	maxCoalescing   = 10 * time.Millisecond
	leastCoalescing = 20 * time.Microsecond // less is not worth a system call

	thick = 4 // packets at once that are more than one by one

	// What should gather: this many packets, or as many as take a quarter of the
	// buffer, as the kernel counts them.
	gathered     = 256
	packetMemory = 1152 // of one of up to 1,500 bytes, counted as in ReadBuffer
)

// A coalescer says how long packets may gather.
type coalescer struct {
	most atomic.Int64 // nanoseconds; 0 is off
	room atomic.Int64 // bytes of the receive buffer; 0 is unknown

	// Of who reads.
	now    time.Duration // for how long they gather at present
	amount int           // what has come since they last gathered, counted as packets
	thick  bool          // at least so many of them at once
}

func (g *coalescer) set(d time.Duration, room int) {
	g.room.Store(int64(room))
	g.most.Store(int64(d))
}

// came takes in what was read.
func (g *coalescer) came(ps []datagram.Packet) {
	if g.most.Load() == 0 {
		return
	}
	g.thick = g.thick || len(ps) >= thick
	for i := range ps {
		g.amount += 1 + len(ps[i].Data)/2048
	}
}

// next says, once the connection is empty, for how long to leave it alone; 0 is to
// wait for the next packet.
func (g *coalescer) next() time.Duration {
	most := time.Duration(g.most.Load())
	amount := g.amount
	g.amount = 0
	if most == 0 || !g.thick {
		g.now = 0
		return 0
	}
	g.thick = false
	want := gathered
	if room := int(g.room.Load()); room > 0 {
		want = min(want, room/4/packetMemory)
	}
	if g.now == 0 {
		g.now = most / 8
	}
	g.now = min(max(g.now*time.Duration(want)/time.Duration(amount), g.now/4), 2*g.now, most)
	if g.now < leastCoalescing {
		g.now = 0
	}
	return g.now
}
