// Package station is what the running engines of igmp and mld share: a session that
// drives one and hands out its events, and several connections as one.
package station

import (
	"context"
	"fmt"
	"iter"
	"net"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// maxWaiting bounds the events that wait to be taken.
const maxWaiting = 65536

// A Node is an engine with events of type E.
type Node[E any] interface {
	engine.Engine
	Event() (E, bool)
}

// A Session is a running engine. It is safe for concurrent use.
type Session[N Node[E], E any] struct {
	name string
	node N // the loop's
	loop *drive.Loop

	mu      sync.Mutex
	waiting []E
	lost    uint64
	news    chan struct{} // closed and replaced when waiting grows
	fault   error         // why it ended
	refused uint64
	refusal error
}

// Start drives a node over conn, which the session owns from then on. Errors begin
// with name.
func Start[N Node[E], E any](name string, conn datagram.Conn, node N) *Session[N, E] {
	s := &Session[N, E]{name: name, node: node, news: make(chan struct{})}
	s.loop = drive.Start(conn, node, drive.Config{Drain: s.drain, WriteError: s.writeError, ReadError: s.end})
	return s
}

// Events yields events as they come; those that come before anybody ranges over them
// wait, the latest 65,536. It ends after yielding the error of ctx or, when the session
// is closed or its connection broken, that error. Several loops share the events out
// among them.
func (s *Session[N, E]) Events(ctx context.Context) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for {
			e, ok, news, fault := s.take()
			switch {
			case ok:
				if !yield(e, nil) {
					return
				}
				continue
			case fault != nil:
				yield(e, fault)
				return
			}
			select {
			case <-news:
			case <-ctx.Done():
				yield(e, ctx.Err())
				return
			}
		}
	}
}

func (s *Session[N, E]) take() (e E, ok bool, news <-chan struct{}, fault error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) > 0 {
		var zero E
		e, s.waiting[0] = s.waiting[0], zero
		s.waiting = s.waiting[1:]
		return e, true, nil, nil
	}
	return e, false, s.news, s.fault
}

// drain collects the node's events; the loop calls it.
func (s *Session[N, E]) drain(time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	grown := false
	for e, ok := s.node.Event(); ok; e, ok = s.node.Event() {
		if len(s.waiting) >= maxWaiting {
			s.waiting = s.waiting[1:]
			s.lost++
		}
		s.waiting = append(s.waiting, e)
		grown = true
	}
	if grown {
		s.wake()
	}
}

func (s *Session[N, E]) wake() {
	close(s.news)
	s.news = make(chan struct{})
}

func (s *Session[N, E]) writeError(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused++
	s.refusal = err
}

// end notes why no more comes.
func (s *Session[N, E]) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == nil {
		s.fault = fmt.Errorf("%s: %w", s.name, err)
		s.wake()
	}
}

// Refused returns how many writes the connection refused, and the last refusal.
func (s *Session[N, E]) Refused() (n uint64, last error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused, s.refusal
}

// Lost returns how many events nobody took in time.
func (s *Session[N, E]) Lost() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// Do runs f with the node between two packets and waits for it; what f makes it say is
// sent at once. It returns net.ErrClosed when the session has ended and f will not
// run.
func (s *Session[N, E]) Do(f func(now time.Time, node N)) error {
	if err := s.loop.Do(func(now time.Time) { f(now, s.node) }); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// shutdownTick is how often a session that says goodbye is asked whether it is done.
const shutdownTick = 10 * time.Millisecond

// Shutdown runs goodbye, waits until done, and closes the session. What the node says
// before it is done is sent. It returns the error of ctx if that ended first.
func (s *Session[N, E]) Shutdown(ctx context.Context, goodbye func(now time.Time, node N), done func(node N) bool) error {
	defer s.Close()
	if err := s.Do(goodbye); err != nil {
		return err
	}
	tick := time.NewTicker(shutdownTick)
	defer tick.Stop()
	for {
		said := false
		if err := s.Do(func(_ time.Time, node N) { said = done(node) }); err != nil || said {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close ends the session and closes its connection. It can be called again.
func (s *Session[N, E]) Close() error {
	err := s.loop.Close()
	s.end(net.ErrClosed)
	return err
}
