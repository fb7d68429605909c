package raptor

import (
	"errors"
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/fec/internal/intake"
)

func init() {
	fec.Register(fec.Scheme{
		ID:         fec.Raptor,
		Name:       "Raptor",
		NewEncoder: newEncoder,
		NewDecoder: newDecoder,
		Memory:     memory,
	})
}

// An encoder is Raptor as a fec.BlockEncoder. The work of encoding waits until a repair
// symbol is asked for.
type encoder struct {
	layout fec.Layout
	part   fec.Partition
	size   int
	coder  coder
	sbn    uint32
	k      int // 0 when no block is loaded
	block  []byte
	ready  bool // the coder has the block's intermediate symbols
	src    [][]byte
	room   []byte // source symbols put together, with sub-blocks
}

func newEncoder(o *fec.OTI) (fec.BlockEncoder, error) {
	l, err := o.Layout()
	if err != nil {
		return nil, err
	}
	return &encoder{layout: l, part: l.Partition(), size: int(o.SymbolSize)}, nil
}

func (e *encoder) Load(sbn uint32, block []byte) error {
	k, err := e.part.CheckLoad(sbn, len(block))
	e.k, e.ready = 0, false
	if err != nil {
		return err
	}
	if e.coder.p.k != uint32(k) {
		e.coder.p = paramsFor(k)
	}
	e.sbn, e.k, e.block = sbn, k, block
	return nil
}

func (e *encoder) MaxESI() uint32 {
	if e.k == 0 {
		return 0
	}
	return MaxESI + 1
}

func (e *encoder) Symbol(dst []byte, esi uint32) int {
	if e.k == 0 || esi > MaxESI {
		panic(fmt.Sprintf("raptor: Symbol %d of a block of %d symbols", esi, e.k))
	}
	dst = dst[:e.size]
	if esi < uint32(e.k) {
		e.layout.Gather(dst, e.block, e.sbn, int(esi))
		return e.size
	}
	if !e.ready {
		e.encode()
	}
	e.coder.encode(dst, esi)
	return e.size
}

func (e *encoder) encode() {
	if e.layout.SubBlocks() == 1 {
		e.src = fec.AppendSymbols(e.src[:0], e.block, e.size, e.k)
	} else {
		if need := e.k * e.size; cap(e.room) < need {
			e.room = make([]byte, need)
		}
		e.src = fec.AppendSymbols(e.src[:0], e.room[:e.k*e.size], e.size, e.k)
		for i, s := range e.src {
			e.layout.Gather(s, e.block, e.sbn, i)
		}
	}
	e.coder.run(e.coder.encoding(), e.src, e.size)
	e.ready = true
}

// A decoder is Raptor as a fec.BlockDecoder. With sub-blocks the symbols are collected
// in room of its own.
type decoder struct {
	layout fec.Layout // without sub-blocks it is not used
	part   fec.Partition
	size   int
	coder  *coder // shared among siblings
	in     intake.Block
	sbn    uint32
	k      int // 0 when there is no block
	block  []byte
	room   []byte
	done   bool // the block is solved

	esis []uint32
	src  [][]byte
}

func newDecoder(o *fec.OTI, limit int64) (fec.BlockDecoder, error) {
	if err := fec.CheckMemory(memory(o), limit); err != nil {
		return nil, err
	}
	part, err := o.Partition()
	if err != nil {
		return nil, err
	}
	l, err := o.Layout()
	if errors.Is(err, fec.ErrCodeSize) && o.SubBlocks == 1 && part.BlockLen(0) <= MaxBlockLen {
		err = nil // a block too short for the code: its source symbols are good all the same
	}
	if err != nil {
		return nil, err
	}
	return &decoder{layout: l, part: part, size: int(o.SymbolSize), coder: new(coder)}, nil
}

// memory is that of the intermediate symbols, of the equations and their solution, and
// of what the decoder itself notes.
func memory(o *fec.OTI) int64 {
	p, err := o.Partition()
	if err != nil {
		return 0
	}
	k, size := int64(p.BlockLen(0)), int64(o.SymbolSize)
	l := k + 2*k/10 + 64 // more than L
	n := (l+1)*int64(pitchOf(int(size))) + intake.MaxExtra*size + 500*l + int64(limits.Bits)*min(k, 512)/512
	if o.SubBlocks > 1 {
		n += k * size
	}
	return n
}

func (d *decoder) Sibling() fec.BlockDecoder {
	return &decoder{layout: d.layout, part: d.part, size: d.size, coder: d.coder}
}

func (d *decoder) Start(sbn uint32, block []byte) (err error) {
	d.done = false
	if d.k, err = d.part.CheckStart(sbn, len(block)); err != nil {
		return err
	}
	d.sbn, d.block = sbn, block[:d.k*d.size]
	if d.layout.SubBlocks() > 1 {
		if len(d.room) < len(d.block) {
			d.room = make([]byte, len(d.block))
		}
		block = d.room
	}
	d.in.Reset(block, d.k, d.size, intake.MaxExtra)
	return nil
}

func (d *decoder) Add(esi uint32, symbol []byte) (bool, error) {
	switch {
	case d.k == 0 || esi > MaxESI || d.k < MinBlockLen && int(esi) >= d.k,
		len(symbol) != d.size && (d.layout.SubBlocks() > 1 || !d.part.FitsSymbol(d.sbn, esi, len(symbol))):
		return d.solvable(), fec.ErrBadSymbol
	case d.done:
	case int(esi) < d.k:
		d.in.AddSource(int(esi), symbol)
	default:
		d.in.AddRepair(esi, symbol)
	}
	return d.solvable(), nil
}

func (d *decoder) solvable() bool {
	return d.k > 0 && (d.done || d.in.Ready())
}

func (d *decoder) Missing() int {
	if d.k == 0 || d.done {
		return 0
	}
	return d.in.Missing()
}

func (d *decoder) Solve() error {
	switch {
	case d.k == 0:
		return fmt.Errorf("%w: no block", fec.ErrNeedMore)
	case d.done:
		return nil
	case d.in.Have() < d.k:
		return fmt.Errorf("%w: %d of %d", fec.ErrNeedMore, d.in.Have(), d.k)
	case d.in.Sources() < d.k:
		if !d.recover() {
			d.in.Failed()
			return fmt.Errorf("%w: %d of %d do not suffice", fec.ErrNeedMore, d.in.Have(), d.k)
		}
	}
	if d.layout.SubBlocks() > 1 {
		for i := range d.k {
			d.layout.Scatter(d.block, d.in.At(i), d.sbn, i)
		}
	}
	d.done = true
	return nil
}

// recover solves for the intermediate symbols, and makes the source symbols that are
// missing from them.
func (d *decoder) recover() bool {
	c := d.coder
	if c.p.k != uint32(d.k) {
		c.p = paramsFor(d.k)
	}
	d.esis, d.src = d.esis[:0], d.src[:0]
	for i := range d.k {
		if d.in.HasSource(i) {
			d.esis, d.src = append(d.esis, uint32(i)), append(d.src, d.in.At(i))
		}
	}
	for _, r := range d.in.Repairs() {
		d.esis, d.src = append(d.esis, r.ESI), append(d.src, d.in.Symbol(r))
	}
	if !c.solve(d.esis) {
		return false
	}
	c.run(&c.plan, d.src, d.size)
	for i := range d.k {
		if !d.in.HasSource(i) {
			c.encode(d.in.At(i), uint32(i))
		}
	}
	d.in.Solved()
	return true
}
