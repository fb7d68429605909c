package core

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// wholeTables has the tables of bench/RESULTS.md printed as they stand there. Without, a
// part of them is run and held to its bars.
var wholeTables = os.Getenv("NORM_TABLES") != ""

// The end game: what the time from the last packet of the first pass to the last
// completion is of the whole.
func TestEndGameTable(t *testing.T) {
	if leftToRunsWithoutRace(t) {
		return
	}
	const ms = time.Millisecond
	size, rtts, losses, groups := 64<<20, []time.Duration{ms, 50 * ms}, []float64{0.01, 0.05, 0.20}, []int{1, 2, 4, 32}
	if !wholeTables {
		size, rtts, losses, groups = 16<<20, rtts[1:], losses[1:2], groups[:3]
	}
	for _, rate := range []int64{100e6, 1e9} {
		for _, rtt := range rtts {
			for _, loss := range losses {
				line := ""
				for _, n := range groups {
					share, text := endGame(t, rate, rtt, loss, size, n)
					line += text
					// At 1 Gbit/s even the whole of 16 MiB is little more than a round trip.
					if limit := map[int64]float64{100e6: 0.2, 1e9: 0.75}[rate]; !wholeTables && share > limit {
						t.Errorf("%d receivers at %d Mbit/s: the end took %.0f %% of the time, want at most %.0f", n, rate/1e6, share*100, limit*100)
					}
				}
				t.Logf("%4d Mbit/s %5v %4.0f %% %s", rate/1e6, rtt, loss*100, line)
			}
		}
	}
}

func endGame(t *testing.T, rate int64, rtt time.Duration, loss float64, size, n int) (share float64, text string) {
	c := newCrowd(t, 1, SenderConfig{Rate: rate}, netem.Link{Delay: rtt / 4}, netem.Link{Delay: rtt / 4})
	for range n {
		c.receiver(ReceiverConfig{}, (64<<20)/len(c.memory), netem.Link{Delay: rtt / 4}, netem.Link{Delay: rtt / 4, Loss: loss})
	}
	c.send(size/len(c.memory), ObjectSpec{AckCount: n})
	c.until(time.Minute, c.all)
	st, tail := c.tx.Stats(), time.Duration(0)
	if c.sentAt > 0 { // else the last parity was not needed
		tail = c.now() - c.sentAt
	}
	share = tail.Seconds() / c.now().Seconds()
	return share, fmt.Sprintf(" | %5.0f of %5.0f ms %4.1f %% x%.3f %4d N", tail.Seconds()*1e3, c.now().Seconds()*1e3, 100*share, float64(st.symbols())/float64(size/1400), st.Nacks)
}

// A group that may be large is never asked to do without back-off, whatever its sender was
// told of it.
func TestEndGameOnlyInKnownGroups(t *testing.T) {
	for _, c := range []struct {
		receivers int
		known     bool
	}{{1, true}, {4, true}, {30, true}, {200, false}} {
		cr := newCrowd(t, 1, SenderConfig{BlockSize: 8, GRTT: 50 * time.Millisecond}, netem.Link{Delay: 5 * time.Millisecond}, netem.Link{Delay: 5 * time.Millisecond, Loss: 0.1})
		cr.receivers(c.receivers, 8, ReceiverConfig{}, 0.02)
		known := false
		cr.sim.Filter = func(from, _ *netem.Node, data []byte) bool {
			var h wire.CC
			if from == cr.node && (wire.Codec{}).ParseCC(data, &h) == nil {
				known = known || h.Sender.Backoff == 0
			}
			return true
		}
		for range 40 {
			cr.send(4, ObjectSpec{})
			cr.until(time.Minute, cr.all)
			cr.until(time.Second, func() bool { return cr.now() > cr.sentAt+200*time.Millisecond })
		}
		if known != c.known {
			t.Errorf("%d receivers: end game %v", c.receivers, known)
		}
	}
}

// In a handful of known receivers nobody backs off in the middle of an object either; with
// one more they all do.
func TestHandfulNeverBacksOff(t *testing.T) {
	for _, n := range []int{1, handful, handful + 1} {
		c := newCrowd(t, 1, SenderConfig{Rate: 20e6}, netem.Link{Delay: 5 * time.Millisecond}, netem.Link{Delay: 5 * time.Millisecond})
		for range n {
			c.receiver(ReceiverConfig{}, (16<<20)/len(c.memory), netem.Link{Delay: 5 * time.Millisecond}, netem.Link{Delay: 5 * time.Millisecond, Loss: 0.02})
		}
		said := map[uint8]int{}
		c.sim.Filter = func(from, _ *netem.Node, data []byte) bool {
			var h wire.CC
			if from == c.node && (wire.Codec{}).ParseCC(data, &h) == nil && c.now() > 2*time.Second && c.now() < 5*time.Second {
				said[h.Sender.Backoff]++
			}
			return true
		}
		c.send((16<<20)/len(c.memory), ObjectSpec{AckCount: n})
		c.until(time.Minute, c.all)
		want := uint8(0)
		if n > handful {
			want = 4
		}
		if len(said) != 1 || said[want] == 0 {
			t.Errorf("%d receivers: back-off factors %v, want %d", n, said, want)
		}
	}
}
