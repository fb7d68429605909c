package lct

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	// Version is the LCT version number of RFC 3451 and RFC 5651.
	Version = 1
	// MaxHeaderLen is the length of the longest header in bytes: HDR_LEN counts
	// 32-bit words in 8 bits.
	MaxHeaderLen = 255 * 4
)

// Bits of the first two bytes (RFC 5651 section 5.1).
const (
	flagT            = 1 << 3 // RFC 3451: SCT is there; reserved in RFC 5651
	flagR            = 1 << 2 // RFC 3451: ERT is there; reserved in RFC 5651
	flagCloseSession = 1 << 1
	flagCloseObject  = 1 << 0
)

// Header is an LCT header (RFC 5651 section 5.1).
type Header struct {
	// PSI is the Protocol-Specific Indication, 0 to 3.
	PSI uint8

	// CloseSession is the flag A: the sender will send no more to the session.
	CloseSession bool
	// CloseObject is the flag B: it will send no more of the object. It may be
	// set during an object's last seconds, so packets can still come.
	CloseObject bool

	// Codepoint is for the packet's payload. In FLUTE it is the FEC Encoding ID.
	Codepoint uint8

	// CCI is the Congestion Control Information: 4, 8, 12 or 16 bytes; nil to
	// append is four zeros.
	CCI []byte

	// Widths are those of TSI and TOI. A TOI of width 0 is not in the header.
	Widths Widths
	TSI    TSI
	TOI    TOI

	// SCT and ERT are the sender's current time and the expected residual time
	// in milliseconds, in headers as of RFC 3451, where HasSCT and HasERT say so.
	// RFC 5651 has the extension EXT_TIME instead.
	SCT, ERT       uint32
	HasSCT, HasERT bool

	// Extensions are the header extensions, back to back. After Parse they are
	// sound: Next does not fail.
	Extensions Extensions

	// Len is the header's length in bytes; Append ignores it. The payload begins
	// there.
	Len int
}

// HasTOI reports whether the header has a TOI field.
func (h *Header) HasTOI() bool { return h.Widths.TOI() > 0 }

// Parse reads the header at the beginning of b into h, all of which it overwrites.
// CCI and Extensions alias b. The error wraps ErrVersion, ErrHeaderLen, ErrExtension
// or io.ErrUnexpectedEOF; h is then unspecified.
func Parse(b []byte, h *Header) error {
	if len(b) < 4 {
		return fmt.Errorf("lct: header in %d bytes: %w", len(b), io.ErrUnexpectedEOF)
	}
	if b[0]>>4 != Version {
		return ErrVersion
	}
	n := int(b[2]) * 4
	if n > len(b) {
		return fmt.Errorf("lct: header of %d bytes in %d: %w", n, len(b), io.ErrUnexpectedEOF)
	}
	cci := 4 + int(b[0]>>2&3)*4
	w := isSet | Widths(b[1]>>7<<3|b[1]>>5&3<<1|b[1]>>4&1)
	ext := 4 + cci + w.bytes()
	if ext > n {
		return ErrHeaderLen
	}
	f := b[4+cci : ext]
	tsi := w.TSI() / 8
	h.PSI = b[0] & 3
	h.CloseSession, h.CloseObject = b[1]&flagCloseSession != 0, b[1]&flagCloseObject != 0
	h.Codepoint = b[3]
	h.CCI = b[4 : 4+cci : 4+cci]
	h.Widths = w
	h.TSI = TSI(number(f[:tsi]).Lo)
	h.TOI = number(f[tsi:])
	h.SCT, h.ERT, h.HasSCT, h.HasERT = 0, 0, false, false
	if b[1]&(flagT|flagR) != 0 {
		ext += h.parseTimes(b[1], b[ext:n])
	}
	h.Extensions = b[ext:n:n]
	h.Len = n
	if ext == n {
		return nil
	}
	return h.Extensions.Validate()
}

