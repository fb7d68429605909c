package core

import (
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

	// As the sender advertises them.
	grtt      time.Duration
	backoff   int
	groupSize float64
	fec       fec.EncodingID

	// The window: objects[i] has transport ID base+i; nil if nothing of it
	// was heard. All before base are settled or were never ours.
	synced  bool
	base    wire.TransportID
	objects []*rxObject

	at  position // where the sender stood at its last message
	end position // the farthest it ever was; exclusive

	nack    nackState
	ack     ackState
	cc      ccState
	silence int       // how often it was asked in vain
	left    bool      // EOT heard
	leaving bool      // EOT heard, something may still be on its way
	leaveAt time.Time // when what is open is given up
}

func newRemote(r *Receiver, key SenderKey, instance uint16) *remote {
	return &remote{r: r, key: key, instance: instance, heard: r.now, fec: fec.ReedSolomonGF8}
}

// note takes in what every message of a sender says.
func (m *remote) note(h *wire.Sender, size int) {
	m.heard, m.silence = m.r.now, 0
	m.grtt = wire.GRTT(h.GRTT)
	m.backoff = int(h.Backoff)
	m.groupSize = float64(wire.GroupSize(h.GroupSize))
	m.cc.bytes += size
}

// object returns the object with an ID in the window, nil if nothing was heard of
// it.
func (m *remote) object(id wire.TransportID) *rxObject {
	if i := id.Sub(m.base); m.synced && i >= 0 && i < len(m.objects) {
		return m.objects[i]
	}
	return nil
}

// open returns the object with an ID, making its record if it is new and moving the
// window if need be. It returns nil for objects that are not to be received.
func (m *remote) open(id wire.TransportID) *rxObject {
	if !m.synced {
		// Sync policy CURRENT: this object and what follows.
		m.synced, m.base = true, id
		m.end = position{object: id}
		m.at = m.end
	}
	i := id.Sub(m.base)
	if i < 0 {
		return nil
	}
	if i >= 1<<14 { // far out of range: begin anew (RFC 5740 section 4.2.1)
		m.abortAll(ErrOverrun)
		m.base, m.objects, i = id, m.objects[:0], 0
		m.end = position{object: id}
	}
	for i >= m.r.cfg.MaxObjects {
		m.dropOldest()
		i--
	}
	for len(m.objects) <= i {
		m.objects = append(m.objects, nil)
	}
	if m.objects[i] == nil {
		m.objects[i] = &rxObject{key: ObjectKey{m.key, m.instance, id}}
	}
	return m.objects[i]
}

// dropOldest moves the window on by one.
func (m *remote) dropOldest() {
	if len(m.objects) > 0 {
		if o := m.objects[0]; o != nil {
			m.abort(o, ErrOverrun)
		}
		m.objects = append(m.objects[:0], m.objects[1:]...)
	}
	m.base++
}

