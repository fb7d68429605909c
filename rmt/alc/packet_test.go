package alc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/lct"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// vectors have the same header, with the payload IDs of every scheme.
var vectors = []struct {
	codepoint fec.EncodingID
	id        string
	want      fec.PayloadID
}{
	{fec.CompactNoCode, "0102 0304", fec.PayloadID{SBN: 0x0102, ESI: 0x0304}},
	{fec.Raptor, "0102 0304", fec.PayloadID{SBN: 0x0102, ESI: 0x0304}},
	{fec.ReedSolomonGF2m, "010203 04", fec.PayloadID{SBN: 0x010203, ESI: 4}},
	{fec.LDPCStaircase, "01020304", fec.PayloadID{SBN: 0x010, ESI: 0x20304}},
	{fec.LDPCTriangle, "01020304", fec.PayloadID{SBN: 0x010, ESI: 0x20304}},
	{fec.ReedSolomonGF8, "010203 04", fec.PayloadID{SBN: 0x010203, ESI: 4}},
	{fec.RaptorQ, "01 020304", fec.PayloadID{SBN: 1, ESI: 0x020304}},
	{fec.SmallBlockSystematic, "01020304 0506 0708", fec.PayloadID{SBN: 0x01020304, SourceBlockLen: 0x0506, ESI: 0x0708}},
}

func packet(codepoint fec.EncodingID, payload string) []byte {
	b := unhex("10 10 04 00 00000000 0007 0001 c1000000" + payload)
	b[3] = byte(codepoint)
	return b
}

func TestVectors(t *testing.T) {
	for _, tt := range vectors {
		b := packet(tt.codepoint, tt.id+"aabbcc")
		var p Packet
		if err := (Codec{}).Parse(b, &p); err != nil {
			t.Errorf("%v: %v", tt.codepoint, err)
			continue
		}
		if p.TSI != 7 || p.TOI != (lct.TOI{Lo: 1}) || p.Codepoint != uint8(tt.codepoint) || !p.HasPayload ||
			p.ID != tt.want || !bytes.Equal(p.Symbols, []byte{0xaa, 0xbb, 0xcc}) {
			t.Errorf("%v: %+v", tt.codepoint, p)
		}
		out, err := Codec{}.Append([]byte("before"), &p)
		if err != nil || !bytes.Equal(out[6:], b) {
			t.Errorf("%v: %x, %v; want %x", tt.codepoint, out, err, b)
		}
		out, err = Codec{}.AppendHeader(nil, &p)
		if err != nil || !bytes.Equal(out, b[:len(b)-3]) {
			t.Errorf("%v: header %x, %v", tt.codepoint, out, err)
		}
		// Cut short: in the LCT header, at its end (no payload), in the ID.
		idLen := len(unhex(tt.id))
		for n := range b {
			err := (Codec{}).Parse(b[:n:n], &p)
			switch {
			case n == 16:
				if err != nil || p.HasPayload {
					t.Errorf("%v, %d bytes: %v", tt.codepoint, n, err)
				}
			case n < 16+idLen:
				if !errors.Is(err, io.ErrUnexpectedEOF) || p.HasPayload {
					t.Errorf("%v, %d bytes: %v", tt.codepoint, n, err)
				}
			default:
				if err != nil || len(p.Symbols) != n-16-idLen {
					t.Errorf("%v, %d bytes: %v", tt.codepoint, n, err)
				}
			}
		}
	}
}

// A packet without payload closes a session, and has no FEC Payload ID.
func TestClose(t *testing.T) {
	p := Packet{Header: lct.Header{CloseSession: true, TSI: 7, Widths: lct.WidthsNoTOI}}
	b, err := Codec{}.Append(nil, &p)
	if err != nil || len(b) != 12 {
		t.Fatalf("%x, %v", b, err)
	}
	var got Packet
	if err := (Codec{}).Parse(b, &got); err != nil || got.HasPayload || !got.CloseSession || got.HasTOI() {
		t.Errorf("%+v, %v", got, err)
	}
	if err := got.Reparse(8); err != nil || got.HasPayload {
		t.Errorf("Reparse: %v", err)
	}
}

func TestBad(t *testing.T) {
	var p Packet
	if err := (Codec{}).Parse(unhex("10 00 02 00 00000000 00000000"), &p); !errors.Is(err, ErrNoTSI) {
		t.Errorf("no TSI: %v", err)
	}
	b := packet(200, "01020304aa")
	if err := (Codec{}).Parse(b, &p); !errors.Is(err, ErrCodepoint) || !errors.Is(err, fec.ErrUnknownScheme) || p.TSI != 7 {
		t.Errorf("codepoint 200: %v, %+v", err, p)
	}
	if err := p.Reparse(0); !errors.Is(err, ErrCodepoint) {
		t.Errorf("format 0: %v", err)
	}
	for _, p := range []Packet{
		{Header: lct.Header{Widths: lct.WidthsNone}},
		{Header: lct.Header{Codepoint: 200}, HasPayload: true},
		{HasPayload: true, ID: fec.PayloadID{SBN: 1 << 16}},
		{HasPayload: true, ID: fec.PayloadID{ESI: 1 << 16}},
		{Header: lct.Header{Codepoint: 6}, HasPayload: true, ID: fec.PayloadID{SBN: 1 << 8}},
		{Header: lct.Header{Codepoint: 6}, HasPayload: true, ID: fec.PayloadID{ESI: 1 << 24}},
		{Header: lct.Header{Codepoint: 129}, HasPayload: true, ID: fec.PayloadID{ESI: 1 << 16}},
		{Header: lct.Header{PSI: 9}},
	} {
		if out, err := (Codec{}).Append([]byte{1}, &p); err == nil || len(out) != 1 {
			t.Errorf("%+v was appended: %x", p, out)
		}
	}
}