// parseTimes reads the words that RFC 3451 had behind the TOI, and returns their
// length. It reads none where there is no room for them: the flags are then those of
// RFC 5651, which are ignored.
func (h *Header) parseTimes(flags byte, b []byte) int {
	t, r := flags&flagT != 0, flags&flagR != 0
	n := 0
	if t {
		n += 4
	}
	if r {
		n += 4
	}
	if n > len(b) {
		return 0
	}
	if t {
		h.HasSCT, h.SCT = true, binary.BigEndian.Uint32(b)
	}
	if r {
		h.HasERT, h.ERT = true, binary.BigEndian.Uint32(b[n-4:])
	}
	return n
}

// number reads a field of 0 to 14 bytes.
func number(b []byte) (v TOI) {
	switch len(b) {
	case 0:
		return TOI{}
	case 2:
		return TOI{Lo: uint64(binary.BigEndian.Uint16(b))}
	case 4:
		return TOI{Lo: uint64(binary.BigEndian.Uint32(b))}
	}
	for _, c := range b {
		v = TOI{Hi: v.Hi<<8 | v.Lo>>56, Lo: v.Lo<<8 | uint64(c)}
	}
	return v
}

// Append appends the header to dst. On an error, which wraps ErrRange or ErrExtension,
// it returns dst as it was.
func (h *Header) Append(dst []byte) ([]byte, error) {
	w := h.Widths
	if w == 0 {
		w = ChooseWidths(h.TSI, h.TOI)
	}
	cci := max(4, len(h.CCI))
	if cci > 16 || cci%4 != 0 {
		return dst, fmt.Errorf("%w: CCI of %d bytes", ErrRange, cci)
	}
	if h.PSI > 3 {
		return dst, fmt.Errorf("%w: PSI %d", ErrRange, h.PSI)
	}
	if h.TSI>>w.TSI() != 0 || h.TOI.Len() > w.TOI() {
		return dst, fmt.Errorf("%w: TSI %d or TOI %v in %v bits", ErrRange, h.TSI, h.TOI, w)
	}
	n := 4 + cci + w.bytes() + len(h.Extensions)
	var times byte
	if h.HasSCT {
		times |= flagT
		n += 4
	}
	if h.HasERT {
		times |= flagR
		n += 4
	}
	if n > MaxHeaderLen {
		return dst, fmt.Errorf("%w: header of %d bytes, at most %d", ErrRange, n, MaxHeaderLen)
	}
	if len(h.Extensions) > 0 {
		if err := h.Extensions.Validate(); err != nil {
			return dst, err
		}
	}
	flags := byte(w>>3&1)<<7 | byte(w>>1&3)<<5 | byte(w&1)<<4 | times
	if h.CloseSession {
		flags |= flagCloseSession
	}
	if h.CloseObject {
		flags |= flagCloseObject
	}
	dst = append(dst, Version<<4|byte(cci/4-1)<<2|h.PSI, flags, byte(n/4), h.Codepoint)
	if len(h.CCI) == 0 {
		dst = append(dst, 0, 0, 0, 0)
	} else {
		dst = append(dst, h.CCI...)
	}
	dst = appendNumber(dst, TOI{Lo: uint64(h.TSI)}, w.TSI()/8)
	dst = appendNumber(dst, h.TOI, w.TOI()/8)
	if h.HasSCT {
		dst = binary.BigEndian.AppendUint32(dst, h.SCT)
	}
	if h.HasERT {
		dst = binary.BigEndian.AppendUint32(dst, h.ERT)
	}
	return append(dst, h.Extensions...), nil
}

// appendNumber appends the low n bytes of v.
func appendNumber(dst []byte, v TOI, n int) []byte {
	switch n {
	case 0:
		return dst
	case 2:
		return binary.BigEndian.AppendUint16(dst, uint16(v.Lo))
	case 4:
		return binary.BigEndian.AppendUint32(dst, uint32(v.Lo))
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], v.Hi)
	binary.BigEndian.PutUint64(b[8:], v.Lo)
	return append(dst, b[16-n:]...)
}
