package gmp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// RFC 3376 section 8 and RFC 3810 section 9: the defaults and what follows from them.
func TestRFC3376_8_Timers(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		var d Timers
		if err := d.normalize(f.p, V3); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			section   string
			got, want any
		}{
			{"8.1", d.Robustness, 2}, {"8.2", d.QueryInterval, 125 * time.Second}, {"8.3", d.QueryResponse, 10 * time.Second},
			{"8.4", d.membership(), 260 * time.Second}, {"8.5", d.otherQuerier(), 255 * time.Second},
			{"8.6", d.StartupInterval, 31250 * time.Millisecond}, {"8.7", d.StartupCount, 2},
			{"8.8", d.LastMember, time.Second}, {"8.9", d.lastMemberCount(), 2}, {"8.10", d.lastMemberTime(), 2 * time.Second},
			{"8.11", d.Unsolicited, time.Second},
		} {
			if tt.got != tt.want {
				t.Errorf("section %s: %v, want %v", tt.section, tt.got, tt.want)
			}
		}
	})
	// Rounded down to what a message can say (sections 4.1.1, 4.1.7 and 8.8).
	for _, tt := range []struct{ got, want time.Duration }{
		{IGMP.maxResp(sec(12.75), V3), sec(12.7)}, {IGMP.maxResp(sec(13.0), V3), sec(12.8)}, {IGMP.maxResp(sec(13.6), V3), sec(13.6)},
		{IGMP.maxResp(0, V3), sec(.1)}, {IGMP.maxResp(time.Hour*10, V3), sec(3174.4)}, {IGMP.maxResp(time.Hour, V2), sec(25.5)},
		{MLD.maxResp(sec(32.767), V3), sec(32.767)}, {MLD.maxResp(sec(32.775), V3), sec(32.768)}, {MLD.maxResp(sec(32.776), V3), sec(32.776)},
		{MLD.maxResp(time.Hour*10, V3), sec(8387.584)}, {MLD.maxResp(time.Hour, V2), sec(65.535)},
		{interval(sec(127.9)), sec(127)}, {interval(sec(130)), sec(128)}, {interval(sec(136)), sec(136)}, {interval(sec(40000)), sec(31744)},
	} {
		if tt.got != tt.want {
			t.Errorf("%v, want %v", tt.got, tt.want)
		}
	}
}

// RFC 3376 sections 6.1, 8.2, 8.6 and 8.7: general queries, at their times.
func TestRFC3376_6_1_GeneralQueries(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		r := f.newRouter(t, RouterConfig{Timers: Timers{Robustness: 3}})
		got := run(t, r, at(sec(400)))
		var when []string
		for _, m := range got {
			when = append(when, m.after.String())
			if words(m.Message) != "Q3()" || m.Dst != f.p.AllSystems || m.Src != f.host || m.MaxResp != 10*time.Second || m.QRV != 3 || m.Interval != 125*time.Second {
				t.Errorf("%+v", m.Message)
			}
		}
		if s := strings.Join(when, " "); s != "0s 31.25s 1m2.5s 3m7.5s 5m12.5s" {
			t.Errorf("at %s", s)
		}
		if r := f.newRouter(t, RouterConfig{Timers: Timers{Robustness: 8}}); drain(r, start)[0].QRV != 0 {
			t.Error("section 4.1.6: a robustness of 8 is said as 0")
		}
	})
}

