package fec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrFTI says that object transmission information has no encoding, or that bytes are
// not the encoding of any.
var ErrFTI = errors.New("fec: impossible object transmission information")

// ftiLen returns the length of an EXT_FTI without its first two bytes, type and
// length, 0 for a scheme that is not known. With them it is a multiple of four.
func ftiLen(id EncodingID) int {
	switch id {
	case ReedSolomonGF8:
		return 10
	case CompactNoCode, Raptor, ReedSolomonGF2m, RaptorQ, SmallBlockSystematic:
		return 14
	case LDPCStaircase, LDPCTriangle:
		return 18
	}
	return 0
}

// AppendFTI appends o as the content of an EXT_FTI, what follows the extension's type
// and length: 10, 14 or 18 bytes.
//
//	0       RFC 5445 section 3.2: L 48, 0 16, E 16, B 32
//	1       RFC 5053 section 3.2: F 48, 0 16, T 16, Z 16, N 8, Al 8
//	2       RFC 5510 section 4.2.4.1: L 48, m 8, G 8, E 16, B 16, max_n 16
//	3, 4    RFC 5170 section 4.2.4.1: L 48, E 16, N1-3 3, G 5, B 20, max_n 20, seed 32
//	5       RFC 5510 section 5.2.4.1: L 48, E 16, B 8, max_n 8
//	6       RFC 6330 section 3.3: F 40, 0 8, T 16, Z 8, N 16, Al 8, padding 16
//	129     RFC 5445 section 5.2: L 48, instance 16, E 16, B 16, max_n 16
//
// It fails with ErrFTI when a number does not fit its field, and with
// ErrUnknownScheme. It does not ask whether the scheme could work by o: see
// [OTI.Validate].
func AppendFTI(dst []byte, o *OTI) ([]byte, error) {
	if ftiLen(o.EncodingID) == 0 {
		return dst, fmt.Errorf("%w: %v", ErrUnknownScheme, o.EncodingID)
	}
	if o.EncodingID == RaptorQ {
		if o.TransferLength >= 1<<40 || o.Blocks > 255 {
			return dst, fmt.Errorf("%w: object of %d bytes in %d blocks, %v has 40 bits and 8 for them", ErrFTI, o.TransferLength, o.Blocks, o.EncodingID)
		}
		dst = binary.BigEndian.AppendUint64(dst, o.TransferLength<<24|uint64(o.SymbolSize))
		dst, _ = o.AppendSchemeInfo(dst)
		return append(dst, 0, 0), nil
	}
	if o.TransferLength > MaxTransferLength {
		return dst, fmt.Errorf("%w: %d", ErrTransferLength, o.TransferLength)
	}
	out := binary.BigEndian.AppendUint16(dst, uint16(o.TransferLength>>32))
	out = binary.BigEndian.AppendUint32(out, uint32(o.TransferLength))
	b, n := o.MaxBlockLen, uint64(o.MaxBlockLen)+uint64(o.Parity)
	limit := uint64(1<<16 - 1)
	switch o.EncodingID {
	case CompactNoCode:
		return binary.BigEndian.AppendUint32(appendPair(out, 0, o.SymbolSize), b), nil
	case Raptor:
		if o.SubBlocks > 255 {
			return dst, fmt.Errorf("%w: %d sub-blocks, %v has 8 bits for them", ErrFTI, o.SubBlocks, o.EncodingID)
		}
		return o.AppendSchemeInfo(appendPair(out, 0, o.SymbolSize))
	case ReedSolomonGF2m:
		out = appendPair(out, uint16(orDefault(o.M, 8))<<8|uint16(orDefault(o.G, 1)), o.SymbolSize)
	case SmallBlockSystematic:
		out = appendPair(out, o.InstanceID, o.SymbolSize)
	case ReedSolomonGF8:
		limit = 1<<8 - 1
		out = append(out, byte(o.SymbolSize>>8), byte(o.SymbolSize), byte(b), byte(n))
	default: // LDPC
		limit = 1<<20 - 1
		if o.N1 != 0 && o.N1 < 3 || o.N1 > 10 || o.G > 31 {
			return dst, fmt.Errorf("%w: N1 %d, G %d; %v has 3 to 10 and 1 to 31", ErrFTI, o.N1, o.G, o.EncodingID)
		}
		out = binary.BigEndian.AppendUint16(out, o.SymbolSize)
		out = binary.BigEndian.AppendUint64(out, uint64(o.n1m3G())<<56|uint64(b&(1<<20-1))<<36|n&(1<<20-1)<<16|uint64(o.Seed>>16))
		out = binary.BigEndian.AppendUint16(out, uint16(o.Seed))
	}
	if n > limit {
		return dst, fmt.Errorf("%w: %d source and %d parity symbols in a block, %v has room for %d", ErrFTI, b, o.Parity, o.EncodingID, limit)
	}
	if limit == 1<<16-1 {
		out = appendPair(out, uint16(b), uint16(n))
	}
	return out, nil
}

