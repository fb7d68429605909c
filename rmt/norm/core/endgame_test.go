package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
)

// The end game: what the time from the last packet of the first pass to the last
// completion is of the whole.
func TestEndGameTable(t *testing.T) {
	if leftToRunsWithoutRace(t) {
		return
	}
	const size = 64 << 20
	const ms = time.Millisecond
	for _, rate := range []int64{100e6, 1e9} {
		for _, rtt := range []time.Duration{ms, 50 * ms} {
			for _, loss := range []float64{0.01, 0.05, 0.20} {
				line := ""
				for _, n := range []int{1, 2, 4, 32} {
					c := newCrowd(t, 1, SenderConfig{Rate: rate}, netem.Link{Delay: rtt / 4}, netem.Link{Delay: rtt / 4})
					for range n {
						c.receiver(ReceiverConfig{}, (64<<20)/(64*1400), netem.Link{Delay: rtt / 4}, netem.Link{Delay: rtt / 4, Loss: loss})
					}
					c.send(size/(64*1400), ObjectSpec{AckCount: n})
					c.until(time.Minute, c.all)
					st := c.tx.Stats()
					tail := c.now() - c.sentAt
					line += fmt.Sprintf("%8v of %8v %4.1f %% x%.3f %4d N|", tail.Round(ms/10), c.now().Round(ms), 100*tail.Seconds()/c.now().Seconds(), float64(st.symbols())/float64(size/1400), st.Nacks)
				}
				t.Logf("%4d Mbit/s %5v %4.0f %% %s", rate/1e6, rtt, loss*100, line)
			}
		}
	}
}