// RFC 3376 section 6.6.2, RFC 3810 section 7.6.2.
func TestRFC3376_6_6_2_Election(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		r := f.newRouter(t, RouterConfig{})
		drain(r, start)
		if evs := polled(r); kinds(evs) != "querier elected" || r.Querier() != f.host {
			t.Errorf("start: %s", kinds(evs))
		}
		r.Handle(at(sec(1)), f.query(f.peer))
		r.Handle(at(sec(1)), f.query(f.host)) // our own
		if !r.IsQuerier() {
			t.Error("gave way to a higher address")
		}
		r.Handle(at(sec(2)), f.query(f.low))
		if evs := polled(r); kinds(evs) != "querier lost" || evs[0].Addr != f.low || r.Querier() != f.low {
			t.Errorf("lower address: %s", kinds(evs))
		}
		// Other querier present interval (section 8.5), from the last query.
		r.Handle(at(sec(100)), f.query(f.low))
		if got := run(t, r, at(sec(354.9))); len(got) != 0 || r.IsQuerier() {
			t.Errorf("%d queries of a non-querier", len(got))
		}
		got := run(t, r, at(sec(500)))
		if len(got) != 2 || got[0].after != sec(355) || got[1].after != sec(480) || kinds(polled(r)) != "querier elected" {
			t.Errorf("%d queries of the new querier", len(got))
		}
	})
	// Only the interface identifiers of IPv6 addresses count; :: is no querier, and
	// 0.0.0.0 a switch.
	f := &families[1]
	r := f.quiet(t, RouterConfig{})
	r.Handle(start, f.query(addr("fe80:0:0:9::1")))
	if r.IsQuerier() {
		t.Error("a lower interface identifier lost")
	}
	r = f.quiet(t, RouterConfig{Addr: addr("fe80:0:0:9::50")})
	r.Handle(start, f.query(addr("fe80::60")))
	if !r.IsQuerier() {
		t.Error("a higher interface identifier won")
	}
	r.Handle(start, f.query(addr("::")))
	if !r.IsQuerier() || r.Stats().BadQuerier != 1 {
		t.Error(":: won")
	}
	f = &families[0]
	r = f.quiet(t, RouterConfig{})
	r.Handle(start, f.query(addr("0.0.0.0")))
	if !r.IsQuerier() {
		t.Error("RFC 4541 section 2.1.1: 0.0.0.0 won")
	}
	// A switch that asks from 0.0.0.0 gives way to all.
	s, err := NewRouter(start, RouterConfig{Profile: &IGMP})
	if err != nil {
		t.Fatal(err)
	}
	if q := drain(s, start); len(q) != 1 || !q[0].Src.IsUnspecified() {
		t.Errorf("%v", q)
	}
	s.Handle(start, f.query(f.peer))
	if s.IsQuerier() {
		t.Error("0.0.0.0 did not give way")
	}
	// Without a link-local address no MLD query is sent.
	m, err := NewRouter(start, RouterConfig{Profile: &MLD})
	if err != nil {
		t.Fatal(err)
	}
	if got := run(t, m, at(sec(1000))); len(got) != 0 || m.IsQuerier() {
		t.Error("RFC 3590 section 4: a query without source")
	}
	m.SetAddr(at(sec(1000)), addr("fe80::1"))
	if got := drain(m, at(sec(1000))); len(got) != 1 || !m.IsQuerier() {
		t.Error("no query with an address")
	}
}

// RFC 3376 sections 4.1.6 and 4.1.7: a non-querier takes over robustness and interval.
func TestRFC3376_4_1_6_Adoption(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		r := f.quiet(t, RouterConfig{})
		q := f.query(f.low)
		q.QRV, q.Interval = 3, 60*time.Second
		r.Handle(start, q)
		if d := r.Timers(); d.Robustness != 3 || d.QueryInterval != 60*time.Second || d.lastMemberCount() != 3 {
			t.Errorf("%+v", d)
		}
		r.Handle(start, f.report(f.peer, IsEx, f.g))
		if s, _ := r.State(f.g); s.Until.Sub(start) != 190*time.Second {
			t.Errorf("group timer %v", s.Until.Sub(start))
		}
		q.QRV, q.Interval = 0, 0
		r.Handle(start, q)
		if d := r.Timers(); d.Robustness != 2 || d.QueryInterval != 125*time.Second {
			t.Errorf("zeroes: %+v", d)
		}
		q.QRV, q.Interval = 7, 31744*time.Second
		r.Handle(start, q)
		if d := r.Timers(); d.QueryInterval != time.Hour {
			t.Errorf("a forged interval: %v", d.QueryInterval)
		}
		q.Src, q.QRV = f.peer, 5
		r.Handle(start, q)
		if d := r.Timers(); d.Robustness != 7 {
			t.Errorf("took over from a higher address: %+v", d)
		}
		// The querier again, with its own.
		run(t, r, at(10*time.Hour))
		if d := r.Timers(); !r.IsQuerier() || d.Robustness != 2 || d.QueryInterval != 125*time.Second {
			t.Errorf("as querier: %+v", d)
		}
		// A querier does not follow others.
		k := f.quiet(t, RouterConfig{})
		q.Src = f.peer
		k.Handle(start, q)
		if d := k.Timers(); d.Robustness != 2 {
			t.Errorf("as querier: %+v", d)
		}
	})
}

