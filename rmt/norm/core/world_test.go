package core

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	_ "github.com/gomulticast/multicast/rmt/fec/rs"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A world is senders and receivers in a simulated network, with applications that
// check what the engines tell them as they are told.
type world struct {
	t     testing.TB
	sim   *netem.Sim
	tx    []*txNode
	rx    []*rxNode
	limit time.Duration
	types [8]int // deliveries by message type
}

// A txNode is a host that sends. When it restarts its engine is another.
type txNode struct {
	*Sender
	w       *world
	node    *netem.Node
	objects []*txCopy // in the order of Enqueue, of all instances
	waiting []txWaiting
	closed  bool
	gone    bool // without a word
}

// A txCopy is what the application knows of an object it sent.
type txCopy struct {
	key       ObjectKey
	data      []byte
	spec      ObjectSpec
	done      bool
	err       error
	acked     map[wire.NodeID]bool
	dropped   bool
	restarted bool // its sender did
	abandoned bool // before it was done
	left      bool // its sender was shut down or vanished
	shut      bool // before it was done
	canceled  bool
}

type txWaiting struct {
	data []byte
	spec ObjectSpec
}

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
	slow    func() time.Duration // from ObjectReceived to Stored
	late    bool                 // joined after the start
	cut     bool                 // was cut off for a while
	mute    bool                 // is not heard
}

// An rxCopy is what the application got of an object.
type rxCopy struct {
	data     []byte
	known    bool
	hasInfo  bool
	info     []byte
	received bool
	done     bool
	err      error
}

var errRefused = errors.New("not wanted")

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{t: t, sim: netem.NewSim(seed), limit: 10 * time.Minute}
	w.sim.Filter = func(from, _ *netem.Node, data []byte) bool {
		w.types[data[0]&7]++
		for _, rx := range w.rx {
			if rx.node == from && rx.mute {
				return false
			}
		}
		return true
	}
	return w
}

func (w *world) sender(cfg SenderConfig, out, in netem.Link) *txNode {
	w.t.Helper()
	if cfg.NodeID == 0 {
		cfg.NodeID = wire.NodeID(1 + len(w.tx))
	}
	n := &txNode{w: w, Sender: w.newSender(cfg)}
	n.node = w.sim.Add(fmt.Sprintf("tx%d", len(w.tx)), n.Sender, out, in)
	n.node.Drain = n.drain
	w.tx = append(w.tx, n)
	return n
}

