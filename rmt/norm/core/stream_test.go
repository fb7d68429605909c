package core

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// TestStream sends a stream over all kinds of paths: every receiver reads every byte in
// order, with the messages where they were.
func TestStream(t *testing.T) {
	for _, tt := range []struct {
		name     string
		tx       SenderConfig
		spec     StreamSpec
		link     netem.Link
		total    uint64
		largest  int
		interval time.Duration
	}{
		{name: "no loss", total: 3 << 20, largest: 9000},
		{name: "small messages", total: 300_000, largest: 300, interval: time.Millisecond},
		{name: "loss", link: netem.Link{Loss: 0.05}, total: 3 << 20, largest: 9000},
		{name: "loss, small messages", link: netem.Link{Loss: 0.05}, total: 300_000, largest: 300, interval: time.Millisecond},
		{name: "message per segment", spec: StreamSpec{MessagePerSegment: true}, link: netem.Link{Loss: 0.1}, total: 500_000, largest: 5000},
		{name: "full segments", spec: StreamSpec{FullSegments: true}, link: netem.Link{Loss: 0.02}, total: 500_000, largest: 300, interval: time.Millisecond},
		{name: "heavy loss", link: netem.Link{Loss: 0.3, Burst: 5, Delay: 5 * time.Millisecond}, total: 1 << 20, largest: 20000},
		{name: "disorder", link: netem.Link{Loss: 0.02, Delay: 2 * time.Millisecond, Jitter: 3 * time.Millisecond, Duplicate: 0.05, Reorder: 0.05, ReorderBy: 10 * time.Millisecond}, total: 1 << 20, largest: 2000},
		{name: "proactive parity", tx: SenderConfig{AutoParity: 4}, link: netem.Link{Loss: 0.05}, total: 1 << 20, largest: 2000},
		{name: "small blocks", tx: SenderConfig{BlockSize: 4, Parity: 2, SegmentSize: 200}, link: netem.Link{Loss: 0.05}, total: 300_000, largest: 2000},
		{name: "info", spec: StreamSpec{Info: []byte("what it is")}, link: netem.Link{Loss: 0.1}, total: 300_000, largest: 2000},
		{name: "nothing", total: 0, largest: 1},
		{name: "one byte", link: netem.Link{Loss: 0.2}, total: 1, largest: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 1)
			tx := w.sender(tt.tx, netem.Link{}, tt.link)
			for range 3 {
				w.receiver(ReceiverConfig{}, tt.link, tt.link)
			}
			tx.openStream(tt.spec, tt.total, tt.largest, tt.interval)
			w.run()
			w.check()
			for _, rx := range w.rx {
				for key, o := range rx.objects {
					if o.stream == nil || o.stream.gaps > 0 || o.stream.from > 0 && tt.link.Loss < 0.2 {
						t.Errorf("%s: %v: %+v", rx.node.Name, key, o.stream)
					}
				}
				if len(rx.objects) == 0 && tt.link.Loss == 0 {
					t.Errorf("%s heard of nothing", rx.node.Name)
				}
			}
			w.logStats(t)
			w.checkQuiet()
		})
	}
}

// streamWorld is a sender with some receivers of a stream.
func streamWorld(t *testing.T, cfg SenderConfig, rx ReceiverConfig, link netem.Link, receivers int) (*world, *txNode) {
	w := newWorld(t, 1)
	tx := w.sender(cfg, netem.Link{}, link)
	for range receivers {
		w.receiver(rx, link, link)
	}
	return w, tx
}

func ids(from, n int) (list []wire.NodeID) {
	for i := range n {
		list = append(list, wire.NodeID(from+i))
	}
	return list
}

// only returns the one stream a receiver knows.
func (n *rxNode) only() *rxStreamCopy {
	n.w.t.Helper()
	for _, o := range n.objects {
		if o.stream != nil && len(n.objects) == 1 {
			return o.stream
		}
	}
	n.w.t.Fatalf("%s: %d objects, not one stream", n.node.Name, len(n.objects))
	return nil
}

