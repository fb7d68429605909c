package wire

import (
	"errors"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// What the styles make of the last field: NRL's and RFC 5740's parity count, RFC
// 5510's and RFC 5445's max_n.
func TestFTIStyles(t *testing.T) {
	for _, tt := range []struct {
		style   FTIStyle
		b, last byte
		parity  uint32
		ok      bool
	}{
		{FTIAuto, 64, 16, 16, true},
		{FTIAuto, 64, 80, 16, true},
		{FTIAuto, 64, 64, 0, true},
		{FTIAuto, 64, 63, 63, true},
		{FTIAuto, 64, 0, 0, true},
		{FTIAuto, 8, 24, 16, true}, // which in NRL's style would be 24
		{FTINRL, 64, 16, 16, true},
		{FTINRL, 64, 80, 80, true},
		{FTINRL, 8, 24, 24, true},
		{FTIRFC5510, 64, 80, 16, true},
		{FTIRFC5510, 64, 64, 0, true},
		{FTIRFC5510, 64, 16, 0, false},
	} {
		b := unhex(`11 07 0102 | 00000001 | 4e4f 61 40 | 04 05 0007 | 4003 0000 0004b000 0578`)
		b = append(b, tt.b, tt.last)
		var m Info
		err := Codec{FTI: tt.style}.ParseInfo(b, &m)
		if !tt.ok {
			if !errors.Is(err, ErrExtension) {
				t.Errorf("style %d, B %d, last %d: %v", tt.style, tt.b, tt.last, err)
			}
			continue
		}
		if err != nil || m.FTI.Parity != tt.parity || m.FTI.MaxBlockLen != uint32(tt.b) {
			t.Errorf("style %d, B %d, last %d: %+v, %v, want parity %d", tt.style, tt.b, tt.last, m.FTI, err, tt.parity)
		}
	}
}

// Every code a style can write it reads back, FTIAuto included; and NRL's reads
// what FTIAuto writes whenever there is less parity than source.
func TestFTIRoundTrip(t *testing.T) {
	for _, id := range []fec.EncodingID{2, 5, 129} {
		for b := uint32(0); b <= 255; b++ {
			for parity := uint32(0); b+parity <= 255; parity++ {
				o := fec.OTI{EncodingID: id, TransferLength: 1, SymbolSize: 2, MaxBlockLen: b, Parity: parity}
				if id == 2 {
					o.M, o.G = 16, 1
				}
				for _, style := range []FTIStyle{FTIAuto, FTINRL, FTIRFC5510} {
					c := Codec{FTI: style}
					ext, field, err := c.appendFTI(nil, &o)
					if err != nil {
						t.Fatalf("%+v: %s: %v", o, field, err)
					}
					var got fec.OTI
					if known, _, err := c.parseFTI(id, ext, &got); !known || err != nil || got != o {
						t.Fatalf("style %d: %+v came back as %+v, %v", style, o, got, err)
					}
					if style != FTIAuto || parity >= b {
						continue
					}
					if _, _, err := (Codec{FTI: FTINRL}).parseFTI(id, ext, &got); err != nil || got != o {
						t.Fatalf("NRL reads %+v as %+v, %v", o, got, err)
					}
				}
			}
		}
	}
}
