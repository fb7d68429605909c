package norm

import (
	"context"
	"iter"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/rmt/norm/core"
)

// A Command is a command of a sender's application: see [Sender.Command]. Nothing in NORM
// is authenticated: whoever can send to the session can send commands, under any node ID.
type Command struct {
	Sender NodeID
	Addr   netip.AddrPort // where it came from
	Data   []byte         // the caller's
}

// Commands yields the commands of all senders as they come, each once however often it is
// repeated. Of a sender of NRL's, which does not number them, what says the same as a
// command before within 16 round-trip times (or 80 ms) of its last copy counts as a copy,
// up to 20 of them.
// Up to 1 MiB of commands wait to be taken, 4 KiB for each counted in; then the oldest of the
// host that has most of them waiting is dropped. It ends as Objects does, and several loops
// share them out.
func (r *Receiver) Commands(ctx context.Context) iter.Seq2[Command, error] {
	return func(yield func(Command, error) bool) {
		for {
			r.mu.Lock()
			c, ok := r.commands.pop()
			news, fault := r.news, r.fault
			r.mu.Unlock()
			switch {
			case ok:
				if !yield(c, nil) {
					return
				}
				continue
			case fault != nil:
				yield(Command{}, fault)
				return
			}
			select {
			case <-news:
			case <-ctx.Done():
				yield(Command{}, ctx.Err())
				return
			}
		}
	}
}

// An AckRequest asks this receiver for an acknowledgement of the application's: see
// [Sender.Ask].
type AckRequest struct {
	Sender NodeID
	Addr   netip.AddrPort // where it came from
	Type   AckType        // what is asked, 16 to 255
}

// A request is one as the engine knows it.
type request struct {
	key core.ObjectKey
	t   AckType
	id  uint8
}

// commandEvent takes an event of the engine about a command or a question, and reports
// whether it was one. The owner calls it.
func (r *Receiver) commandEvent(e *core.ReceiverEvent) bool {
	host := e.Key.Sender.Addr.Addr()
	switch e.Type {
	case core.CommandReceived:
		c := Command{Sender: e.Key.Sender.Node, Addr: e.Key.Sender.Addr, Data: e.Data}
		r.mu.Lock()
		r.untaken.Commands += r.commands.push(host, len(e.Data), c)
		r.wake()
		r.mu.Unlock()
	case core.AckRequested:
		if r.cfg.Answer == nil {
			return true // an acknowledgement of the application's is not ours to give
		}
		r.mu.Lock()
		r.untaken.Questions += r.requests.push(host, 0, request{e.Key, e.AckType, e.AckID})
		r.mu.Unlock()
		select {
		case r.asked <- struct{}{}:
		default:
		}
	default:
		return false
	}
	return true
}

// answer has the application answer what was asked, one after the other, until the receiver
// is closed.
func (r *Receiver) answer() {
	for {
		r.mu.Lock()
		q, ok := r.requests.pop()
		r.mu.Unlock()
		if !ok {
			select {
			case <-r.asked:
				continue
			case <-r.loop.Done():
				return
			}
		}
		data, ok := r.cfg.Answer(AckRequest{Sender: q.key.Sender.Node, Addr: q.key.Sender.Addr, Type: q.t})
		if !ok {
			continue
		}
		if r.loop.Do(func(now time.Time) {
			if err := r.engine.Answer(now, q.key, q.t, q.id, data); err != nil {
				r.log("answer", "error", err)
			}
		}) != nil {
			return
		}
	}
}
