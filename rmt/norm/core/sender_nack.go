package core

import (
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// handleNack takes in one NACK (RFC 5740 section 5.4.1).
func (s *Sender) handleNack(now time.Time, p *datagram.Packet) {
	var m wire.Nack
	if err := s.codec.ParseNack(p.Data, &m); err != nil {
		s.stats.Malformed++
		return
	}
	if !s.addressed(&m.Feedback) {
		return
	}
	s.stats.Nacks++
	s.heard(now, &m.Feedback, p)
	s.nodes.get(m.Source, now).nacks++
	host := p.Src.Addr()
	var in intake
	in.begin(s, now)
	in.block.symbols = s.asked
	in.left = s.ration.of(s, now, host)
	before := in.left
	for r := range m.Requests.All() {
		in.request(r)
	}
	in.endBlock()
	s.asked = in.block.symbols
	s.ration.take(host, before-in.left)
	if in.cut {
		s.stats.Rationed++
	}
	if in.accepted {
		s.flush.restart()
		s.flush.alive = now
		if s.endgame.running {
			s.flush.ackDue = now // right behind the repairs
		}
		if unicastTo(p) {
			s.adv.ask(now) // the group did not hear this one
		}
		if !in.hold {
			s.repairs.collect(s, now)
		}
	} else if in.late {
		s.stats.LateNacks++
	}
}

// addressed reports whether feedback is for this sender and this run of it.
func (s *Sender) addressed(f *wire.Feedback) bool {
	if f.Server != s.cfg.NodeID || f.InstanceID != s.cfg.InstanceID {
		s.stats.Foreign++
		return false
	}
	return true
}

// An intake sorts the requests of one NACK into the repair sets of the objects.
type intake struct {
	s         *Sender
	now       time.Time
	hold      bool
	at        position
	accepted  bool
	late      bool
	object    *txObject // of the block being counted
	block     blockNeed
	squelched int
	left      int  // symbols that may still be asked for: see ration
	cut       bool // that was not enough
}

func (in *intake) begin(s *Sender, now time.Time) {
	*in = intake{s: s, now: now, hold: now.Before(s.repairs.holdUntil) && !s.repairs.collecting(), at: s.position()}
}

// set returns where requests for o from block sbn on belong: to what is being
// collected or, in the hold-off time, straight to what is being sent if the sender
// has not come to it yet; nil means it is too late.
func (in *intake) set(o *txObject, sbn uint32) *repairSet {
	if !in.hold {
		return &o.want
	}
	if (position{object: o.id, block: sbn}).compare(in.at) > 0 {
		in.s.repairs.some = true
		return &o.repair
	}
	in.late = true
	return nil
}

func (in *intake) request(r wire.Request) {
	if r.First.FEC != in.s.cfg.Encoding && r.Flags&(wire.NackBlock|wire.NackSegment) != 0 {
		return
	}
	if r.Flags&wire.NackObject != 0 {
		in.endBlock()
		in.objects(r.First.Object, r.Last.Object)
		return
	}
	_, o := in.s.find(r.First.Object)
	if o == nil || o.closed || r.First.Object != r.Last.Object {
		in.unknown(r.First.Object)
		return
	}
	if r.Flags&wire.NackInfo != 0 && o.infoSent {
		if set := in.set(o, 0); set != nil {
			set.info = true
			in.took(o)
		}
	}
	if r.Flags&(wire.NackBlock|wire.NackSegment) == 0 {
		return
	}
	lo, hi, ok := in.numbers(o, r.First.ID.SBN, r.Last.ID.SBN)
	switch {
	case !ok:
	case r.Flags&wire.NackBlock != 0, lo != hi:
		in.endBlock()
		in.blocks(o, lo, hi)
	case r.Form == wire.Erasures:
		// The symbol ID is a count (RFC 5740 section 4.3.1).
		k := o.part.BlockLen(lo)
		in.symbols(o, lo, k, k+int(r.First.ID.ESI)-1)
	default:
		in.symbols(o, lo, int(r.First.ID.ESI), int(r.Last.ID.ESI))
	}
}

// numbers returns the local numbers of the blocks of a request. What a stream no
// longer keeps is answered by SQUELCH.
func (in *intake) numbers(o *txObject, first, last uint32) (lo, hi uint32, ok bool) {
	t := o.stream
	if t == nil {
		return first, last, true
	}
	lo, known := t.ids.local(first, o.sbn)
	hi, ok = t.ids.local(last, o.sbn)
	if !known || lo < t.low {
		in.gone(o.id)
		in.s.squelch.stream = o
		lo = t.low
	}
	return lo, hi, ok && lo <= hi
}

func (in *intake) took(o *txObject) {
	in.accepted = true
	o.active = in.now
}

// objects takes a request for whole objects, of which the range may name any number.
func (in *intake) objects(first, last wire.TransportID) {
	s := in.s
	i, _ := s.find(first)
	id := first // the next of the range
	for ; i < len(s.objects) && s.objects[i].id.Sub(last) <= 0; i++ {
		o := s.objects[i]
		if o.id != id || o.closed {
			in.unknown(id)
		}
		if id = o.id + 1; o.closed {
			continue
		}
		if set := in.set(o, 0); set != nil && o.hasInfo && o.infoSent {
			set.info = true
			in.took(o)
		}
		if t := o.stream; t != nil && o.sbn > t.low {
			in.blocks(o, o.sbn-1, o.sbn) // to join in, not the whole buffer
			continue
		}
		in.blocks(o, 0, ^uint32(0))
	}
	if id.Sub(last) <= 0 {
		in.unknown(id)
	}
}

// unknown answers for an object that is no longer, or not yet, there.
func (in *intake) unknown(id wire.TransportID) {
	if id.Sub(in.s.nextID) < 0 {
		in.gone(id)
	}
}

// gone has SQUELCH say what is no longer to be had.
func (in *intake) gone(id wire.TransportID) {
	if in.squelched == 0 {
		in.squelched++
		in.s.squelch.ask(in.now, id)
	}
}

// blocks takes a request for whole blocks, as far as they were sent.
func (in *intake) blocks(o *txObject, lo, hi uint32) {
	sent := o.sbn // the block the first pass is in, or the one after the last
	if o.stream != nil {
		lo = max(lo, o.stream.low)
		if n := o.sourceSent(sent); n > 0 && lo <= sent && sent <= hi {
			in.symbols(o, sent, 0, n-1) // all there is of it for now
			in.endBlock()
		}
	}
	if sent == 0 {
		return
	}
	hi = min(hi, sent-1)
	if lo > hi {
		return
	}
	if in.hold && in.at.object == o.id && lo <= in.at.block && in.at.block < hi {
		lo = in.at.block + 1 // the rest of it is still ahead
	}
	set := in.set(o, lo)
	if set == nil {
		return
	}
	if !set.whole.hasRange(lo, hi) {
		k := max(o.part.BlockLen(lo), 1)
		if most := in.left / k; uint64(most) <= uint64(hi-lo) {
			if in.cut = true; most == 0 {
				return
			}
			hi = lo + uint32(most) - 1
		}
		in.left -= int(hi-lo+1) * k
	}
	if set.whole.add(lo, hi, maxRepairRanges) {
		o.touch(in.now, lo)
		in.took(o)
	}
}

// symbols takes a request for symbols lo to hi of one block. Requests for one
// block stand together in a NACK, and count together.
func (in *intake) symbols(o *txObject, sbn uint32, lo, hi int) {
	k := o.part.BlockLen(sbn)
	hi = min(hi, k+int(o.oti.Parity)-1)
	if t := o.stream; t != nil && !t.ended && o.sourceSent(sbn) < k {
		hi = min(hi, o.sourceSent(sbn)-1) // who asks for more wonders whether there is more
	}
	if lo > hi || k == 0 || (position{o.id, sbn, 0}).compare(o.position()) >= 0 {
		return
	}
	if in.object != o || in.block.sbn != sbn {
		in.endBlock()
		in.object = o
		in.block.reset(sbn)
		o.touch(in.now, sbn)
	}
	in.block.symbols.addRange(lo, hi)
}

// endBlock files the block being counted.
func (in *intake) endBlock() {
	o := in.object
	if o == nil {
		return
	}
	in.object = nil
	in.block.count = in.block.symbols.len()
	if set := in.set(o, in.block.sbn); set != nil {
		more := max(in.block.count-set.asked(in.block.sbn), 0)
		if more > in.left {
			in.cut = true
			return
		}
		in.left -= more
		set.addNeed(&in.block)
		in.took(o)
	}
}
