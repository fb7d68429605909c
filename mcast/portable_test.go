//go:build linux

package mcast

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// openPoor is the portable socket on a system without control messages either way
// and without joins by source.
func openPoor(cfg *config, m *members, count *counters) (socket, error) {
	p := systemABI.ip4
	p.pktinfo, p.recvHops, p.recvTOS, p.sendSource, p.sendInterface = message{}, message{}, message{}, false, false
	a := abi{
		groupAt: systemABI.groupAt, cmsgLen: systemABI.cmsgLen, cmsgAlign: systemABI.cmsgAlign,
		joinGroup: systemABI.joinGroup, leaveGroup: systemABI.leaveGroup, ip4: p,
	}
	return openPortableOn(&a, cfg, m, count)
}

// openXNet is the portable socket as it is on systems without an abi.
func openXNet(cfg *config, m *members, count *counters) (socket, error) {
	return openPortableOn(nil, cfg, m, count)
}

func TestPortableWithoutControlMessages(t *testing.T) {
	c := mustOpen(t, openPoor, both, loAddr("239.255.10.1"), onLo)
	if caps := c.Capabilities(); caps != (Capabilities{Batch: 1}) {
		t.Errorf("capabilities %+v, want none", caps)
	}
	send(t, c, text("x"))
	p := receive(t, c, 1)[0]
	if string(p.Data) != "x" || p.Dst != c.Group() || p.IfIndex != 0 || p.HopLimit != 0 || !p.Time.IsZero() {
		t.Errorf("got %+v, want the group as Dst and nothing else known", p)
	}
	if _, err := c.WriteBatch([]datagram.Packet{{Data: []byte("x"), Src: c.LocalAddr()}}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a source address per packet: %v", err)
	}
	var ue *UnsupportedError
	err := c.Join(group.Channel{Group: c.Group().Addr(), Source: netip.MustParseAddr("127.0.0.1")})
	if !errors.Is(err, ErrMixedFilter) {
		t.Errorf("mixed join: %v", err)
	}
	cfg := defaults()
	cfg.join = true
	if _, err = openConn(context.Background(), loAddr("232.255.10.1"), []Option{onLo, Source("127.0.0.1")}, &cfg, openPoor); !errors.As(err, &ue) {
		t.Errorf("source-specific join: %v, want an UnsupportedError", err)
	}
}

func TestPortableCapabilities(t *testing.T) {
	want := Capabilities{Batch: 1, Destination: true, HopLimit: true, TOS: true, Timestamps: true}
	if caps := mustOpen(t, openPortable, both, loAddr("239.255.10.2"), onLo).Capabilities(); caps != want {
		t.Errorf("capabilities %+v, want %+v", caps, want)
	}
	want.TOS, want.Timestamps = false, false
	if caps := mustOpen(t, openXNet, both, loAddr("239.255.10.2"), onLo).Capabilities(); caps != want {
		t.Errorf("capabilities over x/net %+v, want %+v", caps, want)
	}
}

func TestPortableTimeAndTOS(t *testing.T) {
	c := mustOpen(t, openPortable, both, loAddr("239.255.10.3"), onLo, TOS(0x28))
	send(t, c, text("x"))
	p := receive(t, c, 1)[0]
	if p.TOS != 0x28 || time.Since(p.Time).Abs() > time.Minute {
		t.Errorf("TOS %#x, time %v; want 0x28 and now", p.TOS, p.Time)
	}
}

func TestPortableAllocatesNothing(t *testing.T) {
	c := mustOpen(t, openPortable, both, loAddr("239.255.10.8"), onLo)
	out := []datagram.Packet{{Data: make([]byte, 100), Src: netip.MustParseAddrPort("127.0.0.9:0")}}
	in := []datagram.Packet{{Data: make([]byte, 200)}}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := c.sock.writeBatch(out); err != nil {
			t.Fatal(err)
		}
		if _, err := c.sock.readBatch(in); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a packet sent and received", n)
	}
}

// A system that takes the TOS with each packet only.
func TestPortableTOSMessage(t *testing.T) {
	c := mustOpen(t, func(cfg *config, m *members, count *counters) (socket, error) {
		a := *systemABI
		a.ip4.tosMessage, a.ip4.tosType, a.ip4.tos = true, a.ip4.tos, 0
		return openPortableOn(&a, cfg, m, count)
	}, both, loAddr("239.255.10.4"), onLo, TOS(0x28))
	send(t, c, text("a"), datagram.Packet{Data: []byte("b"), TOS: 0xb8, Src: netip.MustParseAddrPort("127.0.0.9:0")}, text("c"))
	for i, p := range receive(t, c, 3) {
		if want := []uint8{0x28, 0xb8, 0x28}[i]; p.TOS != want {
			t.Errorf("packet %d has TOS %#x, want %#x", i, p.TOS, want)
		}
	}
}

// A system that has no TOS says so.
func TestPortableNoTOS(t *testing.T) {
	cfg := defaults()
	cfg.join, cfg.send = true, true
	_, err := openConn(context.Background(), loAddr("239.255.10.5"), []Option{onLo, TOS(0x28)}, &cfg, func(cfg *config, m *members, count *counters) (socket, error) {
		a := *systemABI
		a.ip4.tos = 0
		return openPortableOn(&a, cfg, m, count)
	})
	var ue *UnsupportedError
	if !errors.As(err, &ue) {
		t.Errorf("%v, want an UnsupportedError", err)
	}
}

// Systems without an abi run over x/net.
func TestPortableXNet(t *testing.T) {
	addr := loAddr("232.255.10.6")
	c := mustOpen(t, openXNet, both, addr, onLo, Source("127.0.0.9"))
	from := func(data, src string) datagram.Packet {
		return datagram.Packet{Data: []byte(data), Src: netip.MustParseAddrPort(src + ":0"), HopLimit: 7}
	}
	send(t, c, from("no", "127.0.0.8"), from("yes", "127.0.0.9"))
	p := receive(t, c, 1)[0]
	if string(p.Data) != "yes" || p.HopLimit != 7 || p.IfIndex != c.Interface().Index || p.Dst != c.Group() {
		t.Errorf("got %+v", p)
	}
	d := mustOpen(t, openXNet, both, loAddr("239.255.10.7"), onLo)
	blocked := group.Channel{Group: d.Group().Addr(), Source: netip.MustParseAddr("127.0.0.8")}
	if err := d.Block(blocked); err != nil {
		t.Fatal(err)
	}
	send(t, d, from("no", "127.0.0.8"), from("yes", "127.0.0.9"))
	wantData(t, receive(t, d, 1), "yes")
	if err := d.Unblock(blocked); err != nil {
		t.Fatal(err)
	}
	send(t, d, from("again", "127.0.0.8"))
	wantData(t, receive(t, d, 1), "again")
}

func TestLabPortableXNet(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			a, b := newNS(t), newNS(t)
			link(t, a, b, "va", "vb", 1)
			s := a.open(t, openXNet, dial, f.ssm+":5004", Interface("va"), TTL(9))
			r := b.open(t, openXNet, listen, f.ssm+":5004", Interface("vb"), Source(f.addr(f.sender, 1).String()))
			send(t, s, text("x"))
			if p := receive(t, r, 1)[0]; p.HopLimit != 9 || p.IfIndex != r.Interface().Index || p.Dst != r.Group() {
				t.Errorf("got %+v", p)
			}
		})
	}
}
