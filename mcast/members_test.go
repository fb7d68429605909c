package mcast

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

func include(addrs ...string) group.Filter { return filterList(group.Include, addrs) }
func exclude(addrs ...string) group.Filter { return filterList(group.Exclude, addrs) }

func filterList(mode group.FilterMode, addrs []string) group.Filter {
	f := group.Filter{Mode: mode}
	for _, a := range addrs {
		f.Sources = append(f.Sources, netip.MustParseAddr(a))
	}
	return f.Canonical()
}

func TestMembersAccept(t *testing.T) {
	a := netip.MustParseAddr
	m := newMembers(false)
	g1, g2 := a("239.1.1.1"), a("239.1.1.2")
	if m.accepts(a("192.0.2.1"), g1, 3, false) || m.accepts(a("192.0.2.1"), netip.Addr{}, 3, false) {
		t.Error("accepted before any join")
	}
	m.set(g1, 3, anySource)
	for round := range 2 { // with one group, and with two
		for _, tt := range []struct {
			src, dst netip.Addr
			ifindex  int
			local    bool
			want     bool
		}{
			{a("192.0.2.1"), g1, 3, false, true},
			{a("192.0.2.1"), g1, 0, false, true},
			{a("192.0.2.1"), g1, 4, false, false},
			{a("192.0.2.1"), a("239.1.1.9"), 3, false, false},
			{a("192.0.2.1"), netip.Addr{}, 3, false, false},
			{a("192.0.2.1"), a("192.0.2.9"), 3, true, false},
			{a("192.0.2.1"), g2, 3, false, round == 1},
			{a("192.0.2.2"), g2, 3, false, false},
			{a("192.0.2.2"), g2, 4, false, round == 1},
			{a("192.0.2.1"), g2, 4, false, false},
			{a("192.0.2.2"), g2, 0, false, round == 1}, // some interface wants it
		} {
			if got := m.accepts(tt.src, tt.dst, tt.ifindex, tt.local); got != tt.want {
				t.Errorf("round %d: accepts(%v, %v, %d, %v) = %v", round, tt.src, tt.dst, tt.ifindex, tt.local, got)
			}
		}
		if round == 0 {
			m.set(g2, 3, include("192.0.2.1"))
			m.set(g2, 4, exclude("192.0.2.1"))
		}
	}
	m.forget(3)
	if got := m.groupsOn(4); len(got) != 1 || len(m.groupsOn(3)) != 0 {
		t.Errorf("left on 4: %v, on 3: %v", got, m.groupsOn(3))
	}
	m.forget(4)
	if m.table.Load().groups != 0 || m.accepts(a("192.0.2.2"), g2, 4, false) {
		t.Error("something is left")
	}
	m.unicast = true
	if !m.accepts(a("192.0.2.1"), a("192.0.2.9"), 4, true) {
		t.Error("unicast is refused")
	}
}

// The table against a plain map, through growth and removal, in both IP versions and
// with lists long enough to be searched.
func TestMembersRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	m := newMembers(false)
	type key struct {
		g       netip.Addr
		ifindex int
	}
	model := make(map[key]group.Filter)
	addr := func(base string, n int) netip.Addr {
		a := netip.MustParseAddr(base).AsSlice()
		a[len(a)-1], a[len(a)-2] = byte(n), byte(n>>8)
		r, _ := netip.AddrFromSlice(a)
		return r
	}
	for step := range 20000 {
		v6 := rnd.IntN(2) == 1
		g, src := addr("239.1.0.0", rnd.IntN(400)), "10.0.0.0"
		if v6 {
			g, src = addr("ff15::", rnd.IntN(400)), "fd00::"
		}
		k := key{g, 2 + rnd.IntN(2)}
		f := group.Filter{Mode: group.FilterMode(rnd.IntN(2))}
		for range rnd.IntN(20) {
			f.Sources = append(f.Sources, addr(src, rnd.IntN(40)))
		}
		f = f.Canonical()
		if rnd.IntN(3) == 0 {
			f = group.Filter{}
		}
		m.set(g, k.ifindex, f)
		model[k] = f
		k = key{addr(g.String(), rnd.IntN(400)), 2 + rnd.IntN(2)}
		s := addr(src, rnd.IntN(40))
		if got, want := m.accepts(s, k.g, k.ifindex, false), model[k].Accepts(s); got != want {
			t.Fatalf("step %d: accepts(%v, %v, %d) = %v with %v", step, s, k.g, k.ifindex, got, model[k])
		}
	}
}

func TestMembersAllocateNothing(t *testing.T) {
	m := newMembers(false)
	src := netip.MustParseAddr("10.0.0.7")
	var gs []netip.Addr
	for i := range 1000 {
		g := netip.AddrFrom4([4]byte{239, 1, byte(i >> 8), byte(i)})
		gs = append(gs, g)
		m.set(g, 2, anySource)
	}
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		if !m.accepts(src, gs[i%1000], 2, false) {
			t.Error("not accepted")
		}
		i++
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestMembersConcurrent(t *testing.T) {
	m := newMembers(false)
	always := netip.MustParseAddr("239.0.0.1")
	m.set(always, 2, anySource)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			select {
			case <-stop:
				return
			default:
				if !m.accepts(always, always, 2, false) {
					t.Error("lost while others change")
					return
				}
			}
		}
	}()
	for i := range 3000 {
		g := netip.AddrFrom4([4]byte{239, 1, byte(i >> 8), byte(i)})
		m.set(g, 2, anySource)
		if i%3 == 0 {
			m.set(g, 2, group.Filter{})
		}
	}
	close(stop)
	wg.Wait()
}

func BenchmarkMembers(b *testing.B) {
	for _, n := range []int{1, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := newMembers(false)
			var g netip.Addr
			for i := range n {
				g = netip.AddrFrom4([4]byte{239, 1, byte(i >> 8), byte(i)})
				m.set(g, 2, anySource)
			}
			for b.Loop() {
				m.accepts(g, g, 2, false)
			}
		})
	}
}
