package igmp

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

var (
	_ engine.Engine = (*Host)(nil)
	_ engine.Engine = (*Router)(nil)
	_ engine.Engine = (*Proxy)(nil)
	_ engine.Engine = (*Snooper)(nil)

	dawn    = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	hostA   = netip.MustParseAddr("10.0.0.50")
	routerA = netip.MustParseAddr("10.0.0.1")
	someone = netip.MustParseAddr("239.1.2.3")
	source  = netip.MustParseAddr("192.0.2.10")
)

func seed() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// A link carries packets between engines, each with the number of its interface on it.
type link struct {
	t   *testing.T
	now time.Time
	at  []port
	all []datagram.Packet // that were sent, each a copy
}

type port struct {
	engine engine.Engine
	index  int
}

// run lets time pass.
func (l *link) run(d time.Duration) {
	end := l.now.Add(d)
	for {
		next := end
		for i := range l.at {
			if n := l.at[i].engine.Next(); !n.IsZero() && n.Before(next) {
				next = n
			}
		}
		l.now = slices.MaxFunc([]time.Time{l.now, next}, time.Time.Compare)
		sent := false
		for i, from := range l.at {
			from.engine.Advance(l.now)
			p := datagram.Packet{Data: make([]byte, 0, 1500)}
			for from.engine.Transmit(l.now, &p) {
				sent = true
				if p.IfIndex != 0 && p.IfIndex != from.index {
					l.t.Errorf("a packet for interface %d", p.IfIndex)
				}
				l.all = append(l.all, datagram.Packet{Data: slices.Clone(p.Data), Src: p.Src, Dst: p.Dst})
				for j, to := range l.at {
					if q := p; i != j {
						q.IfIndex = to.index
						to.engine.Handle(l.now, &q)
					}
				}
				p = datagram.Packet{Data: p.Data[:0]}
			}
		}
		if !sent && !l.now.Before(end) {
			return
		}
	}
}

