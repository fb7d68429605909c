package fec

import (
	"errors"
	"fmt"
	"math"
)

// A BlockEncoder makes the encoding symbols of an object's source blocks, one block
// after another. It is made by [Scheme.NewEncoder] and serves any object with equal
// [OTI]. It is not for concurrent use.
type BlockEncoder interface {
	// Load takes source block sbn, whose bytes are block: as many as
	// [Partition.BlockBytes] says, so the object's last symbol may be short.
	// block is borrowed until the next Load. A block of another length, or none
	// of the object's, fails with ErrBadBlock; no block is loaded then.
	Load(sbn uint32, block []byte) error

	// Symbol writes encoding symbol esi of the block to dst and returns its
	// length in bytes: the symbol size, which dst must hold, but for the
	// object's last symbol with [CompactNoCode], which has no padding. Below the
	// block's length esi is a source symbol, from there on repair. It does not
	// allocate after a block's first repair symbol. It panics when esi is not
	// below MaxESI, dst is too short, or no block is loaded.
	Symbol(dst []byte, esi uint32) int

	// MaxESI returns how many encoding symbols there can be of the loaded block,
	// source symbols among them: esi is below it. It is 0 when no block is
	// loaded.
	MaxESI() uint32
}

// A BlockDecoder recovers source blocks from their encoding symbols, one block after
// another. It is made by [Scheme.NewDecoder] and serves any object with equal
// [OTI]. It is not for concurrent use.
//
// A decoder has one block at a time. Most of the memory it takes is for Solve, and
// decoders made from one by Sibling share it: a receiver of many blocks at once has
// one decoder for each, all siblings.
type BlockDecoder interface {
	// Start forgets what there was and begins source block sbn in the caller's
	// memory: block holds at least the block's symbols, all of full size
	// (see [BlockMemory]). It is borrowed until the next Start; its contents do
	// not matter before, and mean nothing until Solve has succeeded. A block of
	// which there is none, or too little memory, fails with ErrBadBlock, one that the
	// code is not for with ErrCodeSize.
	Start(sbn uint32, block []byte) error

	// Add takes in encoding symbol esi and reports whether it is time to call
	// Solve. symbol is borrowed for the call. It has the symbol size; the
	// object's last source symbol may also come without its padding. A symbol
	// that is there already is ignored; what cannot be a symbol of the block, by
	// length or esi, is ignored with ErrBadSymbol. After Solve has succeeded
	// there is nothing to add. Add does not allocate in steady state.
	Add(esi uint32, symbol []byte) (solvable bool, err error)

	// Solve recovers the source symbols that did not come. Then the first
	// [Partition.BlockBytes] bytes of the block's memory are the object's. When the
	// symbols do not suffice it fails with ErrNeedMore; go on adding. Add then says
	// when it is worth another try.
	Solve() error

	// Missing returns how many more symbols are needed at least: 0 when it is
	// time to call Solve, or it has succeeded.
	Missing() int

	// Sibling returns another decoder for the same object, without a block. The
	// two share the memory that Solve takes and must not be used at the same time
	// by different goroutines.
	Sibling() BlockDecoder
}

// Errors of block encoders and decoders.
var (
	// ErrBadBlock says that there is no such source block, or its memory has not
	// the length it must have.
	ErrBadBlock = errors.New("fec: no such source block, or memory of another length")

	// ErrBadSymbol says that a symbol cannot be of the block, by length or encoding
	// symbol ID.
	ErrBadSymbol = errors.New("fec: not a symbol of the block")

	// ErrNeedMore says that the symbols given do not determine the block: there
	// are too few, or they are not independent. Any further symbols help.
	ErrNeedMore = errors.New("fec: more symbols are needed")

	// ErrMemory says that a block takes more memory than its limit.
	ErrMemory = errors.New("fec: block takes more memory than allowed")
)

// DefaultMemory is the memory in bytes that a decoder may take beside the block where
// no other limit is given: 256 MiB.
const DefaultMemory = 256 << 20

// BlockMemory returns how many bytes of memory [BlockDecoder.Start] wants for the
// longest source block of the object o describes: its symbols, all of full size. A
// shorter block, as the last one may be, is content with [Partition.BlockLen] symbols.
// It is 0 when there is no block, or the object has no partition.
func BlockMemory(o *OTI) int64 {
	p, err := o.Partition()
	if err != nil {
		return 0
	}
	return int64(p.large * p.symbolSize) // large is not above math.MaxInt / size: see Partition
}

// DecoderMemory returns about how many bytes a decoder for o takes at most beside the
// memory it is given by Start, most of it shared among siblings. It is what
// [Scheme.NewDecoder] compares with its limit.
func DecoderMemory(o *OTI) (int64, error) {
	s, err := Lookup(o.EncodingID)
	if err != nil {
		return 0, err
	}
	if s.Memory == nil {
		return 0, nil
	}
	return s.Memory(o), nil
}

// CheckMemory fails with ErrMemory when a decoder's need of bytes is over limit: 0 is
// DefaultMemory, negative no limit. Schemes call it from NewDecoder.
func CheckMemory(need, limit int64) error {
	if limit == 0 {
		limit = DefaultMemory
	}
	if need > math.MaxInt || limit > 0 && need > limit {
		return fmt.Errorf("%w: %d bytes, limit %d", ErrMemory, need, limit)
	}
	return nil
}

// CheckLoad returns the number of source symbols of block sbn, or ErrBadBlock when the
// partition has no such block or it is not of n bytes. Encoders call it from Load.
func (p *Partition) CheckLoad(sbn uint32, n int) (int, error) {
	k := p.BlockLen(sbn)
	if k == 0 || n != p.BlockBytes(sbn) {
		return 0, fmt.Errorf("%w: block %d of %d, %d bytes, its length is %d", ErrBadBlock, sbn, p.blocks, n, p.BlockBytes(sbn))
	}
	return k, nil
}

// CheckStart returns the number of source symbols of block sbn, or ErrBadBlock when the
// partition has no such block or memory of n bytes does not hold its symbols. Decoders
// call it from Start.
func (p *Partition) CheckStart(sbn uint32, n int) (int, error) {
	k := p.BlockLen(sbn)
	if k == 0 || uint64(n) < uint64(k)*p.symbolSize {
		return 0, fmt.Errorf("%w: block %d of %d, memory of %d bytes for %d symbols of %d", ErrBadBlock, sbn, p.blocks, n, k, p.symbolSize)
	}
	return k, nil
}

// FitsSymbol reports whether n bytes can be encoding symbol esi of block sbn: the
// symbol size, or what the object's last source symbol is without its padding.
func (p *Partition) FitsSymbol(sbn, esi uint32, n int) bool {
	return n == int(p.symbolSize) ||
		uint64(esi) < uint64(p.BlockLen(sbn)) && n == p.SymbolBytes(sbn, int(esi))
}
