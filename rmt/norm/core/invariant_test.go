package core

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
)

// check holds every receiver to the promise: each object arrived unchanged, or
// ended with an error that this world gives reason for.
func (w *world) check() {
	w.t.Helper()
	for _, tx := range w.tx {
		for _, rx := range w.rx {
			w.checkPair(tx, rx)
		}
		w.checkSender(tx)
	}
	for _, rx := range w.rx {
		w.checkReceiver(rx)
	}
}

func (w *world) checkPair(tx *txNode, rx *rxNode) {
	w.t.Helper()
	// The first and last object of each instance that the receiver knows of.
	first, last := map[uint16]int{}, map[uint16]int{}
	for i, o := range tx.objects {
		if rx.objects[o.key] != nil {
			if _, ok := first[o.key.Instance]; !ok {
				first[o.key.Instance] = i
			}
			last[o.key.Instance] = i
		}
	}
	for i, o := range tx.objects {
		c := rx.objects[o.key]
		switch {
		case c == nil:
			// Objects before the first it heard of are not its own, and of the
			// last it may have missed every packet. Not so in between.
			// Nor need it have heard of what its sender gave up early.
			given := o.stream != nil && o.stream.spec.DropAfter > 0
			if from, ok := first[o.key.Instance]; ok && i > from && i < last[o.key.Instance] && !given && !o.dropped && !o.restarted && !o.left && !rx.narrow() && !rx.apart() {
				w.t.Errorf("%s: nothing of %v, between others", rx.node.Name, o.key)
			}
			if slices.Contains(o.spec.AckNodes, rx.cfg.NodeID) && o.done && o.err == nil && !w.has(rx.cfg.NodeID, o.key) {
				w.t.Errorf("%s: nothing of %v, which it acknowledged", rx.node.Name, o.key)
			}
		case o.stream != nil:
			w.checkStream(rx, o, c)
		case c.done:
			if c.size != int64(len(o.data)) || c.got != c.size {
				w.t.Errorf("%s: %v is %d bytes, of which %d came, not %d", rx.node.Name, o.key, c.size, c.got, len(o.data))
			}
			if (o.spec.Info != nil || len(o.data) == 0) != c.hasInfo || !bytes.Equal(c.info, o.spec.Info) {
				w.t.Errorf("%s: the INFO of %v is %q (%v), not %q", rx.node.Name, o.key, c.info, c.hasInfo, o.spec.Info)
			}
		case c.err == nil:
			w.t.Errorf("%s: %v neither arrived nor failed", rx.node.Name, o.key)
		case !may(rx, o, c.err):
			w.t.Errorf("%s: %v failed without reason: %v", rx.node.Name, o.key, c.err)
		}
	}
}

// apart reports whether a receiver and a sender could not hear each other for longer than
// the one waits for the other.
func (n *rxNode) apart() bool {
	return n.away || slices.ContainsFunc(n.w.tx, func(tx *txNode) bool { return tx.away })
}

// narrow reports whether objects may overrun one another at a receiver.
func (n *rxNode) narrow() bool { return n.cfg.MaxObjects < 10 }

// may reports whether a receiver has reason to end an object with an error.
func may(rx *rxNode, o *txCopy, err error) bool {
	switch {
	case errors.Is(err, errRefused), errors.Is(err, errDiskFull):
		return true
	case errors.Is(err, ErrPurged):
		return o.dropped || o.stream != nil && o.stream.spec.DropAfter > 0
	case errors.Is(err, ErrOverrun):
		return rx.narrow()
	case errors.Is(err, ErrSenderGone):
		return o.left
	case errors.Is(err, ErrSenderRestarted):
		return o.restarted
	case errors.Is(err, ErrSenderSilent):
		return o.left || o.restarted || o.dropped || rx.apart()
	}
	return false
}

func (w *world) checkSender(n *txNode) {
	w.t.Helper()
	w.checkHaste(n.node)
	if n.gone {
		return
	}
	for _, o := range n.objects {
		switch {
		case o.abandoned:
		case !o.done:
			w.t.Errorf("%v is not done", o.key)
		case o.err == nil:
		case o.canceled || o.shut:
			if !errors.Is(o.err, ErrCanceled) {
				w.t.Errorf("%v, called off, ended with: %v", o.key, o.err)
			}
		case !errors.Is(o.err, ErrNotAcked) || n.reaches(o) && !(o.stream != nil && o.stream.spec.DropAfter > 0):
			w.t.Errorf("%v failed: %v", o.key, o.err)
		}
	}
	if len(n.Sender.objects) > n.cfg.CacheObjects {
		w.t.Errorf("sender keeps %d objects of %d", len(n.Sender.objects), n.cfg.CacheObjects)
	}
	if len(n.nodes.byID) != len(n.nodes.order) || len(n.nodes.order) > n.cfg.MaxNodes {
		w.t.Errorf("sender knows %d and %d nodes of %d", len(n.nodes.byID), len(n.nodes.order), n.cfg.MaxNodes)
	}
}

