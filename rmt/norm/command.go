package norm

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/gomulticast/multicast/rmt/norm/core"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// An AckType is the type of an acknowledgement. Those from 16 to 255 are the application's
// (RFC 5740 section 4.2.3.6).
type AckType = wire.AckType

// A CommandOption changes how one command is sent.
type CommandOption func(*commandOptions)

type commandOptions struct{ once bool }

// Once sends a command a single time, without repeats: for what is of no use later.
func Once() CommandOption { return func(o *commandOptions) { o.once = true } }

// Command sends data, at most a segment, to the application of every receiver there is
// (NORM_CMD(APPLICATION), RFC 5740 section 4.2.3.7): see [Receiver.Commands]. It goes before
// all that waits to be sent and is repeated, SenderConfig.RobustFactor times in all, every two
// round-trip times but no more often than SenderConfig.FlushInterval, so that hardly anyone
// misses it; but nobody asks for one that is lost, and nothing keeps commands in order. A
// receiver tells of it once. Repeats of all commands take no more than a quarter of the rate,
// and receivers tell of no more than 128 commands at once and 256 a second.
//
// It returns when the command was sent for the last time, or when ctx ends: it is not
// repeated any more then. The slice is not used after the return. Eight commands are under
// way at a time, further calls wait. It wraps ErrCommand when data is too long.
func (s *Sender) Command(ctx context.Context, data []byte, opts ...CommandOption) error {
	var o commandOptions
	for _, f := range opts {
		f(&o)
	}
	c := newCall()
	var id core.CommandID
	err := s.admit(ctx, func(now time.Time) (err error) {
		if id, err = s.engine.Command(now, data, !o.once); err == nil {
			s.mu.Lock()
			s.commands[id] = c
			s.mu.Unlock()
		}
		return err
	})
	if err == nil {
		err = s.wait(ctx, c, func(now time.Time) {
			s.engine.CancelCommand(now, id)
			s.endCommand(id, ErrCanceled)
		})
	}
	if err != nil {
		return fmt.Errorf("norm: command: %w", err)
	}
	return nil
}

// A Question asks receivers for an acknowledgement of the application's.
type Question struct {
	// Type is what is asked, 16 to 255, in terms of the application: the question has no
	// other content. A [Sender.Command] before it can have.
	Type AckType

	// Nodes are the receivers asked, 1 to 1,024.
	Nodes []NodeID

	// Timeout is how long answers are waited for at least: each receiver is asked
	// SenderConfig.RobustFactor times, every two round-trip times, and then ever more seldom until it
	// has passed. It is for applications that take longer. Default 0: no longer than
	// asking takes.
	Timeout time.Duration
}

// An Answer is what one receiver answers. Data is what its ReceiverConfig.Answer returned.
type Answer struct {
	Node NodeID
	Data []byte
}

// Ask asks receivers by name and returns their answers, in the order in which they came
// (NORM_CMD(ACK_REQ), RFC 5740 sections 4.2.3.6 and 5.5.3): see ReceiverConfig.Answer. It
// returns when all are here. With an error that wraps ErrNotAcked, when some did not answer
// however often they were asked, or that of ctx, the answers that came are returned too.
// Eight questions are under way at a time, further calls wait. It wraps ErrCommand for a
// question that makes no sense. NRL's NORM 1.5.9 does not answer.
func (s *Sender) Ask(ctx context.Context, q Question) ([]Answer, error) {
	c := newCall()
	var id core.QuestionID
	err := s.admit(ctx, func(now time.Time) (err error) {
		if id, err = s.engine.Ask(now, core.QuestionSpec{Type: q.Type, Nodes: q.Nodes, Timeout: q.Timeout}); err == nil {
			s.mu.Lock()
			s.questions[id] = c
			s.mu.Unlock()
		}
		return err
	})
	if err == nil {
		err = s.wait(ctx, c, func(now time.Time) {
			s.engine.CancelQuestion(now, id)
			s.endQuestion(id, ErrCanceled)
		})
	}
	if err != nil {
		err = fmt.Errorf("norm: ask: %w", err)
	}
	return c.answers, err
}

// A call is a command or a question under way.
type call struct {
	answers []Answer      // the owner's until done is closed
	err     error         // likewise
	done    chan struct{} // closed when it is over
}

func newCall() *call { return &call{done: make(chan struct{})} }

func (c *call) over() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// wait waits until c is over. When ctx ends before, cancel is called by who has the engine,
// which ends c.
func (s *Sender) wait(ctx context.Context, c *call, cancel func(now time.Time)) error {
	err := net.ErrClosed
	select {
	case <-c.done:
	case <-s.loop.Done():
	case <-ctx.Done():
		err = ctx.Err()
		if s.loop.Do(func(now time.Time) {
			if !c.over() { // else its number may be another's by now
				cancel(now)
			}
		}) == nil {
			return err
		}
		<-s.loop.Done() // nobody else has the engine now
	}
	if c.over() {
		return c.err
	}
	return err
}

// callEvent takes an event of the engine about a call, and reports whether it was one.
func (s *Sender) callEvent(e *core.SenderEvent) bool {
	switch e.Type {
	case core.CommandSent:
		s.endCommand(e.Command, e.Err)
	case core.Answered:
		s.mu.Lock()
		c := s.questions[e.Question]
		s.mu.Unlock()
		if c != nil {
			c.answers = append(c.answers, Answer{Node: e.Node, Data: []byte(e.Content)})
		}
	case core.QuestionDone:
		s.endQuestion(e.Question, e.Err)
	default:
		return false
	}
	return true
}

func (s *Sender) endCommand(id core.CommandID, err error) {
	s.mu.Lock()
	c := s.commands[id]
	delete(s.commands, id)
	s.mu.Unlock()
	s.end(c, err)
}

func (s *Sender) endQuestion(id core.QuestionID, err error) {
	s.mu.Lock()
	c := s.questions[id]
	delete(s.questions, id)
	s.mu.Unlock()
	s.end(c, err)
}

// end ends a call; c is nil when it was canceled before the event of its end was drained.
func (s *Sender) end(c *call, err error) {
	if c != nil {
		c.err = err
		close(c.done)
		s.vacate()
	}
}
