package gmp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

func set(t *testing.T, h *Host, after time.Duration, socket uint64, g netip.Addr, f group.Filter) {
	t.Helper()
	if err := h.SetFilter(at(after), socket, g, f); err != nil {
		t.Fatal(err)
	}
}

// settled returns a host that has joined and said so.
func (f *family) settled(t *testing.T, cfg HostConfig, filters map[netip.Addr]group.Filter) *Host {
	t.Helper()
	h := f.newHost(t, cfg)
	for g, filter := range filters {
		set(t, h, 0, 1, g, filter)
	}
	run(t, h, at(sec(60)))
	return h
}

// RFC 3376 section 3.2 and RFC 3810 section 4.2, with their examples.
func TestRFC3376_3_2_Merge(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		const a, b, c, d, e, ff = 1, 2, 3, 4, 5, 6
		for _, tt := range []struct {
			in   []group.Filter
			want group.Filter
		}{
			{nil, group.Filter{}},
			{[]group.Filter{f.in(a, b, c), f.in(b, c, d)}, f.in(a, b, c, d)},
			{[]group.Filter{f.ex(a, b, c, d), f.ex(b, c, d, e), f.in(d, e, ff)}, f.ex(b, c)},
			{[]group.Filter{f.in(d, e, ff), f.ex(a, b, c, d), f.ex(b, c, d, e)}, f.ex(b, c)},
			{[]group.Filter{f.ex(a, b, c, d), f.ex(b, c, d, e), f.in(d, e, ff), f.ex()}, f.ex()},
			{[]group.Filter{f.in(a, b, c), f.in(b, c, d), f.in(e, ff)}, f.in(a, b, c, d, e, ff)},
		} {
			if got := joined(tt.in...); !got.Equal(tt.want) {
				t.Errorf("%v: %v, want %v", tt.in, got, tt.want)
			}
			h := f.newHost(t, HostConfig{})
			for i, filter := range tt.in {
				set(t, h, 0, uint64(i), f.g, filter)
			}
			if got := h.Filter(f.g); !got.Equal(tt.want) {
				t.Errorf("host, %v: %v, want %v", tt.in, got, tt.want)
			}
		}
	})
}

// The first table of RFC 3376 section 5.1, with A = {1 2} and B = {2 3}, and with no
// state before and after.
func TestRFC3376_5_1_StateChangeRecords(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		for _, tt := range []struct {
			name     string
			from, to group.Filter
			want     []Record
		}{
			{"INCLUDE_A_INCLUDE_B", f.in(1, 2), f.in(2, 3), []Record{{Allow, f.g, f.s(3)}, {Block, f.g, f.s(1)}}},
			{"EXCLUDE_A_EXCLUDE_B", f.ex(1, 2), f.ex(2, 3), []Record{{Allow, f.g, f.s(1)}, {Block, f.g, f.s(3)}}},
			{"INCLUDE_A_EXCLUDE_B", f.in(1, 2), f.ex(2, 3), []Record{{ToEx, f.g, f.s(2, 3)}}},
			{"EXCLUDE_A_INCLUDE_B", f.ex(1, 2), f.in(2, 3), []Record{{ToIn, f.g, f.s(2, 3)}}},
			{"no_BLOCK", f.in(1), f.in(1, 2), []Record{{Allow, f.g, f.s(2)}}},
			{"no_ALLOW", f.in(1, 2), f.in(1), []Record{{Block, f.g, f.s(2)}}},
			{"none_INCLUDE", group.Filter{}, f.in(1, 2), []Record{{Allow, f.g, f.s(1, 2)}}},
			{"none_EXCLUDE", group.Filter{}, f.ex(), []Record{{ToEx, f.g, nil}}},
			{"INCLUDE_none", f.in(1, 2), group.Filter{}, []Record{{Block, f.g, f.s(1, 2)}}},
			{"EXCLUDE_none", f.ex(1), group.Filter{}, []Record{{ToIn, f.g, nil}}},
			{"nothing", f.ex(1), f.ex(1), nil},
		} {
			t.Run(tt.name, func(t *testing.T) {
				h := f.settled(t, HostConfig{}, map[netip.Addr]group.Filter{f.g: tt.from})
				set(t, h, sec(60), 1, f.g, tt.to)
				got := run(t, h, at(sec(70)))
				if tt.want == nil {
					if len(got) != 0 {
						t.Errorf("sent %s", words(got[0].Message))
					}
					return
				}
				want := words(&Message{Kind: KindStateReport, Records: tt.want})
				// Robustness times: at once, and once more within a second.
				if len(got) != 2 || words(got[0].Message) != want || words(got[1].Message) != want {
					t.Fatalf("%d reports, want 2 of %s", len(got), want)
				}
				if gap := got[1].after - got[0].after; got[0].after != sec(60) || gap <= 0 || gap > time.Second {
					t.Errorf("at %v and %v later", got[0].after, gap)
				}
				if m := got[0]; m.Dst != f.p.Reports || m.Src != f.host || m.Generation != V3 {
					t.Errorf("%+v", m.Message)
				}
				if tt.to.IsEmpty() && (len(h.sorted) != 0 || len(h.groups) != 0) {
					t.Error("a group that was left is kept")
				}
			})
		}
	})
}

