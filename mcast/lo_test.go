//go:build linux

package mcast

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// The tests of this file run on the loopback interface over IPv4, unprivileged,
// and over both sockets: the one of this system and the portable one.

type opener func(*config, *members, *counters) (socket, error)

func bothSockets(t *testing.T, f func(t *testing.T, open opener)) {
	t.Run("system", func(t *testing.T) { f(t, openSocket) })
	t.Run("portable", func(t *testing.T) { f(t, openPortable) })
}

var nextPort atomic.Uint32

// loAddr returns a group with a port that no other test, and hardly another run of
// the tests, uses.
func loAddr(group string) string {
	return fmt.Sprintf("%s:%d", group, 20000+(uint32(os.Getpid())*61+nextPort.Add(1))%20000)
}

func mustOpen(t *testing.T, open opener, mode config, addr string, opts ...Option) *Conn {
	t.Helper()
	cfg := defaults()
	cfg.join, cfg.send = mode.join, mode.send
	c, err := openConn(context.Background(), addr, opts, &cfg, open)
	if err != nil {
		t.Fatalf("open %s: %v", addr, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

var (
	both   = config{join: true, send: true}
	listen = config{join: true}
	dial   = config{send: true}
	onLo   = Interface("lo")
)

func send(t *testing.T, c *Conn, ps ...datagram.Packet) {
	t.Helper()
	if n, err := c.WriteBatch(ps); n != len(ps) || err != nil {
		t.Fatalf("WriteBatch = %d, %v; want %d", n, err, len(ps))
	}
}

func text(s string) datagram.Packet { return datagram.Packet{Data: []byte(s)} }

// receive returns the next n datagrams, with data of their own.
func receive(t *testing.T, c *Conn, n int) []datagram.Packet {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var got []datagram.Packet
	if n == 0 {
		return nil
	}
	for p, err := range c.Packets(ctx) {
		if err != nil {
			t.Fatalf("after %d of %d packets: %v", len(got), n, err)
		}
		p.Data = bytes.Clone(p.Data)
		if got = append(got, p); len(got) == n {
			break
		}
	}
	return got
}

func wantData(t *testing.T, ps []datagram.Packet, want ...string) {
	t.Helper()
	for i, p := range ps {
		if string(p.Data) != want[i] {
			t.Errorf("packet %d is %.40q, want %.40q", i, p.Data, want[i])
		}
	}
}

// wantSilence checks that nothing arrives. To wait is all that can be done; what is
// sent over lo is queued before the send returns, so the wait can be short.
func wantSilence(t *testing.T, c *Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	for p, err := range c.Packets(ctx) {
		if err == nil {
			t.Errorf("unwanted packet %.40q from %s to %s", p.Data, p.Src, p.Dst)
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
}

func TestSendReceive(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		c := mustOpen(t, open, both, loAddr("239.255.7.1"), onLo, TTL(0))
		send(t, c, text("one"), text(""), datagram.Packet{Data: []byte("aabbc"), SegSize: 2}, text("two"))
		ps := receive(t, c, 6)
		wantData(t, ps, "one", "", "aa", "bb", "c", "two")
		for _, p := range ps {
			if p.Src != c.LocalAddr() || p.Dst != c.Group() || p.IfIndex != c.Interface().Index || p.SegSize != 0 {
				t.Errorf("metadata %v → %v on %d, want %v → %v on %d", p.Src, p.Dst, p.IfIndex, c.LocalAddr(), c.Group(), c.Interface().Index)
			}
			if c.Capabilities().Timestamps && time.Since(p.Time).Abs() > time.Minute {
				t.Errorf("arrival time %v is not now", p.Time)
			}
		}
		if c.LocalAddr().Addr() != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("LocalAddr %v, want lo's own address", c.LocalAddr())
		}
		if s := c.Stats(); s != (Stats{}) {
			t.Errorf("stats %+v, want none", s)
		}
	})
}

func TestDialListen(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		addr := loAddr("239.255.7.2")
		r := mustOpen(t, open, listen, addr, onLo)
		s := mustOpen(t, open, dial, addr, onLo, TOS(0x28))
		send(t, s, text("hello"))
		p := receive(t, r, 1)[0]
		if string(p.Data) != "hello" || p.Src != s.LocalAddr() || p.HopLimit != 1 {
			t.Errorf("got %q from %v hop limit %d, want hello from %v, 1", p.Data, p.Src, p.HopLimit, s.LocalAddr())
		}
		if s.LocalAddr().Port() == r.Group().Port() {
			t.Error("a sender took the group's port")
		}
		if r.Capabilities().TOS && p.TOS != 0x28 {
			t.Errorf("TOS %#x, want 0x28", p.TOS)
		}
		if _, err := r.WriteBatch([]datagram.Packet{text("x")}); !errors.Is(err, ErrReceiveOnly) {
			t.Errorf("write on Listen: %v", err)
		}
		if _, err := s.ReadBatch(make([]datagram.Packet, 1)); !errors.Is(err, ErrSendOnly) {
			t.Errorf("read on Dial: %v", err)
		}
		if err := s.Join(group.Channel{Group: r.Group().Addr()}); !errors.Is(err, ErrSendOnly) {
			t.Errorf("join on Dial: %v", err)
		}
	})
}

