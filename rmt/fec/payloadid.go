package fec

import (
	"encoding/binary"
	"fmt"
	"io"
)

// A PayloadIDFormat is the layout of a FEC Payload ID on the wire. Of 32 bits, a
// source block number comes first, and the encoding symbol ID takes as many as the
// format's value says; with [SmallBlockSystematic] there is a word for the block
// number and one for the block's length and the symbol ID.
type PayloadIDFormat uint8

// formatSmallBlock is SBN 32, source block length 16, ESI 16.
const formatSmallBlock PayloadIDFormat = 255

// PayloadIDFormat returns the layout that o's scheme uses, or ErrUnknownScheme:
//
//	SBN  ESI                            IDs
//	 16   16   RFC 5445, RFC 5053,      0, 1,
//	           RFC 5510 with m = 16     2
//	 24    8   RFC 5510                 5, and 2 with m = 8
//	 12   20   RFC 5170                 3, 4
//	  8   24   RFC 6330                 6
//	 32   16   RFC 5445                 129, with the block's length between
func (o *OTI) PayloadIDFormat() (PayloadIDFormat, error) {
	return PayloadIDFormatOf(o.EncodingID, o.M)
}

// PayloadIDFormatOf is [OTI.PayloadIDFormat] for an encoding ID, and the field size
// exponent m that counts with [ReedSolomonGF2m] only.
func PayloadIDFormatOf(id EncodingID, m uint8) (PayloadIDFormat, error) {
	switch id {
	case ReedSolomonGF8:
		return 8, nil
	case CompactNoCode, Raptor:
		return 16, nil
	case ReedSolomonGF2m:
		if m == 16 {
			return 16, nil
		}
		if m == 0 || m == 8 {
			return 8, nil
		}
	case LDPCStaircase, LDPCTriangle:
		return 20, nil
	case RaptorQ:
		return 24, nil
	case SmallBlockSystematic:
		return formatSmallBlock, nil
	}
	return 0, fmt.Errorf("%w: %v, m=%d", ErrUnknownScheme, id, m)
}

func (o *OTI) maxBlocks() uint64 {
	f, err := o.PayloadIDFormat()
	if err != nil {
		return 1 << 32
	}
	return f.MaxBlocks()
}

// Len returns the layout's length in bytes: 4 or 8.
func (f PayloadIDFormat) Len() int {
	if f == formatSmallBlock {
		return 8
	}
	return 4
}

// MaxBlocks returns how many source blocks the layout can number.
func (f PayloadIDFormat) MaxBlocks() uint64 {
	if f == formatSmallBlock {
		return 1 << 32
	}
	return 1 << (32 - f)
}

// MaxSymbols returns how many symbols of one block the layout can number.
func (f PayloadIDFormat) MaxSymbols() int {
	if f == formatSmallBlock {
		return 1 << 16
	}
	return 1 << f
}

// Append appends id to dst in layout f. What does not fit its field is cut off:
// a stream's block numbers wrap.
func (f PayloadIDFormat) Append(dst []byte, id PayloadID) []byte {
	if f == formatSmallBlock {
		dst = binary.BigEndian.AppendUint32(dst, id.SBN)
		return binary.BigEndian.AppendUint32(dst, uint32(id.SourceBlockLen)<<16|id.ESI&0xffff)
	}
	return binary.BigEndian.AppendUint32(dst, id.SBN<<f|id.ESI&(1<<f-1))
}

// Parse reads a payload ID in layout f from the start of b, which must hold
// Len bytes.
func (f PayloadIDFormat) Parse(b []byte) (PayloadID, error) {
	if len(b) < f.Len() {
		return PayloadID{}, fmt.Errorf("fec: payload ID of %d bytes in %d: %w", f.Len(), len(b), io.ErrUnexpectedEOF)
	}
	v := binary.BigEndian.Uint32(b)
	if f == formatSmallBlock {
		w := binary.BigEndian.Uint32(b[4:])
		return PayloadID{SBN: v, SourceBlockLen: uint16(w >> 16), ESI: w & 0xffff}, nil
	}
	return PayloadID{SBN: v >> f, ESI: v & (1<<f - 1)}, nil
}
