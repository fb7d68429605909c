package fec_test

import (
	"errors"
	"math"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

func TestPartition(t *testing.T) {
	type want struct {
		blocks               uint64
		first, last          int   // lengths of the first and the last block, in symbols
		numLarge             int   // blocks as long as the first
		lastOffset           int64 // bytes
		lastBytes, lastShort int   // bytes of the last block, and of its last symbol
	}
	tests := []struct {
		name   string
		length uint64
		size   uint16
		block  uint32
		want   want
	}{
		{"one byte", 1, 1400, 64, want{1, 1, 1, 1, 0, 1, 1}},
		{"one symbol", 1400, 1400, 64, want{1, 1, 1, 1, 0, 1400, 1400}},
		{"one symbol and a byte", 1401, 1400, 64, want{1, 2, 2, 1, 0, 1401, 1}},
		{"one full block", 64 * 1400, 1400, 64, want{1, 64, 64, 1, 0, 64 * 1400, 1400}},
		{"one symbol more than a block", 65 * 1400, 1400, 64, want{2, 33, 32, 1, 33 * 1400, 32 * 1400, 1400}},
		// Seen on the wire from NRL NORM: 220 symbols make four blocks of 55.
		{"even blocks", 219*1400 + 600, 1400, 64, want{4, 55, 55, 4, 165 * 1400, 54*1400 + 600, 600}},
		{"three blocks, one larger", 10, 1, 4, want{3, 4, 3, 1, 7, 3, 1}},
		{"three blocks, two larger", 11, 1, 4, want{3, 4, 3, 2, 8, 3, 1}},
		// The source block of RFC 5445 section 3.4.1: symbol 20 has 400 bytes.
		{"RFC 5445 3.4.1", 20400, 1000, 64, want{1, 21, 21, 1, 0, 20400, 400}},
		{"blocks of one symbol", 5, 2, 1, want{3, 1, 1, 3, 4, 1, 1}},
		{"largest symbols", 3 * 65535, 65535, 2, want{2, 2, 1, 1, 2 * 65535, 65535, 65535}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: tt.length, SymbolSize: tt.size, MaxBlockLen: tt.block}
			p, err := o.Partition()
			if err != nil {
				t.Fatal(err)
			}
			last := uint32(p.Blocks() - 1)
			got := want{
				blocks:     p.Blocks(),
				first:      p.BlockLen(0),
				last:       p.BlockLen(last),
				lastOffset: p.Offset(last),
				lastBytes:  p.BlockBytes(last),
				lastShort:  p.SymbolBytes(last, p.BlockLen(last)-1),
			}
			for sbn := range last + 1 {
				if p.BlockLen(sbn) == got.first {
					got.numLarge++
				}
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			walk(t, &o, &p)
		})
	}
}

// walk holds a small partition against the rules of RFC 5052 section 9.1.
func walk(t *testing.T, o *fec.OTI, p *fec.Partition) {
	t.Helper()
	var symbols uint64
	var bytes int64
	longest, shortest, previous := 0, math.MaxInt, math.MaxInt
	for sbn := range uint32(p.Blocks()) {
		n := p.BlockLen(sbn)
		longest, shortest = max(longest, n), min(shortest, n)
		if n > previous {
			t.Fatalf("block %d has %d symbols, the one before %d", sbn, n, previous)
		}
		previous = n
		if p.Offset(sbn) != bytes {
			t.Fatalf("block %d starts at %d, the ones before end at %d", sbn, p.Offset(sbn), bytes)
		}
		inBlock := 0
		for esi := range n {
			b := p.SymbolBytes(sbn, esi)
			lastOne := uint64(sbn) == p.Blocks()-1 && esi == n-1
			if b < 1 || b > p.SymbolSize() || (b < p.SymbolSize() && !lastOne) {
				t.Fatalf("symbol %d of block %d has %d bytes", esi, sbn, b)
			}
			inBlock += b
		}
		if p.SymbolBytes(sbn, n) != 0 || p.SymbolBytes(sbn, -1) != 0 {
			t.Fatalf("block %d has bytes outside its %d symbols", sbn, n)
		}
		if p.BlockBytes(sbn) != inBlock {
			t.Fatalf("block %d has %d bytes, its symbols %d", sbn, p.BlockBytes(sbn), inBlock)
		}
		symbols += uint64(n)
		bytes += int64(inBlock)
	}
	e := uint64(o.SymbolSize)
	if want := (o.TransferLength + e - 1) / e; symbols != want {
		t.Errorf("%d symbols in all blocks, want T = %d", symbols, want)
	}
	if uint64(bytes) != o.TransferLength || p.Length() != o.TransferLength {
		t.Errorf("%d bytes in all blocks, length %d, want %d", bytes, p.Length(), o.TransferLength)
	}
	if p.Blocks() > 0 && (longest-shortest > 1 || longest > int(o.MaxBlockLen)) {
		t.Errorf("blocks of %d to %d symbols, at most %d wanted and one apart", shortest, longest, o.MaxBlockLen)
	}
	beyond := uint32(p.Blocks())
	if p.BlockLen(beyond) != 0 || p.BlockBytes(beyond) != 0 || p.SymbolBytes(beyond, 0) != 0 || p.Offset(beyond) != int64(p.Length()) {
		t.Errorf("there is a block %d after the last", beyond)
	}
}

