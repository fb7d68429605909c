package control

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

var t0 = time.Unix(1_700_000_000, 0)

// A bench hands a Watch what hosts and queriers say.
type bench struct {
	t   *testing.T
	w   *Watch
	now time.Time
}

func newBench(t *testing.T, cfg Config) *bench { return &bench{t, NewWatch(t0, cfg), t0} }

func (b *bench) after(d time.Duration) *bench {
	b.now = b.now.Add(d)
	b.w.Advance(b.now)
	return b
}

func protoOf(a netip.Addr) string {
	if a.Is4() {
		return IGMP
	}
	return MLD
}

// query is a general query; of the newest version it tells its interval.
func (b *bench) query(src string, version int) *bench {
	a := addr(src)
	r := Record{Proto: protoOf(a), Version: version, Type: Query, Src: a, Asked: Asked{General: true, MaxResp: 10 * time.Second}}
	if version == 3 || version == 2 && !a.Is4() {
		r.Asked.Interval, r.Asked.Robustness = 60*time.Second, 2
	}
	b.w.Handle(b.now, &r)
	return b
}

// ask asks for sources of a group.
func (b *bench) ask(src, g string, sources ...string) *bench {
	a := addr(src)
	b.w.Handle(b.now, &Record{Proto: protoOf(a), Version: 3, Type: Query, Src: a, Asked: Asked{MaxResp: time.Second},
		Groups: []Entry{{Group: addr(g), Mode: ModeQuery, Sources: addrs(sources)}}})
	return b
}

func addrs(list []string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, addr(s))
	}
	return out
}

// say is a report of the newest version, or for join and leave of version v.
func (b *bench) say(v int, src, mode, g string, sources ...string) *bench {
	a := addr(src)
	typ := Report
	if mode == ModeLeave {
		typ = Leave
	}
	b.w.Handle(b.now, &Record{Proto: protoOf(a), Version: v, Type: typ, Src: a, Groups: []Entry{{Group: addr(g), Mode: mode, Sources: addrs(sources)}}})
	checkBounds(b.t, b.w)
	return b
}

// codes are the warnings in force.
func (b *bench) codes() string {
	var list []string
	for _, w := range b.w.Warnings() {
		if w.Until.IsZero() {
			list = append(list, strings.TrimLeft(w.Proto+":", ":")+w.Code)
		}
		if w.Message == "" || w.Times == 0 || strings.Contains(w.Message, "%!") || strings.Contains(w.Message, "invalid") {
			b.t.Errorf("%+v", w)
		}
	}
	return strings.Join(list, " ")
}

func (b *bench) want(codes string) *bench {
	b.t.Helper()
	if got := b.codes(); got != codes {
		b.t.Errorf("after %v: warnings %q, want %q", b.now.Sub(t0), got, codes)
	}
	return b
}

// filters writes the groups and what their hosts want.
func (b *bench) filters() string {
	var s strings.Builder
	for _, g := range b.w.Groups() {
		fmt.Fprintf(&s, "%v %v", g.Addr, g.Filter)
		for _, r := range g.Reporters {
			fmt.Fprintf(&s, " [%v v%d %v]", r.Addr, r.Version, r.Filter)
		}
		s.WriteString("\n")
	}
	return strings.TrimSuffix(s.String(), "\n")
}

