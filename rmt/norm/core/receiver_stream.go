package core

import (
	"cmp"
	"slices"
	"time"

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

// firstBlock is the local number of the first block heard of a stream: far enough from
// 0 that earlier ones have numbers too.
const firstBlock = 1 << 20

// An rxStream is the part of an rxObject that is a stream: what was received and is to
// be read.
type rxStream struct {
	ids    numbering
	window uint32 // most blocks between the first and the newest

	// The next symbol to be read. All blocks before low are read or given up;
	// those before lost will not be completed, but read as far as they came.
	low    uint32
	esi    int
	lost   uint32
	newest uint32 // the highest block heard of

	held []*rxBlock // complete or given up, not yet read, ascending

	offset  uint64 // of the next byte
	anchor  bool   // offset is valid: something was read
	gap     bool   // symbols were passed over since
	told    bool   // StreamReadable was emitted and not yet answered by a read to the end
	broken  error  // it goes no further than what is here
	ended   bool   // the end is known
	endAt   position
	started time.Time
}

// startStream makes o a stream whose first block heard is wire number id.
func (o *rxObject) startStream(m *remote, id uint32) {
	k := uint64(o.part.blockLen) * uint64(o.part.symbol-wire.StreamHeaderLen)
	limit := uint64(m.r.cfg.BufferBytes) / 4
	window := max(min(o.oti.TransferLength, limit)/k, minStreamBlocks)
	f, _ := o.oti.PayloadIDFormat()
	t := &rxStream{ids: numberingOf(f), window: uint32(min(window, maxStreamBlocks)), started: m.r.now}
	first := m.r.firstBlock
	t.ids.offset = id - first
	t.low, t.newest = first, first
	if back := id; m.r.cfg.Sync != SyncCurrent && back <= maxStreamBlocks {
		t.low -= back // from the beginning, which the sender may know is gone
	}
	t.lost = t.low
	o.stream = t
	// What was said of the object before had the numbers of the wire.
	start := position{object: o.key.Object, block: first}
	for _, p := range []*position{&m.at, &m.end, &m.nack.limit, &m.nack.confines} {
		if p.object == o.key.Object {
			*p = start
		}
	}
	delete(m.nack.heard, o.key.Object)
	o.done.clear()
	o.file(m.r, 0)
	o.done.ranges[0].hi = t.low - 1
}

// unheard reports whether o is a stream of which only the INFO was heard.
func (o *rxObject) unheard() bool { return o.part.stream() && o.stream == nil }

// yieldHeld gives up the last block that waits to be read behind block sbn, which needs
// its memory more: what comes first is asked for first, and nothing is read before it.
func (o *rxObject) yieldHeld(m *remote, sbn uint32) bool {
	t := o.stream
	if t == nil || len(t.held) == 0 {
		return false
	}
	last := len(t.held) - 1
	b := t.held[last]
	if b.sbn <= sbn || b.sbn < t.lost {
		return false
	}
	t.held[last] = nil
	t.held = t.held[:last]
	before := len(o.done.ranges)
	o.done.remove(b.sbn)
	m.r.doneRanges += len(o.done.ranges) - before
	o.doneLen--
	m.r.buffers.recycle(b)
	return true
}

// streamBuffer returns memory for a block of a stream, within what one stream may hold and
// what all may. A stream that is not read fills its own part; when that of all is full the
// one that holds most gives way.
func (o *rxObject) streamBuffer(m *remote, size int) []byte {
	p := &m.r.buffers
	if o.streamFull(m) {
		return nil
	}
	for {
		if b := p.take(size, true); b != nil {
			return b
		}
		var most *rxObject
		var of *remote
		for _, m := range m.r.order {
			for _, x := range m.objects {
				if x != nil && x != o && x.stream != nil && len(x.stream.held) > minStreamBlocks && (most == nil || x.streamHolds() > most.streamHolds()) {
					most, of = x, m
				}
			}
		}
		if most == nil || most.streamHolds() <= o.streamHolds() {
			return nil
		}
		most.dropTo(of, most.stream.held[0].sbn+1)
	}
}

// streamFull reports whether a stream holds as much as one may, being read too slowly. Then
// nothing more is asked for either: it would stall the sender for everybody.
func (o *rxObject) streamFull(m *remote) bool {
	cost := bufferCost(o.part.blockLen * o.part.symbol)
	held := int64(len(o.stream.held)+len(o.blocks)) * cost
	return held > m.r.buffers.limit/4 && held > minStreamBlocks*cost && len(o.stream.held) > 0
}

// streamHolds returns the bytes of blocks that wait to be read.
func (o *rxObject) streamHolds() int {
	return len(o.stream.held) * o.part.blockLen * o.part.symbol
}

// local returns the local number of a block of o named in a message.
func (o *rxObject) local(id uint32) (uint32, bool) {
	if o.stream == nil {
		return id, true
	}
	return o.stream.ids.local(id, o.stream.newest)
}

// streamBlock prepares for content of a block: the window moves, and what falls out of
// it is given up. It returns false when the block is not to be received.
func (o *rxObject) streamBlock(m *remote, sbn uint32, flags wire.Flags) bool {
	t := o.stream
	switch {
	case sbn < t.low:
		// Packets have overtaken one another while we joined.
		if t.anchor || t.esi > 0 || t.lost > t.low || flags&wire.FlagRepair != 0 ||
			t.low-sbn > minStreamBlocks || m.r.now.Sub(t.started) > max(minInactivity, 2*m.grtt) {
			m.r.stats.Duplicates++
			return false
		}
		o.done.ranges[0].hi = sbn - 1
		t.low, t.lost = sbn, sbn
	case t.ended && sbn > t.endAt.block:
		m.r.stats.Refused++
		return false
	case sbn > t.newest:
		if t.implausible(sbn) {
			m.r.stats.Refused++
			return false
		}
		t.newest = sbn
		if sbn-t.low >= t.window {
			o.giveUpTo(m, sbn-t.window+1)
		}
	}
	return true
}

// implausible reports whether a block is too far ahead of what was heard to be of this
// stream.
func (t *rxStream) implausible(sbn uint32) bool {
	return sbn > t.newest && sbn-t.newest > max(4*t.window, 1<<16)
}

// giveUpTo ends the wait for what is missing before block sbn: it is read with gaps.
func (o *rxObject) giveUpTo(m *remote, sbn uint32) {
	t := o.stream
	if sbn <= t.lost || sbn <= t.low {
		return
	}
	t.lost = sbn
	i, _ := o.find(sbn)
	for _, b := range o.blocks[:i] {
		t.hold(b)
	}
	o.blocks, o.newest = slices.Delete(o.blocks, 0, i), nil
	before := len(o.done.ranges)
	o.done.add(0, sbn-1, maxDoneRanges)
	m.r.doneRanges += len(o.done.ranges) - before
	t.newest = max(t.newest, sbn-1)
	o.readable(m)
}

// breakOff ends a stream that will not be completed. What is here of it can still be read.
func (o *rxObject) breakOff(m *remote, err error) {
	o.giveUpTo(m, o.stream.newest+1)
	o.stream.broken = err
	o.state = received
	if !o.stream.told {
		o.stream.told = true
		m.r.events.push(ReceiverEvent{Type: StreamReadable, Key: o.key})
	}
}

// dropTo forgets what was not read before block sbn.
func (o *rxObject) dropTo(m *remote, sbn uint32) {
	t := o.stream
	for len(t.held) > 0 && t.held[0].sbn < sbn {
		m.r.buffers.recycle(t.held[0])
		t.held[0] = nil
		t.held = t.held[1:]
	}
	if sbn > t.low {
		t.low, t.esi, t.gap = sbn, 0, true
	}
}

func (t *rxStream) hold(b *rxBlock) {
	i, _ := slices.BinarySearchFunc(t.held, b.sbn, func(b *rxBlock, sbn uint32) int { return cmp.Compare(b.sbn, sbn) })
	t.held = slices.Insert(t.held, i, b)
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
			t.low, t.esi, t.gap = t.low+1, 0, true
		default:
			t.gap = true
			o.advance(m, b)
		}
	}
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
		m.r.buffers.recycle(b)
	}
	// Otherwise all its source symbols came and were read one by one, and it has just
	// become complete: finishBlock gives it back.
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
			if at < seg.From {
				r.stats.Malformed++
				o.advance(m, o.reading())
				continue
			}
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

