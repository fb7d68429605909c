package raptorq

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// A symbol of two sub-blocks, by the book: RFC 6330 section 4.4.1.2 with F = 50, T
// = 12, Al = 4, Z = 2, N = 2: 5 symbols in blocks of 3 and 2, sub-symbols of 8 and
// 4 bytes.
func TestSubBlocks(t *testing.T) {
	o := fec.OTI{EncodingID: fec.RaptorQ, TransferLength: 50, SymbolSize: 12, MaxBlockLen: 3, Blocks: 2, SubBlocks: 2, Align: 4}
	l, err := NewLayout(&o)
	if err != nil {
		t.Fatal(err)
	}
	object := make([]byte, 50)
	for i := range object {
		object[i] = byte(i)
	}
	part := l.Partition()
	blocks := [][]byte{object[:36], object[36:]}
	for _, tt := range []struct {
		sbn  uint32
		esi  int
		want []byte
	}{
		{0, 0, []byte{0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27}},
		{0, 1, []byte{8, 9, 10, 11, 12, 13, 14, 15, 28, 29, 30, 31}},
		{0, 2, []byte{16, 17, 18, 19, 20, 21, 22, 23, 32, 33, 34, 35}},
		{1, 0, []byte{36, 37, 38, 39, 40, 41, 42, 43, 0, 0, 0, 0}},
		{1, 1, []byte{44, 45, 46, 47, 48, 49, 0, 0, 0, 0, 0, 0}},
	} {
		got := bytes.Repeat([]byte{0xee}, 12)
		l.Gather(got, blocks[tt.sbn], tt.sbn, tt.esi)
		if !bytes.Equal(got, tt.want) {
			t.Errorf("block %d symbol %d: % d, want % d", tt.sbn, tt.esi, got, tt.want)
		}
	}
	if part.Blocks() != 2 || part.Offset(1) != 36 || part.BlockBytes(1) != 14 || l.SubBlocks() != 2 {
		t.Errorf("partition %+v", part)
	}
	if at, size := l.SubSymbol(1); at != 8 || size != 4 {
		t.Errorf("second sub-symbol at %d, %d bytes", at, size)
	}
}

