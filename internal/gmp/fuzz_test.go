package gmp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// A reader makes choices out of bytes.
type reader struct{ b []byte }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// jump is a step of time of either direction, from nothing to a week.
func (r *reader) jump() time.Duration {
	c := r.byte()
	d := time.Duration(1+c&0x0f) << (c >> 4 * 2) * time.Millisecond
	switch r.byte() % 8 {
	case 0:
		return -d
	case 1:
		return d * 600
	}
	return d
}

func (r *reader) group(f *family) netip.Addr {
	c := r.byte()
	switch c % 16 {
	case 0:
		return netip.Addr{}
	case 1:
		return f.p.Unspecified
	case 2:
		return f.p.AllSystems
	case 3:
		return f.host
	case 4:
		return addr("ff15::7%eth0")
	case 5:
		return addr("::ffff:239.1.1.1")
	}
	return f.groupAddr(int(c >> 4))
}

func (r *reader) source(f *family) netip.Addr {
	switch c := r.byte(); c % 32 {
	case 0:
		return netip.Addr{}
	case 1:
		return f.p.Unspecified
	case 2:
		return f.g
	case 3:
		return addr("fe80::9%eth0")
	default:
		return f.s(int(c) % 24)[0]
	}
}

func (r *reader) sources(f *family) []netip.Addr {
	var l []netip.Addr
	for range r.byte() % 12 {
		l = append(l, r.source(f))
	}
	return l
}

func (r *reader) message(f *family) *Message {
	m := &Message{
		Kind: Kind(r.byte() % 6), Generation: Generation(r.byte() % 5), IfIndex: int(r.byte() % 5),
		Group: r.group(f), Suppress: r.byte()%2 == 0, QRV: r.byte(),
	}
	switch c := r.byte(); c % 6 {
	case 0:
		m.Src = f.low
	case 1:
		m.Src = f.p.Unspecified
	case 2:
		m.Src = r.source(f)
	default:
		m.Src = f.hostAddr(int(c) % 20)
	}
	if r.byte()%2 == 0 {
		m.Dst = m.Group
	}
	switch c := r.byte(); c % 8 {
	case 0:
	case 1:
		m.MaxResp, m.Interval = 1<<62, 1<<62
	case 2:
		m.MaxResp, m.Interval = -1, -1<<62
	default:
		m.MaxResp, m.Interval = time.Duration(c)*100*time.Millisecond, time.Duration(c)*time.Second
	}
	if m.Kind == KindQuery {
		m.Sources = r.sources(f)
	}
	for range r.byte() % 4 {
		m.Records = append(m.Records, Record{RecordType(r.byte() % 8), r.group(f), r.sources(f)})
	}
	return m
}

func (r *reader) filter(f *family) group.Filter {
	return group.Filter{Mode: group.FilterMode(r.byte() % 3), Sources: r.sources(f)}
}

var fuzzLimits = TableLimits{MaxGroups: 6, MaxSources: 8, MaxAllSources: 20, MaxHostGroups: 4, MaxHostSources: 10, MaxTracked: 12}

// checkTable holds a table to its limits and its accounts.
func checkTable(t *testing.T, tab *table) {
	t.Helper()
	checkBalance(t, tab)
	l := tab.limits
	if len(tab.groups) > l.MaxGroups || tab.sources > l.MaxAllSources || tab.tracked > l.MaxTracked || len(tab.schedule) > l.MaxGroups || tab.dirty.len() > 2*l.MaxGroups+maxEvents {
		t.Fatalf("%d groups, %d sources, %d tracked, %d scheduled, %d changed", len(tab.groups), tab.sources, tab.tracked, len(tab.schedule), tab.dirty.len())
	}
	for _, e := range tab.groups {
		if len(e.sources) > l.MaxSources || e.mode == group.Include && len(e.sources) == 0 || e.mode == group.Exclude && e.until.IsZero() {
			t.Fatalf("%v %v with %d sources until %v", e.group, e.mode, len(e.sources), e.until)
		}
	}
}

