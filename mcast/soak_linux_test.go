package mcast

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// soakTime is how long the soaks run: MCAST_SOAK, or a little.
func soakTime() time.Duration {
	d, err := time.ParseDuration(os.Getenv("MCAST_SOAK"))
	if err != nil {
		return 1500 * time.Millisecond
	}
	return d
}

// 10,000 times join and leave, in ways that take turns, each way of holding
// memberships: all is given back.
func TestLabSoakJoinLeave(t *testing.T) {
	for name, opt := range map[string]Option{"strict": MultiGroup(), "funnel": Funnel()} {
		t.Run(name, func(t *testing.T) {
			a, b := newNS(t), newNS(t)
			link(t, a, b, "va", "vb", 1)
			before := b.kernel(t)
			fds, goroutines := resources()
			for _, f := range families {
				r := b.open(t, openSocket, listen, f.group+":5004", Interface("vb"), opt)
				asm, source := "239.4.%d.%d", "10.1.%d.%d"
				if f.name != "IPv4" {
					asm, source = "ff15::4:%x:%x", "fd00:1::%x:%x"
				}
				rnd := rand.New(rand.NewPCG(1, 1))
				model := make(map[netip.Addr]group.Filter)
				for range 10000 / len(families) {
					g, src := numbered(asm, rnd.IntN(60)), numbered(source, rnd.IntN(30))
					now := model[g]
					var err error
					switch {
					case rnd.IntN(20) == 0: // all at once
						now = group.Filter{Mode: group.FilterMode(rnd.IntN(2))}
						for range rnd.IntN(9) {
							now.Sources = append(now.Sources, numbered(source, rnd.IntN(30)))
						}
						now = now.Canonical()
						err = r.SetFilter(g, now)
					case now.IsEmpty() && rnd.IntN(2) == 0:
						now, err = anySource, r.Join(group.Channel{Group: g})
					case now.Mode == group.Include && !hasSource(now.Sources, src):
						now, err = withSource(now, src), r.Join(group.Channel{Group: g, Source: src})
					case now.Mode == group.Include:
						now, err = withoutSource(now, src), r.Leave(group.Channel{Group: g, Source: src})
					case rnd.IntN(3) == 0 || len(now.Sources) > 5:
						now, err = group.Filter{}, r.Leave(group.Channel{Group: g})
					case hasSource(now.Sources, src):
						now, err = withoutSource(now, src), r.Unblock(group.Channel{Group: g, Source: src})
					default:
						now, err = withSource(now, src), r.Block(group.Channel{Group: g, Source: src})
					}
					if err != nil {
						t.Fatal(err)
					}
					model[g] = now
				}
				for g, want := range model {
					if got, err := r.Filter(g); err != nil || !got.Equal(want) {
						t.Errorf("%v: the kernel has %v, %v, want %v", g, got, err, want)
					}
					if err := r.SetFilter(g, group.Filter{}); err != nil {
						t.Error(err)
					}
				}
				r.Close()
			}
			wantResources(t, fds, goroutines)
			eventually(t, "the kernel giving all back", func() bool {
				after := b.kernel(t)
				return maps.Equal(before.users, after.users) && maps.Equal(before.sources, after.sources)
			})
		})
	}
}

// The link flaps and is made anew while packets are read, sent and groups come and
// go. Nothing leaks, and when it is over all memberships work.
func TestLabSoakLink(t *testing.T) {
	fds, goroutines := resources()
	t.Run("all", func(t *testing.T) {
		for _, f := range families {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				soakLink(t, f)
			})
		}
	})
	wantResources(t, fds, goroutines)
}

func soakLink(t *testing.T, f family) {
	a, b := newNS(t), newNS(t)
	link(t, a, b, "va", "vb", 1)
	opts := []Option{Interface("vb")}
	if f.name != "IPv6 link-local" { // that one is bound to the link, and made anew
		opts = append(opts, MultiGroup())
	}
	log := newEventLog()
	r := b.open(t, openSocket, both, f.group+":5004", append(opts, OnEvent(func(e Event) {
		select {
		case log.c <- e:
		default:
		}
	}))...)
	s := a.open(t, openSocket, dial, f.group+":5004", Interface("va"))
	base := "239.4.%d.%d"
	if f.name != "IPv4" {
		base = "ff15::4:%x:%x"
	}
	multi := r.cfg.multiGroup
	if multi {
		for i := range 50 {
			if err := r.Join(group.Channel{Group: numbered(base, i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var received, sent atomic.Int64
	wg.Go(func() {
		for _, err := range r.Packets(ctx) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("reading: %v", err)
				}
				return
			}
			received.Add(1)
		}
	})
	for _, c := range []*Conn{s, r} {
		wg.Go(func() {
			for ctx.Err() == nil {
				// Errors while the link is away are what is expected.
				if _, err := c.WriteBatch([]datagram.Packet{text("x")}); err == nil {
					sent.Add(1)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	wg.Go(func() {
		for i := 0; multi && ctx.Err() == nil; i++ {
			ch := group.Channel{Group: numbered(base, 100+i%50)}
			if r.Join(ch) == nil {
				r.Leave(ch)
			}
		}
	})
	end := time.Now().Add(soakTime())
	rounds := 0
	for ; time.Now().Before(end); rounds++ {
		switch rounds % 4 {
		case 0, 2:
			a.ip(t, "link del va")
			link(t, a, b, "va", "vb", 1)
		case 1:
			b.ip(t, "link set vb down")
			b.ip(t, "link set vb up")
		case 3:
			b.ip(t, "addr flush dev vb")
			for _, addr := range []string{"10.1.0.2/24", "fd00:1::2/64 nodad", "fe80::2/64 nodad"} {
				addr, flags, _ := strings.Cut(addr, " ")
				b.ip(t, fmt.Sprintf("addr replace %s dev vb %s", addr, flags))
			}
		}
	}
	// One more, to leave it whole.
	a.ip(t, "link del va")
	link(t, a, b, "va", "vb", 1)
	eventually(t, "all joined again", func() bool {
		for _, m := range r.Memberships() {
			if m.State != Joined {
				return false
			}
		}
		return true
	})
	cancel()
	wg.Wait()
	t.Logf("%d rounds, %d packets sent, %d received", rounds, sent.Load(), received.Load())
	if received.Load() == 0 {
		t.Error("nothing was received")
	}
	wantDelivery := func(p datagram.Packet, data string) {
		t.Helper()
		eventually(t, "delivery of "+data, func() bool {
			p.Data = []byte(data)
			if _, err := s.WriteBatch([]datagram.Packet{p}); err != nil {
				return false
			}
			r.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			for {
				ps := spaces(1, 100)
				if _, err := r.ReadBatch(ps); err != nil {
					return false
				}
				if string(ps[0].Data) == data {
					return true
				}
			}
		})
	}
	wantDelivery(datagram.Packet{}, "the group")
	if multi {
		for i := 0; i < 50; i += 7 {
			g := numbered(base, i)
			wantDelivery(to("", g, 5004), g.String())
		}
	}
	joined := 0
	for key := range b.kernel(t).users {
		var dev, g string
		fmt.Sscan(key, &dev, &g)
		if addr, err := netip.ParseAddr(g); err == nil && dev == "vb" && r.members != nil {
			r.mu.Lock()
			if _, ok := r.want[addr]; ok {
				joined++
			}
			r.mu.Unlock()
		}
	}
	if want := len(r.Memberships()); joined != want {
		t.Errorf("the kernel has %d of %d groups", joined, want)
	}
	r.Close()
	s.Close()
}
