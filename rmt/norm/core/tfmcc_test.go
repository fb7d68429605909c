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
	if leftToRunsWithoutRace(t) {
		return
	}
	t.Parallel()
	t.Logf("%8s %8s %12s %12s %6s %8s", "loss", "RTT", "Mbit/s", "equation", "ratio", "events")
	for _, loss := range []float64{0.001, 0.003, 0.01, 0.03, 0.05} {
		for _, rtt := range []time.Duration{10, 30, 100, 300} {
			if raceDetector && rtt < 100 {
				continue // that takes ten times as long
			}
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

// Beside TCP Reno on one bottleneck each gets its share, within a factor of two.
func TestTFMCCTableFairness(t *testing.T) {
	if leftToRunsWithoutRace(t) {
		return
	}
	t.Parallel()
	t.Logf("%12s %6s %8s %5s %10s %10s %6s", "bottleneck", "RTT", "queue", "TCPs", "TFMCC", "a TCP", "ratio")
	for _, c := range []struct {
		rate int64
		rtt  time.Duration
		bdp  float64 // queue in bandwidth-delay products
		tcps int
	}{
		{10_000_000, 40 * time.Millisecond, 1, 1},
		{10_000_000, 100 * time.Millisecond, 1, 1},
		{10_000_000, 100 * time.Millisecond, 0.5, 3},
		{20_000_000, 40 * time.Millisecond, 1, 4},
		{50_000_000, 20 * time.Millisecond, 1, 2},
		{5_000_000, 150 * time.Millisecond, 1, 2},
		{100_000_000, 30 * time.Millisecond, 1, 3},
		{20_000_000, 60 * time.Millisecond, 0.25, 2},
	} {
		if raceDetector && c.rate > 10_000_000 {
			continue // that takes ten times as long
		}
		w := newCCWorld(t, 4, tfmccConfig(), netem.Link{})
		w.receiver(netem.Link{Delay: c.rtt / 2}, netem.Link{Delay: c.rtt / 4}, ReceiverConfig{})
		queue := int(float64(c.rate) / 8 * c.rtt.Seconds() * c.bdp)
		nodes := []*netem.Node{w.out}
		var sinks []*renoSink
		for i := range c.tcps {
			_, n, k := addReno(w.sim, string(rune('a'+i)), 1432, netem.Link{}, netem.Link{Delay: c.rtt * 3 / 8})
			nodes, sinks = append(nodes, n), append(sinks, k)
		}
		w.sim.Share(netem.Link{Delay: c.rtt / 4, Rate: c.rate, Queue: queue}, nodes...)
		w.send()
		w.pass(60 * time.Second)
		var begin uint64
		for _, k := range sinks {
			begin += k.bytes
		}
		const span = 60 * time.Second
		got := w.pass(span)
		var end uint64
		for _, k := range sinks {
			end += k.bytes
		}
		tcp := float64(end-begin) / span.Seconds() / float64(c.tcps)
		t.Logf("%12d %6v %8d %5d %10s %10s %6.2f %v", c.rate, c.rtt, queue, c.tcps, mbit(got), mbit(tcp), got/tcp, w.tx.Stats().Rate.Phase)
		if !within(got, tcp, 2) {
			t.Errorf("%v: %s Mbit/s beside a TCP's %s", c, mbit(got), mbit(tcp))
		}
	}
}

// The limiting receiver changes when a worse one joins, and again when that goes, with a
// word and without.
func TestTFMCCLimitingReceiver(t *testing.T) {
	if leftToRunsWithoutRace(t) {
		return
	}
	t.Parallel()
	const rtt = 40 * time.Millisecond
	w := newCCWorld(t, 5, tfmccConfig(), netem.Link{Delay: rtt / 4})
	back, in := netem.Link{Delay: rtt / 2}, netem.Link{Delay: rtt / 4, Loss: 0.002}
	for range 4 {
		w.receiver(back, in, ReceiverConfig{})
	}
	w.send()
	w.pass(30 * time.Second)
	before := w.pass(20 * time.Second)
	in.Loss = 0.05
	bad := w.receiver(back, in, ReceiverConfig{})
	w.pass(10 * time.Second)
	during := w.pass(20 * time.Second)
	if st := w.tx.Stats().Rate; st.Limiting != 1005 {
		t.Errorf("limited by %v, not by the worst: %+v", st.Limiting, st)
	}
	bad.SetDown(true)
	w.pass(40 * time.Second)
	after := w.pass(20 * time.Second)
	t.Logf("%s Mbit/s, with the bad one %s, without it again %s", mbit(before), mbit(during), mbit(after))
	if want := tfmcc.Throughput(ccPacket, rtt, 0.05); !within(during, want, 2) {
		t.Errorf("%s Mbit/s with the bad receiver, want %s", mbit(during), mbit(want))
	}
	if !within(after, before, 2) || !within(before, tfmcc.Throughput(ccPacket, rtt, 0.002), 2.5) {
		t.Errorf("%s Mbit/s before, %s after it", mbit(before), mbit(after))
	}
}

// After an outage that took the rate to the floor it comes back, from the lowest floor
// there is. NRL's NORM could stay there (its issue 48).
func TestTFMCCEscapesTheFloor(t *testing.T) {
	if leftToRunsWithoutRace(t) {
		return
	}
	t.Parallel()
	for _, rtt := range []time.Duration{time.Millisecond, 100 * time.Millisecond} {
		w := newCCWorld(t, 7, tfmccConfig(), netem.Link{Delay: rtt / 4})
		n := w.receiver(netem.Link{Delay: rtt / 2}, netem.Link{Delay: rtt / 4, Rate: 20_000_000, Queue: 100_000}, ReceiverConfig{})
		w.send()
		w.pass(30 * time.Second)
		good := w.pass(10 * time.Second)
		n.SetDown(true)
		w.pass(5 * time.Minute)
		floor := w.tx.Stats().Rate
		if floor.Rate > 12_000 {
			t.Errorf("RTT %v: not at the floor after 5 minutes: %+v", rtt, floor)
		}
		n.SetDown(false)
		back := time.Duration(0)
		for back < time.Minute && w.pass(time.Second) < good/2 {
			back += time.Second
		}
		t.Logf("RTT %v: %s Mbit/s, then %d bit/s (%s), half of the first again %v after the outage", rtt, mbit(good), floor.Rate, floor.Phase, back)
		if back >= 30*time.Second {
			t.Errorf("RTT %v: still at %+v", rtt, w.tx.Stats().Rate)
		}
	}
}

// A loss of half of all packets for a minute must not be held against the path for
// long either: the floor is left although every packet is a loss interval.
func TestTFMCCEscapesHeavyLoss(t *testing.T) {
	if leftToRunsWithoutRace(t) {
		return
	}
	t.Parallel()
	const rtt = 50 * time.Millisecond
	w := newCCWorld(t, 8, tfmccConfig(), netem.Link{Delay: rtt / 4})
	in := netem.Link{Delay: rtt / 4, Rate: 20_000_000, Queue: 100_000}
	n := w.receiver(netem.Link{Delay: rtt / 2}, in, ReceiverConfig{})
	w.send()
	w.pass(30 * time.Second)
	good := w.pass(10 * time.Second)
	in.Loss = 0.7
	n.In().SetLink(in)
	w.pass(time.Minute)
	low := w.pass(10 * time.Second)
	in.Loss = 0
	n.In().SetLink(in)
	back := time.Duration(0)
	for back < 2*time.Minute && w.pass(time.Second) < good/2 {
		back += time.Second
	}
	t.Logf("%s Mbit/s, %s with 70 %% loss, half of the first again %v later", mbit(good), mbit(low), back)
	if back >= time.Minute {
		t.Errorf("still at %+v", w.tx.Stats().Rate)
	}
}

// Slow start doubles, and overshoots a bottleneck by no more than twice.
func TestTFMCCSlowStart(t *testing.T) {
	t.Parallel()
	const rate, rtt = 10_000_000, 100 * time.Millisecond
	w := newCCWorld(t, 9, tfmccConfig(), netem.Link{Delay: rtt / 4, Rate: rate, Queue: rate / 8 / 10})
	w.receiver(netem.Link{Delay: rtt / 2}, netem.Link{Delay: rtt / 4}, ReceiverConfig{})
	w.send()
	var peak float64
	reached := time.Duration(0)
	for w.now() < 20*time.Second {
		got := w.pass(100 * time.Millisecond)
		peak = max(peak, got)
		if reached == 0 && got*8 > rate*0.8 {
			reached = w.now()
		}
	}
	t.Logf("80 %% of the bottleneck after %v, at most %s Mbit/s", reached, mbit(peak))
	if peak*8 > 2.2*rate {
		t.Errorf("slow start went up to %s Mbit/s", mbit(peak))
	}
	if reached == 0 || reached > 8*time.Second {
		t.Errorf("it took %v", reached)
	}
}

// Marks count as losses, and then there are no losses.
func TestTFMCCECN(t *testing.T) {
	t.Parallel()
	const rate, rtt = 10_000_000, 40 * time.Millisecond
	cfg := tfmccConfig()
	cfg.ECN = true
	w := newCCWorld(t, 11, cfg, netem.Link{Delay: rtt / 4, Rate: rate, Queue: 200_000, Mark: 30_000})
	n := w.receiver(netem.Link{Delay: rtt / 2}, netem.Link{Delay: rtt / 4}, ReceiverConfig{})
	w.send()
	w.pass(20 * time.Second)
	sent, arrived := w.out.Sent, n.Received
	got := w.pass(30 * time.Second)
	lost := int64(w.out.Sent-sent) - int64(n.Received-arrived)
	t.Logf("%s Mbit/s, %d packets lost or on their way: %+v", mbit(got), lost, w.tx.Stats().Rate)
	if got*8 < 0.5*rate || lost > 100 {
		t.Errorf("%s Mbit/s and %d losses", mbit(got), lost)
	}
}
