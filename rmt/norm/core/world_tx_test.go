package core

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A txNode is a host that sends. When it restarts its engine is another.
type txNode struct {
	*Sender
	w       *world
	node    *netem.Node
	objects []*txCopy // in the order of Enqueue, of all instances
	waiting []txWaiting
	closed  bool
	gone    bool // without a word
	away    bool // cut off for so long that receivers may have given it up

	commandsSent map[CommandID]error
	answers      map[QuestionID]map[wire.NodeID]string
	questions    map[QuestionID]error // over
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
	stream    *txStreamCopy
}

type txWaiting struct {
	data   []byte
	spec   ObjectSpec
	stream *streamPlan
}

func (w *world) sender(cfg SenderConfig, out, in netem.Link) *txNode {
	w.t.Helper()
	if cfg.NodeID == 0 {
		cfg.NodeID = wire.NodeID(1 + len(w.tx))
	}
	n := &txNode{w: w, Sender: w.newSender(cfg), commandsSent: map[CommandID]error{}, answers: map[QuestionID]map[wire.NodeID]string{}, questions: map[QuestionID]error{}}
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
		o.stopWriting()
		o.abandoned = !o.done
	}
	n.waiting = nil
	cfg.NodeID, cfg.InstanceID = n.cfg.NodeID, n.cfg.InstanceID+1
	n.Sender = n.w.newSender(cfg)
	n.node.Restart(n.Sender)
}

// send enqueues data, or has it wait until there is room.
func (n *txNode) send(data []byte, spec ObjectSpec) {
	n.waiting = append(n.waiting, txWaiting{data: data, spec: spec})
	n.node.Run(n.enqueue)
}

func (n *txNode) enqueue(now time.Time) {
	for len(n.waiting) > 0 {
		if p := n.waiting[0].stream; p != nil {
			if !n.beginStream(now, p) {
				return
			}
			n.waiting = n.waiting[1:]
			continue
		}
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
		if n.commandEvent(&e) {
			continue
		}
		if e.Type == StreamVacancy || e.Type == StreamAcked {
			n.streamEvent(&e)
			continue
		}
		o := n.copyOf(n.key(e.Object))
		switch e.Type {
		case ObjectAcked:
			if o.stream != nil {
				continue
			}
			if o.acked[e.Node] {
				t.Errorf("%v acknowledged twice by %v", o.key, e.Node)
			}
			o.acked[e.Node] = true
			if !n.w.has(e.Node, o.key) {
				n.w.wrong("%v acknowledged by %v, which does not have it", o.key, e.Node)
			}
		case ReceiverDropped:
			o.spec.AckNodes = slices.DeleteFunc(slices.Clone(o.spec.AckNodes), func(id wire.NodeID) bool { return id == e.Node })
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
			n.w.wrong("%v done, but %v does not have it", o.key, id)
		}
	}
	have := 0
	for _, r := range n.w.rx {
		if n.w.has(r.cfg.NodeID, o.key) {
			have++
		}
	}
	if have < o.spec.AckCount {
		n.w.wrong("%v done, but only %d of %d receivers have it", o.key, have, o.spec.AckCount)
	}
}

// has reports whether a receiver has stored an object.
func (w *world) has(id wire.NodeID, key ObjectKey) bool {
	for _, r := range w.rx {
		if r.cfg.NodeID == id {
			c, before := r.objects[key], r.earlier[key]
			return c != nil && c.done || before != nil && before.done
		}
	}
	return false
}
