package pace

import (
	"math"
	"testing"
	"time"
)

// send drives a bucket from a clock that ticks every step (a late or coarse
// timer) and returns the bits sent per second.
func send(t *testing.T, rate int64, size int, step, total time.Duration) float64 {
	t.Helper()
	var b Bucket
	b.SetRate(rate, 0)
	now := time.Unix(0, 0)
	start, bits := now, 0
	for now.Sub(start) < total {
		for b.Ready(now) {
			b.Take(now, size)
			bits += size * 8
		}
		now = now.Add(step)
	}
	return float64(bits) / total.Seconds()
}

func TestRateWithinOnePercent(t *testing.T) {
	for _, c := range []struct {
		rate int64
		step time.Duration
	}{
		{64_000, time.Millisecond},
		{10_000_000, time.Millisecond},
		{1_000_000_000, time.Millisecond},
		{1_000_000_000, 3900 * time.Microsecond}, // a timer late by almost the depth
	} {
		got := send(t, c.rate, 1428, c.step, 30*time.Second)
		if math.Abs(got/float64(c.rate)-1) > 0.01 {
			t.Errorf("rate %d, tick %v: sent %.0f bit/s", c.rate, c.step, got)
		}
	}
}

func TestIdleTimeIsNotSavedUp(t *testing.T) {
	var b Bucket
	b.SetRate(8_000_000, 0) // one byte per microsecond
	now := time.Unix(100, 0)
	b.Take(now, 1000)
	now = now.Add(time.Hour)
	burst := 0
	for b.Ready(now) {
		b.Take(now, 1000)
		burst++
	}
	if want := int(DefaultDepth/time.Millisecond) + 1; burst != want { // what was saved up, and the one that overdraws
		t.Errorf("burst of %d packets after an idle hour, want %d", burst, want)
	}
	if next := b.Next(); !next.After(now) {
		t.Errorf("Next is %v, not after now", next.Sub(now))
	}
}

func TestZeroIsUnlimited(t *testing.T) {
	var b Bucket
	now := time.Unix(1, 0)
	for range 1000 {
		if !b.Ready(now) {
			t.Fatal("an unlimited bucket said no")
		}
		b.Take(now, 65507)
	}
	if !b.Next().IsZero() {
		t.Error("an unlimited bucket has a deadline")
	}
}
