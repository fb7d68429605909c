// Package fec holds what every forward error correction scheme of the IETF's
// reliable multicast family shares (RFC 5052): encoding identifiers, object
// transmission information, the source block partition and payload IDs.
//
// A scheme registers itself once, with [Register]; a protocol finds it by the
// FEC Encoding ID it reads from the wire, with [Lookup]. A [BlockEncoder] makes the
// encoding symbols of an object's blocks, a [BlockDecoder] recovers the blocks from them;
// a [Code] is the same by the symbol, for codes of which any k symbols will do. Everything here is a pure function over
// values: no clock, no I/O.
package fec

import (
	"errors"
	"fmt"
)

// EncodingID is the IANA FEC Encoding ID (RFC 5052 section 6.1). Values below 128
// are fully specified; above, the FEC Instance ID completes them.
type EncodingID uint8

const (
	CompactNoCode        EncodingID = 0   // RFC 5445 section 3
	Raptor               EncodingID = 1   // RFC 5053
	ReedSolomonGF2m      EncodingID = 2   // RFC 5510 section 4
	LDPCStaircase        EncodingID = 3   // RFC 5170 section 6
	LDPCTriangle         EncodingID = 4   // RFC 5170 section 7
	ReedSolomonGF8       EncodingID = 5   // RFC 5510 section 5
	RaptorQ              EncodingID = 6   // RFC 6330
	SmallBlockSystematic EncodingID = 129 // RFC 5445 section 5
)

// String returns the scheme's short name and number, as in "rs8 (5)".
func (id EncodingID) String() string {
	switch id {
	case CompactNoCode:
		return "no-code (0)"
	case Raptor:
		return "raptor (1)"
	case ReedSolomonGF2m:
		return "rs-gf2m (2)"
	case LDPCStaircase:
		return "ldpc-staircase (3)"
	case LDPCTriangle:
		return "ldpc-triangle (4)"
	case ReedSolomonGF8:
		return "rs8 (5)"
	case RaptorQ:
		return "raptorq (6)"
	case SmallBlockSystematic:
		return "small-block-systematic (129)"
	}
	return fmt.Sprintf("fec (%d)", uint8(id))
}

// MaxTransferLength is the largest object a 48-bit length field can describe, in
// bytes (RFC 5740 section 4.2.1, RFC 5510 section 5.2.2).
const MaxTransferLength = 1<<48 - 1

// OTI is the FEC Object Transmission Information of one object (RFC 5052 section
// 5): all a receiver must know before it can place a symbol.
type OTI struct {
	EncodingID EncodingID

	// InstanceID is the FEC Instance ID, for EncodingID 128 and above only.
	InstanceID uint16

	// TransferLength is the object's size in bytes, 0 to MaxTransferLength.
	TransferLength uint64

	// SymbolSize is the encoding symbol length E in bytes, 1 to 65535; NORM
	// calls it the segment size.
	SymbolSize uint16

	// MaxBlockLen is the maximum source block length B in symbols. Raptor and
	// RaptorQ say the number of blocks instead; 0 is then as long as they can be.
	MaxBlockLen uint32

	// Parity is the number of parity symbols the sender can make for a block
	// of MaxBlockLen source symbols: max_n - B in the words of RFC 5510 and RFC
	// 5170. Raptor and RaptorQ make as many as the payload ID can number.
	Parity uint32

	// M is the field size exponent of ReedSolomonGF2m, 2 to 16; 0 reads as
	// 8 (RFC 5510 section 4.2.2).
	M uint8

	// G is the number of symbols per packet of ReedSolomonGF2m and the LDPC codes;
	// 0 reads as 1.
	G uint8

	// N1 is the number of source symbols' ones in a column of the LDPC codes'
	// matrix, 3 to 10 (RFC 5170 section 4.2.3); 0 reads as 3.
	N1 uint8

	// Seed is the seed of the LDPC codes' matrix, 1 to 2^31-2 (RFC 5170 section
	// 5.7).
	Seed uint32

	// Blocks is the number of source blocks of Raptor and RaptorQ, which is given
	// instead of a maximum length: Z of RFC 5053 section 3.2.3, 1 to 65535, and of
	// RFC 6330 section 3.3.3, 1 to 255.
	Blocks uint16

	// SubBlocks is the number of sub-blocks in a source block of Raptor, 1 to 255,
	// and RaptorQ: N of RFC 5053 section 3.2.3 and RFC 6330 section 3.3.3.
	SubBlocks uint16

	// Align is the symbol alignment of Raptor and RaptorQ in bytes, Al of RFC 5053
	// section 3.2.3 and RFC 6330 section 3.3.3, at least 1.
	Align uint8
}

// Errors of OTI validation and partition.
var (
	ErrSymbolSize     = errors.New("fec: symbol size is 0")
	ErrBlockLen       = errors.New("fec: maximum source block length is 0")
	ErrTransferLength = errors.New("fec: object longer than 2^48-1 bytes")
	ErrTooManyBlocks  = errors.New("fec: object needs more source blocks than the payload ID can number")
	ErrBlockCount     = errors.New("fec: object cannot have this number of source blocks")
	ErrBlockTooLarge  = errors.New("fec: source block longer than this machine can address")
	ErrUnknownScheme  = errors.New("fec: encoding ID not registered")
	ErrCodeSize       = errors.New("fec: block and parity do not fit the code")
)

// PayloadID names one encoding symbol of an object (RFC 5052 section 5).
type PayloadID struct {
	// SBN is the source block number.
	SBN uint32
	// ESI is the encoding symbol ID within the block: below the block's own
	// length a source symbol, from there on parity.
	ESI uint32
	// SourceBlockLen is the block's own length in symbols. It is on the wire
	// only with SmallBlockSystematic; elsewhere it is 0 and the partition
	// tells.
	SourceBlockLen uint16
}
