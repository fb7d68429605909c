package mcast

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// The tests of this file check the bytes for every system on any. All of them run on
// little-endian machines only.

func littleEndian(t testing.TB) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the expected bytes are little-endian")
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var abis = []struct {
	name string
	abi  *abi
}{
	{"macOS", &abiDarwin},
	{"FreeBSD", &abiFreeBSD},
	{"FreeBSD 386", &abiFreeBSD386},
	{"FreeBSD arm", &abiFreeBSDArm},
	{"Windows", &abiWindows},
	{"Windows 386", &abiWindows32},
}

func abiNamed(t testing.TB, name string) *abi {
	t.Helper()
	for _, a := range abis {
		if a.name == name {
			return a.abi
		}
	}
	t.Fatalf("no abi %s", name)
	return nil
}

func zeros(n int) string { return strings.Repeat("00", n) }

// struct group_req and group_source_req.
func TestABIGroupReq(t *testing.T) {
	littleEndian(t)
	const (
		any4 = "232.1.2.3"
		src4 = "192.0.2.10@232.1.2.3"
		any6 = "ff3e::1234"
		src6 = "2001:db8::1@ff3e::1234"
	)
	in4 := func(head, addr string) string { return head + "0000" + addr + zeros(8+112) }
	in6 := func(head, addr string) string { return head + "0000 00000000" + addr + "00000000" + zeros(100) }
	const g4, s4 = "e8010203", "c000020a"
	const g6, s6 = "ff3e0000000000000000000000001234", "20010db8000000000000000000000001"
	for _, tt := range []struct{ abi, ch, want string }{
		{"macOS", any4, "07000000" + in4("1002", g4)},
		{"macOS", src4, "07000000" + in4("1002", g4) + in4("1002", s4)},
		{"macOS", any6, "07000000" + in6("1c1e", g6)},
		{"macOS", src6, "07000000" + in6("1c1e", g6) + in6("1c1e", s6)},
		{"FreeBSD", any4, "07000000 00000000" + in4("1002", g4)},
		{"FreeBSD", src4, "07000000 00000000" + in4("1002", g4) + in4("1002", s4)},
		{"FreeBSD", src6, "07000000 00000000" + in6("1c1c", g6) + in6("1c1c", s6)},
		{"FreeBSD 386", src4, "07000000" + in4("1002", g4) + in4("1002", s4)},
		{"FreeBSD 386", any6, "07000000" + in6("1c1c", g6)},
		{"FreeBSD arm", any4, "07000000 00000000" + in4("1002", g4)},
		{"Windows", any4, "07000000 00000000" + in4("0200", g4)},
		{"Windows", src4, "07000000 00000000" + in4("0200", g4) + in4("0200", s4)},
		{"Windows", any6, "07000000 00000000" + in6("1700", g6)},
		{"Windows", src6, "07000000 00000000" + in6("1700", g6) + in6("1700", s6)},
		{"Windows 386", src4, "07000000 00000000" + in4("0200", g4) + in4("0200", s4)},
	} {
		ch, err := group.ParseChannel(tt.ch)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := abiNamed(t, tt.abi).groupReq(7, ch), unhex(t, tt.want); string(got) != string(want) {
			t.Errorf("%s %s:\n got %x\nwant %x", tt.abi, tt.ch, got, want)
		}
	}
}

// The numbers of the requests, as the headers have them.
func TestABIRequests(t *testing.T) {
	for _, a := range abis {
		want := [6]int{80, 81, 82, 83, 84, 85}
		if strings.HasPrefix(a.name, "Windows") {
			want = [6]int{41, 42, 45, 46, 43, 44}
		}
		got := [6]int{a.abi.joinGroup, a.abi.leaveGroup, a.abi.joinSourceGroup, a.abi.leaveSourceGroup, a.abi.blockSource, a.abi.unblockSource}
		if got != want {
			t.Errorf("%s: %v, want %v", a.name, got, want)
		}
	}
}

// The values of options that are not plain ints.
func TestABIOptionValues(t *testing.T) {
	littleEndian(t)
	for _, tt := range []struct{ abi, if4, if6, ttl4, hops6 string }{
		{"macOS", "00000000 00000000 07010000", "07010000", "05", "05000000"},
		{"FreeBSD", "00000000 00000000 07010000", "07010000", "05", "05000000"},
		{"Windows", "00000107", "07010000", "05000000", "05000000"},
	} {
		a := abiNamed(t, tt.abi)
		for _, v := range []struct {
			what string
			got  []byte
			want string
		}{
			{"IP_MULTICAST_IF", a.ip4.outgoing(0x107), tt.if4},
			{"IPV6_MULTICAST_IF", a.ip6.outgoing(0x107), tt.if6},
			{"IP_MULTICAST_TTL", number(5, a.ip4.hopsSize), tt.ttl4},
			{"IPV6_MULTICAST_HOPS", number(5, a.ip6.hopsSize), tt.hops6},
		} {
			if want := unhex(t, v.want); string(v.got) != string(want) {
				t.Errorf("%s %s: %x, want %x", tt.abi, v.what, v.got, want)
			}
		}
	}
}

