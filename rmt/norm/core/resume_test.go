package core

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
)

// The worlds of TestSeeds once more, with receivers that have parts of the objects
// already and find out after a while.
func TestSeedsResumed(t *testing.T) {
	from, to := seeds(t)
	for seed := from; seed < to; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			sc := newScenario(seed)
			d := dice{rand.New(rand.NewPCG(seed, 9))}
			w := newWorld(t, seed)
			w.limit = 24 * time.Hour
			for i := range sc.receivers {
				sc.receivers[i].cfg.InfoFirst = d.chance(0.8)
			}
			w.prime = d.parts
			sc.build(w)
			w.pass(sc.length())
			w.run()
			w.check()
			w.checkQuiet()
		})
	}
}

// parts draws what a receiver has of an object, and when it knows.
func (d dice) parts(size int64) (delay time.Duration, parts []ByteRange) {
	for range d.IntN(6) {
		from := d.Int64N(size + 1)
		parts = append(parts, ByteRange{from, from + d.Int64N(size-from+1)})
	}
	if d.chance(0.1) {
		parts = append(parts, ByteRange{0, size})
	}
	return pick(d, 0, d.duration(0, 100*time.Millisecond), d.duration(0, 10*time.Second)), parts
}

// Whoever rejoins in mid-object asks for nothing that it has.
func TestInfoFirst(t *testing.T) {
	w := newWorld(t, 1)
	link := netem.Link{Delay: time.Millisecond}
	tx := w.sender(SenderConfig{Rate: 100_000_000}, link, link)
	tx.send(make([]byte, 2_000_000), ObjectSpec{Info: []byte("name"), AckCount: 1})
	w.pass(80 * time.Millisecond)
	w.prime = func(int64) (time.Duration, []ByteRange) {
		return 300 * time.Millisecond, []ByteRange{{0, 1_500_000}}
	}
	w.receiver(ReceiverConfig{InfoFirst: true}, link, link)
	w.run()
	if st := tx.Stats(); !tx.objects[0].done || st.Repairs*1400 > 200_000 {
		t.Errorf("%+v", st)
	}
}

func TestHave(t *testing.T) {
	w := newWorld(t, 1)
	tx := w.sender(SenderConfig{Rate: 10_000_000}, netem.Link{}, netem.Link{})
	tx.send(make([]byte, 500_000), ObjectSpec{Info: []byte("name"), AckCount: 1})
	rx := w.receiver(ReceiverConfig{}, netem.Link{}, netem.Link{Loss: 0.5})
	w.pass(100 * time.Millisecond)
	for key, c := range rx.objects {
		rx.node.Run(func(now time.Time) {
			if !rx.Have(now, key) || rx.Have(now, key) {
				t.Error("have")
			}
			c.done, c.err = true, errRefused
		})
	}
	w.run()
	if st := rx.Stats(); st.Nacks > 0 {
		t.Errorf("%+v", st)
	}
	if !tx.objects[0].done || tx.objects[0].err != nil {
		t.Errorf("not confirmed: %v", tx.objects[0].err)
	}
}
