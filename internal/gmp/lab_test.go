package gmp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

func sec(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 99)) }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// A family lets a test run for both protocols.
type family struct {
	p    *Profile
	g    netip.Addr // a group
	g2   netip.Addr
	ssm  netip.Addr
	host netip.Addr // of the unit under test
	peer netip.Addr // another's, higher
	low  netip.Addr // another's, lower
	net  string
}

var families = []family{
	{&IGMP, addr("239.10.10.10"), addr("239.10.10.11"), addr("232.1.2.3"), addr("10.0.0.50"), addr("10.0.0.60"), addr("10.0.0.1"), "192.0.2.%d"},
	{&MLD, addr("ff15::abcd"), addr("ff15::abce"), addr("ff35::8000:1"), addr("fe80::50"), addr("fe80::60"), addr("fe80::1"), "2001:db8::%x"},
}

// s returns sources by their numbers.
func (f *family) s(n ...int) []netip.Addr {
	var l []netip.Addr
	for _, i := range n {
		l = append(l, addr(fmt.Sprintf(f.net, i)))
	}
	slices.SortFunc(l, netip.Addr.Compare)
	return l
}

func (f *family) in(n ...int) group.Filter {
	return group.Filter{Mode: group.Include, Sources: f.s(n...)}
}
func (f *family) ex(n ...int) group.Filter {
	return group.Filter{Mode: group.Exclude, Sources: f.s(n...)}
}

func both(t *testing.T, fn func(t *testing.T, f *family)) {
	for i := range families {
		t.Run(families[i].p.Name, func(t *testing.T) { fn(t, &families[i]) })
	}
}

func (f *family) newHost(t *testing.T, cfg HostConfig) *Host {
	t.Helper()
	cfg.Profile = f.p
	if !cfg.Addr.IsValid() {
		cfg.Addr = f.host
	}
	if cfg.Rand == nil {
		cfg.Rand = seeded(1)
	}
	h, err := NewHost(start, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (f *family) newRouter(t *testing.T, cfg RouterConfig) *Router {
	t.Helper()
	cfg.Profile = f.p
	if !cfg.Addr.IsValid() {
		cfg.Addr = f.host
	}
	r, err := NewRouter(start, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// quiet returns a router that has sent its first query and is idle.
func (f *family) quiet(t *testing.T, cfg RouterConfig) *Router {
	t.Helper()
	r := f.newRouter(t, cfg)
	drain(r, start)
	polled(r)
	return r
}

// nonQuerier returns a router that has given way to f.low.
func (f *family) nonQuerier(t *testing.T, cfg RouterConfig) *Router {
	t.Helper()
	r := f.quiet(t, cfg)
	r.Handle(start, f.query(f.low))
	drain(r, start)
	polled(r)
	return r
}

func (f *family) query(src netip.Addr) *Message {
	return &Message{Kind: KindQuery, Generation: V3, Src: src, Dst: f.p.AllSystems, MaxResp: 10 * time.Second, QRV: 2, Interval: 125 * time.Second}
}

func (f *family) ask(src, g netip.Addr, sources ...netip.Addr) *Message {
	return &Message{Kind: KindQuery, Generation: V3, Src: src, Dst: g, Group: g, Sources: sources, MaxResp: time.Second, QRV: 2, Interval: 125 * time.Second}
}

func (f *family) report(src netip.Addr, t RecordType, g netip.Addr, sources ...netip.Addr) *Message {
	return &Message{Kind: KindStateReport, Generation: V3, Src: src, Dst: f.p.Reports, Records: []Record{{t, g, sources}}}
}

func (f *family) oldReport(src, g netip.Addr, gen Generation) *Message {
	return &Message{Kind: KindReport, Generation: gen, Src: src, Dst: g, Group: g}
}

func (f *family) leave(src, g netip.Addr) *Message {
	return &Message{Kind: KindLeave, Generation: V2, Src: src, Dst: f.p.AllRouters, Group: g}
}

// An engine is what Host, Router, Proxy and Snooper have in common.
type engine interface {
	Handle(time.Time, *Message)
	Advance(time.Time)
	Next() time.Time
	Transmit(time.Time, *Message) bool
	Event(*Event) bool
}

var _ = []engine{(*Host)(nil), (*Router)(nil), (*Proxy)(nil), (*Snooper)(nil)}

// keepMessage copies what an engine lent.
func keepMessage(m *Message) *Message {
	c := *m
	c.Sources = slices.Clone(m.Sources)
	c.Records = slices.Clone(m.Records)
	for i := range c.Records {
		c.Records[i].Sources = slices.Clone(c.Records[i].Sources)
	}
	return &c
}

func drain(e engine, now time.Time) []*Message {
	var out []*Message
	var m Message
	for e.Transmit(now, &m) {
		out = append(out, keepMessage(&m))
	}
	return out
}

func polled(e engine) []Event {
	var out []Event
	var v Event
	for e.Event(&v) {
		out = append(out, v)
	}
	return out
}

func kinds(evs []Event) string {
	var s []string
	for _, e := range evs {
		s = append(s, e.Kind.String())
	}
	return strings.Join(s, ", ")
}

// A sent is a message and when it was sent.
type sent struct {
	after time.Duration
	*Message
}

// run lets an engine live until a time, and returns what it sent.
func run(t testing.TB, e engine, until time.Time) []sent {
	t.Helper()
	var out []sent
	note := func(now time.Time) {
		for _, m := range drain(e, now) {
			out = append(out, sent{now.Sub(start), m})
		}
	}
	for i := 0; ; i++ {
		next := e.Next()
		if next.IsZero() || next.After(until) {
			break
		}
		if i > 1_000_000 {
			t.Fatal("no end of it")
		}
		e.Advance(next)
		note(next)
		if after := e.Next(); !after.IsZero() && !after.After(next) {
			t.Fatalf("Next stays at %v", after.Sub(start))
		}
	}
	e.Advance(until)
	note(until)
	return out
}

// words writes a message in the notation of the RFCs.
func words(m *Message) string {
	list := func(l []netip.Addr) string {
		var s []string
		for _, a := range l {
			s = append(s, a.String())
		}
		return "{" + strings.Join(s, " ") + "}"
	}
	switch m.Kind {
	case KindQuery:
		s := fmt.Sprintf("Q%d(", m.Generation)
		if !m.Group.IsUnspecified() {
			s += m.Group.String()
		}
		if len(m.Sources) > 0 {
			s += ", " + list(m.Sources)
		}
		s += ")"
		if m.Suppress {
			s += " S"
		}
		return s
	case KindStateReport:
		var s []string
		for _, r := range m.Records {
			s = append(s, fmt.Sprintf("%v %s %s", r.Type, r.Group, list(r.Sources)))
		}
		return strings.Join(s, "; ")
	}
	return fmt.Sprintf("%v%d %s", m.Kind, m.Generation, m.Group)
}

func allWords(ms []*Message) string {
	var s []string
	for _, m := range ms {
		s = append(s, words(m))
	}
	return strings.Join(s, " | ")
}

func wantWords(t *testing.T, got []*Message, want string) {
	t.Helper()
	if s := allWords(got); s != want {
		t.Errorf("sent %s\nwant %s", s, want)
	}
}
