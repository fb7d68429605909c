package core

import (
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// crowdConfig is the sender of a crowd of n: it knows how many they are, and that they are
// 50 ms away.
func crowdConfig(n int) SenderConfig {
	return SenderConfig{Rate: 10_000_000, GRTT: 50 * time.Millisecond, GroupSize: n, Backoff: 4}
}

// A loss near the sender is a loss to all: how many NACKs does it cost? RFC 5401 section
// 3.2.2 expects exp(1.2*L/(2*K)) with L = ln(n)+1: 3.3, 4.6 and 6.5 for 1,000, 10,000 and
// 100,000 receivers.
func TestCrowdSharedLoss(t *testing.T) {
	for _, unicast := range []bool{false, true} {
		name, mean, p99 := "multicast feedback", 6.0, 20
		if unicast { // heard of by way of the sender, after a whole round trip
			name, mean, p99 = "unicast feedback", 25, 60
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := ccReceivers(t)
			losses := min(200, 2_000_000/n)
			if n <= 1000 {
				losses = 100
			}
			cfg := crowdConfig(n)
			cfg.Rate, cfg.BlockSize, cfg.Parity, cfg.SegmentSize = 5_000_000, 8, 8, 500
			c := newCrowd(t, 1, cfg, netem.Link{Delay: 5 * time.Millisecond}, netem.Link{Delay: 5 * time.Millisecond})
			c.receivers(n, 4, ReceiverConfig{Unicast: unicast}, 0)
			lose := false
			c.sim.Filter = func(from, _ *netem.Node, data []byte) bool {
				if !lose || from != c.node || data[0]&7 != byte(wire.TypeData) {
					return true
				}
				var d wire.Data
				return (wire.Codec{}).ParseData(data, &d) != nil || d.ID.ESI != 3
			}
			began := time.Now()
			var nacks []int
			sum := 0
			for i := range losses + 3 {
				before := c.tx.Stats().Nacks
				lose = i >= 3 // once the round-trip time is known
				c.send(1, ObjectSpec{})
				c.until(time.Minute, c.all)
				c.until(2*time.Second, func() bool { return c.now() >= c.sentAt+700*time.Millisecond })
				if lose {
					k := int(c.tx.Stats().Nacks - before)
					nacks, sum = append(nacks, k), sum+k
				}
			}
			slices.Sort(nacks)
			got, high := float64(sum)/float64(losses), nacks[len(nacks)*99/100]
			t.Logf("%d receivers, %d losses in %v: %.1f NACKs each, p50 %d, p99 %d, most %d", n, losses, time.Since(began).Round(time.Millisecond), got, nacks[len(nacks)/2], high, nacks[len(nacks)-1])
			if n <= 10_000 && (got > mean || high > p99) {
				t.Errorf("%.1f NACKs for a loss, p99 %d; want at most %.0f and %d", got, high, mean, p99)
			}
		})
	}
}

// Every receiver loses other packets. What is sent must stay near what ideal parity would
// cost: 1.087 and 1.20 of the file with 10,000 receivers and blocks of 64.
func TestCrowdIndependentLoss(t *testing.T) {
	for _, v := range []struct {
		name  string
		loss  float64
		limit float64
	}{{"1 %", 0.01, 1.12}, {"5 %", 0.05, 1.25}} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			n := ccReceivers(t)
			blocks := 64
			switch {
			case n <= 1000:
				blocks = 20
			case n > 10_000:
				blocks = 3 // there is no end of it else
			}
			c := newCrowd(t, 1, crowdConfig(n), netem.Link{Delay: 5 * time.Millisecond}, netem.Link{Delay: 5 * time.Millisecond})
			c.receivers(n, blocks, ReceiverConfig{}, v.loss)
			began := time.Now()
			size := c.send(blocks, ObjectSpec{})
			c.until(time.Minute, c.all)
			st := c.tx.Stats()
			ratio := float64(st.symbols()) / float64(blocks*64)
			t.Logf("%d receivers, %d blocks in %v (virtual %v, first pass %v): %.3f of the file in symbols, %.3f in bytes with headers and commands; %.1f NACKs a block; %+v",
				n, blocks, time.Since(began).Round(time.Millisecond), c.now(), c.sentAt, ratio, float64(st.Bytes)/float64(size), float64(st.Nacks)/float64(blocks), st)
			if n <= 10_000 && ratio > v.limit {
				t.Errorf("sent %.3f of the file, want at most %.2f", ratio, v.limit)
			}
		})
	}
}