// RFC 3376 section 5.1: changes in the middle of repetitions are merged with them.
func TestRFC3376_5_1_MergedChanges(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		type step struct {
			filter group.Filter
			want   string // the report at once
		}
		r := func(list ...Record) string { return words(&Message{Kind: KindStateReport, Records: list}) }
		for _, tt := range []struct {
			name  string
			from  group.Filter
			steps []step
			rest  []string // reports after the last step
		}{
			{"sources", f.in(1), []step{
				{f.in(1, 2), r(Record{Allow, f.g, f.s(2)})},
				{f.in(1, 2, 3), r(Record{Allow, f.g, f.s(2, 3)})},
				{f.in(1, 3), r(Record{Allow, f.g, f.s(3)}, Record{Block, f.g, f.s(2)})},
			}, []string{
				r(Record{Allow, f.g, f.s(3)}, Record{Block, f.g, f.s(2)}),
				r(Record{Block, f.g, f.s(2)}),
			}},
			{"mode_then_source", f.in(1), []step{
				{f.ex(1, 2), r(Record{ToEx, f.g, f.s(1, 2)})},
				{f.ex(1), r(Record{ToEx, f.g, f.s(1)})},
			}, []string{
				r(Record{ToEx, f.g, f.s(1)}),
				r(Record{Allow, f.g, f.s(2)}), // the source's third, the mode has been said
			}},
			{"source_then_mode", f.in(1), []step{
				{f.in(1, 2), r(Record{Allow, f.g, f.s(2)})},
				{f.ex(), r(Record{ToEx, f.g, nil})},
			}, []string{r(Record{ToEx, f.g, nil}), r(Record{ToEx, f.g, nil})}},
			{"there_and_back", f.ex(), []step{
				{f.in(1), r(Record{ToIn, f.g, f.s(1)})},
				{f.ex(), r(Record{ToEx, f.g, nil})},
			}, []string{r(Record{ToEx, f.g, nil}), r(Record{ToEx, f.g, nil})}},
			{"left_and_joined", f.ex(), []step{
				{group.Filter{}, r(Record{ToIn, f.g, nil})},
				{f.in(5), r(Record{ToIn, f.g, f.s(5)})},
			}, []string{
				r(Record{ToIn, f.g, f.s(5)}),
				r(Record{Allow, f.g, f.s(5)}),
			}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				h := f.newHost(t, HostConfig{Timers: Timers{Robustness: 3}})
				set(t, h, 0, 1, f.g, tt.from)
				run(t, h, at(sec(60)))
				for _, s := range tt.steps {
					set(t, h, sec(60), 1, f.g, s.filter)
					wantWords(t, drain(h, at(sec(60))), s.want)
				}
				var rest []string
				for _, m := range run(t, h, at(sec(90))) {
					rest = append(rest, words(m.Message))
				}
				if !slices.Equal(rest, tt.rest) {
					t.Errorf("then\n%s\nwant\n%s", strings.Join(rest, "\n"), strings.Join(tt.rest, "\n"))
				}
			})
		}
	})
}

