// Package rs is the Reed-Solomon erasure code over GF(2^8) of FEC Encoding IDs 5,
// 2 with m = 8, and 129 with instance 0, and over GF(2^16) of ID 2 with m = 16 (RFC
// 5510, RFC 5445).
//
// Three codes are in the field under these IDs, alike in polynomial (0x11D) and
// shape (a Vandermonde matrix made systematic), different in the points the
// matrix is built on and in how a block shorter than the maximum is treated. A
// [Profile] names one of them; nothing in a packet does, so both ends must agree.
// The registered default is [NRL], which is what the installed base of NORM
// speaks; [Scheme] makes a scheme of another one.
//
// Over GF(2^8) a block and its parity are at most 255 symbols together, over GF(2^16)
// 65,535 (RFC 5510 section 8, and the limit of NRL's codecs). The latter is [Code16],
// several times slower; its work grows with the product of source and parity symbols.
package rs

import (
	"fmt"

	"github.com/klauspost/reedsolomon"

	"github.com/gomulticast/multicast/rmt/fec"
)

// MaxSymbols is the largest number of symbols, source and parity together, in a
// block: 2^8 - 1 (RFC 5510 section 6.1).
const MaxSymbols = 255

// A Matrix is a choice of evaluation points for the rows of the Vandermonde
// matrix. a is the root of the polynomial 0x11D, which is 2.
type Matrix uint8

const (
	Rizzo      Matrix = iota // 0, 1, a, a^2, ...: NRL NORM, OpenPGM, OpenFEC
	Powers                   // 1, a, a^2, ...: the text of RFC 5510 section 8.2
	Sequential               // 0, 1, 2, 3, ...: Backblaze, klauspost, flute-rs
)

// A Shortening says which code serves a block of fewer than B source symbols,
// as most blocks of the RFC 5052 partition are.
type Shortening uint8

const (
	// ZeroPadded always uses the code for B source symbols and takes the
	// missing ones for zeros. Parity row j of that code is the block's
	// parity symbol j.
	ZeroPadded Shortening = iota

	// Fresh builds a code for the block's own length (RFC 5510).
	Fresh
)

// A Profile names one of the codes in the field. The zero Profile is [NRL].
type Profile struct {
	Matrix     Matrix
	Shortening Shortening
}

// The codes known to be in use, and the one RFC 5510 describes.
var (
	NRL       = Profile{Rizzo, ZeroPadded}
	RFC5510   = Profile{Powers, Fresh}
	Backblaze = Profile{Sequential, Fresh}
)

// String returns the profile's name.
func (p Profile) String() string {
	switch p {
	case NRL:
		return "nrl"
	case RFC5510:
		return "rfc5510"
	case Backblaze:
		return "backblaze"
	}
	return fmt.Sprintf("matrix %d, shortening %d", p.Matrix, p.Shortening)
}

// A Code is the code for blocks of one length. It is immutable: unlike fec.Code
// in general, it may be used by several goroutines at once.
type Code struct {
	m      *matrix
	k      int
	parity int
}

var _ fec.Code = (*Code)(nil)

// New returns the code for blocks of k source symbols with up to parity parity
// symbols, in an object whose maximum block length is maxBlockLen. It fails with
// fec.ErrCodeSize unless 1 <= k <= maxBlockLen and maxBlockLen + parity <= 255.
// Codes of one profile and length share their matrix.
func New(p Profile, maxBlockLen, parity, k int) (*Code, error) {
	if p.Matrix > Sequential || p.Shortening > Fresh {
		return nil, fmt.Errorf("rs: no such profile: %v", p)
	}
	if k < 1 || k > maxBlockLen || parity < 0 || maxBlockLen > MaxSymbols || parity > MaxSymbols-maxBlockLen {
		return nil, fmt.Errorf("%w: %d source symbols in a block of at most %d with %d parity; Reed-Solomon over GF(2^8) has %d in all",
			fec.ErrCodeSize, k, maxBlockLen, parity, MaxSymbols)
	}
	base := maxBlockLen
	if p.Shortening == Fresh {
		base = k
	}
	return &Code{m: matrixFor(p.Matrix, base), k: k, parity: parity}, nil
}

// Scheme returns a registry entry for id that codes by profile p. Its codes are
// for ReedSolomonGF8, ReedSolomonGF2m with m = 8 or 16 and SmallBlockSystematic with
// instance 0; others fail with fec.ErrUnknownScheme.
func Scheme(id fec.EncodingID, p Profile) fec.Scheme {
	newCode := func(o *fec.OTI, k int) (fec.Code, error) {
		switch {
		case id == fec.ReedSolomonGF8:
		case id == fec.ReedSolomonGF2m && (o.M == 0 || o.M == 8):
		case id == fec.ReedSolomonGF2m && o.M == 16:
			c, err := New16(p, int(o.MaxBlockLen), int(o.Parity), k)
			if err != nil {
				return nil, err // not c: a nil *Code16 is not a nil fec.Code
			}
			return c, nil
		case id == fec.SmallBlockSystematic && o.InstanceID == 0:
		default:
			return nil, fmt.Errorf("%w: %v with m=%d, instance %d is no Reed-Solomon code",
				fec.ErrUnknownScheme, id, o.M, o.InstanceID)
		}
		c, err := New(p, int(o.MaxBlockLen), int(o.Parity), k)
		if err != nil {
			return nil, err // not c: a nil *Code is not a nil fec.Code
		}
		return c, nil
	}
	field := "GF(2^8), "
	if id == fec.ReedSolomonGF2m {
		field = "GF(2^m), "
	}
	return fec.Scheme{
		ID:      id,
		Name:    "Reed-Solomon " + field + p.String(),
		NewCode: newCode,
		NewEncoder: func(o *fec.OTI) (fec.BlockEncoder, error) {
			return fec.NewCodeEncoder(o, func(k int) (fec.Code, error) { return newCode(o, k) })
		},
		NewDecoder: func(o *fec.OTI, limit int64) (fec.BlockDecoder, error) {
			return fec.NewCodeDecoder(o, limit, func(k int) (fec.Code, error) { return newCode(o, k) })
		},
		Memory: fec.CodeMemory,
	}
}

func init() {
	for _, id := range []fec.EncodingID{fec.ReedSolomonGF8, fec.ReedSolomonGF2m, fec.SmallBlockSystematic} {
		fec.Register(Scheme(id, NRL))
	}
}

// mul multiplies slices by a constant of GF(2^8) with the machine's vector
// instructions. Its field has the polynomial 0x11D, as ours.
var mul reedsolomon.LowLevel

// Encode writes parity symbol j of the block src to dst; see fec.Code. It panics
// when src is not the block's k symbols, j is not a parity symbol of the code, or
// a source symbol is longer than dst.
func (c *Code) Encode(dst []byte, src [][]byte, j int) {
	if len(src) != c.k || j < 0 || j >= c.parity {
		panic(fmt.Sprintf("rs: Encode of parity symbol %d from %d source symbols; the code has %d and %d",
			j, len(src), c.parity, c.k))
	}
	row := c.m.row(j)
	n := len(src[0])
	mul.GalMulSlice(row[0], src[0], dst)
	clear(dst[n:])
	for i, s := range src[1:] {
		mul.GalMulSliceXor(row[i+1], s, dst)
	}
}
