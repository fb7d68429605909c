package core

import (
	"fmt"
	"slices"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
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
	busy     time.Time // since when repairs keep it from being sent; zero if none do

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

func (f *flushState) next(s *Sender) time.Time {
	var next time.Time
	if f.running {
		next = f.due
	}
	if o := f.object; o != nil {
		next = engine.Earliest(next, f.askAt(s, o))
	}
	if o := f.object; o != nil && o.stream != nil && !o.sent && o.stream.spec.DropAfter > 0 {
		next = engine.Earliest(next, o.stream.marks.since.Add(o.stream.spec.DropAfter))
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
	o := s.lastSent()
	idle := o != nil && !s.repairs.collecting() && !s.repairs.pending(s)
	switch {
	case idle || o == nil:
		f.busy = time.Time{}
	case f.busy.IsZero():
		f.busy = now
	case now.Sub(f.busy) >= s.askBusy():
		idle, f.complete = true, false // ask once in between
	}
	switch {
	case !idle:
		f.running = false
	case !f.running && !f.complete:
		f.running, f.sent, f.due = true, 0, now
		if o.stream != nil && !o.sent {
			f.due = now.Add(s.streamPause(o))
		}
	}
}

// streamPause is how long after the last symbol of an open stream the group is asked what it
// lacks: the next message may tell as much, and where one is due soon it is waited for.
func (s *Sender) streamPause(o *txObject) time.Duration {
	pause, longest := 2*s.grtt.advertised(), s.flushInterval()
	if next := o.stream.gap * 3 / 2; next > pause && next <= longest {
		return next
	}
	return min(pause, longest)
}

// lastSent returns the object whose end, or for now last symbol, was sent, when there
// is nothing new to send.
func (s *Sender) lastSent() *txObject {
	switch {
	case len(s.objects) == 0 || len(s.rounds) > 0:
		return nil
	case s.fresh == len(s.objects):
		return s.objects[s.fresh-1]
	}
	if o := s.openStream(); s.streamIdle(o) {
		return o
	}
	return nil
}

// watch judges the object that is being confirmed and, when that is over, picks the
// next.
func (f *flushState) watch(s *Sender, now time.Time) {
	for {
		f.judge(s, now)
		if f.object != nil || !f.pick(s, now) {
			return
		}
	}
}

func (f *flushState) judge(s *Sender, now time.Time) {
	o := f.object
	if o == nil {
		return
	}
	switch {
	case o.over:
		f.object = nil
	case confirmed(o):
		f.end(s, o, nil)
	case f.overdue(s, o, now):
		f.dropLaggards(s, o)
	case o.busy() || s.repairs.object == o:
		f.alive = now // it is not the receivers who take their time
	case now.Sub(f.alive) >= s.ackTimeout():
		f.end(s, o, fmt.Errorf("%w: %s", ErrNotAcked, missing(o)))
	}
}

// pick begins with the oldest object to be confirmed, or a point in the open stream.
func (f *flushState) pick(s *Sender, now time.Time) bool {
	for _, o := range s.objects[:s.fresh] {
		if !o.over && o.wantsAcks() {
			f.begins(o, now)
			return true
		}
	}
	if o := s.openStream(); o != nil && s.mark(o) {
		f.begins(o, now)
		return true
	}
	return false
}

func (f *flushState) begins(o *txObject, now time.Time) {
	f.object, f.attempts, f.ackDue, f.alive = o, 0, now, now
}

// end ends the watermark: of an object, or of a point in a stream that goes on.
func (f *flushState) end(s *Sender, o *txObject, err error) {
	f.object = nil
	if o.stream != nil && !o.sent {
		s.marked(o, err)
		return
	}
	if o.stream != nil && o.stream.marks.want {
		o.stream.marks.asked.offset = o.stream.offset
		s.marked(o, err)
	}
	s.finish(o, err)
}

// overdue reports whether a receiver has been waited for as long as it should.
func (f *flushState) overdue(s *Sender, o *txObject, now time.Time) bool {
	if t := o.stream; t != nil && !o.sent {
		return t.spec.DropAfter > 0 && now.Sub(t.marks.since) >= t.spec.DropAfter || !o.busy() && now.Sub(f.alive) >= s.ackTimeout()
	}
	return o.late(now)
}

// dropLaggards ends the wait for whoever has not acknowledged o.
func (f *flushState) dropLaggards(s *Sender, o *txObject) {
	var rest []wire.NodeID
	for _, id := range o.spec.AckNodes {
		if o.acked[id] {
			rest = append(rest, id)
		} else {
			s.emit(SenderEvent{Type: ReceiverDropped, Object: o.id, Node: id})
		}
	}
	o.spec.AckNodes = rest
	var err error
	if !confirmed(o) {
		err = fmt.Errorf("%w: %s", ErrNotAcked, missing(o))
	}
	if o.sent {
		s.closeRepair(o)
	}
	f.end(s, o, err)
}

// watermark is the point of o to be acknowledged.
func (o *txObject) watermark() fec.PayloadID {
	if o.stream != nil && !o.sent {
		return o.stream.marks.asked.id
	}
	return o.last()
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
	last := s.lastSent()
	f.append(s, last, last.last(), nil, p)
	f.due = now.Add(s.repeatFlush(f.sent))
	f.busy = time.Time{}
	f.sent++
	if f.sent >= s.cfg.RobustFactor {
		f.running, f.complete = false, true
	}
	return true
}

// askBusy is how much later the group is asked while repairs are due: somebody may ask for
// repair for ever, and others would not be heard. It is longer than a few cycles of repair.
func (s *Sender) askBusy() time.Duration {
	return max(100*time.Millisecond, 4*time.Duration(s.cfg.Backoff+1)*s.grtt.advertised())
}

// askAt is when confirmations of o are asked for.
func (f *flushState) askAt(s *Sender, o *txObject) time.Time {
	if o.busy() {
		return f.ackDue.Add(s.askBusy())
	}
	return f.ackDue
}

// transmitWatermark sends the FLUSH that asks for acknowledgements; it does not
// wait for the data behind it.
func (f *flushState) transmitWatermark(s *Sender, now time.Time, p *datagram.Packet) bool {
	o := f.object
	if o == nil || o.over || s.repairs.object == o || now.Before(f.askAt(s, o)) {
		return false
	}
	f.append(s, o, o.watermark(), f.nodes(s, o), p)
	least := s.repeatFlush(f.attempts)
	wait := least
	f.attempts++
	if n := f.attempts - s.cfg.RobustFactor; n > 0 {
		// RFC 5740 section 5.5.3 would give up here. A receiver may still be
		// writing the file to a slow disk, so ask on, but ever more seldom.
		wait = min(wait<<min(n, 10), time.Second)
	}
	f.ackDue = now.Add(max(wait, least))
	return true
}

func (f *flushState) append(s *Sender, o *txObject, id fec.PayloadID, nodes []wire.NodeID, p *datagram.Packet) {
	m := wire.Flush{Sender: s.common(), FEC: s.cfg.Encoding, Object: o.id, ID: id}
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
	s.heard(now, &m.Feedback, p)
	if m.AckType >= wire.AckApplication {
		s.questions.answer(s, &m)
		return
	}
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
	if o == nil || !o.sent && !o.marking() || !o.wantsAcks() || o.acked[m.Source] {
		return
	}
	if id := o.watermark(); a.ID.SBN != id.SBN || a.ID.ESI != id.ESI {
		return
	}
	// Strangers are counted as far as they are asked for or there is room; they
	// must not keep those out who are waited for by name.
	if !slices.Contains(o.spec.AckNodes, m.Source) && len(o.acked) >= max(s.cfg.MaxNodes, o.spec.AckCount) {
		return
	}
	o.acked[m.Source] = true
	s.flush.alive = now
	e := SenderEvent{Type: ObjectAcked, Object: o.id, Node: m.Source, Content: string(m.Content)}
	if o.stream != nil {
		if e.Offset = o.stream.offset; !o.sent {
			e.Offset = o.stream.marks.asked.offset
		}
	}
	s.emit(e)
	s.flush.watch(s, now)
}

// A squelchState answers requests for what is gone (RFC 5740 section 5.4.3).
type squelchState struct {
	wanted bool
	lowest wire.TransportID
	stream *txObject // of which an early part was asked for
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
	// The message has room for one position: to say where a stream begins it must be
	// the first of the objects.
	for q.stream != nil && s.objects[0] != q.stream && s.objects[0].over {
		s.drop(0)
	}
	q.stream = nil
	m := wire.Squelch{Sender: s.common(), FEC: s.cfg.Encoding, Object: s.nextID}
	if len(s.objects) > 0 {
		m.Object = s.objects[0].id
		if t := s.objects[0].stream; t != nil {
			m.ID.SBN = t.ids.wire(t.low) // what is before it is gone too
		}
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
			if i++; !s.objects[i-1].closed {
				continue
			}
		}
		p.Data = wire.TransportIDList(p.Data).Append(id)
		room--
	}
	s.stats.Squelches++
	return true
}
