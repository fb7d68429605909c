package ldpc

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/fec/internal/sparse"
)

// An encoder is an LDPC code as a fec.BlockEncoder. Repair symbols follow from each
// other: with the first that is asked for all of them are made.
type encoder struct {
	*code
	size   int
	m      *matrix // nil when no block is loaded
	block  []byte
	repair []byte
	ready  bool
}

func newEncoder(o *fec.OTI) (fec.BlockEncoder, error) {
	c, err := newCode(o)
	if err != nil {
		return nil, err
	}
	return &encoder{code: c, size: int(o.SymbolSize)}, nil
}

func (e *encoder) Load(sbn uint32, block []byte) error {
	e.m, e.ready = nil, false
	k, err := e.part.CheckLoad(sbn, len(block))
	if err != nil {
		return err
	}
	e.m, err = e.matrix(k)
	e.block = block
	return err
}

func (e *encoder) MaxESI() uint32 {
	if e.m == nil {
		return 0
	}
	return uint32(e.m.n)
}

func (e *encoder) Symbol(dst []byte, esi uint32) int {
	if e.m == nil || esi >= uint32(e.m.n) {
		panic(fmt.Sprintf("ldpc: Symbol %d of a block that has %d", esi, e.MaxESI()))
	}
	dst = dst[:e.size]
	if int(esi) < e.m.k {
		s := e.source(int(esi))
		clear(dst[copy(dst, s):])
		return e.size
	}
	if !e.ready {
		e.encode()
	}
	copy(dst, e.at(int(esi)-e.m.k))
	return e.size
}

// source returns source symbol i, as far as the block has bytes.
func (e *encoder) source(i int) []byte {
	return e.block[i*e.size : min((i+1)*e.size, len(e.block))]
}

// at returns repair symbol i.
func (e *encoder) at(i int) []byte { return e.repair[i*e.size:][:e.size] }

// encode makes the repair symbols, each from the symbols before it (RFC 5170 sections
// 6.3 and 7.3).
func (e *encoder) encode() {
	k, n := e.m.k, e.m.n
	if need := (n - k) * e.size; cap(e.repair) < need {
		e.repair = make([]byte, need)
	}
	e.repair = e.repair[:(n-k)*e.size]
	for i := range n - k {
		dst := e.at(i)
		clear(dst)
		row := e.m.row(i)
		for _, c := range row[:len(row)-1] {
			if int(c) >= k {
				sparse.Add(dst, e.at(int(c)-k))
			} else {
				s := e.source(int(c))
				sparse.Add(dst[:len(s)], s)
			}
		}
	}
	e.ready = true
}
