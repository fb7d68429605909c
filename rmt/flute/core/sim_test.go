package core

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/alc"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/lct"
)

func TestPerfectNetwork(t *testing.T) {
	for name, code := range codes {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			tx := w.sender(SenderConfig{TSI: 7, FEC: code}, netem.Link{Delay: time.Millisecond})
			w.receiver(ReceiverConfig{}, netem.Link{})
			for _, size := range []int{1_000_000, 0, 1, 1399, 1400, 1401, 300_001} {
				tx.send(t.Name()+time.Duration(size).String(), size, ObjectSpec{})
			}
			w.runUntil(7, time.Minute)
			st := w.rx[0].Stats()
			if st.Malformed+st.Unsupported+st.FTIConflicts+st.TablesBad > 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestLossyCarousel(t *testing.T) {
	for name, code := range codes {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2)
			tx := w.sender(SenderConfig{TSI: 7, FEC: code}, netem.Link{Delay: time.Millisecond})
			for range 3 {
				w.receiver(ReceiverConfig{}, netem.Link{Loss: 0.3, Jitter: 5 * time.Millisecond, Duplicate: 0.05, Reorder: 0.2, ReorderBy: time.Second})
			}
			tx.send("a", 1_000_000, ObjectSpec{Passes: -1})
			tx.send("b", 100, ObjectSpec{Passes: -1})
			w.runUntil(2, time.Minute)
			t.Logf("%+v", w.rx[0].Stats())
			t.Logf("%v", w.rx[0].got)
		})
	}
}

// The repair symbols of one pass suffice with every code when losses are well below the
// overhead.
func TestOnePass(t *testing.T) {
	for name, code := range map[string]FEC{
		"staircase": {Encoding: fec.LDPCStaircase, Overhead: 0.6}, "triangle": {Encoding: fec.LDPCTriangle, Overhead: 0.4},
		"raptorq": {Overhead: 0.2}, "raptor": {Encoding: fec.Raptor, Overhead: 0.2}, "rs": {Encoding: fec.ReedSolomonGF8, Overhead: 0.3},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 9)
			tx := w.sender(SenderConfig{TSI: 7, FEC: code, Rate: 50_000_000}, netem.Link{})
			toi := tx.send("a", 8_000_000, ObjectSpec{Passes: -1})
			n := w.receiver(ReceiverConfig{}, netem.Link{Loss: 0.1})
			w.runUntil(1, time.Minute)
			if st := n.Stats(); tx.passes[toi] > 0 || st.Solved == 0 {
				t.Errorf("%d passes, %+v", tx.passes[toi], st)
			}
		})
	}
}

// With memory for a fraction of the object, and losses beyond the overhead, blocks are
// put aside and taken up again with the next pass.
func TestBlocksPutAside(t *testing.T) {
	for name, code := range codes {
		t.Run(name, func(t *testing.T) {
			code.BlockLen, code.Depth = 64, 1
			w := newWorld(t, 3)
			tx := w.sender(SenderConfig{TSI: 7, FEC: code, Rate: 50_000_000}, netem.Link{})
			for range 2 {
				w.receiver(ReceiverConfig{BufferBytes: 1 << 20}, netem.Link{Loss: 0.25})
			}
			tx.send("a", 8_000_000, ObjectSpec{Passes: -1})
			w.runUntil(1, time.Minute)
			for _, n := range w.rx {
				st := n.Stats()
				t.Logf("%v, %d passes: %+v", n.got, tx.passes, st)
				if st.Spilled == 0 || st.Reloaded == 0 || st.Dropped > 0 {
					t.Errorf("%d put aside, %d taken up again, %d dropped", st.Spilled, st.Reloaded, st.Dropped)
				}
				if name != "none" && st.Symbols > 5715*105/100 {
					t.Errorf("%d symbols were needed, there are 5715", st.Symbols)
				}
			}
		})
	}
}

// Packets that come before the FDT Instance that describes them are kept, and count.
func TestBeforeTheTable(t *testing.T) {
	w := newWorld(t, 4)
	tables := false
	w.sim.Filter = func(_, _ *netem.Node, data []byte) bool { return tables || data[4+4+2+1] != 0 } // TOI of 16 bits
	tx := w.sender(SenderConfig{TSI: 7, NoFTI: true, FEC: FEC{NoCode: true}}, netem.Link{})
	rx := w.receiver(ReceiverConfig{}, netem.Link{})
	tx.send("a", 100_000, ObjectSpec{})
	w.sim.At(400*time.Millisecond, func() { tables = true })
	w.runUntil(1, 5*time.Second)
	if st := rx.Stats(); st.Early != 72 || st.Symbols != 72+1 {
		t.Errorf("%+v", st)
	}
}

