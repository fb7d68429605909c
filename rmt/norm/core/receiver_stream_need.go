package core

import (
	"time"

	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// unheard reports whether o is a stream of which only the INFO was heard.
func (o *rxObject) unheard() bool { return o.part.stream() && o.stream == nil }

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
		at.symbol = uint32(b.have.gap(0))
	}
	at.symbol++
	m.at, m.through = at, true
	m.nack.consider(m, at)
	m.wondered++
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