// checkBounds counts again what a Watch has counted, and compares it with its limits.
func checkBounds(t *testing.T, w *Watch) {
	t.Helper()
	members, sources, ssm, macs := 0, 0, [2]int{}, 0
	hosts := map[netip.Addr]host{}
	for g, e := range w.groups {
		if len(e.members) == 0 || e.addr != g {
			t.Fatalf("%v has %d members", g, len(e.members))
		}
		if group.IsSSM(g) {
			ssm[map[bool]int{true: 0, false: 1}[g.Is4()]]++
		}
		for a, m := range e.members {
			members++
			sources += len(m.sources)
			h := hosts[a]
			h.members++
			h.sources += len(m.sources)
			hosts[a] = h
		}
	}
	for _, list := range w.macs {
		macs += len(list)
	}
	l := w.cfg.Limits
	if members != w.members || sources != w.sources || len(hosts) != len(w.hosts) || macs != len(w.groups) || ssm[0] != w.families[0].ssm || ssm[1] != w.families[1].ssm {
		t.Fatalf("%d members, %d sources, %d hosts, %d by MAC, %v SSM; counted %d, %d, %d, %d, %d and %d", members, sources, len(hosts), macs, ssm,
			w.members, w.sources, len(w.hosts), len(w.groups), w.families[0].ssm, w.families[1].ssm)
	}
	if len(w.groups) > l.Groups || members > l.Members || sources > l.Sources || len(w.families[0].queriers) > l.Queriers || len(w.warnings) > 32 || len(w.problems) > 64 {
		t.Fatalf("over the limits: %d groups, %d members, %d sources", len(w.groups), members, sources)
	}
	for a, h := range hosts {
		if o := w.hosts[a]; o.members != h.members || o.sources != h.sources || h.members > (l.Members+3)/4 || h.sources > (l.Sources+3)/4 {
			t.Fatalf("%v has %d groups and %d sources, counted %d and %d", a, h.members, h.sources, o.members, o.sources)
		}
	}
}

