package mcast

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// packetLoop is the state of Packets between loops, so that leaving one early
// loses nothing that was read already.
type packetLoop struct {
	mu sync.Mutex // held while a loop runs
	backlog
	left atomic.Bool // a loop has ended and the backlog is not empty
}

// loopBatch bounds the memory of Packets: 16 packets of OffloadSpace are 1 MiB.
const loopBatch = 16

// Packets returns an iterator over the packets that arrive, one datagram at a
// time. Data is valid until the next step of the loop; copy what you keep. The
// loop ends with one last step whose error is not nil: ctx.Err() when ctx is done,
// an error wrapping net.ErrClosed after Close, one wrapping os.ErrDeadlineExceeded
// when the read deadline passes, or what reading failed with.
//
// Packets that were read but not looped over, because the loop was left, come
// first in the next loop, Read or ReadBatch. Loops at the same time take turns, one
// whole loop after the other.
func (c *Conn) Packets(ctx context.Context) iter.Seq2[datagram.Packet, error] {
	return func(yield func(datagram.Packet, error) bool) {
		l := &c.loop
		l.mu.Lock()
		defer l.mu.Unlock()
		defer func() { l.left.Store(!l.empty()) }()
		run := &loopRun{}
		if ctx.Done() != nil {
			defer context.AfterFunc(ctx, func() { c.rd.cancel(c.sock, run) })()
		}
		for ctx.Err() == nil {
			if l.empty() {
				if err := c.fill(run); err != nil {
					if ctx.Err() != nil {
						break
					}
					yield(datagram.Packet{}, err)
					return
				}
				continue
			}
			if !yield(l.next(), nil) {
				return
			}
		}
		yield(datagram.Packet{}, ctx.Err())
	}
}

// fill reads into the loop's backlog. It returns early, with nothing, when the loop
// is cancelled.
func (c *Conn) fill(run *loopRun) error {
	if err := c.canRead(); err != nil {
		return c.error("read", err)
	}
	l := &c.loop
	ps := l.space(loopBatch)
	if !c.rd.begin(run) {
		return nil
	}
	n, err := c.sock.readBatch(ps)
	c.rd.finish(c.sock)
	l.filled(n)
	if err == nil || c.rd.spurious(c.sock, err) {
		return nil
	}
	return c.error("read", err)
}

// rest copies what ended loops left behind into ps. A loop that runs keeps what it
// has.
func (l *packetLoop) rest(ps []datagram.Packet) (n, long int) {
	if !l.left.Load() || !l.mu.TryLock() {
		return 0, 0
	}
	defer l.mu.Unlock()
	n, long = l.take(ps)
	l.left.Store(!l.empty())
	return n, long
}

// restOne is rest for one datagram.
func (l *packetLoop) restOne(b []byte) (p datagram.Packet, ok bool) {
	if !l.left.Load() || !l.mu.TryLock() {
		return p, false
	}
	defer l.mu.Unlock()
	if !l.empty() {
		p, ok = l.takeOne(b), true
	}
	l.left.Store(!l.empty())
	return p, ok
}
