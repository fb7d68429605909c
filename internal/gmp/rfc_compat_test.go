package gmp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

func (f *family) oldQuery(gen Generation, g netip.Addr) *Message {
	m := &Message{Kind: KindQuery, Generation: gen, Src: f.low, Dst: f.p.AllSystems, Group: g, MaxResp: 10 * time.Second}
	if g.IsValid() {
		m.Dst, m.MaxResp = g, time.Second
	}
	if gen == V1 {
		m.MaxResp = 0
	}
	return m
}

// RFC 3376 section 7.2.1 and 8.12, RFC 3810 section 8.2.1 and 9.12: when the mode
// changes, and back.
func TestRFC3376_7_2_1_HostMode(t *testing.T) {
	type step struct {
		after float64
		query *Message // nil: only look
		mode  Generation
	}
	v4, v6 := &families[0], &families[1]
	slow := v4.query(v4.low)
	slow.Interval, slow.QRV = 1000*time.Second, 3
	long := v4.oldQuery(V2, netip.Addr{})
	long.MaxResp = 25 * time.Second
	for _, tt := range []struct {
		name  string
		f     *family
		steps []step
	}{
		{"v2_general", v4, []step{{0, v4.oldQuery(V2, netip.Addr{}), V2}, {259.9, nil, V2}, {260, nil, V3}}},
		{"v1", v4, []step{{0, v4.oldQuery(V1, netip.Addr{}), V1}, {259.9, nil, V1}, {260, nil, V3}}},
		{"v1_then_v2", v4, []step{{0, v4.oldQuery(V1, netip.Addr{}), V1}, {100, v4.oldQuery(V2, netip.Addr{}), V1}, {260, nil, V2}, {359.9, nil, V2}, {360, nil, V3}}},
		{"v2_then_v1", v4, []step{{0, v4.oldQuery(V2, netip.Addr{}), V2}, {1, v4.oldQuery(V1, netip.Addr{}), V1}, {261, nil, V3}}},
		{"v3_does_not_end_it", v4, []step{{0, v4.oldQuery(V2, netip.Addr{}), V2}, {1, v4.query(v4.low), V2}, {260, nil, V3}}},
		{"v2_group_specific_is_no_sign", v4, []step{{0, v4.oldQuery(V2, v4.g), V3}}},
		{"robustness_and_interval_of_the_last_query", v4, []step{{0, slow, V3}, {1, v4.oldQuery(V2, netip.Addr{}), V2}, {3010.9, nil, V2}, {3011, nil, V3}}},
		{"response_interval_of_the_query", v4, []step{{0, long, V2}, {274.9, nil, V2}, {275, nil, V3}}},
		{"mld_general", v6, []step{{0, v6.oldQuery(V2, netip.Addr{}), V2}, {259.9, nil, V2}, {260, nil, V3}}},
		{"mld_any", v6, []step{{0, v6.oldQuery(V2, v6.g), V2}, {250.9, nil, V2}, {251, nil, V3}}},
		{"mld_has_no_v1", v6, []step{{0, v6.oldQuery(V1, netip.Addr{}), V3}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := tt.f.newHost(t, HostConfig{})
			for _, s := range tt.steps {
				now := at(sec(s.after))
				run(t, h, now)
				if s.query != nil {
					h.Handle(now, s.query)
				}
				if h.Mode() != s.mode {
					t.Errorf("at %v s: mode %d, want %d", s.after, h.Mode(), s.mode)
				}
			}
		})
	}
}

