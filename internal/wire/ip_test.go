package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"testing"
)

var (
	a4, g4 = netip.MustParseAddr("10.6.0.1"), netip.MustParseAddr("224.0.0.22")
	a6, g6 = netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::16")
)

func TestIPv4(t *testing.T) {
	payload := []byte("12345678")
	b := append(AppendIPv4([]byte("x"), a4, g4, ProtoIGMP, len(payload)), payload...)[1:]
	// The kernel's own header of such a packet.
	if got, want := hex.EncodeToString(b[:24]), "46c00020000040000102f9fa0a060001e000001694040000"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var p IP
	if err := ParseIPv4(append(bytes.Clone(b), make([]byte, 14)...), &p); err != nil { // padded
		t.Fatal(err)
	}
	if p.Src != a4 || p.Dst != g4 || p.HopLimit != 1 || p.TOS != 0xc0 || !p.RouterAlert || p.Fragment || p.BadChecksum || p.Truncated {
		t.Errorf("%+v", p)
	}
	if m, err := p.Whole(ProtoIGMP); err != nil || !bytes.Equal(m, payload) {
		t.Errorf("%q, %v", m, err)
	}
	if _, err := p.Whole(ProtoUDP); !errors.Is(err, ErrProtocol) {
		t.Error(err)
	}
	for n := range len(b) {
		err := ParseIPv4(b[:n], &p)
		if n < 24 && !errors.Is(err, io.ErrUnexpectedEOF) || n >= 24 && (err != nil || !p.Truncated || len(p.Payload) != n-24) {
			t.Errorf("%d bytes: %v %+v", n, err, p)
		}
	}
	change := func(i int, v byte) ([]byte, error) {
		c := bytes.Clone(b)
		c[i] = v
		if err := ParseIPv4(c, &p); err != nil {
			return nil, err
		}
		return p.Whole(ProtoIGMP)
	}
	if _, err := change(0, 0x66); !errors.Is(err, ErrIPVersion) {
		t.Error(err)
	}
	if _, err := change(0, 0x44); !errors.Is(err, ErrIPHeader) {
		t.Error(err)
	}
	if _, err := change(3, 23); !errors.Is(err, ErrIPHeader) {
		t.Error(err)
	}
	if _, err := change(8, 2); !errors.Is(err, ErrIPChecksum) {
		t.Error(err)
	}
	for _, fragment := range []byte{0x20, 0x00} { // more fragments; an offset
		c := bytes.Clone(b)
		c[6], c[7], c[10], c[11] = fragment, 0x20-fragment, 0, 0
		sum := Checksum(c[:24])
		c[10], c[11] = byte(sum>>8), byte(sum)
		if err := ParseIPv4(c, &p); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Whole(ProtoIGMP); !errors.Is(err, ErrFragment) || p.First != (fragment == 0x20) {
			t.Error(err, p.First)
		}
	}
}

func TestAlert4(t *testing.T) {
	for opts, want := range map[string]bool{
		"94040000":                 true,
		"01010194040000":           true,
		"070704000000000094040000": false, // the record route option eats one byte
		"0707040000000094040000":   true,
		"94040001":                 false, // another value
		"00000000" + "94040000":    false, // behind the end
		"9402" + "94040000":        true,
		"9401" + "94040000":        false, // no such length
		"9404":                     false,
		"94":                       false,
		"":                         false,
	} {
		b, _ := hex.DecodeString(opts)
		if got := alert4(b); got != want {
			t.Errorf("%s: %v", opts, got)
		}
	}
}

