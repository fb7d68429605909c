package main

import (
	"cmp"
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/gomulticast/multicast/rmt/norm"
)

// A commandEvent is a command of a sender's application, as recv tells of it.
type commandEvent struct {
	Event  string `json:"event"` // "command"
	Sender uint32 `json:"sender"`
	Addr   string `json:"addr"`
	Text   string `json:"text"`
	Data   []byte `json:"data,omitempty"` // in place of what is not UTF-8
}

// checkCommand says why a command would not be sent.
func (f *sendFlags) checkCommand() error {
	if most := cmp.Or(f.segment, 1400); len(f.command) > most {
		return usagef("--command has %d bytes: give at most a --segment, %d", len(f.command), most)
	}
	return nil
}

// tell sends the command, if there is one, beside all else. The returned function waits
// for its last copy, and fails after telling why if it was not sent.
func (f *sendFlags) tell(ctx context.Context, s *norm.Sender, out *printer) (told func() error) {
	if f.command == "" {
		return func() error { return nil }
	}
	result := make(chan error, 1)
	go func() { result <- s.Command(ctx, []byte(f.command)) }()
	return func() error {
		err := <-result
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("command: %w", context.Cause(ctx))
		}
		out.failure("", err)
		return errFailed
	}
}

// sendNoFiles sends nothing but the command.
func (f *sendFlags) sendNoFiles(ctx context.Context, s *norm.Sender, told func() error, out *printer) error {
	err := told()
	s.Shutdown(ctx)
	st := s.Stats()
	out.event(sentEvent{Event: "sent", WireBytes: st.Bytes}, "sent the command, %d times", st.Commands)
	return err
}

// commandPause is the least time between two commands printed: of a flood the receiver
// keeps some of each host, and neither terminals nor log files overflow.
const commandPause = 10 * time.Millisecond

// showCommands prints commands until finish is called, which closes the receiver and prints
// those that came before. Their content is anybody's: for people it is quoted.
func showCommands(r *norm.Receiver, out *printer) (finish func()) {
	last, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for c, err := range r.Commands(context.Background()) {
			if err != nil {
				return
			}
			e := commandEvent{Event: "command", Sender: uint32(c.Sender), Addr: c.Addr.String()}
			if utf8.Valid(c.Data) {
				e.Text = string(c.Data)
			} else {
				e.Data = c.Data
			}
			out.event(e, "command from %s (node %d): %q", e.Addr, e.Sender, c.Data)
			select {
			case <-time.After(commandPause):
			case <-last:
			}
		}
	}()
	return func() {
		close(last)
		r.Close()
		<-ended
	}
}