// abort ends an object that is still being received.
func (m *remote) abort(o *rxObject, err error) {
	if o.state != receiving {
		return
	}
	announced := o.known
	m.settle(o, failed)
	if announced {
		m.r.events.push(ReceiverEvent{Type: ObjectAborted, Key: o.key, Err: err})
	}
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

// learn takes in an object's parameters and announces it.
func (m *remote) learn(o *rxObject, oti *fec.OTI) bool {
	if o.known {
		return o.oti == *oti || o.oti.TransferLength == oti.TransferLength && o.oti.SymbolSize == oti.SymbolSize
	}
	if err := o.learn(m.r, oti); err != nil {
		o.known = true
		m.r.events.push(ReceiverEvent{Type: ObjectNew, Key: o.key, Size: int64(oti.TransferLength)})
		m.abort(o, unsupported(err))
		return false
	}
	m.r.events.push(ReceiverEvent{
		Type: ObjectNew, Key: o.key, Size: int64(oti.TransferLength), File: o.flags&wire.FlagFile != 0,
	})
	return true
}

// moved notes where the sender stands and asks for repair where it has passed the
// end of a block that is incomplete here (RFC 5740 section 5.3).
func (m *remote) moved(to position) {
	boundary := to.object != m.at.object || to.block != m.at.block
	m.at, m.left = to, false
	if to.compare(m.end) > 0 {
		m.end = to
	}
	if boundary {
		m.nack.consider(m, position{object: to.object, block: to.block})
	}
}

func (m *remote) handleData(d *wire.Data, p *datagram.Packet) {
	if !m.synced && d.Flags&wire.FlagRepair != 0 && m.cc.probe.IsZero() {
		// RFC 5740 section 5.2: joining begins with new content. But a
		// sender known by its probes may have nothing new to say.
		return
	}
	m.fec = d.FEC
	o := m.open(d.Object)
	if o == nil {
		return
	}
	m.moved(position{d.Object, d.ID.SBN, d.ID.ESI})
	if o.state != receiving {
		m.r.stats.Duplicates++
		return
	}
	o.flags |= d.Flags & (wire.FlagInfo | wire.FlagFile)
	if d.HasFTI {
		if !m.learn(o, &d.FTI) {
			m.r.stats.Refused++
			return
		}
	} else if !o.known {
		m.r.stats.Refused++ // nothing can be placed before the FTI is known
		return
	}
	o.symbol(m.r, d.ID.SBN, int(d.ID.ESI), d.Payload)
	m.finish(o)
}

func (m *remote) handleInfo(d *wire.Info) {
	m.fec = d.FEC
	o := m.open(d.Object)
	if o == nil {
		return
	}
	m.moved(position{object: d.Object})
	if o.state != receiving {
		return
	}
	o.flags |= d.Flags & (wire.FlagInfo | wire.FlagFile)
	if d.HasFTI && !m.learn(o, &d.FTI) {
		m.r.stats.Refused++
		return
	}
	if !o.haveInfo {
		o.haveInfo = true
		m.r.events.push(ReceiverEvent{Type: InfoReceived, Key: o.key, Data: append([]byte(nil), d.Payload...)})
	}
	m.finish(o)
}

// finish reports an object that has become complete.
func (m *remote) finish(o *rxObject) {
	if o.state == receiving && o.complete() {
		m.settle(o, received)
		m.r.events.push(ReceiverEvent{Type: ObjectReceived, Key: o.key, Size: int64(o.oti.TransferLength)})
	}
}

// handleFlush checks what is here up to and including the point named, and answers
// for it if asked to.
func (m *remote) handleFlush(f *wire.Flush) {
	m.fec = f.FEC
	if !m.synced {
		m.open(f.Object)
	}
	through := position{object: f.Object, block: f.ID.SBN + 1}
	if through.block == 0 {
		through.block--
	}
	if through.compare(m.end) > 0 {
		m.end = through
	}
	m.at = through
	if i := f.Object.Sub(m.base); i >= 0 && i < 1<<14 {
		m.open(f.Object)
	}
	m.nack.consider(m, through)
	if f.AckingNodes.Contains(m.r.cfg.NodeID) || f.AckingNodes.Contains(wire.NodeAny) {
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
	if !m.synced {
		return
	}
	for i, o := range m.objects {
		id := m.base + wire.TransportID(i)
		gone := id.Sub(q.Object) < 0 || q.Invalid.Contains(id)
		if !gone {
			continue
		}
		if o == nil {
			o = &rxObject{key: ObjectKey{m.key, m.instance, id}}
			m.objects[i] = o
		}
		m.abort(o, ErrPurged)
	}
}

// inactivity is how long the sender may be silent (RFC 5740 section 5.3).
func (m *remote) inactivity() time.Duration {
	return max(time.Duration(m.r.cfg.RobustFactor)*2*m.grtt, minInactivity)
}

func (m *remote) advance(now time.Time) {
	if m.leaving && !now.Before(m.leaveAt) {
		m.leaving = false
		m.abortAll(ErrSenderGone)
	}
	if !now.Before(m.silentAt()) {
		// Ask although nothing came to ask about.
		m.silence++
		if m.silence > m.r.cfg.RobustFactor {
			m.abortAll(ErrSenderSilent)
			m.silence = 0
		} else {
			m.at = m.end
			m.nack.consider(m, m.end)
		}
	}
	m.nack.advance(m, now)
	m.cc.advance(m, now)
}

// silentAt returns when the sender's silence is due to be answered: far away when
// nothing is needed of it.
func (m *remote) silentAt() time.Time {
	if _, need := m.earliestNeed(m.end); !need {
		return m.heard.Add(1000 * time.Hour)
	}
	return m.heard.Add(time.Duration(m.silence+1) * m.inactivity())
}

func (m *remote) next() time.Time {
	next := engine.Earliest(m.silentAt(), m.nack.next())
	next = engine.Earliest(next, m.ack.next())
	if m.leaving {
		next = engine.Earliest(next, m.leaveAt)
	}
	return engine.Earliest(next, m.cc.next())
}

// ready reports whether something waits to be sent at once.
func (m *remote) ready() bool { return m.nack.ready() || m.cc.send }

func (m *remote) transmit(now time.Time, p *datagram.Packet) bool {
	return m.nack.transmit(m, now, p) || m.ack.transmit(m, now, p) || m.cc.transmit(m, now, p)
}

// feedback returns the fields that every message to the sender begins with.
func (m *remote) feedback(now time.Time) wire.Feedback {
	m.r.seq++
	f := wire.Feedback{
		Sequence: m.r.seq, Source: m.r.cfg.NodeID, Server: m.key.Node, InstanceID: m.instance,
	}
	m.cc.respond(m, now, &f)
	return f
}
