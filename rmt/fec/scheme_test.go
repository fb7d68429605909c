package fec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

func TestRegistry(t *testing.T) {
	const id = fec.EncodingID(200)
	if _, err := fec.Lookup(id); !errors.Is(err, fec.ErrUnknownScheme) {
		t.Errorf("got %v, want ErrUnknownScheme", err)
	}
	for _, name := range []string{"first", "second"} {
		fec.Register(fec.Scheme{ID: id, Name: name})
		if s, err := fec.Lookup(id); err != nil || s.Name != name {
			t.Errorf("got %q, %v; want %q", s.Name, err, name)
		}
	}
}

func TestEncodingIDString(t *testing.T) {
	for id, want := range map[fec.EncodingID]string{
		0: "no-code (0)", 1: "raptor (1)", 2: "rs-gf2m (2)", 3: "ldpc-staircase (3)", 4: "ldpc-triangle (4)", 5: "rs8 (5)", 6: "raptorq (6)",
		129: "small-block-systematic (129)", 130: "fec (130)",
	} {
		if got := id.String(); got != want {
			t.Errorf("%d: got %q, want %q", uint8(id), got, want)
		}
	}
}

func TestValidate(t *testing.T) {
	oti := func(id fec.EncodingID, block, parity uint32) fec.OTI {
		return fec.OTI{EncodingID: id, TransferLength: 1e6, SymbolSize: 1400, MaxBlockLen: block, Parity: parity}
	}
	with := func(o fec.OTI, change func(*fec.OTI)) fec.OTI { change(&o); return o }
	tests := []struct {
		name string
		oti  fec.OTI
		want error
	}{
		{"no code", oti(fec.CompactNoCode, 65535, 0), nil},
		{"no code with parity", oti(fec.CompactNoCode, 64, 1), fec.ErrCodeSize},
		{"rs8", oti(fec.ReedSolomonGF8, 64, 16), nil},
		{"rs8 without parity", oti(fec.ReedSolomonGF8, 255, 0), nil},
		{"rs8 255", oti(fec.ReedSolomonGF8, 200, 55), nil},
		{"rs8 256", oti(fec.ReedSolomonGF8, 200, 56), fec.ErrCodeSize},
		{"rs8 with sums of more than 16 bits", oti(fec.ReedSolomonGF8, 65535, 65), fec.ErrCodeSize},
		{"rs m 8, 256", oti(fec.ReedSolomonGF2m, 200, 56), fec.ErrCodeSize},
		{"rs m 16", with(oti(fec.ReedSolomonGF2m, 60000, 5535), func(o *fec.OTI) { o.M = 16 }), nil},
		{"rs m 16, 65536", with(oti(fec.ReedSolomonGF2m, 60000, 5536), func(o *fec.OTI) { o.M = 16 }), fec.ErrCodeSize},
		{"rs m 9", with(oti(fec.ReedSolomonGF2m, 64, 16), func(o *fec.OTI) { o.M = 9 }), fec.ErrUnknownScheme},
		{"129 instance 0", oti(fec.SmallBlockSystematic, 64, 191), nil},
		{"129 instance 0, 256", oti(fec.SmallBlockSystematic, 64, 192), fec.ErrCodeSize},
		{"129 instance 1", with(oti(fec.SmallBlockSystematic, 60000, 5535), func(o *fec.OTI) { o.InstanceID = 1 }), nil},
		{"unknown", oti(77, 64, 16), fec.ErrUnknownScheme},
		{"block length 0", oti(fec.ReedSolomonGF8, 0, 16), fec.ErrBlockLen},
		{"too many blocks", with(oti(fec.ReedSolomonGF8, 1, 16), func(o *fec.OTI) { o.SymbolSize, o.TransferLength = 1, 1<<25 }), fec.ErrTooManyBlocks},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.oti.Validate(); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestNoCode(t *testing.T) {
	s, err := fec.Lookup(fec.CompactNoCode)
	if err != nil {
		t.Fatal(err)
	}
	o := fec.OTI{SymbolSize: 4, MaxBlockLen: 8}
	for _, k := range []int{-1, 0, 9} {
		if _, err := s.NewCode(&o, k); !errors.Is(err, fec.ErrCodeSize) {
			t.Errorf("blocks of %d symbols: %v, want ErrCodeSize", k, err)
		}
	}
	if _, err := s.NewCode(&fec.OTI{SymbolSize: 4, MaxBlockLen: 8, Parity: 1}, 8); !errors.Is(err, fec.ErrCodeSize) {
		t.Errorf("with parity: %v, want ErrCodeSize", err)
	}
	c, err := s.NewCode(&o, 3)
	if err != nil {
		t.Fatal(err)
	}
	src := [][]byte{[]byte("abcd"), make([]byte, 4), []byte("ijkl")}
	if err := c.Decode(src, nil, nil, nil); err != nil {
		t.Errorf("nothing missing: %v", err)
	}
	err = c.Decode(src, []int{1}, [][]byte{make([]byte, 4)}, []int{0})
	if !errors.Is(err, fec.ErrNoCode) || !strings.Contains(err.Error(), "1 of 3") {
		t.Errorf("one missing: %v, want ErrNoCode", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("Encode made a parity symbol")
		}
	}()
	c.Encode(make([]byte, 4), src, 0)
}
