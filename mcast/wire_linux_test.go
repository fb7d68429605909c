package mcast

import (
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/group"
)

// The bytes below are those of a little-endian machine: amd64 and arm64 with
// 8-byte words, 386 with 4.

// RFC 3678 section 5.1, with the padding of <linux/in.h>.
func TestGroupReq(t *testing.T) {
	littleEndian(t)
	ch := func(s string) group.Channel {
		c, err := group.ParseChannel(s)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	in4 := "0200 0000 e8010203 0000000000000000" + strings.Repeat("00", 112)
	src4 := "0200 0000 c000020a 0000000000000000" + strings.Repeat("00", 112)
	in6 := "0a00 0000 00000000 ff3e0000000000000000000000001234 00000000" + strings.Repeat("00", 100)
	src6 := "0a00 0000 00000000 20010db8000000000000000000000001 00000000" + strings.Repeat("00", 100)
	for _, tt := range []struct {
		ch   string
		word int
		want string
	}{
		{"232.1.2.3", 8, "07000000 00000000" + in4},
		{"232.1.2.3", 4, "07000000" + in4},
		{"192.0.2.10@232.1.2.3", 8, "07000000 00000000" + in4 + src4},
		{"192.0.2.10@232.1.2.3", 4, "07000000" + in4 + src4},
		{"2001:db8::1@ff3e::1234", 8, "07000000 00000000" + in6 + src6},
		{"ff3e::1234", 4, "07000000" + in6},
	} {
		if got, want := groupReq(7, ch(tt.ch), tt.word), unhex(t, tt.want); string(got) != string(want) {
			t.Errorf("%s, word %d:\n got %x\nwant %x", tt.ch, tt.word, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	littleEndian(t)
	for _, tt := range []struct {
		addr  string
		scope uint32
		want  string
	}{
		{"239.1.2.3:5004", 0, "0200 138c ef010203 0000000000000000"},
		{"[ff02::fb]:5353", 9, "0a00 14e9 00000000 ff0200000000000000000000000000fb 09000000"},
	} {
		var n name
		a := netip.MustParseAddrPort(tt.addr)
		size := putName(&n, a, tt.scope)
		got := unsafe.Slice((*byte)(unsafe.Pointer(&n)), size)
		if string(got) != string(unhex(t, tt.want)) {
			t.Errorf("%s: %x, want %s", tt.addr, got, tt.want)
		}
		if back := getName(&n); back != a {
			t.Errorf("%s read back as %s", tt.addr, back)
		}
	}
	if got := getName(&name{}); got.IsValid() {
		t.Errorf("no family gives %v", got)
	}
}

func TestParseControl(t *testing.T) {
	littleEndian(t)
	for _, tt := range []struct {
		what string
		word int
		b    string
		want arrival
	}{
		{"IPv4, amd64", 8, `
			2000000000000000 01000000 40000000 1500000000000000 0700000000000000
			1c00000000000000 00000000 08000000 02000000 c0000201 ef010203 00000000
			1400000000000000 00000000 02000000 05000000 00000000
			1100000000000000 00000000 01000000 b8 00000000000000
			1400000000000000 11000000 68000000 78050000 00000000
			1400000000000000 01000000 28000000 2a000000 00000000`,
			arrival{dst: netip.MustParseAddr("239.1.2.3"), ifindex: 2, hopLimit: 5, tos: 0xb8, time: time.Unix(21, 7), segSize: 1400, drops: 42, hasDrops: true}},
		{"timestamps of kernel and card, amd64", 8, `
			4000000000000000 01000000 41000000 1500000000000000 0700000000000000
			0000000000000000 0000000000000000 0100000000000000 0900000000000000`,
			arrival{time: time.Unix(21, 7), hardware: time.Unix(1, 9)}},
		{"timestamps of the kernel only, 386", 4, `
			3c000000 01000000 41000000 1500000000000000 0700000000000000
			0000000000000000 0000000000000000 0000000000000000 0000000000000000`,
			arrival{time: time.Unix(21, 7)}},
		{"old timestamps, 386", 4, `
			24000000 01000000 25000000 15000000 07000000 00000000 00000000 01000000 09000000`,
			arrival{time: time.Unix(21, 7), hardware: time.Unix(1, 9)}},
		{"old timestamps, amd64, before 1970", 8, `
			4000000000000000 01000000 25000000 ffffffffffffffff 0700000000000000
			0000000000000000 0000000000000000 0000000000000000 0000000000000000`,
			arrival{time: time.Unix(-1, 7)}},
		{"timestamps cut short", 4, `18000000 01000000 41000000 15000000 07000000 00000000`, arrival{}},
		{"IPv4 unicast, 386", 4, `
			18000000 00000000 08000000 02000000 c0000201 c0000201
			0d000000 00000000 01000000 03 000000
			14000000 01000000 23000000 15000000 07000000`,
			arrival{dst: netip.MustParseAddr("192.0.2.1"), ifindex: 2, local: true, tos: 3, time: time.Unix(21, 7)}},
		{"IPv4 broadcast is not local", 4, `18000000 00000000 08000000 02000000 c0000201 c00002ff`,
			arrival{dst: netip.MustParseAddr("192.0.2.255"), ifindex: 2}},
		{"IPv6, amd64", 8, `
			2400000000000000 29000000 32000000 ff3e0000000000000000000000001234 03000000 00000000
			1400000000000000 29000000 34000000 ff000000 00000000
			1400000000000000 29000000 43000000 22000000 00000000`,
			arrival{dst: netip.MustParseAddr("ff3e::1234"), ifindex: 3, hopLimit: 255, tos: 0x22}},
		{"unknown ones are skipped", 4, `
			10000000 2a000000 2a000000 00000000
			10000000 00000000 02000000 09000000`, arrival{hopLimit: 9}},
		{"last without padding", 8, `1100000000000000 00000000 01000000 b8`, arrival{tos: 0xb8}},
		{"too short for its length", 8, `1800000000000000 00000000 02000000 05000000`, arrival{}},
		{"length below the header", 8, `0800000000000000 00000000 02000000 05000000 00000000`, arrival{}},
		{"huge length", 8, `ffffffffffffffff 00000000 02000000 05000000 00000000`, arrival{}},
		{"nothing", 8, ``, arrival{}},
	} {
		var a arrival
		parseControl(unhex(t, tt.b), tt.word, &a)
		if a != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.what, a, tt.want)
		}
	}
}

func TestAppendControl(t *testing.T) {
	littleEndian(t)
	var b []byte
	b = appendControl(b, 8, unix.SOL_UDP, unix.UDP_SEGMENT, []byte{0x78, 0x05})
	b = appendControl(b, 8, unix.IPPROTO_IP, unix.IP_TTL, []byte{7, 0, 0, 0})
	if want := unhex(t, `1200000000000000 11000000 67000000 7805 000000000000 1400000000000000 00000000 02000000 07000000 00000000`); string(b) != string(want) {
		t.Errorf("64 bit: %x, want %x", b, want)
	}
	b = appendControl(nil, 4, unix.SOL_UDP, unix.UDP_SEGMENT, []byte{0x78, 0x05})
	if want := unhex(t, `0e000000 11000000 67000000 7805 0000`); string(b) != string(want) {
		t.Errorf("32 bit: %x, want %x", b, want)
	}
	b = appendPktinfo(nil, true, netip.MustParseAddr("192.0.2.1"), 3)
	if want := appendControl(nil, wordSize, unix.IPPROTO_IP, unix.IP_PKTINFO, unhex(t, `03000000 c0000201 00000000`)); string(b) != string(want) {
		t.Errorf("in_pktinfo: %x, want %x", b, want)
	}
	b = appendPktinfo(nil, false, netip.MustParseAddr("2001:db8::1"), 3)
	if want := appendControl(nil, wordSize, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unhex(t, `20010db8000000000000000000000001 03000000`)); string(b) != string(want) {
		t.Errorf("in6_pktinfo: %x, want %x", b, want)
	}
}

// All that can be asked for at once must fit the space there is.
func TestControlSpace(t *testing.T) {
	b := appendPktinfo(nil, false, netip.IPv6Loopback(), 1)
	for range 4 { // hop limit, class, segment size, transmit time
		b = appendControl(b, wordSize, 0, 0, make([]byte, 8))
	}
	if len(b) > len(control{}.b) {
		t.Errorf("sending needs %d bytes of control space, there are %d", len(b), len(control{}.b))
	}
	b = appendPktinfo(nil, false, netip.IPv6Loopback(), 1)
	b = appendControl(b, wordSize, 0, 0, make([]byte, 48)) // timestamps
	for range 4 {                                          // hop limit, class, drops, segment size
		b = appendControl(b, wordSize, 0, 0, make([]byte, 4))
	}
	if len(b) > len(control{}.b) {
		t.Errorf("receiving needs %d bytes of control space, there are %d", len(b), len(control{}.b))
	}
	if unsafe.Offsetof(control{}.b) != 0 || unsafe.Sizeof(control{})%uintptr(wordSize) != 0 {
		t.Error("control messages are not aligned")
	}
}

func FuzzParseControl(f *testing.F) {
	f.Add(appendPktinfo(nil, true, netip.MustParseAddr("192.0.2.1"), 3), true)
	f.Add(appendControl(nil, 4, unix.SOL_UDP, unix.UDP_GRO, []byte{1, 2, 3, 4}), false)
	f.Add(appendControl(nil, 8, unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, make([]byte, 48)), true)
	f.Fuzz(func(t *testing.T, b []byte, wide bool) {
		word := 4
		if wide {
			word = 8
		}
		var a arrival
		parseControl(b, word, &a)
	})
}

func TestKernelVersion(t *testing.T) {
	for s, want := range map[string][3]int{
		"6.18.0":             {6, 18, 0},
		"6.1.0-42-amd64":     {6, 1, 0},
		"5.15":               {5, 15, 0},
		"7.1.4-arch1-1":      {7, 1, 4},
		"4.19.0+":            {4, 19, 0},
		"6.17.0-41.gen.x.y.": {6, 17, 0},
		"":                   {0, 0, 0},
		"x":                  {0, 0, 0},
		"1.2.3.4":            {1, 2, 3},
	} {
		a, b, c := parseVersion(s)
		if got := [3]int{a, b, c}; got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
	for s, want := range map[string]bool{"6.18.0": false, "7.0.0": true, "7.0.14": true, "7.1.4": true, "7.1.5": false, "7.2.0": false} {
		if got := corruptsSegments(parseVersion(s)); got != want {
			t.Errorf("corruptsSegments(%s) = %v", s, got)
		}
	}
}
