package core

import (
	"cmp"
	"slices"

	"github.com/gomulticast/multicast/rmt/fec"
)

// find returns the place of a block among those begun, and whether it is there.
func (o *rxObject) find(sbn uint32) (int, bool) {
	if n := len(o.blocks); n == 0 || o.blocks[n-1].sbn < sbn { // mostly they come in order
		return n, false
	}
	return slices.BinarySearchFunc(o.blocks, sbn, func(b *rxBlock, sbn uint32) int {
		return cmp.Compare(b.sbn, sbn)
	})
}

// begun returns the record of a block of which something is here and not all.
func (o *rxObject) begun(sbn uint32) *rxBlock {
	if o.newest != nil && o.newest.sbn == sbn {
		return o.newest
	}
	if i, ok := o.find(sbn); ok {
		return o.blocks[i]
	}
	return nil
}

// block returns a block to put a symbol in, in memory, or nil if there is no room.
func (o *rxObject) block(sbn uint32) *rxBlock {
	r := o.r
	b := o.begun(sbn)
	if b == nil {
		if len(o.blocks) >= maxOpenBlocks {
			return nil
		}
		data := r.room(o.part.BlockLen(sbn) * o.part.SymbolSize())
		if data == nil {
			return nil
		}
		b = r.record()
		b.reset(o, sbn, data)
		i, _ := o.find(sbn) // only now: room may have dropped blocks
		o.blocks = slices.Insert(o.blocks, i, b)
		r.lru.pushFront(b)
	}
	if b.spilled && !r.reload(b) {
		return nil
	}
	o.newest = b
	r.touch(b)
	return b
}

// drop gives up a block: its symbols have to be received again.
func (o *rxObject) drop(b *rxBlock) {
	if i, ok := o.find(b.sbn); ok {
		o.blocks = slices.Delete(o.blocks, i, i+1)
	}
	if o.newest == b {
		o.newest = nil
	}
	o.r.recycle(b)
}

// symbol takes in one encoding symbol.
func (o *rxObject) symbol(sbn, esi uint32, data []byte) {
	r := o.r
	k := o.part.BlockLen(sbn)
	if k == 0 || uint64(esi) >= uint64(k)+o.repairs || !o.part.FitsSymbol(sbn, esi, len(data)) {
		r.stats.Malformed++
		o.misfits++
		return
	}
	o.misfits = 0
	if o.done.has(sbn) {
		r.stats.Duplicates++
		return
	}
	b := o.begun(sbn)
	if b != nil && b.has(esi) {
		r.stats.Duplicates++
		return
	}
	if b != nil && b.work != nil {
		o.surplus(b, esi, data)
		return
	}
	b = o.block(sbn)
	if b == nil {
		r.stats.NoBuffer++
		return
	}
	if b.full {
		o.surplus(b, esi, data)
		return
	}
	b.add(esi, data)
	r.stats.Symbols++
	if b.have() == b.k {
		o.complete(b)
	}
}

// finish hands over a block that is whole.
func (o *rxObject) finish(b *rxBlock) {
	r := o.r
	if !o.done.add(b.sbn, maxDoneRanges) {
		r.stats.NoBuffer++
		o.drop(b)
		return
	}
	data := b.data[:o.part.BlockBytes(b.sbn)]
	if o.table != nil {
		copy(o.table.data[o.part.Offset(b.sbn):], data)
		o.drop(b)
		return
	}
	r.events.push(ReceiverEvent{Type: BlockReceived, Key: o.key, Offset: o.part.Offset(b.sbn), Data: data, Block: b.sbn, Blocks: o.part.Blocks()})
	r.lru.remove(b)
	b.data = nil // the application's until released
	o.drop(b)
	if o.whole() {
		o.freeDecoder()
	}
}

// whole reports whether every block was handed over.
func (o *rxObject) whole() bool { return o.done.n == o.part.Blocks() }

// repairLimit returns how many repair symbols a block of an object can have at most.
func repairLimit(oti *fec.OTI) uint64 {
	switch oti.EncodingID {
	case fec.Raptor, fec.RaptorQ:
		return 1 << 32 // as many as the payload ID can number
	}
	return uint64(oti.Parity)
}