func TestFilters(t *testing.T) {
	const q, h, k, g = "10.0.0.1", "10.0.0.2", "10.0.0.3", "239.1.1.1"
	for _, tt := range []struct {
		name string
		do   func(b *bench)
		want string
	}{
		{"join", func(b *bench) { b.say(2, h, ModeJoin, g) }, "239.1.1.1 EXCLUDE {} [10.0.0.2 v2 EXCLUDE {}]"},
		{"join and leave", func(b *bench) { b.say(2, h, ModeJoin, g).say(2, h, ModeLeave, g) }, ""},
		{"leave of another", func(b *bench) { b.say(2, h, ModeJoin, g).say(2, k, ModeLeave, g) }, "239.1.1.1 EXCLUDE {} [10.0.0.2 v2 EXCLUDE {}]"},
		{"to_in nothing", func(b *bench) { b.say(3, h, ToEx, g).say(3, h, ToIn, g) }, ""},
		{"allow, block", func(b *bench) { b.say(3, h, Allow, g, q, k).say(3, h, Block, g, k) }, "239.1.1.1 INCLUDE {10.0.0.1} [10.0.0.2 v3 INCLUDE {10.0.0.1}]"},
		{"block all", func(b *bench) { b.say(3, h, Allow, g, q, k).say(3, h, Block, g, k, q) }, ""},
		{"block of nothing", func(b *bench) { b.say(3, h, Block, g, k) }, ""},
		{"unknown record", func(b *bench) { b.say(3, h, Other, g, k) }, ""},
		{"exclude, then allow", func(b *bench) { b.say(3, h, ToEx, g, q, k).say(3, h, Allow, g, k) }, "239.1.1.1 EXCLUDE {10.0.0.1} [10.0.0.2 v3 EXCLUDE {10.0.0.1}]"},
		{"exclude, then block", func(b *bench) { b.say(3, h, IsEx, g, q).say(3, h, Block, g, k) }, "239.1.1.1 EXCLUDE {10.0.0.1, 10.0.0.3} [10.0.0.2 v3 EXCLUDE {10.0.0.1, 10.0.0.3}]"},
		{"two hosts", func(b *bench) { b.say(3, h, ToEx, g, q, k).say(3, k, ToIn, g, q) },
			"239.1.1.1 EXCLUDE {10.0.0.3} [10.0.0.2 v3 EXCLUDE {10.0.0.1, 10.0.0.3}] [10.0.0.3 v3 INCLUDE {10.0.0.1}]"},
		{"two that exclude", func(b *bench) { b.say(3, h, ToEx, g, q, k).say(3, k, IsEx, g, q) },
			"239.1.1.1 EXCLUDE {10.0.0.1} [10.0.0.2 v3 EXCLUDE {10.0.0.1, 10.0.0.3}] [10.0.0.3 v3 EXCLUDE {10.0.0.1}]"},
		{"is_in replaces", func(b *bench) { b.say(3, h, Allow, g, q).after(time.Minute).say(3, h, IsIn, g, k) }, "239.1.1.1 INCLUDE {10.0.0.3} [10.0.0.2 v3 INCLUDE {10.0.0.3}]"},
		{"is_in goes on", func(b *bench) { b.say(3, h, IsIn, g, q).after(time.Millisecond).say(3, h, IsIn, g, k) },
			"239.1.1.1 INCLUDE {10.0.0.1, 10.0.0.3} [10.0.0.2 v3 INCLUDE {10.0.0.1, 10.0.0.3}]"},
		{"answer about sources", func(b *bench) {
			b.say(3, h, Allow, g, q, k).after(time.Minute).ask(q, g, k).say(3, h, IsIn, g, k)
		}, "239.1.1.1 INCLUDE {10.0.0.1, 10.0.0.3} [10.0.0.2 v3 INCLUDE {10.0.0.1, 10.0.0.3}]"},
		{"answer about sources in EXCLUDE", func(b *bench) { b.say(3, h, ToEx, g, q).ask(q, g, k).say(3, h, IsIn, g, k) },
			"239.1.1.1 EXCLUDE {10.0.0.1} [10.0.0.2 v3 EXCLUDE {10.0.0.1}]"},
		{"source-specific, and an old querier in between", func(b *bench) {
			b.say(3, h, Allow, "232.1.1.1", q).say(2, h, ModeJoin, "232.1.1.1").say(3, h, Allow, "232.1.1.1", q)
		}, "232.1.1.1 INCLUDE {10.0.0.1} [10.0.0.2 v3 INCLUDE {10.0.0.1}]"},
		{"source-specific, left after an old querier", func(b *bench) {
			b.say(2, h, ModeJoin, "232.1.1.1").say(3, h, Block, "232.1.1.1", q)
		}, ""},
		{"not a group", func(b *bench) { b.say(3, h, ToEx, "10.9.9.9").say(3, h, ToEx, "ff02::1:1") }, ""},
		{"no address", func(b *bench) { b.say(3, "0.0.0.0", ToEx, g) }, "239.1.1.1 EXCLUDE {} [0.0.0.0 v3 EXCLUDE {}]"},
		{"gone without answer", func(b *bench) {
			b.query(q, 3).say(3, h, ToEx, g).after(100*time.Second).query(q, 3).after(31 * time.Second)
		}, ""},
		{"nobody asked", func(b *bench) { b.say(3, h, ToEx, g).after(time.Hour) }, "239.1.1.1 EXCLUDE {} [10.0.0.2 v3 EXCLUDE {}]"},
		{"the querier is new", func(b *bench) { b.say(3, h, ToEx, g).after(time.Hour).query(q, 3).after(time.Minute) }, "239.1.1.1 EXCLUDE {} [10.0.0.2 v3 EXCLUDE {}]"},
	} {
		b := newBench(t, Config{})
		tt.do(b)
		if got := b.filters(); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	const a, z, h = "10.0.0.1", "10.0.0.9", "10.0.0.50"
	for _, tt := range []struct {
		name string
		do   func(b *bench)
	}{
		{"silence", func(b *bench) {
			b.want("").after(259 * time.Second).want("").after(2 * time.Second).want("igmp:no-querier mld:no-querier")
			b.query(a, 3).after(time.Second).want("") // and of MLD there is nothing at all
		}},
		{"the other protocol is not used", func(b *bench) {
			b.say(3, h, ToEx, "239.1.1.1").after(261 * time.Second).want("igmp:no-querier")
			b.say(2, "fe80::1", ToEx, "ff15::1").after(time.Second).want("igmp:no-querier mld:no-querier")
		}},
		{"the querier goes", func(b *bench) {
			b.query(a, 3).after(124 * time.Second).want("").after(2 * time.Second).want("igmp:no-querier")
			b.query(a, 3).want("")
			if w := b.w.Warnings(); len(w) != 1 || w[0].Times != 1 || w[0].Until != b.now || w[0].Since != t0.Add(126*time.Second) {
				b.t.Errorf("%+v", w)
			}
		}},
		{"elections end well", func(b *bench) { // z has not heard a yet; then it has
			b.query(z, 3).after(time.Second).query(a, 3).after(30*time.Second).want("").after(30*time.Second).query(a, 3).want("")
			qs := b.w.Queriers()
			if len(qs) != 2 || !qs[0].Elected || qs[0].Addr != addr(a) || qs[0].Seen != time.Minute || qs[0].Interval != time.Minute || qs[1].Elected || qs[0].General != 2 {
				b.t.Errorf("%+v", qs)
			}
			b.after(65 * time.Second).want("")
			if qs := b.w.Queriers(); len(qs) != 1 {
				b.t.Errorf("%+v", qs)
			}
		}},
		{"two queriers", func(b *bench) {
			b.query(z, 3).after(time.Second).query(a, 3).after(30*time.Second).query(z, 3).after(time.Second).want("igmp:two-queriers")
			b.after(30*time.Second).query(a, 3).after(30*time.Second).query(z, 3).after(time.Second).want("igmp:two-queriers")
			b.after(30*time.Second).query(a, 3).after(95*time.Second).query(a, 3).after(time.Second).want("") // z gave up
		}},
		{"the lower address wins", func(b *bench) { // a is new, z asks once more and gives way
			b.query(a, 3).after(time.Minute).query(z, 3).after(time.Second).query(a, 3).after(time.Minute).query(a, 3).want("")
		}},
		{"the other fell silent", func(b *bench) { // in an old version, which does not tell how often it asks
			b.query(z, 3).after(time.Second).query(a, 2).want("igmp:old-querier").after(125*time.Second).query(z, 3).after(time.Second).want("")
			if qs := b.w.Queriers(); len(qs) != 1 || !qs[0].Elected || qs[0].Addr != addr(z) {
				b.t.Errorf("%+v", qs)
			}
		}},
		{"IPv6 goes by the interface identifier", func(b *bench) {
			b.query("fe80::2", 2).after(time.Second).query("fe80::1", 2).after(30*time.Second).query("fe80::2", 2).after(time.Second).want("mld:two-queriers")
		}},
		{"a switch without address", func(b *bench) {
			b.query("0.0.0.0", 3).want("igmp:zero-querier").after(time.Second).query(a, 3).after(time.Minute).query("0.0.0.0", 3).after(time.Second).want("")
			if qs := b.w.Queriers(); len(qs) != 2 || qs[0].Addr != addr(a) {
				b.t.Errorf("%+v", qs)
			}
		}},
		{"an old querier", func(b *bench) {
			b.query(a, 2).want("igmp:old-querier").after(time.Second).say(3, h, Allow, "232.1.1.1", a).after(time.Second).want("igmp:old-querier igmp:old-version-ssm")
			b.say(3, h, Block, "232.1.1.1", a).after(time.Second).want("igmp:old-querier")
		}},
		{"MLDv2 is the newest", func(b *bench) {
			b.query("fe80::1", 2).want("").after(time.Second).query("fe80::1", 1).want("mld:old-querier")
		}},
		{"an old report of SSM", func(b *bench) {
			b.query(a, 3).say(2, h, ModeJoin, "232.1.1.1").after(time.Second).want("igmp:old-version-ssm")
			for range 5 {
				b.query(a, 3).after(time.Minute)
			}
			b.want("")
		}},
		{"EXCLUDE of SSM", func(b *bench) { b.query(a, 3).say(3, h, ToEx, "232.1.1.1").after(time.Second).want("igmp:exclude-ssm") }},
		{"storms", func(b *bench) {
			for range 2199 {
				b.after(5*time.Millisecond).say(2, h, ModeJoin, "239.1.1.1")
			}
			b.want("igmp:report-storm")
			if w := b.w.Warnings()[0]; w.Message != "200 IGMP reports a second, most of them from 10.0.0.50" {
				b.t.Errorf("%q", w.Message)
			}
			b.after(4 * time.Second).want("igmp:report-storm").after(5 * time.Second).want("")
			b.query(a, 3)
			for range 2000 {
				b.after(4*time.Millisecond).ask(a, "239.1.1.1")
			}
			b.want("igmp:query-storm")
		}},
		{"few are no storm", func(b *bench) {
			b.query(a, 3)
			for i := range 500 {
				b.after(20*time.Millisecond).say(3, fmt.Sprintf("10.1.%d.%d", i/250, i%250), IsEx, "239.1.1.1")
			}
			b.want("")
		}},
		{"refused queries", func(b *bench) {
			b.w.Handle(b.now, &Record{Proto: MLD, Version: 2, Type: Query, Src: addr("fd00::1"), Refused: true, Problems: []string{"not link-local"}, Asked: Asked{General: true}})
			b.want("mld:bad-query")
			if w := b.w.Warnings()[0]; w.Message != "hosts ignore the queries of fd00::1: not link-local" || len(b.w.Queriers()) != 0 {
				b.t.Errorf("%+v", w)
			}
			if p := b.w.Problems(); p["not link-local"] != 1 {
				b.t.Errorf("%v", p)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.do(newBench(t, Config{})) })
	}
}

func TestAliases(t *testing.T) {
	b := newBench(t, Config{})
	for _, g := range []string{"239.1.1.1", "224.129.1.1", "239.128.0.251", "239.1.1.2"} {
		b.say(3, "10.0.0.1", ToEx, g)
	}
	b.say(2, "fe80::1", ToEx, "ff15::1:1").say(2, "fe80::1", ToEx, "ff0e::1:1")
	got := map[string]string{}
	for _, g := range b.w.Groups() {
		got[g.Addr.String()] = fmt.Sprint(g.Aliases, g.Control)
	}
	want := map[string]string{
		"239.1.1.1": "[224.129.1.1] invalid IP", "224.129.1.1": "[239.1.1.1] invalid IP", "239.128.0.251": "[] 224.0.0.251", "239.1.1.2": "[] invalid IP",
		"ff15::1:1": "[ff0e::1:1] invalid IP", "ff0e::1:1": "[ff15::1:1] invalid IP",
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// Whatever hosts say, and however much, a Watch keeps to its limits, and what is
// there stays.
func TestHostile(t *testing.T) {
	modes := []string{ModeJoin, ModeLeave, IsIn, IsEx, ToIn, ToEx, Allow, Block, Other}
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 1))
		b := newBench(t, Config{Limits: Limits{Queriers: 4, Groups: 20, Members: 40, Sources: 60}})
		any4 := func(n int) string { return fmt.Sprintf("10.0.%d.%d", rng.IntN(n)/250, rng.IntN(min(n, 250))) }
		for range 2000 {
			b.after(time.Duration(rng.IntN(2000)) * time.Millisecond)
			var sources []string
			for range rng.IntN(12) {
				sources = append(sources, any4(50))
			}
			g := fmt.Sprintf("23%d.1.1.%d", 2+7*rng.IntN(2), rng.IntN(40))
			switch rng.IntN(10) {
			case 0:
				b.query(any4(10), 1+rng.IntN(3))
			case 1:
				b.ask(any4(10), g, sources...)
			default:
				mode := modes[rng.IntN(len(modes))]
				b.say(1+rng.IntN(3), any4(12), mode, g, sources...)
			}
			b.codes()
		}
		b.w.Groups()
		if b.w.Refused() == 0 {
			t.Error("nothing was refused")
		}
		if !slices.ContainsFunc(b.w.Warnings(), func(w Warning) bool { return w.Code == CodeLimits }) {
			t.Error("no warning of the limits")
		}
	}
	// One host gets a quarter.
	b := newBench(t, Config{Limits: Limits{Groups: 100, Members: 100, Sources: 100}})
	for i := range 200 {
		b.say(3, "10.0.0.66", ToIn, fmt.Sprintf("239.1.1.%d", i), "192.0.2.1", "192.0.2.2")
	}
	b.say(3, "10.0.0.2", ToEx, "239.9.9.9")
	groups, members, sources := b.w.Usage()
	if groups != 14 || members != 14 || sources != 25 { // 12 pairs, one alone, and a host that wants all
		t.Errorf("%d groups, %d members, %d sources", groups, members, sources)
	}
}

// The table of igmp and mld has their engines on F2, so this package is there too; it
// keeps the laws of F1 all the same.
func TestLaws(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	bad := regexp.MustCompile(`"(net|os|context|sync|math/rand|math/rand/v2|golang.org/x/.*)"|time\.(Now|Since|Until|After|Sleep|Tick)\b|\bgo func|\bchan\b`)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if s := bad.Find(b); s != nil {
			t.Errorf("%s: %s", name, s)
		}
	}
}