// RFC 3376 section 6.6.1, RFC 3810 section 7.6.1: timers are lowered by another's
// query, unless it has the S flag.
func TestRFC3376_6_6_1_TimerUpdates(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		for _, tt := range []struct {
			name   string
			change func(m *Message)
			source bool
			want   time.Duration
		}{
			{"group", func(m *Message) {}, false, 2 * time.Second},
			{"group_S", func(m *Message) { m.Suppress = true }, false, 260 * time.Second},
			{"source", func(m *Message) { m.Sources = f.s(1) }, true, 2 * time.Second},
			{"source_S", func(m *Message) { m.Sources, m.Suppress = f.s(1), true }, true, 260 * time.Second},
			{"slow_querier", func(m *Message) { m.MaxResp = 5 * time.Second }, false, 10 * time.Second},
			{"hasty_querier", func(m *Message) { m.MaxResp = 0 }, false, 2 * time.Second},
			{"sent_to_the_router_alone", func(m *Message) { m.Dst = f.host }, false, 260 * time.Second},
			{"old_generation", func(m *Message) { m.Generation = V2 }, false, 2 * time.Second},
		} {
			t.Run(tt.name, func(t *testing.T) {
				r := f.nonQuerier(t, RouterConfig{})
				r.Handle(start, f.report(f.peer, IsEx, f.g))
				r.Handle(start, f.report(f.peer, IsIn, f.g, f.s(1)...))
				m := f.ask(f.low, f.g)
				tt.change(m)
				r.Handle(start, m)
				s, _ := r.State(f.g)
				got := s.Until
				if tt.source {
					got = s.Sources[0].Until
				}
				if got.Sub(start) != tt.want {
					t.Errorf("timer %v, want %v", got.Sub(start), tt.want)
				}
				// It is never raised.
				r.Handle(start, f.ask(f.low, f.g2))
				m = f.ask(f.low, f.g)
				m.MaxResp = time.Hour
				r.Handle(start, m)
				if s2, _ := r.State(f.g); s2.Until.After(s.Until) {
					t.Error("a query raised a timer")
				}
			})
		}
	})
}

// RFC 3376 section 6.6.3.1: a leave is followed by queries, and the group ends after
// the last member query time, unless someone answers.
func TestRFC3376_6_6_3_1_GroupQueries(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		q, qs := words(f.ask(f.host, f.g)), words(f.ask(f.host, f.g))+" S"
		r := f.quiet(t, RouterConfig{Timers: Timers{LastMemberCount: 3}})
		r.Handle(start, f.report(f.peer, IsEx, f.g))
		r.Handle(at(sec(5)), f.report(f.peer, ToIn, f.g))
		got := run(t, r, at(sec(20)))
		if len(got) != 3 {
			t.Fatalf("%d queries", len(got))
		}
		for i, m := range got {
			if m.after != sec(5+float64(i)) || words(m.Message) != q || m.Dst != f.g || m.MaxResp != time.Second {
				t.Errorf("query %d at %v: %s", i, m.after, words(m.Message))
			}
		}
		// It came and went before anyone looked: no event.
		if evs := polled(r); len(evs) != 0 {
			t.Errorf("events: %s", kinds(evs))
		}
		if r.Forward(f.s(1)[0], f.g) {
			t.Error("the group is still there")
		}
		// With an answer between, the rest has the S flag.
		r = f.quiet(t, RouterConfig{Timers: Timers{LastMemberCount: 3}})
		r.Handle(start, f.report(f.peer, IsEx, f.g))
		r.Handle(at(sec(5)), f.report(f.peer, ToIn, f.g))
		run(t, r, at(sec(5.5)))
		r.Handle(at(sec(5.5)), f.report(f.low, IsEx, f.g))
		got = run(t, r, at(sec(20)))
		if len(got) != 2 || words(got[0].Message) != qs || words(got[1].Message) != qs || !r.Forward(f.s(1)[0], f.g) {
			t.Errorf("after an answer: %d queries", len(got))
		}
		// While it is asked, it is forwarded; then not.
		r = f.quiet(t, RouterConfig{})
		r.Handle(start, f.report(f.peer, IsEx, f.g))
		r.Handle(at(sec(5)), f.leave(f.peer, f.g))
		for _, w := range []struct {
			after   float64
			forward bool
		}{{5, true}, {6.9, true}, {7, false}} {
			run(t, r, at(sec(w.after)))
			if got := r.Forward(f.s(1)[0], f.g); got != w.forward {
				t.Errorf("at %v s: forward %v", w.after, got)
			}
		}
	})
}

