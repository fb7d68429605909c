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
	payload, _ := m.codecFor(a.flush.Object).AppendFlushAck(nil, &a.flush)
	msg := wire.Ack{Feedback: m.feedback(now), AckType: wire.AckFlush, Payload: payload, Content: m.r.ackContent}
	p.Data, _ = m.r.codec.AppendAck(p.Data[:0], &msg)
	m.r.stats.Acks++
	m.cc.spoke(m, now)
	return true
}
