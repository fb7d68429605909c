package flute

import (
	"sync"
	"time"

	"github.com/gomulticast/multicast/rmt/flute/core"
)

// A solver recovers blocks by FEC on a goroutine of its own, so that packets are taken
// in meanwhile.
type solver struct {
	r    *Receiver
	done chan struct{}

	mu     sync.Mutex
	wake   sync.Cond
	works  []*core.Work // bounded by the engine's buffers
	solved []*core.Work // for the engine to take back
	posted bool         // the owner was told of solved
	closed bool
}

func newSolver(r *Receiver) *solver {
	s := &solver{r: r, done: make(chan struct{})}
	s.wake.L = &s.mu
	return s
}

func (s *solver) put(w *core.Work) {
	s.mu.Lock()
	s.works = append(s.works, w)
	s.mu.Unlock()
	s.wake.Signal()
}

// take returns the works done since it was last called. list is to be used again.
func (s *solver) take(list []*core.Work) []*core.Work {
	s.mu.Lock()
	defer s.mu.Unlock()
	solved := s.solved
	s.solved, s.posted = list[:0], false
	return solved
}

func (s *solver) run() {
	defer close(s.done)
	var sv core.Solver
	for {
		s.mu.Lock()
		for len(s.works) == 0 && !s.closed {
			s.wake.Wait()
		}
		if s.closed {
			s.mu.Unlock()
			return
		}
		w := s.works[0]
		n := copy(s.works, s.works[1:])
		s.works[n] = nil
		s.works = s.works[:n]
		s.mu.Unlock()

		sv.Solve(w)

		s.mu.Lock()
		s.solved = append(s.solved, w)
		post := !s.posted
		s.posted = true
		s.mu.Unlock()
		if post {
			s.r.loop.Post(func(time.Time) {}) // the drain after it does the rest
		}
	}
}

// close waits for the work being done. The loop must have ended.
func (s *solver) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake.Signal()
	<-s.done
}