// RFC 5740 section 5.5.3: Commit is answered when all receivers named have everything
// written before, and nothing is lost while one of them is away.
func TestStreamCommit(t *testing.T) {
	for _, loss := range []float64{0, 0.1} {
		w, tx := streamWorld(t, SenderConfig{}, ReceiverConfig{}, netem.Link{Loss: loss}, 3)
		a := tx.openStream(StreamSpec{AckNodes: ids(1001, 3)}, 2<<20, 3000, 5*time.Millisecond)
		w.pass(200 * time.Millisecond)
		for range 5 {
			want := a.written
			n := a.commits
			a.commit()
			for i := 0; a.commits == n; i++ {
				if i > 100 {
					w.dump()
					t.Fatal("Commit was not answered")
				}
				w.pass(10 * time.Millisecond)
			}
			if a.acked < want || a.refused > 0 {
				t.Errorf("%d acknowledged of %d, %d refused", a.acked, want, a.refused)
			}
			for _, rx := range w.rx {
				if o := rx.only().offset; o < want {
					t.Errorf("%s has %d of %d that it acknowledged", rx.node.Name, o, want)
				}
			}
		}
		w.run()
		w.check()
		w.checkQuiet()
	}
}

// A stream with named receivers follows the slowest: it waits for one that is away, and
// nothing is lost.
func TestStreamFollowsSlowest(t *testing.T) {
	w, tx := streamWorld(t, SenderConfig{}, ReceiverConfig{}, netem.Link{Loss: 0.01}, 2)
	a := tx.openStream(StreamSpec{Buffer: 1 << 20, AckNodes: ids(1001, 2)}, 20<<20, 3000, 0)
	w.pass(100 * time.Millisecond)
	w.rx[1].node.SetDown(true)
	w.pass(10 * time.Second)
	if a.written > 5<<20 || a.full == 0 {
		t.Errorf("%d bytes written while a receiver was away, %d waits", a.written, a.full)
	}
	w.rx[1].node.SetDown(false)
	w.run()
	w.check()
	for _, rx := range w.rx {
		if s := rx.only(); s.gaps > 0 || s.from > 0 {
			t.Errorf("%s: %+v", rx.node.Name, s)
		}
	}
}

// With DropAfter the stream goes on without whoever is away for longer; back again it
// reads on behind a gap it is told of.
func TestStreamDropsLaggard(t *testing.T) {
	for _, acks := range []bool{false, true} {
		w, tx := streamWorld(t, SenderConfig{}, ReceiverConfig{}, netem.Link{Loss: 0.01}, 2)
		spec := StreamSpec{Buffer: 1 << 20, DropAfter: time.Second}
		if acks {
			spec.AckNodes = ids(1001, 2)
		}
		tx.openStream(spec, 60<<20, 3000, 0)
		w.pass(100 * time.Millisecond)
		w.rx[1].node.SetDown(true)
		w.rx[1].cut = true
		w.pass(3 * time.Second)
		w.rx[1].node.SetDown(false)
		w.run()
		w.check()
		if s := w.rx[0].only(); s.gaps > 0 || s.from > 0 {
			t.Errorf("acks %v, the one that stayed: %+v", acks, s)
		}
		if s := w.rx[1].only(); s.gaps == 0 || s.lost == 0 || s.lost > 60<<20 {
			t.Errorf("acks %v, the one that was away: %+v", acks, s)
		}
	}
}

// Without anyone to wait for, a stream still keeps what is being asked for.
func TestStreamKeepsWhatIsAskedFor(t *testing.T) {
	w, tx := streamWorld(t, SenderConfig{Rate: 1e9}, ReceiverConfig{}, netem.Link{Loss: 0.1, Delay: 2 * time.Millisecond}, 3)
	tx.openStream(StreamSpec{Buffer: 256 << 10}, 20<<20, 3000, 0)
	w.run()
	w.check()
	for _, rx := range w.rx {
		if s := rx.only(); s.gaps > 0 {
			t.Errorf("%s: %+v", rx.node.Name, s)
		}
	}
}

// RFC 5740 section 5.2: who joins later begins with the block being sent, or as far back
// as the sender can go.
func TestStreamSync(t *testing.T) {
	for _, sync := range []SyncPolicy{SyncCurrent, SyncStream, SyncAll} {
		w, tx := streamWorld(t, SenderConfig{}, ReceiverConfig{}, netem.Link{Loss: 0.02}, 1)
		tx.send(randomBytes(w.sim.Rand("before"), 100_000), ObjectSpec{})
		tx.openStream(StreamSpec{Buffer: 2 << 20}, 8<<20, 3000, time.Millisecond)
		w.pass(500 * time.Millisecond)
		late := w.receiver(ReceiverConfig{Sync: sync}, netem.Link{}, netem.Link{})
		late.late = true
		w.pass(2 * time.Second)
		later := w.receiver(ReceiverConfig{Sync: sync}, netem.Link{}, netem.Link{})
		later.late = true
		w.run()
		w.check()
		var from, from2 uint64
		for _, o := range late.objects {
			if o.stream != nil {
				from = o.stream.from
			}
		}
		for _, o := range later.objects {
			if o.stream != nil {
				from2 = o.stream.from
			}
		}
		if early := sync != SyncCurrent; early != (from == 0) || early && from2 > 3<<20 || from2 <= from {
			t.Errorf("policy %d: began at %d and %d", sync, from, from2)
		}
		if all := len(late.objects) == 2; all != (sync == SyncAll) {
			t.Errorf("policy %d: knows %d objects", sync, len(late.objects))
		}
	}
}

