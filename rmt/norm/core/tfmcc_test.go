package core

import (
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/tfmcc"
)

func tfmccConfig() SenderConfig {
	return SenderConfig{CC: CCTFMCC, GRTT: 500 * time.Millisecond}
}

// In a steady state the rate is what the equation gives, within a factor of two.
func TestTFMCCTableEquation(t *testing.T) {
	t.Logf("%8s %8s %12s %12s %6s %8s", "loss", "RTT", "Mbit/s", "equation", "ratio", "events")
	for _, loss := range []float64{0.001, 0.003, 0.01, 0.03, 0.05} {
		for _, rtt := range []time.Duration{10, 30, 100, 300} {
			rtt *= time.Millisecond
			w := newCCWorld(t, 1, tfmccConfig(), netem.Link{Delay: rtt / 4})
			w.receiver(netem.Link{Delay: rtt / 2}, netem.Link{Delay: rtt / 4, Loss: loss}, ReceiverConfig{})
			w.send()
			want := tfmcc.Throughput(ccPacket, rtt, loss)
			settle := max(20*time.Second, 200*rtt)
			w.pass(settle)
			got := w.pass(max(20*time.Second, 200*rtt))
			st := w.tx.Stats().Rate
			t.Logf("%7.1f%% %8v %12s %12s %6.2f %8.4f %v", loss*100, rtt, mbit(got), mbit(want), got/want, st.Loss, st.Phase)
			if !within(got, want, 2) {
				t.Errorf("%v %v: %s Mbit/s, want %s", loss, rtt, mbit(got), mbit(want))
			}
		}
	}
}
