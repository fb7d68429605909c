package tfmcc

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var origin = time.Unix(1000, 0)

// run has n packets arrive, one a millisecond, but those lost, and returns the time.
func run(r *Receiver, at time.Time, from, n int, lost func(i int) bool) time.Time {
	for i := from; i < from+n; i++ {
		at = at.Add(time.Millisecond)
		if !lost(i) {
			r.Packet(at, uint16(i), 1000, false)
		}
	}
	return at
}

func newMeter(rtt time.Duration) *Receiver {
	r := NewReceiver(28)
	r.Assume(rtt)
	r.SetRTT(rtt)
	return r
}

func never(int) bool { return false }

func TestNoLossIsSlowStart(t *testing.T) {
	r := newMeter(10 * time.Millisecond)
	run(r, origin, 65000, 2000, never) // around the end of the numbers
	rep := r.Report()
	if !rep.Start || rep.Loss != 0 || math.Abs(rep.Rate-2*1028_000) > 50_000 {
		t.Errorf("%+v; want twice 1,028,000 bytes/s", rep)
	}
}

// A loss in every hundred packets, each an event of its own.
func TestLossRateOfEvenLoss(t *testing.T) {
	r := newMeter(10 * time.Millisecond)
	run(r, origin, 1, 3000, func(i int) bool { return i%100 == 0 })
	if rep := r.Report(); rep.Start || math.Abs(rep.Loss-0.01) > 0.001 {
		t.Errorf("%+v; want a loss event rate of 1 %%", rep)
	}
	if r.Lost() != 29 && r.Lost() != 30 {
		t.Errorf("%d lost", r.Lost())
	}
}

// Losses within a round trip are one event (RFC 4654 section 5.2).
func TestLossesOfARoundTripAreOneEvent(t *testing.T) {
	r := newMeter(10 * time.Millisecond)
	run(r, origin, 1, 3000, func(i int) bool { k := i % 100; return k == 0 || k == 3 || k == 4 || k == 8 })
	if rep := r.Report(); math.Abs(rep.Loss-0.01) > 0.001 {
		t.Errorf("%+v; want a loss event rate of 1 %%", rep)
	}
}

// What comes up to two packets late was not lost; what comes later teaches patience.
func TestReordering(t *testing.T) {
	r := newMeter(10 * time.Millisecond)
	at := origin
	for i := 0; i < 3000; i += 3 {
		for _, n := range [...]int{i + 2, i, i + 1} {
			at = at.Add(time.Millisecond)
			r.Packet(at, uint16(n), 1000, false)
		}
	}
	if rep := r.Report(); !rep.Start {
		t.Errorf("%+v, %d lost", rep, r.Lost())
	}
	r = newMeter(10 * time.Millisecond)
	for i := 0; i < 3000; i += 8 {
		for _, n := range [...]int{1, 2, 3, 4, 5, 6, 7, 0} {
			at = at.Add(time.Millisecond)
			r.Packet(at, uint16(i+n), 1000, false)
		}
	}
	if r.Lost() > 2 {
		t.Errorf("%d taken for lost", r.Lost())
	}
}

func TestMarksAreEvents(t *testing.T) {
	r := newMeter(10 * time.Millisecond)
	at := origin
	for i := range 3000 {
		at = at.Add(time.Millisecond)
		r.Packet(at, uint16(i), 1000, i%100 == 50)
	}
	if rep := r.Report(); math.Abs(rep.Loss-0.01) > 0.001 {
		t.Errorf("%+v; want a loss event rate of 1 %%", rep)
	}
}

// The first loss event makes the loss rate that fits the rate received (RFC 5348
// section 6.3.1).
func TestFirstLoss(t *testing.T) {
	r := newMeter(10 * time.Millisecond)
	run(r, origin, 1, 1004, func(i int) bool { return i == 1000 })
	rep := r.Report()
	if rep.Start || math.Abs(rep.Rate-1_028_000) > 100_000 {
		t.Errorf("%+v; want what was received, 1,028,000 bytes/s", rep)
	}
	// With the group's round-trip time it was made with too short an interval.
	r = NewReceiver(28)
	r.Assume(100 * time.Millisecond)
	run(r, origin, 1, 1004, func(i int) bool { return i == 1000 })
	r.SetRTT(10 * time.Millisecond)
	if got := r.Report(); math.Abs(got.Rate-1_028_000) > 400_000 {
		t.Errorf("%+v once the round-trip time is known; want about 1,028,000 bytes/s", got)
	}
}