// RFC 3376 section 5.2, the rules in their order, and its table.
func TestRFC3376_5_2_Answers(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		r := func(list ...Record) string { return words(&Message{Kind: KindStateReport, Records: list}) }
		have := map[netip.Addr]group.Filter{f.g: f.in(1, 2), f.g2: f.ex(1, 2)}
		slow := func(m *Message, d time.Duration) *Message { m.MaxResp = d; return m }
		for _, tt := range []struct {
			name    string
			queries []*Message
			want    []string
			limit   time.Duration // by when the first answer is out
		}{
			{"general", []*Message{f.query(f.low)}, []string{r(Record{IsIn, f.g, f.s(1, 2)}, Record{IsEx, f.g2, f.s(1, 2)})}, sec(10)},
			{"rule_1_and_2_one_answer", []*Message{slow(f.query(f.low), sec(1)), slow(f.query(f.low), sec(1000))}, []string{r(Record{IsIn, f.g, f.s(1, 2)}, Record{IsEx, f.g2, f.s(1, 2)})}, sec(1)},
			{"rule_2_sooner", []*Message{slow(f.query(f.low), sec(1000)), slow(f.query(f.low), sec(1))}, []string{r(Record{IsIn, f.g, f.s(1, 2)}, Record{IsEx, f.g2, f.s(1, 2)})}, sec(1)},
			{"rule_1_specific", []*Message{slow(f.query(f.low), sec(.1)), slow(f.ask(f.low, f.g), sec(1000))}, []string{r(Record{IsIn, f.g, f.s(1, 2)}, Record{IsEx, f.g2, f.s(1, 2)})}, sec(.1)},
			{"rule_3_group", []*Message{f.ask(f.low, f.g)}, []string{r(Record{IsIn, f.g, f.s(1, 2)})}, sec(1)},
			{"rule_3_group_EXCLUDE", []*Message{f.ask(f.low, f.g2)}, []string{r(Record{IsEx, f.g2, f.s(1, 2)})}, sec(1)},
			{"INCLUDE_A_asked_B", []*Message{f.ask(f.low, f.g, f.s(2, 3)...)}, []string{r(Record{IsIn, f.g, f.s(2)})}, sec(1)},
			{"EXCLUDE_A_asked_B", []*Message{f.ask(f.low, f.g2, f.s(2, 3)...)}, []string{r(Record{IsIn, f.g2, f.s(3)})}, sec(1)},
			{"INCLUDE_A_asked_others", []*Message{f.ask(f.low, f.g, f.s(7, 8)...)}, nil, 0},
			{"EXCLUDE_A_asked_excluded", []*Message{f.ask(f.low, f.g2, f.s(1)...)}, nil, 0},
			{"rule_4_sources_then_group", []*Message{f.ask(f.low, f.g, f.s(1)...), f.ask(f.low, f.g)}, []string{r(Record{IsIn, f.g, f.s(1, 2)})}, sec(1)},
			{"rule_4_group_then_sources", []*Message{f.ask(f.low, f.g), f.ask(f.low, f.g, f.s(1)...)}, []string{r(Record{IsIn, f.g, f.s(1, 2)})}, sec(1)},
			{"rule_5_more_sources", []*Message{slow(f.ask(f.low, f.g2, f.s(2, 3)...), sec(1000)), slow(f.ask(f.low, f.g2, f.s(4)...), sec(2))}, []string{r(Record{IsIn, f.g2, f.s(3, 4)})}, sec(2)},
			{"not_a_member", []*Message{f.ask(f.low, f.ssm)}, nil, 0},
			{"nonsense_sources", []*Message{f.ask(f.low, f.g, f.g2)}, nil, 0},
		} {
			t.Run(tt.name, func(t *testing.T) {
				for seed := range uint64(20) {
					h := f.settled(t, HostConfig{Rand: seeded(seed)}, have)
					for _, q := range tt.queries {
						h.Handle(at(sec(100)), q)
					}
					if got := drain(h, at(sec(100))); len(got) != 0 {
						t.Errorf("at once: %s", allWords(got))
					}
					got := run(t, h, at(sec(4000)))
					var list []string
					for _, m := range got {
						list = append(list, words(m.Message))
					}
					if !slices.Equal(list, tt.want) {
						t.Fatalf("seed %d: sent %v\nwant %v", seed, list, tt.want)
					}
					if len(got) > 0 && (got[0].after <= sec(100) || got[0].after > sec(100)+tt.limit) {
						t.Errorf("answered after %v", got[0].after-sec(100))
					}
				}
			})
		}
	})
}

