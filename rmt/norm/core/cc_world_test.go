package core

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A ccWorld is a sender with more to send than there is time, and receivers that throw
// it away: what is of interest is the rate.
type ccWorld struct {
	t   testing.TB
	sim *netem.Sim
	tx  *Sender
	out *netem.Node
	rx  []*Receiver
	in  []*netem.Node
	got []uint64 // bytes of blocks, by receiver
}

const ccPacket = 1400 + dataHeader + 28

func newCCWorld(t testing.TB, seed uint64, cfg SenderConfig, out netem.Link) *ccWorld {
	t.Helper()
	w := &ccWorld{t: t, sim: netem.NewSim(seed)}
	cfg.NodeID, cfg.Rand = 1, w.sim.Rand("sender")
	var err error
	if w.tx, err = NewSender(cfg); err != nil {
		t.Fatal(err)
	}
	w.out = w.sim.Add("tx", w.tx, out, netem.Link{})
	w.out.Drain = func(time.Time) {
		for _, ok := w.tx.Event(); ok; _, ok = w.tx.Event() {
		}
	}
	return w
}

func (w *ccWorld) receiver(back, in netem.Link, cfg ReceiverConfig) *netem.Node {
	w.t.Helper()
	i := len(w.rx)
	name := fmt.Sprint("rx", i)
	cfg.NodeID, cfg.Rand = wire.NodeID(1001+i), w.sim.Rand(name)
	r, err := NewReceiver(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	n := w.sim.Add(name, r, back, in)
	w.rx, w.in, w.got = append(w.rx, r), append(w.in, n), append(w.got, 0)
	n.Drain = func(now time.Time) {
		for e, ok := r.Event(); ok; e, ok = r.Event() {
			switch e.Type {
			case BlockReceived:
				w.got[i] += uint64(len(e.Data))
				r.Release(e.Data)
			case ObjectReceived:
				r.Stored(now, e.Key, nil)
			}
		}
	}
	return n
}

// send has the sender send zeros without end.
func (w *ccWorld) send() {
	w.out.Run(func(now time.Time) {
		if _, err := w.tx.Enqueue(now, ObjectSpec{Source: zeros{}, Size: 1 << 40, Info: []byte("x")}); err != nil {
			w.t.Fatal(err)
		}
	})
}

func (w *ccWorld) now() time.Duration { return w.sim.Now().Sub(netem.Start) }

// pass lets time go by and returns the rate sent meanwhile, in bytes per second with
// headers.
func (w *ccWorld) pass(d time.Duration) float64 {
	begin := w.tx.Stats()
	w.sim.RunUntil(w.now()+d, func() bool { return false })
	end := w.tx.Stats()
	return float64(end.Bytes-begin.Bytes+28*(end.Packets-begin.Packets)) / d.Seconds()
}

// within reports whether a is within a factor of b.
func within(a, b, factor float64) bool { return a <= b*factor && b <= a*factor && !math.IsNaN(a) }

func mbit(bytesPerSecond float64) string { return fmt.Sprintf("%.3f", bytesPerSecond*8/1e6) }
