package core

import (
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// maxDoneRanges bounds the holes an object may have behind its newest block.
const maxDoneRanges = 65536

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
	oti      fec.OTI
	part     fec.Partition
	haveInfo bool

	done    blockSet
	doneLen uint64
	blocks  map[uint32]*rxBlock
	newest  *rxBlock // looked up last
	codes   [2]struct {
		k    int
		code fec.Code
	}
}

func (o *rxObject) settled() bool { return o.state >= received }

// needsInfo reports whether a NORM_INFO is announced and missing.
func (o *rxObject) needsInfo() bool { return o.flags&wire.FlagInfo != 0 && !o.haveInfo }

func (o *rxObject) complete() bool {
	return o.known && o.doneLen == o.part.Blocks() && !o.needsInfo()
}

// learn takes in the object's FEC parameters. It returns an error when this
// receiver cannot do with them.
func (o *rxObject) learn(r *Receiver, oti *fec.OTI) error {
	if o.known {
		return nil
	}
	part, err := oti.Partition()
	if err != nil {
		return err
	}
	k := part.BlockLen(0)
	if k+int(oti.Parity) > maxSymbols || int64(k)*int64(oti.SymbolSize) > r.cfg.BufferBytes/4 {
		return fec.ErrCodeSize
	}
	scheme, err := r.cfg.Scheme(oti.EncodingID)
	if err != nil {
		return err
	}
	// The partition has blocks of at most two lengths: the first's, the last's.
	for i, k := range [2]int{k, part.BlockLen(uint32(max(part.Blocks(), 1) - 1))} {
		if k == 0 {
			continue
		}
		code, err := scheme.NewCode(oti, k)
		if err != nil {
			return err
		}
		o.codes[i].k, o.codes[i].code = k, code
	}
	o.oti, o.part, o.known = *oti, part, true
	o.blocks = make(map[uint32]*rxBlock)
	return nil
}

func (o *rxObject) code(k int) fec.Code {
	if o.codes[0].k == k {
		return o.codes[0].code
	}
	return o.codes[1].code
}

// block returns the record of a block not done, making one if memory allows.
func (o *rxObject) block(r *Receiver, sbn uint32) *rxBlock {
	if b := o.newest; b != nil && b.sbn == sbn {
		return b
	}
	b := o.blocks[sbn]
	if b == nil {
		k := o.part.BlockLen(sbn)
		data := r.buffers.get(k * o.part.SymbolSize())
		if data == nil {
			r.stats.NoBuffer++
			return nil
		}
		b = r.buffers.block()
		b.sbn, b.k, b.data = sbn, k, data
		o.blocks[sbn] = b
	}
	o.newest = b
	return b
}

// symbol stores one encoding symbol and, with the last one needed, hands the block
// over.
func (o *rxObject) symbol(r *Receiver, sbn uint32, esi int, payload []byte) {
	if o.done.has(sbn) {
		r.stats.Duplicates++
		return
	}
	k, size := o.part.BlockLen(sbn), o.part.SymbolSize()
	if k == 0 || esi >= k+int(o.oti.Parity) || len(payload) > size ||
		esi < k && len(payload) < o.part.SymbolBytes(sbn, esi) {
		r.stats.Malformed++
		return
	}
	b := o.block(r, sbn)
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
		o.finishBlock(r, b)
	}
}

// finishBlock recovers what is missing of b and gives it to the owner.
func (o *rxObject) finishBlock(r *Receiver, b *rxBlock) {
	delete(o.blocks, b.sbn)
	o.newest = nil
	if b.n < b.k {
		if err := r.decoder.recover(b, o.part.SymbolSize(), o.code(b.k)); err != nil {
			r.stats.Undecodable++
			r.buffers.recycle(b)
			return
		}
		r.stats.Recovered += uint64(b.k - b.n)
	}
	if !o.done.add(b.sbn, b.sbn, maxDoneRanges) {
		r.stats.NoBuffer++
		r.buffers.recycle(b)
		return
	}
	o.doneLen++
	data := b.data[:o.part.BlockBytes(b.sbn)]
	r.events.push(ReceiverEvent{Type: BlockReceived, Key: o.key, Offset: o.part.Offset(b.sbn), Data: data})
	b.data = nil // the owner's until released
	r.buffers.recycle(b)
}

// free gives back all memory the object holds.
func (o *rxObject) free(r *Receiver) {
	for _, b := range o.blocks {
		r.buffers.recycle(b)
	}
	o.blocks, o.newest, o.done = nil, nil, blockSet{}
}
