package core

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// ErrNotAsked is returned by Answer when there is no such question, or no longer.
var ErrNotAsked = errors.New("no such question")

// Bounds on the questions of one sender: so many are known, longest not asked giving way;
// of new ones so many are told at once, and so many a second afterwards.
const (
	questionsKnown  = 8
	questionBurst   = 25
	questionsSecond = 50

	// answerInterval is the least time between two answers to one host, whoever it says
	// it is: whoever forges a victim's address has no more than that sent there.
	answerInterval = 10 * time.Millisecond
	// answerKept is how long after it was asked last a question is known.
	answerKept = 10 * time.Second
	// answerSpan is how many later questions make the ack_id, which has 8 bits, one
	// that is used anew.
	answerSpan = 64
)

// An answerState answers the questions of a sender's application (RFC 5740 section 5.5.3).
type answerState struct {
	list    []heardQuestion // longest not asked first
	allowed allowance
	spoke   time.Time // the last answer
}

type heardQuestion struct {
	ackType  wire.AckType
	id       uint8
	at       time.Time // asked last
	answered bool
	answer   []byte
	due      time.Time // of the answer; zero is not to be sent
}

// asked takes in a CMD(ACK_REQ). What was answered before is answered again: that answer
// was lost.
func (a *answerState) asked(m *remote, q *wire.AckReq) {
	now := m.r.now
	if m.r.cfg.Silent || q.AckType < wire.AckApplication {
		return // 3 to 15 are reserved, and 1 and 2 answer other commands
	}
	a.list = slices.DeleteFunc(a.list, func(x heardQuestion) bool {
		d := int8(q.AckID - x.id)
		return now.Sub(x.at) > answerKept || d > answerSpan || d < -answerSpan
	})
	if !q.AckingNodes.Contains(m.r.cfg.NodeID) {
		return
	}
	x := heardQuestion{ackType: q.AckType, id: q.AckID}
	if i := a.find(x.ackType, x.id); i >= 0 {
		x = a.list[i]
		a.list = slices.Delete(a.list, i, i+1)
	} else {
		if a.allowed.refill(now, questionsSecond, questionBurst); a.allowed.left < 1 {
			m.r.stats.Refused++
			return // it will be asked again
		}
		a.allowed.left--
		if len(a.list) >= questionsKnown {
			a.list = slices.Delete(a.list, 0, 1)
		}
		m.r.stats.Questions++
		m.r.events.push(ReceiverEvent{
			Type: AckRequested, Key: ObjectKey{Sender: m.key, Instance: m.instance}, AckType: q.AckType, AckID: q.AckID,
		})
	}
	x.at = now
	if x.answered {
		a.schedule(m, &x)
	}
	a.list = append(a.list, x)
}

func (a *answerState) find(t wire.AckType, id uint8) int {
	return slices.IndexFunc(a.list, func(x heardQuestion) bool { return x.ackType == t && x.id == id })
}

// schedule has an answer sent at random within one GRTT (RFC 5740 section 5.5.3).
func (a *answerState) schedule(m *remote, x *heardQuestion) {
	if x.due.IsZero() {
		x.due = m.r.now.Add(time.Duration(m.r.cfg.Rand.Float64() * float64(m.grtt)))
	}
}

// Answer answers the question that an AckRequested event told of, with the event's Key,
// AckType and AckID: at random within one GRTT, and again whenever it is asked again. The
// payload, which is copied, is at most one of the sender's segments, or 512 bytes while
// nothing is known of those. It wraps ErrNotAsked when the question is no longer known.
func (r *Receiver) Answer(now time.Time, key ObjectKey, ackType wire.AckType, ackID uint8, payload []byte) error {
	r.now = now
	m := r.senders[key.Sender]
	if m == nil || m.instance != key.Instance {
		return fmt.Errorf("%w of node %v", ErrNotAsked, key.Sender.Node)
	}
	i := m.answers.find(ackType, ackID)
	if i < 0 {
		return fmt.Errorf("%w of node %v: %v, number %d", ErrNotAsked, key.Sender.Node, ackType, ackID)
	}
	if limit := m.segmentSize(); len(payload) > limit {
		return fmt.Errorf("%w: an answer of %d bytes; at most %d", ErrCommand, len(payload), limit)
	}
	x := &m.answers.list[i]
	x.answered, x.answer = true, bytes.Clone(payload)
	m.answers.schedule(m, x)
	return nil
}

// pending reports whether an answer is on its way.
func (a *answerState) pending() bool { return !a.next().IsZero() }

func (a *answerState) next() (next time.Time) {
	for i := range a.list {
		next = engine.Earliest(next, a.list[i].due)
	}
	return next
}

func (a *answerState) transmit(m *remote, now time.Time, p *datagram.Packet) bool {
	i := slices.IndexFunc(a.list, func(x heardQuestion) bool { return !x.due.IsZero() && !now.Before(x.due) })
	if i < 0 {
		return false
	}
	if t := m.answerable(); now.Before(t) {
		for i := range a.list {
			if x := &a.list[i]; !x.due.IsZero() && x.due.Before(t) {
				x.due = t
			}
		}
		return false
	}
	x := &a.list[i]
	x.due, a.spoke = time.Time{}, now
	msg := wire.Ack{Feedback: m.feedback(now), AckType: x.ackType, AckID: x.id, Payload: x.answer}
	p.Data, _ = m.r.codec.AppendAck(p.Data[:0], &msg)
	m.r.stats.Acks++
	m.cc.spoke(m, now)
	return true
}

// answerable returns when the sender's host may be answered next.
func (m *remote) answerable() (t time.Time) {
	for _, o := range m.r.order {
		if o.key.Addr.Addr() == m.key.Addr.Addr() && o.answers.spoke.After(t) {
			t = o.answers.spoke
		}
	}
	if t.IsZero() {
		return t
	}
	return t.Add(answerInterval)
}