func TestPartitionEmpty(t *testing.T) {
	o := fec.OTI{SymbolSize: 1400, MaxBlockLen: 64}
	p, err := o.Partition()
	if err != nil {
		t.Fatal(err)
	}
	if p.Blocks() != 0 {
		t.Errorf("an empty object has %d blocks", p.Blocks())
	}
	walk(t, &o, &p)

	var zero fec.Partition
	if zero.Blocks() != 0 || zero.BlockLen(0) != 0 || zero.Offset(7) != 0 || zero.BlockBytes(0) != 0 || zero.SymbolBytes(0, 0) != 0 {
		t.Error("the zero Partition is not empty")
	}
}

func TestPartitionLargest(t *testing.T) {
	o := fec.OTI{EncodingID: fec.SmallBlockSystematic, TransferLength: fec.MaxTransferLength, SymbolSize: 1400, MaxBlockLen: 64, Parity: 16}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	p, err := o.Partition()
	if err != nil {
		t.Fatal(err)
	}
	const symbols = (fec.MaxTransferLength + 1399) / 1400
	if want := uint64((symbols + 63) / 64); p.Blocks() != want {
		t.Errorf("%d blocks, want %d", p.Blocks(), want)
	}
	last := uint32(p.Blocks() - 1)
	if end := p.Offset(last) + int64(p.BlockBytes(last)); end != fec.MaxTransferLength {
		t.Errorf("last block ends at %d, want %d", end, int64(fec.MaxTransferLength))
	}
	if b := p.SymbolBytes(last, p.BlockLen(last)-1); b != fec.MaxTransferLength-(symbols-1)*1400 {
		t.Errorf("last symbol has %d bytes", b)
	}
	for _, sbn := range []uint32{0, 1, 1 << 20, last - 1} {
		if p.Offset(sbn)+int64(p.BlockBytes(sbn)) != p.Offset(sbn+1) {
			t.Errorf("block %d does not end where the next starts", sbn)
		}
	}
	if p.Offset(math.MaxUint32) != fec.MaxTransferLength {
		t.Errorf("a block that is not there starts at %d", p.Offset(math.MaxUint32))
	}
}

