// Package raptor is the Raptor code of FEC Encoding ID 1 (RFC 5053), which MBMS and
// DVB use: a fountain code over GF(2). From a block of 4 to 8,192 source symbols it
// makes up to 2^16 encoding symbols, the source symbols among them, and somewhat more
// of them than there are source symbols give the block back: with m more it fails
// about 0.85 * 0.567^m of the time where most are source symbols, and blocks of
// thousands take some more where most are repair. [raptorq] is its successor, which
// needs hardly any more and knows longer blocks.
//
// [NewOTI] derives the numbers of an object. The code itself is in the registry of
// package fec, block by block, with sub-blocks or without.
//
// Encoding and decoding first work out a plan: which symbol is added to which. It does
// not depend on the data. For encoding it depends on the block length only and is kept
// for the next block; for decoding it depends on which symbols came.
//
// A block of fewer than four symbols, which the RFC does not have, is sent by some all
// the same: its source symbols can be decoded, and repair symbols are refused.
//
// [raptorq]: https://pkg.go.dev/github.com/gomulticast/multicast/rmt/fec/raptorq
package raptor

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
)

// Lengths of a source block in symbols (RFC 5053 sections 5.1.2 and 5.7).
const (
	MinBlockLen = 4
	MaxBlockLen = 8192
)

// MaxESI is the largest encoding symbol ID, of 16 bits (RFC 5053 section 3.1).
const MaxESI = 1<<16 - 1

// MaxTransferLength is the largest object in bytes (RFC 5053 section 3.2.2).
const MaxTransferLength = 1<<45 - 1

// Sizing is what NewOTI derives the numbers of an object from: the inputs of RFC 5053
// section 4.2.
type Sizing struct {
	// Payload is the packet payload P in bytes; 0 is 1,280.
	Payload uint16

	// Align is the symbol alignment Al in bytes; 0 is 4, as the RFC recommends.
	Align uint8

	// MinSymbols is the least number of symbols in a block that one would like to
	// have, Kmin: packets of small objects hold several symbols for that. 0 is one
	// symbol a packet, whatever the object; the RFC recommends 1,024.
	MinSymbols int

	// MaxPerPacket is the largest number of symbols in a packet, Gmax; 0 is 10, as
	// the RFC recommends.
	MaxPerPacket int

	// Memory is the largest sub-block in bytes, W; 0 makes no sub-blocks: symbols
	// are then contiguous in the object.
	Memory int64
}

// NewOTI derives the OTI of an object of length bytes by RFC 5053 section 4.2. Where
// that gives a block fewer than MinBlockLen symbols, it makes the symbols smaller. It
// fails with fec.ErrFTI when the numbers do not go together, and with fec.ErrCodeSize
// when the object is too small, below four times the alignment, or too large for them.
func NewOTI(length uint64, s Sizing) (fec.OTI, error) {
	if s.Payload == 0 {
		s.Payload = 1280
	}
	if s.Align == 0 {
		s.Align = 4
	}
	if s.MaxPerPacket == 0 {
		s.MaxPerPacket = 10
	}
	p, al := uint64(s.Payload), uint64(s.Align)
	if p < al || s.MinSymbols < 0 || s.MaxPerPacket < 0 || s.Memory < 0 || length > MaxTransferLength {
		return fec.OTI{}, fmt.Errorf("%w: %d bytes in packets of %d, alignment %d", fec.ErrFTI, length, p, al)
	}
	g := uint64(1)
	if s.MinSymbols > 0 && length > 0 {
		g = max(min(ceil(p*uint64(s.MinSymbols), length), p/al, uint64(s.MaxPerPacket)), 1)
	}
	t := p / (al * g) * al
	if length > 0 && ceil(length, t) < MinBlockLen {
		t = max(length/(MinBlockLen*al), 1) * al
		for t > al && ceil(length, t) < MinBlockLen {
			t -= al
		}
	}
	kt := ceil(length, t)
	z := max(ceil(kt, MaxBlockLen), 1)
	n := uint64(1)
	if s.Memory > 0 {
		n = min(max(ceil(ceil(kt, z)*t, uint64(s.Memory)), 1), t/al)
	}
	if z > 1<<16-1 || n > 255 {
		return fec.OTI{}, fmt.Errorf("%w: %d symbols of %d bytes need %d source blocks of %d sub-blocks, at most 65535 of 255; use larger symbols or sub-blocks",
			fec.ErrCodeSize, kt, t, z, n)
	}
	o := fec.OTI{
		EncodingID: fec.Raptor, TransferLength: length, SymbolSize: uint16(t),
		MaxBlockLen: uint32(max(ceil(kt, z), 1)), Blocks: uint16(z), SubBlocks: uint16(n), Align: s.Align,
	}
	return o, o.Validate()
}

func ceil(a, b uint64) uint64 { return (a + b - 1) / b }
