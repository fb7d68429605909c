package lct

import (
	"cmp"
	"fmt"
	"math/bits"
	"strconv"
)

// TSI is a Transport Session Identifier, 0 to MaxTSI. With the sender's address it
// names a session (RFC 5651 section 5.1).
type TSI uint64

// MaxTSI is the largest TSI: 48 bits.
const MaxTSI TSI = 1<<48 - 1

// TOI is a Transport Object Identifier, a number of up to 112 bits (RFC 5651 section
// 5.1). It can be compared with == and be a map's key. The zero TOI is 0, which FLUTE
// reserves for the File Delivery Table.
type TOI struct {
	Hi uint64 // bits 64 to 111
	Lo uint64
}

// TOIBits is the length of the largest TOI.
const TOIBits = 112

// MaxTOI is the largest TOI.
var MaxTOI = TOI{Hi: 1<<(TOIBits-64) - 1, Lo: 1<<64 - 1}

// ParseTOI reads a TOI in decimal, as it stands in an FDT. Leading zeros are fine,
// signs are not. The error is ErrTOI.
func ParseTOI(s string) (TOI, error) {
	var t TOI
	if s == "" {
		return t, ErrTOI
	}
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return TOI{}, ErrTOI
		}
		hi, lo := bits.Mul64(t.Lo, 10)
		var carry uint64
		lo, carry = bits.Add64(lo, uint64(d), 0)
		t = TOI{Hi: t.Hi*10 + hi + carry, Lo: lo}
		if t.Hi > MaxTOI.Hi {
			return TOI{}, ErrTOI
		}
	}
	return t, nil
}

// AppendText appends t in decimal. It implements [encoding.TextAppender]; the error is
// always nil.
func (t TOI) AppendText(dst []byte) ([]byte, error) { return t.append(dst), nil }

// MarshalText implements [encoding.TextMarshaler].
func (t TOI) MarshalText() ([]byte, error) { return t.append(nil), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] by ParseTOI.
func (t *TOI) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTOI(string(b))
	return err
}

// String returns t in decimal.
func (t TOI) String() string { return string(t.append(nil)) }

func (t TOI) append(dst []byte) []byte {
	if t.Hi == 0 {
		return strconv.AppendUint(dst, t.Lo, 10)
	}
	// 19 digits fit a word, and 38 are more than 112 bits have.
	const part = 1e19
	first, rest := bits.Div64(t.Hi&MaxTOI.Hi, t.Lo, part)
	return fmt.Appendf(strconv.AppendUint(dst, first, 10), "%019d", rest)
}

// Uint64 returns t as a number, and whether it fits.
func (t TOI) Uint64() (v uint64, ok bool) { return t.Lo, t.Hi == 0 }

// IsZero reports whether t is 0.
func (t TOI) IsZero() bool { return t == TOI{} }

// Compare returns -1, 0 or 1 as t is less than, equal to or greater than u.
func (t TOI) Compare(u TOI) int {
	if c := cmp.Compare(t.Hi, u.Hi); c != 0 {
		return c
	}
	return cmp.Compare(t.Lo, u.Lo)
}

// Next returns t+1; after MaxTOI comes 0.
func (t TOI) Next() TOI {
	lo, carry := bits.Add64(t.Lo, 1, 0)
	return TOI{Hi: (t.Hi + carry) & MaxTOI.Hi, Lo: lo}
}

// Len returns the number of bits that t needs, 0 for the zero TOI.
func (t TOI) Len() int {
	if t.Hi != 0 {
		return 64 + bits.Len64(t.Hi)
	}
	return bits.Len64(t.Lo)
}