// The end of a session ends what is not whole, after a while; packets that are late
// count.
func TestCloseFlags(t *testing.T) {
	w := newWorld(t, 5)
	tx := w.sender(SenderConfig{TSI: 7, FEC: FEC{NoCode: true}}, netem.Link{})
	loss := w.receiver(ReceiverConfig{}, netem.Link{Loss: 0.2})
	late := w.receiver(ReceiverConfig{}, netem.Link{Reorder: 0.3, ReorderBy: time.Second})
	tx.send("a", 1_000_000, ObjectSpec{})
	w.sim.RunUntil(1500*time.Millisecond, func() bool { return false })
	tx.node.Run(tx.Shutdown)
	w.sim.RunUntil(10*time.Second, func() bool { return false })
	if len(loss.aborted) != 1 || loss.aborted[0] != ErrClosed || loss.Stats().SessionsOpen != 0 {
		t.Errorf("%v, %+v", loss.aborted, loss.Stats())
	}
	if len(late.got) != 1 || late.Stats().SessionsOpen != 0 {
		t.Errorf("%v, %+v", late.aborted, late.Stats())
	}
	if !tx.closed {
		t.Error("not closed")
	}
	w.check()
}

// A sender that begins anew with the same TSI, TOI and FDT Instance ID is received.
func TestRestart(t *testing.T) {
	w := newWorld(t, 6)
	first := w.sender(SenderConfig{TSI: 7, Rate: 2_000_000}, netem.Link{})
	rx := w.receiver(ReceiverConfig{}, netem.Link{Loss: 0.05})
	first.send("old", 300_000, ObjectSpec{Passes: -1})
	first.send("never whole", 9_000_000, ObjectSpec{Passes: -1})
	w.runUntil(1, 20*time.Second)
	s, err := NewSender(SenderConfig{TSI: 7, Rate: 20_000_000})
	if err != nil {
		t.Fatal(err)
	}
	first.Sender = s
	first.node.Drain = func(time.Time) {
		for _, ok := s.Event(); ok; _, ok = s.Event() {
		}
	}
	first.node.Restart(s)
	first.send("new", 300_000, ObjectSpec{Passes: -1})
	first.send("other", 9_000_000, ObjectSpec{Passes: -1})
	w.runUntil(3, time.Minute)
	t.Logf("%v %v %+v", rx.got, rx.aborted, rx.Stats())
}

// Each channel keeps to its own rate, and takes what it can of an object.
func TestChannels(t *testing.T) {
	w := newWorld(t, 8)
	a, b := netip.MustParseAddrPort("239.1.2.4:6003"), netip.MustParseAddrPort("239.1.2.5:6003")
	tx := w.sender(SenderConfig{TSI: 7, Channels: []Channel{{Dest: a, Rate: 1_000_000}, {Dest: b, Rate: 3_000_000}}}, netem.Link{})
	w.receiver(ReceiverConfig{}, netem.Link{})
	tx.send("both", 500_000, ObjectSpec{})
	tx.send("second", 100_000, ObjectSpec{Channels: []int{1}})
	w.runUntil(2, 2*time.Second)
	want := float64(tx.Stats().Bytes+28*tx.Stats().Packets) * 8 / 4e6
	if took := w.sim.Now().Sub(netem.Start).Seconds(); took < 0.9*want || took > 1.1*want {
		t.Errorf("took %.2f s, want %.2f s", took, want)
	}
}

// An object that the application refuses before anything describes it is passed over, and
// not begun with each packet.
func TestRefusedUndescribed(t *testing.T) {
	files := testFiles()
	list := recording(t, SenderConfig{TSI: 7}, files, 300)
	a := newTarget(t, ReceiverConfig{})
	var tables [][]byte
	for _, b := range list {
		var p alc.Packet
		if (alc.Codec{}).Parse(b, &p) == nil && p.TOI.IsZero() {
			tables = append(tables, b)
			continue
		}
		a.rx.Handle(a.now, &datagram.Packet{Data: b, Src: senderAddr})
		for e, ok := a.rx.Event(); ok; e, ok = a.rx.Event() {
			switch e.Type {
			case ObjectNew:
				a.rx.Failed(a.now, e.Key, false)
			case BlockReceived:
				a.rx.Release(&e)
			}
		}
	}
	if st := a.rx.Stats(); st.Objects != 2 && st.Objects != 3 {
		t.Errorf("%+v", st)
	}
	for _, b := range append(tables, list...) {
		a.hit(senderAddr, b)
	}
	if st := a.rx.Stats(); len(a.got) > 1 || st.ObjectsOpen != 0 {
		t.Errorf("%d received, %+v", len(a.got), st)
	}
	checkReceiver(t, a.rx)
}

// A sender whose EXT_FTI is wrong, as some write it, is received by its FDT.
func TestWrongFTI(t *testing.T) {
	files := testFiles()
	list := recording(t, SenderConfig{TSI: 7, SymbolSize: 200}, files, 3000)
	a := newTarget(t, ReceiverConfig{DescribedOnly: true})
	for _, b := range list {
		var p alc.Packet
		if (alc.Codec{}).Parse(b, &p) == nil && !p.TOI.IsZero() {
			c, _ := p.Extensions.Find(lct.ExtFTI)
			c[1]++ // the transfer length
		}
		a.hit(senderAddr, b)
	}
	// Of c there are too few packets to be sure that it is not another object's.
	if a.got["a"] == nil || a.got["b"] == nil || a.bad > 0 {
		t.Errorf("%d received, %+v", len(a.got), a.rx.Stats())
	}
	checkReceiver(t, a.rx)
}
