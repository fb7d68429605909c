package rs

import (
	"errors"
	"fmt"
)

// Errors of Decode.
var (
	ErrTooFewParity = errors.New("rs: fewer parity symbols than missing source symbols")
	ErrBadSymbols   = errors.New("rs: impossible set of symbols")
)

// Decode recovers the source symbols of a block that are missing; see fec.Code.
// A present source symbol shorter than the parity counts as padded with zeros;
// a missing one whose buffer is shorter gets the first bytes. Arguments that
// cannot be a block of this code are refused and leave the buffers alone, so
// numbers from the wire may be passed as they are.
//
// Of n missing symbols, Decode uses the first n parity symbols. It subtracts the
// present sources from them, which leaves n equations in the missing ones, and
// solves these by the closed inverse of a Cauchy matrix.
func (c *Code) Decode(src [][]byte, missing []int, parity [][]byte, index []int) error {
	if err := c.check(src, missing, parity, index); err != nil {
		return err
	}
	n := len(missing)
	if n == 0 {
		return nil
	}
	parity, index = parity[:n], index[:n]

	var gone [MaxSymbols]bool
	for _, j := range missing {
		gone[j] = true
	}
	for j, s := range src {
		if gone[j] {
			continue
		}
		for i, p := range parity {
			mul.GalMulSliceXor(c.m.row(index[i])[j], s, p)
		}
	}

	var left, right [MaxSymbols]uint8
	c.m.inverse(missing, index, left[:n], right[:n])
	for l, j := range missing {
		y, dst := c.m.point(j), src[j]
		for i, p := range parity {
			f := div(int(left[l])+int(right[i]), c.m.parityPoint(index[i])^y)
			if i == 0 {
				mul.GalMulSlice(f, p[:len(dst)], dst)
			} else {
				mul.GalMulSliceXor(f, p[:len(dst)], dst)
			}
		}
	}
	return nil
}

func (c *Code) check(src [][]byte, missing []int, parity [][]byte, index []int) error {
	switch {
	case len(src) != c.k:
		return fmt.Errorf("%w: %d source symbols, the code has %d", ErrBadSymbols, len(src), c.k)
	case len(parity) != len(index):
		return fmt.Errorf("%w: %d parity symbols with %d numbers", ErrBadSymbols, len(parity), len(index))
	case len(missing) > len(parity):
		return fmt.Errorf("%w: %d and %d", ErrTooFewParity, len(parity), len(missing))
	case len(missing) == 0:
		return nil
	}
	var seen [MaxSymbols]bool
	size := len(parity[0])
	for i, j := range index {
		switch {
		case j < 0 || j >= c.parity:
			return fmt.Errorf("%w: parity number %d, the code has %d", ErrBadSymbols, j, c.parity)
		case seen[j]:
			return fmt.Errorf("%w: parity number %d twice", ErrBadSymbols, j)
		case len(parity[i]) != size:
			return fmt.Errorf("%w: parity symbols of %d and %d bytes", ErrBadSymbols, size, len(parity[i]))
		}
		seen[j] = true
	}
	clear(seen[:])
	for _, j := range missing {
		switch {
		case j < 0 || j >= c.k:
			return fmt.Errorf("%w: missing source symbol %d, the code has %d", ErrBadSymbols, j, c.k)
		case seen[j]:
			return fmt.Errorf("%w: missing source symbol %d named twice", ErrBadSymbols, j)
		}
		seen[j] = true
	}
	for j, s := range src {
		if len(s) > size {
			return fmt.Errorf("%w: source symbol %d of %d bytes, parity of %d", ErrBadSymbols, j, len(s), size)
		}
	}
	return nil
}
