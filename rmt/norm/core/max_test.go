package core

import (
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
)

// What CCMax makes of a path: the share of its goodput and how full its queue is.
func TestMaxTable(t *testing.T) {
	if leftToRunsWithoutRace(t) {
		return
	}
	t.Parallel()
	type row struct {
		name   string
		rate   int64
		queue  time.Duration // of the bottleneck
		rtt    time.Duration
		loss   float64
		n      int
		span   time.Duration
		share  float64 // at least
		filled float64 // at most, the mean queue
	}
	const ms = time.Millisecond
	rows := []row{
		{"100 Mbit/s", 100e6, 100 * ms, 1 * ms, 0, 1, 5 * time.Second, 0.9, 0.4},
		{"100 Mbit/s, bufferbloat", 100e6, 500 * ms, 1 * ms, 0, 1, 5 * time.Second, 0.9, 0.2},
		{"100 Mbit/s, little queue", 100e6, 5 * ms, 1 * ms, 0, 1, 5 * time.Second, 0.85, 1},
		{"100 Mbit/s, 40 ms", 100e6, 100 * ms, 40 * ms, 0, 1, 10 * time.Second, 0.9, 0.4},
		{"100 Mbit/s, 1 % loss", 100e6, 100 * ms, 1 * ms, 0.01, 1, 5 * time.Second, 0.85, 0.4},
		{"100 Mbit/s, 5 % loss", 100e6, 100 * ms, 1 * ms, 0.05, 1, 5 * time.Second, 0.85, 0.4},
		{"100 Mbit/s, 20 % loss", 100e6, 100 * ms, 1 * ms, 0.20, 1, 5 * time.Second, 0.8, 0.4},
		{"100 Mbit/s, 30 % loss", 100e6, 100 * ms, 1 * ms, 0.30, 1, 5 * time.Second, 0.8, 0.4},
		{"100 Mbit/s, 20 % loss, 40 ms", 100e6, 100 * ms, 40 * ms, 0.20, 1, 10 * time.Second, 0.8, 0.4},
		{"100 Mbit/s, 5 % loss, 4 receivers", 100e6, 100 * ms, 1 * ms, 0.05, 4, 5 * time.Second, 0.85, 0.4},
		{"1 Gbit/s", 1e9, 20 * ms, 1 * ms, 0, 1, 2 * time.Second, 0.9, 0.6},
		{"1 Gbit/s, 1 % loss, 4 receivers", 1e9, 20 * ms, 1 * ms, 0.01, 4, 2 * time.Second, 0.85, 0.6},
		{"1 Gbit/s, 20 % loss", 1e9, 20 * ms, 1 * ms, 0.20, 1, 2 * time.Second, 0.8, 0.6},
		{"10 Mbit/s", 10e6, 100 * ms, 10 * ms, 0, 1, 20 * time.Second, 0.85, 0.6},
	}
	if raceDetector { // that takes ten times as long
		rows = []row{rows[0], rows[6], rows[13]}
	}
	t.Logf("%-34s %10s %8s %8s %8s %8s", "path", "Mbit/s", "of it", "queue", "ramp", "lost")
	for _, r := range rows {
		w := newCCWorld(t, 1, SenderConfig{CC: CCMax}, netem.Link{Delay: r.rtt / 4, Rate: r.rate, Queue: int(float64(r.rate) / 8 * r.queue.Seconds())})
		for range r.n {
			w.receiver(netem.Link{Delay: r.rtt / 2}, netem.Link{Delay: r.rtt / 4, Loss: r.loss}, ReceiverConfig{})
		}
		w.send()
		ramp := time.Duration(0)
		for w.now() < time.Second {
			if got := w.pass(10 * ms); ramp == 0 && got*8 > 0.8*float64(r.rate) {
				ramp = w.now()
			}
		}
		in := w.in[0]
		began, arrived, got := w.out.Sent, in.Received+in.Lost, w.got[0]
		var waiting, samples float64
		start := w.now()
		for w.now()-start < r.span {
			w.pass(5 * ms)
			waiting += float64(w.out.Out().Waiting(w.sim.Now())) * 8 / float64(r.rate)
			samples++
		}
		good := float64(w.got[0]-got) / r.span.Seconds()
		share := good * 8 / (float64(r.rate) * 1400 / ccPacket * (1 - r.loss))
		queue := time.Duration(waiting / samples * float64(time.Second))
		dropped := 1 - float64(in.Received+in.Lost-arrived)/float64(w.out.Sent-began)
		t.Logf("%-34s %10s %7.1f%% %8v %8v %7.2f%% %+v", r.name, mbit(good), share*100, queue.Round(100*time.Microsecond), ramp, dropped*100, w.tx.Stats().Rate)
		if share < r.share {
			t.Errorf("%s: %.1f %% of the bottleneck, want %.0f %%", r.name, share*100, r.share*100)
		}
		if queue.Seconds() > r.filled*r.queue.Seconds() {
			t.Errorf("%s: a queue of %v of %v on average", r.name, queue, r.queue)
		}
		if dropped > 0.05 {
			t.Errorf("%s: %.1f %% of all packets lost at the bottleneck", r.name, dropped*100)
		}
	}
}