func newHost(t *testing.T, cfg HostConfig) *Host {
	t.Helper()
	if cfg.Rand = seed(); !cfg.Addr.IsValid() {
		cfg.Addr = hostA
	}
	h, err := NewHost(dawn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func newRouter(t *testing.T, cfg RouterConfig) *Router {
	t.Helper()
	if !cfg.Addr.IsValid() {
		cfg.Addr = routerA
	}
	r, err := NewRouter(dawn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func include(a ...netip.Addr) group.Filter { return group.Filter{Sources: a} }

// Whole packets there and back, in every version.
func TestHostAndRouter(t *testing.T) {
	for version := uint8(1); version <= 3; version++ {
		h := newHost(t, HostConfig{Version: version})
		r := newRouter(t, RouterConfig{Version: version})
		l := &link{t: t, now: dawn, at: []port{{engine: h, index: 1}, {engine: r, index: 1}}}
		l.run(time.Second)
		want := group.Filter{Mode: group.Exclude}
		if version == 3 {
			want = include(source)
		}
		if err := h.SetFilter(l.now, 1, someone, want); err != nil {
			t.Fatal(err)
		}
		l.run(time.Second)
		if got := r.Filter(someone); !got.Equal(want) {
			t.Errorf("v%d: the router has %v, want %v", version, got, want)
		}
		if s, ok := r.State(someone); !ok || s.Version != version || h.Version() != version {
			t.Errorf("v%d: %+v, host in v%d", version, s, h.Version())
		}
		var kinds []EventKind
		poll := func() {
			for e, ok := r.Event(); ok; e, ok = r.Event() {
				if kinds = append(kinds, e.Kind); e.Kind == MembershipAdded && (e.Group != someone || !e.Filter.Equal(want)) {
					t.Errorf("v%d: %+v", version, e)
				}
			}
		}
		poll()
		h.Shutdown(l.now)
		wait := 10 * time.Second
		if version == 1 {
			wait = 300 * time.Second // it has no leave
		}
		l.run(wait)
		if !h.Done() || !r.Filter(someone).IsEmpty() {
			t.Errorf("v%d: after the leave: %t, %v", version, h.Done(), r.Filter(someone))
		}
		poll()
		if !slices.Contains(kinds, QuerierElected) || !slices.Contains(kinds, MembershipAdded) || !slices.Contains(kinds, MembershipRemoved) {
			t.Errorf("v%d: events %v", version, kinds)
		}
		for _, p := range l.all {
			if e, _, err := ParsePacket(p.Data); err != nil || e.HopLimit != 1 || !e.RouterAlert || netip.AddrPortFrom(e.Dst, 0) != p.Dst || netip.AddrPortFrom(e.Src, 0) != p.Src {
				t.Errorf("v%d: %+v, %v", version, e, err)
			}
		}
		rs, hs := r.Stats(), h.Stats()
		if rs.Packets != (PacketStats{}) || hs.Packets != (PacketStats{}) || rs.Reports == 0 || rs.Sent == 0 || hs.Queries == 0 || hs.Reports == 0 {
			t.Errorf("v%d: %+v\n%+v", version, rs, hs)
		}
	}
}

// A report too long for one packet comes whole.
func TestManySources(t *testing.T) {
	h, r := newHost(t, HostConfig{}), newRouter(t, RouterConfig{})
	l := &link{t: t, now: dawn, at: []port{{engine: h, index: 1}, {engine: r, index: 1}}}
	var want []netip.Addr
	for a := source; len(want) < 900; a = a.Next() {
		want = append(want, a)
	}
	if err := h.SetFilter(l.now, 1, someone, include(want...)); err != nil {
		t.Fatal(err)
	}
	l.run(2 * time.Second)
	if got := r.Filter(someone); len(got.Sources) != len(want) {
		t.Errorf("%d sources arrived", len(got.Sources))
	}
	for _, p := range l.all {
		if len(p.Data) > 1500 {
			t.Errorf("a packet of %d bytes", len(p.Data))
		}
	}
}

func TestProxy(t *testing.T) {
	p, err := NewProxy(dawn, ProxyConfig{
		Upstream: 1, Host: HostConfig{Addr: hostA, Rand: seed()},
		Downstream: []Downstream{{IfIndex: 2, Router: RouterConfig{Addr: routerA}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	h, r := newHost(t, HostConfig{}), newRouter(t, RouterConfig{})
	up := &link{t: t, now: dawn, at: []port{{engine: side{p, 1}, index: 1}, {engine: r, index: 1}}}
	down := &link{t: t, now: dawn, at: []port{{engine: side{p, 2}, index: 2}, {engine: h, index: 2}}}
	both := func(d time.Duration) {
		for range d / (50 * time.Millisecond) {
			up.run(50 * time.Millisecond)
			down.run(50 * time.Millisecond)
		}
	}
	both(time.Second)
	h.SetFilter(down.now, 1, someone, include(source))
	both(2 * time.Second)
	if got := r.Filter(someone); !got.Equal(include(source)) || !p.Database(someone).Equal(got) {
		t.Errorf("upstream has %v, the database %v", got, p.Database(someone))
	}
	if out := p.Outgoing(nil, 1, source, someone); !slices.Equal(out, []int{2}) {
		t.Errorf("goes out of %v", out)
	}
	p.Handle(up.now, &datagram.Packet{IfIndex: 7})
	if s := p.Stats(); s.Foreign != 1 || p.Router(7) != nil || p.Router(2).Stats().Reports == 0 || p.Upstream().Stats().Queries == 0 {
		t.Errorf("%+v", s)
	}
	p.Shutdown(up.now)
	both(10 * time.Second)
	if !p.Done() || !r.Filter(someone).IsEmpty() {
		t.Error("it has not left")
	}
}

// A side is a proxy on one of its links: it keeps the packets of others for them.
type side struct {
	*Proxy
	index int
}

var kept = map[int][]datagram.Packet{}

func (s side) Transmit(now time.Time, p *datagram.Packet) bool {
	for q := (datagram.Packet{}); s.Proxy.Transmit(now, &q); q = (datagram.Packet{}) {
		kept[q.IfIndex] = append(kept[q.IfIndex], q)
	}
	if len(kept[s.index]) == 0 {
		return false
	}
	*p, kept[s.index] = kept[s.index][0], kept[s.index][1:]
	return true
}

func TestSnooper(t *testing.T) {
	s, err := NewSnooper(dawn, SnooperConfig{Ports: []int{1, 2, 3}, Unknown: PruneUnknown})
	if err != nil {
		t.Fatal(err)
	}
	h, r := newHost(t, HostConfig{}), newRouter(t, RouterConfig{})
	pass := func(e engine.Engine, port int) (out []int) {
		for p := (datagram.Packet{}); e.Transmit(dawn, &p); p = (datagram.Packet{}) {
			p.IfIndex = port
			s.Handle(dawn, &p)
			out = s.Relay(nil, &p)
		}
		return out
	}
	if out := pass(r, 3); !slices.Equal(out, []int{1, 2}) {
		t.Errorf("a query goes to %v", out)
	}
	h.SetFilter(dawn, 1, someone, include(source))
	if out := pass(h, 1); !slices.Equal(out, []int{3}) {
		t.Errorf("a report goes to %v", out)
	}
	if out := s.Forward(nil, 3, source, someone); !slices.Equal(out, []int{1}) {
		t.Errorf("the source goes to %v", out)
	}
	if out := s.Forward(nil, 3, hostA, someone); len(out) != 0 {
		t.Errorf("another source goes to %v", out)
	}
	if st, ok := s.State(1, someone); !ok || len(st.Sources) != 1 || st.Version != 3 {
		t.Errorf("%+v", st)
	}
	s.TopologyChange(dawn)
	var p datagram.Packet
	if !s.Transmit(dawn, &p) || p.Dst.Addr() != AllSystems {
		t.Error("no query after a change of topology")
	}
}

// What is refused, and how it is counted.
func TestRefused(t *testing.T) {
	report := func(m *Membership, src netip.Addr) []byte {
		b, err := m.MarshalBinary()
		if err == nil {
			b, err = AppendPacket(nil, src, m.Group, b)
		}
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := report(&Membership{Type: TypeReport2, Group: someone}, hostA)
	ttl := slices.Clone(good)
	ttl[8], ttl[10] = 2, ttl[10]-1
	sum := slices.Clone(good)
	sum[len(sum)-1] ^= 1
	header := slices.Clone(good)
	header[1] ^= 1
	prune, _ := AppendPacket(nil, hostA, someone, []byte{0x13, 7, 0xec, 0xf8})
	r := newRouter(t, RouterConfig{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}})
	for _, tt := range []struct {
		name string
		b    []byte
		want PacketStats
	}{
		{"good", good, PacketStats{}},
		{"TTL 2", ttl, PacketStats{Refused: 1}},
		{"off link", report(&Membership{Type: TypeReport2, Group: someone}, source), PacketStats{Refused: 1, OffLink: 1}},
		{"checksum", sum, PacketStats{BadChecksum: 1}},
		{"header checksum", header, PacketStats{BadChecksum: 1}},
		{"cut short", good[:len(good)-1], PacketStats{Malformed: 1}},
		{"empty", nil, PacketStats{Malformed: 1}},
		{"DVMRP", prune, PacketStats{Other: 1}},
		{"IPv6", []byte{0x60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, PacketStats{Other: 1}},
	} {
		before := r.Stats()
		r.Handle(dawn, &datagram.Packet{Data: tt.b})
		after := r.Stats()
		got := PacketStats{
			Malformed: after.Packets.Malformed - before.Packets.Malformed, BadChecksum: after.Packets.BadChecksum - before.Packets.BadChecksum,
			Refused: after.Packets.Refused - before.Packets.Refused, Other: after.Packets.Other - before.Packets.Other, OffLink: after.Packets.OffLink - before.Packets.OffLink,
		}
		if taken := after.Reports > before.Reports; got != tt.want || taken != (tt.want == PacketStats{}) {
			t.Errorf("%s: %+v, taken %t", tt.name, got, taken)
		}
	}
	// The interface is in the other's network, too, and then in none that is known.
	stranger := datagram.Packet{Data: report(&Membership{Type: TypeReport2, Group: someone}, source)}
	for _, networks := range [][]netip.Prefix{{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24")}, nil} {
		r.SetNetworks(networks)
		before := r.Stats().Reports
		if r.Handle(dawn, &stranger); r.Stats().Reports != before+1 {
			t.Errorf("ignored although the networks are %v", networks)
		}
	}
	if _, err := NewHost(dawn, HostConfig{Version: 4, Rand: seed()}); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
	if _, err := NewRouter(dawn, RouterConfig{MTU: 100}); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
}

func TestEngineAllocations(t *testing.T) {
	h, r := newHost(t, HostConfig{}), newRouter(t, RouterConfig{})
	h.SetFilter(dawn, 1, someone, include(source))
	p := datagram.Packet{Data: make([]byte, 0, 1500)}
	if !h.Transmit(dawn, &p) {
		t.Fatal("nothing to send")
	}
	if n := testing.AllocsPerRun(100, func() { r.Handle(dawn, &p) }); n > 0 {
		t.Errorf("%v allocations per report", n)
	}
	q := datagram.Packet{Data: make([]byte, 0, 1500)}
	now := dawn
	if n := testing.AllocsPerRun(100, func() {
		now = now.Add(time.Minute)
		r.Advance(now)
		for r.Transmit(now, &q) {
			h.Handle(now, &q)
		}
	}); n > 0 {
		t.Errorf("%v allocations per query", n)
	}
}

func FuzzEngines(f *testing.F) {
	f.Add([]byte{})
	var p datagram.Packet
	h, _ := NewHost(dawn, HostConfig{Addr: hostA, Rand: seed()})
	h.SetFilter(dawn, 1, someone, include(source))
	h.Transmit(dawn, &p)
	f.Add(p.Data)
	r, _ := NewRouter(dawn, RouterConfig{Addr: routerA})
	p = datagram.Packet{}
	r.Transmit(dawn, &p)
	f.Add(p.Data)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, _ := NewHost(dawn, HostConfig{Addr: hostA, Rand: seed(), Policy: PolicyOpen})
		h.SetFilter(dawn, 1, someone, include(source))
		r, _ := NewRouter(dawn, RouterConfig{Addr: routerA, Policy: PolicyOpen, Tracking: true})
		s, _ := NewSnooper(dawn, SnooperConfig{Ports: []int{0, 1}, Policy: PolicyOpen})
		for _, e := range []engine.Engine{h, r, s} {
			now := dawn
			e.Handle(now, &datagram.Packet{Data: b})
			for range 20 {
				q := datagram.Packet{}
				for n := 0; e.Transmit(now, &q); n++ {
					if _, _, err := ParsePacket(q.Data); err != nil || n > 1000 {
						t.Fatal(err, n)
					}
				}
				if next := e.Next(); next.After(now) {
					now = next
				}
				e.Advance(now)
			}
		}
		s.Relay(nil, &datagram.Packet{Data: b})
	})
}
