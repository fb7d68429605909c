package mcast

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// All arrive in order, and what comes behind a burst has gathered; but a packet that comes by
// itself is returned when it comes.
func TestCoalescing(t *testing.T) {
	c := mustOpen(t, openSocket, both, loAddr("239.255.9.7"), onLo)
	g := &c.sock.(*sockLinux).rx.gather
	ps := spaces(BatchSize, 1500)
	c.SetCoalescing(time.Hour)
	if d := time.Duration(g.most.Load()); d != maxCoalescing {
		t.Errorf("%v at most", d)
	}
	gathered := false
	for range 3 {
		var want []string
		for i := range 40 {
			want = append(want, fmt.Sprint("thick ", i))
			send(t, c, text(want[i]))
		}
		got, _ := read(t, c, ps, len(want))
		const more = 20
		go func() {
			time.Sleep(5 * time.Millisecond) // the connection is found empty first
			for i := range more {
				time.Sleep(20 * time.Microsecond)
				c.Write([]byte(fmt.Sprint("more ", i)))
			}
		}()
		n, err := c.ReadBatch(ps)
		if err != nil {
			t.Fatal(err)
		}
		gathered = gathered || g.now > 0
		for i := range ps[:n] {
			got = append(got, string(ps[i].Data))
		}
		rest, _ := read(t, c, ps, more-n)
		got = append(got, rest...)
		for i := range more {
			want = append(want, fmt.Sprint("more ", i))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		for range 10 {
			time.AfterFunc(5*time.Millisecond, func() { c.Write([]byte("x")) })
			if n, err := c.ReadBatch(ps); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		if g.now != 0 {
			t.Errorf("waits %v after single packets", g.now)
		}
	}
	if !gathered {
		t.Error("nothing was left to gather")
	}
}

func TestCoalescingDoesNotAllocate(t *testing.T) {
	c := mustOpen(t, openSocket, both, loAddr("239.255.9.7"), onLo)
	c.SetCoalescing(50 * time.Microsecond)
	ps, out := spaces(BatchSize, 1500), spaces(20, 100)
	if n := testing.AllocsPerRun(100, func() {
		send(t, c, out...)
		for got := 0; got < len(out); {
			n, err := c.ReadBatch(ps)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}