// An object of several blocks goes from one end to the other, with sub-blocks and
// without, packets with their headers in between.
func TestObject(t *testing.T) {
	r := newRand(t)
	for range 20 {
		object := make([]byte, 1+r.IntN(40000))
		fill(r, object)
		align := 1 + r.IntN(8)
		oti, err := NewOTI(uint64(len(object)), Sizing{
			Payload:   uint16(align * (1 + r.IntN(40))),
			Align:     uint8(align),
			SubSymbol: uint16(r.IntN(3)),
			Memory:    int64(40 * align * (10 + r.IntN(300))),
		})
		if errors.Is(err, ErrOTI) { // more than 255 blocks
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		wire, err := AppendOTI(nil, &oti)
		if err != nil {
			t.Fatal(err)
		}
		there, err := ParseOTI(wire)
		if err != nil || there != oti {
			t.Fatalf("%+v\nthen %+v: %v", oti, there, err)
		}
		from, to := mustLayout(t, &oti), mustLayout(t, &there)
		part := from.Partition()
		size := part.SymbolSize()
		got := make([]byte, len(object))
		for sbn := range uint32(part.Blocks()) {
			k, at, n := part.BlockLen(sbn), part.Offset(sbn), part.BlockBytes(sbn)
			src := make([][]byte, k)
			for i := range src {
				src[i] = make([]byte, size)
				from.Gather(src[i], object[at:][:n], sbn, i)
			}
			e := loaded(t, src, size)
			d, err := NewDecoder(k, size, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			d.Reset(make([]byte, k*size))
			for esi := uint32(0); !d.done; esi++ {
				if r.IntN(4) == 0 {
					continue
				}
				packet := PayloadID{uint8(sbn), esi}.AppendBinary(nil)
				packet = append(packet, make([]byte, size)...)
				e.Symbol(packet[PayloadIDLen:], esi)
				id, err := ParsePayloadID(packet)
				if err != nil || id.SBN != uint8(sbn) {
					t.Fatal(id, err)
				}
				if d.Add(id.ESI, packet[PayloadIDLen:]) {
					if err := d.Decode(); err != nil && !errors.Is(err, ErrNeedMore) {
						t.Fatal(err)
					}
				}
			}
			for i := range k {
				to.Scatter(got[at:][:n], d.Source(i), sbn, i)
			}
		}
		if !bytes.Equal(got, object) {
			t.Fatalf("%+v: another object", oti)
		}
	}
}

func mustLayout(t *testing.T, o *fec.OTI) Layout {
	t.Helper()
	l, err := NewLayout(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestOTI(t *testing.T) {
	good := fec.OTI{EncodingID: fec.RaptorQ, TransferLength: 1 << 24, SymbolSize: 1280, MaxBlockLen: 6554, Blocks: 2, SubBlocks: 3, Align: 4}
	wire, err := AppendOTI(nil, &good)
	if want := []byte{0, 1, 0, 0, 0, 0, 5, 0, 2, 0, 3, 4}; err != nil || !bytes.Equal(wire, want) {
		t.Fatalf("% x, %v; want % x", wire, err, want)
	}
	if o, err := ParseOTI(wire); err != nil || o != good {
		t.Errorf("%+v, %v", o, err)
	}
	for n := range wire {
		if _, err := ParseOTI(wire[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for n := range PayloadIDLen {
		if _, err := ParsePayloadID(make([]byte, n)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes of payload ID: %v", n, err)
		}
	}
	for name, change := range map[string]func(*fec.OTI){
		"no symbols":        func(o *fec.OTI) { o.SymbolSize = 0 },
		"no alignment":      func(o *fec.OTI) { o.Align = 0 },
		"alignment":         func(o *fec.OTI) { o.Align = 3 },
		"no blocks":         func(o *fec.OTI) { o.Blocks = 0 },
		"no sub-blocks":     func(o *fec.OTI) { o.SubBlocks = 0 },
		"sub-blocks":        func(o *fec.OTI) { o.SubBlocks = 321 },
		"long blocks":       func(o *fec.OTI) { o.TransferLength = 2*MaxBlockLen*1280 + 1 },
		"empty blocks":      func(o *fec.OTI) { o.TransferLength = 1280 },
		"long object":       func(o *fec.OTI) { o.TransferLength = MaxTransferLength + 1 },
		"short block limit": func(o *fec.OTI) { o.MaxBlockLen = 6553 },
		"block limit":       func(o *fec.OTI) { o.MaxBlockLen = MaxBlockLen + 1 },
	} {
		o := good
		change(&o)
		if err := Validate(&o); !errors.Is(err, ErrOTI) {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := AppendOTI(nil, &o); err == nil || b != nil {
			t.Errorf("%s: written", name)
		}
	}
	o := good
	o.EncodingID = fec.Raptor
	if err := Validate(&o); !errors.Is(err, fec.ErrUnknownScheme) {
		t.Error(err)
	}
	empty := fec.OTI{EncodingID: fec.RaptorQ, SymbolSize: 4, MaxBlockLen: 1, Blocks: 1, SubBlocks: 1, Align: 4}
	if wire, err = AppendOTI(nil, &empty); err != nil {
		t.Fatal(err)
	}
	if o, err := ParseOTI(wire); err != nil || o != empty {
		t.Errorf("empty object: %+v, %v", o, err)
	}
}

// RFC 6330 section 4.3 with numbers checked by hand.
func TestNewOTI(t *testing.T) {
	for _, tt := range []struct {
		length         uint64
		s              Sizing
		blocks, sub, k int
		fails          bool
	}{
		{0, Sizing{}, 1, 1, 1, false},
		{1, Sizing{}, 1, 1, 1, false},
		// 8 MiB / 1280 = 6553, next lower K' 6504 or so: one block of 6000.
		{6000 * 1280, Sizing{}, 1, 1, 6000, false},
		{10000 * 1280, Sizing{}, 2, 1, 5000, false},
		// With sub-symbols of at least 32 bytes up to 40 sub-blocks: one block.
		{10000 * 1280, Sizing{SubSymbol: 8}, 1, 2, 10000, false},
		{56404 * 1280, Sizing{SubSymbol: 8}, 2, 5, 28202, false},
		{1 << 40, Sizing{}, 0, 0, 0, true},
		{1 << 20, Sizing{Memory: 100}, 0, 0, 0, true},
		{1 << 20, Sizing{Payload: 1281}, 0, 0, 0, true},
		{1 << 20, Sizing{Memory: -1}, 0, 0, 0, true},
		{255 * MaxBlockLen * 1000, Sizing{Payload: 1000, Memory: 1 << 40}, 255, 1, MaxBlockLen, false},
	} {
		o, err := NewOTI(tt.length, tt.s)
		if tt.fails {
			if !errors.Is(err, ErrOTI) {
				t.Errorf("%d, %+v: %+v, %v", tt.length, tt.s, o, err)
			}
			continue
		}
		if err != nil || int(o.Blocks) != tt.blocks || int(o.SubBlocks) != tt.sub || int(o.MaxBlockLen) != tt.k {
			t.Errorf("%d, %+v: %+v, %v", tt.length, tt.s, o, err)
		}
	}
}

// FuzzOTI: what parses is valid, can be laid out, and comes out as it went in.
func FuzzOTI(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 0, 5, 0, 2, 0, 3, 4})
	f.Add(slices.Repeat([]byte{0xff}, OTILen))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseOTI(b)
		if err != nil {
			return
		}
		out, err := AppendOTI(nil, &o)
		if b[5] = 0; err != nil || !bytes.Equal(out, b[:OTILen]) { // b[5] is reserved
			t.Fatalf("% x became % x, %v", b, out, err)
		}
		l := mustLayout(t, &o)
		part := l.Partition()
		if part.Blocks() == 0 {
			return
		}
		last := uint32(part.Blocks() - 1)
		k := part.BlockLen(last)
		if k < 1 || k > MaxBlockLen || part.BlockLen(0) > int(o.MaxBlockLen) {
			t.Fatalf("%+v: %d symbols", o, k)
		}
		if part.BlockBytes(last) > 1<<20 {
			return
		}
		block := make([]byte, part.BlockBytes(last))
		symbol := make([]byte, o.SymbolSize)
		l.Scatter(block, symbol, last, k-1)
		l.Gather(symbol, block, last, k-1)
	})
}