// A general answer covers what was asked of its groups before, and an answer is not
// sent for a group that was left.
func TestRFC3376_5_2_AnswersCombined(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		h := f.settled(t, HostConfig{}, map[netip.Addr]group.Filter{f.g: f.in(1, 2)})
		q := f.ask(f.low, f.g, f.s(1)...)
		q.MaxResp = 1000 * time.Second
		h.Handle(at(sec(100)), q)
		h.Handle(at(sec(100)), f.query(f.low))
		if got := run(t, h, at(sec(2000))); len(got) != 1 {
			t.Errorf("%d answers", len(got))
		}
		h.Handle(at(sec(2000)), f.ask(f.low, f.g))
		set(t, h, sec(2000), 1, f.g, group.Filter{})
		for _, m := range run(t, h, at(sec(2100))) {
			if m.Records[0].Type != Block {
				t.Errorf("sent %s", words(m.Message))
			}
		}
	})
}

// RFC 3376 section 4.2.16 and RFC 3810 section 5.2.15: what is too long is split, and
// cut if it excludes.
func TestRFC3376_4_2_16_ReportSize(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		mtu := f.p.minMTU()
		fit := (mtu - f.p.ReportBytes - f.p.RecordBytes) / f.p.AddrBytes
		var many []netip.Addr
		for i := range 2*fit + 3 {
			a := f.s(1)[0].AsSlice()
			a[len(a)-2], a[len(a)-1] = byte(1+i>>8), byte(i)
			m, _ := netip.AddrFromSlice(a)
			many = append(many, m)
		}
		size := func(m *Message) int {
			n := f.p.ReportBytes
			for _, r := range m.Records {
				n += f.p.RecordBytes + len(r.Sources)*f.p.AddrBytes
			}
			return n
		}
		send := func(filter group.Filter) []*Message {
			h := f.newHost(t, HostConfig{MTU: mtu, MaxSources: 2000})
			set(t, h, 0, 1, f.g, filter)
			return drain(h, start)
		}
		got := send(group.Filter{Mode: group.Include, Sources: many})
		var all []netip.Addr
		for _, m := range got {
			if size(m) > mtu || len(m.Records) != 1 || m.Records[0].Type != Allow {
				t.Errorf("a report of %d bytes, %d records", size(m), len(m.Records))
			}
			all = append(all, m.Records[0].Sources...)
		}
		if !slices.Equal(all, many) || len(got) != 3 {
			t.Errorf("%d sources in %d reports", len(all), len(got))
		}
		got = send(group.Filter{Mode: group.Exclude, Sources: many})
		if len(got) != 1 || len(got[0].Records[0].Sources) != fit || got[0].Records[0].Type != ToEx {
			t.Errorf("EXCLUDE: %d reports", len(got))
		}

		// Many groups are packed, and the answer to a general query is spread over
		// the time there is.
		h := f.newHost(t, HostConfig{MTU: mtu, MaxGroups: 2000})
		const groups = 500
		for i := range groups {
			b := f.g.AsSlice()
			b[len(b)-2] += byte(i >> 8)
			b[len(b)-1] = byte(i)
			g, _ := netip.AddrFromSlice(b)
			set(t, h, 0, 1, g, f.ex())
		}
		per := (mtu - f.p.ReportBytes) / f.p.RecordBytes
		reports := (groups + per - 1) / per
		if got := drain(h, start); len(got) != reports {
			t.Errorf("%d reports for %d groups, want %d", len(got), groups, reports)
		}
		run(t, h, at(sec(10)))
		h.Handle(at(sec(10)), f.query(f.low))
		answer := run(t, h, at(sec(30)))
		n := 0
		for i, m := range answer {
			if n += len(m.Records); size(m.Message) > mtu || m.after > sec(20) || i > 0 && m.after == answer[i-1].after {
				t.Errorf("report %d of %d bytes at %v", i, size(m.Message), m.after)
			}
		}
		if n != groups || len(answer) != reports {
			t.Errorf("%d groups in %d reports", n, len(answer))
		}
	})
}

// A flood of general queries does not keep a long answer from its end.
func TestGeneralAnswerIsFinished(t *testing.T) {
	f := &families[0]
	h := f.newHost(t, HostConfig{MTU: 576})
	for i := range 400 {
		set(t, h, 0, 1, netip.AddrFrom4([4]byte{239, 1, byte(i >> 8), byte(i)}), f.ex())
	}
	run(t, h, at(sec(10)))
	seen := map[netip.Addr]int{}
	for i := range 1000 {
		now := sec(10) + time.Duration(i)*50*time.Millisecond
		h.Handle(at(now), f.query(f.low))
		for _, m := range run(t, h, at(now)) {
			for _, r := range m.Records {
				seen[r.Group]++
			}
		}
	}
	if len(seen) != 400 {
		t.Errorf("%d of 400 groups were reported", len(seen))
	}
}