// The bottleneck changes its mind: 100, 50, 100 Mbit/s. Each time the rate follows.
func TestMaxFollowsChanges(t *testing.T) {
	if leftToRunsWithoutRace(t) {
		return
	}
	t.Parallel()
	const ms = time.Millisecond
	for _, loss := range []float64{0, 0.05} {
		if raceDetector && loss > 0 {
			return // that takes ten times as long
		}
		l := netem.Link{Delay: ms, Rate: 100e6, Queue: 1_250_000}
		w := newCCWorld(t, 2, SenderConfig{CC: CCMax}, l)
		w.receiver(netem.Link{Delay: ms}, netem.Link{Delay: ms, Loss: loss}, ReceiverConfig{})
		w.send()
		w.pass(2 * time.Second)
		for _, rate := range []int64{100e6, 50e6, 100e6, 400e6, 20e6} {
			l.Rate = rate
			w.out.Out().SetLink(l)
			w.pass(1500 * ms)
			sent := w.pass(3 * time.Second)
			share := sent * 8 / float64(rate)
			queue := float64(w.out.Out().Waiting(w.sim.Now())) * 8 / float64(rate)
			t.Logf("%4d Mbit/s, %.0f %% loss: %.1f %%, queue %.1f ms, %+v", rate/1e6, loss*100, share*100, queue*1e3, w.tx.Stats().Rate)
			if share < 0.85 || share > 1.1 || queue > 0.1 {
				t.Errorf("%.1f %% of %d Mbit/s", share*100, rate/1e6)
			}
		}
	}
}

// Of receivers behind unequal links the slowest decides.
func TestMaxUnequalPaths(t *testing.T) {
	if leftToRunsWithoutRace(t) {
		return
	}
	t.Parallel()
	const ms = time.Millisecond
	w := newCCWorld(t, 4, SenderConfig{CC: CCMax}, netem.Link{Delay: ms})
	rates := []int64{1e9, 200e6, 80e6, 500e6}
	var slow *netem.Node
	for i, rate := range rates {
		n := w.receiver(netem.Link{Delay: ms}, netem.Link{Delay: time.Duration(i+1) * ms, Rate: rate, Queue: int(rate / 80), Loss: 0.01 * float64(i)}, ReceiverConfig{})
		if rate == 80e6 {
			slow = n
		}
	}
	w.send()
	w.pass(2 * time.Second)
	got := w.pass(5 * time.Second)
	st := w.tx.Stats().Rate
	t.Logf("%s Mbit/s: %+v", mbit(got), st)
	if got*8 < 0.85*80e6 || got*8 > 1.1*80e6 || st.Limiting != 1003 {
		t.Errorf("%s Mbit/s, limited by %v; the slowest takes 80", mbit(got), st.Limiting)
	}
	slow.SetDown(true)
	w.pass(4 * time.Second)
	got = w.pass(3 * time.Second)
	t.Logf("without it %s Mbit/s: %+v", mbit(got), w.tx.Stats().Rate)
	if got*8 < 0.8*200e6 || got*8 > 1.1*200e6 {
		t.Errorf("%s Mbit/s; the slowest left takes 200", mbit(got))
	}
}

// A receiver that stores more slowly than the path delivers says so before it has no room:
// little is thrown away, to be sent again.
func TestMaxSparesFullReceiver(t *testing.T) {
	w := newWorld(t, 1)
	tx := w.sender(SenderConfig{CC: CCMax}, netem.Link{Delay: time.Millisecond, Rate: 200_000_000, Queue: 500_000}, netem.Link{})
	rx := w.receiver(ReceiverConfig{BufferBytes: 16 << 20}, netem.Link{}, netem.Link{Loss: 0.01})
	rx.stalled = true // but for what follows: a block of 90 kB each 20 ms, 36 Mbit/s
	var store func()
	store = func() {
		if len(rx.held) > 0 {
			rx.node.Run(func(time.Time) { rx.Release(rx.held[0]) })
			rx.held = rx.held[1:]
		}
		w.sim.At(w.now()+20*time.Millisecond, store)
	}
	w.sim.At(0, store)
	tx.send(randomBytes(w.sim.Rand("data"), 60_000_000), ObjectSpec{AckCount: 1})
	w.run()
	st, got := tx.Stats(), rx.Stats()
	t.Logf("%v, %d packets of data, %d repairs, %d without room", w.now(), st.DataPackets, st.Repairs, got.NoBuffer)
	if got.NoBuffer > st.DataPackets/20 || st.Repairs > st.DataPackets/10 {
		t.Errorf("of %d packets %d found no room, %d were sent again", st.DataPackets, got.NoBuffer, st.Repairs)
	}
	if w.now() > 20*time.Second { // storing all but what fits its memory takes 10 s
		t.Errorf("it took %v", w.now())
	}
}
