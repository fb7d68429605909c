package mcast

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// fakeKernel stands in for sendmmsg: it takes messages apart as the kernel would
// and can refuse them.
type fakeKernel struct {
	t *testing.T
	// refuse returns an errno for a message, seg 0 for a single datagram.
	refuse func(size, seg int) syscall.Errno
	most   int // messages taken per call

	got      []string // destination and data of each datagram
	messages int
}

func (k *fakeKernel) sendmmsg(_ uintptr, msgs []mmsghdr) (int, syscall.Errno) {
	if len(msgs) == 0 || len(msgs) > BatchSize {
		k.t.Fatalf("sendmmsg of %d messages", len(msgs))
	}
	for i := range msgs {
		if i == k.most {
			return i, 0
		}
		data, seg := k.message(&msgs[i].hdr)
		if errno := k.refuse(len(data), seg); errno != 0 {
			if i > 0 {
				return i, 0
			}
			return -1, errno
		}
		k.messages++
		dst := getName((*name)(unsafe.Pointer(msgs[i].hdr.Name))).String()
		if seg == 0 {
			k.got = append(k.got, dst+" "+string(data))
			continue
		}
		if n := (len(data) + seg - 1) / seg; n < 2 || n > 64 || len(data) > 65507 {
			k.t.Fatalf("a message of %d bytes in %d segments of %d", len(data), n, seg)
		}
		for len(data) > 0 {
			n := min(seg, len(data))
			k.got = append(k.got, dst+" "+string(data[:n]))
			data = data[n:]
		}
	}
	return len(msgs), 0
}

func (k *fakeKernel) message(h *unix.Msghdr) (data []byte, seg int) {
	for _, v := range unsafe.Slice(h.Iov, int(h.Iovlen)) {
		data = append(data, unsafe.Slice(v.Base, int(v.Len))...)
	}
	if h.Controllen > 0 {
		cms, err := unix.ParseSocketControlMessage(bytesOf(h))
		if err != nil {
			k.t.Fatal(err)
		}
		for _, cm := range cms {
			if cm.Header.Level == unix.SOL_UDP && cm.Header.Type == unix.UDP_SEGMENT {
				seg = int(binary.NativeEndian.Uint16(cm.Data))
			}
		}
	}
	return data, seg
}

// bytesOf returns a message's control messages.
func bytesOf(h *unix.Msghdr) []byte { return unsafe.Slice(h.Control, int(h.Controllen)) }

// fakeRaw is a descriptor that is always ready.
type fakeRaw struct{}

func (fakeRaw) Control(f func(uintptr)) error    { f(0); return nil }
func (fakeRaw) Read(f func(uintptr) bool) error  { f(0); return nil }
func (fakeRaw) Write(f func(uintptr) bool) error { f(0); return nil }

func newSender(k *fakeKernel, mtu int) *sender {
	cfg := defaults()
	cfg.group = netip.MustParseAddrPort("239.1.2.3:5004")
	cfg.ifi = net.Interface{Index: 2, Name: "eth0", MTU: mtu}
	s := new(sender)
	s.init(&cfg, new(counters), true)
	s.sendmmsg = k.sendmmsg
	return s
}

func accept(int, int) syscall.Errno { return 0 }

// wantDatagrams lists what ps must become on the wire.
func wantDatagrams(ps []datagram.Packet) (want []string) {
	for _, p := range ps {
		dst := "239.1.2.3:5004"
		if p.Dst.IsValid() {
			dst = p.Dst.String()
		}
		size := len(p.Data)
		if p.SegSize > 0 {
			size = min(size, p.SegSize)
		}
		for rest := p.Data; ; {
			n := min(size, len(rest))
			want = append(want, dst+" "+string(rest[:n]))
			if rest = rest[n:]; len(rest) == 0 {
				break
			}
		}
	}
	return want
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%d datagrams, want %d; first difference at %d", len(got), len(want), i)
		}
	}
}

