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
	if b := o.begun(sbn); b != nil && b.has(esi) {
		r.stats.Duplicates++
		return
	}
	b := o.block(sbn)
	if b == nil {
		r.stats.NoBuffer++
		return
	}
	if b.decoder != nil {
		o.feed(b, esi, data)
		return
	}
	b.add(esi, data)
	r.stats.Symbols++
	if b.have() == b.k {
		o.complete(b)
	}
}

// feed gives a symbol to the decoder that has taken over a block.
func (o *rxObject) feed(b *rxBlock, esi uint32, data []byte) {
	if _, err := b.decoder.Add(esi, data); err != nil {
		o.r.stats.Malformed++
		return
	}
	o.r.stats.Symbols++
	if int(esi) < b.k {
		b.holder[esi] = esi + 1
		b.source++
	} else {
		b.repair.add(esi)
	}
	if b.wait--; b.wait <= 0 && b.decoder.Missing() == 0 {
		o.solve(b)
	}
}

// complete is called when a block has as many symbols as source symbols: it hands the
// block over, or lets a decoder see what it can do.
func (o *rxObject) complete(b *rxBlock) {
	r := o.r
	if b.source == b.k && !o.scattered {
		o.finish(b)
		return
	}
	d, err := o.takeDecoder()
	if err == nil {
		// The symbols go to other memory; what held them is kept for the next.
		if len(r.scratch) != len(b.data) {
			r.scratch = make([]byte, len(b.data))
		}
		if err = d.Start(b.sbn, r.scratch); err != nil {
			o.returnDecoder(d)
		}
	}
	if err != nil {
		r.stats.NoBuffer++
		o.drop(b)
		return
	}
	// Source symbols first: repair symbols then go where none will come.
	for i := range b.k {
		if b.holder[i] == uint32(i)+1 {
			d.Add(uint32(i), b.at(i))
		}
	}
	for i, h := range b.holder {
		if h != 0 && int(h-1) >= b.k {
			d.Add(h-1, b.at(i))
		}
	}
	b.data, r.scratch = r.scratch, b.data
	// From here on holder only tells which source symbols were here.
	for i, h := range b.holder {
		if h != uint32(i)+1 {
			b.holder[i] = 0
		}
	}
	b.decoder, b.wait, b.failed = d, 0, 0
	if d.Missing() == 0 {
		o.solve(b)
	}
}

// solve lets the decoder of a block do its work. The more often it was in vain the more
// symbols are awaited before the next time, up to an eighth of the block: who crafts
// symbols for it to fail gets less work out of it than by sending others.
func (o *rxObject) solve(b *rxBlock) {
	r := o.r
	if err := b.decoder.Solve(); err != nil {
		r.stats.Unsolved++
		if b.failed++; b.failed > 3 {
			b.wait = min(1<<min(b.failed-3, 20), max(b.k/8, 1))
		}
		return
	}
	r.stats.Solved++
	r.stats.Recovered += uint64(b.k - b.source)
	o.finish(b)
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
		o.freeDecoders()
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
