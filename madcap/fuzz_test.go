package madcap

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

func FuzzParseMessage(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.encoded())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, n Message
		if ParseMessage(b, &m) != nil {
			return
		}
		for k := range Kind(numKinds) {
			_ = k.Check(&m).String()
		}
		for e := range m.Scopes.All() {
			e.Describe().Name("en")
		}
		_ = m.Error.Error()
		out, err := m.MarshalBinary()
		if err != nil || len(out) > len(b) {
			t.Fatalf("%x: %x, %v", b, out, err)
		}
		if err := ParseMessage(out, &n); err != nil {
			t.Fatalf("%x: %v", out, err)
		}
		again, err := n.MarshalBinary()
		if err != nil || !bytes.Equal(out, again) || m.Has != n.Has || m.XID != n.XID {
			t.Fatalf("%x, then %x, %v", out, again, err)
		}
	})
}

func FuzzLease(f *testing.F) {
	l := Lease{ID: ID(testID), Scope: inside.First, Ranges: []Range{rng("239.192.7.1", 3), rng("239.192.8.1", 1)}, Start: noon, End: noon.Add(time.Hour),
		Client: addr("10.0.0.9"), Server: addr("2001:db8::1"), Shared: true, Revision: 3}
	b, _ := l.MarshalBinary()
	f.Add(b)
	f.Add([]byte{1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var l, m Lease
		if l.UnmarshalBinary(b) != nil {
			return
		}
		out, err := l.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.UnmarshalBinary(out); err != nil || !m.Equal(&l) {
			t.Fatalf("%+v, then %+v, %v", l, m, err)
		}
	})
}

// patched takes a message off the front of fuzzed bytes: the number of one of base, how
// many of its bytes to change, and for each its place and the change; or a length and
// that many bytes.
func patched(base [][]byte, b []byte) (m, rest []byte) {
	if len(b) < 2 {
		return nil, nil
	}
	if n := int(b[1]); int(b[0]) >= len(base) {
		n = min(n, len(b)-2)
		return b[2 : 2+n], b[2+n:]
	}
	m = bytes.Clone(base[b[0]])
	n, b := int(b[1]&7), b[2:]
	for ; n > 0 && len(b) >= 2; n, b = n-1, b[2:] {
		m[int(b[0])%len(m)] ^= b[1]
	}
	return m, b
}

// Messages of any content to a small server, with time going by and a store that
// answers as the input says.
func FuzzServer(f *testing.F) {
	var base [][]byte
	for _, v := range vectors {
		base = append(base, v.encoded())
	}
	for _, m := range []Message{
		requestFor("a", inside.First, nil), requestFor("b", inside.First, func(m *Message) { m.Type = TypeDiscover }),
		requestFor("b", inside.First, func(m *Message) { m.ServerID, m.Has = myAddr, m.Has.With(OptionServerID) }),
		requestFor("c", inside.First, func(m *Message) { m.MinCount, m.Count, m.Has = 1, 7, m.Has.With(OptionCount) }),
		requestFor("d", site6.First, nil), requestFor(ID(testID), inside.First, nil), about(TypeRenew, "a"), about(TypeRelease, "a"), about(TypeRelease, "c"),
	} {
		b, err := m.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		base = append(base, b)
	}
	var all []byte
	for i := range base {
		all = append(all, 9, byte(i), 0)
		f.Add([]byte{1, byte(i), 0, 8, byte(i), 1, 7, 1, 13, byte(i), 0})
	}
	f.Add(all)
	f.Add(append(append([]byte{}, all...), all...))
	f.Fuzz(func(t *testing.T, b []byte) {
		now := noon
		s, err := NewServer(now, ServerConfig{ID: myAddr, Rand: rand.New(rand.NewPCG(1, 2)), MaxLeases: 8, MaxOffers: 4, MaxAnswers: 6, MaxClients: 4,
			ClientAddresses: 12, ClientOffers: 2, Scopes: []Scope{
				{Zone: inside, Pools: []group.Zone{{First: addr("239.192.7.0"), Last: addr("239.192.7.15")}}, Within: []netip.Addr{world.First},
					Static: []Reservation{{ID(testID), []Range{rng("239.192.7.3", 2)}}}},
				{Zone: world}, {Zone: site6, Pools: []group.Zone{{First: addr("ff05::8000:0"), Last: addr("ff05::8000:ff")}}},
			}})
		if err != nil {
			t.Fatal(err)
		}
		store := new(MemoryStore)
		for len(b) > 2 {
			how := b[0]
			var data []byte
			data, b = patched(base, b[1:])
			p := datagram.Packet{Data: data, Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, how & 3}), 9), Dst: netip.AddrPortFrom(myAddr, Port)}
			if how&4 != 0 {
				p.Dst = netip.AddrPortFrom(addr("239.195.255.254"), Port)
			}
			before := bytes.Clone(p.Data)
			s.Handle(now, &p)
			if !bytes.Equal(before, p.Data) {
				t.Fatal("the message was changed")
			}
			if how&8 != 0 {
				if batch := s.Changes(); batch != nil {
					if err := store.Commit(batch); err != nil {
						t.Fatal(err)
					}
					if how&16 != 0 {
						batch[0].Err = ErrConflict
					}
					s.Committed(now, batch)
				}
			}
			now = now.Add(time.Duration(how>>5) * time.Duration(how>>5) * 100 * time.Second)
			s.Advance(now)
			out := datagram.Packet{Data: make([]byte, 0, 2000)}
			var m Message
			for s.Transmit(now, &out) {
				if err := ParseMessage(out.Data, &m); err != nil {
					t.Fatalf("answer %x: %v", out.Data, err)
				}
			}
			for _, ok := s.Event(); ok; _, ok = s.Event() {
			}
			st := s.Stats()
			if st.Leases > 8 || st.Held > 4 || st.Answers > 6+maxQueue || st.Clients > 4 {
				t.Fatalf("%+v", st)
			}
			checkServer(t, s)
		}
	})
}

