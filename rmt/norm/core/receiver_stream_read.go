package core

import (
	"slices"

	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A StreamSegment is a piece of a stream, in order, or the end or a gap of it.
type StreamSegment struct {
	// Offset is the position of Data in the stream; of a gap, where it ends.
	Offset uint64
	// Data is the receiver's until its next method is called.
	Data []byte
	// Message is where in Data an application message begins, -1 for nowhere.
	Message int
	// Lost says that the bytes from From up to Offset will not come. Data is
	// empty.
	Lost bool
	From uint64
	// End says that the stream is complete.
	End bool
}

// reading returns the block that is read next, nil if nothing of it is here.
func (o *rxObject) reading() *rxBlock {
	t := o.stream
	if len(t.held) > 0 && t.held[0].sbn == t.low {
		return t.held[0]
	}
	if len(o.blocks) > 0 && o.blocks[0].sbn == t.low {
		return o.blocks[0]
	}
	return nil
}

// skip moves the point of reading over what will not come. It returns the symbol to be
// read, nil if there is none for now.
func (o *rxObject) skip(m *remote) []byte {
	t := o.stream
	for {
		b := o.reading()
		size := o.part.SymbolSize()
		switch {
		case b != nil && t.esi < b.k && b.have.has(t.esi):
			return b.data[t.esi*size : (t.esi+1)*size]
		case t.low >= t.lost:
			return nil
		case b == nil:
			t.low, t.esi, t.gap = t.next(), 0, true
		default:
			t.gap = true
			if n := b.have.next(t.esi); n >= 0 && n < b.k {
				t.esi = n
				continue
			}
			t.esi = b.k - 1
			o.advance(m, b)
		}
	}
}

// next returns the first block given up of which something is here, or where those given up
// end: there may be any number between.
func (t *rxStream) next() uint32 {
	if len(t.held) > 0 {
		return min(t.held[0].sbn, t.lost)
	}
	return t.lost
}

// advance moves the point of reading on by a symbol of block b, which is given back
// behind its last one.
func (o *rxObject) advance(m *remote, b *rxBlock) {
	t := o.stream
	if t.esi++; t.esi < b.k {
		return
	}
	t.low, t.esi = t.low+1, 0
	if len(t.held) > 0 && t.held[0] == b {
		t.held[0] = nil
		t.held = t.held[1:]
	} else {
		// The last of it has come, but not all: its first symbols were read before it lost its
		// memory to another block, and nobody needs them again.
		o.blocks, o.newest = slices.Delete(o.blocks, 0, 1), nil
		o.fileTo(m, b.sbn)
	}
	m.r.buffers.recycle(b)
}

// readable tells the owner that there is something to read, once.
func (o *rxObject) readable(m *remote) {
	t := o.stream
	if t.told || o.state >= stored {
		return
	}
	if b := o.reading(); b != nil && b.have.has(t.esi) || t.low < t.lost {
		t.told = true
		m.r.events.push(ReceiverEvent{Type: StreamReadable, Key: o.key})
	}
}

// ReadStream returns the next piece of a stream. When it returns false a StreamReadable
// event follows as soon as there is more; so whoever was told of a stream reads it to
// that point, now or later. What is not read is kept, up to a
// quarter of ReceiverConfig.BufferBytes; beyond that what is new finds no room, and is lost
// when the sender no longer keeps it. Other objects are not held up by it.
func (r *Receiver) ReadStream(key ObjectKey) (StreamSegment, bool) {
	m := r.senders[key.Sender]
	if m == nil || m.instance != key.Instance {
		return StreamSegment{}, false
	}
	o := m.object(key.Object)
	if o == nil || o.stream == nil || o.state >= stored {
		return StreamSegment{}, false
	}
	t := o.stream
	for {
		sym := o.skip(m)
		if sym == nil {
			if t.told = false; t.broken != nil {
				m.settle(o, failed)
				r.events.push(ReceiverEvent{Type: ObjectAborted, Key: key, Err: t.broken})
			}
			return StreamSegment{}, false
		}
		h, data, err := wire.ParseStreamHeader(sym)
		if err != nil {
			r.stats.Malformed++
			t.gap = true
			o.advance(m, o.reading())
			continue
		}
		at := t.extend(h.Offset)
		if t.anchor && at != t.offset {
			// Also without symbols missing: a sender may skip what it never sent.
			seg := StreamSegment{Offset: at, Lost: true, From: t.offset, Message: -1}
			t.gap, t.offset = false, at
			return seg, true
		}
		b := o.reading()
		if code, ok := h.Control(); ok {
			if code == wire.StreamEnd && o.needsInfo() && t.broken == nil {
				t.told = false // the end waits for it
				return StreamSegment{}, false
			}
			t.anchor, t.gap, t.offset = true, false, at
			o.advance(m, b)
			if code != wire.StreamEnd {
				continue // codes of later extensions
			}
			m.settle(o, stored)
			return StreamSegment{Offset: at, Message: -1, End: true}, true
		}
		t.anchor, t.gap, t.offset = true, false, at+uint64(h.Len)
		seg := StreamSegment{Offset: at, Data: data, Message: -1}
		if i, ok := h.Message(); ok {
			seg.Message = i
		}
		o.advance(m, b)
		return seg, true
	}
}

// extend makes a stream offset of its low 32 bits: the next one from where reading is, for
// symbols are read in order, and much may be lost between two of them. A reader would never
// get over one that goes back.
func (t *rxStream) extend(low uint32) uint64 {
	if !t.anchor {
		return uint64(low)
	}
	return t.offset + uint64(low-uint32(t.offset))
}

// streamSymbol gives what has come to the reader: a source symbol of a block that is not
// complete may be its turn.
func (o *rxObject) streamSymbol(m *remote, b *rxBlock, esi int) {
	if b.sbn == o.stream.low && esi == o.stream.esi {
		o.readable(m)
	}
	o.learnEnd(m, b, esi)
}

// learnEnd takes note of the end of the stream as soon as it is here: nothing behind it
// is to be asked for.
func (o *rxObject) learnEnd(m *remote, b *rxBlock, esi int) {
	t, size := o.stream, o.part.SymbolSize()
	sym := b.data[esi*size : (esi+1)*size]
	if t.ended || sym[0]|sym[1]|sym[2]|sym[3] != 0 { // payload_len 0, code 0
		return
	}
	t.ended = true
	t.endAt = position{object: o.key.Object, block: b.sbn, symbol: uint32(esi) + 1}
}

// streamDone takes a block that is complete.
func (o *rxObject) streamDone(m *remote, b *rxBlock) {
	t := o.stream
	b.have.addRange(0, b.k-1)
	if !t.ended && b.sbn == t.newest {
		for esi := range b.k {
			o.learnEnd(m, b, esi)
		}
	}
	t.hold(b)
	o.readable(m)
}

// streamRead reports whether a stream was read up to and including a symbol. That is
// what an acknowledgement says: what waits for a reader may yet be lost to it.
func (o *rxObject) streamRead(sbn uint32, esi int) bool {
	t := o.stream
	return sbn < t.low || sbn == t.low && esi < t.esi
}
