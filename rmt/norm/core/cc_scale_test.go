package core

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
)

// ccReceivers is how many receivers the groups of these tests have; NORM_RECEIVERS sets
// another number.
func ccReceivers(t *testing.T) int {
	if testing.Short() {
		t.Skip("a simulation of 1,000 receivers takes some seconds; not with -short")
	}
	if v := os.Getenv("NORM_RECEIVERS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if raceDetector {
		return 100
	}
	return 1000
}

// In a large group few answer, although probes come every round trip or faster, and the
// rate is still that of the slowest.
func TestScaleCongestionControl(t *testing.T) {
	for _, c := range []struct {
		name    string
		cfg     SenderConfig
		unicast bool
		want    float64 // bit/s
		limit   float64 // messages of receivers in a time of K*GRTT
	}{
		{"TFMCC, multicast feedback", SenderConfig{CC: CCTFMCC, MaxRate: 1_000_000}, false, 1e6, 40},
		{"TFMCC, unicast feedback", SenderConfig{CC: CCTFMCC, MaxRate: 1_000_000}, true, 1e6, 80},
		{"max, multicast feedback", SenderConfig{CC: CCMax, MaxRate: 30_000_000}, false, 2e6, 80},
		{"max, unicast feedback", SenderConfig{CC: CCMax, MaxRate: 30_000_000}, true, 2e6, 120},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := ccReceivers(t)
			if c.cfg.CC == CCMax {
				n /= 4 // packets by the million else
			}
			t.Parallel()
			cfg := c.cfg
			cfg.GRTT, cfg.GroupSize, cfg.MinRate = 50*time.Millisecond, n, 100_000
			w := newCCWorld(t, 1, cfg, netem.Link{Delay: 5 * time.Millisecond})
			rng := w.sim.Rand("delays")
			for i := range n {
				d := 5*time.Millisecond + time.Duration(rng.Int64N(int64(15*time.Millisecond)))
				in := netem.Link{Delay: d, Rate: 20e6, Queue: 100_000, Loss: 0.0001}
				if i == n/2 {
					in.Rate = 2e6
					in.Queue = 25_000
				}
				w.receiver(netem.Link{Delay: d}, in, ReceiverConfig{Unicast: c.unicast})
			}
			w.send()
			w.pass(8 * time.Second)
			begin := w.tx.Stats()
			probes := w.tx.grtt.sequence
			const span = 4 * time.Second
			got := w.pass(span)
			end := w.tx.Stats()
			hold := 4 * end.GRTT
			messages := float64(end.Acks+end.Nacks-begin.Acks-begin.Nacks) * hold.Seconds() / span.Seconds()
			t.Logf("%s Mbit/s; %d probes, %d ACKs and %d NACKs: %.1f messages in %v; %+v", mbit(got), w.tx.grtt.sequence-probes, end.Acks-begin.Acks, end.Nacks-begin.Nacks, messages, hold, end.Rate)
			if messages > c.limit {
				t.Errorf("%.0f messages in %v, want at most %.0f", messages, hold, c.limit)
			}
			if !within(got*8, c.want, 2) {
				t.Errorf("%s Mbit/s, want about %.0f", mbit(got), c.want/1e6)
			}
		})
	}
}
