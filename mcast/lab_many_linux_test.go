package mcast

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// numbered returns the n-th address of a format with two numbers.
func numbered(format string, n int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf(format, n/250, 1+n%250))
}

// addAddresses gives an interface the addresses that packets are to be sent from.
func (n netns) addAddresses(t *testing.T, dev string, ps []datagram.Packet) {
	t.Helper()
	var batch strings.Builder
	for _, p := range ps {
		switch a := p.Src.Addr(); {
		case a.Is4():
			fmt.Fprintf(&batch, "addr replace %s/16 dev %s\n", a, dev)
		case a.Is6():
			fmt.Fprintf(&batch, "addr replace %s/64 dev %s nodad\n", a, dev)
		}
	}
	cmd := exec.Command("ip", "-n", n.name, "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// Thousands of channels on one connection, each way. Of a sample of them packets
// arrive, once; of groups and sources that were not joined, none.
func TestLabThousands(t *testing.T) {
	fds, goroutines := resources()
	t.Run("all", testThousands)
	wantResources(t, fds, goroutines)
}

func testThousands(t *testing.T) {
	type testCase struct {
		name, addr, group, source string
		groups, sources           int // sources of each group, 0 for any
	}
	for _, tt := range []testCase{
		{"5000 groups, IPv4", "239.255.0.1:5004", "239.1.%d.%d", "", 5000, 0},
		{"3000 groups, IPv6", "[ff15::1]:5004", "ff15::5:%x:%x", "", 3000, 0},
		{"500 groups of 10 sources, IPv4", "239.255.0.1:5004", "232.1.%d.%d", "10.1.%d.%d", 500, 10},
		{"4 groups of 250 sources, IPv4", "239.255.0.1:5004", "232.1.%d.%d", "10.1.%d.%d", 4, 250},
		{"4 groups of 250 sources, IPv6", "[ff15::1]:5004", "ff35::%x:%x", "fd00:1::%x:%x", 4, 250},
	} {
		for _, mode := range []struct {
			name string
			opt  Option
		}{{"strict", MultiGroup()}, {"funnel", Funnel()}} {
			t.Run(tt.name+", "+mode.name, func(t *testing.T) {
				// Not in parallel: joins of all namespaces take one lock.
				a, b := newNS(t), newNS(t)
				link(t, a, b, "va", "vb", 1)
				r := b.open(t, openSocket, listen, tt.addr, Interface("vb"), mode.opt)
				pool := &r.sock.(*sockLinux).pool
				start, joins := time.Now(), 0
				for i := range tt.groups {
					for j := range max(tt.sources, 1) {
						ch := group.Channel{Group: numbered(tt.group, i)}
						if tt.sources > 0 {
							ch.Source = numbered(tt.source, 5+j)
						}
						if err := r.Join(ch); err != nil {
							t.Fatalf("join number %d, %v: %v", joins, ch, err)
						}
						joins++
					}
				}
				t.Logf("%d joins in %v, %d sockets", joins, time.Since(start).Round(time.Millisecond), len(pool.holders))

				// A bystander wants everything of some groups, so that the
				// interface and, for funnels, the socket get it.
				s := a.open(t, openSocket, dial, tt.addr, Interface("va"))
				by := b.open(t, openSocket, listen, tt.addr, Interface("vb"), MultiGroup(), AllowAnySourceInSSM())
				port := r.Group().Port()
				var ps []datagram.Packet
				want := make(map[string]int)
				add := func(g, src netip.Addr, wanted bool) {
					p := to(fmt.Sprintf("%s@%s", src, g), g, port)
					if src.IsValid() {
						p.Src = netip.AddrPortFrom(src, 0)
					}
					ps = append(ps, p)
					if wanted {
						want[string(p.Data)]++
					}
				}
				for k := range 20 {
					in, out := numbered(tt.group, k*(tt.groups-1)/19), numbered(tt.group, tt.groups+k)
					for _, g := range []netip.Addr{in, out} {
						if err := by.Join(group.Channel{Group: g}); err != nil && !errors.Is(err, ErrJoined) {
							t.Fatal(err)
						}
					}
					if tt.sources == 0 {
						add(in, netip.Addr{}, true)
						add(out, netip.Addr{}, false)
						continue
					}
					src := numbered(tt.source, 5+k*(tt.sources-1)/19)
					add(in, src, true)
					add(in, numbered(tt.source, 6+tt.sources+k), false)
					add(out, src, false)
				}
				a.addAddresses(t, "va", ps)
				send(t, s, ps...)
				for _, p := range receive(t, r, 20) {
					if want[string(p.Data)]--; want[string(p.Data)] < 0 {
						t.Errorf("%s was not sent, or once only", p.Data)
					}
				}
				wantSilence(t, r)
				foreign := uint64(0)
				if mode.name == "funnel" {
					foreign = uint64(len(ps) - 20)
				}
				if n := r.Stats().Foreign; n != foreign {
					t.Errorf("%d foreign packets, want %d", n, foreign)
				}
				if tt.sources > 0 {
					f, err := r.Filter(numbered(tt.group, 0))
					if err != nil || f.Mode != group.Include || len(f.Sources) != tt.sources {
						t.Errorf("the kernel's filter has %d sources, %v; want %d", len(f.Sources), err, tt.sources)
					}
				}
				if ms := r.Memberships(); len(ms) != tt.groups+1 {
					t.Errorf("%d memberships, want %d", len(ms), tt.groups+1)
				}
				if got := len(b.kernel(t).users); got < tt.groups {
					t.Errorf("the kernel has %d groups", got)
				}
				// Left, everything is given back.
				for i := range tt.groups {
					if err := r.SetFilter(numbered(tt.group, i), group.Filter{}); err != nil {
						t.Fatal(err)
					}
				}
				send(t, s, append(ps, text("the group"))...)
				wantData(t, receive(t, r, 1), "the group")
				wantSilence(t, r)
				if len(pool.holders) != 1 {
					t.Errorf("%d sockets are left", len(pool.holders))
				}
			})
		}
	}
}

// One reader stays in its call while sockets come and go under it; nothing is lost or
// delivered twice, deadlines hold, and no socket is left.
func TestLabShardsComeAndGo(t *testing.T) {
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			a, b := newNS(t), newNS(t)
			link(t, a, b, "va", "vb", 1)
			r := b.open(t, openSocket, listen, f.group+":5004", Interface("vb"), MultiGroup())
			s := a.open(t, openSocket, dial, f.group+":5004", Interface("va"))
			pool := &r.sock.(*sockLinux).pool
			format, n := "239.2.%d.%d", 50
			if f.name == "IPv6" {
				format, n = "ff15::2:%x:%x", 2600
			}
			got := make(chan string, 100)
			go func() {
				defer close(got)
				ps := spaces(3, 100)
				for {
					n, err := r.ReadBatch(ps)
					if err != nil {
						return
					}
					for _, p := range ps[:n] {
						got <- string(p.Data)
					}
				}
			}()
			want := func(data string) {
				t.Helper()
				select {
				case d := <-got:
					if d != data {
						t.Fatalf("got %q, want %q", d, data)
					}
				case <-time.After(5 * time.Second):
					t.Fatalf("%q does not arrive", data)
				}
			}
			fds, goroutines := resources()
			for round := range 3 {
				send(t, s, text("alone"))
				want("alone")
				for i := range n {
					if err := r.Join(group.Channel{Group: numbered(format, i)}); err != nil {
						t.Fatal(err)
					}
				}
				if len(pool.holders) < 2 {
					t.Fatal("one socket holds them all")
				}
				for i := 0; i < n; i += n / 10 {
					send(t, s, to(fmt.Sprint(i), numbered(format, i), 5004))
					want(fmt.Sprint(i))
				}
				send(t, s, text("first"))
				want("first")
				// A place that comes free is used again.
				sockets := len(pool.holders)
				for i := range 5 {
					ch := group.Channel{Group: numbered(format, i)}
					if err := errors.Join(r.Leave(ch), r.Join(ch)); err != nil {
						t.Fatal(err)
					}
				}
				if len(pool.holders) != sockets {
					t.Errorf("round %d: %d sockets became %d", round, sockets, len(pool.holders))
				}
				for i := range n {
					if err := r.Leave(group.Channel{Group: numbered(format, (i*7)%n)}); err != nil && n%7 != 0 {
						t.Fatal(err)
					}
				}
				send(t, s, to("left", numbered(format, 3), 5004), text("last"))
				want("last")
				if len(pool.holders) != 1 {
					t.Errorf("%d sockets are left", len(pool.holders))
				}
			}
			wantResources(t, fds, goroutines)
			r.Close()
			for range got {
			}
		})
	}
}

