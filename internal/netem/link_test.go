package netem

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func newTestShaper(l Link) *Shaper { return NewShaper(l, rand.New(rand.NewPCG(1, 2))) }

func TestPerfectLink(t *testing.T) {
	s := newTestShaper(Link{})
	for i := range 100 {
		now := Start.Add(time.Duration(i))
		if n, at := s.Offer(now, 1000); n != 1 || !at[0].Equal(now) {
			t.Fatalf("packet %d: %d copies, at %v", i, n, at)
		}
	}
}

// Loss is as frequent as set, and its runs are as long.
func TestLoss(t *testing.T) {
	for _, l := range []Link{
		{Loss: 0.01}, {Loss: 0.3}, {Loss: 0.1, Burst: 1}, {Loss: 0.1, Burst: 2}, {Loss: 0.3, Burst: 8}, {Loss: 0.02, Burst: 20},
	} {
		s := newTestShaper(l)
		const total = 1_000_000
		lost, runs, before := 0, 0, false
		for range total {
			n, _ := s.Offer(Start, 100)
			gone := n == 0
			if gone {
				lost++
				if !before {
					runs++
				}
			}
			before = gone
		}
		if got := float64(lost) / total; math.Abs(got/l.Loss-1) > 0.05 {
			t.Errorf("%+v: lost %.4f", l, got)
		}
		want := l.Burst
		if want <= 1 { // independent: a run ends with each packet that passes
			want = 1 / (1 - l.Loss)
		}
		if got := float64(lost) / float64(runs); math.Abs(got/want-1) > 0.05 {
			t.Errorf("%+v: mean run of %.2f, want %.2f", l, got, want)
		}
	}
	s := newTestShaper(Link{Loss: 1, Burst: 5})
	for range 1000 {
		if n, _ := s.Offer(Start, 100); n != 0 {
			t.Fatal("a dead link delivered")
		}
	}
}

func TestDelayJitterReorderDuplicate(t *testing.T) {
	l := Link{Delay: 10 * time.Millisecond, Jitter: 4 * time.Millisecond, Duplicate: 0.2, Reorder: 0.1, ReorderBy: 50 * time.Millisecond}
	s := newTestShaper(l)
	copies, late := 0, 0
	for range 100_000 {
		n, at := s.Offer(Start, 100)
		copies += n
		for _, a := range at[:n] {
			d := a.Sub(Start)
			if d < l.Delay || d > l.Delay+l.Jitter+l.ReorderBy {
				t.Fatalf("took %v", d)
			}
			if d > l.Delay+l.Jitter {
				late++
			}
		}
	}
	if copies < 119_000 || copies > 121_000 {
		t.Errorf("%d copies of 100,000, want 120,000", copies)
	}
	if late < 10_000 || late > 12_500 { // a tenth, less those held back by little
		t.Errorf("%d held back", late)
	}
}

// A line of 8 kbit/s takes a millisecond for a byte; what finds more than the queue
// in front of it is dropped.
func TestRateAndQueue(t *testing.T) {
	s := newTestShaper(Link{Rate: 8000, Queue: 250})
	for i := range time.Duration(3) {
		n, at := s.Offer(Start, 100)
		if want := (i + 1) * 100 * time.Millisecond; n != 1 || at[0].Sub(Start) != want {
			t.Fatalf("packet %d: %d copies, after %v, want %v", i, n, at[0].Sub(Start), want)
		}
	}
	if n, _ := s.Offer(Start, 100); n != 0 {
		t.Error("a packet found 300 bytes in front of it and was queued")
	}
	if n, at := s.Offer(Start.Add(time.Second), 100); n != 1 || !at[0].Equal(Start.Add(1100*time.Millisecond)) {
		t.Errorf("after a pause: %d copies, %v", n, at[0].Sub(Start))
	}
}