// RFC 3376 section 6.6.3.2: lists with and without the S flag.
func TestRFC3376_6_6_3_2_SourceQueries(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		ask := func(s string, n ...int) string { return words(f.ask(f.host, f.g, f.s(n...)...)) + s }
		r := f.quiet(t, RouterConfig{Timers: Timers{LastMemberCount: 3}})
		r.Handle(start, f.report(f.peer, IsIn, f.g, f.s(1, 2, 3)...))
		r.Handle(at(sec(5)), f.report(f.peer, Block, f.g, f.s(1, 2, 9)...))
		wantWords(t, drain(r, at(sec(5))), ask("", 1, 2))
		r.Handle(at(sec(5.5)), f.report(f.low, IsIn, f.g, f.s(2)...))
		// A later leave joins what is being asked, at the next repetition.
		r.Handle(at(sec(5.7)), f.report(f.peer, Block, f.g, f.s(3)...))
		wantWords(t, drain(r, at(sec(5.7))), "")
		if st, _ := r.State(f.g); st.Sources[2].Until != at(sec(6+3)) {
			t.Errorf("it lasts until %v, from the repetition on it has the whole time", st.Sources[2].Until.Sub(start))
		}
		var got []string
		for _, m := range run(t, r, at(sec(20))) {
			got = append(got, fmt.Sprint(m.after, " ", words(m.Message)))
		}
		want := []string{"6s " + ask(" S", 2), "6s " + ask("", 1, 3), "7s " + ask(" S", 2), "7s " + ask("", 1, 3), "8s " + ask("", 3)}
		if !slices.Equal(got, want) {
			t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if got := r.Filter(f.g); !got.Equal(f.in(2)) {
			t.Errorf("left %v", got)
		}
		// A timer that is low already is not asked for.
		r = f.quiet(t, RouterConfig{})
		r.Handle(start, f.report(f.peer, IsIn, f.g, f.s(1)...))
		run(t, r, at(sec(259)))
		r.Handle(at(sec(259)), f.report(f.peer, Block, f.g, f.s(1)...))
		for _, m := range drain(r, at(sec(259))) {
			if m.Group == f.g {
				t.Errorf("sent %s", words(m))
			}
		}
		// With a query for the group, the list with the S flag is left out.
		r = f.quiet(t, RouterConfig{})
		r.Handle(start, f.report(f.peer, IsEx, f.g))
		r.Handle(start, f.report(f.peer, IsIn, f.g, f.s(1, 2)...))
		r.Handle(at(sec(5)), f.report(f.peer, ToIn, f.g))
		wantWords(t, drain(r, at(sec(5))), words(f.ask(f.host, f.g))+" | "+ask("", 1, 2))
		r.Handle(at(sec(5.5)), f.report(f.low, IsIn, f.g, f.s(1, 2)...))
		wantWords(t, messages(run(t, r, at(sec(7)))), words(f.ask(f.host, f.g)))
		// A list longer than a packet is split (section 4.1.8).
		r = f.quiet(t, RouterConfig{})
		many := f.numbered(180)
		r.Handle(start, f.report(f.peer, IsIn, f.g, many...))
		small := f.quiet(t, RouterConfig{MTU: f.p.minMTU()})
		small.Handle(start, f.report(f.peer, IsIn, f.g, many...))
		small.Handle(start, f.report(f.peer, ToIn, f.g))
		per := (f.p.minMTU() - f.p.QueryBytes) / f.p.AddrBytes
		parts := drain(small, start)
		var all []netip.Addr
		for _, m := range parts {
			if len(m.Sources) > per {
				t.Errorf("%d sources in a query", len(m.Sources))
			}
			all = append(all, m.Sources...)
		}
		if !slices.Equal(all, many) || len(parts) != (len(many)+per-1)/per {
			t.Errorf("%d sources in %d queries", len(all), len(parts))
		}
		// IGMP: 366 sources on an Ethernet; MLD: 89 (RFC 3810 section 5.1.10).
		if n := (1500 - f.p.QueryBytes) / f.p.AddrBytes; n != 366 && n != 89 {
			t.Errorf("%d sources fit an Ethernet", n)
		}
	})
}

func messages(list []sent) []*Message {
	var m []*Message
	for _, s := range list {
		m = append(m, s.Message)
	}
	return m
}

