package core

import (
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// newGroup makes a group of a thousand behind links of 5 to 20 ms. The sender knows
// how large it is.
func newGroup(t *testing.T, blockSize int, loss float64, cfg ReceiverConfig) (*world, *txNode) {
	t.Helper()
	if testing.Short() {
		t.Skip("a simulation of 1,000 receivers takes some seconds; not with -short")
	}
	t.Parallel()
	receivers := 1000
	if raceDetector {
		receivers = 100
	}
	w := newWorld(t, 1)
	tx := w.sender(SenderConfig{Rate: 10_000_000, BlockSize: blockSize, GRTT: 50 * time.Millisecond, GroupSize: receivers}, netem.Link{Delay: 5 * time.Millisecond}, netem.Link{Delay: 5 * time.Millisecond})
	rng := w.sim.Rand("delays")
	for range receivers {
		d := 5*time.Millisecond + time.Duration(rng.Int64N(int64(15*time.Millisecond)))
		w.receiver(cfg, netem.Link{Delay: d}, netem.Link{Delay: d, Loss: loss})
	}
	return w, tx
}

// Every receiver loses one packet in a hundred, each another: with a block of 64 most
// blocks are incomplete somewhere, and some receiver lacks several symbols. What
// that costs must not grow with the number of receivers.
func TestScaleIndependentLoss(t *testing.T) {
	const size = 600_000
	w, tx := newGroup(t, 64, 0.01, ReceiverConfig{})
	began := time.Now()
	tx.send(randomBytes(w.sim.Rand("data"), size), ObjectSpec{Info: []byte("a name")})
	w.run()
	w.check()
	st := tx.Stats()
	ratio := float64(st.Bytes) / size
	t.Logf("%v of virtual time in %v: wire ratio %.3f, %+v", w.now(), time.Since(began), ratio, st)
	if ratio > 1.25 {
		t.Errorf("wire ratio %.3f", ratio)
	}
	if blocks := uint64(size/(64*1400)) + 1; st.Nacks > 40*blocks {
		t.Errorf("%d NACKs for %d blocks", st.Nacks, blocks)
	}
}

// A sender at rest probes the group. Few may answer, also when the answers go to the
// sender only and before anyone has measured anything.
func TestScaleProbes(t *testing.T) {
	for _, c := range []struct {
		name  string
		cfg   ReceiverConfig
		limit float64
	}{
		{"multicast feedback", ReceiverConfig{}, 10},
		{"unicast feedback", ReceiverConfig{Unicast: true}, 25},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, tx := newGroup(t, 64, 0, c.cfg)
			w.pass(10 * time.Second)
			st := tx.Stats()
			perProbe := float64(st.Acks) / float64(tx.grtt.sequence)
			t.Logf("%d probes, %d messages in all, %.1f answers each", tx.grtt.sequence, st.Packets, perProbe)
			if perProbe > c.limit || perProbe < 0.5 {
				t.Errorf("%.1f answers to a probe", perProbe)
			}
		})
	}
}

// A loss near the sender is a loss to all. RFC 5401 section 3.2.2 expects
// exp(1.2*L/(2*K)) NACKs, with L = ln(1000)+1 and K = 4: 3.3.
func TestScaleSharedLoss(t *testing.T) {
	for _, c := range []struct {
		name  string
		cfg   ReceiverConfig
		limit float64
	}{
		{"multicast feedback", ReceiverConfig{}, 6},
		// Heard of by way of the sender, after a whole round trip.
		{"unicast feedback", ReceiverConfig{Unicast: true}, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, tx := newGroup(t, 16, 0, c.cfg)
			// Lose the third symbol of every fifth block, slowly enough for one
			// loss to be asked for before the next.
			tx.node.Run(func(time.Time) { tx.SetRate(2_500_000) })
			count, losses := w.sim.Filter, map[uint32]bool{}
			w.sim.Filter = func(from, to *netem.Node, data []byte) bool {
				if from == tx.node && data[0]&7 == byte(wire.TypeData) {
					var d wire.Data
					if (wire.Codec{}).ParseData(data, &d) == nil && d.ID.ESI == 3 && d.ID.SBN%5 == 0 && d.Flags&wire.FlagRepair == 0 {
						losses[d.ID.SBN] = true
						return false
					}
				}
				return count(from, to, data)
			}
			began := time.Now()
			tx.send(randomBytes(w.sim.Rand("data"), 600_000), ObjectSpec{})
			w.run()
			w.check()
			st := tx.Stats()
			perLoss := float64(st.Nacks) / float64(len(losses))
			t.Logf("%v of virtual time in %v: %.1f NACKs for each of %d losses, %+v", w.now(), time.Since(began), perLoss, len(losses), st)
			if perLoss > c.limit {
				t.Errorf("%.1f NACKs for a loss that all share, want at most %.0f", perLoss, c.limit)
			}
		})
	}
}
