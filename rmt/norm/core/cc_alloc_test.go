package core

import (
	"testing"
	"time"
)

// Law 10 with congestion control: the loss meter, probes, answers and the rate cost no
// allocation a data packet. The simulator's own are those for each packet on its way.
func TestNoAllocationWithCongestionControl(t *testing.T) {
	for _, cc := range []CongestionControl{CCTFMCC, CCMax} {
		p := newPair(t, 64<<20)
		cfg := p.tx.cfg
		cfg.CC, cfg.MinRate, cfg.MaxRate = cc, 1e9, 2e9
		p.tx.cfg = cfg
		p.tx.cc.init(p.tx)
		// A block of 64 takes less than a millisecond at that rate; the time has
		// to pass for the bucket.
		step := func() {
			for range 8 {
				p.now = p.now.Add(100 * time.Microsecond)
				p.step(t, 8, nil)
			}
		}
		for range 40 {
			step()
		}
		if n := testing.AllocsPerRun(100, step); n != 0 {
			t.Errorf("%v: %v allocations for 64 packets", cc, n)
		}
	}
}
