package core

import (
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// An ackState confirms a watermark (RFC 5740 section 5.5.3).
type ackState struct {
	pending bool
	due     time.Time
	flush   wire.FlushAck
}

// asked schedules the confirmation, at random within one GRTT, if the object named
// is safe here and nothing before it is open.
func (a *ackState) asked(m *remote, f *wire.Flush) {
	if m.r.cfg.Silent {
		return
	}
	want := wire.FlushAck{FEC: f.FEC, Object: f.Object, ID: f.ID}
	if a.pending && a.flush == want {
		return
	}
	if !m.safe(f) {
		return
	}
	a.pending, a.flush = true, want
	a.due = m.r.now.Add(time.Duration(m.r.cfg.Rand.Float64() * float64(m.grtt)))
}

// safe reports whether the object that f names is here, or of a stream all through the
// symbol it names was read, and nothing before it is open.
func (m *remote) safe(f *wire.Flush) bool {
	o, i := m.object(f.Object), f.Object.Sub(m.base)
	switch {
	case o == nil || o.state == failed:
		return false
	case o.state == stored:
		return m.firstOpen() > i
	case o.stream == nil || m.firstOpen() < i:
		return false
	}
	sbn, ok := o.local(f.ID.SBN)
	return ok && o.streamRead(sbn, int(f.ID.ESI))
}

func (a *ackState) next() time.Time {
	if !a.pending {
		return time.Time{}
	}
	return a.due
}

func (a *ackState) transmit(m *remote, now time.Time, p *datagram.Packet) bool {
	if !a.pending || now.Before(a.due) {
		return false
	}
	a.pending = false
	payload, _ := m.r.codec.AppendFlushAck(nil, &a.flush)
	msg := wire.Ack{Feedback: m.feedback(now), AckType: wire.AckFlush, Payload: payload, Content: m.r.ackContent}
	p.Data, _ = m.r.codec.AppendAck(p.Data[:0], &msg)
	m.r.stats.Acks++
	m.cc.spoke(m, now)
	return true
}

// A ccState answers probes, so that the sender learns the group's round-trip time
// (RFC 5740 section 5.5.2.2). This receiver does not estimate loss; it reports twice
// the rate it sees, as a receiver without loss does.
type ccState struct {
	probe    time.Time // when the last probe came; zero before the first
	sent     wire.Timestamp
	sequence uint16
	rtt      time.Duration // as the sender measured it for this receiver; 0 unknown
	bytes    int
	since    time.Time
	rate     float64 // bytes per second

	due       time.Time // of a scheduled answer; zero is none
	send      bool      // an answer is to leave now
	quietTill time.Time
}

func (c *ccState) next() time.Time { return c.due }

func (m *remote) handleCC(p *wire.CC) {
	c, now := &m.cc, m.r.now
	c.measure(now)
	if !c.probe.IsZero() && int16(p.CCSequence-c.sequence) <= 0 {
		return // a copy, or overtaken: it would be answered for the wrong time
	}
	c.probe, c.sent, c.sequence = now, p.SendTime, p.CCSequence
	if c.rate == 0 && p.HasRate {
		c.rate = wire.Rate(p.Rate) // nothing measured yet: as the sender says
	}
	marked := false
	for n := range p.Nodes.All() {
		if n.Node != m.r.cfg.NodeID {
			continue
		}
		if n.Flags&wire.CCFlagRTT != 0 {
			c.rtt = wire.GRTT(n.RTT)
		}
		marked = n.Flags&(wire.CCFlagCLR|wire.CCFlagPLR) != 0
	}
	switch {
	case !p.HasRate || m.r.cfg.Silent: // no answer is wanted
		c.due = time.Time{}
	case marked:
		c.due, c.send = time.Time{}, true
	case now.Before(c.quietTill):
	case c.due.IsZero():
		// RFC 5740 section 5.5.2.2 would drop answers later than one GRTT. In
		// a small group that leaves almost none; suppression does the work.
		k := max(m.backoff, 4)
		c.due = now.Add(randomBackoff(m.r.cfg.Rand, time.Duration(k)*m.grtt, m.groupSize))
	}
}

func (c *ccState) measure(now time.Time) {
	if dt := now.Sub(c.since); c.since.IsZero() || dt <= 0 {
		c.since, c.bytes = now, 0
	} else if dt >= 50*time.Millisecond {
		c.rate = float64(c.bytes) / dt.Seconds()
		c.since, c.bytes = now, 0
	}
}

// respond fills in the answer to the last probe, which every feedback message
// carries.
func (c *ccState) respond(m *remote, now time.Time, f *wire.Feedback) {
	if c.probe.IsZero() {
		return
	}
	held := now.Sub(c.probe)
	usec := int64(c.sent.Usec) + held.Microseconds()
	f.GRTTResponse = wire.Timestamp{Sec: c.sent.Sec + uint32(usec/1e6), Usec: uint32(usec % 1e6)}
	f.HasCC = true
	f.CC = wire.CCFeedback{Sequence: c.sequence, Flags: wire.CCFlagStart, Rate: wire.QuantizeRate(2 * c.rate)}
	if c.rtt > 0 {
		f.CC.Flags |= wire.CCFlagRTT
		f.CC.RTT = wire.QuantizeGRTT(c.rtt)
	}
}

// spoke notes that some feedback was sent: it answers the probe too.
func (c *ccState) spoke(m *remote, now time.Time) {
	c.due, c.send = time.Time{}, false
	c.quietTill = now.Add(time.Duration(m.backoff) * m.grtt)
}

func (c *ccState) advance(m *remote, now time.Time) {
	if !c.due.IsZero() && !now.Before(c.due) {
		c.due, c.send = time.Time{}, true
	}
}

func (c *ccState) transmit(m *remote, now time.Time, p *datagram.Packet) bool {
	if !c.send {
		return false
	}
	msg := wire.Ack{Feedback: m.feedback(now), AckType: wire.AckCC}
	p.Data, _ = m.r.codec.AppendAck(p.Data[:0], &msg)
	m.r.stats.Acks++
	c.spoke(m, now)
	return true
}

// overhear takes in another receiver's feedback to this sender.
func (m *remote) overhear(f *wire.Feedback, q wire.Requests) {
	m.nack.listen(m, q)
	m.cc.suppress(m, f.HasCC, &f.CC)
}

func (m *remote) handleRepairAdv(a *wire.RepairAdv) {
	m.nack.listen(m, a.Requests)
	if a.Flags&wire.RepairAdvLimit != 0 {
		m.nack.confine(m, a.Requests)
	}
	m.cc.suppress(m, a.HasCC, &a.CC)
}

// suppress drops a scheduled answer when another receiver has said as much: one no
// faster, and one that knows its round-trip time no better (RFC 5740 section
// 5.5.2.2, condition 4).
func (c *ccState) suppress(m *remote, has bool, f *wire.CCFeedback) {
	if c.due.IsZero() || !has || f.Rate == 0 {
		return
	}
	if c.rtt == 0 && f.Flags&wire.CCFlagRTT != 0 {
		return
	}
	if 2*c.rate > 0.9*wire.Rate(f.Rate) {
		c.due = time.Time{}
		c.quietTill = m.r.now.Add(time.Duration(m.backoff) * m.grtt)
	}
}