// extend makes a stream offset of its low 32 bits: the one closest to where reading is.
func (t *rxStream) extend(low uint32) uint64 {
	if !t.anchor {
		return uint64(low)
	}
	d := int64(int32(low - uint32(t.offset)))
	if d < 0 && uint64(-d) > t.offset {
		return uint64(low)
	}
	return t.offset + uint64(d)
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
	switch {
	case b.sbn < t.low: // it was read symbol by symbol
		m.r.buffers.recycle(b)
	default:
		t.hold(b)
		o.readable(m)
	}
}

// streamLimit returns the part of a stream that lies before limit: all of the blocks
// before block, and of that one so many symbols.
func (o *rxObject) streamLimit(limit position) (block uint32, symbols int) {
	t := o.stream
	at := limit
	switch {
	case limit.object == o.key.Object:
	case t.ended:
		at = t.endAt
	default:
		// The sender is past a stream whose end we do not know.
		at = position{object: o.key.Object, block: t.newest + 1}
		if o.done.has(t.newest) {
			at.block++
		}
	}
	if t.ended && t.endAt.compare(at) < 0 {
		at = t.endAt
	}
	if int(at.symbol) >= o.part.blockLen {
		return at.block + 1, 0
	}
	return at.block, int(at.symbol)
}

// streamNeed returns the first block of which something is missing before limit.
func (o *rxObject) streamNeed(m *remote, limit position) (uint32, bool) {
	end, symbols := o.streamLimit(limit)
	lo, _ := o.done.nextMissing(0)
	if lo != o.stream.low && o.streamFull(m) {
		return lo, false
	}
	if lo == end && symbols > 0 {
		b := o.begun(lo)
		return lo, b == nil || !b.sourceBefore(symbols)
	}
	return lo, lo < end
}

