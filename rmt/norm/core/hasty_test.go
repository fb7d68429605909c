package core

import (
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
)

// An engine that has nothing to send now must not ask to be called now: messages
// due while the rate forbids them once made the sender's loop spin.
func TestNoBusyLoop(t *testing.T) {
	w := newWorld(t, 3)
	tx := w.sender(SenderConfig{Rate: 20_000_000}, netem.Link{Delay: time.Millisecond}, netem.Link{})
	for range 3 {
		w.receiver(ReceiverConfig{Unicast: true}, netem.Link{}, netem.Link{Loss: 0.1})
	}
	tx.send(randomBytes(w.sim.Rand("data"), 1_000_000), ObjectSpec{Info: []byte("a name"), AckCount: 3})
	w.run()
	tx.node.Run(func(now time.Time) { tx.Shutdown(now) })
	w.sim.RunUntil(w.limit, func() bool { return tx.closed })
	if tx.node.Hasty > 0 {
		t.Errorf("the sender was hasty %d times", tx.node.Hasty)
	}
	for i, rx := range w.rx {
		if rx.node.Hasty > 0 {
			t.Errorf("receiver %d was hasty %d times", i, rx.node.Hasty)
		}
	}
}
