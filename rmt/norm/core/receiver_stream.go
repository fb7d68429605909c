package core

import (
	"cmp"
	"slices"
	"time"

	"github.com/gomulticast/multicast/rmt/norm/wire"
)

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

// stuck reports whether a stream holds blocks that cannot be read before an earlier one has come.
func (o *rxObject) stuck() bool {
	t := o.stream
	return t != nil && len(t.held) > 0 && t.held[0].sbn != t.low
}

// streamBuffer returns memory for a block of a stream, within what one stream may hold and
// what all may. A stream that is not read fills its own part; when that of all is full the
// one that holds most gives way.
func (o *rxObject) streamBuffer(m *remote, size int) []byte {
	p := &m.r.buffers
	if o.streamFull(m) {
		return nil
	}
	// To look for it takes time, and blocks given up may be far smaller than this one.
	for range maxGivenUp {
		b := p.take(size, true)
		if b != nil || m.r.now.Before(m.r.squeezed) {
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
			break
		}
		most.dropTo(of, most.stream.held[0].sbn+1)
	}
	m.r.squeezed = m.r.now.Add(squeezePause)
	return p.take(size, true)
}

// How many blocks of others are given up for one, and how long after that was in vain it
// is not tried again: whoever forges streams must not keep us looking.
const (
	maxGivenUp   = 8
	squeezePause = 10 * time.Millisecond
)

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
		first := &o.done.ranges[0]
		have := first.hi
		if first.hi = sbn - 1; have >= t.low { // some of it is here
			before := len(o.done.ranges)
			o.done.add(t.low, have, maxDoneRanges)
			m.r.doneRanges += len(o.done.ranges) - before
		}
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
	o.fileTo(m, sbn-1)
	t.newest = max(t.newest, sbn-1)
	o.readable(m)
}

// fileTo notes that nothing more is wanted of the blocks up to sbn.
func (o *rxObject) fileTo(m *remote, sbn uint32) {
	before := len(o.done.ranges)
	o.done.add(0, sbn, maxDoneRanges)
	m.r.doneRanges += len(o.done.ranges) - before
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

// dropTo forgets what was not read before block sbn, and no longer waits for what is missing of it.
func (o *rxObject) dropTo(m *remote, sbn uint32) {
	t := o.stream
	o.giveUpTo(m, sbn)
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
	b.uncounted()
	i, _ := slices.BinarySearchFunc(t.held, b.sbn, func(b *rxBlock, sbn uint32) int { return cmp.Compare(b.sbn, sbn) })
	t.held = slices.Insert(t.held, i, b)
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

// rebase keeps the local block numbers small.
func (o *rxObject) rebase(m *remote) {
	const d = rebaseBy
	t := o.stream
	o.dropTo(m, d) // if nobody reads it
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
