package fec

import (
	"encoding/binary"
	"fmt"
	"io"
)

// A PayloadIDFormat is the layout of a FEC Payload ID on the wire.
type PayloadIDFormat uint8

const (
	format16x16    PayloadIDFormat = iota + 1 // SBN 16, ESI 16
	format24x8                                // SBN 24, ESI 8
	format32x16x16                            // SBN 32, source block length 16, ESI 16
)

// PayloadIDFormat returns the layout that o's scheme uses (RFC 5445 sections 3.1
// and 5.1, RFC 5510 sections 4.1 and 5.1), or ErrUnknownScheme.
func (o *OTI) PayloadIDFormat() (PayloadIDFormat, error) {
	switch o.EncodingID {
	case CompactNoCode:
		return format16x16, nil
	case ReedSolomonGF8:
		return format24x8, nil
	case ReedSolomonGF2m:
		if o.M == 16 {
			return format16x16, nil
		}
		if o.M == 0 || o.M == 8 {
			return format24x8, nil
		}
	case SmallBlockSystematic:
		return format32x16x16, nil
	}
	return 0, fmt.Errorf("%w: %v, m=%d", ErrUnknownScheme, o.EncodingID, o.M)
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
	if f == format32x16x16 {
		return 8
	}
	return 4
}

// MaxBlocks returns how many source blocks the layout can number.
func (f PayloadIDFormat) MaxBlocks() uint64 {
	switch f {
	case format16x16:
		return 1 << 16
	case format24x8:
		return 1 << 24
	}
	return 1 << 32
}

// MaxSymbols returns how many symbols of one block the layout can number.
func (f PayloadIDFormat) MaxSymbols() int {
	if f == format24x8 {
		return 1 << 8
	}
	return 1 << 16
}

// Append appends id to dst in layout f.
func (f PayloadIDFormat) Append(dst []byte, id PayloadID) []byte {
	switch f {
	case format16x16:
		return binary.BigEndian.AppendUint32(dst, id.SBN<<16|uint32(id.ESI))
	case format24x8:
		return binary.BigEndian.AppendUint32(dst, id.SBN<<8|uint32(uint8(id.ESI)))
	}
	dst = binary.BigEndian.AppendUint32(dst, id.SBN)
	return binary.BigEndian.AppendUint32(dst, uint32(id.SourceBlockLen)<<16|uint32(id.ESI))
}

// Parse reads a payload ID in layout f from the start of b, which must hold
// Len bytes.
func (f PayloadIDFormat) Parse(b []byte) (PayloadID, error) {
	if len(b) < f.Len() {
		return PayloadID{}, fmt.Errorf("fec: payload ID of %d bytes in %d: %w", f.Len(), len(b), io.ErrUnexpectedEOF)
	}
	v := binary.BigEndian.Uint32(b)
	switch f {
	case format16x16:
		return PayloadID{SBN: v >> 16, ESI: uint16(v)}, nil
	case format24x8:
		return PayloadID{SBN: v >> 8, ESI: uint16(v & 0xff)}, nil
	}
	w := binary.BigEndian.Uint32(b[4:])
	return PayloadID{SBN: v, SourceBlockLen: uint16(w >> 16), ESI: uint16(w)}, nil
}