// checkServer holds the server's books against each other.
func checkServer(t *testing.T, s *Server) {
	t.Helper()
	seen := map[netip.Addr]ID{}
	used := map[netip.Addr]int{}
	book := func(id ID, rs []Range) {
		for _, r := range rs {
			for a := range r.All() {
				if other, ok := seen[a]; ok {
					t.Fatalf("%v is %v's and %v's", a, other, id)
				}
				seen[a] = id
				if sc := s.scopeOf(a); sc != nil && !s.isTaken(a) && sc.pooled(a) {
					t.Fatalf("%v of %v is free", a, id)
				}
			}
		}
	}
	for id, l := range s.leases {
		book(id, l.Ranges)
		used[clientKey(l.Client)] += l.Total()
		if (l.busy == nil) != (l.place >= 0) {
			t.Fatalf("lease %v: busy %v, place %d", id, l.busy != nil, l.place)
		}
	}
	n := 0
	for o := s.offers.oldest(); o != nil; o = o.next {
		book(o.id, o.ranges)
		n++
	}
	if n != len(s.offers.byID) || len(used) != len(s.used) {
		t.Fatalf("%d offers in the list, %d in the map; %d clients, %d counted", n, len(s.offers.byID), len(used), len(s.used))
	}
	for k, v := range used {
		if s.used[k] != v {
			t.Fatalf("%v has %d addresses, counted %d", k, v, s.used[k])
		}
	}
}

func (s *Server) scopeOf(a netip.Addr) *serverScope {
	for _, sc := range s.scopes {
		if sc.Contains(a) {
			return sc
		}
	}
	return nil
}

func (sc *serverScope) pooled(a netip.Addr) bool {
	for _, z := range sc.Pools {
		if z.Contains(a) {
			return true
		}
	}
	return false
}

// Answers of any content to a client that asks for everything.
func FuzzClient(f *testing.F) {
	for _, v := range vectors {
		f.Add(append([]byte{0, 1}, v.encoded()...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		now := noon
		c, err := NewClient(now, ClientConfig{Rand: rand.New(rand.NewPCG(1, 2))})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Adopt(now, ClientLease{Lease: Lease{ID: "x", Scope: inside.First, Ranges: []Range{rng("239.192.7.1", 1)}, End: now.Add(time.Hour), Server: myAddr},
			At: netip.AddrPortFrom(myAddr, Port), Renew: true, Mobile: true}); err != nil {
			t.Fatal(err)
		}
		var sent []Message
		src := netip.AddrPortFrom(myAddr, Port)
		step := func(d time.Duration) {
			now = now.Add(d)
			c.Advance(now)
			for {
				out := datagram.Packet{Data: make([]byte, 0, 2000)}
				if !c.Transmit(now, &out) {
					break
				}
				var m Message
				if err := ParseMessage(out.Data, &m); err != nil {
					t.Fatalf("%x: %v", out.Data, err)
				}
				sent = append(sent, m)
			}
		}
		_, _ = c.Allocate(now, Request{ID: ID(testID), Scope: inside.First, Count: 3, MinCount: 1, Later: true, Shared: true})
		_, _ = c.GetInfo(now, InfoRequest{})
		step(0)
		for len(b) > 2 {
			n, how := min(int(b[0])+256*int(b[1]>>7), len(b)-2), int(b[1])
			data := bytes.Clone(b[2 : 2+n])
			b = b[2+n:]
			var m Message
			if len(sent) > 0 && ParseMessage(data, &m) == nil { // as if it was an answer
				to := sent[how%len(sent)]
				m.XID, m.LeaseID = to.XID, to.LeaseID
				if out, err := m.MarshalBinary(); err == nil {
					data = out
				}
			}
			c.Handle(now, &datagram.Packet{Data: data, Src: src})
			step(time.Duration(how&15) * time.Duration(how&15) * 10 * time.Second)
			for _, ok := c.Event(); ok; _, ok = c.Event() {
			}
			if len(c.txs) > 8 || len(c.leases) > 4 {
				t.Fatalf("%d transactions, %d leases", len(c.txs), len(c.leases))
			}
		}
		for range 200 {
			step(10 * time.Minute)
		}
		if len(c.txs) > 2 {
			t.Fatalf("%d transactions never end", len(c.txs))
		}
	})
}