// A long interval without loss counts for more than its place in the history (RFC 4654
// section 5.5).
func TestHistoryDiscounting(t *testing.T) {
	r := newMeter(10 * time.Millisecond)
	at := run(r, origin, 1, 2000, func(i int) bool { return i%20 == 0 })
	bad := r.Report().Loss
	run(r, at, 2001, 400, never)
	if good := r.Report().Loss; good > bad/3 {
		t.Errorf("loss event rate %.4f, after 400 packets without loss %.4f", bad, good)
	}
}

// An outage that begins and ends beyond half of the numbers looks like the past.
func TestLongOutage(t *testing.T) {
	for _, gap := range []int{100, 20_000, 33_000, 50_000, 65_000} {
		r := newMeter(10 * time.Millisecond)
		at := run(r, origin, 1, 1000, never)
		at = at.Add(50 * time.Millisecond)
		before := r.seq.newest
		run(r, at, 1000+gap, 1000, never)
		if got := r.seq.newest - before; got < uint64(gap) || got > uint64(gap)+1000 {
			t.Errorf("gap of %d: the numbers went on by %d", gap, got)
		}
		if r.Report().Start {
			t.Errorf("gap of %d: no loss seen", gap)
		}
	}
}

func TestSilenceForgets(t *testing.T) {
	r := newMeter(10 * time.Millisecond)
	at := run(r, origin, 1, 2000, func(i int) bool { return i%10 == 0 })
	run(r, at.Add(time.Minute), 30_000, 1000, never)
	if rep := r.Report(); !rep.Start {
		t.Errorf("%+v; the loss of a minute ago counts", rep)
	}
}

func TestPacketDoesNotAllocate(t *testing.T) {
	r := newMeter(10 * time.Millisecond)
	at, i := origin, 0
	if n := testing.AllocsPerRun(1000, func() {
		at, i = at.Add(time.Millisecond), i+1
		if i%7 != 0 {
			r.Packet(at, uint16(i), 1000, i%11 == 0)
		}
		r.Report()
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

// FuzzReceiver gives a meter any numbers at any times.
func FuzzReceiver(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0, 2, 1, 0, 9, 1, 128, 1, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		r := newMeter(10 * time.Millisecond)
		at := origin
		for ; len(in) >= 3; in = in[3:] {
			at = at.Add(time.Duration(in[2]&0x7f) * time.Duration(in[2]&0x7f) * 100 * time.Microsecond)
			r.Packet(at, uint16(in[0])<<8|uint16(in[1]), 100+int(in[2]), in[2]&0x80 != 0)
			rep := r.Report()
			if !(rep.Loss >= 0 && rep.Loss <= 1) || !(rep.Rate >= 0) || rep.Start != (rep.Loss == 0) {
				t.Fatalf("%+v", rep)
			}
			if r.seq.n < 0 || r.seq.n > maxHoles || r.seq.tolerance > maxTolerance {
				t.Fatalf("%d holes, tolerance %d", r.seq.n, r.seq.tolerance)
			}
		}
	})
}

// Under random loss the mean of the reports is near the loss.
func TestRandomLoss(t *testing.T) {
	for _, p := range []float64{0.003, 0.01, 0.05, 0.2} {
		rng := rand.New(rand.NewPCG(1, 2))
		r := newMeter(time.Millisecond)
		at := origin
		var sum float64
		n := 0
		for i := range 100 * int(1/p) {
			at = run(r, at, i*10, 10, func(int) bool { return rng.Float64() < p })
			if i > 100 {
				sum += r.Report().Loss
				n++
			}
		}
		if mean := sum / float64(n); mean < p/1.6 || mean > p*1.6 {
			t.Errorf("loss %v: %v on average", p, mean)
		}
	}
}

func ExampleReceiver() {
	r := NewReceiver(28)
	r.SetRTT(50 * time.Millisecond)
	at := time.Unix(0, 0)
	for i := range 2000 {
		at = at.Add(time.Millisecond)
		if i%200 != 199 {
			r.Packet(at, uint16(i), 1000, false)
		}
	}
	rep := r.Report()
	fmt.Printf("%.1f %% loss events, %.0f bytes/s\n", rep.Loss*100, rep.Rate)
	// Output: 0.5 % loss events, 340763 bytes/s
}
