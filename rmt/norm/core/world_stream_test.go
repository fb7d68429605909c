package core

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A txStreamCopy is an application that writes a stream: messages whose bytes follow from
// their place in it, so that every receiver can check what it reads wherever it begins.
type txStreamCopy struct {
	n        *txNode
	copy     *txCopy
	spec     StreamSpec
	rng      *rand.Rand
	total    uint64        // bytes to write
	written  uint64        // of them
	left     []byte        // of the message being written
	begun    bool          // a byte of it was written
	interval time.Duration // between messages; 0 writes on
	largest  int           // message
	starts   map[uint64]bool
	closed   bool
	acked    uint64
	commits  int // answers to Commit
	refused  int // answers with an error
	full     int // how often there was no room
}

func streamByte(off uint64) byte { return byte(off*131 ^ off>>8*7 ^ off>>16*13) }

// openStream begins to write a stream.
func (n *txNode) openStream(spec StreamSpec, total uint64, largest int, interval time.Duration) *txStreamCopy {
	n.w.t.Helper()
	var a *txStreamCopy
	n.node.Run(func(now time.Time) {
		id, err := n.OpenStream(now, spec)
		if err != nil {
			n.w.t.Fatal(err)
		}
		a = n.adoptStream(id, spec, total, largest, interval)
		a.write(now)
	})
	return a
}

// adoptStream has the application write an open stream.
func (n *txNode) adoptStream(id wire.TransportID, spec StreamSpec, total uint64, largest int, interval time.Duration) *txStreamCopy {
	a := &txStreamCopy{n: n, spec: spec, total: total, largest: largest, interval: interval, starts: map[uint64]bool{}, rng: n.w.sim.Rand("stream")}
	a.copy = &txCopy{key: n.key(id), stream: a, spec: ObjectSpec{Info: spec.Info, AckNodes: spec.AckNodes, AckCount: spec.AckCount}, acked: map[wire.NodeID]bool{}}
	n.objects = append(n.objects, a.copy)
	return a
}

// write writes messages until the stream is full, the next is not due or all is written.
func (a *txStreamCopy) write(now time.Time) {
	if a.closed {
		return
	}
	id := a.copy.key.Object
	for {
		if len(a.left) == 0 {
			if a.written == a.total {
				a.closed = true
				if err := a.n.CloseStream(now, id); err != nil {
					a.n.w.t.Error(err)
				}
				return
			}
			size := min(uint64(1+a.rng.IntN(a.largest)), a.total-a.written)
			a.left = make([]byte, size)
			for i := range a.left {
				a.left[i] = streamByte(a.written + uint64(i))
			}
			a.begun = false
			a.starts[a.written] = true
		}
		n, err := a.n.WriteStream(now, id, a.left, !a.begun)
		if err != nil {
			a.n.w.t.Error(err)
			return
		}
		a.begun = a.begun || n > 0
		a.written += uint64(n)
		if a.left = a.left[n:]; len(a.left) > 0 {
			a.full++
			return // StreamVacancy follows
		}
		if a.interval > 0 {
			a.n.w.sim.At(a.n.w.now()+a.interval, func() { a.n.node.Run(a.write) })
			return
		}
	}
}

// A streamPlan is a stream to be written.
type streamPlan struct {
	spec     StreamSpec
	total    uint64
	largest  int
	interval time.Duration
}

func (n *txNode) beginStream(now time.Time, p *streamPlan) bool {
	id, err := n.OpenStream(now, p.spec)
	if errors.Is(err, ErrFull) {
		return false
	}
	if err != nil {
		n.w.t.Fatal(err)
	}
	n.adoptStream(id, p.spec, p.total, p.largest, p.interval).write(now)
	return true
}

func (o *txCopy) stopWriting() {
	if o.stream != nil {
		o.stream.closed = true
	}
}

func (a *txStreamCopy) commit() {
	a.n.node.Run(func(now time.Time) {
		if err := a.n.Commit(now, a.copy.key.Object); err != nil {
			a.n.w.t.Error(err)
		}
	})
}