// checkHaste fails the test if an engine asked to be called at once and then had
// nothing to do.
func (w *world) checkHaste(n *netem.Node) {
	w.t.Helper()
	if n.Hasty > 0 {
		w.t.Errorf("%s: asked %d times to be called at once, for nothing", n.Name, n.Hasty)
	}
}

// reaches reports whether everyone asked to acknowledge an object could.
func (n *txNode) reaches(o *txCopy) bool {
	able := 0
	if n.away {
		return false
	}
	for _, rx := range n.w.rx {
		// Told of a large group a few receivers let most cycles pass.
		ok := !rx.late && !rx.cut && !rx.killed && !rx.filled && !rx.narrow() && !(rx.cfg.Unicast && n.cfg.GroupSize >= suppressGroup) && (rx.refuse == nil || !rx.refuse(o.key))
		if ok {
			able++
		} else if slices.Contains(o.spec.AckNodes, rx.cfg.NodeID) {
			return false
		}
	}
	return able >= o.spec.AckCount
}

func (w *world) checkReceiver(n *rxNode) {
	w.t.Helper()
	w.checkHaste(n.node)
	if n.buffers.inUse != 0 && !w.damaged || n.buffers.inUse > n.buffers.limit {
		w.t.Errorf("%s: %d bytes of buffers are lost", n.node.Name, n.buffers.inUse)
	}
	if n.buffers.idle > n.buffers.limit {
		w.t.Errorf("%s: keeps %d bytes of %d", n.node.Name, n.buffers.idle, n.buffers.limit)
	}
	if len(n.senders) != len(n.order) || len(n.order) > n.cfg.MaxSenders {
		w.t.Errorf("%s: %d and %d senders of %d", n.node.Name, len(n.senders), len(n.order), n.cfg.MaxSenders)
	}
	for _, m := range n.order {
		if len(m.objects) > n.cfg.MaxObjects {
			w.t.Errorf("%s: window of %d objects", n.node.Name, len(m.objects))
		}
		if len(m.nack.heard) > maxOverheard {
			w.t.Errorf("%s: remembers requests for %d objects", n.node.Name, len(m.nack.heard))
		}
		for _, o := range m.objects {
			if o != nil && o.state >= stored && (len(o.blocks) > 0 || !o.done.empty()) {
				w.t.Errorf("%s: %v is over and holds memory", n.node.Name, o.key)
			}
		}
	}
}

// checkReading fails the test if a stream is read on past what is still asked for.
func (n *rxNode) checkReading() {
	for _, m := range n.order {
		for _, o := range m.objects {
			if o == nil || o.stream == nil || o.settled() {
				continue
			}
			if lo, _ := o.done.nextMissing(0); lo < o.stream.low {
				n.w.t.Errorf("%s: %v is read up to block %d and lacks block %d", n.node.Name, o.key, o.stream.low, lo)
			}
		}
	}
}

// checkQuiet fails the test if the group does not come to rest: after all is done
// there are the senders' probes, one in 30 seconds, and the answers to them.
func (w *world) checkQuiet() {
	w.t.Helper()
	// Flushes and the last probes at their quick pace.
	w.pass(10 * time.Minute) // 20 FLUSHes take as long with the GRTT of clocks that are wrong by 5 %
	for _, n := range w.tx {
		if n.repairs.collecting() || n.sendable() {
			w.t.Errorf("%s is not at rest", n.node.Name)
		}
		for _, o := range n.Sender.objects {
			if o.busy() {
				w.t.Errorf("%s is not done repairing %v", n.node.Name, o.id)
			}
		}
	}
	w.types = [8]int{}
	w.pass(30 * time.Second)
	// Each probe may have some REPAIR_ADV in its wake.
	probes := 8 * len(w.tx) * (len(w.rx) + len(w.tx))
	answers := probes * len(w.rx)
	if w.types[1] > 0 || w.types[2] > 0 || w.types[4] > 0 || w.types[3] > probes || w.types[5] > answers {
		w.dump()
		w.t.Errorf("no rest: in 30 s, to all nodes together, %d INFO, %d DATA, %d CMD, %d NACK, %d ACK", w.types[1], w.types[2], w.types[3], w.types[4], w.types[5])
	}
}

// logStats prints what a run cost.
func (w *world) logStats(t testing.TB) {
	var bytes int
	for _, tx := range w.tx {
		for _, o := range tx.objects {
			bytes += len(o.data)
		}
		t.Logf("%v for %d bytes: %+v", w.now().Round(time.Millisecond), bytes, tx.Stats())
	}
	t.Logf("first receiver: %+v", w.rx[0].Stats())
}
