package mcast

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// The tests of this file run between network namespaces and need root.

// family is what the tests of both IP versions differ in.
type family struct {
	name             string
	group, group2    string // any-source
	ssm              string
	sender, receiver string // addresses by link
	second           string // another address of the sender
}

var families = []family{
	{"IPv4", "239.255.3.1", "239.255.3.2", "232.3.3.3", "10.%d.0.1", "10.%d.0.2", "10.1.0.77"},
	{"IPv6", "[ff15::3:1]", "[ff15::3:2]", "[ff35::3:3]", "fd00:%d::1", "fd00:%d::2", "fd00:1::77"},
	{"IPv6 link-local", "[ff12::3:1]", "[ff12::3:2]", "[ff32::3:3]", "fe80::1", "fe80::2", "fe80::77"},
}

func (f family) addr(format string, net int) netip.Addr {
	if strings.Contains(format, "%d") {
		format = fmt.Sprintf(format, net)
	}
	return netip.MustParseAddr(format)
}

func eachFamily(t *testing.T, f func(t *testing.T, open opener, fam family)) {
	for _, fam := range families {
		t.Run(fam.name, func(t *testing.T) {
			bothSockets(t, func(t *testing.T, open opener) { f(t, open, fam) })
		})
	}
}

func TestLabSendReceive(t *testing.T) {
	eachFamily(t, func(t *testing.T, open opener, f family) {
		a, b := newNS(t), newNS(t)
		link(t, a, b, "va", "vb", 1)
		s := a.open(t, open, both, f.group+":5004", Interface("va"), TTL(9), TOS(0x48))
		r := b.open(t, open, both, f.group+":5004", Interface("vb"))
		send(t, s, text("one"), datagram.Packet{Data: []byte("aabbc"), SegSize: 2})
		ps := receive(t, r, 4)
		wantData(t, ps, "one", "aa", "bb", "c")
		for _, p := range ps {
			if p.HopLimit != 9 || p.IfIndex != r.Interface().Index || p.Dst != r.Group() {
				t.Errorf("hop limit %d, interface %d, Dst %v; want 9, %d, %v", p.HopLimit, p.IfIndex, p.Dst, r.Interface().Index, r.Group())
			}
			if r.Capabilities().TOS && p.TOS != 0x48 {
				t.Errorf("TOS %#x, want 0x48", p.TOS)
			}
			if want := f.addr(f.sender, 1); p.Src.Addr() != want && f.name != "IPv6" || p.Src.Addr() != s.LocalAddr().Addr() {
				t.Errorf("Src %v, want %v, LocalAddr %v", p.Src, want, s.LocalAddr())
			}
		}
		// The sender hears itself, and the answer.
		wantData(t, receive(t, s, 4), "one", "aa", "bb", "c")
		send(t, r, text("back"))
		wantData(t, receive(t, s, 1), "back")
	})
}

func TestLabUnicastAnswer(t *testing.T) {
	eachFamily(t, func(t *testing.T, open opener, f family) {
		a, b := newNS(t), newNS(t)
		link(t, a, b, "va", "vb", 1)
		s := a.open(t, open, both, f.group+":5004", Interface("va"), Unicast(), Loopback(false))
		r := b.open(t, open, both, f.group+":5004", Interface("vb"))
		send(t, s, text("data"))
		p := receive(t, r, 1)[0]
		send(t, r, datagram.Packet{Data: []byte("nack"), Dst: p.Src})
		n := receive(t, s, 1)[0]
		if string(n.Data) != "nack" || n.Dst.Addr() != p.Src.Addr() || n.Src.Port() != 5004 {
			t.Errorf("got %q from %v to %v", n.Data, n.Src, n.Dst)
		}
		// A link-local destination may name its zone instead.
		if z := p.Src.Addr(); z.IsLinkLocalUnicast() {
			send(t, r, datagram.Packet{Data: []byte("zone"), Dst: netip.AddrPortFrom(z.WithZone("vb"), 5004)})
			wantData(t, receive(t, s, 1), "zone")
		}
	})
}