// A reader that does not read loses what its buffer cannot hold, and nothing else: it is
// told, and the file sent meanwhile arrives.
func TestStreamSlowReader(t *testing.T) {
	w, tx := streamWorld(t, SenderConfig{}, ReceiverConfig{BufferBytes: 2 << 20}, netem.Link{Loss: 0.01}, 2)
	tx.openStream(StreamSpec{Buffer: 512 << 10}, 8<<20, 3000, 0)
	w.pass(200 * time.Millisecond)
	w.rx[1].only().slow = true
	w.pass(500 * time.Millisecond)
	s := w.rx[1].only()
	s.slow = false
	w.rx[1].node.Run(func(time.Time) {
		for key, o := range w.rx[1].objects {
			w.rx[1].readStream(o, key)
		}
	})
	w.run()
	w.check()
	if s.gaps == 0 {
		t.Error("the slow reader lost nothing")
	}
	if s := w.rx[0].only(); s.gaps > 0 {
		t.Errorf("the other one: %+v", s)
	}
}

// The block number wraps on the wire, and here numbers are kept small.
func TestStreamWrap(t *testing.T) {
	for _, tt := range []struct{ wire, local uint32 }{{1<<24 - 10, 0}, {1 << 23, rebaseAt - 20}, {1<<24 - 5, rebaseAt - 5}} {
		w, tx := streamWorld(t, SenderConfig{BlockSize: 8, Parity: 4}, ReceiverConfig{}, netem.Link{Loss: 0.05}, 2)
		a := &txStreamCopy{}
		tx.node.Run(func(now time.Time) {
			// As if so much had been sent before.
			id, err := tx.OpenStream(now, StreamSpec{Buffer: 200_000})
			if err != nil {
				t.Fatal(err)
			}
			_, o := tx.find(id)
			o.stream.low, o.sbn = tt.local, tt.local
			o.stream.ids.offset = tt.wire - tt.local
			a = tx.adoptStream(id, StreamSpec{}, 1<<20, 3000, 0)
			a.write(now)
		})
		for _, rx := range w.rx {
			rx.firstBlock = max(tt.local, 100) // the receivers meet the limit too
		}
		w.run()
		w.check()
		for _, rx := range w.rx {
			if s := rx.only(); s.gaps > 0 || s.from > 0 {
				t.Errorf("%s: %+v", rx.node.Name, s)
			}
		}
	}
}

// A sender that vanishes leaves its readers with what came and an error; one that says
// goodbye too early likewise.
func TestStreamSenderGone(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(tx *txNode)
	}{
		{"vanished", func(tx *txNode) { tx.node.SetDown(true); tx.gone = true }},
		{"shut down", func(tx *txNode) { tx.node.Run(tx.Shutdown) }},
		{"restarted", func(tx *txNode) { tx.restart(SenderConfig{}) }},
		{"called off", func(tx *txNode) {
			tx.objects[0].canceled = true
			tx.node.Run(func(now time.Time) { tx.Cancel(now, tx.objects[0].key.Object) })
		}},
	} {
		w, tx := streamWorld(t, SenderConfig{}, ReceiverConfig{}, netem.Link{Loss: 0.05}, 2)
		a := tx.openStream(StreamSpec{}, 100<<20, 3000, 0)
		w.pass(time.Second)
		a.closed = true
		for _, o := range tx.objects {
			o.left, o.abandoned = true, true
		}
		tt.end(tx)
		if tt.name == "restarted" {
			tx.send(make([]byte, 1000), ObjectSpec{})
		}
		w.pass(2 * time.Minute)
		for _, rx := range w.rx {
			for _, o := range rx.objects {
				if o.stream != nil && o.err == nil {
					t.Errorf("%s: %s: no error", tt.name, rx.node.Name)
				}
				if o.stream != nil && o.stream.offset < 1<<20 {
					t.Errorf("%s: %s read %d bytes", tt.name, rx.node.Name, o.stream.offset)
				}
			}
		}
	}
}