// What a host sends in each mode: joining, answering, leaving.
func TestRFC3376_7_2_1_OldMessages(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		for gen := f.p.Oldest; gen <= V2; gen++ {
			t.Run(fmt.Sprint(gen), func(t *testing.T) {
				h := f.newHost(t, HostConfig{})
				h.Handle(start, f.oldQuery(gen, netip.Addr{}))
				set(t, h, 0, 1, f.g, f.in(1))
				report := fmt.Sprintf("report%d %s", gen, f.g)
				got := run(t, h, at(sec(50)))
				// An unsolicited report and one more within 10 s (RFC 2236
				// section 8.10).
				if len(got) != 2 || words(got[0].Message) != report || got[0].after != 0 || got[0].Dst != f.g {
					t.Fatalf("joining: %d messages", len(got))
				}
				if gap := got[1].after; gap <= 0 || gap > 10*time.Second {
					t.Errorf("repeated after %v", gap)
				}
				// A change of sources is none.
				set(t, h, sec(50), 1, f.g, f.ex(7))
				if got := run(t, h, at(sec(60))); len(got) != 0 {
					t.Errorf("sent %s", words(got[0].Message))
				}
				// An answer, also to a V3 query, within the time.
				for _, q := range []*Message{f.oldQuery(gen, netip.Addr{}), f.query(f.low), f.ask(f.low, f.g), f.ask(f.low, f.g, f.s(1)...)} {
					now := h.now
					h.Handle(now, q)
					wait := q.MaxResp
					if q.Generation == V1 {
						wait = 10 * time.Second
					}
					got := run(t, h, now.Add(15*time.Second))
					if len(got) != 1 || words(got[0].Message) != report || got[0].after-now.Sub(start) > wait {
						t.Errorf("%s: %d answers", words(q), len(got))
					}
				}
				// Leaving.
				set(t, h, h.now.Sub(start), 1, f.g, group.Filter{})
				leave := run(t, h, h.now.Add(20*time.Second))
				if gen == V1 && len(leave) != 0 || gen == V2 && (len(leave) != 1 || words(leave[0].Message) != "leave2 "+f.g.String() || leave[0].Dst != f.p.AllRouters) {
					t.Errorf("leaving: %d messages", len(leave))
				}
				if len(h.sorted) != 0 {
					t.Error("the group is kept")
				}
			})
		}
	})
}

// RFC 2236 sections 3 and 6: another's report stands for ours, and then the leave is
// another's too.
func TestRFC2236_6_Suppression(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		for _, always := range []bool{false, true} {
			h := f.newHost(t, HostConfig{AlwaysLeave: always})
			h.Handle(start, f.oldQuery(V2, netip.Addr{}))
			set(t, h, 0, 1, f.g, f.ex())
			run(t, h, at(sec(50)))
			q := f.oldQuery(V2, netip.Addr{})
			q.MaxResp = 20 * time.Second
			h.Handle(at(sec(50)), q)
			h.Handle(at(sec(50)), f.oldReport(f.peer, f.g, V2))
			if got := run(t, h, at(sec(80))); len(got) != 0 || h.Stats().Suppressed != 1 {
				t.Errorf("%d reports", len(got))
			}
			set(t, h, sec(80), 1, f.g, group.Filter{})
			if got := len(run(t, h, at(sec(90)))); got != map[bool]int{false: 0, true: 1}[always] {
				t.Errorf("always %v: %d leaves", always, got)
			}
		}
		// An idle member does not care for reports.
		h := f.newHost(t, HostConfig{})
		h.Handle(start, f.oldQuery(V2, netip.Addr{}))
		set(t, h, 0, 1, f.g, f.ex())
		run(t, h, at(sec(50)))
		h.Handle(at(sec(50)), f.oldReport(f.peer, f.g, V2))
		set(t, h, sec(50), 1, f.g, group.Filter{})
		if got := run(t, h, at(sec(60))); len(got) != 1 {
			t.Errorf("%d leaves", len(got))
		}
		// In V3 nothing is suppressed.
		h = f.settled(t, HostConfig{}, map[netip.Addr]group.Filter{f.g: f.ex()})
		h.Handle(at(sec(60)), f.query(f.low))
		h.Handle(at(sec(60)), f.oldReport(f.peer, f.g, V2))
		if got := run(t, h, at(sec(90))); len(got) != 1 {
			t.Errorf("%d V3 answers", len(got))
		}
	})
}

// RFC 2236 section 3: a running timer is set anew only by a query that wants an
// answer sooner.
func TestRFC2236_3_TimerReset(t *testing.T) {
	f := &families[0]
	for seed := range uint64(50) {
		h := f.newHost(t, HostConfig{Rand: seeded(seed), Generation: V2})
		set(t, h, 0, 1, f.g, f.ex())
		run(t, h, at(sec(50)))
		h.Handle(at(sec(50)), f.oldQuery(V2, netip.Addr{}))
		was := h.groups[f.g].answerAt
		h.Handle(at(sec(50)), f.oldQuery(V2, netip.Addr{}))
		if h.groups[f.g].answerAt != was {
			t.Fatal("a query with as much time moved the timer")
		}
		h.Handle(at(sec(50)), f.oldQuery(V2, f.g))
		if got := run(t, h, at(sec(70))); len(got) != 1 || got[0].after > sec(51) {
			t.Fatalf("seed %d: %d answers", seed, len(got))
		}
	}
}

