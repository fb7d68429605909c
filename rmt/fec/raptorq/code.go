package raptorq

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
)

// A Code is RaptorQ as a fec.Code: for blocks of one length, over the caller's
// slices, with parity symbol j being encoding symbol k+j. Like fec.Code in general
// it is not for concurrent use.
//
// Encode does the work for the whole block each time; for more than a few parity
// symbols of a block use an [Encoder]. Decode may fail with ErrNeedMore although
// there are as many parity symbols as are missing, see [ErrNeedMore].
type Code struct {
	p      params
	k      int
	parity int
	w      Workspace
	given  []given
	sorted []int
	gone   []bool
}

var _ fec.Code = (*Code)(nil)

// New returns the code for blocks of k source symbols with up to parity parity
// symbols. It fails with fec.ErrCodeSize unless 1 <= k <= MaxBlockLen and 0 <=
// parity <= MaxESI+1-k. A Code grows to the memory, see [Memory], of the largest
// symbols it is given; whoever takes k and the symbol size from the network checks
// that first.
func New(k, parity int) (*Code, error) {
	p, err := paramsFor(k)
	if err != nil {
		return nil, err
	}
	if parity < 0 || parity > MaxESI+1-k {
		return nil, fmt.Errorf("%w: %d source and %d parity symbols, RaptorQ has %d in all", fec.ErrCodeSize, k, parity, MaxESI+1)
	}
	return &Code{p: p, k: k, parity: parity}, nil
}

// Encode writes parity symbol j of the block src to dst; see fec.Code. It panics
// when src is not the block's k symbols, j is not a parity symbol of the code, or a
// source symbol is longer than dst.
func (c *Code) Encode(dst []byte, src [][]byte, j int) {
	if len(src) != c.k || j < 0 || j >= c.parity {
		panic(fmt.Sprintf("raptorq: Encode of parity symbol %d from %d source symbols; the code has %d and %d",
			j, len(src), c.parity, c.k))
	}
	for i, s := range src {
		if len(s) > len(dst) {
			panic(fmt.Sprintf("raptorq: source symbol %d of %d bytes, parity of %d", i, len(s), len(dst)))
		}
	}
	pl := encodingPlan(&c.w.planner, &c.p)
	s := &c.w.slots
	s.resize(int(c.p.l)+slotsMore, len(dst))
	pl.run(s, src)
	s.encode(&c.p, dst, c.p.kp+uint32(j))
}

// Decode recovers the source symbols of a block that are missing; see fec.Code. It
// uses as many parity symbols as it needs, more than are missing if there are
// more. Arguments that cannot be a block of this code are refused with
// ErrBadSymbols, too few parity symbols or dependent ones with ErrNeedMore; either
// leaves the buffers alone.
func (c *Code) Decode(src [][]byte, missing []int, parity [][]byte, index []int) error {
	if err := c.check(src, missing, parity, index); err != nil || len(missing) == 0 {
		return err
	}
	size := len(parity[0])
	c.given = c.given[:0]
	for i, j := range index {
		if len(c.given) == c.k+MaxExtra {
			break
		}
		c.given = append(c.given, given{c.p.kp + uint32(j), parity[i]})
	}
	// check has noted what is missing.
	c.sorted = c.sorted[:0]
	for i, gone := range c.gone {
		if gone {
			c.sorted = append(c.sorted, i)
		}
	}
	return c.w.recover(&c.p, size, src, c.sorted, c.given)
}

func (c *Code) check(src [][]byte, missing []int, parity [][]byte, index []int) error {
	switch {
	case len(src) != c.k:
		return fmt.Errorf("%w: %d source symbols, the code has %d", ErrBadSymbols, len(src), c.k)
	case len(parity) != len(index):
		return fmt.Errorf("%w: %d parity symbols with %d numbers", ErrBadSymbols, len(parity), len(index))
	case len(missing) > len(parity):
		return fmt.Errorf("%w: %d parity symbols for %d missing", ErrNeedMore, len(parity), len(missing))
	case len(missing) == 0:
		return nil
	}
	size := len(parity[0])
	seen := make(map[int]struct{}, len(index))
	for i, j := range index {
		if _, twice := seen[j]; twice || j < 0 || j >= c.parity || len(parity[i]) != size || size == 0 {
			return fmt.Errorf("%w: parity number %d (twice: %t) of %d bytes, the code has %d, of %d bytes here",
				ErrBadSymbols, j, twice, len(parity[i]), c.parity, size)
		}
		seen[j] = struct{}{}
	}
	c.gone = resize(c.gone, c.k)
	for _, i := range missing {
		if i < 0 || i >= c.k || c.gone[i] {
			return fmt.Errorf("%w: missing source symbol %d, the code has %d, or named twice", ErrBadSymbols, i, c.k)
		}
		c.gone[i] = true
	}
	for i, s := range src {
		if len(s) > size {
			return fmt.Errorf("%w: source symbol %d of %d bytes, parity of %d", ErrBadSymbols, i, len(s), size)
		}
	}
	return nil
}

// Scheme returns the registry entry of RaptorQ, fec.EncodingID 6. Its NewCode wants
// k to be at most o.MaxBlockLen, and takes a parity of 0 for as many as there are:
// RaptorQ's OTI says nothing about it (RFC 6330 section 3.3).
func Scheme() fec.Scheme {
	return fec.Scheme{
		ID:   fec.RaptorQ,
		Name: "RaptorQ",
		NewCode: func(o *fec.OTI, k int) (fec.Code, error) {
			if k > int(o.MaxBlockLen) {
				return nil, fmt.Errorf("%w: %d source symbols in a block of at most %d", fec.ErrCodeSize, k, o.MaxBlockLen)
			}
			parity := int(o.Parity)
			if parity == 0 && k > 0 {
				parity = MaxESI + 1 - k
			}
			c, err := New(k, parity)
			if err != nil {
				return nil, err // not c: a nil *Code is not a nil fec.Code
			}
			return c, nil
		},
		NewEncoder: newBlockEncoder,
		NewDecoder: newBlockDecoder,
		Memory:     blockMemory,
	}
}

func init() { fec.Register(Scheme()) }
