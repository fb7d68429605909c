package core

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/fec"
	_ "github.com/gomulticast/multicast/rmt/fec/ldpc"
	_ "github.com/gomulticast/multicast/rmt/fec/raptor"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// The simulated worlds of TestSeeds. FLUTE_SEEDS sets how many, FLUTE_SEED runs one
// alone and prints it.
const defaultSeeds = 60

func seeds(t *testing.T) (from, to uint64) {
	for name, one := range map[string]bool{"FLUTE_SEED": true, "FLUTE_SEEDS": false} {
		if v := os.Getenv(name); v != "" {
			n, err := strconv.ParseUint(v, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if one {
				return n, n + 1
			}
			return 1, n + 1
		}
	}
	if raceDetector {
		return 1, defaultSeeds/5 + 1
	}
	return 1, defaultSeeds + 1
}

// A scenario is drawn from a seed.
type scenario struct {
	senders   []SenderConfig
	out       []netem.Link
	receivers []ReceiverConfig
	in        []netem.Link
	join      []time.Duration
	slow      []time.Duration // to solve a block
	files     [][]scenarioFile
}

type scenarioFile struct {
	size int
	at   time.Duration
	spec ObjectSpec
}

func newScenario(seed uint64) *scenario {
	rng := netem.NewSim(seed).Rand("scenario")
	sc := new(scenario)
	link := func(worst float64) netem.Link {
		l := netem.Link{Delay: time.Duration(rng.IntN(50)) * time.Millisecond}
		if rng.IntN(4) > 0 {
			l.Loss = rng.Float64() * worst
		}
		if rng.IntN(2) == 0 {
			l.Burst = 1 + 20*rng.Float64()
		}
		if rng.IntN(2) == 0 {
			l.Jitter = time.Duration(rng.IntN(20)) * time.Millisecond
		}
		if rng.IntN(2) == 0 {
			l.Duplicate = 0.1 * rng.Float64()
		}
		if rng.IntN(2) == 0 {
			l.Reorder, l.ReorderBy = 0.1*rng.Float64(), time.Duration(rng.IntN(300))*time.Millisecond
		}
		return l
	}
	all := []FEC{
		{NoCode: true}, {}, {Encoding: fec.ReedSolomonGF8}, {Encoding: fec.RaptorQ, Overhead: -1}, {Encoding: fec.Raptor},
		{Encoding: fec.LDPCStaircase}, {Encoding: fec.LDPCTriangle, Overhead: 0.3}, {Encoding: fec.ReedSolomonGF2m, BlockLen: 30},
		{Encoding: fec.SmallBlockSystematic, BlockLen: 30, Parity: 30},
	}
	for range 1 + rng.IntN(3) {
		cfg := SenderConfig{
			TSI: lct.TSI(1 + rng.IntN(2)), Rate: int64(1+rng.IntN(20)) * 1_000_000, SymbolSize: 100 + 4*rng.IntN(320),
			FEC: all[rng.IntN(len(all))], Concurrent: 1 + rng.IntN(3), NoFTI: rng.IntN(2) == 0, FDTFiles: 1 + rng.IntN(4),
			FDTInterval: time.Duration(200+rng.IntN(1000)) * time.Millisecond, FDTLifetime: time.Duration(10+rng.IntN(1000)) * time.Second,
		}
		switch rng.IntN(5) {
		case 0:
			cfg.Profile = fdt.RFC3926
		case 1:
			cfg.Profile = fdt.MBMS
			cfg.FEC = []FEC{{NoCode: true}, {}}[rng.IntN(2)]
		case 2:
			cfg.TSI = 1<<32 + 5
		}
		if rng.IntN(3) == 0 {
			cfg.FDTEncoding = lct.EncodingGZIP
		}
		if rng.IntN(3) == 0 {
			for i := range 1 + rng.IntN(3) {
				cfg.Channels = append(cfg.Channels, Channel{
					Dest: netip.AddrPortFrom(netip.AddrFrom4([4]byte{239, 1, 2, byte(4 + i)}), 6003), Rate: int64(1+rng.IntN(8)) * 1_000_000,
				})
			}
		}
		if rng.IntN(2) == 0 && cfg.FEC != (FEC{}) {
			cfg.FEC.Depth = 1 + rng.IntN(8)
		}
		sc.senders = append(sc.senders, cfg)
		sc.out = append(sc.out, link(0.05))
		var files []scenarioFile
		for range 1 + rng.IntN(5) {
			f := scenarioFile{size: rng.IntN(300_000), at: time.Duration(rng.IntN(4000)) * time.Millisecond}
			if rng.IntN(5) == 0 {
				f.size = rng.IntN(3 * cfg.SymbolSize)
			}
			f.spec = ObjectSpec{Passes: -1, Interval: time.Duration(1+rng.IntN(1000)) * time.Millisecond}
			if len(files) == 0 {
				f.spec.Priority, f.spec.Interval = rng.IntN(2), 4*time.Second
			}
			if len(cfg.Channels) > 1 && rng.IntN(2) == 0 {
				f.spec.Channels = []int{rng.IntN(len(cfg.Channels))}
			}
			files = append(files, f)
		}
		sc.files = append(sc.files, files)
	}
	for range 1 + rng.IntN(4) {
		cfg := ReceiverConfig{DescribedOnly: rng.IntN(3) == 0}
		if rng.IntN(2) == 0 {
			cfg.BufferBytes = int64(2<<20 + rng.IntN(2<<20)) // blocks have to be put aside
		}
		if rng.IntN(4) == 0 {
			cfg.EarlyBytes = 1 + rng.IntN(100_000)
		}
		sc.receivers = append(sc.receivers, cfg)
		sc.in = append(sc.in, link(0.3))
		sc.join = append(sc.join, time.Duration(rng.IntN(8000))*time.Millisecond)
		sc.slow = append(sc.slow, []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond}[rng.IntN(4)])
	}
	return sc
}

