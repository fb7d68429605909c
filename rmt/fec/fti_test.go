package fec_test

import (
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "|", "").Replace(s))
	if err != nil {
		panic(err)
	}
	return b
}

// ftis have the content of EXT_FTI, field by field from the figures of the RFCs, and
// what FLUTE carries beside as scheme-specific information.
var ftis = []struct {
	name string
	wire string
	info string
	oti  fec.OTI
}{
	{"no code", "010203040506 0000 0708 00010000", "",
		fec.OTI{EncodingID: 0, TransferLength: 0x010203040506, SymbolSize: 0x0708, MaxBlockLen: 1 << 16}},
	{"raptor", "010203040506 0000 0708 0a0b 0c 04", "0a0b 0c 04",
		fec.OTI{EncodingID: 1, TransferLength: 0x010203040506, SymbolSize: 0x0708, Blocks: 0x0a0b, SubBlocks: 12, Align: 4}},
	{"rs m 16", "010203040506 10 01 0708 00c8 012c", "10 01",
		fec.OTI{EncodingID: 2, TransferLength: 0x010203040506, SymbolSize: 0x0708, MaxBlockLen: 200, Parity: 100, M: 16, G: 1}},
	{"ldpc staircase", "010203040506 0708 45 12345 789ab 7ffffffe", "7ffffffe 45",
		fec.OTI{EncodingID: 3, TransferLength: 0x010203040506, SymbolSize: 0x0708, N1: 5, G: 5, MaxBlockLen: 0x12345, Parity: 0x789ab - 0x12345, Seed: 0x7ffffffe}},
	{"ldpc triangle", "000000000001 0001 e1 00001 00001 00000001", "00000001 e1",
		fec.OTI{EncodingID: 4, TransferLength: 1, SymbolSize: 1, N1: 10, G: 1, MaxBlockLen: 1, Seed: 1}},
	{"rs8", "010203040506 0708 40 50", "",
		fec.OTI{EncodingID: 5, TransferLength: 0x010203040506, SymbolSize: 0x0708, MaxBlockLen: 64, Parity: 16}},
	{"raptorq", "0102030405 00 0708 0a 0b0c 04 0000", "0a 0b0c 04",
		fec.OTI{EncodingID: 6, TransferLength: 0x0102030405, SymbolSize: 0x0708, Blocks: 10, SubBlocks: 0x0b0c, Align: 4}},
	{"small block", "010203040506 0a0b 0708 00c8 012c", "",
		fec.OTI{EncodingID: 129, TransferLength: 0x010203040506, InstanceID: 0x0a0b, SymbolSize: 0x0708, MaxBlockLen: 200, Parity: 100}},
}