// Whatever the sizes, the kernel's refusals and how few it takes at once: each
// datagram goes out once, in order.
func TestSenderNothingLostOrDoubled(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		errnos := []syscall.Errno{0, 0, unix.EIO, unix.EINVAL, unix.EMSGSIZE}
		errno := errnos[r.IntN(len(errnos))]
		after := r.IntN(40) // messages until the first refusal
		queueFull := 0
		k := &fakeKernel{t: t, most: 1 + r.IntN(80)}
		k.refuse = func(_, seg int) syscall.Errno {
			if r.IntN(30) == 0 && queueFull < 1 {
				queueFull++
				return unix.ENOBUFS
			}
			if seg > 0 && k.messages >= after {
				return errno
			}
			return 0
		}
		s := newSender(k, []int{0, 576, 1500, 65536}[r.IntN(4)])
		sizes := []int{1, 100, 500, 1400, 1 + r.IntN(3000)}
		ps := make([]datagram.Packet, r.IntN(150))
		size := 100
		for i := range ps {
			if r.IntN(8) == 0 || i == 0 {
				size = sizes[r.IntN(len(sizes))]
			}
			p := &ps[i]
			switch r.IntN(6) {
			case 0: // a run, the last shorter or not
				p.SegSize = size
				p.Data = make([]byte, size*(1+r.IntN(70))-r.IntN(size))
			case 1:
				p.Data = make([]byte, r.IntN(size+1))
			case 2:
				p.Data, p.SegSize = make([]byte, size), 1+r.IntN(2*size)
			default:
				p.Data = make([]byte, size)
			}
			p.Data = p.Data[:min(len(p.Data), 1<<17)]
			for j := 0; j < len(p.Data); j += 1 + r.IntN(50) {
				p.Data[j] = byte(r.IntN(256))
			}
			if r.IntN(20) == 0 {
				p.Dst = netip.MustParseAddrPort("192.0.2.7:6003")
			}
		}
		n, err := s.write(fakeRaw{}, ps)
		if n != len(ps) || err != nil {
			t.Fatalf("seed %d: write = %d of %d, %v", seed, n, len(ps), err)
		}
		compare(t, k.got, wantDatagrams(ps))
		for i := range s.iovs {
			if s.iovs[i].Base != nil {
				t.Fatalf("seed %d: the sender still holds the caller's data", seed)
			}
		}
	}
}

func equalPackets(n, size int) []datagram.Packet {
	ps := make([]datagram.Packet, n)
	for i := range ps {
		ps[i].Data = bytes.Repeat([]byte{byte(i)}, size)
	}
	return ps
}

func TestSenderGathers(t *testing.T) {
	for _, tt := range []struct {
		what     string
		ps       []datagram.Packet
		mtu      int
		messages int
	}{
		{"64 equal ones", equalPackets(64, 1000), 1500, 1},
		{"65 equal ones", equalPackets(65, 1000), 1500, 2},
		{"65507 bytes at most", equalPackets(64, 1400), 1500, 2},
		{"a shorter one ends it", append(equalPackets(3, 1000), equalPackets(3, 900)...), 1500, 2},
		{"a longer one starts anew", append(equalPackets(3, 900), equalPackets(3, 1000)...), 1500, 2},
		{"one run of 100", []datagram.Packet{{Data: make([]byte, 100*500), SegSize: 500}}, 1500, 2},
		{"over the MTU", equalPackets(3, 1473), 1500, 3},
		{"just the MTU", equalPackets(3, 1472), 1500, 1},
		{"empty ones", equalPackets(3, 0), 1500, 3},
		{"other destinations", []datagram.Packet{
			{Data: []byte("a")}, {Data: []byte("b"), Dst: netip.MustParseAddrPort("192.0.2.1:1")},
			{Data: []byte("c"), HopLimit: 2}, {Data: []byte("d"), TOS: 1}, {Data: []byte("e"), IfIndex: 9},
		}, 1500, 5},
	} {
		k := &fakeKernel{t: t, most: BatchSize, refuse: accept}
		s := newSender(k, tt.mtu)
		if n, err := s.write(fakeRaw{}, tt.ps); n != len(tt.ps) || err != nil {
			t.Errorf("%s: %d, %v", tt.what, n, err)
		}
		compare(t, k.got, wantDatagrams(tt.ps))
		if k.messages != tt.messages {
			t.Errorf("%s: %d messages, want %d", tt.what, k.messages, tt.messages)
		}
	}
}