// RFC 2236 section 3: queries under way are finished by a router that has given way.
func TestRFC2236_3_FinishesQueries(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		r := f.quiet(t, RouterConfig{})
		r.Handle(start, f.report(f.peer, IsEx, f.g))
		r.Handle(start, f.leave(f.peer, f.g))
		r.Handle(start, f.query(f.low))
		if got := run(t, r, at(sec(20))); len(got) != 2 {
			t.Errorf("%d queries", len(got))
		}
		// A non-querier does not care for leaves.
		r.Handle(at(sec(20)), f.report(f.peer, IsEx, f.g))
		r.Handle(at(sec(20)), f.leave(f.peer, f.g))
		r.Handle(at(sec(20)), f.report(f.peer, ToIn, f.g))
		if got := run(t, r, at(sec(40))); len(got) != 0 || !r.Forward(f.s(1)[0], f.g) {
			t.Errorf("non-querier: %d queries", len(got))
		}
	})
}

// A flood of leaves is not a flood of queries.
func TestLeaveFlood(t *testing.T) {
	f := &families[0]
	r := f.quiet(t, RouterConfig{})
	n := 0
	for i := range 10_000 {
		now := at(time.Duration(i) * time.Millisecond)
		r.Handle(now, f.report(f.peer, IsEx, f.g, f.s(9)...))
		r.Handle(now, f.report(f.peer, IsIn, f.g, f.s(1)...))
		r.Handle(now, f.report(f.peer, ToIn, f.g))
		n += len(run(t, r, now))
	}
	if n > 45 { // group, sources with and without S, once a second
		t.Errorf("%d queries in 10 s", n)
	}
}

func TestRouterEvents(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		r := f.quiet(t, RouterConfig{})
		next := func(want EventKind, filter group.Filter) {
			t.Helper()
			evs := polled(r)
			if len(evs) != 1 || evs[0].Kind != want || evs[0].Group != f.g || !evs[0].Filter.Equal(filter) {
				t.Errorf("%+v, want %v %v", evs, want, filter)
			}
		}
		r.Handle(start, f.report(f.peer, IsIn, f.g, f.s(1)...))
		next(MembershipAdded, f.in(1))
		r.Handle(start, f.report(f.peer, IsIn, f.g, f.s(1)...))
		if evs := polled(r); len(evs) != 0 {
			t.Errorf("%+v", evs)
		}
		r.Handle(start, f.report(f.peer, IsEx, f.g, f.s(1, 2)...))
		next(MembershipChanged, f.ex(2))
		r.Handle(start, f.report(f.peer, ToIn, f.g))
		run(t, r, at(sec(10)))
		next(MembershipRemoved, group.Filter{})
		if r.table.sources != 0 || len(r.table.holders) != 0 || len(r.table.groups) != 0 {
			t.Errorf("left over: %d sources, %d hosts", r.table.sources, len(r.table.holders))
		}
	})
}