func TestFTI(t *testing.T) {
	for _, tt := range ftis {
		t.Run(tt.name, func(t *testing.T) {
			wire, info := unhex(tt.wire), unhex(tt.info)
			got, err := fec.AppendFTI([]byte("x"), &tt.oti)
			if err != nil || string(got) != "x"+string(wire) {
				t.Errorf("AppendFTI: % x, %v; want % x", got[1:], err, wire)
			}
			if (2+len(wire))%4 != 0 {
				t.Errorf("an extension of %d bytes", 2+len(wire))
			}
			o, err := fec.ParseFTI(tt.oti.EncodingID, append(wire, "more"...))
			if err != nil || o != tt.oti {
				t.Errorf("ParseFTI: %+v, %v; want %+v", o, err, tt.oti)
			}
			s := fec.Scheme{ID: tt.oti.EncodingID}
			if got, err := s.AppendFTI(nil, &tt.oti); err != nil || string(got) != string(wire) {
				t.Errorf("Scheme.AppendFTI: % x, %v", got, err)
			}
			if o, err := s.ParseFTI(wire); err != nil || o != tt.oti {
				t.Errorf("Scheme.ParseFTI: %+v, %v", o, err)
			}
			for n := range wire {
				if tt.oti.EncodingID == fec.RaptorQ && n >= 12 {
					break // the rest is padding
				}
				if _, err := fec.ParseFTI(tt.oti.EncodingID, wire[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("ParseFTI of %d bytes: %v", n, err)
				}
			}
			if got, err := tt.oti.AppendSchemeInfo([]byte("x")); err != nil || string(got) != "x"+string(info) {
				t.Errorf("AppendSchemeInfo: % x, %v; want % x", got[1:], err, info)
			}
			o = fec.OTI{EncodingID: tt.oti.EncodingID}
			if err := o.ParseSchemeInfo(append(info, "more"...)); err != nil {
				t.Error(err)
			}
			want := fec.OTI{EncodingID: o.EncodingID, M: tt.oti.M, G: tt.oti.G, N1: tt.oti.N1, Seed: tt.oti.Seed,
				Blocks: tt.oti.Blocks, SubBlocks: tt.oti.SubBlocks, Align: tt.oti.Align}
			if o != want {
				t.Errorf("ParseSchemeInfo: %+v, want %+v", o, want)
			}
			for n := range info {
				if err := o.ParseSchemeInfo(info[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("ParseSchemeInfo of %d bytes: %v", n, err)
				}
			}
		})
	}
}

// TestFTIParityCount: senders that put the parity count where the RFCs have max_n are
// understood when it cannot be max_n.
func TestFTIParityCount(t *testing.T) {
	for _, tt := range []struct {
		id     fec.EncodingID
		wire   string
		parity uint32
	}{
		{5, "000000000001 0708 40 10", 16},
		{5, "000000000001 0708 40 40", 0},
		{5, "000000000001 0708 40 3f", 63},
		{129, "000000000001 0000 0708 0040 0010", 16},
		{2, "000000000001 08 01 0708 0040 0010", 16},
	} {
		o, err := fec.ParseFTI(tt.id, unhex(tt.wire))
		if err != nil || o.Parity != tt.parity || o.MaxBlockLen != 64 {
			t.Errorf("%s: %+v, %v; want parity %d", tt.wire, o, err, tt.parity)
		}
	}
	if _, err := fec.ParseFTI(3, unhex("000000000001 0708 01 00040 00010 00000001")); !errors.Is(err, fec.ErrFTI) {
		t.Errorf("LDPC with max_n below B: %v", err)
	}
}

func TestFTIErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		oti  fec.OTI
		want error
	}{
		"unknown":             {fec.OTI{EncodingID: 77}, fec.ErrUnknownScheme},
		"too long":            {fec.OTI{EncodingID: 5, TransferLength: fec.MaxTransferLength + 1}, fec.ErrTransferLength},
		"rs8, B":              {fec.OTI{EncodingID: 5, MaxBlockLen: 256}, fec.ErrFTI},
		"rs8, max_n":          {fec.OTI{EncodingID: 5, MaxBlockLen: 200, Parity: 56}, fec.ErrFTI},
		"129, max_n":          {fec.OTI{EncodingID: 129, MaxBlockLen: 60000, Parity: 6000}, fec.ErrFTI},
		"129, wrap":           {fec.OTI{EncodingID: 129, MaxBlockLen: 1<<32 - 1, Parity: 2}, fec.ErrFTI},
		"ldpc, max_n":         {fec.OTI{EncodingID: 3, MaxBlockLen: 1 << 19, Parity: 1 << 19, Seed: 1}, fec.ErrFTI},
		"ldpc, N1":            {fec.OTI{EncodingID: 3, MaxBlockLen: 1, N1: 11}, fec.ErrFTI},
		"ldpc, G":             {fec.OTI{EncodingID: 3, MaxBlockLen: 1, G: 32}, fec.ErrFTI},
		"raptor, sub-blocks":  {fec.OTI{EncodingID: 1, SubBlocks: 256}, fec.ErrFTI},
		"raptorq, too long":   {fec.OTI{EncodingID: 6, TransferLength: 1 << 40}, fec.ErrFTI},
		"raptorq, many block": {fec.OTI{EncodingID: 6, Blocks: 256}, fec.ErrFTI},
	} {
		b, err := fec.AppendFTI([]byte("as it was"), &tt.oti)
		if !errors.Is(err, tt.want) || string(b) != "as it was" {
			t.Errorf("%s: %q, %v; want %v", name, b, err, tt.want)
		}
	}
	if _, err := fec.ParseFTI(77, make([]byte, 20)); !errors.Is(err, fec.ErrUnknownScheme) {
		t.Error(err)
	}
	o := fec.OTI{EncodingID: 77}
	if _, err := o.AppendSchemeInfo(nil); !errors.Is(err, fec.ErrUnknownScheme) {
		t.Error(err)
	}
	if err := o.ParseSchemeInfo(nil); !errors.Is(err, fec.ErrUnknownScheme) {
		t.Error(err)
	}
	if _, err := (fec.Scheme{ID: 5}).AppendFTI(nil, &fec.OTI{EncodingID: 6}); !errors.Is(err, fec.ErrFTI) {
		t.Error(err)
	}
}

// FuzzFTI: what is read can be written again, and reads the same; and whatever was read
// can be asked for its partition, and for encoders and decoders within a limit.
func FuzzFTI(f *testing.F) {
	for _, tt := range ftis {
		f.Add(uint8(tt.oti.EncodingID), unhex(tt.wire))
	}
	f.Fuzz(func(t *testing.T, id uint8, b []byte) {
		if len(b) > 2 { // not longer than one can work with
			b[0], b[1] = 0, b[1]&1
		}
		o, err := fec.ParseFTI(fec.EncodingID(id), b)
		if err != nil {
			return
		}
		wire, err := fec.AppendFTI(nil, &o)
		if err == nil {
			if again, err := fec.ParseFTI(o.EncodingID, wire); err != nil || again != o {
				t.Fatalf("%+v came back as %+v, %v", o, again, err)
			}
		}
		s, err := fec.Lookup(o.EncodingID)
		if err != nil {
			t.Fatalf("%v is not registered: %v", o.EncodingID, err)
		}
		const limit = 1 << 20
		d, err := s.NewDecoder(&o, limit)
		if err != nil {
			return
		}
		p, err := o.Partition()
		if err != nil {
			t.Fatalf("a decoder, but no partition: %v", err)
		}
		if p.Blocks() == 0 || fec.BlockMemory(&o) > limit {
			return
		}
		room := make([]byte, fec.BlockMemory(&o))
		for _, sbn := range []uint32{0, uint32(p.Blocks() - 1)} {
			if err := d.Start(sbn, room); err != nil && !errors.Is(err, fec.ErrCodeSize) {
				t.Fatal(err)
			} else if err != nil {
				continue
			}
			sym := make([]byte, o.SymbolSize)
			for esi := range uint32(20) {
				if ready, _ := d.Add(esi*esi*esi, sym); ready {
					_ = d.Solve()
				}
			}
		}
	})
}