// FuzzEngines feeds anything to all engines, with time that jumps both ways: nothing
// panics, limits hold, and after Advance at Next there is nothing left to do at once.
func FuzzEngines(f *testing.F) {
	f.Add([]byte("\x00"))
	f.Add([]byte("the quick brown fox jumps over the lazy dog and back again, 0123456789"))
	for seed := range uint64(20) {
		rng := seeded(seed)
		b := make([]byte, 400)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &reader{b: data}
		options := r.byte()
		fam := &families[options&1]
		gen := V3
		if options&2 != 0 {
			gen = V2
		}
		host, err := NewHost(start, HostConfig{Profile: fam.p, Addr: fam.host, Generation: gen, Lightweight: options&4 != 0, MaxGroups: 4, MaxSockets: 3, MaxSources: 64, Rand: seeded(1)})
		if err != nil {
			t.Fatal(err)
		}
		router, err := NewRouter(start, RouterConfig{Profile: fam.p, Addr: fam.host, Generation: gen, Lightweight: options&8 != 0, Tracking: options&16 != 0, FastLeave: options&16 != 0, Limits: fuzzLimits})
		if err != nil {
			t.Fatal(err)
		}
		proxy, err := NewProxy(start, ProxyConfig{
			Upstream: 1, Host: HostConfig{Profile: fam.p, Rand: seeded(2), MaxGroups: 4}, AnyQuerier: options&32 != 0,
			Downstream: []Downstream{{2, RouterConfig{Profile: fam.p, Addr: fam.host, Limits: fuzzLimits}}, {3, RouterConfig{Profile: fam.p, Limits: fuzzLimits}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		snooper, err := NewSnooper(start, SnooperConfig{Profile: fam.p, Ports: []int{0, 1, 2, 3}, FastLeave: []int{2}, Unknown: Unknown(options >> 7), Limits: fuzzLimits})
		if err != nil {
			t.Fatal(err)
		}
		engines := []engine{host, router, proxy, snooper}
		now, latest := start, make([]time.Time, len(engines)) // of each engine
		dst := make([]int, 0, 16)
		for len(r.b) > 0 {
			switch op := r.byte(); op % 16 {
			case 0, 1, 2, 3:
				if now = now.Add(r.jump()); now.Sub(start) > 100*365*24*time.Hour {
					return
				}
				for _, e := range engines {
					e.Advance(now)
				}
			case 4:
				_ = host.SetFilter(now, uint64(r.byte()%4), r.group(fam), r.filter(fam))
			case 5:
				host.SetAddr(now, r.source(fam))
				router.SetAddr(now, r.source(fam))
			case 6:
				switch r.byte() % 8 {
				case 0:
					host.Shutdown(now)
				case 1:
					proxy.Shutdown(now)
				case 2:
					snooper.TopologyChange(now)
				case 3:
					snooper.Flush(now, int(r.byte()%5))
				case 4:
					snooper.RemovePort(int(r.byte() % 5))
				case 5:
					snooper.AddPort(int(r.byte() % 5))
				case 6:
					snooper.RouterSeen(now, int(r.byte()%5), r.jump())
				case 7:
					host.Announce(now)
				}
			default:
				m := r.message(fam)
				for _, e := range engines {
					e.Handle(now, m)
				}
				dst = proxy.Outgoing(dst[:0], m.IfIndex, m.Src, m.Group)
				dst = snooper.Forward(dst[:0], m.IfIndex, m.Src, m.Group)
				dst = snooper.Relay(dst[:0], m)
				dst = snooper.ForwardMAC(dst[:0], m.IfIndex, [6]byte{1, 0, 0x5e, 1, 1, op})
			}
			if r.byte()%4 == 0 {
				continue // a shell that does not fetch
			}
			for i, e := range engines {
				e.Advance(now)
				drain(e, now)
				polled(e)
				latest[i] = later(latest[i], now)
				if next := e.Next(); !next.IsZero() && !next.After(latest[i]) {
					t.Fatalf("engine %d is drained and wants to be called at %v, it is %v", i, next.Sub(start), latest[i].Sub(start))
				}
				for range 3 {
					next := e.Next()
					if next.IsZero() || next.Sub(start) > 50*365*24*time.Hour || r.byte()%2 == 0 {
						break
					}
					e.Advance(next)
					drain(e, next)
					latest[i] = next
					if after := e.Next(); !after.IsZero() && !after.After(next) {
						t.Fatalf("engine %d stays at %v", i, next.Sub(start))
					}
				}
			}
			checkTable(t, &router.table)
			for _, d := range proxy.down {
				checkTable(t, &d.router.table)
			}
			if n := router.asking.len(); n > 2*fuzzLimits.MaxGroups {
				t.Fatalf("%d groups to ask", n)
			}
			if a, b := host.changed.len(), host.answers.len(); a > 3*4 || b > 3*4 {
				t.Fatalf("%d changes and %d answers to send", a, b)
			}
			for _, p := range snooper.ports {
				checkTable(t, &p.table)
			}
			if len(host.sorted) > 2*4+1 || len(host.sorted) != len(host.groups) || host.leaves.len() > 4 {
				t.Fatalf("host has %d groups, %d leaves", len(host.sorted), host.leaves.len())
			}
		}
	})
}
