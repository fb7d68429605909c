package fec

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec/internal/intake"
)

// A codeEncoder is a BlockEncoder over a Code.
type codeEncoder struct {
	part    Partition
	parity  int
	newCode func(k int) (Code, error)
	codes   [2]Code // for blocks of part.large and part.small symbols
	code    Code    // of the loaded block
	src     [][]byte
}

// NewCodeEncoder returns an encoder for the blocks of the object o describes, which works
// by a [Code] for each of the two block lengths there can be: for schemes of which any k
// symbols determine the block.
func NewCodeEncoder(o *OTI, newCode func(k int) (Code, error)) (BlockEncoder, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	p, err := o.Partition()
	if err != nil {
		return nil, err
	}
	e := &codeEncoder{part: p, parity: int(o.Parity), newCode: newCode}
	return e, makeCodes(&p, newCode, &e.codes)
}

// makeCodes makes the codes for both block lengths of a partition.
func makeCodes(p *Partition, newCode func(k int) (Code, error), codes *[2]Code) (err error) {
	if p.blocks == 0 {
		return nil
	}
	if codes[0], err = newCode(int(p.large)); err == nil && p.small != p.large {
		codes[1], err = newCode(int(p.small))
	}
	return err
}

// codeFor returns which of a partition's codes is for blocks of k symbols.
func codeFor(p *Partition, codes *[2]Code, k int) Code {
	if k == int(p.large) {
		return codes[0]
	}
	return codes[1]
}

func (e *codeEncoder) Load(sbn uint32, block []byte) error {
	k, err := e.part.CheckLoad(sbn, len(block))
	e.src = e.src[:0]
	if err != nil {
		return err
	}
	e.src = AppendSymbols(e.src, block, e.part.SymbolSize(), k)
	e.code = codeFor(&e.part, &e.codes, k)
	return nil
}

func (e *codeEncoder) Symbol(dst []byte, esi uint32) int {
	k := len(e.src)
	if uint64(esi) >= uint64(e.MaxESI()) {
		panicSymbol(esi, int(e.MaxESI()))
	}
	dst = dst[:e.part.SymbolSize()]
	if int(esi) < k {
		clear(dst[copy(dst, e.src[esi]):])
	} else {
		e.code.Encode(dst, e.src, int(esi)-k)
	}
	return len(dst)
}

func (e *codeEncoder) MaxESI() uint32 {
	if len(e.src) == 0 {
		return 0
	}
	return uint32(len(e.src) + e.parity)
}

func panicSymbol(esi uint32, n int) {
	panic(fmt.Sprintf("fec: Symbol %d of a block that has %d", esi, n))
}

// AppendSymbols appends the k source symbols of a block to dst, parts of block, all of
// size bytes but the last: what the block lacks is not there.
func AppendSymbols(dst [][]byte, block []byte, size, k int) [][]byte {
	for i := range k {
		dst = append(dst, block[min(i*size, len(block)):min((i+1)*size, len(block))])
	}
	return dst
}

// A codeDecoder is a BlockDecoder over a Code of which any k symbols determine the block.
type codeDecoder struct {
	part   Partition
	parity int
	size   int
	shared *codeShared

	in   intake.Block
	sbn  uint32
	k    int // 0 when there is no block
	code Code
}

// codeShared is what Solve works on, for one block at a time.
type codeShared struct {
	codes   [2]Code
	src     [][]byte
	missing []int
	parity  [][]byte
	index   []int
	buf     []byte
}

// NewCodeDecoder returns a decoder for the blocks of the object o describes, as
// NewCodeEncoder does. limit is that of [Scheme.NewDecoder]; for its need see
// CodeMemory.
func NewCodeDecoder(o *OTI, limit int64, newCode func(k int) (Code, error)) (BlockDecoder, error) {
	if err := CheckMemory(CodeMemory(o), limit); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	p, err := o.Partition()
	if err != nil {
		return nil, err
	}
	d := &codeDecoder{part: p, parity: int(o.Parity), size: p.SymbolSize(), shared: new(codeShared)}
	return d, makeCodes(&p, newCode, &d.shared.codes)
}

// CodeMemory returns the memory in bytes that a decoder by NewCodeDecoder takes: as many
// parity symbols as there can be of use, and some words for each symbol.
func CodeMemory(o *OTI) int64 {
	p, err := o.Partition()
	if err != nil {
		return 0
	}
	b := int64(p.large)
	return min(b, int64(o.Parity))*int64(o.SymbolSize) + 120*b + 1024
}

func (d *codeDecoder) Sibling() BlockDecoder {
	return &codeDecoder{part: d.part, parity: d.parity, size: d.size, shared: d.shared}
}

func (d *codeDecoder) Start(sbn uint32, block []byte) (err error) {
	if d.k, err = d.part.CheckStart(sbn, len(block)); err != nil {
		return err
	}
	d.sbn = sbn
	d.code = codeFor(&d.part, &d.shared.codes, d.k)
	d.in.Reset(block, d.k, d.size, 0)
	return nil
}

func (d *codeDecoder) Add(esi uint32, symbol []byte) (bool, error) {
	switch {
	case d.k == 0 || uint64(esi) >= uint64(d.k+d.parity) || !d.part.FitsSymbol(d.sbn, esi, len(symbol)):
		return d.solvable(), ErrBadSymbol
	case int(esi) < d.k:
		d.in.AddSource(int(esi), symbol)
	default:
		d.in.AddRepair(esi, symbol)
	}
	return d.solvable(), nil
}

func (d *codeDecoder) solvable() bool { return d.k > 0 && d.in.Have() == d.k }

func (d *codeDecoder) Missing() int {
	if d.k == 0 {
		return 0
	}
	return d.k - d.in.Have()
}

func (d *codeDecoder) Solve() error {
	if !d.solvable() {
		return ErrNeedMore
	}
	if d.in.Sources() == d.k {
		return nil
	}
	// Parity lies in the block where the missing symbols go: away with it.
	s := d.shared
	if need := (d.k - d.in.Sources()) * d.size; cap(s.buf) < need {
		s.buf = make([]byte, need)
	}
	s.src, s.missing, s.parity, s.index = s.src[:0], s.missing[:0], s.parity[:0], s.index[:0]
	for i := range d.k {
		s.src = append(s.src, d.in.At(i))
		if !d.in.HasSource(i) {
			s.missing = append(s.missing, i)
		}
	}
	for _, r := range d.in.Repairs() {
		p := s.buf[:cap(s.buf)][len(s.index)*d.size:][:d.size]
		copy(p, d.in.Symbol(r))
		s.parity = append(s.parity, p)
		s.index = append(s.index, int(r.ESI)-d.k)
	}
	if err := d.code.Decode(s.src, s.missing, s.parity, s.index); err != nil {
		return err
	}
	d.in.Solved()
	return nil
}
