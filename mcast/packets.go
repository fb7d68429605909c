package mcast

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// packetLoop is the state of Packets between loops, so that leaving one early
// loses nothing that was read already.
type packetLoop struct {
	mu    sync.Mutex // held while a loop runs
	bufs  []datagram.Packet
	ready []datagram.Packet // rest of what the last ReadBatch gave
	off   int               // bytes of ready[0] given out, when it has segments
}

// loopBatch bounds the memory of Packets: 16 packets of OffloadSpace are 1 MiB.
const loopBatch = 16

// Packets returns an iterator over the packets that arrive, one datagram at a
// time. Data is valid until the next step of the loop; copy what you keep. The
// loop ends with one last step whose error is not nil: ctx.Err() when ctx is done,
// an error wrapping net.ErrClosed after Close, or what reading failed with.
//
// Packets that were read but not looped over, because the loop was left, come
// first in the next loop; ReadBatch does not see them. Loops at the same time take
// turns, one whole loop after the other.
func (c *Conn) Packets(ctx context.Context) iter.Seq2[datagram.Packet, error] {
	return func(yield func(datagram.Packet, error) bool) {
		l := &c.loop
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.bufs == nil {
			l.bufs = make([]datagram.Packet, loopBatch)
			space := make([]byte, loopBatch*OffloadSpace)
			for i := range l.bufs {
				l.bufs[i].Data = space[i*OffloadSpace : (i+1)*OffloadSpace : (i+1)*OffloadSpace]
			}
		}
		for ctx.Err() == nil {
			for len(l.ready) > 0 {
				if !yield(l.next(), nil) {
					return
				}
				if ctx.Err() != nil {
					break
				}
			}
			if ctx.Err() != nil {
				break
			}
			n, err := c.readUntil(ctx, l.bufs)
			l.ready, l.off = l.bufs[:n], 0
			if err != nil && ctx.Err() == nil {
				yield(datagram.Packet{}, err)
				return
			}
		}
		yield(datagram.Packet{}, ctx.Err())
	}
}

// next takes one datagram off what is ready.
func (l *packetLoop) next() datagram.Packet {
	p := l.ready[0]
	if l.off > 0 || p.Segments() > 1 {
		end := min(l.off+p.SegSize, len(p.Data))
		rest := len(p.Data) - end
		p.Data = p.Data[l.off:end:end]
		l.off = end
		if rest > 0 {
			p.SegSize = 0
			return p
		}
	}
	p.SegSize = 0
	l.ready, l.off = l.ready[1:], 0
	return p
}

// readUntil is ReadBatch that also returns when ctx is done.
func (c *Conn) readUntil(ctx context.Context, ps []datagram.Packet) (int, error) {
	if ctx.Done() == nil {
		return c.ReadBatch(ps)
	}
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.sock.setReadDeadline(time.Unix(1, 0)) // long past: wakes the reader
		close(woken)
	})
	n, err := c.ReadBatch(ps)
	if !stop() {
		// The deadline must not outlive this call and hit the next reader.
		<-woken
		c.sock.setReadDeadline(time.Time{})
	}
	return n, err
}