// RFC 3376 section 5 and RFC 3810 section 6: no message speaks of these.
func TestRFC3376_5_ExemptGroups(t *testing.T) {
	for _, tt := range []struct{ f, g string }{{"0", "224.0.0.1"}, {"1", "ff02::1"}, {"1", "ff01::5"}, {"1", "ff10::5"}} {
		f := &families[tt.f[0]-'0']
		h := f.newHost(t, HostConfig{})
		set(t, h, 0, 1, addr(tt.g), f.ex())
		h.Handle(start, f.query(f.low))
		if got := run(t, h, at(sec(60))); len(got) != 0 || !h.Next().IsZero() {
			t.Errorf("%s: sent %s", tt.g, words(got[0].Message))
		}
		r := f.quiet(t, RouterConfig{})
		r.Handle(start, f.report(f.peer, ToEx, addr(tt.g)))
		if n, _, _ := r.Usage(); n != 0 || r.Stats().BadGroup != 1 {
			t.Errorf("%s is kept by a router", tt.g)
		}
	}
}

// RFC 3810 section 5.1.14: queries from other than a link-local address do not count;
// IGMP takes any, 0.0.0.0 too.
func TestQuerierAddress(t *testing.T) {
	for _, tt := range []struct {
		f    int
		src  string
		good bool
	}{{1, "::", false}, {1, "2001:db8::1", false}, {1, "fe80::1%eth0", true}, {1, "ff02::1", false}, {1, "10.0.0.1", false}, {0, "0.0.0.0", true}, {0, "10.0.0.1", true}, {0, "::ffff:10.0.0.1", true}, {0, "224.0.0.1", false}} {
		f := &families[tt.f]
		h := f.settled(t, HostConfig{}, map[netip.Addr]group.Filter{f.g: f.ex()})
		h.Handle(at(sec(100)), f.query(addr(tt.src)))
		if got := len(run(t, h, at(sec(200)))) == 1; got != tt.good || (h.Stats().BadSource == 0) != tt.good {
			t.Errorf("query from %s: answered %v", tt.src, got)
		}
	}
}

// RFC 4604 section 2: what a host may not say of a source-specific group.
func TestRFC4604_2_Host(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		h := f.newHost(t, HostConfig{})
		if err := h.SetFilter(start, 1, f.ssm, f.ex()); !errors.Is(err, ErrSSM) {
			t.Errorf("2.1: EXCLUDE gave %v", err)
		}
		set(t, h, 0, 1, f.ssm, f.in(1))
		set(t, h, 0, 1, f.ssm, f.in(1, 2))
		set(t, h, 0, 2, f.ssm, f.in(3))
		h.Handle(start, f.query(f.low))
		set(t, h, sec(20), 1, f.ssm, group.Filter{})
		h.Announce(at(sec(21)))
		for _, m := range run(t, h, at(sec(60))) {
			for _, r := range m.Records {
				if r.Type == IsEx || r.Type == ToEx || r.Type == ToIn {
					t.Errorf("2.2.2: sent %v", r)
				}
			}
		}
		// 2.2.6: a group-specific query is answered.
		h.Handle(at(sec(100)), f.ask(f.low, f.ssm))
		if got := run(t, h, at(sec(110))); len(got) != 1 {
			t.Errorf("2.2.6: %d answers", len(got))
		}
		// 2.2.3: the old mode is told for the group, once.
		polled(h)
		old := &Message{Kind: KindQuery, Generation: V2, Src: f.low, Dst: f.p.AllSystems, MaxResp: 10 * time.Second}
		h.Handle(at(sec(110)), old)
		h.Handle(at(sec(111)), old)
		evs := polled(h)
		if kinds(evs) != "host mode, SSM unserved" || evs[1].Group != f.ssm {
			t.Errorf("2.2.3: %s", kinds(evs))
		}
		// 2.2.1: and another's report does not suppress ours.
		h.Handle(at(sec(111)), f.oldReport(f.peer, f.ssm, V2))
		if got := run(t, h, at(sec(130))); len(got) != 1 || got[0].Kind != KindReport {
			t.Errorf("2.2.1: %d reports", len(got))
		}
		// 2.2.5.
		q := *old
		q.Group, q.Dst = f.ssm, f.ssm
		h.Handle(at(sec(131)), &q)
		if evs := polled(h); kinds(evs) != "SSM queried" {
			t.Errorf("2.2.5: %s", kinds(evs))
		}
		// The range can be set.
		h = f.newHost(t, HostConfig{SSM: []netip.Prefix{netip.PrefixFrom(f.g, f.g.BitLen())}})
		if err := h.SetFilter(start, 1, f.g, f.ex()); !errors.Is(err, ErrSSM) {
			t.Errorf("own range: %v", err)
		}
		if err := h.SetFilter(start, 1, f.ssm, f.ex()); err != nil {
			t.Errorf("own range: %v", err)
		}
	})
}

