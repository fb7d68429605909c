//go:build !race

package gmp

import (
	"testing"
	"time"
)

// A router that hears again what it knows allocates nothing, and neither does the
// question where a packet goes. The race detector does.
func TestRefreshAllocatesNothing(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		r := f.quiet(t, RouterConfig{Tracking: true})
		s := f.newSnooper(t, SnooperConfig{})
		m := f.report(f.peer, IsIn, f.g, f.s(1, 2, 3)...)
		m.Records = append(m.Records, Record{IsEx, f.g2, f.s(1, 2)})
		now, src := start, f.s(1)[0]
		var e Event
		step := func() {
			now = now.Add(time.Second)
			for _, engine := range []engine{r, s} {
				m.IfIndex = 1
				m.Src = f.peer
				engine.Handle(now, m)
				m.Src = f.low // a host that holds nothing
				engine.Handle(now, m)
				for engine.Event(&e) {
				}
			}
			if !r.Forward(src, f.g) {
				t.Fatal("not forwarded")
			}
		}
		step()
		if n := testing.AllocsPerRun(100, step); n > 0 {
			t.Errorf("%v allocations for a report", n)
		}
	})
}
