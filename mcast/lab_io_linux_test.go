package mcast

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// index returns the index of a device in the namespace.
func (n netns) index(t *testing.T, dev string) (index int) {
	t.Helper()
	n.do(t, func() {
		ifi, err := net.InterfaceByName(dev)
		if err != nil {
			t.Error(err)
			return
		}
		index = ifi.Index
	})
	return index
}

// What a packet asks for applies to it alone, and all of it is seen at the other
// end: interface, source, hop limit, DSCP and ECN.
func TestLabPerPacket(t *testing.T) {
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			a, b := newNS(t), newNS(t)
			link(t, a, b, "va", "vb", 1)
			link(t, a, b, "wa", "wb", 2)
			mask := map[bool]string{true: "24", false: "64 nodad"}[f.name == "IPv4"]
			a.ip(t, "addr add "+f.second+"/"+mask+" dev va")
			s := a.open(t, openSocket, dial, f.group+":5004", Interface("va"), TTL(5), TOS(0x10))
			rv := b.open(t, openSocket, listen, f.group+":5004", Interface("vb"))
			rw := b.open(t, openSocket, listen, f.group+":5004", Interface("wb"))
			wa := a.index(t, "wa")
			second := netip.AddrPortFrom(netip.MustParseAddr(f.second), 0)
			own := s.LocalAddr().Addr()
			for _, tt := range []struct {
				p      datagram.Packet
				from   *Conn
				src    netip.Addr
				hops   int
				dscp   uint8
				ecn    uint8
				anySrc bool
			}{
				{p: datagram.Packet{}, from: rv, src: own, hops: 5, dscp: 4},
				{p: datagram.Packet{TOS: 46<<2 | 1}, from: rv, src: own, hops: 5, dscp: 46, ecn: 1},
				{p: datagram.Packet{TOS: 3, HopLimit: 200}, from: rv, src: own, hops: 200, dscp: 4, ecn: 3},
				{p: datagram.Packet{Src: second}, from: rv, src: second.Addr(), hops: 5, dscp: 4},
				{p: datagram.Packet{IfIndex: wa}, from: rw, anySrc: true, hops: 5, dscp: 4},
				{p: datagram.Packet{IfIndex: wa, HopLimit: 9, TOS: 10<<2 | 2, Src: netip.AddrPortFrom(f.addr(f.sender, 2), 0)}, from: rw, src: f.addr(f.sender, 2), hops: 9, dscp: 10, ecn: 2},
			} {
				for _, size := range []int{1, 3} { // a datagram, a run
					p := tt.p
					p.Data = []byte("abc")[:size]
					if size > 1 {
						p.SegSize = 1
					}
					send(t, s, p)
					for _, got := range receive(t, tt.from, size) {
						if got.HopLimit != tt.hops || got.DSCP() != tt.dscp || got.ECN() != tt.ecn || got.IfIndex != tt.from.Interface().Index ||
							!tt.anySrc && got.Src.Addr() != tt.src {
							t.Errorf("sent %+v, arrived %+v; want %+v", tt.p, got, tt)
						}
					}
				}
			}
			wantSilence(t, rv)
			wantSilence(t, rw)
		})
	}
}

// Each packet tells how many were lost before it.
func TestLabDropsPerPacket(t *testing.T) {
	a, b := newNS(t), newNS(t)
	link(t, a, b, "va", "vb", 1)
	s := a.open(t, openSocket, dial, "239.255.3.1:5004", Interface("va"), Offload(false))
	r := b.open(t, openSocket, listen, "239.255.3.1:5004", Interface("vb"), ReadBuffer(20_000))
	var last uint64
	sent, got := 0, 0
	buf := make([]byte, 1500)
	for range 3 {
		for range 100 {
			if _, err := s.Write(fmt.Appendf(nil, "%01000d", sent)); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		r.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
		for {
			p, err := r.Read(buf)
			if err != nil {
				break
			}
			got++
			var n int
			if _, err := fmt.Sscanf(string(p.Data), "%d", &n); err != nil {
				t.Fatal(err)
			}
			// What was lost before this packet is its number less what came.
			if p.Drops < last || int(p.Drops) > n+1-got {
				t.Fatalf("packet %d, the %dth: %d lost so far, %d at the one before", n, got, p.Drops, last)
			}
			last = p.Drops
		}
	}
	// The last loss is known when another packet gets through.
	r.SetReadDeadline(time.Now().Add(5 * time.Second))
	s.Write([]byte("x"))
	p, err := r.Read(buf)
	if err != nil || p.Drops == 0 || int(p.Drops) != sent-got || r.Stats().Dropped != p.Drops {
		t.Errorf("%d of %d came, %d counted as lost, %v", got, sent, p.Drops, err)
	}
}

func TestHardwareTimestampsAndLean(t *testing.T) {
	for what, o := range map[string]Option{"hardware": HardwareTimestamps(), "lean": Lean(), "lean but for TOS": Lean(FieldTOS), "lean but for the others": Lean(FieldTime, FieldHopLimit)} {
		c := mustOpen(t, openSocket, both, loAddr("239.255.8.30"), onLo, TOS(8), o)
		caps := c.Capabilities()
		var p datagram.Packet
		for range 100 { // the kernel begins to stamp packets a little after it is asked to
			send(t, c, text("x"))
			if p = receive(t, c, 1)[0]; !caps.Timestamps || !p.Time.IsZero() {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if caps.HardwareTimestamps || !p.HardwareTime.IsZero() {
			t.Errorf("%s: lo has no clock, yet %+v, %v", what, caps, p.HardwareTime)
		}
		tos := what == "hardware" || what == "lean but for TOS"
		others := what == "hardware" || what == "lean but for the others"
		if caps.Timestamps != others || caps.TOS != tos || caps.HopLimit != others || p.Time.IsZero() == others || (p.TOS == 8) != tos || (p.HopLimit == 1) != others {
			t.Errorf("%s: %+v, %+v", what, caps, p)
		}
		if others && time.Since(p.Time).Abs() > time.Minute {
			t.Errorf("arrival time %v is not now", p.Time)
		}
	}
}

// A link-local address is of no use without its zone; package net's addresses have it.
func TestLabPacketConnLinkLocal(t *testing.T) {
	f := families[2]
	a, b := newNS(t), newNS(t)
	link(t, a, b, "va", "vb", 1)
	s := a.open(t, openSocket, dial, f.group+":5004", Interface("va"), Unicast()).PacketConn()
	r := b.open(t, openSocket, both, f.group+":5004", Interface("vb")).PacketConn()
	for _, c := range []net.PacketConn{s, r} {
		c.SetDeadline(time.Now().Add(5 * time.Second))
	}
	if _, err := s.WriteTo([]byte("question"), nil); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, from, err := r.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "question" || from.(*net.UDPAddr).Zone != "vb" {
		t.Fatalf("%q from %v, %v", buf[:n], from, err)
	}
	if _, err := r.WriteTo([]byte("answer"), from); err != nil {
		t.Fatal(err)
	}
	if n, _, err := s.ReadFrom(buf); err != nil || string(buf[:n]) != "answer" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