// A session's own codepoints, and the object whose m is 16.
func TestFormats(t *testing.T) {
	f := EncodingIDs()
	f[128], f[5] = f[fec.RaptorQ], 0
	c := Codec{Formats: &f}
	var p Packet
	if err := c.Parse(packet(128, "01020304"), &p); err != nil || p.ID != (fec.PayloadID{SBN: 1, ESI: 0x020304}) {
		t.Errorf("codepoint 128: %+v, %v", p, err)
	}
	if err := c.Parse(packet(5, "01020304"), &p); !errors.Is(err, ErrCodepoint) {
		t.Errorf("codepoint 5: %v", err)
	}
	if g := EncodingIDs(); g[5] == 0 || g[128] != 0 {
		t.Error("the zero codec's formats were changed")
	}
	if err := c.Parse(packet(fec.ReedSolomonGF2m, "01020304"), &p); err != nil {
		t.Fatal(err)
	}
	f16, err := (&fec.OTI{EncodingID: fec.ReedSolomonGF2m, M: 16}).PayloadIDFormat()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Reparse(f16); err != nil || p.ID != (fec.PayloadID{SBN: 0x0102, ESI: 0x0304}) {
		t.Errorf("m=16: %+v, %v", p.ID, err)
	}
}

// EXT_FTI holds what package fec makes of it.
func TestFTI(t *testing.T) {
	for _, o := range []fec.OTI{
		{EncodingID: fec.CompactNoCode, TransferLength: 1 << 40, SymbolSize: 1400, MaxBlockLen: 64},
		{EncodingID: fec.ReedSolomonGF8, TransferLength: 9999, SymbolSize: 1400, MaxBlockLen: 64, Parity: 16},
		{EncodingID: fec.RaptorQ, TransferLength: 9999, SymbolSize: 1280, Blocks: 1, SubBlocks: 1, Align: 4},
	} {
		x, err := AppendFTI(nil, &o)
		if err != nil {
			t.Fatal(err)
		}
		p := Packet{Header: lct.Header{TSI: 1, Codepoint: uint8(o.EncodingID), Extensions: x}}
		b, err := Codec{}.Append(nil, &p)
		if err != nil {
			t.Fatal(err)
		}
		var q Packet
		if err := (Codec{}).Parse(b, &q); err != nil {
			t.Fatal(err)
		}
		got, ok, err := q.FTI(o.EncodingID)
		if err != nil || !ok || !reflect.DeepEqual(got, o) {
			t.Errorf("%+v, %v, %v; want %+v", got, ok, err, o)
		}
	}
	if _, ok, err := (&Packet{}).FTI(0); ok || err != nil {
		t.Errorf("a packet without EXT_FTI: %v, %v", ok, err)
	}
	short := Packet{Header: lct.Header{Extensions: unhex("40010000")}}
	if _, ok, err := short.FTI(0); !ok || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short EXT_FTI: %v, %v", ok, err)
	}
	x, err := AppendFTI([]byte{1}, &fec.OTI{EncodingID: 200})
	if err == nil || len(x) != 1 {
		t.Errorf("scheme 200: %v", err)
	}
}

// An EXT_FTI of Raptor as flute-rs lays it out.
func TestRaptorFTI(t *testing.T) {
	want := fec.OTI{EncodingID: fec.Raptor, TransferLength: 0x0102030405, SymbolSize: 1024, Blocks: 300, SubBlocks: 2, Align: 4}
	for _, x := range []string{
		"4004 000102030405 0000 0400 012c 02 04",  // RFC 5053
		"4004 0102030405 00 0400 012c 02 04 0000", // flute-rs
	} {
		p := Packet{Header: lct.Header{Extensions: unhex(x)}}
		if o, ok, err := p.FTI(fec.Raptor); !ok || err != nil || o != want {
			t.Errorf("%s: %+v, %v, %v", x, o, ok, err)
		}
		if n := testing.AllocsPerRun(100, func() { _, _, _ = p.FTI(fec.Raptor) }); n != 0 {
			t.Errorf("%s: %v allocations", x, n)
		}
	}
	// Only that: reserved bits that are set do not make it another layout.
	p := Packet{Header: lct.Header{Extensions: unhex("4004 000102030405 0001 0400 012c 02 04")}}
	if o, _, err := p.FTI(fec.Raptor); err != nil || o != want {
		t.Errorf("with reserved bits: %+v, %v", o, err)
	}
}