// handleStream takes content of a stream.
func (m *remote) handleStream(o *rxObject, d *wire.Data) {
	if o.stream == nil {
		o.startStream(m, d.ID.SBN)
	}
	sbn, ok := o.local(d.ID.SBN)
	if ok && sbn >= rebaseAt && sbn-o.stream.newest <= o.stream.window {
		o.rebase(m)
		sbn -= rebaseBy
	}
	if !ok || !o.streamBlock(m, sbn, d.Flags) {
		return
	}
	m.stands(position{d.Object, sbn, d.ID.ESI})
	if back := uint32(m.r.cfg.SilentDelay); m.r.cfg.Silent && sbn > back {
		o.giveUpTo(m, sbn-back)
	}
	o.symbol(m, sbn, int(d.ID.ESI), d.Payload)
	m.finish(o)
}

// streamThrough returns the point that a FLUSH names in a stream, that symbol included.
func (m *remote) streamThrough(o *rxObject, f *wire.Flush) (position, bool) {
	if o.state == receiving && o.stream == nil {
		o.startStream(m, f.ID.SBN)
	}
	if o.stream == nil {
		return position{}, false
	}
	sbn, ok := o.local(f.ID.SBN)
	if !ok || o.state == receiving && !o.streamBlock(m, sbn, 0) && sbn > o.stream.newest {
		return position{}, false
	}
	return position{object: f.Object, block: sbn, symbol: f.ID.ESI + 1}, true
}

