package mcast

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/internal/wire"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mld"
)

func (n netns) openRaw(t *testing.T, dev string, protocols ...RawProtocol) (c *RawConn) {
	t.Helper()
	var err error
	n.do(t, func() { c, err = OpenRaw(t.Context(), dev, protocols...) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// readRaw returns what arrives until nothing more does, or five times as long.
func readRaw(t *testing.T, c *RawConn, wait time.Duration) (got []datagram.Packet) {
	t.Helper()
	for end := time.Now().Add(5 * wait); ; {
		c.SetReadDeadline(slices.MinFunc([]time.Time{time.Now().Add(wait), end}, time.Time.Compare))
		ps := spaces(8, 1500)
		n, err := c.ReadBatch(ps)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return got
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, ps[:n]...)
	}
}

// fromTest reports whether a packet is one of igmpPacket's.
func fromTest(p datagram.Packet) bool { return p.Src.Addr() == netip.MustParseAddr("192.0.2.1") }

func v2Report(t *testing.T, src, g string) []byte {
	t.Helper()
	m, err := (&igmp.Membership{Type: igmp.TypeReport2, Group: netip.MustParseAddr(g)}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	b, err := igmp.AppendPacket(nil, netip.MustParseAddr(src), netip.MustParseAddr(g), m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mldQueryPacket(t *testing.T, src netip.Addr) []byte {
	t.Helper()
	q := mld.Query{Version: 2, Robustness: 2, IntervalCode: 125}
	m, err := q.Append(nil, src, mld.AllNodes)
	if err != nil {
		t.Fatal(err)
	}
	b, err := mld.AppendPacket(nil, src, mld.AllNodes, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRawFilter(t *testing.T) {
	long := mldPacket("fe80::1", 1, mld.TypeQuery, 28)
	long = append(long[:40:40], append([]byte{58, 1, 5, 2, 0, 0, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0}, long[48:]...)...)
	bare := append([]byte(nil), mldPacket("fe80::1", 1, mld.TypeReport2, 28)...)
	bare = append(bare[:40:40], bare[48:]...)
	bare[6] = wire.ProtoICMPv6
	ping := mldPacket("fe80::1", 1, 128, 28)
	pim4 := append([]byte(nil), udpPacket("224.0.0.13", 0)...)
	pim4[9] = protoPIM
	pim6 := append([]byte(nil), bare...)
	pim6[6] = protoPIM
	const only4, only6, both = 1 << RawIGMP, 1 << RawMLD, rawDefault
	for _, tt := range []struct {
		name string
		set  rawSet
		b    []byte
		want bool
	}{
		{"IGMP", both, igmpPacket(igmp.TypeQuery, 100), true},
		{"IGMP alone", only4, igmpPacket(igmp.TypeLeave, 0), true},
		{"IGMP unwanted", only6, igmpPacket(igmp.TypeLeave, 0), false},
		{"MLD", both, mldPacket("fe80::1", 1, mld.TypeDone, 24), true},
		{"MLD unwanted", only4, mldPacket("fe80::1", 1, mld.TypeDone, 24), false},
		{"MLD behind two words of options", only6, long, true},
		{"MLD without options", only6, bare, true},
		{"router discovery", only6, mldPacket("fe80::1", 1, mld.TypeRouterAdvertisement, 24), true},
		{"ping with an alert", both, ping, false},
		{"UDP", both, udpPacket("239.1.2.3", 0), false},
		{"ARP", both, make([]byte, 28), false},
		{"PIM", both | 1<<RawPIM, pim4, true},
		{"PIM over IPv6", 1 << RawPIM, pim6, true},
		{"PIM unwanted", both, pim4, false},
		{"MLD beside PIM", only6 | 1<<RawPIM, long, true},
		{"IGMP beside PIM", only4 | 1<<RawPIM, igmpPacket(igmp.TypeLeave, 0), true},
		{"a header only", only6, mldPacket("fe80::1", 1, mld.TypeDone, 24)[:40], false},
	} {
		vm, err := bpf.NewVM(rawFilter(tt.set))
		if err != nil {
			t.Fatal(err)
		}
		n, err := vm.Run(tt.b)
		if err != nil || (n > 0) != tt.want {
			t.Errorf("%s: %d bytes, %v; want %t", tt.name, n, err, tt.want)
		}
	}
}

// Both families, with all that is known of a packet; what is tagged, or another
// protocol, does not come.
func TestRawConn(t *testing.T) {
	a, b := pair(t)
	ca, cb := a.openRaw(t, "va"), b.openRaw(t, "vb")
	time.Sleep(50 * time.Millisecond)
	readRaw(t, cb, 50*time.Millisecond) // what the kernel reports by itself

	if ca.Interface().Name != "va" || ca.Addr(true) != netip.MustParseAddr("10.1.0.1") || ca.Addr(false) != netip.MustParseAddr("fe80::1") {
		t.Errorf("%v %v %v", ca.Interface().Name, ca.Addr(true), ca.Addr(false))
	}
	tagged := []byte{0x01, 0, 0x5e, 0, 0, 1, 2, 0, 0, 0, 0, 7, 0x81, 0, 0, 7, 0x08, 0}
	a.frames(t, "va", append(tagged, igmpPacket(igmp.TypeQuery, 100)...))
	if got := readRaw(t, cb, 100*time.Millisecond); slices.ContainsFunc(got, fromTest) {
		t.Error("a tagged frame came")
	}
	report, query := v2Report(t, "10.1.0.1", "239.9.9.9"), mldQueryPacket(t, ca.Addr(false))
	sent := time.Now()
	run := append(append([]byte(nil), report...), report...)
	if n, err := ca.WriteBatch([]datagram.Packet{{Data: run, SegSize: len(report)}, {Data: query}}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	var got []datagram.Packet
	for _, p := range readRaw(t, cb, 200*time.Millisecond) {
		if string(p.Data) == string(report) || string(p.Data) == string(query) {
			got = append(got, p)
		}
	}
	if len(got) != 3 {
		t.Fatalf("%d packets arrived, want 3", len(got))
	}
	p, q := got[0], got[2]
	if p.Src.String() != "10.1.0.1:0" || p.Dst.String() != "239.9.9.9:0" || p.IfIndex != cb.Interface().Index || p.HopLimit != 1 || p.TOS != 0xc0 || p.Time.Before(sent.Add(-time.Second)) || p.Time.After(time.Now()) {
		t.Errorf("IGMP: %+v", p)
	}
	if q.Src.Addr() != ca.Addr(false) || q.Dst.Addr() != mld.AllNodes || q.HopLimit != 1 {
		t.Errorf("MLD: %+v", q)
	}

	for _, bad := range []struct {
		b    []byte
		want error
	}{{nil, ErrAddress}, {[]byte{1, 2, 3}, ErrAddress}, {udpPacket("192.0.2.9", 0), ErrNotMulticast}, {append(report, make([]byte, 2000)...), ErrTooLong}} {
		if n, err := ca.WriteBatch([]datagram.Packet{{Data: bad.b}}); n != 0 || !errors.Is(err, bad.want) {
			t.Errorf("%d bytes: %d, %v; want %v", len(bad.b), n, err, bad.want)
		}
	}
	if _, err := cb.ReadBatch(make([]datagram.Packet, 1)); !errors.Is(err, ErrNoSpace) {
		t.Errorf("without space: %v", err)
	}
	// Too long for the space: dropped, counted, and the next comes.
	ca.WriteBatch([]datagram.Packet{{Data: query}, {Data: report}})
	ps := spaces(2, 40)
	cb.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := cb.ReadBatch(ps); n != 1 || err != nil || string(ps[0].Data) != string(report) || cb.Stats().Truncated == 0 {
		t.Errorf("%d, %v, %q; %+v", n, err, ps[0].Data, cb.Stats())
	}

	// The tagged frame from before, without its tag; frames goes on sending it.
	a.frames(t, "va", append(append(tagged[:12:12], 0x08, 0), igmpPacket(igmp.TypeQuery, 100)...))
	cb.SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		ps := spaces(1, 1500)
		if _, err := cb.ReadBatch(ps); err != nil {
			t.Fatalf("the frame without tag does not come: %v", err)
		}
		if fromTest(ps[0]) {
			if len(ps[0].Data) != 32 {
				t.Errorf("with padding it has %d bytes", len(ps[0].Data))
			}
			break
		}
	}
}

func TestRawOutgoing(t *testing.T) {
	a, _ := pair(t)
	c, monitor := a.openRaw(t, "va", RawIGMP), a.openRaw(t, "va", RawIGMP)
	if err := monitor.SetOutgoing(true); err != nil {
		t.Fatal(err)
	}
	report := v2Report(t, "10.1.0.1", "239.9.9.9")
	count := func(c *RawConn) (n int) {
		for _, p := range readRaw(t, c, 100*time.Millisecond) {
			if string(p.Data) == string(report) {
				n++
			}
		}
		return n
	}
	c.WriteBatch([]datagram.Packet{{Data: report}})
	if n := count(monitor); n != 1 {
		t.Errorf("the monitor heard %d", n)
	}
	if n := count(c); n != 0 {
		t.Error("it hears itself")
	}
	if err := monitor.SetOutgoing(false); err != nil {
		t.Fatal(err)
	}
	c.WriteBatch([]datagram.Packet{{Data: report}})
	if n := count(monitor); n != 0 {
		t.Errorf("after switching off it heard %d", n)
	}
}

// Down and up again; then gone, while it is down.
func TestRawInterfaceGoes(t *testing.T) {
	a, b := pair(t)
	ca, cb := a.openRaw(t, "va", RawIGMP), b.openRaw(t, "vb", RawIGMP)
	b.ip(t, "link set vb down")
	var before, after unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &before)
	readRaw(t, cb, 300*time.Millisecond)
	unix.Getrusage(unix.RUSAGE_SELF, &after)
	if d := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()); d > 200*time.Millisecond {
		t.Errorf("reading from an interface that is down took %v of the processor", d)
	}
	if _, err := cb.WriteBatch([]datagram.Packet{{Data: v2Report(t, "10.1.0.2", "239.9.9.9")}}); !errors.Is(err, unix.ENETDOWN) {
		t.Errorf("write while it is down: %v", err)
	}
	b.ip(t, "link set vb up")
	for i := 0; ; i++ {
		ca.WriteBatch([]datagram.Packet{{Data: v2Report(t, "10.1.0.1", "239.9.9.9")}})
		if len(readRaw(t, cb, 100*time.Millisecond)) > 0 {
			break
		}
		if i == 50 {
			t.Fatal("nothing is heard after the interface came up again")
		}
	}
	b.ip(t, "link set vb down")
	readRaw(t, cb, 100*time.Millisecond)
	cb.SetReadDeadline(time.Now().Add(10 * time.Second))
	b.ip(t, "link del vb")
	if n, err := cb.ReadBatch(spaces(1, 1500)); !errors.Is(err, ErrNoInterface) {
		t.Errorf("after deletion: %d, %v", n, err)
	}
	if _, err := cb.WriteBatch([]datagram.Packet{{Data: v2Report(t, "10.1.0.2", "239.9.9.9")}}); !errors.Is(err, ErrNoInterface) {
		t.Errorf("write after deletion: %v", err)
	}
}

func TestRawCloseAndErrors(t *testing.T) {
	a, _ := pair(t)
	c := a.openRaw(t, "va")
	ended := make(chan error)
	go func() {
		var err error
		for err == nil {
			_, err = c.ReadBatch(spaces(1, 1500))
		}
		ended <- err
	}()
	time.Sleep(10 * time.Millisecond)
	c.Close()
	c.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := c.WriteBatch([]datagram.Packet{{Data: v2Report(t, "10.1.0.1", "239.9.9.9")}}); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	a.do(t, func() {
		if _, err := OpenRaw(t.Context(), "none"); !errors.Is(err, ErrNoInterface) {
			t.Error(err)
		}
		for _, bad := range [][]RawProtocol{{9}, {0}, {RawIGMP, RawCGMP}, {RawGMRP, RawMLD}} {
			if _, err := OpenRaw(t.Context(), "va", bad...); !errors.Is(err, ErrOption) {
				t.Errorf("%v: %v", bad, err)
			}
		}
		done, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := OpenRaw(done, "va"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	// A thread without the capability.
	err := a.try(func() {
		runtime.LockOSThread() // it ends with the goroutine
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&hdr, &none[0]); err != nil {
			t.Error(err)
			return
		}
		_, err := OpenRaw(context.Background(), "va")
		var e *OpError
		if !errors.Is(err, ErrPermission) || !errors.As(err, &e) || e.Remedy == "" || e.Interface != "va" {
			t.Errorf("without CAP_NET_RAW: %v", err)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRawAllocations(t *testing.T) {
	a, b := pair(t)
	ca, cb := a.openRaw(t, "va", RawIGMP), b.openRaw(t, "vb", RawIGMP)
	out := []datagram.Packet{{Data: v2Report(t, "10.1.0.1", "239.9.9.9")}}
	in := spaces(4, 1500)
	cb.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n := testing.AllocsPerRun(200, func() {
		if _, err := ca.WriteBatch(out); err != nil {
			t.Fatal(err)
		}
		if _, err := cb.ReadBatch(in); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations per packet", n)
	}
}
