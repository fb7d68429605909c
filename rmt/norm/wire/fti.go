package wire

import (
	"encoding/binary"

	"github.com/gomulticast/multicast/rmt/fec"
)

// ftiLen returns the length of EXT_FTI for id in bytes, 0 when its layout is not
// known here (RFC 5510 sections 4.2.4.1 and 5.2.4.1, RFC 5445 sections 3.2.2.2
// and 5.2.2.2, RFC 5740 section 4.2.1).
func ftiLen(id fec.EncodingID) int {
	switch id {
	case fec.ReedSolomonGF8:
		return 12
	case fec.CompactNoCode, fec.ReedSolomonGF2m, fec.SmallBlockSystematic:
		return 16
	}
	return 0
}

// parseFTI reads an EXT_FTI into o. One of a scheme it does not know it leaves
// alone, like any unknown extension.
func (c Codec) parseFTI(id fec.EncodingID, ext []byte, o *fec.OTI) (known bool, field string, err error) {
	n := ftiLen(id)
	if n == 0 {
		return false, "", nil
	}
	if len(ext) < n {
		return false, "EXT_FTI", ErrExtension
	}
	*o = fec.OTI{
		EncodingID:     id,
		TransferLength: uint64(binary.BigEndian.Uint16(ext[2:]))<<32 | uint64(binary.BigEndian.Uint32(ext[4:])),
	}
	var last uint32
	switch id {
	case fec.CompactNoCode: // reserved 16, E 16, B 32
		o.SymbolSize = binary.BigEndian.Uint16(ext[10:])
		// The payload ID numbers 2^16 symbols; fec.OTI holds one less.
		if ext[12]|ext[13] != 0 {
			return false, "EXT_FTI maximum source block length", ErrExtension
		}
		o.MaxBlockLen = uint32(binary.BigEndian.Uint16(ext[14:]))
		return true, "", nil
	case fec.ReedSolomonGF8: // E 16, B 8, last 8
		o.SymbolSize = binary.BigEndian.Uint16(ext[8:])
		o.MaxBlockLen, last = uint32(ext[10]), uint32(ext[11])
	case fec.ReedSolomonGF2m: // m 8, G 8, E 16, B 16, last 16
		o.M, o.G = orDefault(ext[8], 8), orDefault(ext[9], 1)
		o.SymbolSize = binary.BigEndian.Uint16(ext[10:])
		o.MaxBlockLen, last = uint32(binary.BigEndian.Uint16(ext[12:])), uint32(binary.BigEndian.Uint16(ext[14:]))
	case fec.SmallBlockSystematic: // FEC Instance ID 16, E 16, B 16, last 16
		o.InstanceID = binary.BigEndian.Uint16(ext[8:])
		o.SymbolSize = binary.BigEndian.Uint16(ext[10:])
		o.MaxBlockLen, last = uint32(binary.BigEndian.Uint16(ext[12:])), uint32(binary.BigEndian.Uint16(ext[14:]))
	}
	maxN := c.FTI == FTIRFC5510 || c.FTI == FTIAuto && last >= o.MaxBlockLen
	switch {
	case !maxN:
		o.Parity = last
	case last < o.MaxBlockLen:
		return false, "EXT_FTI max_n", ErrExtension
	default:
		o.Parity = last - o.MaxBlockLen
	}
	return true, "", nil
}

// appendFTI appends the EXT_FTI of o.
func (c Codec) appendFTI(dst []byte, o *fec.OTI) ([]byte, string, error) {
	n := ftiLen(o.EncodingID)
	if n == 0 {
		return dst, "EXT_FTI", fec.ErrUnknownScheme
	}
	if o.TransferLength > fec.MaxTransferLength {
		return dst, "EXT_FTI object_size", ErrRange
	}
	last := o.Parity
	if c.FTI == FTIRFC5510 || c.FTI == FTIAuto && o.Parity >= o.MaxBlockLen {
		last += o.MaxBlockLen
	}
	limit := uint32(1<<16 - 1)
	if o.EncodingID == fec.ReedSolomonGF8 {
		limit = 1<<8 - 1
	}
	switch {
	case o.MaxBlockLen > limit:
		return dst, "EXT_FTI maximum source block length", ErrRange
	case last > limit && o.EncodingID != fec.CompactNoCode:
		return dst, "EXT_FTI parity", ErrRange
	}
	l := o.TransferLength
	dst = append(dst, extFTI, byte(n/4), byte(l>>40), byte(l>>32), byte(l>>24), byte(l>>16), byte(l>>8), byte(l))
	e, b := o.SymbolSize, o.MaxBlockLen
	var third uint16
	switch o.EncodingID {
	case fec.ReedSolomonGF8:
		return append(dst, byte(e>>8), byte(e), byte(b), byte(last)), "", nil
	case fec.CompactNoCode:
		return append(dst, 0, 0, byte(e>>8), byte(e), 0, 0, byte(b>>8), byte(b)), "", nil
	case fec.ReedSolomonGF2m:
		third = uint16(orDefault(o.M, 8))<<8 | uint16(orDefault(o.G, 1))
	case fec.SmallBlockSystematic:
		third = o.InstanceID
	}
	return append(dst, byte(third>>8), byte(third), byte(e>>8), byte(e),
		byte(b>>8), byte(b), byte(last>>8), byte(last)), "", nil
}

// orDefault returns v, or the default d when v is 0, which RFC 5510 section 4.2.3 says
// to assume when m or G is not given.
func orDefault(v, d uint8) uint8 {
	if v == 0 {
		return d
	}
	return v
}
