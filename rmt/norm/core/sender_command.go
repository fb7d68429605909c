package core

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/internal/pace"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// ErrCommand is wrapped for a command or a question that cannot be sent as it is.
var ErrCommand = errors.New("cannot be sent")

// maxCommands is how many commands are under way at a time.
const maxCommands = 8

// A CommandID names a command while it is under way. It is its number on the wire too:
// see wire.Application.
type CommandID uint16

// A txCommand is one command on its way out.
type txCommand struct {
	id   CommandID
	data []byte
	left int // so many times more
	due  time.Time
}

// A commandState sends the application's commands (RFC 5740 section 4.2.3.7).
type commandState struct {
	last CommandID
	list []txCommand // oldest first
}

// Command sends data, at most a segment, to the group before all that waits to be sent:
// once or, if robust, RobustFactor times, every two GRTTs (RFC 5740 section 4.2.3.7) but no
// more often than FlushInterval; repeats of all commands take no more than a quarter of the
// rate. Nobody repairs a command that is lost, and commands may overtake one another. A
// CommandSent event tells that it was sent for the last time; until then the slice is kept.
// Up to 8 commands are under way at a time; with more, it returns ErrFull.
func (s *Sender) Command(now time.Time, data []byte, robust bool) (CommandID, error) {
	c := &s.commands
	switch {
	case len(data) > s.cfg.SegmentSize:
		return 0, fmt.Errorf("%w: a command of %d bytes; it has at most a segment, %d", ErrCommand, len(data), s.cfg.SegmentSize)
	case s.eot.begun():
		return 0, fmt.Errorf("%w: the sender is shut down", ErrCommand)
	case len(c.list) >= maxCommands:
		return 0, ErrFull
	}
	s.now = now
	times := 1
	if robust {
		times = s.cfg.RobustFactor
	}
	c.last++
	c.list = append(c.list, txCommand{id: c.last, data: data, left: times, due: now})
	s.grtt.wake(now)
	return c.last, nil
}

// CancelCommand does not repeat a command any more. No event tells of its end.
func (s *Sender) CancelCommand(now time.Time, id CommandID) {
	s.now = now
	s.commands.list = slices.DeleteFunc(s.commands.list, func(x txCommand) bool { return x.id == id })
}

// stop calls all commands off.
func (c *commandState) stop(s *Sender) {
	for i := range c.list {
		s.emit(SenderEvent{Type: CommandSent, Command: c.list[i].id, Err: ErrCanceled})
	}
	c.list = nil
}

func (c *commandState) next() (next time.Time) {
	for i := range c.list {
		next = engine.Earliest(next, c.list[i].due)
	}
	return next
}

func (c *commandState) transmit(s *Sender, now time.Time, p *datagram.Packet) bool {
	if len(c.list) == 0 {
		return false
	}
	first := 0
	for i := range c.list {
		if c.list[i].due.Before(c.list[first].due) {
			first = i
		}
	}
	x := &c.list[first]
	if now.Before(x.due) {
		return false
	}
	m := wire.Application{Sender: s.common(), HasNumber: true, Number: uint16(x.id), Payload: x.data}
	p.Data, _ = s.codec.AppendApplication(p.Data[:0], &m)
	s.stats.Commands++
	x.due = now.Add(s.repeatInterval(len(c.list) * (len(p.Data) + s.header)))
	if x.left--; x.left == 0 {
		s.emit(SenderEvent{Type: CommandSent, Command: x.id})
		c.list = slices.Delete(c.list, first, first+1)
	}
	return true
}

// commandShare is the part of the rate, one of so many, that the repeats of commands and of
// questions take: at a low rate a few segments fill two GRTTs.
const commandShare = 4

// repeatInterval is the time until messages of so many bytes are sent again.
func (s *Sender) repeatInterval(bytes int) time.Duration {
	d := s.flushInterval()
	if rate := s.bucket.Rate(); rate > 0 {
		d = max(d, pace.Duration(commandShare*bytes, rate))
	}
	return d
}