// Small messages one way, each to arrive as soon as can be: with RepairBySymbol a loss is
// noticed with the next message.
func TestStreamLatency(t *testing.T) {
	for _, tt := range []struct {
		name     string
		bySymbol bool
		loss     float64
		p99      time.Duration
		worst    time.Duration
	}{
		{"no loss", false, 0, 200 * time.Microsecond, time.Millisecond},
		{"1 %, by block", false, 0.01, 100 * time.Millisecond, 200 * time.Millisecond},
		{"1 %, by symbol", true, 0.01, 2 * time.Millisecond, 8 * time.Millisecond},
		{"5 %, by symbol", true, 0.05, 6 * time.Millisecond, 20 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			link := netem.Link{Delay: 50 * time.Microsecond, Loss: tt.loss}
			cfg := SenderConfig{Backoff: -1, GRTT: time.Millisecond, MinGRTT: 200 * time.Microsecond, FlushInterval: 2 * time.Millisecond, BlockSize: 16, Parity: 4}
			w, tx := streamWorld(t, cfg, ReceiverConfig{RepairBySymbol: tt.bySymbol}, link, 1)
			const messages, size = 5000, 200
			sent := map[uint64]time.Duration{}
			var id wire.TransportID
			tx.node.Run(func(now time.Time) {
				var err error
				if id, err = tx.OpenStream(now, StreamSpec{}); err != nil {
					t.Fatal(err)
				}
			})
			var delays []time.Duration
			next := uint64(0)
			w.rx[0].node.Drain = func(time.Time) {
				rx := w.rx[0]
				for e, ok := rx.Event(); ok; e, ok = rx.Event() {
					if e.Type != StreamReadable {
						continue
					}
					for g, ok := rx.ReadStream(e.Key); ok; g, ok = rx.ReadStream(e.Key) {
						if g.Offset != next {
							t.Fatalf("%d, not %d", g.Offset, next)
						}
						for next += uint64(len(g.Data)); len(sent) > 0 && sent[next-size] != 0 && len(delays) < int(next/size); {
							delays = append(delays, w.now()-sent[uint64(len(delays))*size])
						}
					}
				}
			}
			for i := range messages {
				w.sim.At(time.Duration(i+1)*time.Millisecond, func() {
					sent[uint64(i)*size] = w.now()
					tx.node.Run(func(now time.Time) {
						if n, err := tx.WriteStream(now, id, make([]byte, size), true); n != size || err != nil {
							t.Error(n, err)
						}
					})
				})
			}
			w.pass(messages*time.Millisecond + 2*time.Second)
			if len(delays) != messages {
				t.Fatalf("%d of %d messages", len(delays), messages)
			}
			slices.Sort(delays)
			at := func(f float64) time.Duration { return delays[int(f*messages)] }
			t.Logf("p50 %v, p99 %v, p99.9 %v, worst %v; %d packets for %d messages", at(0.5), at(0.99), at(0.999), delays[messages-1], tx.Stats().Packets, messages)
			if at(0.99) > tt.p99 || delays[messages-1] > tt.worst {
				t.Error("too late")
			}
		})
	}
}

// A silent receiver sends nothing, lives on what comes unasked, and reads on where that is
// not enough.
func TestSilentReceiver(t *testing.T) {
	w := newWorld(t, 1)
	tx := w.sender(SenderConfig{AutoParity: 16}, netem.Link{}, netem.Link{})
	link := netem.Link{Loss: 0.03}
	silent := w.receiver(ReceiverConfig{Silent: true}, link, link)
	w.receiver(ReceiverConfig{}, link, link)
	data := randomBytes(w.sim.Rand("data"), 2_000_000)
	tx.send(data, ObjectSpec{})
	tx.openStream(StreamSpec{}, 8<<20, 3000, 0)
	w.run()
	w.check()
	if silent.node.Sent > 0 {
		t.Errorf("sent %d packets", silent.node.Sent)
	}
	for _, o := range silent.objects {
		if s := o.stream; s != nil && (s.lost > 1<<20 || s.offset != 8<<20) {
			t.Errorf("%+v", s)
		}
	}
	if len(silent.objects) != 2 {
		t.Errorf("%d objects", len(silent.objects))
	}
}

