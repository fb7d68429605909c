package lct

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// vectors are headers written by hand from RFC 5651 section 5.1.
var vectors = []struct {
	name  string
	bytes string
	want  Header
}{
	{
		"16-bit TSI and TOI",
		"10 10 03 00 00000000 abcd 1234",
		Header{CCI: unhex("00000000"), Widths: Widths16, TSI: 0xabcd, TOI: TOI{Lo: 0x1234}},
	},
	{
		"32-bit TSI and TOI",
		"10 a0 04 05 00000001 01020304 0a0b0c0d",
		Header{Codepoint: 5, CCI: unhex("00000001"), Widths: Widths32, TSI: 0x01020304, TOI: TOI{Lo: 0x0a0b0c0d}},
	},
	{
		"no TOI, session closed",
		"10 82 03 00 00000000 00000007",
		Header{CloseSession: true, CCI: unhex("00000000"), Widths: WidthsNoTOI, TSI: 7},
	},
	{
		"neither",
		"10 00 02 00 00000000",
		Header{CCI: unhex("00000000"), Widths: WidthsNone},
	},
	{
		"the widest, object closed, PSI 2",
		"1e f1 0a 06 00010203 04050607 08090a0b 0c0d0e0f 010203040506 0102030405060708090a0b0c0d0e",
		Header{
			PSI: 2, CloseObject: true, Codepoint: 6, CCI: unhex("000102030405060708090a0b0c0d0e0f"),
			Widths: widths(48, 112), TSI: 0x010203040506, TOI: TOI{Hi: 0x010203040506, Lo: 0x0708090a0b0c0d0e},
		},
	},
	{
		"two extensions",
		"10 10 07 00 00000000 0001 0000 40 03 0001 00000000 00000000 c0 200003",
		Header{CCI: unhex("00000000"), Widths: Widths16, TSI: 1, Extensions: unhex("40030001 00000000 00000000 c0200003")},
	},
	{
		"SCT and ERT of RFC 3451",
		"10 1c 06 00 00000000 0001 0002 00000100 00000200 c1030000",
		Header{CCI: unhex("00000000"), Widths: Widths16, TSI: 1, TOI: TOI{Lo: 2}, HasSCT: true, SCT: 256, HasERT: true, ERT: 512, Extensions: unhex("c1030000")},
	},
	{
		"ERT of RFC 3451",
		"10 14 04 00 00000000 0001 0002 00000200",
		Header{CCI: unhex("00000000"), Widths: Widths16, TSI: 1, TOI: TOI{Lo: 2}, HasERT: true, ERT: 512},
	},
}

func widths(tsi, toi int) Widths {
	w, err := NewWidths(tsi, toi)
	if err != nil {
		panic(err)
	}
	return w
}

func TestVectors(t *testing.T) {
	for _, tt := range vectors {
		b := unhex(tt.bytes)
		var h Header
		if err := Parse(b, &h); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		want := tt.want
		want.Len = len(b)
		if want.Extensions == nil {
			want.Extensions = Extensions{}
		}
		if !reflect.DeepEqual(h, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.name, h, want)
		}
		got, err := tt.want.Append([]byte("before"))
		if err != nil || !bytes.Equal(got[6:], b) {
			t.Errorf("%s: %x, %v; want %x", tt.name, got, err, b)
		}
	}
}

// Cut short anywhere, a header is refused; and what follows it does not matter.
func TestTruncation(t *testing.T) {
	for _, tt := range vectors {
		b := unhex(tt.bytes)
		var h Header
		for n := range b {
			if err := Parse(b[:n:n], &h); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s, %d bytes: %v", tt.name, n, err)
			}
		}
		if err := Parse(append(b, 1, 2, 3), &h); err != nil || h.Len != len(b) {
			t.Errorf("%s: %v, length %d", tt.name, err, h.Len)
		}
		// With an HDR_LEN that is too small for the fields.
		for n := range b[2] {
			c := bytes.Clone(b)
			c[2] = n
			if err := Parse(c, &h); err == nil && int(n)*4 < 4+len(tt.want.CCI)+tt.want.Widths.bytes() {
				t.Errorf("%s: a length of %d words was taken", tt.name, n)
			}
		}
	}
}

