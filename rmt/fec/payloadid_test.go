package fec_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// formats has an OTI for each payload ID layout.
var formats = []struct {
	name    string
	oti     fec.OTI
	length  int
	blocks  uint64
	symbols int
}{
	{"no-code", fec.OTI{EncodingID: fec.CompactNoCode}, 4, 1 << 16, 1 << 16},
	{"rs8", fec.OTI{EncodingID: fec.ReedSolomonGF8}, 4, 1 << 24, 1 << 8},
	{"rs m default", fec.OTI{EncodingID: fec.ReedSolomonGF2m}, 4, 1 << 24, 1 << 8},
	{"rs m 8", fec.OTI{EncodingID: fec.ReedSolomonGF2m, M: 8}, 4, 1 << 24, 1 << 8},
	{"rs m 16", fec.OTI{EncodingID: fec.ReedSolomonGF2m, M: 16}, 4, 1 << 16, 1 << 16},
	{"raptor", fec.OTI{EncodingID: fec.Raptor}, 4, 1 << 16, 1 << 16},
	{"ldpc staircase", fec.OTI{EncodingID: fec.LDPCStaircase}, 4, 1 << 12, 1 << 20},
	{"ldpc triangle", fec.OTI{EncodingID: fec.LDPCTriangle}, 4, 1 << 12, 1 << 20},
	{"raptorq", fec.OTI{EncodingID: fec.RaptorQ}, 4, 1 << 8, 1 << 24},
	{"small block", fec.OTI{EncodingID: fec.SmallBlockSystematic}, 8, 1 << 32, 1 << 16},
}

func TestPayloadIDFormat(t *testing.T) {
	for _, tt := range formats {
		t.Run(tt.name, func(t *testing.T) {
			f, err := tt.oti.PayloadIDFormat()
			if err != nil {
				t.Fatal(err)
			}
			if f.Len() != tt.length || f.MaxBlocks() != tt.blocks || f.MaxSymbols() != tt.symbols {
				t.Errorf("%d bytes, %d blocks, %d symbols; want %d, %d, %d",
					f.Len(), f.MaxBlocks(), f.MaxSymbols(), tt.length, tt.blocks, tt.symbols)
			}
		})
	}
	for _, o := range []fec.OTI{{EncodingID: fec.ReedSolomonGF2m, M: 7}, {EncodingID: 128}} {
		if _, err := o.PayloadIDFormat(); !errors.Is(err, fec.ErrUnknownScheme) {
			t.Errorf("%v m=%d: got %v, want ErrUnknownScheme", o.EncodingID, o.M, err)
		}
	}
}

func TestPayloadID(t *testing.T) {
	tests := []struct {
		name string
		oti  fec.OTI
		id   fec.PayloadID
		wire string
	}{
		{"no-code", fec.OTI{EncodingID: fec.CompactNoCode}, fec.PayloadID{SBN: 0x1234, ESI: 0x5678}, "\x12\x34\x56\x78"},
		{"no-code, largest", fec.OTI{EncodingID: fec.CompactNoCode}, fec.PayloadID{SBN: 0xffff, ESI: 0xffff}, "\xff\xff\xff\xff"},
		{"rs8", fec.OTI{EncodingID: fec.ReedSolomonGF8}, fec.PayloadID{SBN: 3, ESI: 0x36}, "\x00\x00\x03\x36"},
		{"rs8, largest", fec.OTI{EncodingID: fec.ReedSolomonGF8}, fec.PayloadID{SBN: 0xffffff, ESI: 0xff}, "\xff\xff\xff\xff"},
		{"rs m 8", fec.OTI{EncodingID: fec.ReedSolomonGF2m, M: 8}, fec.PayloadID{SBN: 0x10203, ESI: 4}, "\x01\x02\x03\x04"},
		{"rs m 16", fec.OTI{EncodingID: fec.ReedSolomonGF2m, M: 16}, fec.PayloadID{SBN: 0x102, ESI: 0x304}, "\x01\x02\x03\x04"},
		{"raptor", fec.OTI{EncodingID: fec.Raptor}, fec.PayloadID{SBN: 0x102, ESI: 0x304}, "\x01\x02\x03\x04"},
		{"ldpc", fec.OTI{EncodingID: fec.LDPCStaircase}, fec.PayloadID{SBN: 0x010, ESI: 0x20304}, "\x01\x02\x03\x04"},
		{"raptorq", fec.OTI{EncodingID: fec.RaptorQ}, fec.PayloadID{SBN: 0x01, ESI: 0x020304}, "\x01\x02\x03\x04"},
		{"small block", fec.OTI{EncodingID: fec.SmallBlockSystematic},
			fec.PayloadID{SBN: 0x01020304, SourceBlockLen: 0x0506, ESI: 0x0708}, "\x01\x02\x03\x04\x05\x06\x07\x08"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := tt.oti.PayloadIDFormat()
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Append([]byte("x"), tt.id); string(got) != "x"+tt.wire {
				t.Errorf("Append: % x, want % x", got[1:], tt.wire)
			}
			if got, err := f.Parse([]byte(tt.wire + "more")); err != nil || got != tt.id {
				t.Errorf("Parse: %+v, %v; want %+v", got, err, tt.id)
			}
			for n := range len(tt.wire) {
				if _, err := f.Parse([]byte(tt.wire[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("Parse of %d bytes: %v, want io.ErrUnexpectedEOF", n, err)
				}
			}
		})
	}
}

// A stream numbers its blocks without end; on the wire the number wraps.
func TestPayloadIDWraps(t *testing.T) {
	o := fec.OTI{EncodingID: fec.ReedSolomonGF8}
	f, _ := o.PayloadIDFormat()
	if got := f.Append(nil, fec.PayloadID{SBN: 1<<24 + 5, ESI: 1}); string(got) != "\x00\x00\x05\x01" {
		t.Errorf("got % x", got)
	}
}

func FuzzPayloadID(f *testing.F) {
	f.Add(uint8(1), []byte("\x00\x00\x03\x36"))
	f.Add(uint8(5), []byte("\x01\x02\x03\x04\x05\x06\x07\x08"))
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		format, err := formats[int(which)%len(formats)].oti.PayloadIDFormat()
		if err != nil {
			t.Fatal(err)
		}
		id, err := format.Parse(b)
		if (err == nil) != (len(b) >= format.Len()) {
			t.Fatalf("Parse of %d bytes: %v", len(b), err)
		}
		if err != nil {
			return
		}
		if got := format.Append(nil, id); !bytes.Equal(got, b[:format.Len()]) {
			t.Fatalf("% x came back as % x", b, got)
		}
		if uint64(id.SBN) >= format.MaxBlocks() || int(id.ESI) >= format.MaxSymbols() {
			t.Fatalf("%+v is out of range", id)
		}
	})
}