// RFC 5790 section 4: the records of the lightweight protocol.
func TestRFC5790_4_Host(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		h := f.newHost(t, HostConfig{Lightweight: true})
		step := func(after float64, want string) {
			t.Helper()
			wantWords(t, drain(h, at(sec(after))), want)
			run(t, h, at(sec(after+5)))
		}
		r := func(typ RecordType, n ...int) string {
			return words(&Message{Kind: KindStateReport, Records: []Record{{typ, f.g, f.s(n...)}}})
		}
		set(t, h, 0, 1, f.g, f.in(1, 2))
		step(0, r(Allow, 1, 2))
		set(t, h, sec(10), 2, f.g, f.ex(5))
		step(10, r(ToEx))
		set(t, h, sec(20), 2, f.g, f.ex(6)) // a change that the protocol does not know
		step(20, "")
		q := f.ask(f.low, f.g)
		h.Handle(at(sec(30)), q)
		if got := run(t, h, at(sec(35))); len(got) != 1 || words(got[0].Message) != r(ToEx) {
			t.Error("answer in EXCLUDE mode")
		}
		set(t, h, sec(40), 2, f.g, group.Filter{})
		step(40, r(ToIn, 1, 2))
		h.Handle(at(sec(50)), f.query(f.low))
		if got := run(t, h, at(sec(65))); len(got) != 1 || words(got[0].Message) != r(Allow, 1, 2) {
			t.Error("answer in INCLUDE mode")
		}
		set(t, h, sec(70), 1, f.g, f.in(2))
		step(70, r(Block, 1))
	})
}

// RFC 3590 section 4: reports go out from the unspecified address, and again when
// there is a valid one.
func TestRFC3590_4_SourceAddress(t *testing.T) {
	f := &families[1]
	h, err := NewHost(start, HostConfig{Profile: f.p, Rand: seeded(1)})
	if err != nil {
		t.Fatal(err)
	}
	set(t, h, 0, 1, f.g, f.ex(1))
	set(t, h, 0, 1, f.ssm, f.in(1))
	for _, m := range run(t, h, at(sec(5))) {
		if m.Src != netip.IPv6Unspecified() {
			t.Errorf("from %v", m.Src)
		}
	}
	h.SetAddr(at(sec(10)), f.host)
	got := run(t, h, at(sec(20)))
	if len(got) == 0 || got[0].after != sec(10) || got[0].Src != f.host || len(got[0].Records) != 2 {
		t.Fatalf("%d reports", len(got))
	}
	if a, b := got[0].Records[0], got[0].Records[1]; a.Type != ToEx || b.Type != Allow {
		t.Errorf("%v and %v", a, b)
	}
}

func TestShutdownLeavesAll(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		h := f.settled(t, HostConfig{}, map[netip.Addr]group.Filter{f.g: f.ex(), f.g2: f.in(1), f.ssm: f.in(2)})
		h.Shutdown(at(sec(60)))
		if h.Done() {
			t.Error("done before it was said")
		}
		if err := h.SetFilter(at(sec(60)), 9, f.g, f.ex()); !errors.Is(err, ErrShutdown) {
			t.Error(err)
		}
		got := run(t, h, at(sec(70)))
		if len(got[0].Records) != 3 || !h.Done() || !h.Next().IsZero() {
			t.Errorf("%s; done %v", words(got[0].Message), h.Done())
		}
	})
}

