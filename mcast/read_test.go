//go:build linux

package mcast

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

var (
	_ io.Writer = (*Conn)(nil)
	_ net.Error = (*OpError)(nil)
)

func TestReadWrite(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		c := mustOpen(t, open, both, loAddr("239.255.8.1"), onLo)
		for _, s := range []string{"one", "", "a longer one", "two"} {
			if n, err := c.Write([]byte(s)); n != len(s) || err != nil {
				t.Fatalf("Write(%q) = %d, %v", s, n, err)
			}
		}
		b := make([]byte, 5)
		for _, want := range []struct {
			data      string
			truncated bool
		}{{"one", false}, {"", false}, {"a lon", true}, {"two", false}} {
			p, err := c.Read(b)
			if err != nil || string(p.Data) != want.data || p.Truncated != want.truncated {
				t.Errorf("Read = %q, truncated %v, %v; want %q, %v", p.Data, p.Truncated, err, want.data, want.truncated)
			}
			if p.Src != c.LocalAddr() || p.Dst != c.Group() || p.IfIndex != c.Interface().Index || p.SegSize != 0 {
				t.Errorf("metadata %v → %v on %d", p.Src, p.Dst, p.IfIndex)
			}
			if c.Capabilities().Timestamps && time.Since(p.Time).Abs() > time.Minute {
				t.Errorf("arrival time %v is not now", p.Time)
			}
			if len(p.Data) > 0 && &p.Data[0] != &b[0] {
				t.Error("Data is not the slice that was given")
			}
		}
		if n := c.Stats().Truncated; n != 0 {
			t.Errorf("%d counted as dropped, want none", n)
		}
		// ReadBatch drops it instead.
		send(t, c, text("a longer one"), text("end"))
		ps := []datagram.Packet{{Data: make([]byte, 0, 5)}}
		if n, err := c.ReadBatch(ps); n != 1 || err != nil || string(ps[0].Data) != "end" || ps[0].Truncated || c.Stats().Truncated != 1 {
			t.Errorf("%d, %v, %q, %d truncated", n, err, ps[0].Data, c.Stats().Truncated)
		}
		if _, err := c.Read(nil); !errors.Is(err, ErrNoSpace) {
			t.Errorf("Read without space: %v", err)
		}
	})
}

func TestReadWriteRefused(t *testing.T) {
	addr := loAddr("239.255.8.2")
	l, d := mustOpen(t, openSocket, listen, addr, onLo), mustOpen(t, openSocket, dial, addr, onLo)
	if _, err := l.Write([]byte("x")); !errors.Is(err, ErrReceiveOnly) {
		t.Errorf("Write after Listen: %v", err)
	}
	if _, err := d.Read(make([]byte, 9)); !errors.Is(err, ErrSendOnly) {
		t.Errorf("Read after Dial: %v", err)
	}
	if _, err := d.Write(make([]byte, 70_000)); !errors.Is(err, ErrTooLong) {
		t.Errorf("Write of 70,000 bytes: %v", err)
	}
}

// All ways to read get what comes, each datagram once, whichever came before and
// whether it was coalesced or not.
func TestReadsMixed(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		c := mustOpen(t, open, both, loAddr("239.255.8.3"), onLo)
		large, small := spaces(4, OffloadSpace), spaces(3, 1000)
		b := make([]byte, 1000)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		next, sent := 0, 0
		check := func(p datagram.Packet, way string) {
			t.Helper()
			for rest := p.Data; ; {
				size := len(rest)
				if p.SegSize > 0 {
					size = min(size, p.SegSize)
				}
				if want := fmt.Sprintf("%0100d", next); string(rest[:size]) != want {
					t.Fatalf("%s: got %q, want number %d", way, rest[:size], next)
				}
				next++
				if rest = rest[size:]; len(rest) == 0 {
					return
				}
			}
		}
		batch := func(ps []datagram.Packet, way string) {
			n, err := c.ReadBatch(ps)
			if err != nil {
				t.Fatal(way, err)
			}
			for i := range ps[:n] {
				check(ps[i], way)
			}
		}
		for step := range 60 {
			if sent-next < 40 {
				run := datagram.Packet{SegSize: 100}
				for range 30 {
					run.Data = fmt.Appendf(run.Data, "%0100d", sent)
					sent++
				}
				send(t, c, run)
			}
			switch step % 5 {
			case 0:
				p, err := c.Read(b)
				if err != nil {
					t.Fatal(err)
				}
				check(p, "Read")
			case 1, 3:
				for p, err := range c.Packets(ctx) {
					if err != nil {
						t.Fatal(err)
					}
					check(p, "Packets")
					if next%7 == 0 {
						break
					}
					if next == sent {
						break
					}
				}
			case 2:
				batch(small, "ReadBatch")
			case 4:
				batch(large, "ReadBatch with space for offload")
			}
		}
		for next < sent {
			batch(small, "the rest")
		}
		wantSilence(t, c)
	})
}

