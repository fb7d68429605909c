package core

import (
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// suppressGroup is the advertised group size from which a unicast NACK with a late
// place in the back-off is not sent at all. RFC 5740 section 5.3 asks for it in
// source-specific groups of any size, against implosion; in a group of a few it
// would cost most NACK cycles and protect nobody.
const suppressGroup = 1000

// maxOverheard bounds the objects of which others' requests are remembered.
const maxOverheard = 64

type nackPhase uint8

const (
	nackIdle nackPhase = iota
	nackBackoff
	nackHoldoff
)

// A nackState is the repair cycle of RFC 5740 section 5.3 for one sender: back off,
// ask unless others have, hold off.
type nackState struct {
	phase nackPhase
	until time.Time
	asked time.Time // when the hold-off began
	limit position  // how far the sender was when the back-off began
	heard map[wire.TransportID]*repairSet
	need  blockNeed // scratch of listen

	// The end of a list of repairs that was too long for its message: there may
	// be more behind it, so nothing behind it is asked for in this cycle.
	confined bool
	confines position

	passed int // cycles let pass in silence, one after the other

	// How many cycles, whether we spoke or kept silent because others had, began and
	// ended with the same thing missing first.
	vain   int
	vainAt position

	messages [][]byte // requests waiting to be sent, one slice a message
	head     int
}

func (n *nackState) next() time.Time {
	if n.phase == nackIdle {
		return time.Time{}
	}
	return n.until
}

func (n *nackState) ready() bool { return n.head < len(n.messages) }

func (n *nackState) stop() {
	n.phase = nackIdle
	n.messages, n.head = n.messages[:0], 0
}

// consider begins a cycle if something before limit is missing. It returns false if
// this cycle is let pass in silence.
func (n *nackState) consider(m *remote, limit position) bool {
	if n.phase != nackIdle || m.r.cfg.Silent {
		return true
	}
	if _, need := m.earliestNeed(limit); !need {
		n.passed = 0
		return true
	}
	// After each cycle let pass the group is taken for half as large: if it were
	// what it is said to be, somebody would have spoken.
	group := max(m.groupSize/float64(uint64(1)<<min(n.passed, 63)), 1)
	wait := randomBackoff(m.r.cfg.Rand, time.Duration(m.backoff)*m.grtt, group)
	clear(n.heard)
	n.confined = false
	n.limit = limit
	if m.r.cfg.Unicast && m.groupSize >= suppressGroup && m.backoff > 1 && wait > time.Duration(m.backoff-1)*m.grtt {
		n.passed++
		n.hold(m, m.r.now)
		return false
	}
	n.passed = 0
	n.phase, n.until = nackBackoff, m.r.now.Add(wait)
	return true
}

// Of what is asked for in vain: after quietCycles we no longer keep silent because others
// ask for it, who may not be who they say; after patientCycles there are no less than
// vainPause between two cycles, however short a round trip the sender says there is.
const (
	quietCycles   = 2
	patientCycles = 4
	vainPause     = 10 * time.Millisecond
)

// hold begins the hold-off: the sender's worst-case time to answer.
func (n *nackState) hold(m *remote, now time.Time) {
	wait := time.Duration(m.backoff+2) * m.grtt
	if n.vain > patientCycles {
		wait = max(wait, vainPause)
	}
	n.phase, n.until, n.asked = nackHoldoff, now.Add(wait), now
}

// flushed ends the hold-off at a FLUSH that was sent after the last requests had come:
// its sender has acted on them and has nothing more to send, so what is missing now was
// lost. That is only so sure where nobody is to back off; else others' requests may be
// on their way.
func (n *nackState) flushed(m *remote) {
	// Round-trip times are rounded up on the wire.
	if n.phase == nackHoldoff && m.backoff == 0 && m.r.now.Sub(n.asked) >= m.grtt-m.grtt/8 {
		n.phase = nackIdle
	}
}

func (n *nackState) advance(m *remote, now time.Time) {
	if n.phase == nackIdle || now.Before(n.until) {
		return
	}
	if n.phase == nackHoldoff {
		n.phase = nackIdle
		return
	}
	// Ask up to where the sender is now. It may have gone back to repair in the
	// meantime: ask for nothing it is about to come to (condition 1 of RFC 5740
	// section 5.3).
	limit := m.limit()
	if n.confined && n.confines.compare(limit) < 0 {
		limit = n.confines
	}
	at, need := m.earliestNeed(limit)
	if !need && !n.confined {
		// Or is it kept where it is, by somebody who asks for what is before?
		if at, need = m.earliestNeed(n.limit); need && n.vain > quietCycles {
			limit = n.limit
		}
	}
	if need && at == n.vainAt {
		n.vain++
	} else {
		n.vain, n.vainAt = 0, at
	}
	_, need = m.earliestNeed(limit)
	n.hold(m, now)
	if !need {
		return
	}
	if !n.build(m, limit) {
		m.r.stats.Suppressed++
	}
}

// earliestNeed returns the first thing missing before limit.
func (m *remote) earliestNeed(limit position) (position, bool) {
	for i := m.firstOpen(); i < len(m.objects); i++ {
		id := m.base + wire.TransportID(i)
		if id.Sub(limit.object) > 0 {
			break
		}
		o := m.objects[i]
		if o != nil && o.settled() {
			continue
		}
		at := position{object: id}
		switch {
		case o == nil || !o.known || o.needsInfo() || o.unheard():
			if id != limit.object || limit.block > 0 {
				return at, true
			}
		case m.held(o):
		case o.part.stream():
			if sbn, need := o.streamNeed(m, limit); need {
				at.block = sbn
				return at, true
			}
		default:
			at.block, _ = o.done.nextMissing(0)
			if uint64(at.block) < o.part.Blocks() && at.compare(limit) < 0 {
				return at, true
			}
		}
	}
	return position{}, false
}

// firstOpen returns the index of the first object in the window that is not
// settled. Objects do not come back from that, so it only goes on.
func (m *remote) firstOpen() int {
	for m.over < len(m.objects) && m.objects[m.over] != nil && m.objects[m.over].settled() {
		m.over++
	}
	return m.over
}

// A nackBuilder writes requests into as many messages as are allowed, and notes
// whether any of them was not yet made by somebody else.
type nackBuilder struct {
	m    *remote
	rb   wire.RequestBuilder
	c    wire.Codec
	used int
	full bool
	news bool

	// What is asked for must find room here: the buffers that are free or held
	// by blocks of this sender, which yield to earlier ones.
	room  int64
	asked int64 // blocks
	last  bool  // there is no room for more
}

// build writes the NACK for all that is missing before limit. It returns false,
// with nothing to send, when others have asked for all of it that was missing when
// the back-off began (condition 2 of RFC 5740 section 5.3). What became due since is
// no reason to speak: if it were, a fast sender's receivers would never be
// suppressed.
func (n *nackState) build(m *remote, limit position) bool {
	n.messages, n.head = n.messages[:0], 0
	b := nackBuilder{m: m, c: m.r.codec, room: m.room()}
	b.open(n)
	for i := m.firstOpen(); i < len(m.objects) && !b.full && !b.last; i++ {
		id := m.base + wire.TransportID(i)
		d := id.Sub(limit.object)
		if d > 0 || d == 0 && limit.block == 0 && limit.symbol == 0 {
			break
		}
		o, heard := m.objects[i], n.heard[id]
		if o != nil && o.settled() {
			continue
		}
		b.c.M = m.codecFor(id).M
		b.rb.SetCodec(b.c)
		late := !n.due(id, 0)
		if o == nil || !o.known || o.unheard() {
			b.add(n, late || heard != nil && heard.whole.hasRange(0, ^uint32(0)), wire.NackObject, m.item(id, nil, 0, 0), m.item(id, nil, 0, 0))
			continue
		}
		if o.needsInfo() {
			b.add(n, late || heard != nil && heard.info, wire.NackInfo, m.item(id, o, 0, 0), m.item(id, o, 0, 0))
		}
		if m.held(o) {
			continue
		}
		if o.part.stream() {
			if _, need := o.streamNeed(m, limit); !need {
				continue
			}
			b.stream(n, o, heard, limit)
			continue
		}
		if o.part.Blocks() == 0 {
			continue
		}
		end := uint32(o.part.Blocks() - 1)
		if d == 0 {
			end = min(end, limit.block-1)
		}
		b.blocks(n, o, heard, end)
	}
	b.close(n)
	b.news = b.news || n.vain > quietCycles && b.used > 0
	if !b.news {
		n.messages = n.messages[:0]
	}
	return b.news
}

// room returns the memory that there is for blocks of this sender.
func (m *remote) room() int64 {
	p := &m.r.buffers
	return p.limit - p.inUse + m.holds
}

// due reports whether the sender had passed a block when the back-off began.
func (n *nackState) due(id wire.TransportID, sbn uint32) bool {
	return position{object: id, block: sbn}.compare(n.limit) < 0
}

// blocks requests what is missing of an object's blocks up to end: runs of blocks
// of which nothing is here as such, the others by symbol.
func (b *nackBuilder) blocks(n *nackState, o *rxObject, heard *repairSet, end uint32) {
	m, id := b.m, o.key.Object
	partial := o.blocks
	for at := uint32(0); !b.full && !b.last; {
		lo, hi := o.done.nextMissing(at)
		hi = min(hi, end)
		if lo > end || lo > hi {
			return
		}
		for len(partial) > 0 && partial[0].sbn < lo {
			partial = partial[1:]
		}
		if len(partial) > 0 && partial[0].sbn == lo {
			hi = b.take(o, lo, lo)
			b.symbols(n, o, heard, partial[0])
		} else {
			if len(partial) > 0 {
				hi = min(hi, partial[0].sbn-1)
			}
			hi = b.take(o, lo, hi)
			covered := !n.due(id, lo)
			if !covered && heard != nil {
				last := hi
				if id == n.limit.object {
					last = min(last, n.limit.block-1)
				}
				covered = heard.whole.hasRange(lo, last)
			}
			b.add(n, covered, wire.NackBlock, m.item(id, o, lo, 0), m.item(id, o, hi, 0))
		}
		if hi == end {
			return
		}
		at = hi + 1
	}
}

// minAsk is how many blocks are asked for even if there is no room for all at a time.
// They come one after the other, and one that comes whole needs its buffer only
// until it is stored.
const minAsk = 16

// stream requests what is missing of a stream before limit. Of a block that the sender
// has not completed only source symbols are asked for (RFC 5740 section 4.2.3.1).
func (b *nackBuilder) stream(n *nackState, o *rxObject, heard *repairSet, limit position) {
	end, symbols := o.streamLimit(limit)
	if lo, _ := o.done.nextMissing(0); lo < end {
		b.blocks(n, o, heard, end-1)
	}
	if symbols == 0 || b.full || b.last || o.done.has(end) {
		return
	}
	want := &b.m.r.want
	want.clear()
	want.addRange(0, symbols-1)
	if blk := o.begun(end); blk != nil {
		want.remove(&blk.have)
	}
	covered := heard != nil && heard.covers(end, want)
	b.ranges(n, o, end, want, covered)
}

// take takes account of the memory for as many of the blocks lo to hi as there is
// room for, and returns the last of them.
func (b *nackBuilder) take(o *rxObject, lo, hi uint32) uint32 {
	each := bufferCost(o.part.BlockLen(lo) * o.part.SymbolSize())
	n := max(b.room/each, minAsk-b.asked, 1)
	if uint64(n) <= uint64(hi-lo) {
		hi = lo + uint32(n) - 1
	}
	n = int64(hi-lo) + 1
	b.room -= each * n
	b.asked += n
	b.last = b.room < each && b.asked >= minAsk
	return hi
}

func (b *nackBuilder) symbols(n *nackState, o *rxObject, heard *repairSet, blk *rxBlock) {
	id := o.key.Object
	want := &b.m.r.want
	parity := int(o.oti.Parity)
	if blk.bare {
		parity = 0
	}
	blk.wanted(want, parity)
	covered := !n.due(id, blk.sbn)
	covered = covered || heard != nil && heard.covers(blk.sbn, want)
	b.ranges(n, o, blk.sbn, want, covered)
}

// ranges requests symbols of one block.
func (b *nackBuilder) ranges(n *nackState, o *rxObject, sbn uint32, want *symbolSet, covered bool) {
	id := o.key.Object
	for lo := want.next(0); lo >= 0 && !b.full; {
		hi := want.gap(lo) - 1
		b.add(n, covered, wire.NackSegment, b.m.item(id, o, sbn, lo), b.m.item(id, o, sbn, hi))
		lo = want.next(hi + 1)
	}
}

func (b *nackBuilder) open(n *nackState) {
	var buf []byte
	if i := b.used; i < cap(n.messages) {
		buf = n.messages[:i+1][i][:0]
	}
	b.rb.Reset(buf, b.m.segmentSize(), b.c)
}

func (b *nackBuilder) close(n *nackState) {
	if b.rb.Len() > 0 {
		n.messages = append(n.messages, b.rb.Bytes())
		b.used++
	}
}

func (b *nackBuilder) add(n *nackState, covered bool, flags wire.NackFlags, first, last wire.Item) {
	b.news = b.news || !covered
	if b.rb.Add(flags, first, last) {
		return
	}
	b.close(n)
	if b.used >= b.m.r.cfg.MaxNackMessages {
		b.full = true
		b.rb.Reset(nil, 0, b.c)
		return
	}
	b.open(n)
	b.full = !b.rb.Add(flags, first, last)
}

// segmentSize bounds a NACK's content: the sender's, as far as one knows it.
func (m *remote) segmentSize() int {
	for _, o := range m.objects {
		if o != nil && o.known {
			return max(int(o.oti.SymbolSize), 64)
		}
	}
	return 512
}

// item names a symbol in the layout the sender uses.
func (m *remote) item(id wire.TransportID, o *rxObject, sbn uint32, esi int) wire.Item {
	it := wire.Item{FEC: m.fec, Object: id, ID: fec.PayloadID{SBN: sbn, ESI: uint32(esi)}}
	if o != nil {
		it.FEC = o.oti.EncodingID
		if o.stream != nil {
			it.ID.SBN = o.stream.ids.wire(sbn)
		}
		if it.FEC == fec.SmallBlockSystematic {
			it.ID.SourceBlockLen = uint16(o.part.BlockLen(sbn))
		}
	}
	return it
}

func (n *nackState) transmit(m *remote, now time.Time, p *datagram.Packet) bool {
	if !n.ready() {
		return false
	}
	msg := wire.Nack{Feedback: m.feedback(now), Requests: m.r.codec.Requests(n.messages[n.head])}
	p.Data, _ = m.r.codec.AppendNack(p.Data[:0], &msg)
	n.head++
	m.r.stats.Nacks++
	m.cc.spoke(m, now)
	return true
}

// confine takes in the farthest position of a REPAIR_ADV of maximum size (RFC 5740
// section 5.4.4).
func (n *nackState) confine(m *remote, q wire.Requests) {
	if n.phase != nackBackoff {
		return
	}
	for r := range q.All() {
		to := position{object: r.Last.Object}
		last, ok := m.local(r.Last)
		switch {
		case r.Flags&wire.NackObject != 0:
			to.object++
		case r.Flags&(wire.NackBlock|wire.NackSegment) != 0 && ok && last < ^uint32(0):
			to.block = last + 1
		}
		if !n.confined || to.compare(n.confines) > 0 {
			n.confined, n.confines = true, to
		}
	}
}

// local returns the local number of the block that a request names.
func (m *remote) local(it wire.Item) (uint32, bool) {
	if o := m.object(it.Object); o != nil {
		return o.local(it.ID.SBN)
	}
	return it.ID.SBN, true
}

// listen notes what others ask for while backing off, of what is missing here too.
func (n *nackState) listen(m *remote, q wire.Requests) {
	if n.phase != nackBackoff {
		return
	}
	for r := range q.All() {
		id := r.First.Object
		i := id.Sub(m.base)
		if i < 0 || i >= len(m.objects) {
			continue
		}
		o := m.objects[i]
		if o != nil && o.settled() {
			continue
		}
		set := n.heard[id]
		if set == nil {
			if len(n.heard) >= maxOverheard {
				continue
			}
			if n.heard == nil {
				n.heard = make(map[wire.TransportID]*repairSet)
			}
			set = new(repairSet)
			n.heard[id] = set
		}
		if r.Flags&wire.NackInfo != 0 {
			set.info = true
		}
		switch {
		case r.Flags&wire.NackObject != 0:
			set.info = true
			set.whole.add(0, ^uint32(0), maxRepairRanges)
		case r.Flags&wire.NackBlock != 0:
			first, ok := m.local(r.First)
			if last, also := m.local(r.Last); ok && also && first <= last {
				set.whole.add(first, last, maxRepairRanges)
			}
		case r.Flags&wire.NackSegment != 0 && r.Form != wire.Erasures && r.First.ID.SBN == r.Last.ID.SBN:
			sbn, ok := m.local(r.First)
			if !ok || o == nil || o.begun(sbn) == nil {
				continue // of no use: nothing of this block is here, or all of it
			}
			lo, hi := int(r.First.ID.ESI), min(int(r.Last.ID.ESI), maxSymbols-1)
			if lo <= hi {
				n.need.reset(sbn)
				n.need.symbols.addRange(lo, hi)
				set.addNeed(&n.need)
			}
		}
	}
}
