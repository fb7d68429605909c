package core

import (
	"errors"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// minInactivity is the least time without a message after which a sender counts as
// inactive (RFC 5740 section 5.3).
const minInactivity = time.Second

// A remote is one sender as heard here: its objects, where it stands in its
// transmission, and what is to be said to it.
type remote struct {
	r        *Receiver
	key      SenderKey
	instance uint16
	heard    time.Time
	rival    rival

	// The instance before this one, of which packets may still be on their
	// way until then.
	former      uint16
	formerUntil time.Time
	formerHeard int

	// As the sender advertises them.
	grtt      time.Duration
	backoff   int
	groupSize float64
	fec       fec.EncodingID
	field     uint8   // m of fec.ReedSolomonGF2m, as last read in an EXT_FTI
	misread   fec.OTI // what its parameters were taken for, wrongly; see reread

	// The window: objects[i] has transport ID base+i; nil if nothing of it
	// was heard. All before base are settled or were never ours.
	synced  bool
	joined  time.Time // when it was synced
	moved   bool      // base has moved on: what is before it was ours once
	base    wire.TransportID
	objects []*rxObject
	over    int   // so many objects at the beginning of the window are settled
	holds   int64 // bytes of buffers of their blocks that were begun and not done

	at      position // where the sender stood at its last message
	through bool     // at was named by a FLUSH: all before it was sent
	end     position // the farthest it ever was; exclusive

	nack     nackState
	ack      ackState
	commands commandLog
	answers  answerState
	cc       ccState
	silence  int       // how often it was asked in vain
	wondered int       // how often it was asked whether a stream goes on
	asked    time.Time // when last, or when it last offered something
	left     bool      // EOT heard
	leaving  bool      // EOT heard, something may still be on its way
	leaveAt  time.Time // when what is open is given up
}

func newRemote(r *Receiver, key SenderKey, instance uint16) *remote {
	m := &remote{r: r, key: key, instance: instance, heard: r.now, asked: r.now, fec: fec.ReedSolomonGF8}
	m.cc.init(key.Addr)
	return m
}

// formerLives takes in a message of the instance before this one. When several come while
// this one is silent we have taken them for each other: what we took for new was old and
// late.
func (m *remote) formerLives() bool {
	if m.r.now.Sub(m.heard) < time.Second {
		m.formerHeard = 0
		return false
	}
	m.formerHeard++
	return m.formerHeard >= 8
}

// note takes in what every message of a sender says.
func (m *remote) note(h *wire.Sender, p *datagram.Packet) {
	m.heard = m.r.now
	m.grtt = wire.GRTT(h.GRTT)
	m.backoff = int(h.Backoff)
	m.groupSize = float64(wire.GroupSize(h.GroupSize))
	m.cc.packet(m, h, p)
}

// offered notes that the sender is at work: it has something to send or asks what
// is missing. Its probes do not say as much; a sender at rest goes on with them.
func (m *remote) offered() { m.asked, m.silence, m.wondered = m.r.now, 0, 0 }

// codec returns the codec for messages of this sender and to it: with FEC Encoding ID 2 the
// field size says how the payload ID divides.
func (m *remote) codec() wire.Codec {
	c := m.r.codec
	c.M = m.field
	return c
}

// codecFor returns the codec for messages about one object.
func (m *remote) codecFor(id wire.TransportID) wire.Codec {
	c := m.codec()
	if o := m.object(id); o != nil && o.known && o.oti.EncodingID == fec.ReedSolomonGF2m {
		c.M = o.oti.M
	}
	return c
}

// divides reports whether the payload ID of a message about an object, of which no EXT_FTI
// said more, is to be read anew, by the codec returned.
func (m *remote) divides(id fec.EncodingID, object wire.TransportID) (wire.Codec, bool) {
	if id != fec.ReedSolomonGF2m {
		return wire.Codec{}, false
	}
	c := m.codecFor(object)
	return c, c.M == 16
}

// abort ends an object that is still being received.
func (m *remote) abort(o *rxObject, err error) {
	if o.state != receiving {
		return
	}
	if o.stream != nil {
		o.breakOff(m, err)
		return
	}
	announced := o.known || o.haveInfo
	m.settle(o, failed)
	if announced {
		m.r.events.push(ReceiverEvent{Type: ObjectAborted, Key: o.key, Err: err})
	}
}

// discard ends an object of which nothing is to be known any more, a stream also while
// it is complete and being read.
func (m *remote) discard(o *rxObject, err error) {
	m.abort(o, err)
	if o.stream != nil && o.state == received {
		m.settle(o, failed)
		m.r.events.push(ReceiverEvent{Type: ObjectAborted, Key: o.key, Err: err})
	}
}

func (m *remote) discardAll(err error) {
	for _, o := range m.objects {
		if o != nil {
			m.discard(o, err)
		}
	}
	m.nack.stop()
}

func (m *remote) settle(o *rxObject, s rxState) {
	o.state = s
	o.free(m.r)
}

func (m *remote) abortAll(err error) {
	for _, o := range m.objects {
		if o != nil {
			m.abort(o, err)
		}
	}
	m.nack.stop()
}

// giveUp ends everything that is open, also what is known of only by its number.
func (m *remote) giveUp(err error) {
	m.abortAll(err)
	for i, o := range m.objects {
		if o == nil {
			m.objects[i] = &rxObject{key: ObjectKey{m.key, m.instance, m.base + wire.TransportID(i)}, state: failed}
		}
	}
}

// maxStrange is how many messages may contradict the one from which an object's parameters
// are known, with none that agrees, before it is given up. That one was damaged or forged:
// nothing would ever complete the object, and it would be asked for all the time.
const maxStrange = 64

var errContradiction = errors.New("the first message of it contradicts all others")

// learn takes in an object's parameters and announces it.
func (m *remote) learn(o *rxObject, oti *fec.OTI) bool {
	if oti.EncodingID == fec.ReedSolomonGF2m {
		m.field = oti.M
	}
	if o.known {
		same := o.oti == *oti || o.oti.TransferLength == oti.TransferLength && o.oti.SymbolSize == oti.SymbolSize
		if o.seconded = o.seconded || same; !o.seconded {
			if o.strange++; o.strange == maxStrange {
				m.abort(o, unsupported(errContradiction))
			}
		}
		return same
	}
	if like := *oti; m.misread.MaxBlockLen > 0 {
		if like.TransferLength = 0; like == m.misread {
			like.Parity, like.TransferLength = like.Parity+like.MaxBlockLen, oti.TransferLength
			oti = &like
		}
	}
	if err := o.learn(m.r, oti); err != nil {
		o.known = true
		m.r.events.push(ReceiverEvent{Type: ObjectNew, Key: o.key}) // nobody need make room for it
		m.abort(o, unsupported(err))
		return false
	}
	m.r.events.push(ReceiverEvent{
		Type: ObjectNew, Key: o.key, Size: int64(oti.TransferLength),
		File: o.flags&(wire.FlagFile|wire.FlagStream) == wire.FlagFile, Stream: o.flags&wire.FlagStream != 0,
	})
	return true
}

// reread reads an object's parity count the other way, when symbol esi of a block of
// k shows that it must be higher. [wire.FTIAuto] takes a last field of EXT_FTI not
// below the block length for max_n; from senders with as much parity as that it is
// the parity count itself. Without this their parity would be of no use here.
func (m *remote) reread(o *rxObject, k, esi int) bool {
	parity := int(o.oti.Parity) + int(o.oti.MaxBlockLen)
	if m.r.cfg.FTI != wire.FTIAuto || esi >= k+parity || parity > maxSymbols {
		return false
	}
	oti := o.oti
	oti.Parity = uint32(parity)
	if m.r.codes.check(m.r, &oti, &o.part) != nil {
		return false
	}
	m.misread = o.oti
	m.misread.TransferLength = 0
	o.oti = oti
	return true
}

// stands notes where the sender is and asks for repair where it has passed the end
// of a block that is incomplete here (RFC 5740 section 5.3).
func (m *remote) stands(to position) {
	boundary := to.object != m.at.object || to.block != m.at.block
	m.at, m.left, m.through = to, false, false
	if to.compare(m.end) > 0 {
		m.end = to
	}
	if boundary || m.bySymbol(to.object) {
		m.nack.consider(m, m.limit())
	}
}

// limit is the point up to which it is time to ask: the beginning of the block the
// sender is in, or the symbol it is at, where that is what it told us to answer for or
// what we were told to do.
func (m *remote) limit() position {
	if m.through || m.bySymbol(m.at.object) {
		return m.at
	}
	return position{object: m.at.object, block: m.at.block}
}

// bySymbol reports whether repair of an object is asked for as soon as a symbol is
// passed over.
func (m *remote) bySymbol(id wire.TransportID) bool {
	if !m.r.cfg.RepairBySymbol {
		return false
	}
	o := m.object(id)
	return o != nil && o.stream != nil
}

// joins reports whether content with these flags is for this receiver. RFC 5740
// section 5.2: joining begins with new content. But a sender known by its probes may
// have nothing new to say.
func (m *remote) joins(flags wire.Flags) bool {
	return m.synced || flags&wire.FlagRepair == 0 || !m.cc.probe.IsZero()
}

func (m *remote) handleData(d *wire.Data) {
	if !m.joins(d.Flags) {
		return
	}
	m.offered()
	m.fec = d.FEC
	m.reachData(d.Object, d.Flags, d.ID.SBN == 0 && d.ID.ESI == 0)
	o := m.open(d.Object)
	if o == nil {
		return
	}
	stream := d.Flags&wire.FlagStream != 0
	if !stream {
		m.stands(position{d.Object, d.ID.SBN, d.ID.ESI})
	}
	if o.state != receiving {
		m.r.stats.Duplicates++
		return
	}
	o.flags |= d.Flags & (wire.FlagInfo | wire.FlagFile | wire.FlagStream)
	if d.HasFTI {
		if !m.learn(o, &d.FTI) {
			m.r.stats.Refused++
			return
		}
	} else if !o.known {
		m.r.stats.Refused++ // nothing can be placed before the FTI is known
		return
	}
	if stream != o.part.stream() {
		m.r.stats.Malformed++ // it cannot become one or cease to be
		return
	}
	if stream {
		m.handleStream(o, d)
		return
	}
	o.symbol(m, d.ID.SBN, int(d.ID.ESI), d.Payload)
	m.finish(o)
}

func (m *remote) handleInfo(d *wire.Info) {
	if !m.joins(d.Flags) {
		return
	}
	m.offered()
	m.fec = d.FEC
	m.reachData(d.Object, d.Flags, true)
	o := m.open(d.Object)
	if o == nil {
		return
	}
	if o.stream == nil {
		m.stands(position{object: d.Object})
	}
	if o.state != receiving {
		return
	}
	o.flags |= d.Flags & (wire.FlagInfo | wire.FlagFile | wire.FlagStream)
	if d.HasFTI && !m.learn(o, &d.FTI) {
		m.r.stats.Refused++
		return
	}
	// The INFO of a stream of which nothing else is known is asked for again: the owner is
	// to hear that it is a stream first.
	if !o.haveInfo && (o.known || d.Flags&wire.FlagStream == 0) {
		o.haveInfo = true
		m.r.events.push(ReceiverEvent{Type: InfoReceived, Key: o.key, Data: append([]byte(nil), d.Payload...)})
		if o.stream != nil {
			o.readable(m) // the end may have waited for it
		}
	}
	m.finish(o)
}

// finish reports an object that has become complete.
func (m *remote) finish(o *rxObject) {
	if o.state == receiving && o.complete() {
		if o.stream != nil {
			o.state = received // and is read to its end, which settles it
			for _, b := range o.blocks {
				b.uncounted() // the last one need not be full, and is not given up any more
			}
			return
		}
		m.settle(o, received)
		m.r.events.push(ReceiverEvent{Type: ObjectReceived, Key: o.key, Size: int64(o.oti.TransferLength)})
	}
}

// handleFlush checks what is here up to and including the point named, and answers
// for it if asked to. Whoever is asked to confirm an object is expected to have it,
// also if it heard nothing of it before.
func (m *remote) handleFlush(f *wire.Flush) {
	m.offered()
	m.fec = f.FEC
	asked := f.AckingNodes.Contains(m.r.cfg.NodeID) || f.AckingNodes.Contains(wire.NodeAny)
	if asked {
		m.reach(f.Object)
	}
	o := m.open(f.Object)
	through := position{object: f.Object, block: f.ID.SBN + 1}
	if through.block == 0 {
		through.block--
	}
	if o != nil && o.part.stream() {
		var ok bool
		if through, ok = m.streamThrough(o, f); !ok {
			return
		}
	}
	if through.compare(m.end) > 0 {
		m.end = through
	}
	// A watermark may lie behind what is being sent; else the sender is there.
	if f.AckingNodes.Len() == 0 || through.compare(m.at) > 0 {
		m.at, m.through = through, o != nil && o.stream != nil
	}
	if f.AckingNodes.Len() == 0 {
		m.nack.flushed(m)
	}
	m.nack.consider(m, through)
	if asked {
		m.ack.asked(m, f)
	}
}

// handleEOT gives up what the sender will no longer repair, after what may still be
// on its way.
func (m *remote) handleEOT() {
	if !m.left {
		m.leaving, m.left = true, true
		m.leaveAt = m.r.now.Add(max(2*m.grtt, 100*time.Millisecond))
	}
}

// handleSquelch gives up what the sender declares invalid (RFC 5740 section
// 4.2.3.3).
func (m *remote) handleSquelch(q *wire.Squelch) {
	m.offered()
	m.squelchStream(q)
	if n := q.Object.Sub(m.base); n > 0 {
		for i := range min(n, len(m.objects)) {
			m.purge(i)
		}
	}
	for k := range q.Invalid.Len() {
		if i := q.Invalid.At(k).Sub(m.base); i >= 0 && i < len(m.objects) {
			m.purge(i)
		}
	}
}

// purge ends the object at a place in the window, also one of which nothing was
// heard.
func (m *remote) purge(i int) {
	if m.objects[i] == nil {
		m.objects[i] = &rxObject{key: ObjectKey{m.key, m.instance, m.base + wire.TransportID(i)}}
	}
	m.abort(m.objects[i], ErrPurged)
}

// inactivity is how long the sender may be silent (RFC 5740 section 5.3).
func (m *remote) inactivity() time.Duration {
	return max(time.Duration(m.r.cfg.RobustFactor)*2*m.grtt, minInactivity)
}

func (m *remote) advance(now time.Time) {
	if m.leaving && !now.Before(m.leaveAt) {
		m.leaving = false
		m.giveUp(ErrSenderGone)
	}
	if !now.Before(m.silentAt()) {
		// Ask although nothing came to ask about.
		m.asked = now
		if _, need := m.earliestNeed(m.newest()); !need {
			m.askStream(now)
		} else if m.at, m.through = m.newest(), true; m.silence >= m.r.cfg.RobustFactor {
			m.giveUp(ErrSenderSilent)
		} else if m.nack.consider(m, m.at) {
			m.silence++
		}
	}
	m.nack.advance(m, now)
	m.cc.advance(m, now)
}

// newest returns the end of the newest object heard of. A silent sender is asked for
// all of it: nobody knows where in the object it stands.
func (m *remote) newest() position {
	if o := m.object(m.end.object); o != nil && o.stream != nil {
		return m.end // a stream has no more of an end
	}
	return position{object: m.end.object, block: ^uint32(0)}
}

// silentAt returns when the sender's silence is due to be answered: far away when
// nothing is needed of it.
func (m *remote) silentAt() time.Time {
	if _, need := m.earliestNeed(m.newest()); need {
		return m.asked.Add(m.inactivity())
	}
	if m.openStream() != nil {
		return m.asked.Add(min(m.inactivity()<<min(m.wondered, 10), max(m.inactivity(), maxStreamSilence)))
	}
	return m.heard.Add(1000 * time.Hour)
}

func (m *remote) next() time.Time {
	next := engine.Earliest(m.silentAt(), m.nack.next())
	next = engine.Earliest(next, m.ack.next())
	next = engine.Earliest(next, m.answers.next())
	if m.leaving {
		next = engine.Earliest(next, m.leaveAt)
	}
	return engine.Earliest(next, m.cc.next())
}

// ready reports whether something waits to be sent at once.
func (m *remote) ready() bool { return m.nack.ready() || m.cc.timer.Ready() }

func (m *remote) transmit(now time.Time, p *datagram.Packet) bool {
	return m.nack.transmit(m, now, p) || m.ack.transmit(m, now, p) || m.answers.transmit(m, now, p) || m.cc.transmit(m, now, p)
}

// feedback returns the fields that every message to the sender begins with.
func (m *remote) feedback(now time.Time) wire.Feedback {
	m.r.seq++
	f := wire.Feedback{
		Sequence: m.r.seq, Source: m.r.cfg.NodeID, Server: m.key.Node, InstanceID: m.instance,
	}
	m.cc.respond(now, &f)
	return f
}
