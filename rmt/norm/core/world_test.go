package core

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	_ "github.com/gomulticast/multicast/rmt/fec/rs"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A world is senders and receivers in a simulated network.
type world struct {
	t     testing.TB
	sim   *netem.Sim
	tx    []*txNode
	rx    []*rxNode
	limit time.Duration
}

type txNode struct {
	*Sender
	node   *netem.Node
	sent   map[wire.TransportID][]byte
	done   map[wire.TransportID]error
	acked  map[wire.TransportID]int
	closed bool
}

type rxNode struct {
	*Receiver
	node    *netem.Node
	objects map[ObjectKey]*rxCopy
	order   []ObjectKey
	stall   bool // do not release buffers
	refuse  error
	held    [][]byte
}

type rxCopy struct {
	data []byte
	info []byte
	done bool
	err  error
}

func newWorld(t testing.TB, seed uint64) *world {
	return &world{t: t, sim: netem.NewSim(seed), limit: 10 * time.Minute}
}

func (w *world) sender(cfg SenderConfig, out, in netem.Link) *txNode {
	w.t.Helper()
	name := fmt.Sprintf("tx%d", len(w.tx))
	cfg.Rand = w.sim.Rand(name)
	if cfg.NodeID == 0 {
		cfg.NodeID = wire.NodeID(1 + len(w.tx))
	}
	s, err := NewSender(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	n := &txNode{Sender: s, sent: map[wire.TransportID][]byte{}, done: map[wire.TransportID]error{}, acked: map[wire.TransportID]int{}}
	n.node = w.sim.Add(name, s, out, in)
	n.node.Drain = func(time.Time) {
		for e, ok := s.Event(); ok; e, ok = s.Event() {
			switch e.Type {
			case ObjectDone:
				if _, twice := n.done[e.Object]; twice {
					w.t.Errorf("object %d done twice", e.Object)
				}
				n.done[e.Object] = e.Err
			case ObjectAcked:
				n.acked[e.Object]++
			case ShutdownDone:
				n.closed = true
			}
		}
	}
	w.tx = append(w.tx, n)
	return n
}

// send enqueues data and remembers it.
func (n *txNode) send(t testing.TB, data []byte, spec ObjectSpec) (id wire.TransportID) {
	t.Helper()
	spec.Source, spec.Size = bytes.NewReader(data), int64(len(data))
	n.node.Run(func(now time.Time) {
		var err error
		if id, err = n.Enqueue(now, spec); err != nil {
			t.Fatal(err)
		}
	})
	n.sent[id] = data
	return id
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
	n := &rxNode{Receiver: r, objects: map[ObjectKey]*rxCopy{}}
	n.node = w.sim.Add(name, r, out, in)
	n.node.Drain = func(now time.Time) { n.drain(w.t, now) }
	w.rx = append(w.rx, n)
	return n
}

func (n *rxNode) drain(t testing.TB, now time.Time) {
	for e, ok := n.Event(); ok; e, ok = n.Event() {
		o := n.objects[e.Key]
		if e.Type == ObjectNew || o == nil {
			if e.Type != ObjectNew && e.Type != InfoReceived {
				t.Fatalf("event %d of an unknown object", e.Type)
			}
			if o == nil {
				o = &rxCopy{}
				n.objects[e.Key] = o
				n.order = append(n.order, e.Key)
			}
		}
		switch e.Type {
		case ObjectNew:
			o.data = make([]byte, e.Size)
			if n.refuse != nil {
				n.Stored(now, e.Key, n.refuse)
				o.err = n.refuse
			}
		case InfoReceived:
			o.info = e.Data
		case BlockReceived:
			copy(o.data[e.Offset:], e.Data)
			if n.stall {
				n.held = append(n.held, e.Data)
			} else {
				n.Release(e.Data)
			}
		case ObjectReceived:
			if o.done || o.err != nil {
				t.Errorf("%v received after its end", e.Key)
			}
			o.done = true
			n.Stored(now, e.Key, nil)
		case ObjectAborted:
			if o.done || o.err != nil {
				t.Errorf("%v aborted after its end", e.Key)
			}
			o.err = e.Err
		}
	}
}

// check fails the test unless every receiver has every object, or a typed reason
// why not where that is allowed.
func (w *world) check(allowed ...error) {
	w.t.Helper()
	for i, n := range w.rx {
		got := map[SenderKey]int{}
		for key, o := range n.objects {
			var want []byte
			for _, tx := range w.tx {
				if tx.node.Addr == key.Sender.Addr {
					want = tx.sent[key.Object]
				}
			}
			if o.done && !bytes.Equal(o.data, want) {
				w.t.Fatalf("receiver %d: object %d differs", i, key.Object)
			}
			if !o.done && !isOne(o.err, allowed) {
				w.t.Fatalf("receiver %d: object %d not received: %v", i, key.Object, o.err)
			}
			got[key.Sender]++
		}
		if len(allowed) > 0 {
			continue
		}
		for _, tx := range w.tx {
			if got[SenderKey{tx.cfg.NodeID, tx.node.Addr}] != len(tx.sent) {
				w.t.Fatalf("receiver %d has %d objects of %d", i, got[SenderKey{tx.cfg.NodeID, tx.node.Addr}], len(tx.sent))
			}
		}
	}
}

func isOne(err error, allowed []error) bool {
	for _, a := range allowed {
		if errors.Is(err, a) {
			return true
		}
	}
	return false
}

// run runs until every sender is done with every object.
func (w *world) run() {
	w.t.Helper()
	if !w.sim.RunUntil(w.limit, w.sendersDone) {
		for i, n := range w.tx {
			w.t.Logf("sender %d: done %v of %d, %+v", i, n.done, len(n.sent), n.Sender.Stats())
		}
		for i, n := range w.rx {
			w.t.Logf("receiver %d: %+v", i, n.Receiver.Stats())
			for _, m := range n.Receiver.order {
				need, ok := m.earliestNeed(m.end)
				w.t.Logf("  base %v at %+v end %+v needs %+v %v nack %v %v", m.base, m.at, m.end, need, ok, m.nack.phase, m.nack.until.Sub(w.sim.Now()))
			}
		}
		w.t.Fatalf("not done after %v of virtual time", w.limit)
	}
}

func (w *world) sendersDone() bool {
	for _, n := range w.tx {
		if len(n.done) < len(n.sent) {
			return false
		}
	}
	return true
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}
