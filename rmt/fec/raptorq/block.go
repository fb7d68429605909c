package raptorq

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
)

// A blockEncoder is RaptorQ as a fec.BlockEncoder, with sub-blocks or without. The work
// of encoding waits until a repair symbol is asked for.
type blockEncoder struct {
	layout Layout
	part   fec.Partition
	p      params
	sbn    uint32
	k      int // 0 when no block is loaded
	size   int
	block  []byte
	ready  bool // the slots are this block's intermediate symbols
	src    [][]byte
	room   []byte // source symbols put together, with sub-blocks
	slots  slots
}

func newBlockEncoder(o *fec.OTI) (fec.BlockEncoder, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	l, err := NewLayout(o)
	if err != nil {
		return nil, err
	}
	return &blockEncoder{layout: l, part: l.Partition(), size: int(o.SymbolSize)}, nil
}

func (e *blockEncoder) Load(sbn uint32, block []byte) error {
	k, err := e.part.CheckLoad(sbn, len(block))
	e.k, e.ready = 0, false
	if err != nil {
		return err
	}
	if e.p, err = paramsFor(k); err != nil {
		return err
	}
	e.sbn, e.k, e.block = sbn, k, block
	return nil
}

func (e *blockEncoder) MaxESI() uint32 {
	if e.k == 0 {
		return 0
	}
	return MaxESI + 1
}

func (e *blockEncoder) Symbol(dst []byte, esi uint32) int {
	if e.k == 0 || esi > MaxESI {
		panic(fmt.Sprintf("raptorq: Symbol %d of a block of %d symbols", esi, e.k))
	}
	dst = dst[:e.size]
	if esi < uint32(e.k) {
		e.layout.Gather(dst, e.block, e.sbn, int(esi))
		return e.size
	}
	if !e.ready {
		e.encode()
	}
	e.slots.encode(&e.p, dst, e.p.isi(e.k, esi))
	return e.size
}

func (e *blockEncoder) encode() {
	if e.layout.SubBlocks() == 1 {
		e.src = fec.AppendSymbols(e.src[:0], e.block, e.size, e.k)
	} else {
		e.room = resize(e.room, e.k*e.size)
		e.src = fec.AppendSymbols(e.src[:0], e.room, e.size, e.k)
		for i, s := range e.src {
			e.layout.Gather(s, e.block, e.sbn, i)
		}
	}
	pl := encodingPlan(new(planner), &e.p)
	e.slots.resize(int(e.p.l)+slotsMore, e.size)
	pl.run(&e.slots, e.src)
	e.ready = true
}

// A blockDecoder is RaptorQ as a fec.BlockDecoder. With sub-blocks the symbols are
// collected in room of its own.
type blockDecoder struct {
	layout Layout
	part   fec.Partition
	d      Decoder
	sbn    uint32
	block  []byte
	room   []byte
	placed bool // with sub-blocks: the block has been taken to its memory
}

func newBlockDecoder(o *fec.OTI, limit int64) (fec.BlockDecoder, error) {
	if err := fec.CheckMemory(blockMemory(o), limit); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	l, err := NewLayout(o)
	if err != nil {
		return nil, err
	}
	return &blockDecoder{layout: l, part: l.Partition(), d: Decoder{size: int(o.SymbolSize), w: new(Workspace)}}, nil
}

// blockMemory adds to Memory what the Decoder itself takes.
func blockMemory(o *fec.OTI) int64 {
	p, err := o.Partition()
	if err != nil {
		return 0
	}
	k, size := p.BlockLen(0), int(o.SymbolSize)
	n := Memory(k, size) + MaxExtra*int64(size) + 120*int64(k)
	if o.SubBlocks > 1 {
		n += fec.BlockMemory(o)
	}
	return n
}

func (b *blockDecoder) Sibling() fec.BlockDecoder {
	return &blockDecoder{layout: b.layout, part: b.part, d: Decoder{size: b.d.size, w: b.d.w}}
}

func (b *blockDecoder) Start(sbn uint32, block []byte) error {
	b.d.begun, b.d.k = false, 0
	k, err := b.part.CheckStart(sbn, len(block))
	if err != nil {
		return err
	}
	if b.d.p, err = paramsFor(k); err != nil {
		return err
	}
	b.sbn, b.d.k, b.block, b.placed = sbn, k, block[:k*b.d.size], false
	if b.layout.SubBlocks() == 1 {
		b.d.Reset(block)
		return nil
	}
	b.room = resize(b.room, k*b.d.size)
	b.d.Reset(b.room)
	return nil
}

func (b *blockDecoder) Add(esi uint32, symbol []byte) (bool, error) {
	if b.d.k == 0 {
		return false, fec.ErrBadSymbol
	}
	if esi > MaxESI || len(symbol) != b.d.size && (b.layout.SubBlocks() > 1 || !b.part.FitsSymbol(b.sbn, esi, len(symbol))) {
		return b.d.Ready(), fec.ErrBadSymbol
	}
	return b.d.Add(esi, symbol), nil
}

func (b *blockDecoder) Missing() int {
	if b.d.k == 0 || b.d.done {
		return 0
	}
	return b.d.in.Missing()
}

func (b *blockDecoder) Solve() error {
	if err := b.d.Decode(); err != nil {
		return err
	}
	if b.layout.SubBlocks() > 1 && !b.placed {
		for i := range b.d.k {
			b.layout.Scatter(b.block, b.d.in.At(i), b.sbn, i)
		}
		b.placed = true
	}
	return nil
}