func TestSenderFallback(t *testing.T) {
	for _, tt := range []struct {
		errno   syscall.Errno
		offload bool // still on afterwards, for shorter segments
	}{{unix.EIO, false}, {unix.EINVAL, false}, {unix.EMSGSIZE, true}} {
		k := &fakeKernel{t: t, most: BatchSize}
		k.refuse = func(_, seg int) syscall.Errno {
			if seg >= 1000 {
				return tt.errno
			}
			return 0
		}
		s := newSender(k, 1500)
		ps := equalPackets(10, 1000)
		if n, err := s.write(fakeRaw{}, ps); n != len(ps) || err != nil {
			t.Fatalf("%v: %d, %v", tt.errno, n, err)
		}
		compare(t, k.got, wantDatagrams(ps))
		if k.messages != 10 || s.offloads.Load() != tt.offload || s.count.fallbacks.Load() != 1 {
			t.Errorf("%v: %d messages, offload %v, %d fall-backs; want 10, %v, 1", tt.errno, k.messages, s.offloads.Load(), s.count.fallbacks.Load(), tt.offload)
		}
		k.messages = 0
		s.write(fakeRaw{}, equalPackets(10, 999))
		if want := map[bool]int{true: 1, false: 10}[tt.offload]; k.messages != want {
			t.Errorf("%v: afterwards %d messages, want %d", tt.errno, k.messages, want)
		}
	}
}

// What one interface refuses says nothing about others.
func TestSenderFallbackPerInterface(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.EIO, unix.EMSGSIZE} {
		k := &fakeKernel{t: t, most: BatchSize, refuse: accept}
		s := newSender(k, 1500)
		refusing := uint32(7) // interface
		inner := k.sendmmsg
		s.sendmmsg = func(fd uintptr, msgs []mmsghdr) (int, syscall.Errno) {
			for i := range msgs {
				if _, seg := k.message(&msgs[i].hdr); seg > 0 && interfaceIn(t, &msgs[i].hdr) == refusing {
					if i == 0 {
						return -1, errno
					}
					return inner(fd, msgs[:i])
				}
			}
			return inner(fd, msgs)
		}
		var ps []datagram.Packet
		for _, ifindex := range []int{0, 7, 9, 2} { // 2 is the connection's own
			for _, p := range equalPackets(10, 1000) {
				p.IfIndex = ifindex
				ps = append(ps, p)
			}
		}
		for range 2 {
			k.got, k.messages = nil, 0
			if n, err := s.write(fakeRaw{}, ps); n != len(ps) || err != nil {
				t.Fatalf("%v: %d, %v", errno, n, err)
			}
			compare(t, k.got, wantDatagrams(ps))
			if k.messages != 13 || !s.offloads.Load() || s.count.fallbacks.Load() != 1 {
				t.Errorf("%v: %d messages, offload %v, %d fall-backs; want 13, true, 1", errno, k.messages, s.offloads.Load(), s.count.fallbacks.Load())
			}
		}
		// Now the connection's own: the others keep what they had.
		refusing = 0
		for range 2 {
			k.got, k.messages = nil, 0
			if n, err := s.write(fakeRaw{}, ps); n != len(ps) || err != nil {
				t.Fatalf("%v: %d, %v", errno, n, err)
			}
			compare(t, k.got, wantDatagrams(ps))
		}
		if k.messages != 31 || s.offloads.Load() != (errno == unix.EMSGSIZE) {
			t.Errorf("%v: %d messages, offload %v; want 31", errno, k.messages, s.offloads.Load())
		}
	}
}

// interfaceIn returns the interface a message asks for, 0 for none.
func interfaceIn(t *testing.T, h *unix.Msghdr) uint32 {
	t.Helper()
	if h.Controllen == 0 {
		return 0
	}
	cms, err := unix.ParseSocketControlMessage(bytesOf(h))
	if err != nil {
		t.Fatal(err)
	}
	for _, cm := range cms {
		if cm.Header.Level == unix.IPPROTO_IP && cm.Header.Type == unix.IP_PKTINFO {
			return binary.NativeEndian.Uint32(cm.Data)
		}
	}
	return 0
}