func TestPerPacketSettings(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		c := mustOpen(t, open, both, loAddr("239.255.7.3"), onLo, TTL(1))
		p := text("a")
		p.HopLimit, p.TOS, p.Src, p.IfIndex = 7, 0xb8, netip.MustParseAddrPort("127.0.0.9:0"), c.Interface().Index
		send(t, c, p, text("b"))
		ps := receive(t, c, 2)
		if ps[0].HopLimit != 7 || ps[0].Src.Addr() != p.Src.Addr() || c.Capabilities().TOS && ps[0].TOS != 0xb8 {
			t.Errorf("got hop limit %d, TOS %#x, source %v; want 7, 0xb8, 127.0.0.9", ps[0].HopLimit, ps[0].TOS, ps[0].Src)
		}
		if ps[1].HopLimit != 1 || ps[1].TOS != 0 || ps[1].Src != c.LocalAddr() {
			t.Errorf("the next packet kept them: hop limit %d, TOS %#x, source %v", ps[1].HopLimit, ps[1].TOS, ps[1].Src)
		}
	})
}

func TestLoopbackOff(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		// The loopback interface itself loops, so the option shows on it only
		// as the packet arriving once, not twice.
		c := mustOpen(t, open, both, loAddr("239.255.7.4"), onLo, Loopback(false))
		send(t, c, text("x"))
		for _, p := range receive(t, c, 1) {
			wantData(t, []datagram.Packet{p}, "x")
		}
		wantSilence(t, c)
	})
}

// Two groups at one port: neither socket hears the other's, whoever joined first.
func TestGroupsDoNotLeak(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		addr := loAddr("239.255.7.5")
		port := addr[len("239.255.7.5"):]
		a := mustOpen(t, open, both, addr, onLo)
		b := mustOpen(t, open, both, "239.255.7.6"+port, onLo)
		m := mustOpen(t, open, listen, addr, onLo, MultiGroup())
		send(t, a, text("a"))
		send(t, b, text("b"))
		wantData(t, receive(t, a, 1), "a")
		wantData(t, receive(t, b, 1), "b")
		wantData(t, receive(t, m, 1), "a")
		wantSilence(t, a)
		wantSilence(t, b)
		wantSilence(t, m)
		if !a.Capabilities().BindGroup && a.Stats().Foreign != 1 {
			t.Errorf("%d foreign packets counted, want 1", a.Stats().Foreign)
		}
	})
}

func TestJoinLeave(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		addr := loAddr("239.255.7.7")
		port := netip.MustParseAddrPort(addr).Port()
		second := netip.MustParseAddr("239.255.7.8")
		c := mustOpen(t, open, both, addr, onLo, MultiGroup())
		to2 := func(s string) datagram.Packet {
			return datagram.Packet{Data: []byte(s), Dst: netip.AddrPortFrom(second, port)}
		}
		send(t, c, to2("before"), text("first"))
		wantData(t, receive(t, c, 1), "first")

		if err := c.Join(group.Channel{Group: second}); err != nil {
			t.Fatal(err)
		}
		send(t, c, to2("joined"), text("first"))
		ps := receive(t, c, 2)
		wantData(t, ps, "joined", "first")
		if ps[0].Dst.Addr() != second {
			t.Errorf("Dst %v, want %v", ps[0].Dst, second)
		}
		if err := c.Join(group.Channel{Group: second}); !errors.Is(err, ErrJoined) {
			t.Errorf("second join: %v", err)
		}
		mixed := group.Channel{Group: second, Source: netip.MustParseAddr("127.0.0.1")}
		if err := c.Join(mixed); !errors.Is(err, ErrMixedFilter) {
			t.Errorf("join from a source as well: %v", err)
		}
		if err := c.Leave(mixed); !errors.Is(err, ErrNotJoined) {
			t.Errorf("leave what was not joined: %v", err)
		}

		send(t, c, to2("queued"))
		if err := c.Leave(group.Channel{Group: second}); err != nil {
			t.Fatal(err)
		}
		send(t, c, to2("left"), text("first"))
		wantData(t, receive(t, c, 1), "first")
		if err := c.Leave(group.Channel{Group: c.Group().Addr()}); err != nil {
			t.Fatal(err)
		}
		send(t, c, text("left too"))
		wantSilence(t, c)
	})
}

