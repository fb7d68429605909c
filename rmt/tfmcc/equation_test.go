package tfmcc

import (
	"math"
	"testing"
	"time"
)

func TestThroughput(t *testing.T) {
	// By hand, from RFC 4654 equation (1): 1,000 bytes, 0.1 s.
	for _, c := range []struct{ p, want float64 }{
		{0.01, 112_333}, {0.1, 17_704}, {1, 40.96},
	} {
		if got := Throughput(1000, 100*time.Millisecond, c.p); math.Abs(got-c.want) > c.want/100 {
			t.Errorf("p = %v: %.1f bytes/s, want %.1f", c.p, got, c.want)
		}
	}
	if !math.IsInf(Throughput(1000, time.Second, 0), 1) {
		t.Error("a path without loss has no TCP rate")
	}
	for p := 1e-8; p < 1; p *= 3 {
		rate := Throughput(1400, 30*time.Millisecond, p)
		if got := LossRate(1400, 30*time.Millisecond, rate); math.Abs(got-p) > p/1000 {
			t.Errorf("the inverse of p = %v is %v", p, got)
		}
	}
}