// A reader that lags behind its sender's buffer loses nothing that was received: only its
// own memory bounds it.
func TestStreamLateReader(t *testing.T) {
	w, tx := streamWorld(t, SenderConfig{}, ReceiverConfig{}, netem.Link{Loss: 0.01}, 1)
	tx.openStream(StreamSpec{Buffer: 512 << 10, Info: []byte("info")}, 8<<20, 3000, 0)
	w.pass(100 * time.Millisecond)
	s := w.rx[0].only()
	s.slow = true
	w.pass(5 * time.Second)
	s.slow = false
	w.rx[0].node.Run(func(time.Time) {
		for key, o := range w.rx[0].objects {
			w.rx[0].readStream(o, key)
		}
	})
	w.run()
	w.check()
	if s.gaps > 0 || s.offset != 8<<20 {
		t.Errorf("%+v", s)
	}
}

// The end of a stream waits for its INFO, however short it is.
func TestShortStreamWithInfo(t *testing.T) {
	for seed := range uint64(50) {
		w := newWorld(t, seed)
		link := netem.Link{Loss: 0.3}
		tx := w.sender(SenderConfig{}, netem.Link{}, link)
		rx := w.receiver(ReceiverConfig{}, link, link)
		tx.openStream(StreamSpec{Info: []byte("info")}, 1, 1, 0)
		w.run()
		w.check()
		for key, o := range rx.objects {
			if o.done && string(o.info) != "info" {
				t.Errorf("seed %d: %v ended without its INFO", seed, key)
			}
		}
	}
}

// With parity sent unasked the end of a stream, which has none, is sent twice.
func TestStreamEndTwice(t *testing.T) {
	ended := 0
	for seed := range uint64(100) {
		w := newWorld(t, seed)
		tx := w.sender(SenderConfig{AutoParity: 8}, netem.Link{}, netem.Link{})
		rx := w.receiver(ReceiverConfig{Silent: true}, netem.Link{}, netem.Link{Loss: 0.1})
		tx.openStream(StreamSpec{}, 5000, 1000, time.Millisecond)
		w.pass(10 * time.Second)
		for _, o := range rx.objects {
			if o.done {
				ended++
			}
		}
	}
	if ended < 75 { // once each it would be a third
		t.Errorf("%d of 100 came to the end", ended)
	}
}

// A sender that starts again from another port of its host ends what was left of its
// former self; while that is still heard it is another program.
func TestRestartFromAnotherPort(t *testing.T) {
	a := newTarget(t)
	c := wire.Codec{FTI: wire.FTINRL}
	hear := func(port uint16, instance uint16) {
		d := wire.Data{Sender: wire.Sender{Source: 9, InstanceID: instance, GRTT: 100, Backoff: 4}, FEC: 5, Object: 1, HasFTI: true,
			FTI:     fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 1000, SymbolSize: 100, MaxBlockLen: 8, Parity: 4, M: 8},
			Payload: make([]byte, 100)}
		b, err := c.AppendData(nil, &d)
		if err != nil {
			t.Fatal(err)
		}
		a.rx.Handle(a.now, &datagram.Packet{Data: b, Src: netip.AddrPortFrom(attacker.Addr(), port)})
	}
	hear(1000, 1)
	hear(1001, 2)
	a.now = a.now.Add(100 * time.Millisecond)
	hear(1000, 1) // overtaken
	if n := a.rx.Stats().Clashes; len(a.rx.order) != 2 || n != 0 {
		t.Errorf("%d senders, %d clashes", len(a.rx.order), n)
	}
	a.now = a.now.Add(500 * time.Millisecond)
	hear(1000, 1)
	hear(1000, 1)
	if n := a.rx.Stats().Clashes; len(a.rx.order) != 2 || n != 1 {
		t.Errorf("%d senders, %d clashes", len(a.rx.order), n)
	}
	a.now = a.now.Add(5 * time.Second)
	hear(1001, 2)
	hear(1002, 3)
	if len(a.rx.order) != 2 {
		t.Errorf("%d senders", len(a.rx.order))
	}
	var err error
	told := 0
	for e, ok := a.rx.Event(); ok; e, ok = a.rx.Event() {
		switch e.Type {
		case ObjectAborted:
			err = e.Err
		case SenderClash:
			if told++; !errors.Is(e.Err, ErrNodeClash) || !strings.Contains(e.Err.Error(), ":1000") || !strings.Contains(e.Err.Error(), ":1001") {
				t.Error(e.Err)
			}
		}
	}
	if err != ErrSenderRestarted {
		t.Errorf("the former self ended with: %v", err)
	}
	if told != 1 {
		t.Errorf("told of %d clashes", told)
	}
}