// RFC 3376 section 7.2.1: a change of mode cancels what is pending.
func TestRFC3376_7_2_1_ChangeCancels(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		h := f.newHost(t, HostConfig{Timers: Timers{Robustness: 7}})
		set(t, h, 0, 1, f.g, f.ex())
		set(t, h, 0, 1, f.g2, f.ex())
		drain(h, start)
		set(t, h, 0, 1, f.g2, group.Filter{})
		drain(h, start)
		h.Handle(start, f.query(f.low))
		h.Handle(start, f.ask(f.low, f.g))
		q := f.oldQuery(V2, netip.Addr{})
		h.Handle(at(time.Millisecond), q)
		got := run(t, h, at(sec(30)))
		if len(got) != 1 || got[0].Kind != KindReport {
			t.Errorf("%d messages, want the answer to the last query", len(got))
		}
		if len(h.sorted) != 1 {
			t.Error("a group left before is kept")
		}
	})
}

// A host of an older generation, as there are on links.
func TestForcedGeneration(t *testing.T) {
	f := &families[0]
	h := f.settled(t, HostConfig{Generation: V1}, map[netip.Addr]group.Filter{f.g: f.in(1)})
	h.Handle(at(sec(60)), f.query(f.low))
	if got := run(t, h, at(sec(80))); len(got) != 1 || got[0].Generation != V1 {
		t.Error("an IGMPv1 host answers with its own reports")
	}
	set(t, h, sec(80), 1, f.g, group.Filter{})
	if got := run(t, h, at(sec(90))); len(got) != 0 {
		t.Error("an IGMPv1 host sent a leave")
	}
}

// RFC 3376 section 7.3.2, RFC 3810 section 8.3.2: the group compatibility mode, its
// translations and what it ignores, and section 8.13, its end.
func TestRFC3376_7_3_2_GroupMode(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		for gen := f.p.Oldest; gen <= V2; gen++ {
			t.Run(fmt.Sprint(gen), func(t *testing.T) {
				r := f.quiet(t, RouterConfig{})
				r.Handle(start, f.oldReport(f.peer, f.g, gen))
				if evs := polled(r); kinds(evs) != "old host, membership added" || evs[0].Generation != gen {
					t.Errorf("%s", kinds(evs))
				}
				state := func(want string) {
					t.Helper()
					if got := stateWords(r, f.g); got != want {
						t.Errorf("%s, want %s", got, want)
					}
				}
				state("EXCLUDE 0+0")
				r.Handle(start, f.report(f.peer, Block, f.g, f.s(1)...))
				state("EXCLUDE 0+0")
				r.Handle(start, f.report(f.peer, ToEx, f.g, f.s(1, 2)...))
				state("EXCLUDE 0+0")
				wantWords(t, drain(r, start), "")
				// Leave and TO_IN count in IGMPv2 (MLDv1), not in IGMPv1.
				for _, m := range []*Message{f.leave(f.peer, f.g), f.report(f.peer, ToIn, f.g)} {
					r.Handle(r.now.Add(time.Second), f.oldReport(f.peer, f.g, gen))
					run(t, r, r.now.Add(5*time.Second))
					r.Handle(r.now, m)
					want := ""
					if gen == V2 {
						want = words(f.ask(f.host, f.g))
					}
					wantWords(t, drain(r, r.now), want)
				}
				r.Handle(at(sec(20)), f.oldReport(f.peer, f.g, gen))
				r.Handle(at(sec(100)), f.report(f.peer, IsEx, f.g))
				for _, w := range []struct {
					after float64
					gen   Generation
				}{{279.9, gen}, {280, V3}} {
					run(t, r, at(sec(w.after)))
					if s, _ := r.State(f.g); s.Generation != w.gen {
						t.Errorf("after %v s generation %d, want %d", w.after, s.Generation, w.gen)
					}
				}
			})
		}
	})
	// From IGMPv1 back over IGMPv2.
	f := &families[0]
	r := f.quiet(t, RouterConfig{})
	r.Handle(start, f.oldReport(f.peer, f.g, V1))
	r.Handle(at(sec(100)), f.oldReport(f.peer, f.g, V2))
	for _, w := range []struct {
		after float64
		gen   Generation
	}{{259, V1}, {260, V2}, {359, V2}} {
		run(t, r, at(sec(w.after)))
		if s, _ := r.State(f.g); s.Generation != w.gen {
			t.Errorf("after %v s generation %d, want %d", w.after, s.Generation, w.gen)
		}
	}
}