// (S1,G) and (S2,G) on one host each get their own source and no other, while a
// third socket on the host wants all of them.
func TestLabSourceFilterIsExact(t *testing.T) {
	eachFamily(t, func(t *testing.T, open opener, f family) {
		a, b := newNS(t), newNS(t)
		link(t, a, b, "va", "vb", 1)
		s1, s2 := f.addr(f.sender, 1), netip.MustParseAddr(f.second)
		bits := map[bool]string{true: "/24", false: "/64 nodad"}[s2.Is4()]
		addr, flags, _ := strings.Cut(bits, " ")
		a.ip(t, fmt.Sprintf("addr add %s%s dev va %s", s2, addr, flags))
		s := a.open(t, open, dial, f.ssm+":5004", Interface("va"))
		r1 := b.open(t, open, listen, f.ssm+":5004", Interface("vb"), Source(s1.String()))
		r2 := b.open(t, open, listen, f.ssm+":5004", Interface("vb"), Source(s2.String()))
		all := b.open(t, open, listen, f.ssm+":5004", Interface("vb"), AllowAnySourceInSSM())
		from := func(data string, src netip.Addr) datagram.Packet {
			return datagram.Packet{Data: []byte(data), Src: netip.AddrPortFrom(src, 0)}
		}
		send(t, s, from("1", s1), from("2", s2), from("1", s1))
		wantData(t, receive(t, r1, 2), "1", "1")
		wantData(t, receive(t, r2, 1), "2")
		wantData(t, receive(t, all, 3), "1", "2", "1")
		wantSilence(t, r1)
		wantSilence(t, r2)
	})
}

func TestLabInterfaceByAddressSendsFromIt(t *testing.T) {
	a, b := newNS(t), newNS(t)
	link(t, a, b, "va", "vb", 1)
	a.ip(t, "addr add 10.1.0.77/24 dev va")
	a.ip(t, "addr add fd00:1::77/64 dev va nodad")
	bothSockets(t, func(t *testing.T, open opener) {
		for _, f := range families[:2] {
			s := a.open(t, open, dial, f.group+":5004", Interface(f.second))
			r := b.open(t, open, listen, f.group+":5004", Interface("vb"))
			send(t, s, text("x"))
			if p := receive(t, r, 1)[0]; p.Src.Addr().String() != f.second || p.Src != s.LocalAddr() {
				t.Errorf("%s: Src %v, LocalAddr %v, want %s", f.name, p.Src, s.LocalAddr(), f.second)
			}
		}
	})
}

// Two groups and two interfaces at one port: a connection hears its own group on
// its own interface, though others on the host joined everything everywhere.
func TestLabNothingForeign(t *testing.T) {
	eachFamily(t, func(t *testing.T, open opener, f family) {
		a, b := newNS(t), newNS(t)
		link(t, a, b, "va1", "vb1", 1)
		link(t, a, b, "va2", "vb2", 2)
		// Both links carry fe80::1, and 10.2/16 must not fail a reverse path check.
		mine := b.open(t, open, listen, f.group+":5004", Interface("vb1"))
		multi := b.open(t, open, listen, f.group+":5004", Interface("vb1"), MultiGroup())
		others := []*Conn{
			b.open(t, open, listen, f.group2+":5004", Interface("vb1")),
			b.open(t, open, listen, f.group+":5004", Interface("vb2")),
			b.open(t, open, listen, f.group2+":5004", Interface("vb2")),
		}
		for i, to := range []struct{ group, dev, data string }{
			{f.group2, "va1", "group 2"}, {f.group, "va2", "link 2"}, {f.group2, "va2", "both"}, {f.group, "va1", "mine"},
		} {
			s := a.open(t, open, dial, to.group+":5004", Interface(to.dev))
			send(t, s, text(to.data))
			if i < len(others) {
				wantData(t, receive(t, others[i], 1), to.data)
			}
		}
		wantData(t, receive(t, mine, 1), "mine")
		wantData(t, receive(t, multi, 1), "mine")
		wantSilence(t, mine)
		wantSilence(t, multi)
		// What the kernel lets through shows in Stats: without IP_MULTICAST_ALL
		// off all three; with it none over IPv4, while for IPv6 Linux compares
		// the group but not the interface, unless a link-local group's bind did.
		want := uint64(3)
		if mine.Capabilities().KernelFilter {
			want = map[string]uint64{"IPv6": 1}[f.name]
		}
		if n := mine.Stats().Foreign; n != want {
			t.Errorf("%d foreign packets counted, want %d", n, want)
		}
	})
}

