package raptorq

import "fmt"

// An Encoder makes the encoding symbols of one block after another, all of one
// length. It holds the block's intermediate symbols, a little more than the block.
// It is not for concurrent use, but for Symbol between two Loads.
type Encoder struct {
	p      params
	k      int
	size   int
	loaded bool
	slots  slots // the intermediate symbols
}

// NewEncoder returns an encoder for blocks of k source symbols of size bytes. It
// fails with fec.ErrCodeSize unless 1 <= k <= MaxBlockLen, with ErrBadSymbols unless
// 1 <= size <= MaxSymbolSize, and with ErrMemory if [Memory] is over limit: bytes,
// 0 for DefaultMemory, negative for none.
func NewEncoder(k, size int, limit int64) (*Encoder, error) {
	p, err := checkSize(k, size, limit)
	if err != nil {
		return nil, err
	}
	return &Encoder{p: p, k: k, size: size}, nil
}

// Load takes the block's source symbols: len(src) is k, and none is longer than the
// symbol size; a shorter one counts as padded with zeros (RFC 6330 section
// 4.4.1.2). Otherwise it fails with ErrBadSymbols. src is not needed after Load.
func (e *Encoder) Load(src [][]byte) error {
	if len(src) != e.k {
		return fmt.Errorf("%w: %d source symbols, the block has %d", ErrBadSymbols, len(src), e.k)
	}
	for i, s := range src {
		if len(s) > e.size {
			return fmt.Errorf("%w: source symbol %d of %d bytes, size is %d", ErrBadSymbols, i, len(s), e.size)
		}
	}
	pl := encodingPlan(new(planner), &e.p)
	e.slots.resize(int(e.p.l)+slotsMore, e.size)
	pl.run(&e.slots, src)
	e.loaded = true
	return nil
}

// Symbol writes encoding symbol esi to dst, whose length is the symbol size: below
// k a source symbol, from there to MaxESI a repair symbol. It panics when dst has
// another length, esi is larger, or no block was loaded.
func (e *Encoder) Symbol(dst []byte, esi uint32) {
	if !e.loaded || len(dst) != e.size || esi > MaxESI {
		panic(fmt.Sprintf("raptorq: Symbol %d of a block (loaded: %t), %d bytes of %d", esi, e.loaded, len(dst), e.size))
	}
	e.slots.encode(&e.p, dst, e.p.isi(e.k, esi))
}

// isi returns the internal symbol ID of encoding symbol esi in a block of k source
// symbols: the padding symbols come between source and repair (RFC 6330 section
// 5.3.1).
func (p *params) isi(k int, esi uint32) uint32 {
	if esi >= uint32(k) {
		esi += p.kp - uint32(k)
	}
	return esi
}
