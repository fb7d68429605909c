package core

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// Bounds on what a receiver remembers beyond its buffers, whatever arrives.
const (
	// maxOpenBlocks is how many blocks of one object may be begun and not done.
	maxOpenBlocks = 16384
	// maxDoneRanges is how many holes all objects together may have before
	// their newest blocks; some each has for certain.
	maxDoneRanges = 65536
	minDoneRanges = 16
)

// An rxState says how far an object has come here.
type rxState uint8

const (
	receiving rxState = iota
	received          // all handed over; the owner is storing it
	stored            // the owner has it safe
	failed            // aborted here or by the sender
)

// An rxObject is one object of one sender as far as it arrived.
type rxObject struct {
	key      ObjectKey
	flags    wire.Flags
	state    rxState
	known    bool // OTI and partition are valid
	seconded bool // by a second message
	strange  int  // messages that said otherwise, before that
	oti      fec.OTI
	part     layout
	haveInfo bool
	released bool // Prime was called: see ReceiverConfig.InfoFirst

	done    blockSet
	doneLen uint64
	blocks  []*rxBlock // begun and not done, ascending
	newest  *rxBlock   // looked up last
	stream  *rxStream  // once content of a stream was heard
}

func (o *rxObject) settled() bool { return o.state >= received }

// needsInfo reports whether a NORM_INFO is announced and missing.
func (o *rxObject) needsInfo() bool { return o.flags&wire.FlagInfo != 0 && !o.haveInfo }

func (o *rxObject) complete() bool {
	if o.stream != nil {
		return o.streamComplete()
	}
	return o.known && o.doneLen == o.part.Blocks() && !o.needsInfo()
}

// learn takes in the object's FEC parameters. It returns an error when this
// receiver cannot do with them.
func (o *rxObject) learn(r *Receiver, oti *fec.OTI) error {
	if o.known {
		return nil
	}
	part, err := layoutOf(oti, o.flags&wire.FlagStream != 0)
	if err != nil {
		return err
	}
	if int64(part.BlockLen(0))*int64(oti.SymbolSize) > r.cfg.BufferBytes/4 {
		return fmt.Errorf("%w: blocks of %d symbols of %d bytes, and a block may take a quarter of the %d bytes of buffers; raise ReceiverConfig.BufferBytes",
			fec.ErrCodeSize, part.BlockLen(0), oti.SymbolSize, r.cfg.BufferBytes)
	}
	if err := r.codes.check(r, oti, &part); err != nil {
		return err
	}
	o.oti, o.part, o.known = *oti, part, true
	return nil
}

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
	if i, ok := o.find(sbn); ok {
		return o.blocks[i]
	}
	return nil
}

// block returns the record of a block not done, making one if memory allows.
func (o *rxObject) block(m *remote, sbn uint32) *rxBlock {
	if b := o.newest; b != nil && b.sbn == sbn {
		return b
	}
	i, ok := o.find(sbn)
	if !ok {
		r := m.r
		size := o.part.BlockLen(sbn) * o.part.SymbolSize()
		get := func() []byte {
			if o.stream != nil {
				return o.streamBuffer(m, size)
			}
			return r.buffers.take(size, false)
		}
		record := recordCost(o.part.BlockLen(sbn) + int(o.oti.Parity))
		r.buffers.inUse += record
		data := get()
		for data == nil && (r.share(m) || o.yieldHeld(m, sbn) || m.yield(o, sbn)) {
			data = get()
		}
		if i, _ = o.find(sbn); data == nil || len(o.blocks) >= maxOpenBlocks {
			r.buffers.giveBack(data, o.stream != nil)
			r.buffers.inUse -= record
			m.noRoom()
			return nil
		}
		b := r.buffers.block(record > 0)
		b.sbn, b.k, b.data, b.stream = sbn, o.part.BlockLen(sbn), data, o.stream != nil
		b.free, b.record = b.k, record
		b.counted(m)
		o.blocks = slices.Insert(o.blocks, i, b)
	}
	o.newest = o.blocks[i]
	return o.newest
}