func TestJoinErrors(t *testing.T) {
	c := mustOpen(t, openSocket, both, loAddr("239.255.7.9"), onLo)
	for _, tt := range []struct {
		ch   string
		want error
	}{
		{"239.255.7.10", ErrSingleGroup},
		{"232.255.7.10", ErrNeedSource},
		{"ff15::1", ErrFamily},
	} {
		ch, err := group.ParseChannel(tt.ch)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Join(ch); !errors.Is(err, tt.want) {
			t.Errorf("join %s: %v, want %v", ch, err, tt.want)
		}
	}
	for _, tt := range []struct {
		group, source string
		want          error
	}{
		{"127.0.0.1", "", ErrNotMulticast},
		{"239.255.7.9", "239.255.7.1", ErrBadSource},
		{"239.255.7.9", "::1", ErrBadSource},
	} {
		ch := group.Channel{Group: netip.MustParseAddr(tt.group)}
		if tt.source != "" {
			ch.Source = netip.MustParseAddr(tt.source)
		}
		if err := c.Join(ch); !errors.Is(err, tt.want) {
			t.Errorf("join %s: %v, want %v", ch, err, tt.want)
		}
	}
	zone := group.Channel{Group: netip.MustParseAddr("ff12::1%nosuch")}
	if err := c.Join(zone); !errors.Is(err, ErrNoInterface) {
		t.Errorf("join in another zone: %v", err)
	}
	if err := c.Join(group.Channel{}); !errors.Is(err, ErrNotMulticast) {
		t.Errorf("join nothing: %v", err)
	}
}

// lo owns all of 127.0.0.0/8, so it has as many senders as a test wants.
func TestSourceFilter(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		addr := loAddr("232.255.7.1")
		s := mustOpen(t, open, dial, addr, onLo)
		r1 := mustOpen(t, open, listen, addr, onLo, Source("127.0.0.1"))
		r23 := mustOpen(t, open, listen, addr, onLo, Source("127.0.0.2"), Source("127.0.0.3"))
		all := mustOpen(t, open, listen, addr, onLo, AllowAnySourceInSSM())
		from := func(n byte) datagram.Packet {
			return datagram.Packet{Data: []byte{'0' + n}, Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, n}), 0)}
		}
		send(t, s, from(4), from(1), from(2), from(3), from(1))
		wantData(t, receive(t, r1, 2), "1", "1")
		wantData(t, receive(t, r23, 2), "2", "3")
		wantData(t, receive(t, all, 5), "4", "1", "2", "3", "1")
		wantSilence(t, r1)
		wantSilence(t, r23)

		ch := group.Channel{Group: r23.Group().Addr(), Source: netip.MustParseAddr("127.0.0.3")}
		if err := r23.Leave(ch); err != nil {
			t.Fatal(err)
		}
		ch.Source = netip.MustParseAddr("127.0.0.4")
		if err := r23.Join(ch); err != nil {
			t.Fatal(err)
		}
		send(t, s, from(3), from(4), from(2))
		wantData(t, receive(t, r23, 2), "4", "2")
		wantSilence(t, r23)
	})
}

func TestUnicast(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		addr := loAddr("239.255.7.11")
		r := mustOpen(t, open, both, addr, onLo)
		s := mustOpen(t, open, dial, addr, onLo, Unicast())
		send(t, s, text("question"))
		q := receive(t, r, 1)[0]
		send(t, r, datagram.Packet{Data: []byte("answer"), Dst: q.Src})
		a := receive(t, s, 1)[0]
		if string(a.Data) != "answer" || a.Dst.Addr() != q.Src.Addr() || a.Src.Port() != r.Group().Port() {
			t.Errorf("got %q from %v to %v, want answer from port %d to %v", a.Data, a.Src, a.Dst, r.Group().Port(), q.Src)
		}

		// A connection bound to its group hears no unicast; with Unicast, its
		// port does.
		b := mustOpen(t, open, both, addr, onLo, Unicast())
		send(t, s, datagram.Packet{Data: []byte("direct"), Dst: netip.AddrPortFrom(b.LocalAddr().Addr(), b.Group().Port())})
		wantData(t, receive(t, b, 1), "direct")
		wantSilence(t, r)
	})
}

