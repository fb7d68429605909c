package netem

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// A ticker sends its name every so often and notes what it hears.
type ticker struct {
	name  string
	dst   netip.AddrPort
	every time.Duration
	due   time.Time
	send  bool
	times []time.Time // of ticks, on its own clock
	heard []string
	where []netip.AddrPort
	hasty bool
}

func (k *ticker) Handle(now time.Time, p *datagram.Packet) {
	k.heard = append(k.heard, string(p.Data))
	k.where = append(k.where, p.Dst)
}

func (k *ticker) Advance(now time.Time) {
	if k.every > 0 && !now.Before(k.due) {
		k.due, k.send = now.Add(k.every), true
		k.times = append(k.times, now)
	}
}

func (k *ticker) Next() time.Time {
	if k.hasty && !k.due.IsZero() {
		return k.due.Add(-k.every)
	}
	return k.due
}

func (k *ticker) Transmit(now time.Time, p *datagram.Packet) bool {
	if !k.send {
		return false
	}
	k.send = false
	p.Data, p.Dst = append(p.Data[:0], k.name...), k.dst
	return true
}

func TestMulticastAndUnicast(t *testing.T) {
	s := NewSim(1)
	a, b, c := &ticker{name: "a", every: time.Second}, &ticker{name: "b", every: time.Second}, &ticker{}
	s.Add("a", a, Link{}, Link{})
	s.Add("b", b, Link{}, Link{})
	nc := s.Add("c", c, Link{}, Link{})
	b.dst = nc.Addr
	s.RunUntil(2500*time.Millisecond, func() bool { return false })
	if len(a.heard) != 0 || !slices.Equal(b.heard, []string{"a", "a", "a"}) || !slices.Equal(c.heard, []string{"a", "b", "a", "b", "a", "b"}) {
		t.Errorf("heard %q, %q and %q", a.heard, b.heard, c.heard)
	}
	if c.where[0] != s.Group || c.where[1] != nc.Addr {
		t.Errorf("sent to %v", c.where[:2])
	}
	if got := s.Now().Sub(Start); got != 2500*time.Millisecond {
		t.Errorf("it is %v", got)
	}
}

func TestDownFilterAndRestart(t *testing.T) {
	s := NewSim(1)
	a, b := &ticker{name: "a", every: time.Second}, &ticker{}
	na := s.Add("a", a, Link{}, Link{})
	nb := s.Add("b", b, Link{}, Link{})
	s.At(1500*time.Millisecond, func() { nb.SetDown(true) })
	s.At(2500*time.Millisecond, func() { nb.SetDown(false) })
	s.At(3500*time.Millisecond, func() { s.Filter = func(from, to *Node, data []byte) bool { return to != nb } })
	s.At(4500*time.Millisecond, func() { s.Filter = nil })
	fresh := &ticker{name: "A", every: time.Second}
	s.At(5500*time.Millisecond, func() { na.Restart(fresh) })
	s.RunUntil(7*time.Second, func() bool { return false })
	// At 0, 1, 3 and 5 s; the new one begins when it is first advanced.
	if fmt.Sprint(b.heard[:4]) != "[a a a a]" || b.heard[len(b.heard)-1] != "A" {
		t.Errorf("heard %q", b.heard)
	}
}

// A clock that runs fast by 1 % ticks more often than the network's.
func TestSkew(t *testing.T) {
	s := NewSim(1)
	a, b := &ticker{every: time.Second}, &ticker{every: time.Second}
	s.Add("a", a, Link{}, Link{}).SetSkew(0.01)
	s.Add("b", b, Link{}, Link{})
	s.RunUntil(1000*time.Second+time.Millisecond, func() bool { return false })
	if n, m := len(a.times), len(b.times); n < 1009 || n > 1011 || m < 1000 || m > 1001 {
		t.Errorf("%d and %d ticks", n, m)
	}
	if !slices.IsSortedFunc(a.times, time.Time.Compare) {
		t.Error("its clock went back")
	}
}

func TestHasty(t *testing.T) {
	s := NewSim(1)
	calm := s.Add("calm", &ticker{every: time.Second}, Link{}, Link{})
	hasty := s.Add("hasty", &ticker{every: time.Second, hasty: true}, Link{}, Link{})
	s.RunUntil(10*time.Millisecond, func() bool { return false })
	if calm.Hasty != 0 || hasty.Hasty < 1000 {
		t.Errorf("%d and %d", calm.Hasty, hasty.Hasty)
	}
}

// Calls and deliveries at one time come in the order in which they were booked.
func TestOrder(t *testing.T) {
	s := NewSim(1)
	var got []int
	rng := rand.New(rand.NewPCG(1, 1))
	at := make([]time.Duration, 1000)
	for i := range at {
		at[i] = time.Duration(rng.IntN(50))
		s.At(at[i], func() { got = append(got, i) })
	}
	s.RunUntil(time.Second, func() bool { return false })
	if len(got) != len(at) || !slices.IsSortedFunc(got, func(i, j int) int {
		if at[i] != at[j] {
			return int(at[i] - at[j])
		}
		return i - j
	}) {
		t.Error("out of order")
	}
}

func TestTrace(t *testing.T) {
	run := func(seed uint64) string {
		s := NewSim(seed)
		for i := range 5 {
			l := Link{Delay: time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.2, Burst: 3, Duplicate: 0.1}
			s.Add(fmt.Sprint(i), &ticker{name: fmt.Sprint(i), every: time.Duration(3+i) * time.Millisecond}, l, l)
		}
		s.RunUntil(time.Second, func() bool { return false })
		return s.Trace()
	}
	if a, b := run(1), run(1); a != b {
		t.Errorf("one seed, two runs: %s and %s", a, b)
	}
	if a, b := run(1), run(2); a == b {
		t.Errorf("two seeds, one run: %s", a)
	}
}