// Every combination of C, S, O and H, with values that need all of the field.
func TestEveryWidth(t *testing.T) {
	n := 0
	for cci := 4; cci <= 16; cci += 4 {
		for tsi := 0; tsi <= 48; tsi += 16 {
			for toi := tsi % 32; toi <= TOIBits; toi += 32 {
				n++
				h := Header{Widths: widths(tsi, toi), CCI: bytes.Repeat([]byte{0xa5}, cci), TSI: 1<<tsi - 1, Codepoint: 129}
				h.TOI = number(bytes.Repeat([]byte{0xff}, toi/8))
				b, err := h.Append(nil)
				if err != nil {
					t.Fatalf("%v: %v", h.Widths, err)
				}
				if want := 4 + cci + (tsi+toi)/8; len(b) != want || int(b[2])*4 != want {
					t.Errorf("%v: %d bytes, HDR_LEN %d, want %d", h.Widths, len(b), b[2], want)
				}
				var g Header
				if err := Parse(b, &g); err != nil {
					t.Fatalf("%v: %v", h.Widths, err)
				}
				if g.Widths != h.Widths || g.TSI != h.TSI || g.TOI != h.TOI || !bytes.Equal(g.CCI, h.CCI) {
					t.Errorf("got %+v, want %+v", g, h)
				}
				if g.HasTOI() != (toi > 0) {
					t.Errorf("%v: HasTOI is %v", h.Widths, g.HasTOI())
				}
				// One more bit is refused.
				h.TSI++
				if out, err := h.Append(b); !errors.Is(err, ErrRange) || len(out) != len(b) {
					t.Errorf("%v: TSI %d: %v", h.Widths, h.TSI, err)
				}
				h.TSI--
				if toi < TOIBits {
					h.TOI = h.TOI.Next()
				} else {
					h.TOI.Hi++
				}
				if _, err := h.Append(nil); !errors.Is(err, ErrRange) {
					t.Errorf("%v: TOI %v: %v", h.Widths, h.TOI, err)
				}
			}
		}
	}
	if n != 4*16 {
		t.Errorf("%d combinations, want 64", n)
	}
}

func TestChooseWidths(t *testing.T) {
	for _, tt := range []struct {
		tsi  TSI
		toi  TOI
		want string
	}{
		{0, TOI{}, "16/16"},
		{0xffff, TOI{Lo: 0xffff}, "16/16"},
		{0x10000, TOI{}, "32/32"},
		{1, TOI{Lo: 0x10000}, "32/32"},
		{1 << 32, TOI{}, "48/16"},
		{1, TOI{Lo: 1 << 32}, "16/48"},
		{0x10000, TOI{Lo: 1 << 32}, "32/64"},
		{1, TOI{Lo: 1 << 48}, "32/64"},
		{0x10000, TOI{Lo: 1 << 63}, "32/64"},
		{1, TOI{Hi: 1}, "16/80"},
		{1, TOI{Hi: 1 << 32}, "16/112"},
		{0x10000, TOI{Hi: 1 << 31}, "32/96"},
		{0x10000, TOI{Hi: 1 << 32}, "48/112"},
		{MaxTSI, MaxTOI, "48/112"},
	} {
		w := ChooseWidths(tt.tsi, tt.toi)
		if w.String() != tt.want {
			t.Errorf("TSI %d, TOI %v: %v, want %s", tt.tsi, tt.toi, w, tt.want)
		}
		if b, err := (&Header{TSI: tt.tsi, TOI: tt.toi}).Append(nil); err != nil || len(b) != 8+w.bytes() {
			t.Errorf("TSI %d, TOI %v: %v", tt.tsi, tt.toi, err)
		}
	}
}

func TestBad(t *testing.T) {
	for _, tt := range []struct {
		name, bytes string
		want        error
	}{
		{"version 0", "00 10 03 00 00000000 00010001", ErrVersion},
		{"version 2", "20 10 03 00 00000000 00010001", ErrVersion},
		{"no length", "10 10 00 00 00000000 00010001", ErrHeaderLen},
		{"no room for the CCI", "1c 10 05 00 00000000 00010001 00000000 00000000", ErrHeaderLen},
		{"an extension of length 0", "10 10 04 00 00000000 00010001 00000000", ErrExtension},
		{"an extension past the end", "10 10 04 00 00000000 00010001 40020000", ErrExtension},
		{"the second extension of length 0", "10 10 05 00 00000000 00010001 c0200000 7f000000", ErrExtension},
	} {
		var h Header
		if err := Parse(unhex(tt.bytes), &h); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	// The reserved bits mean nothing where there is no room for the words.
	var h Header
	if err := Parse(unhex("10 1c 03 00 00000000 00010001"), &h); err != nil || h.HasSCT || h.HasERT {
		t.Errorf("reserved bits: %v, %+v", err, h)
	}
	for _, h := range []Header{
		{CCI: make([]byte, 5)}, {CCI: make([]byte, 20)}, {PSI: 4},
		{TSI: MaxTSI + 1}, {TOI: TOI{Hi: 1 << 48}}, {Widths: WidthsNone, TSI: 1},
		{Extensions: make(Extensions, 1016)}, {Extensions: make(Extensions, 2)}, {Extensions: unhex("40020000")},
	} {
		if b, err := h.Append([]byte{1}); err == nil || len(b) != 1 {
			t.Errorf("%+v: %v, %d bytes", h, err, len(b))
		}
	}
	for _, w := range [][2]int{{16, 32}, {64, 64}, {-16, 16}, {8, 8}, {48, 144}, {0, 16}} {
		if _, err := NewWidths(w[0], w[1]); !errors.Is(err, ErrRange) {
			t.Errorf("widths %v: %v", w, err)
		}
	}
}