// What each system puts into a packet's control messages.
var abiArrivals = []struct {
	abi, b string
	want   origin
}{
	{"macOS", `
		1c000000 ffff0000 02000000 1500000000000000 e8030000 00000000
		0d000000 00000000 18000000 05 000000
		18000000 00000000 1a000000 07000000 00000000 ef010203
		0d000000 00000000 1b000000 b8 000000`, arrived4},
	{"macOS", `
		1c000000 ffff0000 02000000 1500000000000000 e8030000 00000000
		20000000 29000000 2e000000 ff3e0000000000000000000000001234 07000000
		10000000 29000000 2f000000 05000000
		10000000 29000000 24000000 b8000000`, arrived6},
	{"FreeBSD", `
		20000000 ffff0000 02000000 00000000 1500000000000000 e803000000000000
		14000000 00000000 07000000 00000000 ef010203 00000000
		11000000 00000000 41000000 00000000 05 00000000000000
		46000000 00000000 14000000 00000000 3612 0700 06030600 766574` + zeros(43) + `0000
		11000000 00000000 44000000 00000000 b8 00000000000000`, arrived4},
	{"FreeBSD", `
		20000000 ffff0000 02000000 00000000 1500000000000000 e803000000000000
		24000000 29000000 2e000000 00000000 ff3e0000000000000000000000001234 07000000 00000000
		14000000 29000000 2f000000 00000000 05000000 00000000
		14000000 29000000 3d000000 00000000 b8000000 00000000`, arrived6},
	{"FreeBSD 386", `
		14000000 ffff0000 02000000 15000000 e8030000
		10000000 00000000 07000000 ef010203
		0d000000 00000000 41000000 05 000000
		14000000 00000000 14000000 0812 0700 00000000
		0d000000 00000000 44000000 b8 000000`, arrived4},
	{"FreeBSD arm", `
		1c000000 ffff0000 02000000 1500000000000000 e8030000 00000000
		20000000 29000000 2e000000 ff3e0000000000000000000000001234 07000000
		10000000 29000000 2f000000 05000000
		10000000 29000000 3d000000 b8000000`, arrived6},
	{"Windows", `
		1800000000000000 00000000 13000000 ef010203 07000000
		1400000000000000 00000000 04000000 05000000 00000000
		1400000000000000 00000000 03000000 b8000000 00000000`, untimed(arrived4)},
	{"Windows", `
		2400000000000000 29000000 13000000 ff3e0000000000000000000000001234 07000000 00000000
		1400000000000000 29000000 15000000 05000000 00000000
		1400000000000000 29000000 27000000 b8000000 00000000`, untimed(arrived6)},
	{"Windows 386", `
		14000000 00000000 13000000 ef010203 07000000
		10000000 00000000 04000000 05000000
		10000000 00000000 03000000 b8000000`, untimed(arrived4)},
	{"Windows 386", `
		20000000 29000000 13000000 ff3e0000000000000000000000001234 07000000
		10000000 29000000 15000000 05000000
		10000000 29000000 27000000 b8000000`, untimed(arrived6)},
}

var (
	arrived4 = origin{netip.MustParseAddr("239.1.2.3"), 7, 5, 0xb8, time.Unix(21, 1_000_000)}
	arrived6 = origin{netip.MustParseAddr("ff3e::1234"), 7, 5, 0xb8, time.Unix(21, 1_000_000)}
)

func untimed(o origin) origin {
	o.time = time.Time{}
	return o
}