func (n *txNode) streamEvent(e *SenderEvent) {
	a := n.copyOf(n.key(e.Object)).stream
	if e.Type == StreamVacancy {
		n.w.sim.At(n.w.now(), func() { n.node.Run(a.write) })
		return
	}
	a.commits++
	if e.Err != nil {
		a.refused++
	}
	a.acked = e.Offset
}

// An rxStreamCopy is what an application read of a stream.
type rxStreamCopy struct {
	read     bool // something
	from     uint64
	offset   uint64
	lost     uint64 // bytes
	gaps     int
	starts   int
	segments int
	slow     bool            // does not read
	pending  bool            // told that there is something to read
	at       []time.Duration // when each segment was read, if wanted
	keepAt   bool
}

func (n *rxNode) readable(o *rxCopy, key ObjectKey) {
	s := o.stream
	if s == nil {
		n.w.wrong("%s: %v to be read and not announced", n.node.Name, key)
		return
	}
	if s.pending = true; !s.slow && !n.stalled {
		n.readStream(o, key)
	}
}

// readStream reads what there is and compares it with what was written.
func (n *rxNode) readStream(o *rxCopy, key ObjectKey) {
	s := o.stream
	s.pending = false
	for {
		g, ok := n.ReadStream(key)
		if !ok {
			return
		}
		s.segments++
		if s.keepAt {
			s.at = append(s.at, n.w.now())
		}
		if !s.read {
			s.read, s.from, s.offset = true, g.Offset, g.Offset
		}
		switch {
		case g.Lost:
			if g.From != s.offset || g.Offset <= g.From {
				n.w.wrong("%s: %v lost %d-%d at %d", n.node.Name, key, g.From, g.Offset, s.offset)
			}
			s.lost += g.Offset - g.From
			s.gaps++
			s.offset = g.Offset
			continue
		case g.Offset != s.offset:
			n.w.wrong("%s: %v goes on at %d, not %d", n.node.Name, key, g.Offset, s.offset)
		}
		for i, b := range g.Data {
			if b != streamByte(g.Offset+uint64(i)) {
				n.w.wrong("%s: %v differs at %d", n.node.Name, key, g.Offset+uint64(i))
				break
			}
		}
		if g.Message >= 0 {
			s.starts++
			if tx := n.w.streamOf(key); tx != nil && !tx.starts[g.Offset+uint64(g.Message)] {
				n.w.wrong("%s: %v has no message at %d", n.node.Name, key, g.Offset+uint64(g.Message))
			}
		}
		s.offset += uint64(len(g.Data))
		if g.End {
			o.received, o.done = true, true
			return
		}
	}
}

func (w *world) streamOf(key ObjectKey) *txStreamCopy {
	for _, tx := range w.tx {
		if o := tx.copyOf(key); o != nil {
			return o.stream
		}
	}
	return nil
}

// checkStream holds a receiver to the promise for streams: all of it from where it
// began, or gaps it was told of.
func (w *world) checkStream(rx *rxNode, o *txCopy, c *rxCopy) {
	w.t.Helper()
	switch {
	case c.done:
		if c.stream.offset != o.stream.total {
			w.t.Errorf("%s: %v ended at %d of %d", rx.node.Name, o.key, c.stream.offset, o.stream.total)
		}
		if slices.Contains(o.spec.AckNodes, rx.cfg.NodeID) && c.stream.gaps > 0 && o.stream.spec.DropAfter == 0 && rx.cfg.BufferBytes == 64<<20 && !rx.apart() && !rx.killed {
			w.t.Errorf("%s: %v has gaps although it is waited for: %+v", rx.node.Name, o.key, c.stream)
		}
		if o.stream.spec.MessagePerSegment && c.stream.lost == 0 && c.stream.from == 0 && c.stream.starts != len(o.stream.starts) {
			w.t.Errorf("%s: %d messages of %d", rx.node.Name, c.stream.starts, len(o.stream.starts))
		}
	case c.err == nil:
		w.t.Errorf("%s: %v neither ended nor failed", rx.node.Name, o.key)
	case !may(rx, o, c.err):
		w.t.Errorf("%s: %v failed without reason: %v", rx.node.Name, o.key, c.err)
	}
}
