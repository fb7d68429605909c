package mcast

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// reading is what readers and writers use now: the first socket, and with it others
// when there are.
type reading struct {
	h      *handle
	shards *shards // nil when there is just h
}

// A bend leads those who are blocked on one reading to the next.
type bend struct {
	mu       sync.Mutex
	deadline time.Time   // for readers
	limit    time.Time   // for writers
	under    atomic.Bool // mu is held by redirect
}

// poll is the handle that readers wait on.
func (r *reading) poll() *handle {
	if r.shards != nil {
		return r.shards.ep
	}
	return r.h
}

// redirect replaces what is read. Change runs while no reader is inside; it returns
// what to read from now on. A blocked reader goes on there, under its deadline.
func (s *sockLinux) redirect(change func(now *reading) *reading) {
	b := &s.bend
	b.mu.Lock()
	defer b.mu.Unlock()
	b.under.Store(true)
	defer b.under.Store(false)
	now := s.reading.Load()
	// A deadline long past makes the reader leave and its lock come free.
	now.poll().setReadDeadline(longAgo)
	unlock := s.lockReaders(now)
	next := *change(now) // never the same pointer, so that readers notice
	next.poll().setReadDeadline(b.deadline)
	next.h.setWriteDeadline(b.limit)
	s.reading.Store(&next)
	unlock()
}

func (s *sockLinux) lockReaders(r *reading) (unlock func()) {
	if r.shards == nil {
		s.rx.mu.Lock()
		return s.rx.mu.Unlock
	}
	r.shards.mu.Lock()
	return r.shards.mu.Unlock
}

// redirected reports whether r is no longer what to read, so that an error of
// reading it means nothing.
func (s *sockLinux) redirected(r *reading) bool {
	if !s.bend.under.Load() {
		return s.reading.Load() != r
	}
	s.bend.wait()
	return true
}

// wait waits until a redirect is done.
func (b *bend) wait() {
	b.mu.Lock()
	defer b.mu.Unlock()
}

func (s *sockLinux) read(b []byte) (datagram.Packet, error) {
	for {
		r := s.reading.Load()
		var p datagram.Packet
		var err error
		if r.shards == nil {
			p, err = s.rx.readOne(r.h.raw, b)
		} else {
			p, err = r.shards.readOne(b)
		}
		if err == nil || !s.redirected(r) {
			return p, err
		}
	}
}

func (s *sockLinux) readBatch(ps []datagram.Packet) (int, error) {
	for {
		r := s.reading.Load()
		var n int
		var err error
		if r.shards == nil {
			n, err = s.rx.read(r.h.raw, ps)
		} else {
			n, err = r.shards.read(ps)
		}
		if err == nil || n > 0 || !s.redirected(r) {
			return n, err
		}
	}
}

func (s *sockLinux) write(b []byte, dst netip.AddrPort) error {
	for {
		r := s.reading.Load()
		err := s.tx.writeOne(r.h.raw, b, dst)
		if err == nil || !s.redirected(r) {
			return err
		}
	}
}

func (s *sockLinux) writeBatch(ps []datagram.Packet) (int, error) {
	sent := 0
	for {
		r := s.reading.Load()
		n, err := s.tx.write(r.h.raw, ps[sent:])
		sent += n
		if err == nil || !s.redirected(r) {
			return sent, err
		}
	}
}

func (s *sockLinux) setCoalescing(d time.Duration, room int) { s.rx.gather.set(d, room) }

func (s *sockLinux) setReadDeadline(t time.Time) error {
	s.bend.mu.Lock()
	defer s.bend.mu.Unlock()
	s.bend.deadline = t
	return s.reading.Load().poll().setReadDeadline(t)
}

func (s *sockLinux) setWriteDeadline(t time.Time) error {
	s.bend.mu.Lock()
	defer s.bend.mu.Unlock()
	s.bend.limit = t
	return s.reading.Load().h.setWriteDeadline(t)
}

func (s *sockLinux) syscallConn() (syscall.RawConn, error) { return s.reading.Load().h.raw, nil }
