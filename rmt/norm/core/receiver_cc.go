package core

import (
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
	"github.com/gomulticast/multicast/rmt/tfmcc"
)

// A ccState measures the path from one sender and answers its probes: the sender
// learns the round-trip time, and how fast it may be for this receiver (RFC 5740
// section 5.5.2.2).
type ccState struct {
	probe    time.Time // when the last probe came; zero before the first
	sent     wire.Timestamp
	sequence uint16
	rtt      time.Duration // as the sender measured it for this receiver; 0 unknown

	meter *tfmcc.Receiver
	timer tfmcc.Timer

	packets uint32
	counted uint32    // of packets, in the delivery before
	excess  uint32    // of packets, more than are wanted: see Receiver.crammed
	noRoom  uint32    // of packets, those that found no memory
	origin  time.Time // of the times in deliveries
	named   bool      // the last probe asked for an answer of this receiver
	deliver wire.Delivery
}

// overhead is the bytes of IP and UDP headers that count against a rate.
func overhead(a netip.Addr) int {
	if a.Is6() && !a.Is4In6() {
		return 48
	}
	return 28
}

func (c *ccState) init(from netip.AddrPort) { c.meter = tfmcc.NewReceiver(overhead(from.Addr())) }

// hold is how long a receiver keeps silent after feedback, K*GRTT.
func (m *remote) hold() time.Duration { return time.Duration(m.backoff) * m.grtt }

// packet takes in every message of the sender.
func (c *ccState) packet(m *remote, h *wire.Sender, p *datagram.Packet) {
	c.meter.Assume(m.grtt)
	if c.meter.Packet(m.r.now, h.Sequence, len(p.Data), p.ECN() == 3) {
		c.packets++
	}
}

// noRoom counts a packet of a sender for which there was no memory. Other senders have
// nothing to do with it.
func (m *remote) noRoom() {
	m.r.stats.NoBuffer++
	m.cc.noRoom++
}

func (c *ccState) next() time.Time { return c.timer.Next() }

func (m *remote) handleCC(p *wire.CC) {
	c, now := &m.cc, m.r.now
	if !c.probe.IsZero() && int16(p.CCSequence-c.sequence) <= 0 {
		return // a copy, or overtaken: it would be answered for the wrong time
	}
	if c.probe.IsZero() {
		c.origin = now
	}
	c.probe, c.sent, c.sequence = now, p.SendTime, p.CCSequence
	c.excess += uint32(float64(c.packets-c.counted) * m.r.crammed(m))
	c.counted = c.packets
	c.deliver = wire.Delivery{
		Packets: c.packets - c.excess, Time: uint32(now.Sub(c.origin).Microseconds()),
		Dropped: uint32(m.r.stats.Dropped) + c.noRoom + c.excess,
	}
	if p.HasRate {
		c.meter.Announce(wire.Rate(p.Rate)) // stands until something was measured
	}
	c.named = false
	for n := range p.Nodes.All() {
		if n.Node != m.r.cfg.NodeID {
			continue
		}
		if n.Flags&wire.CCFlagRTT != 0 {
			c.rtt = wire.GRTT(n.RTT)
			c.meter.SetRTT(c.rtt)
		}
		c.named = n.Flags&(wire.CCFlagCLR|wire.CCFlagPLR) != 0
	}
	if !p.HasRate || m.r.cfg.Silent { // no answer is wanted, or given
		c.timer.Stop()
		return
	}
	c.timer.Probe(now, c.named, func() time.Duration {
		// No less than 4, however short the sender wants NACKs to wait (RFC
		// 5740 section 5.5.2.2).
		k := max(m.backoff, 4)
		return randomBackoff(m.r.cfg.Rand, time.Duration(k)*m.grtt, m.groupSize)
	})
}

// respond fills in the answer to the last probe, which every feedback message
// carries.
func (c *ccState) respond(now time.Time, f *wire.Feedback) {
	if c.probe.IsZero() {
		return
	}
	held := now.Sub(c.probe)
	usec := int64(c.sent.Usec) + held.Microseconds()
	f.GRTTResponse = wire.Timestamp{Sec: c.sent.Sec + uint32(usec/1e6), Usec: uint32(usec % 1e6)}
	rep := c.meter.Report()
	f.HasCC = true
	f.CC = wire.CCFeedback{Sequence: c.sequence, Rate: wire.QuantizeRate(rep.Rate), Loss: wire.QuantizeLoss(rep.Loss)}
	if rep.Start {
		f.CC.Flags |= wire.CCFlagStart
	} else if f.CC.Loss == 0 {
		f.CC.Loss = 1 // too little for the field; 0 would be none
	}
	if c.rtt > 0 {
		f.CC.Flags |= wire.CCFlagRTT
		f.CC.RTT = wire.QuantizeGRTT(c.rtt)
	}
	f.HasDelivery, f.Delivery = c.named, c.deliver
}

// spoke notes that some feedback was sent: it answers the probe too.
func (c *ccState) spoke(m *remote, now time.Time) { c.timer.Spoke(now, m.hold()) }

func (c *ccState) advance(_ *remote, now time.Time) { c.timer.Advance(now) }

func (c *ccState) transmit(m *remote, now time.Time, p *datagram.Packet) bool {
	if !c.timer.Ready() {
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
	m.nack.listen(m, m.codec().Requests(q.Bytes()))
	m.cc.hear(m, f.HasCC, &f.CC)
}

func (m *remote) handleRepairAdv(a *wire.RepairAdv) {
	q := m.codec().Requests(a.Requests.Bytes())
	m.nack.listen(m, q)
	if a.Flags&wire.RepairAdvLimit != 0 {
		m.nack.confine(m, q)
	}
	m.cc.hear(m, a.HasCC, &a.CC)
}

// hear takes in the congestion control part of another receiver's feedback.
func (c *ccState) hear(m *remote, has bool, f *wire.CCFeedback) {
	if !has || c.timer.Next().IsZero() {
		return
	}
	other := tfmcc.Report{Rate: wire.Rate(f.Rate)}
	if f.Flags&wire.CCFlagRTT != 0 {
		other.RTT = wire.GRTT(f.RTT)
	}
	mine := c.meter.Report()
	mine.RTT = c.rtt
	c.timer.Hear(m.r.now, mine, other, m.hold())
}
