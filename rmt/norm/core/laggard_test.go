package core

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// One receiver in a thousand loses 30 % of all, the others 0.1 %: what each policy does to
// the others and to the wire.
func TestLaggardTable(t *testing.T) {
	if leftToRunsWithoutRace(t) {
		return
	}
	n := ccReceivers(t)
	const blocks = 40
	var everyone []wire.NodeID
	for i := range n + 1 {
		everyone = append(everyone, wire.NodeID(1001+i))
	}
	type row struct {
		name string
		lag  float64
		cfg  SenderConfig
		spec ObjectSpec
	}
	rate := SenderConfig{Rate: 20_000_000}
	rows := []row{
		{"nobody lags", 0.001, rate, ObjectSpec{AckCount: n + 1}},
		{"nobody waited for (default)", 0.3, rate, ObjectSpec{}},
		{"follow the slowest (all acknowledge)", 0.3, rate, ObjectSpec{AckCount: n + 1}},
		{"drop the laggard, DropAfter 1 s", 0.3, rate, ObjectSpec{AckNodes: everyone, DropAfter: time.Second}},
		{"drop the laggard, DropAfter 200 ms", 0.3, rate, ObjectSpec{AckNodes: everyone, DropAfter: 200 * time.Millisecond}},
		{"quorum of all but one", 0.3, rate, ObjectSpec{AckCount: n}},
		{"max, follow the slowest", 0.3, SenderConfig{CC: CCMax, MaxRate: 20_000_000}, ObjectSpec{AckCount: n + 1}},
		{"TFMCC, follow the slowest", 0.3, SenderConfig{CC: CCTFMCC, MaxRate: 20_000_000}, ObjectSpec{AckCount: n + 1}},
		{"TFMCC, nobody lags", 0.001, SenderConfig{CC: CCTFMCC, MaxRate: 20_000_000}, ObjectSpec{AckCount: n + 1}},
	}
	if !wholeTables {
		rows = rows[:6]
	}
	ends := map[string]time.Duration{}
	for _, r := range rows {
		r.cfg.GRTT, r.cfg.GroupSize, r.cfg.MaxNodes = 50*time.Millisecond, n, 2*n
		c := newCrowd(t, 1, r.cfg, netem.Link{Delay: 5 * time.Millisecond}, netem.Link{Delay: 5 * time.Millisecond})
		c.receivers(n, blocks, ReceiverConfig{}, 0.001)
		const d = 12 * time.Millisecond
		slow := c.receiver(ReceiverConfig{}, blocks, netem.Link{Delay: d}, netem.Link{Delay: d, Loss: r.lag})
		size := c.send(blocks, r.spec)
		c.until(time.Hour, func() bool { return c.doneAt > 0 })
		st := c.tx.Stats()
		var done []time.Duration
		for _, m := range c.rx[:n] {
			if m.done > 0 {
				done = append(done, m.done)
			}
		}
		slices.Sort(done)
		c.sim.RunUntil(c.now()+10*time.Second, func() bool { return slow.done > 0 || slow.err != nil })
		const ms = time.Millisecond
		ends[r.name] = c.doneAt
		if cut := n - len(done); cut > n/100 && r.spec.DropAfter != 200*ms {
			t.Errorf("%s: %d receivers lack it although they had the time", r.name, cut)
		}
		if dropped := errors.Is(slow.err, ErrPurged); dropped != (r.spec.DropAfter > 0) {
			t.Errorf("%s: the laggard ended with %v", r.name, slow.err)
		}
		t.Logf("%-38s others p50 %8v, last %8v, %d cut off; it %8v (%v); first pass %8v, done %8v (%v); wire %.3f of the file, %d NACKs", r.name,
			done[len(done)/2].Round(ms), done[len(done)-1].Round(ms), n-len(done), slow.done.Round(ms), slow.err, c.sentAt.Round(ms), c.doneAt.Round(ms), c.err,
			float64(st.Bytes)/float64(size), st.Nacks)
	}
	if slowest := ends[rows[2].name]; ends[rows[3].name] >= slowest || ends[rows[5].name] >= slowest {
		t.Errorf("no policy is faster than to follow the slowest: %v", ends)
	}
}
