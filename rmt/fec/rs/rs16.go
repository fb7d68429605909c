package rs

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
)

// A Code16 is the code over GF(2^16) for blocks of one length, FEC Encoding ID 2 with
// m = 16 (RFC 5510 section 4). Symbols are of an even number of bytes. Unlike [Code] it
// has scratch space: it is not for concurrent use.
//
// An element is two bytes of a symbol: with the matrix [Rizzo] in little-endian order,
// which is what NRL's code comes to on the machines it is used on, with [Powers] in
// network byte order.
type Code16 struct {
	f       *field16
	points  Matrix
	base    int // source symbols of the code, k or more: the others are zeros
	k       int
	parity  int
	logW    []uint16 // by source symbol, made when first needed; see matrix
	present []bool   // scratch of check and Decode
	left    []uint16
	logP    []int
	split   []byte
}

var _ fec.Code = (*Code16)(nil)

// New16 returns the code for blocks of k source symbols with up to parity parity
// symbols, in an object whose maximum block length is maxBlockLen. It fails with
// fec.ErrCodeSize unless 1 <= k <= maxBlockLen and maxBlockLen + parity <= 65,535. The
// matrix [Sequential] is not used with GF(2^16), and fails.
func New16(p Profile, maxBlockLen, parity, k int) (*Code16, error) {
	if p.Matrix > Powers || p.Shortening > Fresh {
		return nil, fmt.Errorf("rs: no such profile over GF(2^16): %v", p)
	}
	if k < 1 || k > maxBlockLen || parity < 0 || maxBlockLen > MaxSymbols16 || parity > MaxSymbols16-maxBlockLen {
		return nil, fmt.Errorf("%w: %d source symbols in a block of at most %d with %d parity; Reed-Solomon over GF(2^16) has %d in all",
			fec.ErrCodeSize, k, maxBlockLen, parity, MaxSymbols16)
	}
	c := &Code16{f: gf16(), points: p.Matrix, base: maxBlockLen, k: k, parity: parity}
	if p.Shortening == Fresh {
		c.base = k
	}
	return c, nil
}

// weigh computes logW.
func (c *Code16) weigh() {
	if c.logW != nil {
		return
	}
	c.logW = make([]uint16, c.k)
	for j := range c.logW {
		c.logW[j] = uint16(mod(c.logProduct(j)))
	}
}

// exponent returns e where symbol i, source or parity, has the evaluation point a^e;
// with Rizzo's points symbol 0 has none: its point is 0.
func (c *Code16) exponent(i int) int {
	if c.points == Rizzo {
		return i - 1
	}
	return i
}

// point returns the evaluation point of symbol i.
func (c *Code16) point(i int) uint16 {
	if e := c.exponent(i); e >= 0 {
		return c.f.exp[e]
	}
	return 0
}

// logProduct returns log of the product of x + y_l, x the point of symbol i, over the
// points y_l of all source symbols but i; compare matrix.logProduct.
func (c *Code16) logProduct(i int) int {
	n, e := c.exponent(c.base), c.exponent(i)
	if e < 0 {
		return powers(n)
	}
	sum := c.f.product(e, n)
	if c.points == Rizzo {
		sum += e
	}
	return sum
}

// entry returns log of what the matrix has for parity symbol i and source symbol j, by
// the formula of matrix. logP is logProduct of the parity symbol.
func (c *Code16) entry(logP, i, j int) int {
	d := c.f.log[c.point(c.base+i)^c.point(j)]
	return mod(logP - int(c.logW[j]) - int(d))
}

// Encode writes parity symbol j of the block src to dst; see fec.Code. It panics when
// src is not the block's k symbols, j is not a parity symbol of the code, dst is of an
// odd length, or a source symbol is longer than dst.
func (c *Code16) Encode(dst []byte, src [][]byte, j int) { c.EncodeRun(dst, len(dst), src, j) }

// EncodeRun writes parity symbols of size bytes each, from j on, one behind the other to
// dst, as many as it holds. For several of them it takes less time than Encode for each. It
// panics as Encode does.
func (c *Code16) EncodeRun(dst []byte, size int, src [][]byte, j int) {
	n := 0
	if size > 0 {
		n = len(dst) / size
	}
	if len(src) != c.k || j < 0 || n < 1 || j+n > c.parity || len(dst) != n*size || size%2 != 0 {
		panic(fmt.Sprintf("rs: %d parity symbols from %d on, of %d bytes, from %d source symbols; the code has %d and %d",
			n, j, size, len(src), c.parity, c.k))
	}
	c.weigh()
	clear(dst)
	c.logP = c.logP[:0]
	for i := range n {
		c.logP = append(c.logP, c.logProduct(c.base+j+i))
	}
	t, big, split := towers(), c.points == Powers, c.room(size)
	for l, s := range src {
		elements := t.split(split, s, big)
		for i, logP := range c.logP {
			t.addTo(c.f.exp[c.entry(logP, j+i, l)], dst[i*size:(i+1)*size], split, elements)
		}
	}
	for i := range n {
		copy(split, dst[i*size:])
		t.join(dst[i*size:(i+1)*size], split, big)
	}
}

