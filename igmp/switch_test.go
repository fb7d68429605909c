package igmp

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestHeader(t *testing.T) {
	for _, tt := range []struct{ bytes, want string }{
		{"11640000 00000000", "query"},
		{"16000000 ef010203", "v2 report"},
		{"13010000 00000eff", "DVMRP probe"},
		{"13070000 0000ffff", "DVMRP prune"},
		{"130b0000", "DVMRP code 11"},
		{"13000000", "DVMRP code 0"},
		{"14030000 10000000", "PIMv1 join/prune"},
		{"14090000 10000000", "PIMv1 code 9"},
		{"15000000", "Cisco trace"},
		{"1f200000 00000000 0a080001 c0000207 0a080002 40aabbcc", "mtrace query"},
		{"1f200000 00000000 0a080001 c0000207 0a080002 40aabbcc 00", "mtrace request"},
		{"1e200000 00000000 0a080001 c0000207 0a080002 40aabbcc", "mtrace response"},
		{"30000000 007d0002", "router advertisement"},
		{"31000000", "router solicitation"},
		{"32000000", "router termination"},
		{"ff000000", "type 0xff"},
	} {
		b := sums(unhex(tt.bytes))
		h, err := ParseHeader(b)
		if err != nil || h.String() != tt.want || len(h.Body) != len(b)-4 || byte(h.Type) != b[0] || h.Code != b[1] {
			t.Errorf("%s: %v %v", tt.bytes, h, err)
		}
		b[2] ^= 1
		if h, err := ParseHeader(b); !errors.Is(err, ErrChecksum) || h.String() != tt.want {
			t.Errorf("%s: %v %v", tt.bytes, h, err)
		}
	}
	if _, err := ParseHeader([]byte{0x13, 1, 2}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if _, ok := TypeOf(nil); ok {
		t.Error("nothing has a type")
	}
	if typ, ok := TypeOf([]byte{0x22}); !ok || typ != TypeReport3 || typ.String() != "v3 report" {
		t.Error(typ)
	}
	for typ, want := range map[Type]string{TypeReport1: "v1 report", TypeLeave: "leave"} {
		if typ.String() != want {
			t.Error(typ)
		}
	}
	if Strict.String() != "strict" || Lenient.String() != "lenient" {
		t.Error("modes")
	}
}

// What follows the LLC header is, in order: version and type, reserved, count; group
// and station, twice; padding.
const cgmpFrame = "aaaa0300000c2001 11 0000 02 01005e010203 020000000001 01005e010204 000000000000 ffff"

// Two groups and a leave all, two service requirements, the end.
const gmrpFrame = "424203 0001" + "01 08 01 01005e010203 08 04 01005e010204 02 00 00" + "02 03 02 00 03 02 01 00" + "00"

func TestCGMP(t *testing.T) {
	b := unhex(cgmpFrame)
	var c CGMP
	if err := ParseCGMP(b, &c); err != nil {
		t.Fatal(err)
	}
	g, s := c.Entries.At(0)
	if got := fmt.Sprint(c.Version, " ", c.Type, " ", c.Entries.Len(), " ", g, " ", s); got != "1 leave 2 01:00:5e:01:02:03 02:00:00:00:00:01" {
		t.Error(got)
	}
	for n := range len(b) - 2 {
		if err := ParseCGMP(b[:n], &c); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	b[7] = 0 // CDP and others
	if err := ParseCGMP(b, &c); !errors.Is(err, ErrType) {
		t.Error(err)
	}
	if s := fmt.Sprint(CGMPJoin, CGMPType(5), CGMPAddr); s != "join type 5 01:00:0c:dd:dd:dd" {
		t.Error(s)
	}
}

func TestGMRP(t *testing.T) {
	const body = "01 08 01 01005e010203 08 04 01005e010204 02 00 00" + // two groups, leave all
		"02 03 02 00 03 02 01 00" + // forward all, forward unregistered
		"09 04 01 aabb 00" + // who knows
		"00"
	b := unhex("424203 0001" + body + "0000000000") // padded
	g, err := ParseGMRP(b)
	if err != nil || len(g) != len(unhex(body))-1 {
		t.Fatal(len(g), err)
	}
	var got []string
	for a := range g.All() {
		got = append(got, fmt.Sprint(a.Event, " ", a.Service, " ", a.ForwardAll, " ", a.Group))
	}
	want := []string{
		"join empty false false 01:00:5e:01:02:03",
		"leave in false false 01:00:5e:01:02:04",
		"leave all false false 00:00:00:00:00:00",
		"join in true true 00:00:00:00:00:00",
		"join in true false 00:00:00:00:00:00",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q", got)
	}
	for range g.All() {
		break
	}
	whole := unhex("424203 0001" + body)
	for n := range whole {
		if _, err := ParseGMRP(whole[:n]); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for s, want := range map[string]error{
		"424203 0002":                     ErrType, // another protocol
		"42420300":                        io.ErrUnexpectedEOF,
		"424203 0001 01 01":               ErrLength,
		"424203 0001 01 07 01 0102030405": ErrLength,
		"424203 0001 02 04 01 0102":       ErrLength,
		"424203 0001 01 09 01 0102":       io.ErrUnexpectedEOF,
	} {
		if _, err := ParseGMRP(unhex(s)); !errors.Is(err, want) {
			t.Errorf("%s: %v", s, err)
		}
	}
	if GMRPEvent(6).String() != "event 6" || GMRPLeaveEmpty.String() != "leave empty" || GMRPAddr.String() != "01:80:c2:00:00:20" {
		t.Error(GMRPEvent(6), GMRPAddr)
	}
}