// RFC 3376 section 7.3.1, RFC 3810 section 8.3.1: a router set to an older protocol.
func TestRFC3376_7_3_1_RouterMode(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		for gen := f.p.Oldest; gen <= V2; gen++ {
			t.Run(fmt.Sprint(gen), func(t *testing.T) {
				r := f.newRouter(t, RouterConfig{Generation: gen})
				q := drain(r, start)[0]
				want := 10 * time.Second
				if gen == V1 {
					want = 0
				}
				if q.Generation != gen || q.MaxResp != want || q.QRV != 0 || q.Interval != 0 {
					t.Errorf("%+v", q)
				}
				r.Handle(start, f.oldReport(f.peer, f.g, gen))
				r.Handle(at(sec(5)), f.leave(f.peer, f.g))
				got := run(t, r, at(sec(20)))
				if gen == V1 && len(got) != 0 || gen == V2 && (len(got) != 2 || words(got[0].Message) != fmt.Sprintf("Q2(%s)", f.g)) {
					t.Errorf("%d specific queries", len(got))
				}
				if gone := stateWords(r, f.g) == "gone"; gone != (gen == V2) {
					t.Errorf("gone: %v", gone)
				}
				// What cannot be asked for is not lowered.
				r.Handle(at(sec(20)), f.report(f.peer, IsIn, f.g2, f.s(1)...))
				r.Handle(at(sec(20)), f.report(f.peer, ToIn, f.g2))
				if got := run(t, r, at(sec(30))); len(got) != 0 {
					t.Errorf("sent %s", words(got[0].Message))
				}
				polled(r)
				r.Handle(at(sec(30)), f.query(f.peer))
				r.Handle(at(sec(31)), f.query(f.peer))
				if evs := polled(r); kinds(evs) != "new querier" {
					t.Errorf("warned: %s", kinds(evs))
				}
			})
		}
		r := f.quiet(t, RouterConfig{})
		m := f.oldQuery(V2, netip.Addr{})
		r.Handle(start, m)
		r.Handle(at(sec(1)), m)
		if evs := polled(r); kinds(evs) != "old querier, querier lost" || evs[1].Generation != V2 {
			t.Errorf("old querier: %s", kinds(evs))
		}
	})
}

// RFC 4604 section 3: what a router ignores of source-specific groups.
func TestRFC4604_3_Router(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		r := f.quiet(t, RouterConfig{})
		m := f.report(f.peer, IsEx, f.ssm)
		m.Records = append(m.Records, Record{ToEx, f.ssm, f.s(1)}, Record{Allow, f.ssm, f.s(2)})
		r.Handle(start, m)
		if got := stateWords(r, f.ssm); got != "INCLUDE 1+0" {
			t.Errorf("3.1: %s", got)
		}
		r.Handle(start, f.oldReport(f.peer, f.ssm, V2))
		r.Handle(start, f.leave(f.peer, f.ssm))
		if s, _ := r.State(f.ssm); s.Mode != group.Include || s.Generation != V3 {
			t.Errorf("3.5: %+v", s)
		}
		wantWords(t, drain(r, start), "")
		if r.Stats().SSMMisused != 4 || kinds(polled(r)) != "SSM misused, membership added" {
			t.Errorf("%+v", r.Stats())
		}
		r.Handle(start, f.report(f.peer, ToIn, f.ssm)) // as usual
		wantWords(t, drain(r, start), words(f.ask(f.host, f.ssm, f.s(2)...)))
	})
}
