package core

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/fec"
	_ "github.com/gomulticast/multicast/rmt/fec/raptorq"
	_ "github.com/gomulticast/multicast/rmt/fec/rs"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// A world is senders and receivers in a simulated network, with applications that
// store what the receivers tell them and check every byte.
type world struct {
	t    testing.TB
	sim  *netem.Sim
	tx   []*txNode
	rx   []*rxNode
	want map[string][]byte // by Content-Location, of all senders
}

func newWorld(t testing.TB, seed uint64) *world {
	return &world{t: t, sim: netem.NewSim(seed), want: map[string][]byte{}}
}

// A txNode is a sender and what it was told to send.
type txNode struct {
	*Sender
	w      *world
	node   *netem.Node
	passes map[lct.TOI]int
	done   map[lct.TOI]error
	closed bool
}

func (w *world) sender(cfg SenderConfig, out netem.Link) *txNode {
	w.t.Helper()
	s, err := NewSender(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	n := &txNode{Sender: s, w: w, passes: map[lct.TOI]int{}, done: map[lct.TOI]error{}}
	n.node = w.sim.Add(fmt.Sprintf("tx%d", len(w.tx)), s, out, netem.Link{})
	n.node.Drain = func(time.Time) {
		for e, ok := s.Event(); ok; e, ok = s.Event() {
			switch e.Type {
			case PassDone:
				n.passes[e.TOI] = e.Pass
			case ObjectDone:
				n.done[e.TOI] = e.Err
			case SessionClosed:
				n.closed = true
			}
		}
	}
	w.tx = append(w.tx, n)
	return n
}

// send sends size random bytes under a name.
func (n *txNode) send(name string, size int, spec ObjectSpec) lct.TOI {
	n.w.t.Helper()
	data := randomBytes(n.w.sim.Rand(name), size)
	n.w.want[name] = data
	spec.Source, spec.Size = bytes.NewReader(data), int64(size)
	spec.File.ContentLocation = name
	spec.File.ContentMD5, spec.File.HasMD5 = md5.Sum(data), true
	var toi lct.TOI
	n.node.Run(func(now time.Time) {
		var err error
		if toi, err = n.Enqueue(now, spec); err != nil {
			n.w.t.Fatal(err)
		}
	})
	return toi
}

// An rxNode is a receiver with its application.
type rxNode struct {
	*Receiver
	w       *world
	node    *netem.Node
	open    map[ObjectKey]*rxFile
	got     map[string]time.Duration // when each file was stored
	aborted []error
	wrong   int // objects that failed the digest
	solver  Solver
	slow    time.Duration // how long it takes
	busy    time.Duration // until when it does
}

// An rxFile is an object's storage.
type rxFile struct {
	data []byte
	file *fdt.File
}

func (w *world) receiver(cfg ReceiverConfig, in netem.Link) *rxNode {
	w.t.Helper()
	n := &rxNode{w: w, open: map[ObjectKey]*rxFile{}, got: map[string]time.Duration{}}
	cfg.Load = func(key ObjectKey, off int64, data []byte) error {
		copy(data, n.open[key].data[off:])
		return nil
	}
	r, err := NewReceiver(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	n.Receiver = r
	n.node = w.sim.Add(fmt.Sprintf("rx%d", len(w.rx)), r, netem.Link{}, in)
	n.node.Drain = func(now time.Time) { n.drain(now) }
	w.rx = append(w.rx, n)
	return n
}

func (n *rxNode) drain(now time.Time) {
	for e, ok := n.Event(); ok; e, ok = n.Event() {
		f := n.open[e.Key]
		switch e.Type {
		case ObjectNew:
			if e.Size > 1<<26 {
				n.w.t.Fatalf("an object of %d bytes", e.Size)
			}
			n.open[e.Key] = &rxFile{data: make([]byte, e.Size+1<<16)[:e.Size]}
		case ObjectDescribed:
			f.file = e.File
		case BlockReceived, BlockSpilled:
			if f != nil {
				copy(f.data[:cap(f.data)][e.Offset:], e.Data)
			}
			n.Release(&e)
		case BlockSolvable:
			n.solve(now, e.Work)
		case ObjectReceived:
			n.store(now, &e, f)
			delete(n.open, e.Key)
		case ObjectAborted:
			n.aborted = append(n.aborted, e.Err)
			delete(n.open, e.Key)
		}
	}
}

// solve has a block solved, at once or after a while.
func (n *rxNode) solve(now time.Time, w *Work) {
	if n.slow == 0 {
		n.solver.Solve(w)
		n.Solved(now, w)
		return
	}
	n.busy = max(n.busy, n.w.sim.Now().Sub(netem.Start)) + n.slow
	n.w.sim.At(n.busy, func() {
		n.solver.Solve(w)
		n.node.Run(func(now time.Time) { n.Solved(now, w) })
	})
}

// store does what an application does, and checks that what the digest lets pass is
// right.
func (n *rxNode) store(now time.Time, e *ReceiverEvent, f *rxFile) {
	if !e.File.HasMD5 || md5.Sum(f.data) != e.File.ContentMD5 {
		n.wrong++
		n.Failed(now, e.Key, true)
		return
	}
	want, ok := n.w.want[e.File.ContentLocation]
	if !ok || !bytes.Equal(want, f.data) {
		n.w.t.Errorf("%s: delivered with wrong bytes", e.File.ContentLocation)
	}
	if _, twice := n.got[e.File.ContentLocation]; twice {
		n.w.t.Errorf("%s: delivered twice", e.File.ContentLocation)
	}
	n.got[e.File.ContentLocation] = n.w.sim.Now().Sub(netem.Start)
	n.Stored(now, e.Key)
}

// runUntil runs until every receiver has so many files, or fails.
func (w *world) runUntil(files int, limit time.Duration) {
	w.t.Helper()
	done := func() bool {
		for _, n := range w.rx {
			if len(n.got) < files {
				return false
			}
		}
		return true
	}
	if !w.sim.RunUntil(limit, done) {
		for i, n := range w.rx {
			w.t.Logf("receiver %d has %d files, %v aborted: %+v", i, len(n.got), n.aborted, n.Stats())
		}
		for i, n := range w.tx {
			w.t.Logf("sender %d: %+v", i, n.Stats())
		}
		w.t.Fatalf("not done after %v", limit)
	}
	w.check()
}

// check holds everyone to what must hold at any time.
func (w *world) check() {
	w.t.Helper()
	for i, n := range w.rx {
		if n.node.Sent != 0 {
			w.t.Errorf("receiver %d sent %d packets", i, n.node.Sent)
		}
		if n.node.Hasty > 0 {
			w.t.Errorf("receiver %d is hasty: %d", i, n.node.Hasty)
		}
		checkReceiver(w.t, n.Receiver)
	}
	for i, n := range w.tx {
		if n.node.Hasty > 0 {
			w.t.Errorf("sender %d is hasty: %d", i, n.node.Hasty)
		}
	}
}

// checkReceiver compares a receiver's accounts with what there is.
func checkReceiver(t testing.TB, r *Receiver) {
	t.Helper()
	var inUse, aside int64
	objects, files, tables := 0, 0, 0
	var decoderBytes, weight int64
	count := func(o *rxObject) {
		for _, b := range o.blocks {
			switch {
			case b.spilled:
				aside += asideCost(b)
			case b.work != nil:
				inUse += bufferCost(len(b.work.data))
			default:
				inUse += bufferCost(len(b.data))
			}
			for _, chunk := range b.extra {
				inUse += bufferCost(len(chunk))
			}
			if b.object != o || len(b.extras) > maxExtra(b.k) || b.spilled && len(b.extra) > 0 {
				t.Errorf("block %d has %d symbols beside it", b.sbn, len(b.extras))
			}
		}
	}
	works := 0
	for _, h := range r.holds {
		decoderBytes += h.bytes
		works += h.works
		if h.object == nil && h.works == 0 || h.object != nil && h.object.hold != h {
			t.Error("a decoder that nobody wants")
		}
	}
	if works != r.solving || works == 0 && r.solvingBytes != 0 || decoderBytes > r.cfg.DecoderBytes {
		t.Errorf("%d works, counted as %d of %d bytes; decoders of %d bytes", works, r.solving, r.solvingBytes, decoderBytes)
	}
	for _, s := range r.order {
		for _, o := range s.objects {
			objects++
			count(o)
		}
		for _, o := range s.tables {
			tables += len(o.table.data)
			count(o)
		}
		files += len(s.files)
		for toi, d := range s.files {
			if d.weight() != s.weights[toi] {
				t.Errorf("what TOI %v says takes %d bytes, counted as %d", toi, d.weight(), s.weights[toi])
			}
			weight += d.weight()
		}
	}
	if weight != r.fileBytes || weight > maxFileBytes+1<<20 {
		t.Errorf("descriptions take %d bytes, counted as %d", weight, r.fileBytes)
	}
	if inUse > r.buffers.inUse || r.buffers.inUse > r.cfg.BufferBytes || r.buffers.inUse+r.buffers.idle > r.cfg.BufferBytes+r.cfg.BufferBytes/4 {
		t.Errorf("blocks take %d bytes, %d in use, %d idle of %d", inUse, r.buffers.inUse, r.buffers.idle, r.cfg.BufferBytes)
	}
	if aside != r.aside || objects != r.objects || files != r.files || tables != r.tableBytes || decoderBytes != r.decoderBytes {
		t.Errorf("aside %d/%d, objects %d/%d, files %d/%d, tables %d/%d, decoders %d/%d bytes",
			aside, r.aside, objects, r.objects, files, r.files, tables, r.tableBytes, decoderBytes, r.decoderBytes)
	}
	if objects > r.cfg.MaxObjects || files > r.cfg.MaxFiles || len(r.sessions) > r.cfg.MaxSessions || len(r.sessions) != len(r.order) {
		t.Errorf("%d objects, %d files, %d sessions", objects, files, len(r.sessions))
	}
	early, n := 0, 0
	for _, p := range r.early.kept.items[r.early.kept.head:] {
		if p.data != nil {
			early += earlyCost(len(p.data))
			n++
		}
	}
	counted := 0
	for _, v := range r.early.of {
		counted += v
	}
	if counted != n {
		t.Errorf("%d early packets, %d by object", n, counted)
	}
	if early != r.early.bytes || n != r.early.count || early > r.cfg.EarlyBytes {
		t.Errorf("%d early packets of %d bytes, counted as %d of %d", n, early, r.early.count, r.early.bytes)
	}
	listed := 0
	for b := r.lru.first; b != nil; b = b.next {
		listed++
		if b.next != nil && b.next.prev != b || b.data == nil {
			t.Fatal("the list of blocks is broken")
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

// codes are the FEC settings that tests go through.
var codes = map[string]FEC{
	"none":    {NoCode: true},
	"raptorq": {Overhead: 0.1},
	"rs":      {Encoding: fec.ReedSolomonGF8},
}