// Explicit tracking (RFC 3376 appendix A.2) and fast leave.
func TestTrackingAndFastLeave(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		up := sec(300)
		begin := func() *Router {
			r := f.quiet(t, RouterConfig{Tracking: true, FastLeave: true})
			run(t, r, at(up))
			return r
		}
		other := f.low
		r := begin()
		r.Handle(at(up), f.report(f.peer, ToEx, f.g))
		r.Handle(at(up), f.report(other, ToEx, f.g))
		if got := r.Reporters(nil, f.g); !slices.Equal(got, []netip.Addr{other, f.peer}) {
			t.Errorf("reporters %v", got)
		}
		r.Handle(at(up), f.report(f.peer, ToIn, f.g))
		if got := len(drain(r, at(up))); got != 1 {
			t.Errorf("one of two left: %d queries", got)
		}
		r.Handle(at(up), f.report(f.peer, ToEx, f.g))
		r.Handle(at(up), f.report(other, ToIn, f.g))
		drain(r, at(up))
		r.Handle(at(up), f.report(f.peer, ToIn, f.g))
		if stateWords(r, f.g) != "gone" {
			t.Error("the last left, the group is there")
		}
		// By source.
		r = begin()
		r.Handle(at(up), f.report(f.peer, Allow, f.g, f.s(1, 2)...))
		r.Handle(at(up), f.report(other, Allow, f.g, f.s(2)...))
		r.Handle(at(up), f.report(f.peer, Block, f.g, f.s(1, 2)...))
		if got := r.Filter(f.g); !got.Equal(f.in(2)) {
			t.Errorf("%v", got)
		}
		wantWords(t, drain(r, at(up)), words(f.ask(f.host, f.g, f.s(2)...)))
		// Not with an older host, one without address, or right after the start.
		for i, m := range []*Message{f.oldReport(other, f.g, V2), f.report(netip.IPv4Unspecified(), ToEx, f.g), nil} {
			if i == 1 && f.p == &MLD {
				continue
			}
			r := begin()
			if m == nil {
				r, m = f.quiet(t, RouterConfig{Tracking: true, FastLeave: true}), f.report(f.peer, ToEx, f.g)
			}
			now := r.now
			r.Handle(now, m)
			r.Handle(now, f.report(f.peer, ToEx, f.g))
			r.Handle(now, f.report(f.peer, ToIn, f.g))
			if got := len(drain(r, now)); got != 1 || stateWords(r, f.g) == "gone" {
				t.Errorf("%d: %d queries", i, got)
			}
		}
		// It ages with the memberships.
		r = begin()
		r.Handle(at(up), f.report(f.peer, IsEx, f.g, f.s(1)...))
		r.Handle(at(up), f.report(other, IsIn, f.g, f.s(3)...))
		run(t, r, at(up+sec(261)))
		if _, _, n := r.Usage(); n != 0 {
			t.Errorf("%d tracked", n)
		}
	})
}

// What a tracked host wants, after each type of record.
func TestTrackedRecords(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		for _, tt := range []struct {
			name    string
			records []Record
			want    group.Filter
		}{
			{"IS_IN", []Record{{IsIn, f.g, f.s(1, 2)}, {IsIn, f.g, f.s(3)}}, f.in(1, 2, 3)},
			{"ALLOW", []Record{{IsIn, f.g, f.s(1)}, {Allow, f.g, f.s(2)}}, f.in(1, 2)},
			{"BLOCK", []Record{{IsIn, f.g, f.s(1, 2)}, {Block, f.g, f.s(2, 3)}}, f.in(1)},
			{"TO_IN_split", []Record{{ToIn, f.g, f.s(1)}, {ToIn, f.g, f.s(2)}}, f.in(1, 2)},
			{"TO_EX", []Record{{IsIn, f.g, f.s(1, 2)}, {ToEx, f.g, f.s(2)}}, f.ex(2)},
			{"EXCLUDE_IS_EX", []Record{{IsEx, f.g, f.s(1, 2)}, {IsEx, f.g, f.s(3)}}, f.ex(3)},
			{"EXCLUDE_IS_IN_answers", []Record{{IsEx, f.g, f.s(1, 2)}, {IsIn, f.g, f.s(5)}}, f.ex(1, 2)},
			{"EXCLUDE_ALLOW", []Record{{IsEx, f.g, f.s(1, 2)}, {Allow, f.g, f.s(1)}}, f.ex(2)},
			{"EXCLUDE_BLOCK", []Record{{IsEx, f.g, f.s(1)}, {Block, f.g, f.s(3)}}, f.ex(1, 3)},
			{"EXCLUDE_TO_IN", []Record{{IsEx, f.g, f.s(1)}, {ToIn, f.g, f.s(3)}}, f.in(3)},
		} {
			t.Run(tt.name, func(t *testing.T) {
				r := f.quiet(t, RouterConfig{Tracking: true})
				m := f.report(f.peer, IsIn, f.g)
				m.Records = tt.records
				r.Handle(start, m)
				host := r.table.groups[f.g].hosts[f.peer]
				for _, src := range f.s(1, 2, 3, 4, 5) {
					if got := host.wants(src); got != tt.want.Accepts(src) {
						t.Errorf("wants %v: %v, of %v", src, got, tt.want)
					}
				}
				checkBalance(t, &r.table)
			})
		}
	})
}

