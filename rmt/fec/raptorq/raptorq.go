// Package raptorq is the RaptorQ code of FEC Encoding ID 6 (RFC 6330): a fountain
// code. From a block of 1 to 56,403 source symbols it makes up to 2^24 encoding
// symbols, the source symbols among them, and almost any set of as many as there
// are source symbols gives the block back: fewer than one in a hundred does not,
// and with one and two symbols more fewer than one in 10,000 and in a million
// (section 5.8).
//
// An [Encoder] makes the symbols of a block; a [Decoder] takes symbols in and
// recovers the block in the caller's memory. [Code] is the same as a fec.Code. A
// [Layout] says where the source symbols of an object's blocks lie in it, with
// sub-blocks or without.
//
// Encoding and decoding first work out a plan: which symbol is added to which. It
// does not depend on the data. For encoding it depends on the block length only
// and is kept for the next block; for decoding it depends on which symbols came.
//
// Nothing here knows whether a symbol is genuine: one wrong symbol makes a wrong
// block (section 6). Protect the object with a digest or the packets with a
// signature.
package raptorq

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomulticast/multicast/rmt/fec"
)

// Errors of this package.
var (
	// ErrNeedMore says that the symbols given do not determine the block: there
	// are too few, or, seldom, they are not independent. Any further symbols
	// help. A set of encoding symbol IDs chosen to be hard to solve, as chance
	// does not make them, may be refused by the same error.
	ErrNeedMore = fec.ErrNeedMore

	// ErrBadSymbols says that arguments cannot be symbols of the block.
	ErrBadSymbols = errors.New("raptorq: impossible set of symbols")

	// ErrMemory says that a block takes more memory than its limit.
	ErrMemory = fec.ErrMemory
)

// MaxESI is the largest encoding symbol ID, of 24 bits (RFC 6330 section 3.2).
const MaxESI = 1<<24 - 1

// MaxSymbolSize is the largest symbol size T in bytes (RFC 6330 section 3.3.2).
const MaxSymbolSize = 1<<16 - 1

// DefaultMemory is the memory in bytes that a block may take where no other limit
// is given: 256 MiB.
const DefaultMemory = fec.DefaultMemory

// Memory returns about how many bytes it takes to encode, and to decode, a block
// of k symbols of size bytes, beside the block itself: the intermediate symbols
// and the plan. It is 0 when there is no such block.
func Memory(k, size int) int64 {
	p, err := paramsFor(k)
	if err != nil || size < 1 || size > MaxSymbolSize {
		return 0
	}
	return int64(p.l+slotsMore)*int64(strideOf(size)) + planBytes*int64(p.l)
}

// planBytes bounds what planning takes, in bytes for an intermediate symbol: its
// row, the same by column, its coefficients, its part of the plan. By chance it is
// about 400, see TestMemory; a hostile choice of symbols may double it.
const planBytes = 1000

// checkSize checks a block's numbers against limit, in bytes: 0 is DefaultMemory,
// negative no limit.
func checkSize(k, size int, limit int64) (params, error) {
	p, err := paramsFor(k)
	if err != nil {
		return p, err
	}
	if size < 1 || size > MaxSymbolSize {
		return p, fmt.Errorf("%w: symbols of %d bytes, RaptorQ has 1 to %d", ErrBadSymbols, size, MaxSymbolSize)
	}
	if limit == 0 {
		limit = DefaultMemory
	}
	if n := Memory(k, size); n > math.MaxInt || limit > 0 && n > limit {
		return p, fmt.Errorf("%w: %d bytes for %d symbols of %d, limit %d", ErrMemory, n, k, size, limit)
	}
	return p, nil
}
