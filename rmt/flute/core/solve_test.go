package core

import (
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/fec"
)

// A stingy decoder wants some symbols more than it needs, as LDPC codes do.
type stingy struct {
	fec.BlockDecoder
	part  fec.Partition
	k, n  int
	extra int
}

func (d *stingy) Start(sbn uint32, block []byte) error {
	d.k, d.n = d.part.BlockLen(sbn), 0
	return d.BlockDecoder.Start(sbn, block)
}

func (d *stingy) Add(esi uint32, symbol []byte) (bool, error) {
	d.n++
	d.BlockDecoder.Add(esi, symbol)
	return d.Missing() == 0, nil
}

func (d *stingy) Missing() int { return max(d.k+d.extra-d.n, d.BlockDecoder.Missing()) }

func (d *stingy) Solve() error {
	if d.Missing() > 0 {
		return fec.ErrNeedMore
	}
	return d.BlockDecoder.Solve()
}

// stingyScheme makes a registered scheme stingy, by so many symbols.
func stingyScheme(extra int) func(fec.EncodingID) (fec.Scheme, error) {
	return func(id fec.EncodingID) (fec.Scheme, error) {
		s, err := fec.Lookup(id)
		make := s.NewDecoder
		s.NewDecoder = func(o *fec.OTI, limit int64) (fec.BlockDecoder, error) {
			d, err := make(o, limit)
			if err != nil {
				return nil, err
			}
			p, err := o.Partition()
			return &stingy{BlockDecoder: d, part: p, extra: extra}, err
		}
		return s, err
	}
}

// Blocks that do not come of as many symbols as they have keep those they get, through
// any number of tries and while they are being solved.
func TestSurplusSymbolsCount(t *testing.T) {
	for name, slow := range map[string]time.Duration{"at once": 0, "slowly": 20 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 5)
			w.sender(SenderConfig{TSI: 7, FEC: FEC{BlockLen: 64, Overhead: 0.5}, Rate: 20_000_000}, netem.Link{}).send("a", 2_000_000, ObjectSpec{})
			n := w.receiver(ReceiverConfig{Scheme: stingyScheme(10)}, netem.Link{Loss: 0.1})
			n.slow = slow
			w.runUntil(1, time.Minute)
			st := n.Stats()
			t.Logf("%v: %+v", n.got, st)
			if st.Unsolved < 20 || st.Solved < 20 {
				t.Errorf("%d blocks solved, %d tries failed", st.Solved, st.Unsolved)
			}
		})
	}
}

// Blocks that wait for more symbols than they have can be put aside too, when memory is
// short.
func TestUnsolvedPutAside(t *testing.T) {
	w := newWorld(t, 6)
	// Of each block a pass brings some symbols more than it has, but too few.
	tx := w.sender(SenderConfig{TSI: 7, FEC: FEC{BlockLen: 64, Overhead: 0.15, Depth: 1}, Rate: 50_000_000}, netem.Link{})
	toi := tx.send("a", 8_000_000, ObjectSpec{Passes: -1})
	n := w.receiver(ReceiverConfig{BufferBytes: 1 << 20, Scheme: stingyScheme(12)}, netem.Link{Loss: 0.05})
	w.runUntil(1, time.Minute)
	st := n.Stats()
	t.Logf("%v: %+v", n.got, st)
	if st.Unsolved == 0 || st.Spilled == 0 || st.Reloaded == 0 || st.Dropped > 0 || tx.passes[toi] > 1 {
		t.Errorf("%+v", st)
	}
}

// A receiver goes on while the solver has not come back, within its memory; when it ends
// the session what the solver has comes back to nobody.
func TestSolverFallsBehind(t *testing.T) {
	w := newWorld(t, 7)
	tx := w.sender(SenderConfig{TSI: 7, FEC: FEC{BlockLen: 64, Overhead: 0.3, Depth: 1}, Rate: 50_000_000}, netem.Link{})
	toi := tx.send("a", 3_000_000, ObjectSpec{Passes: -1})
	n := w.receiver(ReceiverConfig{BufferBytes: 1 << 20}, netem.Link{Loss: 0.1})
	n.slow = 15 * time.Second
	w.sim.RunUntil(10*time.Second, func() bool { return false })
	w.check()
	st := n.Stats()
	if st.Solving < 5 || st.MemoryInUse > 1<<20 || st.DecoderBytes == 0 {
		t.Errorf("%+v", st)
	}
	n.node.Run(func(now time.Time) { n.sessions[n.order[0].key].end(ErrSilent) })
	w.check()
	if st := n.Stats(); st.MemoryInUse == 0 || st.SessionsOpen != 0 {
		t.Errorf("%+v", st)
	}
	tx.node.Run(func(now time.Time) { tx.Cancel(now, toi) })
	w.sim.RunUntil(10*time.Minute, func() bool { return n.Stats().Solving == 0 })
	w.check()
	if st := n.Stats(); st.Solving != 0 || st.MemoryInUse != 0 || st.DecoderBytes != 0 {
		t.Errorf("%+v", st)
	}
}
