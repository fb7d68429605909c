package lct

import (
	"encoding/binary"
	"fmt"
)

// MaxInstanceID is the largest FDT Instance ID: 20 bits. After it the numbers start
// again (RFC 6726 section 3.4.1).
const MaxInstanceID = 1<<20 - 1

// FDT is the extension EXT_FDT of packets with an FDT Instance (RFC 6726 section
// 3.4.1).
type FDT struct {
	// Version is that of FLUTE: 1 for RFC 3926, 2 for RFC 6726.
	Version uint8
	// InstanceID is the FDT Instance ID, 0 to MaxInstanceID.
	InstanceID uint32
}

// ParseFDT reads the content of EXT_FDT. The error is ErrExtension.
func ParseFDT(content []byte) (FDT, error) {
	if len(content) != 3 {
		return FDT{}, ErrExtension
	}
	return FDT{
		Version:    content[0] >> 4,
		InstanceID: uint32(content[0]&15)<<16 | uint32(binary.BigEndian.Uint16(content[1:])),
	}, nil
}

// AppendFDT appends EXT_FDT, with the low 4 and 20 bits of the values.
func AppendFDT(dst []byte, f FDT) []byte {
	return append(dst, byte(ExtFDT), f.Version<<4|byte(f.InstanceID>>16)&15, byte(f.InstanceID>>8), byte(f.InstanceID))
}

// ContentEncoding is how an FDT Instance is encoded, as EXT_CENC says (RFC 6726
// section 3.4.3).
type ContentEncoding uint8

// The registered content encodings (RFC 6726 section 8.4).
const (
	EncodingNull    ContentEncoding = 0
	EncodingZLIB    ContentEncoding = 1
	EncodingDEFLATE ContentEncoding = 2
	EncodingGZIP    ContentEncoding = 3
)

// String returns the name that Content-Encoding attributes have: "null", "zlib",
// "deflate", "gzip", or "cenc 4".
func (e ContentEncoding) String() string {
	switch e {
	case EncodingNull:
		return "null"
	case EncodingZLIB:
		return "zlib"
	case EncodingDEFLATE:
		return "deflate"
	case EncodingGZIP:
		return "gzip"
	}
	return fmt.Sprintf("cenc %d", uint8(e))
}

// ParseCENC reads the content of EXT_CENC. The error is ErrExtension.
func ParseCENC(content []byte) (ContentEncoding, error) {
	if len(content) != 3 {
		return 0, ErrExtension
	}
	return ContentEncoding(content[0]), nil
}

// AppendCENC appends EXT_CENC.
func AppendCENC(dst []byte, e ContentEncoding) []byte {
	return append(dst, byte(ExtCENC), byte(e), 0, 0)
}