// simulate runs the world of a seed until everyone has everything, and returns the trace.
func simulate(t *testing.T, seed uint64) string {
	sc := newScenario(seed)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to run it alone: FLUTE_SEED=%d go test -count=1 -run TestSeeds -v ./rmt/flute/core", seed)
		}
	})
	w := newWorld(t, seed)
	total := 0
	for i, cfg := range sc.senders {
		tx := w.sender(cfg, sc.out[i])
		for j, f := range sc.files[i] {
			total++
			w.sim.At(f.at, func() { tx.send(fmt.Sprintf("s%d/f%d", i, j), f.size, f.spec) })
		}
	}
	for i := range sc.receivers {
		w.sim.At(sc.join[i], func() { w.receiver(sc.receivers[i], sc.in[i]).slow = sc.slow[i] })
	}
	w.sim.RunUntil(9*time.Second, func() bool { return false })
	w.runUntil(total, 20*time.Minute)
	if os.Getenv("FLUTE_SEED") != "" {
		for i, n := range w.rx {
			t.Logf("receiver %d: %v\n%+v\n%+v\n%+v", i, n.got, n.Stats(), sc.in[i], sc.receivers[i])
		}
	}
	for i, n := range w.rx {
		if n.wrong > 0 {
			t.Errorf("receiver %d: %d objects failed their digest, and nobody attacks", i, n.wrong)
		}
		if st := n.Stats(); st.Malformed+st.Unsupported+st.FTIConflicts+st.FileConflicts+st.TablesBad+st.TableConflicts > 0 {
			t.Errorf("receiver %d: %+v", i, st)
		}
	}
	// The end of the sessions.
	for _, tx := range w.tx {
		tx.node.Run(tx.Shutdown)
	}
	w.sim.RunUntil(w.sim.Now().Sub(netem.Start)+11*time.Minute, func() bool { return false })
	for i, tx := range w.tx {
		if !tx.closed || tx.Stats().ObjectsOpen > 0 {
			t.Errorf("sender %d has not ended", i)
		}
	}
	for i, n := range w.rx {
		if st := n.Stats(); st.SessionsOpen > 0 || st.ObjectsOpen > 0 || st.MemoryInUse != 0 || st.DecoderBytes != 0 || st.Solving != 0 {
			t.Errorf("receiver %d has something left: %+v", i, st)
		}
	}
	w.check()
	return w.sim.Trace()
}

func TestSeeds(t *testing.T) {
	from, to := seeds(t)
	for seed := from; seed < to; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			simulate(t, seed)
		})
	}
}

// A run can be repeated: the same seed gives the same packets at the same times.
func TestSameSeedSameTrace(t *testing.T) {
	last := uint64(10)
	if raceDetector {
		last = 3
	}
	for seed := uint64(1); seed <= last; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			if a, b := simulate(t, seed), simulate(t, seed); a != b {
				t.Errorf("%s, then %s", a, b)
			}
		})
	}
}
