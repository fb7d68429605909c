package core

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	_ "github.com/gomulticast/multicast/rmt/fec/rs"
)

// A world is senders and receivers in a simulated network, with applications that
// check what the engines tell them as they are told.
type world struct {
	t     testing.TB
	sim   *netem.Sim
	tx    []*txNode
	rx    []*rxNode
	limit time.Duration
	types [8]int                                        // deliveries by message type
	mute  map[*netem.Node]bool                          // who is not heard
	prime func(size int64) (time.Duration, []ByteRange) // see rxNode.prime

	damaged bool // bits are flipped on the way: what arrives may be wrong
}

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{t: t, sim: netem.NewSim(seed), limit: 10 * time.Minute, mute: map[*netem.Node]bool{}}
	w.sim.Filter = func(from, _ *netem.Node, data []byte) bool {
		w.types[data[0]&7]++
		return !w.mute[from]
	}
	return w
}

// wrong fails the test for content that is not what was sent.
func (w *world) wrong(format string, args ...any) {
	if w.t.Helper(); !w.damaged {
		w.t.Errorf(format, args...)
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
		steps, limit := 0, 300_000+3000*len(w.rx)
		w.sim.RunUntil(min(end, w.now()+100*time.Millisecond), func() bool {
			steps++
			return steps > limit
		})
		if steps > limit {
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

func (w *world) dump() {
	for i, n := range w.tx {
		w.t.Logf("sender %d, %d waiting: %+v", i, len(n.waiting), n.Stats())
		for _, o := range n.objects {
			w.t.Logf("  object %d.%d of %d bytes: done %v %v, dropped %v, acked %v", o.key.Instance, o.key.Object, len(o.data), o.done, o.err, o.dropped, o.acked)
		}
	}
	for i, n := range w.rx[:min(len(w.rx), 100)] {
		p := &n.buffers
		w.t.Logf("receiver %d: %d of %d bytes in use, %d by streams, %d idle; %+v", i, p.inUse, p.limit, p.stream, p.idle, n.Stats())
		for _, m := range n.order {
			need, ok := m.earliestNeed(m.newest())
			for _, o := range m.objects {
				if o != nil && o.stream == nil && !o.settled() {
					w.t.Logf("  object %v, state %v, %d begun, done %v, %d bytes a block", o.key.Object, o.state, len(o.blocks), o.done.ranges, o.part.blockLen*o.part.symbol)
				}
				if o != nil && o.stream != nil {
					x := *o.stream
					held := len(x.held)
					x.held = nil
					w.t.Logf("  stream of %v, state %v, %d held, %d begun, done %v: %+v", o.key.Object, o.state, held, len(o.blocks), o.done.ranges, x)
				}
			}
			w.t.Logf("  sender %v.%d base %v %d objects, at %v end %v, needs %v %v, nack %v, silence %d", m.key.Node, m.instance, m.base, len(m.objects), m.at, m.end, need, ok, m.nack.phase, m.silence)
		}
		for key, o := range n.objects {
			if !o.done {
				w.t.Logf("  object %v: known %v received %v, %v", key, o.known, o.received, o.err)
				if o.stream != nil {
					w.t.Logf("  read %+v", *o.stream)
				}
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