// yield gives up the last block of the sender that was begun, if it lies behind the
// one that is to be. Of what is missing the earliest is asked for first, and as much
// as a message holds: if the buffers were full of later blocks it might find no room
// for ever.
func (m *remote) yield(before *rxObject, sbn uint32) bool {
	for _, o := range slices.Backward(m.objects) {
		if o == nil || o.settled() {
			continue
		}
		if o != before && o.stuck() && o.yieldHeld(m, o.stream.low) {
			return true
		}
		if len(o.blocks) == 0 && o != before {
			continue
		}
		last := len(o.blocks) - 1
		if o == before && (last < 0 || o.blocks[last].sbn < sbn) {
			return false
		}
		m.r.buffers.recycle(o.blocks[last])
		o.blocks, o.newest = slices.Delete(o.blocks, last, last+1), nil
		return true
	}
	return false
}

// symbol stores one encoding symbol and, with the last one needed, hands the block
// over.
func (o *rxObject) symbol(m *remote, sbn uint32, esi int, payload []byte) {
	r := m.r
	if o.done.has(sbn) {
		r.stats.Duplicates++
		return
	}
	k, size := o.part.BlockLen(sbn), o.part.SymbolSize()
	if k == 0 || len(payload) > size || esi < k && len(payload) < o.part.SymbolBytes(sbn, esi) ||
		esi >= k+int(o.oti.Parity) && !m.reread(o, k, esi) {
		r.stats.Malformed++
		return
	}
	if esi >= k && o.oti.M == 16 && len(payload)%2 != 0 {
		// NRL's NORM cuts parity off in the midst of an element where the longest source
		// symbol of the block ends: it is of no use, and neither is asking for more.
		r.stats.Malformed++
		if b := o.block(m, sbn); b != nil {
			b.bare = true
		}
		return
	}
	b := o.block(m, sbn)
	switch {
	case b == nil:
		return
	case b.have.has(esi):
		r.stats.Duplicates++
		return
	case esi < k:
		b.addSource(esi, size, payload)
	default:
		b.addParity(esi, size, payload)
	}
	if b.erasures() == 0 {
		o.finishBlock(m, b)
	} else if o.stream != nil && esi < k {
		o.streamSymbol(m, b, esi)
	}
}

// finishBlock recovers what is missing of b and gives it to the owner.
func (o *rxObject) finishBlock(m *remote, b *rxBlock) {
	r := m.r
	if i, ok := o.find(b.sbn); ok {
		o.blocks = slices.Delete(o.blocks, i, i+1)
	}
	o.newest = nil
	if b.n < b.k {
		code, err := r.codes.find(r, &o.oti, b.k)
		if err == nil {
			err = r.decoder.recover(b, o.part.SymbolSize(), code)
		}
		if err != nil {
			r.stats.Undecodable++
			r.buffers.recycle(b)
			return
		}
		r.stats.Recovered += uint64(b.k - b.n)
	}
	if !o.file(r, b.sbn) {
		m.noRoom()
		r.buffers.recycle(b)
		return
	}
	o.doneLen++
	if o.stream != nil {
		o.streamDone(m, b)
		return
	}
	data := b.data[:o.part.BlockBytes(b.sbn)]
	r.events.push(ReceiverEvent{Type: BlockReceived, Key: o.key, Offset: o.part.Offset(b.sbn), Data: data})
	b.data = nil // the owner's until released
	r.buffers.recycle(b)
}

// file notes that a block is done. It returns false when there are too many holes
// for another one.
func (o *rxObject) file(r *Receiver, sbn uint32) bool {
	limit := minDoneRanges
	if r.doneRanges < maxDoneRanges {
		limit = maxDoneRanges
	}
	before := len(o.done.ranges)
	ok := o.done.add(sbn, sbn, limit)
	r.doneRanges += len(o.done.ranges) - before
	return ok
}

// free gives back all memory the object holds.
func (o *rxObject) free(r *Receiver) {
	r.doneRanges -= len(o.done.ranges)
	for _, b := range o.blocks {
		r.buffers.recycle(b)
	}
	o.blocks, o.newest, o.done = nil, nil, blockSet{}
	o.freeStream(r)
}