func TestLabOffload(t *testing.T) {
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			a, b := newNS(t), newNS(t)
			link(t, a, b, "va", "vb", 1)
			s := a.open(t, openSocket, dial, f.group+":5004", Interface("va"))
			r := b.open(t, openSocket, listen, f.group+":5004", Interface("vb"))
			if !s.Capabilities().SendOffload || !r.Capabilities().ReceiveOffload {
				t.Skip("this kernel has no UDP_SEGMENT or UDP_GRO")
			}
			large := spaces(4, OffloadSpace)
			send(t, s, text("first"))
			read(t, r, large, 1) // switches UDP_GRO on

			run := datagram.Packet{Data: make([]byte, 45*1400), SegSize: 1400}
			for i := range run.Data {
				run.Data[i] = byte(i / 1400)
			}
			send(t, s, run)
			data, packets := read(t, r, large, 45)
			for i, d := range data {
				if len(d) != 1400 || d[0] != byte(i) {
					t.Fatalf("segment %d is %d bytes of %d", i, len(d), d[0])
				}
			}
			if packets != 1 {
				t.Errorf("%d packets, want one of 45 segments", packets)
			}
			// Longer than the MTU: sent singly, in fragments.
			send(t, s, datagram.Packet{Data: make([]byte, 3*2000), SegSize: 2000})
			if data, _ := read(t, r, large, 3); len(data[2]) != 2000 {
				t.Errorf("%d bytes, want 2000", len(data[2]))
			}
			// The MTU shrinks below what it was at Open: the kernel refuses to
			// segment, and everything still arrives once.
			a.ip(t, "link set va mtu 1300")
			send(t, s, run)
			data, _ = read(t, r, large, 45)
			for i, d := range data {
				if len(d) != 1400 || d[0] != byte(i) {
					t.Fatalf("after the MTU shrank, segment %d is %d bytes of %d", i, len(d), d[0])
				}
			}
			if n := s.Stats().OffloadFallbacks; n != 1 {
				t.Errorf("%d fall-backs, want 1", n)
			}
		})
	}
}

// An interface without checksum offload: older kernels refuse to segment with EIO,
// newer ones segment in software. Everything arrives once either way.
func TestLabSegmentRefused(t *testing.T) {
	a, b := newNS(t), newNS(t)
	link(t, a, b, "va", "vb", 1)
	ethtool := func() error { return ip("netns", "exec", a.name, "ethtool", "-K", "va", "tx", "off") }
	if err := ethtool(); err != nil {
		t.Skipf("cannot switch checksum offload off: %v", err)
	}
	s := a.open(t, openSocket, dial, "239.255.3.1:5004", Interface("va"))
	r := b.open(t, openSocket, listen, "239.255.3.1:5004", Interface("vb"))
	send(t, s, datagram.Packet{Data: make([]byte, 10*100), SegSize: 100})
	read(t, r, spaces(64, 1500), 10)
	wantSilence(t, r)
	t.Logf("fall-backs: %d", s.Stats().OffloadFallbacks)
}

// wantOpenError opens addr for sending in n and wants an error.
func (n netns) wantOpenError(t *testing.T, want error, text, addr string, opts ...Option) {
	t.Helper()
	n.do(t, func() {
		c, err := Open(context.Background(), addr, opts...)
		if err == nil {
			c.Close()
			t.Errorf("open %s succeeded, want %v", addr, want)
		} else if !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
			t.Errorf("open %s: %q, want %q with %q", addr, err, want, text)
		}
	})
}

