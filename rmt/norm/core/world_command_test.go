package core

import (
	"time"

	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// commandEvent takes an event of a sender about a command or a question, and reports
// whether it was one.
func (n *txNode) commandEvent(e *SenderEvent) bool {
	t := n.w.t
	switch e.Type {
	case CommandSent:
		if _, before := n.commandsSent[e.Command]; before {
			t.Errorf("command %d was sent twice", e.Command)
		}
		n.commandsSent[e.Command] = e.Err
	case Answered:
		if _, before := n.answers[e.Question][e.Node]; before {
			t.Errorf("question %d is answered twice by %v", e.Question, e.Node)
		}
		if _, over := n.questions[e.Question]; over {
			t.Errorf("question %d is answered after its end", e.Question)
		}
		if n.answers[e.Question] == nil {
			n.answers[e.Question] = map[wire.NodeID]string{}
		}
		n.answers[e.Question][e.Node] = e.Content
	case QuestionDone:
		if _, before := n.questions[e.Question]; before {
			t.Errorf("question %d is over twice", e.Question)
		}
		n.questions[e.Question] = e.Err
	default:
		return false
	}
	return true
}

// command has the sender send a command.
func (n *txNode) command(text string, robust bool) (id CommandID) {
	n.w.t.Helper()
	n.node.Run(func(now time.Time) {
		var err error
		if id, err = n.Command(now, []byte(text), robust); err != nil {
			n.w.t.Fatal(err)
		}
	})
	return id
}

// ask has the sender ask a question.
func (n *txNode) ask(spec QuestionSpec) (id QuestionID) {
	n.w.t.Helper()
	n.node.Run(func(now time.Time) {
		var err error
		if id, err = n.Ask(now, spec); err != nil {
			n.w.t.Fatal(err)
		}
	})
	delete(n.answers, id) // the numbers come again
	delete(n.questions, id)
	return id
}

// commandEvent does the same for a receiver.
func (n *rxNode) commandEvent(now time.Time, e *ReceiverEvent) bool {
	switch e.Type {
	case CommandReceived:
		n.told = append(n.told, string(e.Data))
	case AckRequested:
		n.asked++
		if n.answer == nil {
			break
		}
		key, ackType, id := e.Key, e.AckType, e.AckID
		text, delay := n.answer(ackType, id)
		n.w.sim.At(n.w.now()+delay, func() {
			n.node.Run(func(now time.Time) {
				if err := n.Answer(now, key, ackType, id, []byte(text)); err != nil {
					n.w.wrong("%s: %v", n.node.Name, err)
				}
			})
		})
	default:
		return false
	}
	return true
}
