package gmp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// groups returns n of them, in ascending order.
func (f *family) groups(n int) (l []netip.Addr) {
	for i := range n {
		b := f.g.As16()
		b[14], b[15] = byte(i>>8), byte(i)
		l = append(l, netip.AddrFrom16(b).Unmap())
	}
	return l
}

// crowded returns a host that has just joined n groups.
func (f *family) crowded(t *testing.T, n int, cfg HostConfig) *Host {
	t.Helper()
	cfg.MaxGroups = n
	h := f.newHost(t, cfg)
	for _, g := range f.groups(n) {
		set(t, h, 0, 1, g, group.Filter{Mode: group.Exclude})
	}
	return h
}

// burst returns the most messages sent within a time.
func burst(list []sent, d time.Duration) (most int) {
	from := 0
	for i := range list {
		for list[i].after-list[from].after >= d {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// A burst allows what is saved up, and what the gap lets through in 10 ms.
const calm = paceBurst + int(10*time.Millisecond/paceGap) + 1

// told counts what is said of each group.
func told(list []sent) map[netip.Addr]int {
	n := map[netip.Addr]int{}
	for _, s := range list {
		if s.Kind == KindStateReport {
			for _, r := range s.Records {
				n[r.Group]++
			}
		} else {
			n[s.Group]++
		}
	}
	return n
}

// RFC 3376 section 5.2: a host with thousands of groups joins, answers and leaves
// without a storm, and spreads its answer over the whole time to answer.
func TestRFC3376_5_2_NoStorm(t *testing.T) {
	const groups = 5000
	seeds := uint64(2)
	if underRace {
		seeds = 1
	}
	for _, tt := range []struct {
		name string
		gen  Generation
		resp time.Duration
	}{
		{"V3", V3, 10 * time.Second},
		{"V3 at once", V3, 0},
		{"V2", V2, 10 * time.Second},
		{"V2 at once", V2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			both(t, func(t *testing.T, f *family) {
				t.Parallel()
				for seed := range seeds {
					h := f.crowded(t, groups, HostConfig{Generation: tt.gen, Rand: seeded(seed)})
					joins := run(t, h, at(sec(60)))
					if n := burst(joins, 10*time.Millisecond); n > calm || len(told(joins)) != groups {
						t.Errorf("joins: %d messages within 10 ms; of %d groups", n, len(told(joins)))
					}
					q := f.query(f.low)
					q.MaxResp = tt.resp
					if tt.gen == V2 {
						q.Generation = V2
					}
					h.Handle(at(sec(60)), q)
					answer := run(t, h, at(sec(100)))
					first, last := answer[0].after-sec(60), answer[len(answer)-1].after-sec(60)
					n := told(answer)
					if len(n) != groups || n[f.groups(1)[0]] != 1 {
						t.Errorf("answered for %d groups", len(n))
					}
					if b := burst(answer, 10*time.Millisecond); b > calm {
						t.Errorf("answer: %d messages within 10 ms", b)
					}
					if tt.resp > 0 {
						if first <= 0 || first > sec(1) || last < sec(9) || last > sec(10)+paceGap*groups/100 {
							t.Errorf("%d messages from %v to %v after the query", len(answer), first, last)
						}
						if b := burst(answer, sec(1)); b > len(answer)/5 {
							t.Errorf("%d of %d messages within a second", b, len(answer))
						}
					}
					h.Shutdown(at(sec(100)))
					bye := run(t, h, at(sec(160)))
					if b := burst(bye, 10*time.Millisecond); b > calm || len(told(bye)) != groups || !h.Done() {
						t.Errorf("leaves: %d messages within 10 ms, %d groups; done: %t", b, len(told(bye)), h.Done())
					}
				}
			})
		})
	}
}

// A flood of general queries that want an answer at once makes no more than the pace
// allows of the host.
func TestQueryFloodNoStorm(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		for _, gen := range []Generation{V2, V3} {
			h := f.crowded(t, 2000, HostConfig{Generation: gen})
			run(t, h, at(sec(60)))
			q := f.query(f.low)
			if q.MaxResp = 0; gen == V2 {
				q.Generation = V2
			}
			n := 0
			for i := range 1000 {
				h.Handle(at(sec(60)+time.Duration(i)*time.Millisecond), q)
				n += len(drain(h, at(sec(60)+time.Duration(i)*time.Millisecond)))
			}
			if n > 1000+paceBurst {
				t.Errorf("V%d: %d messages in a second", gen, n)
			}
		}
	})
}

// When thousands of groups are left at once, the querier asks for one after the other,
// each as often as it should be, and gives the hosts of each their time to answer.
func TestRFC3376_6_4_2_NoStorm(t *testing.T) {
	const groups = 4000
	both(t, func(t *testing.T, f *family) {
		r := f.quiet(t, RouterConfig{Limits: TableLimits{MaxHostGroups: groups}})
		run(t, r, at(sec(40)))
		all := f.groups(groups)
		for _, g := range all {
			r.Handle(at(sec(40)), f.report(f.peer, IsEx, g))
		}
		polled(r)
		for _, g := range all {
			r.Handle(at(sec(41)), f.report(f.peer, ToIn, g))
		}
		// Every other group has another member, who answers late but in time: 0.9 s
		// after he was asked last.
		asked := map[netip.Addr]time.Duration{}
		answers := map[time.Duration][]netip.Addr{}
		var list []sent
		for now := at(sec(41)); now.Before(at(sec(60))); now = now.Add(time.Millisecond) {
			r.Advance(now)
			for _, g := range answers[now.Sub(start)] {
				r.Handle(now, f.report(f.low, IsEx, g))
			}
			for _, m := range drain(r, now) {
				if !m.Group.IsUnspecified() {
					list = append(list, sent{now.Sub(start), m})
					if _, again := asked[m.Group]; again && m.Group.As16()[15]%2 == 0 {
						answers[now.Sub(start)+sec(0.9)] = append(answers[now.Sub(start)+sec(0.9)], m.Group)
					}
					asked[m.Group] = now.Sub(start)
				}
			}
		}
		if b := burst(list, 10*time.Millisecond); b > 2*calm { // first and second queries
			t.Errorf("%d queries within 10 ms", b)
		}
		n := told(list)
		for i, g := range all {
			want := group.Filter{}
			if g.As16()[15]%2 == 0 {
				want.Mode = group.Exclude
			}
			if n[g] != 2 || !r.Filter(g).Equal(want) {
				t.Fatalf("group %d: asked %d times, is %v, want %v", i, n[g], r.Filter(g), want)
			}
		}
	})
}

// Forged leaves put nobody's queries off for longer than paceAhead.
func TestPacer(t *testing.T) {
	var p pacer
	for range paceBurst {
		if next := p.next(start); !next.Equal(start) {
			t.Fatalf("not at once but after %v", next.Sub(start))
		}
		p.take(start)
	}
	if next := p.next(start); !next.Equal(start.Add(paceGap)) {
		t.Errorf("after a burst: %v", next.Sub(start))
	}
	for range 1_000_000 {
		p.take(start)
	}
	if next := p.next(start); !next.Equal(start.Add(paceAhead)) {
		t.Errorf("after a flood: %v", next.Sub(start))
	}
	if next := p.next(start.Add(time.Hour)); !next.Equal(start.Add(time.Hour)) {
		t.Errorf("an hour later: %v", next.Sub(start))
	}
}