func TestLabInterfaceErrors(t *testing.T) {
	a, b := newNS(t), newNS(t)
	// No route: the remedy lists what could be named.
	a.wantOpenError(t, ErrNoInterface, "this host has lo (127.0.0.1)", "239.255.3.1:5004")
	link(t, a, b, "va", "vb", 1)
	a.wantOpenError(t, ErrNoInterface, "va (10.1.0.1)", "239.255.3.1:5004")
	a.ip(t, "route add 224.0.0.0/4 dev va")
	if c := a.open(t, openSocket, both, "239.255.3.1:5004"); c.Interface().Name != "va" {
		t.Errorf("route chose %s, want va", c.Interface().Name)
	}
	if c := a.open(t, openSocket, both, "[ff15::1]:5004"); c.Interface().Name != "va" {
		t.Errorf("IPv6 route chose %s, want va", c.Interface().Name)
	}
	a.wantOpenError(t, ErrInterfaceRequired, "va (fd00:1::1)", "[ff02::1234]:5004")
	if c := a.open(t, openSocket, both, "[ff02::1234%va]:5004"); c.Interface().Name != "va" {
		t.Errorf("zone chose %s, want va", c.Interface().Name)
	}
	a.wantOpenError(t, ErrOption, "differ", "[ff02::1234%va]:5004", Interface("lo"))

	a.ip(t, "link set va multicast off")
	a.wantOpenError(t, ErrNotMulticastInterface, "ip link set va multicast on", "239.255.3.1:5004", Interface("va"))
	a.ip(t, "link set va multicast on")
	a.ip(t, "link set va down")
	a.wantOpenError(t, ErrNoRoute, "ip link set va up", "239.255.3.1:5004", Interface("va"))
	a.wantOpenError(t, ErrNoRoute, "ip link set va up", "[ff15::1]:5004", Interface("va"))
}

// IPv6 has no multicast route on lo, since lo has no MULTICAST flag: Open says so,
// Listen works, and with the route both do.
func TestLabIPv6OnLo(t *testing.T) {
	a := newNS(t)
	a.wantOpenError(t, ErrNoRoute, "ip -6 route add local ff00::/8 dev lo table local", "[ff15::1]:5004", onLo)
	r := a.open(t, openSocket, listen, "[ff15::1]:5004", onLo)
	a.ip(t, "-6 route add local ff00::/8 dev lo table local")
	s := a.open(t, openSocket, both, "[ff15::1]:5004", onLo)
	send(t, s, text("x"))
	p := receive(t, r, 1)[0]
	wantData(t, []datagram.Packet{p}, "x")
	if p.Src != s.LocalAddr() || p.Src.Addr() != netip.IPv6Loopback() {
		t.Errorf("Src %v, LocalAddr %v, want ::1", p.Src, s.LocalAddr())
	}
	wantData(t, receive(t, s, 1), "x")
	// The route the remedy names must not draw traffic off other interfaces.
	b := newNS(t)
	link(t, a, b, "va", "vb", 1)
	far := b.open(t, openSocket, both, "[ff15::1]:5004", Interface("vb"))
	near := a.open(t, openSocket, both, "[ff15::1]:5004", Interface("va"))
	send(t, near, text("out"))
	send(t, far, text("in"))
	wantData(t, receive(t, far, 2), "out", "in")
	wantData(t, receive(t, near, 2), "out", "in")
	wantSilence(t, s)
}

// An unprivileged user may not exceed net.core.rmem_max; the size got is reported.
func TestLabReadBufferForced(t *testing.T) {
	a := newNS(t)
	c := a.open(t, openSocket, listen, "239.255.3.1:5004", onLo, ReadBuffer(32<<20))
	if n := c.ReadBuffer(); n != 32<<20 {
		t.Errorf("ReadBuffer %d, want 32 MiB by SO_RCVBUFFORCE", n)
	}
}

// Packets of a connection whose interface went away stop; errors say why.
func TestLabInterfaceDeleted(t *testing.T) {
	a, b := newNS(t), newNS(t)
	link(t, a, b, "va", "vb", 1)
	c := a.open(t, openSocket, both, "239.255.3.1:5004", Interface("va"))
	a.ip(t, "link del va")
	_, err := c.WriteBatch([]datagram.Packet{text("x")})
	if err == nil {
		t.Error("write to a deleted interface succeeded")
	} else if !strings.Contains(err.Error(), "interface") {
		t.Errorf("%q names no remedy", err)
	}
	done := make(chan error)
	go func() {
		_, err := c.ReadBatch(spaces(1, 100))
		done <- err
	}()
	time.Sleep(20 * time.Millisecond)
	c.Close()
	<-done
}