// ParseFTI reads the content of an EXT_FTI of scheme id, what follows the extension's
// type and length, from the start of b. It does not ask whether the scheme could work
// by it: see [OTI.Validate].
//
// The last field of IDs 2, 5 and 129 is max_n; some senders, NRL's among them, put the
// number of parity symbols there. One below B cannot be max_n and is taken for that.
func ParseFTI(id EncodingID, b []byte) (OTI, error) {
	n := ftiLen(id)
	if n == 0 {
		return OTI{}, fmt.Errorf("%w: %v", ErrUnknownScheme, id)
	}
	if id == RaptorQ {
		n -= 2 // padding
	}
	if len(b) < n {
		return OTI{}, fmt.Errorf("fec: transmission information of %d bytes in %d: %w", n, len(b), io.ErrUnexpectedEOF)
	}
	o := OTI{EncodingID: id}
	if id == RaptorQ {
		v := binary.BigEndian.Uint64(b)
		o.TransferLength, o.SymbolSize = v>>24, uint16(v)
		return o, o.ParseSchemeInfo(b[8:12])
	}
	o.TransferLength = uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
	o.SymbolSize = binary.BigEndian.Uint16(b[8:])
	var maxN uint32
	switch id {
	case CompactNoCode:
		o.MaxBlockLen = binary.BigEndian.Uint32(b[10:])
		return o, nil
	case Raptor:
		return o, o.ParseSchemeInfo(b[10:14])
	case ReedSolomonGF8:
		o.SymbolSize = binary.BigEndian.Uint16(b[6:])
		o.MaxBlockLen, maxN = uint32(b[8]), uint32(b[9])
	case ReedSolomonGF2m:
		_ = o.ParseSchemeInfo(b[6:8])
		o.MaxBlockLen, maxN = uint32(binary.BigEndian.Uint16(b[10:])), uint32(binary.BigEndian.Uint16(b[12:]))
	case SmallBlockSystematic:
		o.InstanceID = binary.BigEndian.Uint16(b[6:])
		o.MaxBlockLen, maxN = uint32(binary.BigEndian.Uint16(b[10:])), uint32(binary.BigEndian.Uint16(b[12:]))
	default: // LDPC
		o.SymbolSize = binary.BigEndian.Uint16(b[6:])
		v := binary.BigEndian.Uint64(b[8:])
		o.setN1m3G(byte(v >> 56))
		o.MaxBlockLen, maxN = uint32(v>>36)&(1<<20-1), uint32(v>>16)&(1<<20-1)
		o.Seed = binary.BigEndian.Uint32(b[14:])
		if maxN < o.MaxBlockLen {
			return OTI{}, fmt.Errorf("%w: max_n %d below B %d", ErrFTI, maxN, o.MaxBlockLen)
		}
	}
	if o.Parity = maxN; maxN >= o.MaxBlockLen {
		o.Parity -= o.MaxBlockLen
	}
	return o, nil
}

// AppendSchemeInfo appends the scheme-specific part of o, which FLUTE carries in an
// attribute of its own, in base 64 (FEC-OTI-Scheme-Specific-Info, RFC 6726 section
// 3.4.2): nothing for IDs 0, 5 and 129; Z, N and Al for 1 and 6 (RFC 5053 section
// 3.2.3, RFC 6330 section 3.3.3); m and G for 2 (RFC 5510 section 4.2.4.2); the seed,
// N1 and G for 3 and 4 (RFC 5170 section 4.2.4.2). It fails with ErrUnknownScheme.
func (o *OTI) AppendSchemeInfo(dst []byte) ([]byte, error) {
	switch o.EncodingID {
	case CompactNoCode, ReedSolomonGF8, SmallBlockSystematic:
		return dst, nil
	case Raptor:
		return append(dst, byte(o.Blocks>>8), byte(o.Blocks), byte(o.SubBlocks), o.Align), nil
	case RaptorQ:
		return append(dst, byte(o.Blocks), byte(o.SubBlocks>>8), byte(o.SubBlocks), o.Align), nil
	case ReedSolomonGF2m:
		return append(dst, orDefault(o.M, 8), orDefault(o.G, 1)), nil
	case LDPCStaircase, LDPCTriangle:
		return append(binary.BigEndian.AppendUint32(dst, o.Seed), o.n1m3G()), nil
	}
	return dst, fmt.Errorf("%w: %v", ErrUnknownScheme, o.EncodingID)
}

// ParseSchemeInfo sets the scheme-specific part of o, whose EncodingID is set, from b;
// see AppendSchemeInfo. b may be longer.
func (o *OTI) ParseSchemeInfo(b []byte) error {
	n := 0
	switch o.EncodingID {
	case CompactNoCode, ReedSolomonGF8, SmallBlockSystematic:
		return nil
	case Raptor, RaptorQ:
		n = 4
	case ReedSolomonGF2m:
		n = 2
	case LDPCStaircase, LDPCTriangle:
		n = 5
	default:
		return fmt.Errorf("%w: %v", ErrUnknownScheme, o.EncodingID)
	}
	if len(b) < n {
		return fmt.Errorf("fec: scheme-specific information of %d bytes in %d: %w", n, len(b), io.ErrUnexpectedEOF)
	}
	switch o.EncodingID {
	case Raptor:
		o.Blocks, o.SubBlocks, o.Align = binary.BigEndian.Uint16(b), uint16(b[2]), b[3]
	case RaptorQ:
		o.Blocks, o.SubBlocks, o.Align = uint16(b[0]), binary.BigEndian.Uint16(b[1:]), b[3]
	case ReedSolomonGF2m:
		o.M, o.G = orDefault(b[0], 8), orDefault(b[1], 1)
	default:
		o.Seed = binary.BigEndian.Uint32(b)
		o.setN1m3G(b[4])
	}
	return nil
}

// n1m3G is the octet of RFC 5170 that holds N1 - 3 and G.
func (o *OTI) n1m3G() byte { return (orDefault(o.N1, 3)-3)<<5 | orDefault(o.G, 1)&31 }

func (o *OTI) setN1m3G(b byte) { o.N1, o.G = b>>5+3, orDefault(b&31, 1) }

func appendPair(dst []byte, a, b uint16) []byte {
	return append(dst, byte(a>>8), byte(a), byte(b>>8), byte(b))
}

// orDefault returns v, or d when v is 0, which stands for the default.
func orDefault(v, d uint8) uint8 {
	if v == 0 {
		return d
	}
	return v
}