func TestIPv6(t *testing.T) {
	payload := []byte("12345678")
	b := append(AppendIPv6([]byte("x"), a6, g6, len(payload)), payload...)[1:]
	const want = "60000000" + "00100001" + "fe800000000000000000000000000001" + "ff020000000000000000000000000016" + "3a00050200000100"
	if got := hex.EncodeToString(b[:48]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var p IP
	if err := ParseIPv6(append(bytes.Clone(b), 0, 0), &p); err != nil {
		t.Fatal(err)
	}
	if p.Src != a6 || p.Dst != g6 || p.HopLimit != 1 || !p.RouterAlert || p.Fragment || p.Truncated {
		t.Errorf("%+v", p)
	}
	if m, err := p.Whole(ProtoICMPv6); err != nil || !bytes.Equal(m, payload) {
		t.Errorf("%q, %v", m, err)
	}
	for n := range len(b) {
		err := ParseIPv6(b[:n], &p)
		if n < 48 && !errors.Is(err, io.ErrUnexpectedEOF) || n >= 48 && (err != nil || !p.Truncated || len(p.Payload) != n-48) {
			t.Errorf("%d bytes: %v %+v", n, err, p)
		}
	}
	b[0] = 0x46
	if err := ParseIPv6(b, &p); !errors.Is(err, ErrIPVersion) {
		t.Error(err)
	}
}

// Extension headers in a chain.
func TestIPv6Chain(t *testing.T) {
	chain := func(first byte, headers string) IP {
		h, _ := hex.DecodeString(headers)
		b := AppendIPv6(nil, a6, g6, 0)[:40]
		b[5], b[6] = byte(len(h)), first
		var p IP
		if err := ParseIPv6(append(b, h...), &p); err != nil {
			t.Fatalf("%s: %v", headers, err)
		}
		return p
	}
	// Routing, destination options, a fragment that is the whole (RFC 6946).
	p := chain(ProtoRouting, "3c00000000000000"+"2c00010400000000"+"3a00000000000001"+"8200")
	if m, err := p.Whole(ProtoICMPv6); err != nil || len(m) != 2 || p.RouterAlert {
		t.Errorf("%x, %v", m, err)
	}
	p = chain(ProtoFragment, "3a00000100000001"+"8200") // more to come
	if _, err := p.Whole(ProtoICMPv6); !errors.Is(err, ErrFragment) || !p.First {
		t.Error(err)
	}
	p = chain(ProtoFragment, "0000000800000001"+"ffff") // no header is read from its middle
	if _, err := p.Whole(ProtoICMPv6); !errors.Is(err, ErrFragment) || p.First {
		t.Error(err)
	}
	for options, want := range map[string]bool{
		"3a000502" + "00000100": true,
		"3a000100" + "05020000": true,
		"3a000000" + "05020000": true,
		"3a000502" + "00010100": false, // RSVP
		"3a000503" + "00000000": false,
		"3a000104" + "05020000": false, // behind its end
		"3a00010a" + "05020000": false, // a lie
	} {
		if p := chain(ProtoHopByHop, options); p.RouterAlert != want {
			t.Errorf("%s: %v", options, p.RouterAlert)
		}
	}
}

func TestTLV(t *testing.T) {
	b, ok := AppendTLV(nil, 0, nil)
	b, ok2 := AppendTLV(b, 0x1234, []byte("abc"))
	if got := hex.EncodeToString(b); !ok || !ok2 || got != "00000000"+"12340003616263" || !ValidTLVs(b) {
		t.Errorf("%s %v %v", got, ok, ok2)
	}
	for n := range b {
		if got, want := ValidTLVs(b[:n]), n == 4; got != want {
			t.Errorf("%d bytes: %v", n, got)
		}
	}
	if _, ok := AppendTLV(nil, 1, make([]byte, 65536)); ok {
		t.Error("65536 bytes fit")
	}
	if b, ok := AppendTLV(nil, 1, make([]byte, 65535)); !ok || !ValidTLVs(b) || ValidTLVs(append(b, 0)) {
		t.Error("65535 bytes do not fit")
	}
}

// FuzzIP parses anything as both versions; what it makes of it lies inside of the
// input.
func FuzzIP(f *testing.F) {
	f.Add(AppendIPv4(nil, a4, g4, ProtoIGMP, 0))
	f.Add(AppendIPv6(nil, a6, g6, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p IP
		if ParseIPv4(b, &p) == nil && len(p.Payload) > len(b)-20 {
			t.Fatal(len(p.Payload))
		}
		if ParseIPv6(b, &p) == nil && len(p.Payload) > len(b)-40 {
			t.Fatal(len(p.Payload))
		}
		ValidTLVs(b)
	})
}

func TestAllocs(t *testing.T) {
	b4, b6 := AppendIPv4(nil, a4, g4, ProtoIGMP, 0), AppendIPv6(nil, a6, g6, 0)
	buf := make([]byte, 0, 64)
	var p IP
	if n := testing.AllocsPerRun(100, func() {
		_ = ParseIPv4(b4, &p)
		_ = ParseIPv6(b6, &p)
		_ = AppendIPv4(buf, a4, g4, ProtoIGMP, 0)
		_ = AppendIPv6(buf, a6, g6, 0)
		_ = Sum6(a6, g6, ProtoICMPv6, b6)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
