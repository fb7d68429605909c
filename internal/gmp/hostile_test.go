package gmp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// An attacker forges reports, leaves and queries from any address for any group, at
// random. Some of it hits what honest hosts want.
type attacker struct {
	f       *family
	rng     *rand.Rand
	honest  []netip.Addr // groups
	queries bool
	m       Message
	sources [8]netip.Addr
	records [3]Record
}

func (a *attacker) address() netip.Addr {
	if a.f.p.LinkLocal {
		return randomAddr(a.rng, 0xfe, 0x80)
	}
	return netip.AddrFrom4([4]byte{10, byte(a.rng.Uint32()), byte(a.rng.Uint32()), byte(a.rng.Uint32())})
}

func randomAddr(rng *rand.Rand, first, second byte) netip.Addr {
	b := [16]byte{0: first, 1: second}
	for i := 8; i < 16; i++ {
		b[i] = byte(rng.Uint32())
	}
	return netip.AddrFrom16(b)
}

func (a *attacker) group() netip.Addr {
	switch {
	case a.rng.IntN(20) == 0:
		return a.honest[a.rng.IntN(len(a.honest))]
	case a.f.p.LinkLocal:
		return randomAddr(a.rng, 0xff, 0x15)
	}
	return netip.AddrFrom4([4]byte{239, byte(a.rng.Uint32()), byte(a.rng.Uint32()), byte(a.rng.Uint32())})
}

// list is of random sources, some of them honest hosts'.
func (a *attacker) list(n int) []netip.Addr {
	n = a.rng.IntN(n + 1)
	for i := range n {
		switch {
		case a.rng.IntN(4) == 0:
			a.sources[i] = a.f.s(1 + a.rng.IntN(4))[0]
		case a.f.p.LinkLocal:
			a.sources[i] = randomAddr(a.rng, 0x20, 0x01)
		default:
			a.sources[i] = netip.AddrFrom4([4]byte{192, byte(a.rng.Uint32()), byte(a.rng.Uint32()), byte(a.rng.Uint32())})
		}
	}
	return a.sources[:n]
}

func (a *attacker) next() *Message {
	m := &a.m
	*m = Message{Src: a.address(), Generation: V3}
	switch n := a.rng.IntN(20); {
	case n < 2:
		m.Kind, m.Generation, m.Group = KindReport, V2, a.group()
	case n < 4:
		m.Kind, m.Generation, m.Group = KindLeave, V2, a.group()
	case n < 6 && a.queries:
		m.Kind, m.Group, m.Suppress = KindQuery, a.group(), a.rng.IntN(2) == 0
		m.Dst = m.Group
		if a.rng.IntN(2) == 0 {
			m.Sources = a.list(4)
		}
	default:
		m.Kind = KindStateReport
		list := a.list(8)
		for i := range 1 + a.rng.IntN(3) {
			a.records[i] = Record{RecordType(1 + a.rng.IntN(6)), a.group(), list}
			m.Records = a.records[:i+1]
		}
	}
	return m
}