func TestHostLimits(t *testing.T) {
	f := &families[0]
	h := f.newHost(t, HostConfig{MaxGroups: 2, MaxSockets: 2, MaxSources: 64})
	set(t, h, 0, 1, f.g, f.ex())
	set(t, h, 0, 1, f.g2, f.ex())
	for _, err := range []error{
		h.SetFilter(start, 1, addr("239.1.1.1"), f.ex()),
		h.SetFilter(start, 3, f.g, group.Filter{Mode: group.Include, Sources: f.numbered(65)}),
	} {
		if !errors.Is(err, ErrLimit) {
			t.Error(err)
		}
	}
	set(t, h, 0, 2, f.g, f.ex())
	if err := h.SetFilter(start, 3, f.g, f.ex()); !errors.Is(err, ErrLimit) {
		t.Errorf("a third socket: %v", err)
	}
	if err := h.SetFilter(start, 1, addr("ff15::1"), f.ex()); !errors.Is(err, ErrFamily) {
		t.Error(err)
	}
	if err := h.SetFilter(start, 1, addr("10.1.1.1"), f.ex()); !errors.Is(err, group.ErrNotMulticast) {
		t.Error(err)
	}
	// The union counts as well, and a failure changes nothing.
	h = f.newHost(t, HostConfig{MaxSources: 64})
	set(t, h, 0, 1, f.g, group.Filter{Mode: group.Include, Sources: f.numbered(60)})
	if err := h.SetFilter(start, 2, f.g, f.in(100, 101, 102, 103, 104)); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	if n := len(h.Filter(f.g).Sources); n != 60 {
		t.Errorf("%d sources", n)
	}
	// Groups left and joined without end.
	h = f.newHost(t, HostConfig{MaxGroups: 10})
	for i := range 10_000 {
		g := netip.AddrFrom4([4]byte{239, 1, byte(i >> 8), byte(i)})
		set(t, h, 0, 1, g, f.ex())
		set(t, h, 0, 1, g, group.Filter{})
		if len(h.sorted) > 21 || len(h.groups) > 21 {
			t.Fatalf("%d groups are kept", len(h.sorted))
		}
		drain(h, start)
	}
}

func (f *family) numbered(n int) []netip.Addr {
	var l []netip.Addr
	for i := range n {
		l = append(l, f.s(i+1)...)
	}
	return l
}

func TestConfigErrors(t *testing.T) {
	ok := HostConfig{Profile: &IGMP, Rand: seeded(1)}
	for i, change := range []func(*HostConfig){
		func(c *HostConfig) { c.Profile = nil },
		func(c *HostConfig) { c.Rand = nil },
		func(c *HostConfig) { c.MTU = 100 },
		func(c *HostConfig) { c.Generation = 4 },
		func(c *HostConfig) { c.Profile, c.Generation = &MLD, V1 },
		func(c *HostConfig) { c.Addr = addr("fe80::1") },
		func(c *HostConfig) { c.MaxSources = 10 },
		func(c *HostConfig) { c.Timers.Robustness = -1 },
		func(c *HostConfig) { c.Timers.QueryInterval = time.Millisecond },
		func(c *HostConfig) { c.Timers.QueryResponse = time.Hour },
		func(c *HostConfig) { c.Timers.Unsolicited = -1 },
	} {
		cfg := ok
		change(&cfg)
		if _, err := NewHost(start, cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%d: %v", i, err)
		}
	}
	for i, cfg := range []RouterConfig{
		{}, {Profile: &MLD, Addr: addr("2001:db8::1")}, {Profile: &IGMP, FastLeave: true},
		{Profile: &IGMP, Limits: TableLimits{MaxGroups: -1}}, {Profile: &MLD, Generation: V1}, {Profile: &MLD, MTU: 600},
	} {
		if _, err := NewRouter(start, cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("router %d: %v", i, err)
		}
	}
}

func TestStrings(t *testing.T) {
	got := fmt.Sprint(KindQuery, Kind(9), IsIn, RecordType(9), MembershipAdded, EventKind(0), LimitGroups, Limit(0))
	if want := "query Kind(9) IS_IN RecordType(9) membership added unknown groups unknown"; got != want {
		t.Errorf("%q", got)
	}
	for k := MembershipAdded; k <= ForwardingChanged; k++ {
		if k.String() == "" || k.String() == "unknown" {
			t.Errorf("event %d has no name", k)
		}
	}
}

// joined is the state of an interface whose sockets have these filters.
func joined(filters ...group.Filter) group.Filter {
	var m merger
	for _, f := range filters {
		m.add(f.Canonical())
	}
	return m.result()
}