func TestABIParse(t *testing.T) {
	littleEndian(t)
	for i, tt := range abiArrivals {
		t.Run(fmt.Sprintf("%s %d", tt.abi, i), func(t *testing.T) {
			a := abiNamed(t, tt.abi)
			b := unhex(t, tt.b)
			var o origin
			if a.parse(b, &o); o != tt.want {
				t.Errorf("got %+v, want %+v", o, tt.want)
			}
			// Cut short, it gives what came before and nothing false.
			for n := range b {
				var o origin
				a.parse(b[:n:n], &o)
				if o.dst.IsValid() && o.dst != tt.want.dst || o.hopLimit != 0 && o.hopLimit != 5 || o.tos != 0 && o.tos != 0xb8 {
					t.Errorf("the first %d bytes give %+v", n, o)
				}
			}
			if n := testing.AllocsPerRun(100, func() { a.parse(b, &o) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// Messages of another level, of no use, too short for what they are, or with a
// length that cannot be.
func TestABIParseOdd(t *testing.T) {
	littleEndian(t)
	for _, tt := range []struct{ abi, b string }{
		{"macOS", "10000000 ffff0000 01000000 03000000 0d000000 06000000 18000000 05000000"},
		{"macOS", "17000000 00000000 1a000000 07000000 00000000 ef010200"},
		{"macOS", "0c000000 00000000 18000000"},
		{"macOS", "00000000 00000000 18000000 05000000"},
		{"macOS", "ffffffff 00000000 18000000 05000000"},
		{"macOS", "0d000000 00000000 00000000 05000000"},
		{"FreeBSD", "0d000000 00000000 41000000 05000000"},
		{"FreeBSD", "13000000 00000000 07000000 00000000 ef010200"},
		{"FreeBSD", "13000000 00000000 14000000 00000000 08120700"},
		{"Windows", "ffffffffffffffff 00000000 04000000 05000000 00000000"},
		{"Windows", "1400000000000080 00000000 04000000 05000000 00000000"},
		{"Windows", "1700000000000000 00000000 13000000 ef010203 07000000"},
		{"Windows", "2000000000000000 29000000 13000000 ff3e0000000000000000000000001234"},
		{"Windows", "1400000000000000 00000000 00000000 05000000 00000000"},
	} {
		var o origin
		if abiNamed(t, tt.abi).parse(unhex(t, tt.b), &o); o != (origin{}) {
			t.Errorf("%s %s gives %+v", tt.abi, tt.b, o)
		}
	}
}

// What is sent with a packet for its source address and interface.
func TestABISource(t *testing.T) {
	littleEndian(t)
	src4, src6 := netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("fe80::9")
	const a6 = "fe800000000000000000000000000009"
	for _, tt := range []struct {
		abi     string
		src     netip.Addr
		is4     bool
		ifindex int
		want    string
	}{
		// An interface would make macOS forget the address.
		{"macOS", src4, true, 7, "18000000 00000000 1a000000 00000000 c0000209 00000000"},
		{"macOS", netip.Addr{}, true, 7, ""},
		{"macOS", src6, false, 7, "20000000 29000000 2e000000" + a6 + "07000000"},
		{"macOS", netip.Addr{}, false, 7, "20000000 29000000 2e000000" + zeros(16) + "07000000"},
		{"FreeBSD", src4, true, 7, "14000000 00000000 07000000 00000000 c0000209 00000000"},
		{"FreeBSD", netip.Addr{}, true, 7, ""},
		{"FreeBSD", src6, false, 7, "24000000 29000000 2e000000 00000000" + a6 + "07000000 00000000"},
		{"FreeBSD 386", src4, true, 7, "10000000 00000000 07000000 c0000209"},
		{"FreeBSD 386", src6, false, 0, "20000000 29000000 2e000000" + a6 + "00000000"},
		{"Windows", src4, true, 7, "1800000000000000 00000000 13000000 c0000209 07000000"},
		{"Windows", netip.Addr{}, true, 7, "1800000000000000 00000000 13000000 00000000 07000000"},
		{"Windows", src6, false, 7, "2400000000000000 29000000 13000000" + a6 + "07000000 00000000"},
		{"Windows 386", src4, true, 7, "14000000 00000000 13000000 c0000209 07000000"},
		{"Windows", netip.Addr{}, false, 0, ""},
	} {
		a := abiNamed(t, tt.abi)
		if got, want := a.appendSource(nil, a.of(tt.is4), tt.src, tt.ifindex), unhex(t, tt.want); string(got) != string(want) {
			t.Errorf("%s from %v on %d:\n got %x\nwant %x", tt.abi, tt.src, tt.ifindex, got, want)
		}
	}

	// Windows sends the TOS behind it.
	a := &abiWindows
	b := a.appendMessage(a.appendSource(nil, &a.ip4, src4, 7), a.ip4.level, a.ip4.tosType, number(0xb8, 4))
	if want := unhex(t, "1800000000000000 00000000 13000000 c0000209 07000000 1400000000000000 00000000 03000000 b8000000 00000000"); string(b) != string(want) {
		t.Errorf("got %x, want %x", b, want)
	}
}

func FuzzABIParse(f *testing.F) {
	for _, tt := range abiArrivals {
		for i, a := range abis {
			if a.name == tt.abi {
				f.Add(byte(i), unhex(f, tt.b))
			}
		}
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		a := abis[int(which)%len(abis)].abi
		var o origin
		a.parse(b, &o)
		if o.hopLimit < 0 || o.hopLimit > 255 {
			t.Errorf("hop limit %d", o.hopLimit)
		}
		if o.dst.Is4In6() && len(b) < 32 || o.dst.Zone() != "" {
			t.Errorf("destination %v", o.dst)
		}
	})
}
