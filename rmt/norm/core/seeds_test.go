package core

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The simulated worlds of TestSeeds. NORM_SEEDS sets how many, or which ("301-400");
// NORM_SEED runs one alone and prints it.
const defaultSeeds = 200

func seeds(t *testing.T) (from, to uint64) {
	if v := os.Getenv("NORM_SEED"); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n, n + 1
	}
	if v := os.Getenv("NORM_SEEDS"); v != "" {
		first, last, part := strings.Cut(v, "-")
		if !part {
			first, last = "1", v
		}
		var err [2]error
		from, err[0] = strconv.ParseUint(first, 10, 64)
		to, err[1] = strconv.ParseUint(last, 10, 64)
		if errors.Join(err[:]...) != nil {
			t.Fatal(errors.Join(err[:]...))
		}
		return from, to + 1
	}
	if raceDetector {
		return 1, defaultSeeds/5 + 1
	}
	return 1, defaultSeeds + 1
}

// leftToRunsWithoutRace is for long runs of a single engine, in which no race can be: with
// the detector they take minutes. CI runs them without it.
func leftToRunsWithoutRace(t *testing.T) bool {
	if raceDetector {
		t.Log("run without the race detector")
	}
	return raceDetector
}

// simulate runs the world of a seed to its end and returns the trace.
func simulate(t *testing.T, seed uint64) string {
	sc := newScenario(seed)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%+v", *sc)
			t.Logf("to run it alone: NORM_SEED=%d go test -count=1 -run TestSeeds -v ./rmt/norm/core", seed)
		}
	})
	w := newWorld(t, seed)
	w.limit = 24 * time.Hour
	sc.build(w)
	// Until every plan has run.
	w.pass(sc.length())
	w.run()
	if sc.farewell {
		for _, tx := range w.tx {
			tx.shutdown()
		}
		w.pass(10 * time.Minute)
		for _, tx := range w.tx {
			if !tx.closed && !tx.gone {
				t.Error("EOT has no end")
			}
		}
	}
	w.check()
	w.checkQuiet()
	if os.Getenv("NORM_SEED") != "" {
		t.Logf("%+v", *sc)
		w.logStats(t)
		w.dump()
	}
	return w.sim.Trace()
}

func TestSeeds(t *testing.T) {
	from, to := seeds(t)
	for seed := from; seed < to; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			simulate(t, seed)
		})
	}
}

// A run can be repeated: the same seed gives the same packets at the same times.
func TestSameSeedSameTrace(t *testing.T) {
	last := uint64(50)
	if raceDetector {
		last = 10
	}
	for seed := uint64(1); seed <= last; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			if a, b := simulate(t, seed), simulate(t, seed); a != b {
				t.Errorf("%s, then %s", a, b)
			}
		})
	}
}