func TestTruncated(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		c := mustOpen(t, open, both, loAddr("239.255.7.12"), onLo)
		send(t, c, text("fits"), text("too long"), text("also"), text("too long"), text("end"))
		got := make([]string, 0, 3)
		seen := map[*byte]bool{}
		for len(got) < 3 {
			ps := make([]datagram.Packet, 5)
			for i := range ps {
				ps[i].Data = make([]byte, 0, 4)
			}
			n, err := c.ReadBatch(ps)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range ps[:n] {
				got = append(got, string(p.Data))
			}
			// Packets may trade space, but each must end up with one.
			for _, p := range ps {
				d := p.Data[:4]
				if seen[&d[0]] {
					t.Error("two packets share one buffer")
				}
				seen[&d[0]] = true
			}
		}
		if got[0] != "fits" || got[1] != "also" || got[2] != "end" {
			t.Errorf("got %q", got)
		}
		if n := c.Stats().Truncated; n != 2 {
			t.Errorf("%d truncated packets counted, want 2", n)
		}
		if _, err := c.ReadBatch(make([]datagram.Packet, 1)); !errors.Is(err, ErrNoSpace) {
			t.Errorf("read without space: %v", err)
		}
		if n, err := c.ReadBatch(nil); n != 0 || err != nil {
			t.Errorf("read of no packets: %d, %v", n, err)
		}
	})
}

func TestCloseWakesReader(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		c := mustOpen(t, open, both, loAddr("239.255.7.13"), onLo)
		done := make(chan error)
		go func() {
			_, err := c.ReadBatch([]datagram.Packet{{Data: make([]byte, 100)}})
			done <- err
		}()
		time.Sleep(20 * time.Millisecond) // let it block; both orders must work
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		select {
		case err := <-done:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("reader got %v, want net.ErrClosed", err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("reader did not wake up")
		}
		if err := c.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		if _, err := c.WriteBatch([]datagram.Packet{text("x")}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after Close: %v", err)
		}
		if err := c.Join(group.Channel{Group: c.Group().Addr(), Source: netip.MustParseAddr("127.0.0.1")}); err == nil {
			t.Error("join after Close succeeded")
		}
		for _, err := range c.Packets(context.Background()) {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("Packets after Close: %v", err)
			}
		}
	})
}

func TestPacketsContext(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		c := mustOpen(t, open, both, loAddr("239.255.7.14"), onLo)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(20*time.Millisecond, cancel)
		steps := 0
		for p, err := range c.Packets(ctx) {
			if steps++; !errors.Is(err, context.Canceled) || p.Data != nil {
				t.Errorf("step %d: %v", steps, err)
			}
		}
		if steps != 1 {
			t.Errorf("%d steps, want one with the error", steps)
		}
		// Neither the context nor leaving a loop may harm the next one.
		send(t, c, text("a"), text("b"), datagram.Packet{Data: []byte("cde"), SegSize: 1}, text("f"))
		wantData(t, receive(t, c, 1), "a")
		wantData(t, receive(t, c, 2), "b", "c")
		wantData(t, receive(t, c, 3), "d", "e", "f")
	})
}

func TestReadWriteAtOnce(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		c := mustOpen(t, open, both, loAddr("239.255.7.15"), onLo)
		const n = 2000
		errs := make(chan error, 1)
		go func() {
			for i := range n {
				if _, err := c.WriteBatch([]datagram.Packet{text(fmt.Sprint(i))}); err != nil {
					errs <- err
					return
				}
				if i%50 == 49 {
					c.Stats()
					c.Capabilities()
					time.Sleep(time.Millisecond) // a plain user's buffer is small
				}
			}
			errs <- nil
		}()
		for i, p := range receive(t, c, n) {
			if string(p.Data) != fmt.Sprint(i) {
				t.Fatalf("packet %d is %q", i, p.Data)
			}
		}
		if err := <-errs; err != nil {
			t.Error(err)
		}
	})
}
