package core

import (
	"bytes"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/lct"
)

// Objects without an FDT come whole, once, whenever the receiver joins, and again when
// their TOI has come to mean another.
func TestPlain(t *testing.T) {
	for name, code := range codes {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 8)
			tx := w.sender(SenderConfig{TSI: 7, FEC: code, Rate: 20_000_000, Plain: true}, netem.Link{})
			want := map[lct.TOI][]byte{}
			for i, size := range []int{1, 500_000, 20_000} {
				toi := tx.send(string(rune('a'+i)), size, ObjectSpec{Passes: -1, Interval: 100 * time.Millisecond})
				want[toi] = w.want[string(rune('a'+i))]
			}
			open, got := map[ObjectKey][]byte{}, map[lct.TOI]int{}
			var last ObjectKey
			rx := w.receiver(ReceiverConfig{Plain: true}, netem.Link{Loss: 0.2})
			rx.node.Drain = func(now time.Time) {
				for e, ok := rx.Event(); ok; e, ok = rx.Event() {
					switch e.Type {
					case ObjectNew:
						open[e.Key] = make([]byte, e.Size)
					case BlockReceived:
						copy(open[e.Key][e.Offset:], e.Data)
						rx.Release(&e)
					case BlockSolvable:
						rx.solve(now, e.Work)
					case ObjectReceived:
						if !bytes.Equal(open[e.Key], want[e.Key.TOI]) {
							t.Errorf("TOI %v: wrong bytes", e.Key.TOI)
						}
						got[e.Key.TOI]++
						last = e.Key
						rx.Stored(now, e.Key)
					case ObjectAborted:
						t.Errorf("%v: %v", e.Key, e.Err)
					}
				}
			}
			w.sim.RunUntil(time.Minute, func() bool { return false })
			for toi := range want {
				if got[toi] != 1 {
					t.Errorf("TOI %v came %d times", toi, got[toi])
				}
			}
			if st := tx.Stats(); st.FDTPackets+st.Tables > 0 {
				t.Errorf("FDT was sent: %+v", st)
			}
			// One is wanted again.
			once := last
			rx.node.Run(func(now time.Time) { rx.Forget(now, once) })
			w.sim.RunUntil(90*time.Second, func() bool { return got[once.TOI] == 2 })
			if got[once.TOI] != 2 || last.Run == once.Run {
				t.Errorf("TOI %v did not come again", once.TOI)
			}
			got[once.TOI] = 1
			// A TOI comes to mean another object: the sender's first TOI again.
			for toi := range want {
				tx.node.Run(func(now time.Time) { tx.Cancel(now, toi) })
			}
			tx.toi = 0
			toi := tx.send("d", 3000, ObjectSpec{Passes: -1, Interval: 100 * time.Millisecond})
			want[toi] = w.want["d"]
			w.sim.RunUntil(4*time.Minute, func() bool { return got[toi] == 2 })
			if got[toi] != 2 {
				t.Errorf("TOI %v came %d times", toi, got[toi])
			}
			tx.node.Run(func(now time.Time) { tx.Cancel(now, toi) })
			w.check()
			w.sim.RunUntil(20*time.Minute, func() bool { return false })
			if st := rx.Stats(); st.SessionsOpen+st.DescribedFiles+st.ObjectsOpen > 0 || st.MemoryInUse+st.DecoderBytes > 0 {
				t.Errorf("left: %+v", st)
			}
		})
	}
}
