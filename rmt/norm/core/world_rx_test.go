package core

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// An rxNode is a host that receives. Its disk may be slow, its user may refuse
// objects.
type rxNode struct {
	*Receiver
	w       *world
	node    *netem.Node
	objects map[ObjectKey]*rxCopy
	stalled bool // keeps the buffers
	held    [][]byte
	refuse  func(ObjectKey) bool
	slow    func() time.Duration                          // from ObjectReceived to Stored
	prime   func(size int64) (time.Duration, []ByteRange) // what it has already, and when it finds out
	late    bool                                          // joined after the start
	cut     bool                                          // was cut off for a while
	away    bool                                          // for so long that it may have given up
	killed  bool                                          // and started again, knowing nothing
	earlier map[ObjectKey]*rxCopy                         // what it had when it was
	full    bool                                          // its disk is
	filled  bool                                          // its disk was

	told   []string                                               // commands, as they came
	asked  int                                                    // questions told
	answer func(t wire.AckType, id uint8) (string, time.Duration) // and after what time; nil is none
}

// An rxCopy is what the application got of an object. The content is compared as it
// comes: a thousand copies would not fit the memory.
type rxCopy struct {
	source   []byte   // what was sent
	have     blockSet // bytes
	primed   bool
	size     int64
	blocks   map[int64]bool // by offset
	got      int64
	known    bool
	hasInfo  bool
	info     []byte
	received bool
	done     bool
	err      error
	stream   *rxStreamCopy
}

var (
	errRefused  = errors.New("not wanted")
	errDiskFull = errors.New("no space left on device")
)

func (w *world) receiver(cfg ReceiverConfig, out, in netem.Link) *rxNode {
	w.t.Helper()
	name := fmt.Sprintf("rx%d", len(w.rx))
	cfg.Rand = w.sim.Rand(name)
	cfg.NodeID = wire.NodeID(1001 + len(w.rx))
	r, err := NewReceiver(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	n := &rxNode{w: w, Receiver: r, prime: w.prime, objects: map[ObjectKey]*rxCopy{}}
	n.node = w.sim.Add(name, r, out, in)
	n.node.Drain = n.drain
	w.rx = append(w.rx, n)
	return n
}

func (n *rxNode) drain(now time.Time) {
	defer n.checkReading()
	for e, ok := n.Event(); ok; e, ok = n.Event() {
		if n.commandEvent(now, &e) {
			continue
		}
		o := n.objects[e.Key]
		// Late messages of an earlier instance can be taken for a restart.
		again := o != nil && e.Type == ObjectNew && errors.Is(o.err, ErrSenderRestarted)
		if o == nil || again {
			o = &rxCopy{}
			n.objects[e.Key] = o
		}
		if o.err == errRefused || o.err == errDiskFull { // what was on its way then
			if e.Type == BlockReceived {
				n.Release(e.Data)
			}
			continue
		}
		if o.received || o.err != nil && e.Type != BlockReceived {
			n.w.wrong("%s: event %d of %v after its end (%v)", n.node.Name, e.Type, e.Key, o.err)
		}
		switch e.Type {
		case ObjectNew:
			n.begin(now, o, &e)
			n.primeLater(o, e.Key)
		case StreamReadable:
			n.readable(o, e.Key)
		case InfoReceived:
			if o.hasInfo {
				n.w.wrong("%s: second INFO of %v", n.node.Name, e.Key)
			}
			o.hasInfo, o.info = true, e.Data
			n.primeLater(o, e.Key)
		case BlockReceived:
			if !o.known {
				n.w.wrong("%s: a block of %v, which was not announced", n.node.Name, e.Key)
			}
			o.take(n, &e)
			if n.full {
				n.Stored(now, e.Key, errDiskFull)
				o.err = errDiskFull
			}
			if n.stalled {
				n.held = append(n.held, e.Data)
			} else {
				n.Release(e.Data)
			}
		case ObjectReceived:
			o.received = true
			n.store(now, o, e.Key)
		case ObjectAborted:
			o.err = e.Err
		}
	}
}

func (n *rxNode) begin(now time.Time, o *rxCopy, e *ReceiverEvent) {
	if o.known {
		n.w.wrong("%s: %v announced twice", n.node.Name, e.Key)
	}
	if o.known, o.size = true, e.Size; e.Stream {
		o.stream = &rxStreamCopy{}
	} else {
		o.source, o.blocks = n.w.source(e.Key), map[int64]bool{}
	}
	if n.refuse != nil && n.refuse(e.Key) {
		n.Stored(now, e.Key, errRefused)
		o.err = errRefused
	}
}

// source returns the content of an object.
func (w *world) source(key ObjectKey) []byte {
	for _, tx := range w.tx {
		if o := tx.copyOf(key); o != nil {
			return o.data
		}
	}
	w.wrong("%v was never sent", key)
	return nil
}

// take compares a block with what was sent.
func (o *rxCopy) take(n *rxNode, e *ReceiverEvent) {
	end := e.Offset + int64(len(e.Data))
	if o.blocks[e.Offset] || end > int64(len(o.source)) || !bytes.Equal(e.Data, o.source[e.Offset:end]) {
		n.w.wrong("%s: %v differs at %d, or was there before", n.node.Name, e.Key, e.Offset)
	}
	o.blocks[e.Offset] = true
	o.put(e.Offset, end)
}

// put notes that the bytes from up to to are here.
func (o *rxCopy) put(from, to int64) {
	if from < to {
		o.have.add(uint32(from), uint32(to-1), 1<<30)
	}
	o.got = 0
	for _, r := range o.have.ranges {
		o.got += int64(r.hi-r.lo) + 1
	}
}

// primeLater has a receiver that has been here before find out what it has of an object.
func (n *rxNode) primeLater(o *rxCopy, key ObjectKey) {
	if n.prime == nil || o.primed || !o.known || !o.hasInfo || o.stream != nil || o.err != nil {
		return
	}
	o.primed = true
	delay, parts := n.prime(o.size)
	n.w.sim.At(n.w.now()+delay, func() {
		n.node.Run(func(now time.Time) {
			if o == n.objects[key] && o.err == nil && !o.received {
				for _, p := range parts {
					o.put(p.From, p.To)
				}
				n.Prime(now, key, parts)
			}
		})
	})
}

func (n *rxNode) store(now time.Time, o *rxCopy, key ObjectKey) {
	if n.slow == nil {
		n.stored(now, o, key)
		return
	}
	r := n.Receiver
	n.w.sim.At(n.w.now()+n.slow(), func() {
		n.node.Run(func(now time.Time) {
			if r == n.Receiver { // else it was killed before
				n.stored(now, o, key)
			}
		})
	})
}

func (n *rxNode) stored(now time.Time, o *rxCopy, key ObjectKey) {
	if n.full {
		o.err = errDiskFull
	} else {
		o.done = true
	}
	n.Stored(now, key, o.err)
}

// stall makes the receiver's owner keep its buffers, or give them all back.
func (n *rxNode) stall(on bool) {
	n.stalled = on
	if !on {
		n.node.Run(func(time.Time) {
			for _, b := range n.held {
				n.Release(b)
			}
			n.held = nil
			for key, o := range n.objects {
				if o.stream != nil && o.stream.pending && o.err == nil {
					n.readStream(o, key)
				}
			}
		})
	}
}

// needs reports whether the receiver's engine still wants something.
func (n *rxNode) needs() bool {
	for _, m := range n.order {
		if _, need := m.earliestNeed(m.newest()); need {
			return true
		}
	}
	return false
}
