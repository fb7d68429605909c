package core

import (
	"fmt"
	"slices"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

const (
	// maxQuestions is how many questions are under way at a time.
	maxQuestions = 8
	// leastAnswer is the longest answer that is taken even of receivers that do not know
	// how long a segment is; see remote.segmentSize.
	leastAnswer = 512
)

// A QuestionID names a question while it is under way. It is its ack_id on the wire.
type QuestionID uint8

// A QuestionSpec describes a question to receivers.
type QuestionSpec struct {
	// Type is the ack_type, 16 to 255, whose meaning is the application's: the request
	// has no other content.
	Type wire.AckType

	// Nodes are the receivers to answer, 1 to SenderConfig.MaxNodes of them. One that
	// is named twice answers once.
	Nodes []wire.NodeID

	// Timeout is how long answers are waited for at least. Each node is asked
	// RobustFactor times, every two GRTTs, and after that ever more seldom until then.
	// Default 0: RobustFactor times must do.
	Timeout time.Duration
}

// A question is one CMD(ACK_REQ) on its way (RFC 5740 section 5.5.3).
type question struct {
	id      QuestionID
	ackType wire.AckType
	open    []asked // who has not answered; those to be named next come first
	due     time.Time
	end     time.Time // not before this is it given up; zero while somebody was not asked enough
	until   time.Time // likewise, as was asked for
}

type asked struct {
	node  wire.NodeID
	times int
}

// A questionState asks receivers for acknowledgements of the application's (RFC 5740
// section 5.5.3). Questions take turns: one message every two GRTTs bounds the answers.
type questionState struct {
	last QuestionID
	list []*question // those to be sent next come first
	due  time.Time   // of the next message, whichever question's
}

// Ask asks receivers for an acknowledgement of the application's (RFC 5740 sections
// 4.2.3.6 and 5.5.3). An Answered event tells of each answer, at most one of a node, and
// QuestionDone of the end. Up to 8 questions are under way at a time; with more, it returns
// ErrFull.
func (s *Sender) Ask(now time.Time, spec QuestionSpec) (QuestionID, error) {
	q := &s.questions
	switch {
	case spec.Type < wire.AckApplication:
		return 0, fmt.Errorf("%w: a question of type %d; those of the application are 16 to 255 (RFC 5740 section 4.2.3.6)", ErrCommand, spec.Type)
	case len(spec.Nodes) == 0 || len(spec.Nodes) > s.cfg.MaxNodes:
		return 0, fmt.Errorf("%w: a question to %d receivers; name 1 to %d", ErrCommand, len(spec.Nodes), s.cfg.MaxNodes)
	case slices.Contains(spec.Nodes, wire.NodeNone) || slices.Contains(spec.Nodes, wire.NodeAny):
		return 0, fmt.Errorf("%w: a question to node %v or %v, which are reserved; name receivers", ErrCommand, wire.NodeNone, wire.NodeAny)
	case spec.Timeout < 0:
		return 0, fmt.Errorf("%w: a timeout of %v; give 0 for the default", ErrCommand, spec.Timeout)
	case s.eot.begun():
		return 0, fmt.Errorf("%w: the sender is shut down", ErrCommand)
	case len(q.list) >= maxQuestions:
		return 0, ErrFull
	}
	s.now = now
	for q.last++; q.find(q.last) != nil; q.last++ {
	}
	x := &question{id: q.last, ackType: spec.Type, due: now, until: now.Add(spec.Timeout)}
	nodes := slices.Clone(spec.Nodes)
	slices.Sort(nodes)
	for _, id := range slices.Compact(nodes) {
		x.open = append(x.open, asked{node: id})
	}
	if !s.grtt.measured { // the attempts may be over before the first answer can be here
		x.until = now.Add(max(spec.Timeout, unmeasuredQuiet))
	}
	q.list = append(q.list, x)
	s.grtt.wake(now)
	return x.id, nil
}

// CancelQuestion ends a question. No event tells of it, and later answers are ignored.
func (s *Sender) CancelQuestion(now time.Time, id QuestionID) {
	s.now = now
	s.questions.remove(id)
}

func (q *questionState) find(id QuestionID) *question {
	for _, x := range q.list {
		if x.id == id {
			return x
		}
	}
	return nil
}

func (q *questionState) remove(id QuestionID) {
	q.list = slices.DeleteFunc(q.list, func(x *question) bool { return x.id == id })
}

// stop calls all questions off.
func (q *questionState) stop(s *Sender) {
	for _, x := range q.list {
		s.emit(SenderEvent{Type: QuestionDone, Question: x.id, Err: ErrCanceled})
	}
	q.list = nil
}

// advance ends what was asked for often enough.
func (q *questionState) advance(s *Sender, now time.Time) {
	q.list = slices.DeleteFunc(q.list, func(x *question) bool {
		if at := x.over(); at.IsZero() || now.Before(at) {
			return false
		}
		missing := make([]wire.NodeID, len(x.open))
		for i := range x.open {
			missing[i] = x.open[i].node
		}
		slices.Sort(missing)
		s.emit(SenderEvent{Type: QuestionDone, Question: x.id, Err: fmt.Errorf("%w: no answer from %v", ErrNotAcked, missing)})
		return true
	})
}

// over returns when the question is given up, zero while that is not known.
func (x *question) over() time.Time {
	if x.end.Before(x.until) && !x.end.IsZero() {
		return x.until
	}
	return x.end
}

// end returns when the next question is given up.
func (q *questionState) end() (next time.Time) {
	for _, x := range q.list {
		next = engine.Earliest(next, x.over())
	}
	return next
}

func (q *questionState) next() (next time.Time) {
	for _, x := range q.list {
		next = engine.Earliest(next, x.due)
	}
	if next.Before(q.due) && !next.IsZero() {
		return q.due
	}
	return next
}

func (q *questionState) transmit(s *Sender, now time.Time, p *datagram.Packet) bool {
	if len(q.list) == 0 || now.Before(q.due) {
		return false
	}
	i := slices.IndexFunc(q.list, func(x *question) bool { return !now.Before(x.due) })
	if i < 0 {
		return false
	}
	x := q.list[i]
	q.list = append(slices.Delete(q.list, i, i+1), x) // the others have their turn first

	m := wire.AckReq{Sender: s.common(), AckType: x.ackType, AckID: uint8(x.id)}
	p.Data, _ = s.codec.AppendAckReq(p.Data[:0], &m)
	n := min(len(x.open), s.cfg.SegmentSize/4)
	for j := range x.open[:n] {
		p.Data = wire.NodeList(p.Data).Append(x.open[j].node)
		x.open[j].times++
	}
	x.open = append(x.open[n:], x.open[:n]...) // take turns (RFC 5740 section 5.5.3)
	s.stats.Questions++

	wait := s.repeatInterval(len(p.Data) + s.header)
	q.due = now.Add(wait)
	x.due = q.due
	if more := x.open[0].times - s.cfg.RobustFactor; more >= 0 {
		// The RFC would end here; the application may want to wait, but no longer
		// for so many of them.
		if x.end.IsZero() {
			x.end = now.Add(2 * wait)
		}
		x.due = now.Add(max(wait, min(wait<<min(more+1, 10), time.Second)))
	}
	return true
}

// answer takes in an acknowledgement of the application's.
func (q *questionState) answer(s *Sender, m *wire.Ack) {
	x := q.find(QuestionID(m.AckID))
	if x == nil || x.ackType != m.AckType {
		return // late, or nobody asked
	}
	i := slices.IndexFunc(x.open, func(a asked) bool { return a.node == m.Source })
	switch {
	case i < 0:
		return // a copy, or nobody asked this one
	case len(m.Payload) > max(s.cfg.SegmentSize, leastAnswer):
		s.stats.Malformed++ // RFC 5740 section 4.3.2
		return
	}
	x.open = slices.Delete(x.open, i, i+1)
	s.emit(SenderEvent{Type: Answered, Question: x.id, Node: m.Source, Content: string(m.Payload)})
	if len(x.open) == 0 {
		q.remove(x.id)
		s.emit(SenderEvent{Type: QuestionDone, Question: x.id})
	}
}
