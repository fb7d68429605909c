package mcast

import (
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// An inlet is one of several sockets that a connection receives from.
type inlet struct {
	h  *handle
	rx *receiver

	// Arguments and results of many and one, made once because a closure passed
	// to RawConn.Control escapes. Guarded by shards.mu.
	many, one func(fd uintptr)
	ps        []datagram.Packet
	b         []byte
	n         int
	p         datagram.Packet
	err       error
}

func newInlet(h *handle, rx *receiver) *inlet {
	in := &inlet{h: h, rx: rx}
	in.many = func(fd uintptr) { in.n, _, in.err = in.rx.poll(fd, in.ps) }
	in.one = func(fd uintptr) {
		var ok bool
		ok, _, in.err = in.rx.pollOne(fd, in.b, &in.p)
		in.n = bit(ok)
	}
	return in
}

// shards reads several sockets: an epoll descriptor has them all, and is itself
// what waits in Go's poller.
type shards struct {
	ep     *handle
	inlets atomic.Pointer[[]*inlet] // by number; nil where one was closed

	mu     sync.Mutex // readers take turns
	wait   func(fd uintptr) bool
	events [maxReady]unix.EpollEvent
	ready  int // events got
	next   int // the one to look at
	err    error
}

// maxReady is how many sockets with packets are looked up at once.
const maxReady = 64

func newShards(first *inlet) (*shards, error) {
	ep, err := newEpoll()
	if err != nil {
		return nil, err
	}
	s := &shards{ep: ep}
	s.inlets.Store(new([]*inlet))
	s.wait = s.epollWait
	// The first one's receiver may hold packets of which epoll does not know.
	s.ready = 1 // events[0] names inlet 0
	if err := s.add(first); err != nil {
		s.ep.close()
		return nil, err
	}
	return s, nil
}

// add makes in one of those that are read.
func (s *shards) add(in *inlet) error {
	list := slices.Clone(*s.inlets.Load())
	id := slices.Index(list, nil)
	if id < 0 {
		id = len(list)
		list = append(list, nil)
	}
	list[id] = in
	s.inlets.Store(&list)
	return in.h.control(func(fd int) error { return s.ctl(unix.EPOLL_CTL_ADD, fd, id) })
}

// remove ends the reading of in.
func (s *shards) remove(in *inlet) {
	in.h.control(func(fd int) error { return s.ctl(unix.EPOLL_CTL_DEL, fd, 0) })
	list := slices.Clone(*s.inlets.Load())
	if id := slices.Index(list, in); id >= 0 {
		list[id] = nil
	}
	s.inlets.Store(&list)
}

func (s *shards) ctl(op, fd, id int) error {
	return s.ep.control(func(ep int) error {
		return os.NewSyscallError("epoll_ctl", unix.EpollCtl(ep, op, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(id)}))
	})
}

// epollWait is run by the poller when one of the sockets may be readable.
func (s *shards) epollWait(fd uintptr) bool {
	for {
		n, err := unix.EpollWait(int(fd), s.events[:], 0)
		if err == unix.EINTR {
			continue
		}
		s.ready, s.next, s.err = max(n, 0), 0, os.NewSyscallError("epoll_wait", err)
		return n != 0
	}
}

// await waits until some socket may have packets.
func (s *shards) await() error {
	if err := s.ep.raw.Read(s.wait); err != nil {
		return err
	}
	return s.err
}

// turn returns the socket whose turn it is and steps to the next, unless the
// receiver keeps packets of its own, which epoll knows nothing of.
func (s *shards) turn() *inlet {
	list := *s.inlets.Load()
	if id := int(s.events[s.next].Fd); id < len(list) {
		return list[id] // may be nil
	}
	return nil
}

func (s *shards) step(in *inlet) {
	if in == nil || in.rx.stash.empty() {
		s.next++
	}
}

// read is receiver.read over all sockets. Each that is ready gets an equal share of
// ps, and the kernel puts those that stay ready behind the others.
func (s *shards) read(ps []datagram.Packet) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ps = ps[:min(len(ps), BatchSize)]
	if len(ps) == 0 {
		return 0, nil
	}
	for n := 0; ; {
		for s.next < s.ready && n < len(ps) {
			in := s.turn()
			if in != nil {
				left := s.ready - s.next
				in.ps = ps[n : n+(len(ps)-n+left-1)/left]
				err := in.h.raw.Control(in.many)
				in.ps = nil
				switch {
				case err != nil:
					in = nil // it was closed
				case in.err != nil:
					s.next++
					return n, in.err
				default:
					n += in.n
				}
			}
			s.step(in)
		}
		if n > 0 {
			return n, nil
		}
		if s.next < s.ready {
			continue
		}
		if err := s.await(); err != nil {
			return 0, err
		}
	}
}

// readOne is receiver.readOne over all sockets.
func (s *shards) readOne(b []byte) (datagram.Packet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for s.next < s.ready {
			in := s.turn()
			if in == nil {
				s.step(nil)
				continue
			}
			in.b, in.n, in.err = b, 0, nil
			err := in.h.raw.Control(in.one)
			p := in.p
			in.b, in.p.Data = nil, nil
			if err != nil {
				s.step(nil)
				continue
			}
			s.step(in)
			if in.err != nil || in.n > 0 {
				return p, in.err
			}
		}
		if err := s.await(); err != nil {
			return datagram.Packet{}, err
		}
	}
}