// A read inside the body of a loop takes what the loop does not have yet.
func TestReadInsideLoop(t *testing.T) {
	c := mustOpen(t, openSocket, both, loAddr("239.255.8.4"), onLo)
	send(t, c, text("1"))
	for p, err := range c.Packets(t.Context()) {
		if err != nil || string(p.Data) != "1" {
			t.Fatalf("%q, %v", p.Data, err)
		}
		send(t, c, text("2"))
		b := make([]byte, 10)
		if q, err := c.Read(b); err != nil || string(q.Data) != "2" || string(p.Data) != "1" {
			t.Errorf("%q, %v, and the loop's packet is %q", q.Data, err, p.Data)
		}
		break
	}
}

// calls are all calls that block, under a name.
var readCalls = map[string]func(c *Conn) error{
	"Read":      func(c *Conn) error { _, err := c.Read(make([]byte, 10)); return err },
	"ReadBatch": func(c *Conn) error { _, err := c.ReadBatch(spaces(1, 10)); return err },
	"Packets": func(c *Conn) error {
		for _, err := range c.Packets(context.Background()) {
			return err
		}
		return nil
	},
	"Packets with context": func(c *Conn) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for _, err := range c.Packets(ctx) {
			return err
		}
		return nil
	},
	"ReadFrom": func(c *Conn) error { _, _, err := c.PacketConn().ReadFrom(make([]byte, 10)); return err },
}

func wantTimeout(t *testing.T, what string, err error) {
	t.Helper()
	var ne net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("%s: %v, want a timeout", what, err)
	}
}

func TestReadDeadline(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		for name, call := range readCalls {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := mustOpen(t, open, both, loAddr("239.255.8.5"), onLo)
				c.SetReadDeadline(time.Now().Add(-time.Second))
				wantTimeout(t, "past", call(c))
				c.SetDeadline(time.Now().Add(20 * time.Millisecond))
				start := time.Now()
				wantTimeout(t, "soon", call(c))
				if d := time.Since(start); d < 15*time.Millisecond || d > 5*time.Second {
					t.Errorf("timed out after %v, want 20 ms", d)
				}
				wantTimeout(t, "still", call(c))
				// Set while the call is blocked.
				c.SetReadDeadline(time.Time{})
				time.AfterFunc(20*time.Millisecond, func() { c.SetReadDeadline(time.Now()) })
				wantTimeout(t, "set later", call(c))
				// And taken off.
				c.SetDeadline(time.Time{})
				send(t, c, text("x"))
				if err := call(c); err != nil {
					t.Errorf("without a deadline: %v", err)
				}
			})
		}
	})
}

func TestCloseUnblocksReads(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		for name, call := range readCalls {
			c := mustOpen(t, open, both, loAddr("239.255.8.6"), onLo)
			time.AfterFunc(5*time.Millisecond, func() { c.Close() })
			if err := call(c); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v, want net.ErrClosed", name, err)
			}
			if err := call(c); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s after Close: %v", name, err)
			}
			if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Write after Close: %v", err)
			}
			if err := c.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("SetDeadline after Close: %v", err)
			}
		}
	})
}

// A loop that is cancelled wakes by the socket's deadline. Neither other readers nor
// the user's deadline may notice.
func TestCancelLeavesDeadlineAlone(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		c := mustOpen(t, open, both, loAddr("239.255.8.7"), onLo)
		read := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 10))
			read <- err
		}()
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			for _, err := range c.Packets(ctx) {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
			}
			cancel()
		}
		select {
		case err := <-read:
			t.Fatalf("the other reader returned %v", err)
		default:
		}
		send(t, c, text("x"))
		if err := <-read; err != nil {
			t.Error(err)
		}
		// The user's deadline outlives a cancelled loop.
		c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		for _, err := range c.Packets(ctx) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		_, err := c.Read(make([]byte, 10))
		wantTimeout(t, "after a cancelled loop", err)
	})
}