func (w *world) newSender(cfg SenderConfig) *Sender {
	w.t.Helper()
	cfg.Rand = w.sim.Rand(fmt.Sprintf("sender %d/%d", cfg.NodeID, cfg.InstanceID))
	s, err := NewSender(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// restart replaces the engine by one that knows nothing of the objects before.
func (n *txNode) restart(cfg SenderConfig) {
	for _, o := range n.objects {
		o.restarted = true
		o.abandoned = !o.done
	}
	n.waiting = nil
	cfg.NodeID, cfg.InstanceID = n.cfg.NodeID, n.cfg.InstanceID+1
	n.Sender = n.w.newSender(cfg)
	n.node.Restart(n.Sender)
}

// send enqueues data, or has it wait until there is room.
func (n *txNode) send(data []byte, spec ObjectSpec) {
	n.waiting = append(n.waiting, txWaiting{data, spec})
	n.node.Run(n.enqueue)
}

func (n *txNode) enqueue(now time.Time) {
	for len(n.waiting) > 0 {
		data, spec := n.waiting[0].data, n.waiting[0].spec
		spec.Source, spec.Size = bytes.NewReader(data), int64(len(data))
		id, err := n.Enqueue(now, spec)
		if errors.Is(err, ErrFull) {
			return
		}
		if err != nil {
			n.w.t.Fatal(err)
		}
		n.waiting = n.waiting[1:]
		n.objects = append(n.objects, &txCopy{key: n.key(id), data: data, spec: spec, acked: map[wire.NodeID]bool{}})
	}
}

func (n *txNode) key(id wire.TransportID) ObjectKey {
	return ObjectKey{SenderKey{n.cfg.NodeID, n.node.Addr}, n.cfg.InstanceID, id}
}

// find returns the latest object of an ID: they come back after 65,536.
func (n *txNode) copyOf(key ObjectKey) *txCopy {
	for _, o := range slices.Backward(n.objects) {
		if o.key == key {
			return o
		}
	}
	return nil
}

func (n *txNode) drain(now time.Time) {
	t, vacancy := n.w.t, false
	for e, ok := n.Event(); ok; e, ok = n.Event() {
		if e.Type == ShutdownDone {
			n.closed = true
			continue
		}
		o := n.copyOf(n.key(e.Object))
		switch e.Type {
		case ObjectAcked:
			if o.acked[e.Node] {
				t.Errorf("%v acknowledged twice by %v", o.key, e.Node)
			}
			o.acked[e.Node] = true
			if !n.w.has(e.Node, o.key) {
				t.Errorf("%v acknowledged by %v, which does not have it", o.key, e.Node)
			}
		case ObjectDone:
			if o.done {
				t.Errorf("%v done twice", o.key)
			}
			o.done, o.err = true, e.Err
			vacancy = true
			n.checkAcks(o)
		case ObjectDropped:
			o.dropped = true
			if !o.done {
				t.Errorf("%v dropped before it was done", o.key)
			}
		}
	}
	if vacancy && len(n.waiting) > 0 {
		n.w.sim.At(n.w.now(), func() { n.node.Run(n.enqueue) })
	}
}

// checkAcks holds the sender to its word.
func (n *txNode) checkAcks(o *txCopy) {
	if o.err != nil {
		return
	}
	for _, id := range o.spec.AckNodes {
		if !n.w.has(id, o.key) {
			n.w.t.Errorf("%v done, but %v does not have it", o.key, id)
		}
	}
	have := 0
	for _, r := range n.w.rx {
		if c := r.objects[o.key]; c != nil && c.done {
			have++
		}
	}
	if have < o.spec.AckCount {
		n.w.t.Errorf("%v done, but only %d of %d receivers have it", o.key, have, o.spec.AckCount)
	}
}

// has reports whether a receiver has stored an object.
func (w *world) has(id wire.NodeID, key ObjectKey) bool {
	for _, r := range w.rx {
		if r.cfg.NodeID == id {
			c := r.objects[key]
			return c != nil && c.done
		}
	}
	return false
}

func (w *world) receiver(cfg ReceiverConfig, out, in netem.Link) *rxNode {
	w.t.Helper()
	name := fmt.Sprintf("rx%d", len(w.rx))
	cfg.Rand = w.sim.Rand(name)
	cfg.NodeID = wire.NodeID(1001 + len(w.rx))
	r, err := NewReceiver(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	n := &rxNode{w: w, Receiver: r, objects: map[ObjectKey]*rxCopy{}}
	n.node = w.sim.Add(name, r, out, in)
	n.node.Drain = n.drain
	w.rx = append(w.rx, n)
	return n
}

func (n *rxNode) drain(now time.Time) {
	for e, ok := n.Event(); ok; e, ok = n.Event() {
		o := n.objects[e.Key]
		if o == nil {
			o = &rxCopy{}
			n.objects[e.Key] = o
		}
		if o.err == errRefused { // what was on its way when it was refused
			if e.Type == BlockReceived {
				n.Release(e.Data)
			}
			continue
		}
		if o.received || o.err != nil && e.Type != BlockReceived {
			n.w.t.Errorf("%s: event %d of %v after its end (%v)", n.node.Name, e.Type, e.Key, o.err)
		}
		switch e.Type {
		case ObjectNew:
			n.begin(now, o, &e)
		case InfoReceived:
			if o.hasInfo {
				n.w.t.Errorf("%s: second INFO of %v", n.node.Name, e.Key)
			}
			o.hasInfo, o.info = true, e.Data
		case BlockReceived:
			if !o.known {
				n.w.t.Errorf("%s: a block of %v, which was not announced", n.node.Name, e.Key)
			}
			copy(o.data[e.Offset:], e.Data)
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
		n.w.t.Errorf("%s: %v announced twice", n.node.Name, e.Key)
	}
	o.known, o.data = true, make([]byte, e.Size)
	if n.refuse != nil && n.refuse(e.Key) {
		n.Stored(now, e.Key, errRefused)
		o.err = errRefused
	}
}

func (n *rxNode) store(now time.Time, o *rxCopy, key ObjectKey) {
	if n.slow == nil {
		o.done = true
		n.Stored(now, key, nil)
		return
	}
	n.w.sim.At(n.w.now()+n.slow(), func() {
		n.node.Run(func(now time.Time) {
			o.done = true
			n.Stored(now, key, nil)
		})
	})
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
		})
	}
}

// now is the virtual time since the start.
func (w *world) now() time.Duration { return w.sim.Now().Sub(netem.Start) }

// run runs until every sender is done with every object and every receiver with
// what it heard of.
func (w *world) run() {
	w.t.Helper()
	for !w.over() {
		if w.now() >= w.limit {
			w.dump()
			w.t.Fatalf("not done after %v of virtual time", w.limit)
		}
		w.pass(100 * time.Millisecond)
	}
}

// pass lets time go by. An engine whose deadline is always now would stop it: that
// fails the test.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	for end := w.now() + d; w.now() < end; {
		steps := 0
		w.sim.RunUntil(min(end, w.now()+100*time.Millisecond), func() bool {
			steps++
			return steps > 300_000
		})
		if steps > 300_000 {
			w.dump()
			w.t.Fatalf("the world does not get on at %v", w.now())
		}
	}
}

func (w *world) over() bool {
	for _, n := range w.tx {
		if len(n.waiting) > 0 {
			return false
		}
		for _, o := range n.objects {
			if !o.done && !o.abandoned {
				return false
			}
		}
	}
	for _, n := range w.rx {
		for _, o := range n.objects {
			if !o.done && o.err == nil {
				return false
			}
		}
		if n.needs() {
			return false
		}
	}
	return true
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

func (w *world) dump() {
	for i, n := range w.tx {
		w.t.Logf("sender %d, %d waiting: %+v", i, len(n.waiting), n.Stats())
		for _, o := range n.objects {
			w.t.Logf("  object %d.%d of %d bytes: done %v %v, dropped %v, acked %v", o.key.Instance, o.key.Object, len(o.data), o.done, o.err, o.dropped, o.acked)
		}
	}
	for i, n := range w.rx {
		w.t.Logf("receiver %d: %+v", i, n.Stats())
		for _, m := range n.order {
			need, ok := m.earliestNeed(m.newest())
			w.t.Logf("  sender %v.%d base %v %d objects, at %v end %v, needs %v %v, nack %v, silence %d", m.key.Node, m.instance, m.base, len(m.objects), m.at, m.end, need, ok, m.nack.phase, m.silence)
		}
		for key, o := range n.objects {
			if !o.done {
				w.t.Logf("  object %v: known %v received %v, %v", key, o.known, o.received, o.err)
			}
		}
	}
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}