func TestPartitionErrors(t *testing.T) {
	oti := func(id fec.EncodingID, length uint64, size uint16, block uint32) fec.OTI {
		return fec.OTI{EncodingID: id, TransferLength: length, SymbolSize: size, MaxBlockLen: block}
	}
	tests := []struct {
		name string
		oti  fec.OTI
		want error
	}{
		{"symbol size 0", oti(fec.ReedSolomonGF8, 1, 0, 64), fec.ErrSymbolSize},
		{"block length 0", oti(fec.ReedSolomonGF8, 1, 1400, 0), fec.ErrBlockLen},
		{"too long", oti(fec.SmallBlockSystematic, fec.MaxTransferLength+1, 1400, 64), fec.ErrTransferLength},
		{"2^16 blocks, no code", oti(fec.CompactNoCode, 1<<16, 1, 1), nil},
		{"2^16+1 blocks, no code", oti(fec.CompactNoCode, 1<<16+1, 1, 1), fec.ErrTooManyBlocks},
		{"2^24 blocks, id 5", oti(fec.ReedSolomonGF8, 1<<24, 1, 1), nil},
		{"2^24+1 blocks, id 5", oti(fec.ReedSolomonGF8, 1<<24+1, 1, 1), fec.ErrTooManyBlocks},
		{"2^24+1 blocks, id 2", oti(fec.ReedSolomonGF2m, 1<<24+1, 1, 1), fec.ErrTooManyBlocks},
		{"2^16+1 blocks, id 2 m 16", fec.OTI{EncodingID: fec.ReedSolomonGF2m, M: 16, TransferLength: 1<<16 + 1, SymbolSize: 1, MaxBlockLen: 1}, fec.ErrTooManyBlocks},
		{"2^32 blocks, id 129", oti(fec.SmallBlockSystematic, 1<<32, 1, 1), nil},
		{"2^32+1 blocks, id 129", oti(fec.SmallBlockSystematic, 1<<32+1, 1, 1), fec.ErrTooManyBlocks},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.oti.Partition(); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestPartitionBlockTooLarge has blocks of 4 GiB, which a 32-bit machine cannot
// count in an int.
func TestPartitionBlockTooLarge(t *testing.T) {
	o := fec.OTI{TransferLength: 1 << 32, SymbolSize: 65535, MaxBlockLen: 65535}
	p, err := o.Partition()
	if math.MaxInt == math.MaxInt32 {
		if !errors.Is(err, fec.ErrBlockTooLarge) {
			t.Errorf("got %v, want ErrBlockTooLarge", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if uint64(p.BlockBytes(0)) != min(1<<32, uint64(p.BlockLen(0))*65535) {
		t.Errorf("block of %d bytes", p.BlockBytes(0))
	}
}

func FuzzPartition(f *testing.F) {
	f.Add(uint8(5), uint64(219*1400+600), uint16(1400), uint32(64), uint32(3))
	f.Add(uint8(129), uint64(fec.MaxTransferLength), uint16(1), uint32(65535), uint32(math.MaxUint32))
	f.Add(uint8(0), uint64(0), uint16(1), uint32(1), uint32(0))
	f.Fuzz(func(t *testing.T, id uint8, length uint64, size uint16, block, sbn uint32) {
		o := fec.OTI{EncodingID: fec.EncodingID(id), TransferLength: length, SymbolSize: size, MaxBlockLen: block}
		p, err := o.Partition()
		if err != nil {
			return
		}
		n := p.BlockLen(sbn)
		if uint64(sbn) >= p.Blocks() {
			if n != 0 || p.Offset(sbn) != int64(length) {
				t.Fatalf("block %d of %d: %d symbols at %d", sbn, p.Blocks(), n, p.Offset(sbn))
			}
			return
		}
		if n < 1 || n > int(block) {
			t.Fatalf("block %d of %d symbols, at most %d", sbn, n, block)
		}
		end := uint64(length)
		if uint64(sbn)+1 < p.Blocks() {
			end = uint64(p.Offset(sbn + 1))
		}
		if got := uint64(p.Offset(sbn)) + uint64(p.BlockBytes(sbn)); got != end {
			t.Fatalf("block %d ends at %d, want %d", sbn, got, end)
		}
		if b := p.SymbolBytes(sbn, n-1); b < 1 || (n-1)*int(size)+b != p.BlockBytes(sbn) {
			t.Fatalf("last symbol of block %d has %d bytes, the block %d", sbn, b, p.BlockBytes(sbn))
		}
	})
}

// RaptorQ's OTI says how many blocks there are instead of how long they may be:
// RFC 6330 section 4.4.1.2.
func TestPartitionRaptorQ(t *testing.T) {
	o := fec.OTI{EncodingID: fec.RaptorQ, TransferLength: 99, SymbolSize: 10, MaxBlockLen: 100, Blocks: 6}
	p, err := o.Partition()
	if err != nil {
		t.Fatal(err)
	}
	// 10 symbols in 6 blocks: four of 2 and two of 1. By length 2 it would be 5.
	if p.Blocks() != 6 || p.BlockLen(3) != 2 || p.BlockLen(4) != 1 || p.Offset(4) != 80 || p.BlockBytes(5) != 9 {
		t.Errorf("%+v", p)
	}
	for _, bad := range []fec.OTI{
		{EncodingID: fec.RaptorQ, TransferLength: 99, SymbolSize: 10, MaxBlockLen: 100},
		{EncodingID: fec.RaptorQ, TransferLength: 99, SymbolSize: 10, MaxBlockLen: 100, Blocks: 11},
		{EncodingID: fec.RaptorQ, TransferLength: 99, SymbolSize: 10, MaxBlockLen: 4, Blocks: 2},
	} {
		if _, err := bad.Partition(); !errors.Is(err, fec.ErrBlockCount) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	empty := fec.OTI{EncodingID: fec.RaptorQ, SymbolSize: 10, MaxBlockLen: 1, Blocks: 1}
	if p, err = empty.Partition(); err != nil || p.Blocks() != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}
