package mcast

import (
	"sync/atomic"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// SetCoalescing has ReadBatch leave the connection alone for up to d, at most 10 ms, each
// time it has emptied it of packets that come thick and fast: four at once, or on average
// within d. To be woken costs the machine as much as to receive several packets; those that
// have gathered cost it once. The time is found anew every time, such that the receive
// buffer has room for many more. Packets that come at longer intervals are returned at once as
// ever. That suits files; where half a millisecond matters leave it off, as it is at first. 0
// switches it off again.
//
// With Spin, over more than one socket (many groups, Shards) and on systems other than Linux it
// does nothing.
func (c *Conn) SetCoalescing(d time.Duration) {
	c.sock.setCoalescing(min(max(d, 0), maxCoalescing), c.ReadBuffer())
}

const (
	maxCoalescing   = 10 * time.Millisecond
	leastCoalescing = 20 * time.Microsecond // less is not worth a system call

	thick = 4 // packets that are more than one by one

	maxVain = 63 // waits after several of which nothing had gathered

	// What should gather: this many packets, or as many as take a quarter of the
	// buffer, as the kernel counts them.
	wanted       = 256
	packetMemory = 1152 // of one of up to 1,500 bytes, counted as in ReadBuffer
)

// A coalescer says how long packets may gather.
type coalescer struct {
	most atomic.Int64 // nanoseconds; 0 is off
	room atomic.Int64 // bytes of the receive buffer; 0 is unknown

	// Of who reads.
	now    time.Duration // for how long they gather at present; 0 is not at all
	idle   int           // how often not to have them gather any more
	vain   int           // the last value of idle
	amount int           // what has come since they last gathered, counted as packets
	burst  bool          // thick of them or more at once

	since  time.Time // of the time in which window packets came
	window int
	fast   bool // in the time before that it were thick or more within most
}

func (g *coalescer) set(d time.Duration, room int) {
	g.room.Store(int64(room))
	g.most.Store(int64(d))
}

func (g *coalescer) on() bool { return g.most.Load() > 0 }

// came takes in what was read.
func (g *coalescer) came(ps []datagram.Packet) {
	if !g.on() {
		return
	}
	g.burst = g.burst || len(ps) >= thick
	for i := range ps {
		g.amount += 1 + len(ps[i].Data)/2048
	}
}

// next says, once the connection is empty, for how long to leave it alone; 0 is to
// wait for the next packet.
func (g *coalescer) next(now time.Time) time.Duration {
	most := time.Duration(g.most.Load())
	amount := g.amount
	g.amount = 0
	dense := g.dense(now, most, amount)
	switch {
	case most == 0 || !dense:
		g.now = 0
		return 0
	case g.idle > 0:
		g.idle--
		return 0
	}
	want := wanted
	if room := int(g.room.Load()); room > 0 {
		want = min(want, room/4/packetMemory)
	}
	if g.now == 0 {
		g.now = leastCoalescing
	}
	g.now = min(max(g.now*time.Duration(want)/time.Duration(max(amount, 1)), g.now/4), 2*g.now, most)
	if g.now < leastCoalescing {
		g.now = 0
	}
	return g.now
}

// gathered says how many packets there were after the time that next told. Where they come in
// bursts further apart, a sleep too many was for nothing, and costs more than to wait.
func (g *coalescer) gathered(n int) {
	most := time.Duration(g.most.Load())
	switch {
	case n >= thick:
		g.vain = 0
	case g.now < most:
		g.now = min(2*g.now, most) // it was too short, perhaps
	default:
		g.vain = min(2*g.vain+1, maxVain)
		g.idle = g.vain
	}
}

// dense reports whether packets come thick and fast.
func (g *coalescer) dense(now time.Time, most time.Duration, amount int) bool {
	g.window += amount
	switch span := now.Sub(g.since); {
	case g.since.IsZero():
		g.since, g.window = now, 0
	case span >= most:
		g.fast = time.Duration(g.window)*most >= thick*span
		g.since, g.window = now, 0
	}
	dense := g.burst || g.fast
	g.burst = false
	return dense
}
