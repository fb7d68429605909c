//go:build !linux

package mcast

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// diagnoseSystem is what can be found out without the kernel's books: whether the
// channel can be joined, and whether its packets arrive.
type diagnoseSystem struct{ d *diagnosis }

func newDiagnoseSystem(d *diagnosis) *diagnoseSystem { return &diagnoseSystem{d} }

func (s *diagnoseSystem) check() {
	s.d.add("not-checked", Info, "", "queriers, filters, limits and the kernel's counters are not checked on "+runtime.GOOS, "")
}

func (s *diagnoseSystem) listen(ctx context.Context) {
	d := s.d
	if !d.hasChannel() || !d.chosen {
		return
	}
	ifi := &d.links[0]
	if d.port == 0 {
		d.add("not-checked", Info, ifi.Name, "whether packets of "+d.ch.String()+" arrive is not known without a port", "give the port")
		return
	}
	e := d.openEar(ctx, ifi, d.port)
	if e == nil {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d.wait):
	}
	e.stop()
	if n := e.heard(); n > 0 {
		d.add("traffic", Info, ifi.Name, fmt.Sprintf("%d packets of %s arrived, the first from %s", n, d.ch, e.from.Addr()), "")
		return
	}
	d.add("no-traffic", Warning, ifi.Name, fmt.Sprintf("no packet of %s port %d arrived within %v", d.ch, d.port, d.wait.Round(time.Millisecond)), remedyNoTraffic)
}