// A packet that is wrong in itself must not cost the connection its offload.
func TestSenderErrors(t *testing.T) {
	k := &fakeKernel{t: t, most: BatchSize, refuse: func(size, _ int) syscall.Errno {
		if size%10 == 7 {
			return unix.EINVAL
		}
		return 0
	}}
	s := newSender(k, 1500)
	ps := append(equalPackets(3, 10), append(equalPackets(1, 107), equalPackets(2, 20)...)...)
	if n, err := s.write(fakeRaw{}, ps); n != 3 || err != unix.EINVAL {
		t.Errorf("%d, %v; want 3, EINVAL", n, err)
	}
	compare(t, k.got, wantDatagrams(ps[:3]))

	k.got = nil
	k.refuse = func(int, int) syscall.Errno { return unix.EINVAL }
	if n, err := s.write(fakeRaw{}, equalPackets(3, 10)); n != 0 || err != unix.EINVAL {
		t.Errorf("%d, %v; want 0, EINVAL", n, err)
	}
	if !s.offloads.Load() || s.count.fallbacks.Load() != 0 {
		t.Error("offload was given up for a wrong packet")
	}

	k.refuse = accept
	ps[4].Dst = netip.MustParseAddrPort("[ff15::1]:9")
	if n, err := s.write(fakeRaw{}, ps); n != 4 || !errors.Is(err, ErrFamily) {
		t.Errorf("IPv6 destination: %d, %v", n, err)
	}
	ps[0].Src = netip.MustParseAddrPort("[::1]:9")
	if n, err := s.write(fakeRaw{}, ps); n != 0 || !errors.Is(err, ErrFamily) {
		t.Errorf("IPv6 source: %d, %v", n, err)
	}
}

func TestSenderQueueFull(t *testing.T) {
	k := &fakeKernel{t: t, most: BatchSize, refuse: func(int, int) syscall.Errno { return unix.ENOBUFS }}
	s := newSender(k, 1500)
	start := time.Now()
	n, err := s.write(fakeRaw{}, equalPackets(3, 10))
	if n != 0 || err != unix.ENOBUFS {
		t.Errorf("%d, %v; want 0, ENOBUFS", n, err)
	}
	if d := time.Since(start); d < queueWaits*queueWait {
		t.Errorf("gave up after %v", d)
	}
}

func TestZoneIndex(t *testing.T) {
	ifi := &net.Interface{Index: 7, Name: "eth9"}
	for _, tt := range []struct {
		zone    string
		ifindex int
		want    int
	}{{"", 0, 7}, {"", 3, 3}, {"eth9", 3, 7}, {"12", 0, 12}} {
		if got, err := zoneIndex(ifi, tt.zone, tt.ifindex); got != tt.want || err != nil {
			t.Errorf("zone %q, index %d: %d, %v; want %d", tt.zone, tt.ifindex, got, err, tt.want)
		}
	}
	if _, err := zoneIndex(ifi, "nosuch", 0); !errors.Is(err, ErrNoInterface) {
		t.Errorf("unknown zone: %v", err)
	}
	if _, err := zoneIndex(ifi, "lo", 0); err != nil {
		t.Errorf("zone lo: %v", err)
	}
}

// The same refusals on a real socket: what is sent must arrive, once.
func TestFallbackDelivers(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.EIO, unix.EINVAL, unix.EMSGSIZE} {
		t.Run(fmt.Sprint(errno), func(t *testing.T) {
			c := mustOpen(t, openSocket, both, loAddr("239.255.9.1"), onLo)
			s := &c.sock.(*sockLinux).tx
			if !s.offloads.Load() {
				t.Skip("this kernel has no UDP_SEGMENT")
			}
			k := &fakeKernel{t: t}
			s.sendmmsg = func(fd uintptr, msgs []mmsghdr) (int, syscall.Errno) {
				for i := range msgs {
					if _, seg := k.message(&msgs[i].hdr); seg > 0 {
						if i == 0 {
							return -1, errno
						}
						msgs = msgs[:i]
						break
					}
				}
				return sysSendmmsg(fd, msgs)
			}
			var want []string
			run := datagram.Packet{SegSize: 5}
			for i := range 30 {
				d := fmt.Sprintf("%05d", i)
				run.Data = append(run.Data, d...)
				want = append(want, d)
			}
			send(t, c, text("longer"), run, text("end"))
			want = append([]string{"longer"}, append(want, "end")...)
			wantData(t, receive(t, c, len(want)), want...)
			wantSilence(t, c)
			if n := c.Stats().OffloadFallbacks; n != 1 {
				t.Errorf("%d fall-backs counted, want 1", n)
			}
			if errno != unix.EMSGSIZE && c.Capabilities().SendOffload {
				t.Error("Capabilities still tells of send offload")
			}
		})
	}
}