func TestPacketConn(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		addr := loAddr("239.255.8.8")
		c := mustOpen(t, open, both, addr, onLo, Unicast())
		d := mustOpen(t, open, dial, addr, onLo, Unicast())
		pc, pd := c.PacketConn(), d.PacketConn()
		group, err := net.ResolveUDPAddr("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		for _, to := range []net.Addr{nil, group, otherAddr(addr)} {
			if n, err := pd.WriteTo([]byte("question"), to); n != 8 || err != nil {
				t.Fatalf("WriteTo %v: %d, %v", to, n, err)
			}
			n, from, err := pc.ReadFrom(b)
			if err != nil || string(b[:n]) != "question" {
				t.Fatalf("%q, %v", b[:n], err)
			}
			if from.String() != pd.LocalAddr().String() || from.Network() != "udp" {
				t.Errorf("from %v, want %v", from, pd.LocalAddr())
			}
			// The answer goes to that address.
			if _, err := pc.WriteTo([]byte("answer"), from); err != nil {
				t.Fatal(err)
			}
			if n, from, err := pd.ReadFrom(b); err != nil || string(b[:n]) != "answer" || from.String() != pc.LocalAddr().String() {
				t.Errorf("%q from %v, %v; want an answer from %v", b[:n], from, err, pc.LocalAddr())
			}
		}
		// Cut without an error, as in package net.
		pd.WriteTo([]byte("longer"), nil)
		if n, _, err := pc.ReadFrom(b[:3]); n != 3 || err != nil || string(b[:3]) != "lon" {
			t.Errorf("%q, %v", b[:n], err)
		}
		for _, to := range []net.Addr{&net.UDPAddr{Port: 9}, otherAddr("localhost:9")} {
			if _, err := pd.WriteTo([]byte("x"), to); !errors.Is(err, ErrAddress) {
				t.Errorf("WriteTo %v: %v, want ErrAddress", to, err)
			}
		}
		pc.SetDeadline(time.Now().Add(-1))
		_, _, err = pc.ReadFrom(b)
		wantTimeout(t, "ReadFrom", err)
		_, err = pc.WriteTo(b, nil)
		wantTimeout(t, "WriteTo", err)
		pc.Close()
		if _, _, err := pc.ReadFrom(b); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

type otherAddr string

func (a otherAddr) Network() string { return "other" }
func (a otherAddr) String() string  { return string(a) }

// Reading and writing one at a time allocates nothing either, coalesced or not.
func TestNoAllocationsSingle(t *testing.T) {
	c := mustOpen(t, openSocket, both, loAddr("239.255.8.9"), onLo)
	b, out := make([]byte, 1500), bytes.Repeat([]byte("x"), 200)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	small := spaces(4, 1500)
	run := []datagram.Packet{{Data: make([]byte, 20*200), SegSize: 200}}
	for _, tt := range []struct {
		what string
		f    func() error
	}{
		{"Write and Read", func() error {
			if _, err := c.Write(out); err != nil {
				return err
			}
			_, err := c.Read(b)
			return err
		}},
		{"Write and Read with offload on", func() error {
			if _, err := c.Write(out); err != nil {
				return err
			}
			_, err := c.Read(b)
			return err
		}},
		{"a run and Read", func() error {
			_, err := c.WriteBatch(run)
			for i := 0; i < 20 && err == nil; i++ {
				_, err = c.Read(b)
			}
			return err
		}},
		{"a run and ReadBatch with little space", func() error {
			_, err := c.WriteBatch(run)
			for i := 0; i < 5 && err == nil; i++ {
				_, err = c.ReadBatch(small)
			}
			return err
		}},
	} {
		var err error
		if n := testing.AllocsPerRun(100, func() { err = errors.Join(err, tt.f()) }); n != 0 || err != nil {
			t.Errorf("%s: %v allocations, %v; want none", tt.what, n, err)
		}
		if tt.what == "Write and Read" {
			// Switches receive offload on.
			send(t, c, text("x"))
			for _, err := range c.Packets(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			// The first read after that allocates the space for it.
			send(t, c, text("x"))
			c.Read(b)
		}
	}
}