// Limits: what is there stays, what is new is refused and told once.
func TestRouterLimits(t *testing.T) {
	f := &families[0]
	g := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{239, 9, byte(i >> 8), byte(i)}) }
	r := f.quiet(t, RouterConfig{Limits: TableLimits{MaxGroups: 10, MaxHostGroups: 10, MaxSources: 4}})
	for i := range 50 {
		r.Handle(start, f.report(f.peer, IsEx, g(i)))
	}
	if n, _, _ := r.Usage(); n != 10 || r.Stats().Refused != 40 || !r.Forward(f.s(1)[0], g(0)) {
		t.Errorf("%d groups, %d refused", n, r.Stats().Refused)
	}
	if evs := polled(r); evs[0].Kind != LimitReached || evs[0].Limit != LimitGroups || len(evs) != 11 {
		t.Errorf("%s", kinds(evs))
	}
	// Sources: an any-source group opens to all, a source-specific one refuses.
	r = f.quiet(t, RouterConfig{Limits: TableLimits{MaxSources: 4}})
	r.Handle(start, f.report(f.peer, Allow, f.g, f.s(1, 2, 3, 4, 5, 6)...))
	if s, _ := r.State(f.g); len(s.Sources) != 4 || s.Mode != group.Exclude || !r.Forward(f.s(6)[0], f.g) {
		t.Errorf("%+v", s)
	}
	r.Handle(start, f.report(f.peer, Allow, f.ssm, f.s(1, 2, 3, 4, 5, 6)...))
	if s, _ := r.State(f.ssm); len(s.Sources) != 4 || s.Mode != group.Include || r.Forward(f.s(6)[0], f.ssm) {
		t.Errorf("%+v", s)
	}
	// What excludes too much forwards more.
	r.Handle(start, f.report(f.peer, IsEx, f.g2, f.s(1, 2, 3, 4, 5, 6)...))
	if got := r.Filter(f.g2); len(got.Sources) != 4 || !r.Forward(f.s(6)[0], f.g2) {
		t.Errorf("%v", got)
	}
	// One host cannot take all.
	r = f.quiet(t, RouterConfig{Limits: TableLimits{MaxGroups: 40, MaxAllSources: 40, MaxSources: 40}})
	for i := range 40 {
		r.Handle(start, f.report(f.peer, IsEx, g(i)))
	}
	r.Handle(start, f.report(f.low, IsEx, f.g))
	r.Handle(start, f.report(f.peer, Allow, g(0), f.numbered(40)...))
	if n, s, _ := r.Usage(); n != 11 || s != 10 {
		t.Errorf("%d groups, %d sources", n, s)
	}
	// Tracking that overflows is no reason to leave fast.
	r = f.quiet(t, RouterConfig{Tracking: true, FastLeave: true, Limits: TableLimits{MaxTracked: 1}})
	run(t, r, at(sec(300)))
	r.Handle(at(sec(300)), f.report(f.peer, ToEx, f.g))
	r.Handle(at(sec(300)), f.report(f.low, ToEx, f.g))
	r.Handle(at(sec(300)), f.report(f.peer, ToIn, f.g))
	if len(drain(r, at(sec(300)))) != 1 {
		t.Error("left without asking a host that is not tracked")
	}
}

// Reports that a router must not believe (RFC 3810 section 5.2.13), or cannot.
func TestBadReports(t *testing.T) {
	for _, tt := range []struct {
		f   int
		src string
		ok  bool
	}{{1, "::", false}, {1, "2001:db8::1", false}, {1, "fe80::9", true}, {1, "10.0.0.1", false}, {0, "0.0.0.0", true}, {0, "10.0.0.1", true}, {0, "239.1.1.1", false}, {0, "fe80::1", false}} {
		f := &families[tt.f]
		r := f.quiet(t, RouterConfig{})
		r.Handle(start, f.report(addr(tt.src), IsEx, f.g))
		if got := stateWords(r, f.g) != "gone"; got != tt.ok {
			t.Errorf("report from %s: taken %v", tt.src, got)
		}
	}
	both(t, func(t *testing.T, f *family) {
		r := f.quiet(t, RouterConfig{})
		other := &families[0]
		if f == other {
			other = &families[1]
		}
		m := f.report(f.peer, 9, f.g)
		m.Records = append(m.Records, Record{Type: IsEx, Group: other.g}, Record{Type: IsEx}, Record{Type: IsIn, Group: f.g2, Sources: append(other.s(1), f.g, f.p.Unspecified, f.s(1)[0])})
		r.Handle(start, m)
		if got := stateWords(r, f.g2); got != "INCLUDE 1+0" || r.Stats().BadRecord != 1 || r.Stats().BadGroup != 2 || r.Stats().BadSource != 3 {
			t.Errorf("%s, %+v", got, r.Stats())
		}
	})
}
