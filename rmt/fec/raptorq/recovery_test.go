package raptorq

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// long is the number of trials of each case of TestRecovery, for a long run:
// MULTICAST_RAPTORQ_TRIALS=3000000 takes half an hour. It also makes TestEveryLength
// try all.
var long = os.Getenv("MULTICAST_RAPTORQ_TRIALS")

// TestRecovery counts failures with as many symbols as K', one more, two more, of
// encoding symbol IDs chosen at random (RFC 6330 section 5.8: 1 in 100, 1 in
// 10,000, 1 in 1,000,000).
func TestRecovery(t *testing.T) {
	r := newRand(t)
	for _, c := range []struct{ k, trials int }{{10, 3000}, {26, 1500}, {101, 300}, {1002, 15}} {
		trials := c.trials
		if long != "" {
			n, err := strconv.Atoi(long)
			if err != nil {
				t.Fatal(err)
			}
			trials = max(min(n, n*200/c.k), 1)
		}
		failed := recovery(r, c.k, trials)
		t.Logf("K %5d: %d trials, failures at K: %d (%.3f%%), at K+1: %d, at K+2: %d, at K+3: %d",
			c.k, trials, failed[0], 100*float64(failed[0])/float64(trials), failed[1], failed[2], failed[3])
		// At the allowed rates a test would fail now and then; at twice the
		// rate and some more it does not.
		for over, rate := range []float64{0.01, 1e-4, 1e-6} {
			if limit := 5 + 2*rate*float64(trials); float64(failed[over]) > limit {
				t.Errorf("K %d: %d of %d fail with %d symbols more", c.k, failed[over], trials, over)
			}
		}
	}
}

// recovery returns how many of a number of trials failed with 0, 1, 2, and 3 symbols
// more than k, which is a K'.
func recovery(r *rand.Rand, k, trials int) (failed [4]int) {
	p, err := paramsFor(k)
	if err != nil || int(p.kp) != k {
		panic(k)
	}
	var m planner
	var pl plan
	isi := make([]uint32, 0, k+len(failed))
	seen := make(map[uint32]bool)
	for range trials {
		isi = isi[:0]
		clear(seen)
		for len(isi) < k+len(failed) {
			x := r.Uint32N(MaxESI + 1)
			if !seen[x] {
				seen[x] = true
				isi = append(isi, x)
			}
		}
		for over := range failed {
			if m.plan(&pl, &p, isi[:k+over]) {
				break
			}
			failed[over]++
		}
	}
	return failed
}