// A stream that is at rest is asked about ever more seldom, up to this: its end may have
// been missed. A sender of which nothing at all is heard for goneAfter, not even the
// probes of one at rest, is gone.
const (
	maxStreamSilence = time.Minute
	goneAfter        = 3 * idleProbeInterval
)

// openStream returns the stream at the end of what was heard of a sender, if it has not
// ended; nil else.
func (m *remote) openStream() *rxObject {
	if o := m.object(m.end.object); o != nil && o.stream != nil && o.state == receiving {
		return o
	}
	return nil
}

// askStream asks a silent sender for what may follow in its stream: for one symbol more
// than is known of. It answers with the end, if that is what was missed.
func (m *remote) askStream(now time.Time) {
	o := m.openStream()
	if o == nil {
		return
	}
	if now.Sub(m.heard) >= max(m.inactivity(), goneAfter) {
		m.giveUp(ErrSenderSilent)
		return
	}
	at := position{object: o.key.Object}
	at.block, _ = o.done.nextMissing(0)
	if b := o.begun(at.block); b != nil {
		for b.have.has(int(at.symbol)) {
			at.symbol++
		}
	}
	at.symbol++
	m.at, m.through = at, true
	m.nack.consider(m, at)
	m.wondered++
}

// streamRead reports whether a stream was read up to and including a symbol. That is
// what an acknowledgement says: what waits for a reader may yet be lost to it.
func (o *rxObject) streamRead(sbn uint32, esi int) bool {
	t := o.stream
	return sbn < t.low || sbn == t.low && esi < t.esi
}

// streamHas reports whether all of a stream up to and including a symbol is here.
func (o *rxObject) streamHas(sbn uint32, esi int) bool {
	lo, _ := o.done.nextMissing(0)
	if sbn < lo {
		return true
	}
	if lo < sbn {
		return false
	}
	b := o.begun(sbn)
	return b != nil && b.sourceBefore(esi+1)
}

// streamComplete reports whether the end is known and all before it is here.
func (o *rxObject) streamComplete() bool {
	t := o.stream
	return t.ended && !o.needsInfo() && o.streamHas(t.endAt.block, int(t.endAt.symbol)-1)
}

// rebase keeps the local block numbers small.
func (o *rxObject) rebase(m *remote) {
	const d = rebaseBy
	t := o.stream
	t.ids.rebase(d)
	t.low -= d
	t.lost -= min(t.lost, d)
	t.newest -= d
	if t.ended {
		t.endAt.block -= d
	}
	before := len(o.done.ranges)
	o.done.rebase(d)
	m.r.doneRanges += len(o.done.ranges) - before
	for _, b := range t.held {
		b.sbn -= d
	}
	for _, b := range o.blocks {
		b.sbn -= d
	}
	for _, p := range []*position{&m.at, &m.end, &m.nack.limit, &m.nack.confines} {
		if p.object == o.key.Object {
			p.block -= min(p.block, d)
		}
	}
	delete(m.nack.heard, o.key.Object)
}

// freeStream gives back what was held to be read.
func (o *rxObject) freeStream(r *Receiver) {
	if o.stream == nil {
		return
	}
	for _, b := range o.stream.held {
		r.buffers.recycle(b)
	}
	o.stream.held = nil
}

// squelchStream gives up what the sender no longer keeps of a stream.
func (m *remote) squelchStream(q *wire.Squelch) {
	o := m.object(q.Object)
	if o == nil || o.stream == nil || o.settled() {
		return
	}
	if sbn, ok := o.local(q.ID.SBN); ok && !o.stream.implausible(sbn) {
		o.giveUpTo(m, sbn)
		if to := (position{object: q.Object, block: sbn}); to.compare(m.end) > 0 {
			m.end = to
		}
	}
}
