package core

import (
	"fmt"
	"slices"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A flushState asks the group what it lacks when there is nothing left to send
// (RFC 5740 section 4.2.3.1), and chosen receivers to confirm what they have
// (section 5.5.3).
type flushState struct {
	running  bool
	complete bool // RobustFactor times without an answer
	sent     int
	due      time.Time

	// The watermark: the object being confirmed, oldest first.
	object   *txObject
	attempts int
	ackDue   time.Time
	alive    time.Time // last confirmation, or NACK that was accepted
	rotate   int
}

func (f *flushState) stop() { f.running, f.complete = false, false }

// restart begins anew when a NACK came (RFC 5740 section 4.2.3.1).
func (f *flushState) restart() {
	f.stop()
	f.attempts = 0
}

func (f *flushState) next() time.Time {
	var next time.Time
	if f.running {
		next = f.due
	}
	if o := f.object; o != nil && !o.busy() {
		next = engine.Earliest(next, f.ackDue)
	}
	return next
}

func (f *flushState) advance(s *Sender, now time.Time) {
	f.begin(s, now)
	f.watch(s, now)
}

// begin starts to flush when there is nothing left to send, and stops when there
// is again.
func (f *flushState) begin(s *Sender, now time.Time) {
	idle := len(s.objects) > 0 && s.fresh == len(s.objects) && !s.repairs.collecting() && !s.repairs.pending(s)
	switch {
	case !idle:
		f.running = false
	case !f.running && !f.complete:
		f.running, f.sent, f.due = true, 0, now
	}
}

// watch picks the object to be confirmed and judges the one that was.
func (f *flushState) watch(s *Sender, now time.Time) {
	if o := f.object; o != nil {
		switch {
		case o.over:
			f.object = nil
		case confirmed(o):
			s.finish(o, nil)
			f.object = nil
		case o.busy() || s.repairs.object == o:
			f.alive = now // it is not the receivers who take their time
		case now.Sub(f.alive) >= s.ackTimeout():
			s.finish(o, fmt.Errorf("%w: %s", ErrNotAcked, missing(o)))
			f.object = nil
		}
	}
	if f.object != nil {
		return
	}
	for _, o := range s.objects[:s.fresh] {
		if !o.over && o.wantsAcks() {
			f.object, f.attempts, f.ackDue, f.alive = o, 0, now, now
			return
		}
	}
}

// ackTimeout is how long to wait for a sign of life: no less than a few NACK cycles
// of a receiver, back-off, hold-off and the sender's answer, since some are lost.
func (s *Sender) ackTimeout() time.Duration {
	const cycles = 4
	return max(s.cfg.AckTimeout, cycles*time.Duration(3*s.cfg.Backoff+4)*s.grtt.advertised())
}

func confirmed(o *txObject) bool {
	for _, id := range o.spec.AckNodes {
		if !o.acked[id] {
			return false
		}
	}
	return len(o.acked) >= o.spec.AckCount
}

func missing(o *txObject) string {
	var ids []wire.NodeID
	for _, id := range o.spec.AckNodes {
		if !o.acked[id] {
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		return fmt.Sprintf("no confirmation from %v", ids)
	}
	return fmt.Sprintf("%d of %d receivers confirmed", len(o.acked), o.spec.AckCount)
}

// transmit sends the FLUSH for the end of everything.
func (f *flushState) transmit(s *Sender, now time.Time, p *datagram.Packet) bool {
	f.begin(s, now)
	if !f.running || now.Before(f.due) {
		return false
	}
	last := s.objects[len(s.objects)-1]
	f.append(s, last, nil, p)
	f.sent++
	f.due = now.Add(s.flushInterval())
	if f.sent >= s.cfg.RobustFactor {
		f.running, f.complete = false, true
	}
	return true
}

// transmitWatermark sends the FLUSH that asks for acknowledgements; it does not
// wait for the data behind it.
func (f *flushState) transmitWatermark(s *Sender, now time.Time, p *datagram.Packet) bool {
	o := f.object
	if o == nil || o.over || o.busy() || now.Before(f.ackDue) {
		return false
	}
	f.append(s, o, f.nodes(s, o), p)
	f.attempts++
	wait := s.flushInterval()
	if n := f.attempts - s.cfg.RobustFactor; n > 0 {
		// RFC 5740 section 5.5.3 would give up here. A receiver may still be
		// writing the file to a slow disk, so ask on, but ever more seldom.
		wait = min(wait<<min(n, 10), time.Second)
	}
	f.ackDue = now.Add(max(wait, s.flushInterval()))
	return true
}

func (f *flushState) append(s *Sender, o *txObject, nodes []wire.NodeID, p *datagram.Packet) {
	m := wire.Flush{Sender: s.common(), FEC: s.cfg.Encoding, Object: o.id, ID: o.last()}
	p.Data, _ = s.codec.AppendFlush(p.Data[:0], &m)
	for _, id := range nodes {
		p.Data = wire.NodeList(p.Data).Append(id)
	}
}

// patience is how often the receivers heard of are asked before those that were not
// are too: not all of the former may be able to confirm.
const patience = 5

// nodes returns the receivers to ask: those named; those heard of, while a number
// is waited for; and NodeAny when that number needs receivers not heard of.
func (f *flushState) nodes(s *Sender, o *txObject) []wire.NodeID {
	var ids []wire.NodeID
	for _, id := range o.spec.AckNodes {
		if !o.acked[id] {
			ids = append(ids, id)
		}
	}
	if open := o.spec.AckCount - len(o.acked); open > 0 {
		for id := range s.nodes.byID {
			if !o.acked[id] && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids) // the order of a map must not reach the wire
		if len(ids) < open || f.attempts >= patience {
			ids = append(ids, wire.NodeAny)
		}
	}
	if limit := s.cfg.SegmentSize / 4; len(ids) > limit {
		// Take turns (RFC 5740 section 5.5.3).
		from := f.rotate % len(ids)
		f.rotate += limit
		ids = append(ids[from:], ids[:from]...)[:limit]
	}
	return ids
}

// handleAck takes in an ACK: a confirmation or just a round-trip time.
func (s *Sender) handleAck(now time.Time, p *datagram.Packet) {
	var m wire.Ack
	if err := s.codec.ParseAck(p.Data, &m); err != nil {
		s.stats.Malformed++
		return
	}
	if !s.addressed(&m.Feedback) {
		return
	}
	s.stats.Acks++
	s.heard(now, &m.Feedback, p.Dst.IsValid() && !p.Dst.Addr().IsMulticast())
	if m.AckType != wire.AckFlush {
		return
	}
	var a wire.FlushAck
	if err := s.codec.ParseFlushAck(m.Payload, &a); err != nil {
		s.stats.Malformed++
		return
	}
	_, o := s.find(a.Object)
	// Not the source block length: NRL's NORM echoes another than it was asked.
	if o == nil || !o.sent || !o.wantsAcks() || a.ID.SBN != o.last().SBN || a.ID.ESI != o.last().ESI || o.acked[m.Source] {
		return
	}
	// Strangers are counted as far as they are asked for or there is room; they
	// must not keep those out who are waited for by name.
	if !slices.Contains(o.spec.AckNodes, m.Source) && len(o.acked) >= max(s.cfg.MaxNodes, o.spec.AckCount) {
		return
	}
	o.acked[m.Source] = true
	s.flush.alive = now
	s.emit(SenderEvent{Type: ObjectAcked, Object: o.id, Node: m.Source})
	s.flush.watch(s, now)
}

// A squelchState answers requests for what is gone (RFC 5740 section 5.4.3).
type squelchState struct {
	wanted bool
	lowest wire.TransportID
	due    time.Time
}

func (q *squelchState) ask(now time.Time, id wire.TransportID) {
	if !q.wanted || id.Sub(q.lowest) < 0 {
		q.lowest = id
	}
	q.wanted = true
	if q.due.Before(now) {
		q.due = now
	}
}

func (q *squelchState) next() time.Time {
	if !q.wanted {
		return time.Time{}
	}
	return q.due
}

func (q *squelchState) transmit(s *Sender, now time.Time, p *datagram.Packet) bool {
	if !q.wanted || now.Before(q.due) {
		return false
	}
	q.wanted = false
	q.due = now.Add(2 * s.grtt.advertised()) // at most once in this time
	m := wire.Squelch{Sender: s.common(), FEC: s.cfg.Encoding, Object: s.nextID}
	if len(s.objects) > 0 {
		m.Object = s.objects[0].id
	}
	p.Data, _ = s.codec.AppendSquelch(p.Data[:0], &m)
	// Then the gaps within the window, from the lowest asked for on, up to the
	// end: the last object may have been called off too.
	id := m.Object
	if q.lowest.Sub(id) > 0 {
		id = q.lowest
	}
	i, _ := s.find(id)
	for room := s.cfg.SegmentSize / 2; id != s.nextID && room > 0; id++ {
		if i < len(s.objects) && s.objects[i].id == id {
			i++
			continue
		}
		p.Data = wire.TransportIDList(p.Data).Append(id)
		room--
	}
	s.stats.Squelches++
	return true
}
