package lct

import (
	"fmt"
	"math/bits"
)

// Widths is how wide the TSI and TOI fields of a header are: the flags S, O and H of
// RFC 5651 section 5.1. The zero Widths leaves the choice to [ChooseWidths]. It can
// be compared with ==.
type Widths uint8

// Widths of note.
const (
	// Widths16 and Widths32 are read right by every implementation known; some
	// read others wrong.
	Widths16 Widths = isSet | 1           // TSI 16, TOI 16
	Widths32 Widths = isSet | 1<<3 | 1<<1 // TSI 32, TOI 32

	// WidthsNoTOI is for packets about no object, such as those that only close
	// a FLUTE session (RFC 6726 section 3.1).
	WidthsNoTOI Widths = isSet | 1<<3 // TSI 32, no TOI

	// WidthsNone is for sessions of one object that are known otherwise. ALC
	// does not allow it (RFC 5775 section 4.1).
	WidthsNone Widths = isSet
)

// isSet tells WidthsNone from the zero Widths. Below it are S, O and H.
const isSet = 1 << 7

// NewWidths returns the Widths of a TSI of 0, 16, 32 or 48 and a TOI of 0 to 112
// bits. Both or neither are odd multiples of 16; otherwise the error is ErrRange.
func NewWidths(tsi, toi int) (Widths, error) {
	if tsi < 0 || tsi > 48 || toi < 0 || toi > TOIBits || tsi%16 != 0 || toi%16 != 0 || tsi%32 != toi%32 {
		return 0, fmt.Errorf("%w: a TSI of %d bits with a TOI of %d", ErrRange, tsi, toi)
	}
	return isSet | Widths(tsi/32<<3|toi/32<<1|tsi%32/16), nil
}

// ChooseWidths returns Widths16 or Widths32 if the values fit those, and else the
// narrowest that hold them. Values out of range count as the largest.
func ChooseWidths(tsi TSI, toi TOI) Widths {
	s, o := min(bits.Len64(uint64(tsi)), 48), min(toi.Len(), TOIBits)
	switch {
	case s <= 16 && o <= 16:
		return Widths16
	case s <= 32 && o <= 32:
		return Widths32
	}
	words := func(n int) int { return max(0, (n+31)/32) }
	// With the half word: for a TSI over 32 bits it has to be.
	h := isSet | Widths(words(s-16)<<3|words(o-16)<<1|1)
	w := isSet | Widths(max(1, words(s))<<3|max(1, words(o))<<1)
	if s > 32 || words(o) > 3 || h.TSI()+h.TOI() < w.TSI()+w.TOI() {
		return h
	}
	return w
}

// TSI returns the width of the TSI in bits: 0, 16, 32 or 48.
func (w Widths) TSI() int { return int(w>>3&1)*32 + int(w&1)*16 }

// TOI returns the width of the TOI in bits: a multiple of 16, up to 112.
func (w Widths) TOI() int { return int(w>>1&3)*32 + int(w&1)*16 }

// String returns the widths in bits, as in "16/32"; "auto" for the zero Widths.
func (w Widths) String() string {
	if w == 0 {
		return "auto"
	}
	return fmt.Sprintf("%d/%d", w.TSI(), w.TOI())
}

// bytes returns the length of both fields together: a multiple of 4.
func (w Widths) bytes() int { return (w.TSI() + w.TOI()) / 8 }
