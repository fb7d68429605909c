package core

import (
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
)

func TestZZ(t *testing.T) {
	rtt := 100 * time.Millisecond
	w := newCCWorld(t, 7, tfmccConfig(), netem.Link{Delay: rtt / 4})
	w.receiver(netem.Link{Delay: rtt / 2}, netem.Link{Delay: rtt / 4, Rate: 20_000_000, Queue: 100_000}, ReceiverConfig{})
	w.send()
	for w.now() < 40*time.Second {
		g := w.pass(500 * time.Millisecond)
		m := w.rx[0].order
		if len(m) == 0 {
			continue
		}
		rep := m[0].cc.meter.Report()
		t.Logf("%v %s %v grtt %v rtt %v loss %.5f rate %s lost %d %+v", w.now(), mbit(g), w.tx.Stats().Rate.Phase, w.tx.grtt.current, rep.RTT, rep.Loss, mbit(rep.Rate), m[0].cc.meter.Lost(), w.tx.Stats().Rate.Allowed)
	}
}