// 100,000 forged messages a second for 10 s: a router and a switch stay within their
// limits, and honest hosts have what they want, during and after it.
func TestHostileFlood(t *testing.T) {
	total := 1_000_000
	if underRace || testing.Short() {
		total = 60_000
	}
	both(t, func(t *testing.T, f *family) {
		t.Parallel()
		limits := TableLimits{MaxGroups: 500, MaxSources: 64, MaxAllSources: 4000, MaxTracked: 2000}
		r := f.newRouter(t, RouterConfig{Tracking: true, FastLeave: true, Limits: limits})
		s := f.newSnooper(t, SnooperConfig{Limits: limits, Ports: []int{1, 2, 3, 9}, Unknown: PruneUnknown})
		rng := seeded(5)
		filters := []group.Filter{f.in(1, 2), f.ex(1), f.ex(), f.in(4)}
		a := &attacker{f: f, rng: rng}
		var hosts []*Host
		for i := range 4 {
			h := f.newHost(t, HostConfig{Addr: f.hostAddr(i), Rand: rng})
			g := f.groupAddr(i) // the first is source-specific
			a.honest = append(a.honest, g)
			hosts = append(hosts, h)
			set(t, h, 0, 1, g, filters[i])
		}
		// All on one link: the attacker on port 2 of the switch, honest hosts on port
		// 1, the router on port 9.
		now := start
		queries := 0
		exchange := func() {
			for again := true; again; {
				again = false
				for _, m := range drain(r, now) {
					again = true
					queries++
					s.Handle(now, on(9, m))
					for _, h := range hosts {
						h.Handle(now, m)
					}
				}
				for _, h := range hosts {
					h.Advance(now)
					for _, m := range drain(h, now) {
						again = true
						s.Handle(now, on(1, m))
						r.Handle(now, m)
					}
				}
			}
		}
		honest := func(what string) {
			t.Helper()
			for i, g := range a.honest {
				for _, src := range f.s(1, 2, 3, 4, 99) {
					if !filters[i].Accepts(src) {
						continue
					}
					if !r.Forward(src, g) {
						t.Fatalf("%s: the router does not forward %v, %v: %v", what, src, g, r.Filter(g))
					}
					if st, ok := s.State(1, g); !ok || !containsPort(s.Forward(nil, 9, src, g), 1) {
						t.Fatalf("%s: the switch does not forward %v, %v to port 1: %v", what, src, g, st)
					}
				}
			}
		}
		exchange()
		honest("before")
		a.queries = false
		for i := range total {
			if at := start.Add(sec(300) + time.Duration(i)*10*time.Second/time.Duration(total)); i == 0 || i%100 == 0 {
				// Time passes in steps in which honest hosts speak.
				for now.Before(at) {
					next := earliest(r.Next(), s.Next())
					for _, h := range hosts {
						next = earliest(next, h.Next())
					}
					if now = at; !next.IsZero() && next.Before(at) {
						now = next
					}
					r.Advance(now)
					s.Advance(now)
					exchange()
				}
			}
			m := a.next()
			r.Handle(now, m)
			m.IfIndex = 2
			s.Handle(now, m)
			if i%1000 == 0 {
				exchange()
				honest(fmt.Sprintf("message %d", i))
				polled(r)
				polled(s)
			}
		}
		exchange()
		honest("after the flood")
		g, n, tracked := r.Usage()
		if g > limits.MaxGroups || n > limits.MaxAllSources || tracked > limits.MaxTracked || len(r.table.holders) > limits.MaxGroups+limits.MaxAllSources {
			t.Errorf("router has %d groups, %d sources, %d tracked, %d hosts", g, n, tracked, len(r.table.holders))
		}
		if g, n := s.Usage(2); g > limits.MaxGroups || n > limits.MaxAllSources {
			t.Errorf("switch has %d groups, %d sources", g, n)
		}
		checkBalance(t, &r.table)
		checkBalance(t, &s.port(2).table)
		// Of events not fetched a bounded number is kept.
		for range 20_000 {
			r.Handle(now, a.next())
		}
		if len(r.events.q) > 2*maxEvents || r.table.dirty.len() > 2*limits.MaxGroups+maxEvents {
			t.Errorf("%d events, %d changes", len(r.events.q), r.table.dirty.len())
		}
		t.Logf("%d messages, %d queries; router %d groups, %d sources, %d refused", total, queries, g, n, r.Stats().Refused)
		// When it is over, all is as honest hosts want it.
		for end := now.Add(sec(700)); now.Before(end); {
			next := earliest(r.Next(), s.Next())
			for _, h := range hosts {
				next = earliest(next, h.Next())
			}
			if now = next; now.IsZero() || now.After(end) {
				now = end
			}
			r.Advance(now)
			s.Advance(now)
			exchange()
			honest("in the end")
		}
		for i, g := range a.honest {
			if got := r.Filter(g); !got.Equal(filters[i]) {
				t.Errorf("%v: %v, want %v", g, got, filters[i])
			}
		}
		if g, _, _ := r.Usage(); g != len(a.honest) {
			t.Errorf("%d groups are left", g)
		}
		if r.table.sources > 3+4 || len(r.table.holders) > 4+7 {
			t.Errorf("%d sources, %d hosts are left", r.table.sources, len(r.table.holders))
		}
	})
}

func containsPort(ports []int, p int) bool {
	for _, q := range ports {
		if q == p {
			return true
		}
	}
	return false
}
