package mcast

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/mcast/group"
)

// The bytes of struct group_filter, for both word sizes, as on a little-endian
// machine.
func TestGroupFilterBytes(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the vectors are little-endian")
	}
	const pad120, pad104 = 240, 208 // hex digits of a sockaddr_storage after the address
	in4 := func(addr string) string { return "02000000" + addr + strings.Repeat("0", pad120) }
	in6 := func(addr string) string { return "0a00000000000000" + addr + strings.Repeat("0", pad104) }
	for _, tt := range []struct {
		name, g string
		f       group.Filter
		word    int
		want    string
	}{
		{"IPv4, 64 bits", "232.1.2.3", include("10.0.0.1", "10.0.0.2"), 8,
			"05000000" + "00000000" + in4("e8010203") + "01000000" + "02000000" + in4("0a000001") + in4("0a000002")},
		{"IPv4, 32 bits", "239.1.2.3", exclude("10.0.0.1"), 4,
			"05000000" + in4("ef010203") + "00000000" + "01000000" + in4("0a000001")},
		{"IPv6, 64 bits", "ff15::3", exclude(), 8,
			"05000000" + "00000000" + in6("ff150000000000000000000000000003") + "00000000" + "00000000"},
		{"IPv6, 32 bits", "ff35::3", include("fd00::1"), 4,
			"05000000" + in6("ff350000000000000000000000000003") + "01000000" + "01000000" + in6("fd000000000000000000000000000001")},
	} {
		b := groupFilter(5, netip.MustParseAddr(tt.g), tt.f, tt.word)
		if want, _ := hex.DecodeString(tt.want); !bytes.Equal(b, want) {
			t.Errorf("%s:\n got %x\nwant %x", tt.name, b, want)
		}
		f, n, ok := parseGroupFilter(b, tt.word)
		if !ok || n != len(tt.f.Sources) || !f.Equal(tt.f) {
			t.Errorf("%s: read back as %v, %d, %v", tt.name, f, n, ok)
		}
		for i := range b {
			f, n, ok := parseGroupFilter(b[:i], tt.word)
			if ok && (i < filterHeader(tt.word) || len(f.Sources) > n) {
				t.Errorf("%s: %d bytes are read as %v", tt.name, i, f)
			}
		}
	}
	b := groupFilter(5, netip.MustParseAddr("239.1.2.3"), exclude("10.0.0.1"), 8)
	b[filterHeader(8)] = 99 // no such family
	if _, _, ok := parseGroupFilter(b, 8); ok {
		t.Error("an unknown family is read")
	}
}
