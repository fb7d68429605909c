// Package fec holds what every forward error correction scheme of the IETF's
// reliable multicast family shares (RFC 5052): encoding identifiers, object
// transmission information, the source block partition and payload IDs.
//
// A scheme registers itself once, with [Register]; a protocol finds it by the
// FEC Encoding ID it reads from the wire. Everything here is a pure function over
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

	// MaxBlockLen is the maximum source block length B in symbols.
	MaxBlockLen uint16

	// Parity is the number of parity symbols the sender can make for a block
	// of MaxBlockLen source symbols: max_n - B in the words of RFC 5510.
	Parity uint16

	// M is the field size exponent of ReedSolomonGF2m, 2 to 16; 0 reads as
	// 8 (RFC 5510 section 4.2.2).
	M uint8

	// G is the number of symbols per packet of ReedSolomonGF2m; 0 reads as 1.
	G uint8

	// Blocks is the number of source blocks of RaptorQ, which is given instead
	// of a maximum length: Z of RFC 6330 section 3.3.3, 1 to 255.
	Blocks uint8

	// SubBlocks is the number of sub-blocks in a source block of RaptorQ, N of
	// RFC 6330 section 3.3.3, at least 1.
	SubBlocks uint16

	// Align is the symbol alignment of RaptorQ in bytes, Al of RFC 6330 section
	// 3.3.3, at least 1.
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

// Validate reports whether a sender could work by o: that its scheme is known, that
// the maximum block and its parity fit the scheme's code, and that the object has
// a partition.
func (o *OTI) Validate() error {
	f, err := o.PayloadIDFormat()
	if err != nil {
		return err
	}
	limit := f.MaxSymbols() - 1 // 2^m - 1: RFC 5510 section 6.1
	switch {
	case o.EncodingID == CompactNoCode && o.Parity != 0:
		return fmt.Errorf("%w: %d parity symbols, %v has none", ErrCodeSize, o.Parity, o.EncodingID)
	case o.EncodingID == SmallBlockSystematic && o.InstanceID == 0:
		limit = 255 // instance 0 is Reed-Solomon over GF(2^8): RFC 5510 section 7
	}
	if n := int(o.MaxBlockLen) + int(o.Parity); n > limit {
		return fmt.Errorf("%w: %d source and %d parity symbols, at most %d in all with %v",
			ErrCodeSize, o.MaxBlockLen, o.Parity, limit, o.EncodingID)
	}
	_, err = o.Partition()
	return err
}

// PayloadID names one encoding symbol of an object (RFC 5052 section 5).
type PayloadID struct {
	// SBN is the source block number.
	SBN uint32
	// ESI is the encoding symbol ID within the block: below the block's own
	// length a source symbol, from there on parity.
	ESI uint16
	// SourceBlockLen is the block's own length in symbols. It is on the wire
	// only with SmallBlockSystematic; elsewhere it is 0 and the partition
	// tells.
	SourceBlockLen uint16
}
