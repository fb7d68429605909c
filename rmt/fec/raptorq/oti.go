package raptorq

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gomulticast/multicast/rmt/fec"
)

// OTILen is the length of the encoded OTI in bytes, the common part and the
// scheme-specific one (RFC 6330 section 3.3.3). An EXT_FTI pads it to 14.
const OTILen = 12

// MaxTransferLength is the largest object in bytes: 255 blocks of MaxBlockLen symbols
// of MaxSymbolSize. RFC 6330 section 3.3.2 counts 256 blocks, which its field for
// their number cannot say.
const MaxTransferLength = 255 * MaxBlockLen * MaxSymbolSize

// ErrOTI says that RaptorQ cannot work by the object transmission information.
var ErrOTI = errors.New("raptorq: impossible object transmission information")

// Validate reports whether RaptorQ can work by o (RFC 6330 sections 3.3 and 4.4.1.2):
// whether its symbol size is a multiple of the alignment, there are from 1 to a
// symbol's worth of sub-blocks, from 1 to 255 source blocks and no empty one, and
// none is longer than o.MaxBlockLen and [MaxBlockLen]. It says nothing about memory:
// see [Memory].
func Validate(o *fec.OTI) error {
	if o.EncodingID != fec.RaptorQ {
		return fmt.Errorf("%w: %v", fec.ErrUnknownScheme, o.EncodingID)
	}
	_, err := NewLayout(o)
	return err
}

// AppendOTI appends o to dst as in RFC 6330 section 3.3, OTILen bytes, if it is
// valid.
func AppendOTI(dst []byte, o *fec.OTI) ([]byte, error) {
	if err := Validate(o); err != nil {
		return dst, err
	}
	dst = binary.BigEndian.AppendUint64(dst, o.TransferLength<<24|uint64(o.SymbolSize))
	return binary.BigEndian.AppendUint32(dst, uint32(o.Blocks)<<24|uint32(o.SubBlocks)<<8|uint32(o.Align)), nil
}

// ParseOTI reads OTI from the start of b, which must hold OTILen bytes. What it
// returns without error is valid. The maximum block length, which is not in the
// encoding, is that of the first block.
func ParseOTI(b []byte) (fec.OTI, error) {
	if len(b) < OTILen {
		return fec.OTI{}, fmt.Errorf("raptorq: OTI of %d bytes in %d: %w", OTILen, len(b), io.ErrUnexpectedEOF)
	}
	v, w := binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:])
	o := fec.OTI{
		EncodingID:     fec.RaptorQ,
		TransferLength: v >> 24,
		SymbolSize:     uint16(v),
		Blocks:         uint16(w >> 24),
		SubBlocks:      uint16(w >> 8),
		Align:          uint8(w),
		MaxBlockLen:    MaxBlockLen,
	}
	l, err := NewLayout(&o)
	if err != nil {
		return fec.OTI{}, err
	}
	part := l.Partition()
	o.MaxBlockLen = uint32(max(part.BlockLen(0), 1))
	return o, nil
}

// Sizing is what NewOTI derives the numbers of an object from: the inputs of RFC
// 6330 section 4.3.
type Sizing struct {
	// Payload is the symbol size T in bytes, P' in the RFC, a multiple of Align;
	// 0 is 1,280.
	Payload uint16

	// Align is Al in bytes; 0 is 4, as the RFC recommends.
	Align uint8

	// SubSymbol is the least size of a sub-symbol in units of Align, SS in the
	// RFC. 0 makes no sub-blocks: symbols are then contiguous in the object.
	SubSymbol uint16

	// Memory is the largest sub-block in bytes, WS in the RFC; 0 is 8 MiB. Blocks
	// are as long as it allows: long blocks need less redundancy against bursts,
	// short ones are ready sooner and stay in the processor's cache.
	Memory int64
}

// NewOTI derives the OTI of an object of length bytes by RFC 6330 section 4.3. It
// fails with ErrOTI when the numbers do not go together, or the object is too large
// for them.
func NewOTI(length uint64, s Sizing) (fec.OTI, error) {
	if s.Payload == 0 {
		s.Payload = 1280
	}
	if s.Align == 0 {
		s.Align = 4
	}
	if s.Memory == 0 {
		s.Memory = 8 << 20
	}
	t, al := uint64(s.Payload), uint64(s.Align)
	if t%al != 0 || s.Memory < 0 || length > MaxTransferLength {
		return fec.OTI{}, fmt.Errorf("%w: %d bytes in symbols of %d, alignment %d, %d bytes of memory", ErrOTI, length, t, al, s.Memory)
	}
	maxSub := uint64(1)
	if s.SubSymbol > 0 {
		maxSub = max(t/(uint64(s.SubSymbol)*al), 1)
	}
	// longest is KL: the largest K' for which a sub-block fits the memory.
	longest := func(n uint64) uint64 {
		limit := uint64(s.Memory) / (al * ((t + al*n - 1) / (al * n)))
		if limit > MaxBlockLen {
			limit = MaxBlockLen
		}
		i := rowFor(int(limit))
		if uint64(table2[i][0]) > limit {
			i--
		}
		if i < 0 {
			return 0
		}
		return uint64(table2[i][0])
	}
	symbols := (length + t - 1) / t
	blocks, kl := uint64(1), longest(maxSub)
	if kl > 0 {
		blocks = max((symbols+kl-1)/kl, 1)
	}
	if kl == 0 || blocks > 255 {
		return fec.OTI{}, fmt.Errorf("%w: %d symbols of %d bytes need more than 255 blocks with %d bytes of memory", ErrOTI, symbols, t, s.Memory)
	}
	k := (symbols + blocks - 1) / blocks
	sub := uint64(1)
	for k > longest(sub) {
		sub++
	}
	o := fec.OTI{
		EncodingID:     fec.RaptorQ,
		TransferLength: length,
		SymbolSize:     s.Payload,
		MaxBlockLen:    uint32(max(k, 1)),
		Blocks:         uint16(blocks),
		SubBlocks:      uint16(sub),
		Align:          s.Align,
	}
	return o, Validate(&o)
}
