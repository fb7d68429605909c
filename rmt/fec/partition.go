package fec

import (
	"fmt"
	"math"
)

// A Partition is the layout of an object in source blocks, by the algorithm of
// RFC 5052 section 9.1: blocks differ by at most one symbol, the longer ones
// first, and only the very last symbol may be short. The zero Partition is that
// of an empty object: no block at all.
type Partition struct {
	length     uint64
	symbolSize uint64
	large      uint64 // A_large, symbols in each of the first blocks
	small      uint64 // A_small, symbols in each of the rest
	numLarge   uint64 // I
	blocks     uint64 // N
}

// Partition computes the layout of the object o describes. It needs a symbol
// size and a block length, and fails when the scheme's payload ID cannot number
// the blocks. For Raptor and RaptorQ it needs the number of blocks instead, and makes
// as many (RFC 5053 section 5.3.1.2, RFC 6330 section 4.4.1.2, where the algorithm is
// the same); a block length is a limit then.
func (o *OTI) Partition() (Partition, error) {
	fixed := o.EncodingID == RaptorQ || o.EncodingID == Raptor
	switch {
	case o.SymbolSize == 0:
		return Partition{}, ErrSymbolSize
	case o.MaxBlockLen == 0 && !fixed:
		return Partition{}, ErrBlockLen
	case o.TransferLength > MaxTransferLength:
		return Partition{}, ErrTransferLength
	}
	e, b := uint64(o.SymbolSize), uint64(o.MaxBlockLen)
	if b == 0 {
		b = maxRaptorBlock(o.EncodingID)
	}
	t := (o.TransferLength + e - 1) / e // T, symbols in the object
	p := Partition{length: o.TransferLength, symbolSize: e}
	if t > 0 {
		p.blocks = (t + b - 1) / b
		if fixed {
			p.blocks = uint64(o.Blocks)
			if p.blocks == 0 || p.blocks > t || (t+p.blocks-1)/p.blocks > b {
				return Partition{}, fmt.Errorf("%w: %d symbols in %d blocks of at most %d", ErrBlockCount, t, p.blocks, b)
			}
		}
		p.large = (t + p.blocks - 1) / p.blocks
		p.small = t / p.blocks
		p.numLarge = t - p.small*p.blocks
	}
	if p.large*e > math.MaxInt { // on a machine of 32 bits only
		return Partition{}, fmt.Errorf("%w: %d symbols of %d bytes", ErrBlockTooLarge, p.large, e)
	}
	if limit := o.maxBlocks(); p.blocks > limit {
		return Partition{}, fmt.Errorf("%w: %d blocks of %d symbols of %d bytes, at most %d with %v; use longer blocks, larger symbols or encoding ID 129",
			ErrTooManyBlocks, p.blocks, b, e, limit, o.EncodingID)
	}
	return p, nil
}

// Blocks returns the number of source blocks, 0 for an empty object.
func (p *Partition) Blocks() uint64 { return p.blocks }

// Length returns the object's length in bytes.
func (p *Partition) Length() uint64 { return p.length }

// SymbolSize returns the length of every symbol but the last, in bytes.
func (p *Partition) SymbolSize() int { return int(p.symbolSize) }

// BlockLen returns the number of source symbols of block sbn; 0 when there is no
// such block.
func (p *Partition) BlockLen(sbn uint32) int {
	switch n := uint64(sbn); {
	case n >= p.blocks:
		return 0
	case n < p.numLarge:
		return int(p.large)
	default:
		return int(p.small)
	}
}

// Offset returns where block sbn starts in the object, in bytes; when there is no
// such block, the object's length.
func (p *Partition) Offset(sbn uint32) int64 {
	n := uint64(sbn)
	if n >= p.blocks {
		return int64(p.length)
	}
	large := min(n, p.numLarge)
	return int64((large*p.large + (n-large)*p.small) * p.symbolSize)
}

// BlockBytes returns the number of object bytes in block sbn.
func (p *Partition) BlockBytes(sbn uint32) int {
	n := p.BlockLen(sbn)
	if n == 0 {
		return 0
	}
	return int(min(uint64(n)*p.symbolSize, p.length-uint64(p.Offset(sbn))))
}

// SymbolBytes returns the number of object bytes in source symbol esi of block
// sbn: the symbol size, but for the object's last symbol; 0 when there is no such
// source symbol.
func (p *Partition) SymbolBytes(sbn uint32, esi int) int {
	if esi < 0 || esi >= p.BlockLen(sbn) {
		return 0
	}
	return min(int(p.symbolSize), p.BlockBytes(sbn)-esi*int(p.symbolSize))
}