// room returns scratch for a symbol.
func (c *Code16) room(size int) []byte {
	if cap(c.split) < size {
		c.split = make([]byte, size)
	}
	return c.split[:size]
}

// Decode recovers the source symbols of a block that are missing; see fec.Code and
// Code.Decode, which it is like but for the field: missing symbols must be as long as
// the parity here.
func (c *Code16) Decode(src [][]byte, missing []int, parity [][]byte, index []int) error {
	if err := c.check(src, missing, parity, index); err != nil {
		return err
	}
	n := len(missing)
	if n == 0 {
		return nil
	}
	c.weigh()
	parity, index = parity[:n], index[:n]
	// All of it with symbols that are split, which each is once.
	t, big, size := towers(), c.points == Powers, len(parity[0])
	split := c.room(size)
	c.logP = c.logP[:0]
	for i, p := range parity {
		c.logP = append(c.logP, c.logProduct(c.base+index[i]))
		t.split(split, p, big)
		copy(p, split)
	}
	for j, s := range src {
		if !c.present[j] {
			continue
		}
		elements := t.split(split, s, big)
		for i, p := range parity {
			t.addTo(c.f.exp[c.entry(c.logP[i], index[i], j)], p, split, elements)
		}
	}
	c.inverse(missing, index)
	left, right := c.left[:n], c.left[n:]
	for l, j := range missing {
		clear(split)
		for i, p := range parity {
			d := c.f.log[c.point(c.base+index[i])^c.point(j)]
			t.addTo(c.f.exp[mod(int(left[l])+int(right[i])-int(d))], split, p, size/2)
		}
		t.join(src[j], split, big)
	}
	return nil
}

// inverse computes the inverse of the square part of the matrix as matrix.inverse does:
// left and right factors, one behind the other.
func (c *Code16) inverse(missing, index []int) {
	f, n := c.f, len(missing)
	if cap(c.left) < 2*n {
		c.left = make([]uint16, 2*n)
	}
	c.left = c.left[:2*n]
	for l, j := range missing {
		y, sum := c.point(j), int(c.logW[j])
		for _, r := range index {
			sum += int(f.log[c.point(c.base+r)^y])
		}
		for o, other := range missing {
			if o != l {
				sum -= int(f.log[c.point(other)^y])
			}
		}
		c.left[l] = uint16(mod(sum))
	}
	for i, r := range index {
		x := c.point(c.base + r)
		sum := -c.logProduct(c.base + r)
		for _, j := range missing {
			sum += int(f.log[x^c.point(j)])
		}
		for o, other := range index {
			if o != i {
				sum -= int(f.log[x^c.point(c.base+other)])
			}
		}
		c.left[n+i] = uint16(mod(sum))
	}
}

// check refuses arguments that cannot be a block of this code, and notes in present
// which source symbols there are.
func (c *Code16) check(src [][]byte, missing []int, parity [][]byte, index []int) error {
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
	size := len(parity[0])
	if need := max(c.k, c.parity); len(c.present) < need {
		c.present = make([]bool, need)
	}
	clear(c.present)
	for i, j := range index {
		switch {
		case j < 0 || j >= c.parity:
			return fmt.Errorf("%w: parity number %d, the code has %d", ErrBadSymbols, j, c.parity)
		case c.present[j]:
			return fmt.Errorf("%w: parity number %d twice", ErrBadSymbols, j)
		case len(parity[i]) != size || size%2 != 0:
			return fmt.Errorf("%w: parity symbols of %d and %d bytes", ErrBadSymbols, size, len(parity[i]))
		}
		c.present[j] = true
	}
	for j := range c.present {
		c.present[j] = true
	}
	for _, j := range missing {
		switch {
		case j < 0 || j >= c.k:
			return fmt.Errorf("%w: missing source symbol %d, the code has %d", ErrBadSymbols, j, c.k)
		case !c.present[j]:
			return fmt.Errorf("%w: missing source symbol %d named twice", ErrBadSymbols, j)
		case len(src[j]) != size:
			return fmt.Errorf("%w: room of %d bytes for missing source symbol %d, parity of %d", ErrBadSymbols, len(src[j]), j, size)
		}
		c.present[j] = false
	}
	for j, s := range src {
		if len(s) > size {
			return fmt.Errorf("%w: source symbol %d of %d bytes, parity of %d", ErrBadSymbols, j, len(s), size)
		}
	}
	return nil
}
