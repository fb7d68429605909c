package gmp

import (
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// A report that was sent to one host alone silences it no more than no report: the
// routers did not get it (RFC 1112 appendix I, RFC 2710 section 4).
func TestRFC1112_I_ReportSentElsewhere(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		h := f.newHost(t, HostConfig{Generation: V2})
		set(t, h, 0, 1, f.g, f.ex())
		run(t, h, at(sec(60)))
		q := f.query(f.low)
		q.Generation = V2
		h.Handle(at(sec(60)), q)
		alone := f.oldReport(f.peer, f.g, V2)
		alone.Dst = f.host
		h.Handle(at(sec(60)), alone)
		if got := run(t, h, at(sec(71))); len(got) != 1 || h.Stats().Suppressed != 0 {
			t.Errorf("%d reports, %+v", len(got), h.Stats())
		}
		h.Handle(at(sec(80)), q)
		h.Handle(at(sec(80)), f.oldReport(f.peer, f.g, V2))
		if got := run(t, h, at(sec(91))); len(got) != 0 || h.Stats().Suppressed != 1 {
			t.Errorf("sent to the group: %d reports, %+v", len(got), h.Stats())
		}
	})
}

// A query sent to the querier alone does not make it give way: no host was asked, and
// none would be.
func TestQueryToRouterAlone(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		r := f.quiet(t, RouterConfig{})
		q := f.query(f.low)
		q.Dst = f.host
		if r.Handle(start, q); !r.IsQuerier() {
			t.Error("it gave way")
		}
		q.Dst = f.p.AllSystems
		if r.Handle(start, q); r.IsQuerier() {
			t.Error("it did not give way")
		}
	})
}

// A query that hosts did not get ends no membership in a switch.
func TestSnooperQueryElsewhere(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		s := f.newSnooper(t, SnooperConfig{})
		s.Handle(start, on(1, f.report(f.peer, IsEx, f.g)))
		q := on(2, f.ask(f.low, f.g))
		q.Dst = f.peer
		s.Handle(start, q)
		run(t, s, at(sec(10)))
		if _, ok := s.State(1, f.g); !ok {
			t.Error("a query to one host ended it")
		}
		q.Dst = f.g
		s.Handle(at(sec(10)), q)
		run(t, s, at(sec(20)))
		if _, ok := s.State(1, f.g); ok {
			t.Error("a query to the group did not end it")
		}
	})
}

// What one querier told of its timers does not hold for the next, who cannot tell
// (RFC 3376 sections 4.1.6, 4.1.7 and 7.3.1).
func TestRFC3376_4_1_7_NextQuerierDoesNotTell(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		r := f.quiet(t, RouterConfig{Addr: f.peer})
		q := f.query(f.host)
		q.Interval = 10 * time.Second
		r.Handle(start, q)
		if d := r.Timers().QueryInterval; d != 10*time.Second {
			t.Fatalf("query interval %v", d)
		}
		q = f.query(f.low)
		q.Generation, q.QRV, q.Interval = V2, 0, 0
		r.Handle(start, q)
		r.Handle(start, f.report(f.host, IsEx, f.g))
		run(t, r, at(sec(259)))
		if r.Filter(f.g).Mode != group.Exclude {
			t.Error("forgotten before the other asks again")
		}
	})
}

// Hosts may take as long to answer as the querier allows, not as long as we would: a
// membership lasts that much longer (RFC 3376 section 8.4).
func TestRFC3376_8_4_QueriersResponseTime(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		r := f.nonQuerier(t, RouterConfig{})
		q := f.query(f.low)
		q.MaxResp = 100 * time.Second
		r.Handle(start, q)
		r.Handle(start, f.report(f.peer, IsEx, f.g))
		if run(t, r, at(sec(299))); r.IsQuerier() { // 2 × 125 s and half of 100 s
			t.Error("took over before the other querier present interval")
		}
		if st, ok := r.State(f.g); !ok || !st.Until.Equal(at(sec(350))) {
			t.Errorf("until %v", st.Until.Sub(start))
		}
		// A forged time does not last for hours, and ours holds again when we ask.
		q.MaxResp = f.p.longestResp()
		r = f.nonQuerier(t, RouterConfig{})
		r.Handle(start, q)
		if d := r.Timers().QueryResponse; d > time.Hour {
			t.Errorf("response time %v", d)
		}
		run(t, r, at(3*time.Hour))
		if d := r.Timers().QueryResponse; d != 10*time.Second || !r.IsQuerier() {
			t.Errorf("as the querier: %v", d)
		}
	})
}
