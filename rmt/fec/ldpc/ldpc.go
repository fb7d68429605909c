// Package ldpc is the LDPC-Staircase and LDPC-Triangle codes of FEC Encoding IDs 3 and
// 4 (RFC 5170): systematic codes for long blocks, of up to 2^20 encoding symbols, that
// need additions only. Some per cent more symbols than the block has give it back;
// how many depends on N1 and on the share of repair symbols. Send these in an order by
// chance: one behind another they are worth less (section 5.1).
//
// The code is in the registry of package fec, block by block. Its matrix follows from
// the seed, N1, and the block's numbers of symbols, by the pseudo-random numbers of
// section 5.7. A decoder takes what follows step by step from equations of one unknown,
// as the RFC's trivial algorithm does, and solves the rest by Gaussian elimination
// within limits.
//
// The RFC's way to make the matrix does not come to an end when there are fewer repair
// symbols than N1: such a block has source symbols only. Neither does it for a block of
// one symbol, where rows of one source symbol are left as they are here, as OpenFEC does.
package ldpc

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
)

// MaxSymbols is the largest number of encoding symbols of a block that the transmission
// information can say (RFC 5170 section 4.2.4).
const MaxSymbols = 1<<20 - 1

func init() {
	for id, name := range map[fec.EncodingID]string{fec.LDPCStaircase: "LDPC-Staircase", fec.LDPCTriangle: "LDPC-Triangle"} {
		fec.Register(fec.Scheme{ID: id, Name: name, NewEncoder: newEncoder, NewDecoder: newDecoder, Memory: memory})
	}
}

// code makes the matrices of an object's blocks, of which there are two lengths.
type code struct {
	oti  fec.OTI
	part fec.Partition
	n1   int
	made [2]*matrix
}

func newCode(o *fec.OTI) (*code, error) {
	if o.EncodingID != fec.LDPCStaircase && o.EncodingID != fec.LDPCTriangle {
		return nil, fmt.Errorf("%w: %v is no LDPC code", fec.ErrUnknownScheme, o.EncodingID)
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	p, err := o.Partition()
	if err != nil {
		return nil, err
	}
	c := &code{oti: *o, part: p, n1: int(o.N1)}
	if c.n1 == 0 {
		c.n1 = 3
	}
	return c, nil
}

// symbols returns n, the number of encoding symbols of a block of k source symbols: the
// n-algorithm of RFC 5170 section 5.5.
func (c *code) symbols(k int) int {
	n := int(uint64(k) * (uint64(c.oti.MaxBlockLen) + uint64(c.oti.Parity)) / uint64(c.oti.MaxBlockLen))
	if n-k < c.n1 {
		return k
	}
	return n
}

// matrix returns the matrix for blocks of k source symbols. Making it may fail with
// fec.ErrCodeSize, see newMatrix.
func (c *code) matrix(k int) (*matrix, error) {
	i := 0
	if k != c.part.BlockLen(0) {
		i = 1
	}
	if c.made[i] == nil {
		m, err := newMatrix(k, c.symbols(k), c.n1, c.oti.Seed, c.oti.EncodingID == fec.LDPCTriangle)
		if err != nil {
			return nil, err
		}
		c.made[i] = m
	}
	return c.made[i], nil
}