// The single-packet API, deadlines, contexts and receive offload over many sockets.
func TestLabShardsRead(t *testing.T) {
	a, b := newNS(t), newNS(t)
	link(t, a, b, "va", "vb", 1)
	r := b.open(t, openSocket, listen, "239.255.3.1:5004", Interface("vb"), MultiGroup())
	s := a.open(t, openSocket, dial, "239.255.3.1:5004", Interface("va"))
	for i := range 200 {
		if err := r.Join(group.Channel{Group: numbered("239.2.%d.%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	r.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if _, err := r.ReadBatch(spaces(1, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	r.SetReadDeadline(time.Time{})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	for _, err := range r.Packets(ctx) {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("context: %v", err)
		}
	}
	// Runs to many sockets, read with space for offload and without, one by one and
	// in batches.
	run := datagram.Packet{Data: make([]byte, 20*1000), SegSize: 1000}
	total := func() {
		for i := range 200 {
			run.Dst = netip.AddrPortFrom(numbered("239.2.%d.%d", i), 5004)
			send(t, s, run)
		}
	}
	for round, size := range []int{OffloadSpace, 1500, OffloadSpace} {
		total()
		got, ps := make(map[netip.Addr]int), spaces(BatchSize, size)
		for n := 0; n < 4000; {
			k, err := r.ReadBatch(ps)
			if err != nil {
				t.Fatal(err)
			}
			for i := range ps[:k] {
				n += ps[i].Segments()
				got[ps[i].Dst.Addr()] += ps[i].Segments()
			}
		}
		for g, n := range got {
			if n != 20 {
				t.Fatalf("round %d: %d of 20 from %v", round, n, g)
			}
		}
	}
	send(t, s, to("ab", numbered("239.2.%d.%d", 100), 5004), to("long", numbered("239.2.%d.%d", 7), 5004))
	for range 2 {
		p, err := r.sock.read(make([]byte, 3))
		if err != nil || string(p.Data) != "ab" && (string(p.Data) != "lon" || !p.Truncated) {
			t.Errorf("read %q, truncated %v, %v", p.Data, p.Truncated, err)
		}
	}
	wantSilence(t, r)
	if st := r.Stats(); st.Foreign+st.Truncated+st.Dropped != 0 {
		t.Errorf("stats %+v", st)
	}
	// A busy group must not starve the others.
	for range 300 {
		send(t, s, to("busy", numbered("239.2.%d.%d", 0), 5004))
	}
	send(t, s, to("rare", numbered("239.2.%d.%d", 199), 5004))
	ps := spaces(16, 100)
	for n := 0; ; {
		k, err := r.ReadBatch(ps)
		if err != nil {
			t.Fatal(err)
		}
		n += k
		for _, p := range ps[:k] {
			if string(p.Data) == "rare" {
				return
			}
		}
		if n > 100 {
			t.Fatal("a group that is rare waits for one that is busy")
		}
	}
}

func TestLabShardsNoAllocations(t *testing.T) {
	a, b := newNS(t), newNS(t)
	link(t, a, b, "va", "vb", 1)
	r := b.open(t, openSocket, listen, "239.255.3.1:5004", Interface("vb"), MultiGroup())
	s := a.open(t, openSocket, dial, "239.255.3.1:5004", Interface("va"))
	var out []datagram.Packet
	for i := range 60 {
		g := numbered("239.2.%d.%d", i)
		if err := r.Join(group.Channel{Group: g}); err != nil {
			t.Fatal(err)
		}
		out = append(out, to("x", g, 5004))
	}
	ps := spaces(BatchSize, 100)
	if n := testing.AllocsPerRun(50, func() {
		send(t, s, out...)
		for n := 0; n < len(out); {
			k, err := r.ReadBatch(ps)
			if err != nil {
				t.Fatal(err)
			}
			n += k
		}
	}); n != 0 {
		t.Errorf("%v allocations for 60 packets of 4 sockets", n)
	}
}
