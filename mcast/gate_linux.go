package mcast

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// A gate is where one waits for a socket that Go's poller does not know, to read or to
// write: an epoll descriptor with the socket in it, which itself waits in Go's poller.
//
// Go's poller would be told of every packet that comes while the reader is busy with those
// before, and of every one that has left: for each it wakes a thread that finds nothing to do.
// A gate is told of what somebody waits for, once.
type gate struct {
	ep     *handle
	fd     int
	events uint32
	closed atomic.Bool

	mu    sync.Mutex // those who wait take turns
	f     func(fd uintptr) bool
	armed bool
	got   [1]unix.EpollEvent
	call  func(ep uintptr) bool
}

func newGate(fd int, events uint32) (*gate, error) {
	ep, err := newEpoll()
	if err != nil {
		return nil, err
	}
	g := &gate{ep: ep, fd: fd, events: events | unix.EPOLLONESHOT}
	g.call = g.try
	// Nothing is waited for yet. Errors of the socket would be told all the same, once.
	if err := g.ctl(unix.EPOLL_CTL_ADD, unix.EPOLLONESHOT); err != nil {
		ep.file.Close()
		return nil, err
	}
	return g, nil
}

// newEpoll returns an epoll descriptor in Go's poller.
func newEpoll() (*handle, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that os.NewFile polls it
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return newHandle(fd, "epoll")
}

func (g *gate) ctl(op int, events uint32) error {
	return g.ep.control(func(ep int) error {
		return os.NewSyscallError("epoll_ctl", unix.EpollCtl(ep, op, g.fd, &unix.EpollEvent{Events: events}))
	})
}

// wait calls f until it returns true, and between two calls waits for the socket. It
// returns an error when the handle is closed or the deadline has passed.
func (g *gate) wait(f func(fd uintptr) bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed.Load() {
		return os.ErrClosed
	}
	g.f = f
	defer func() { g.f = nil }()
	return g.ep.raw.Read(g.call)
}

// try is run by the poller, first of all and then when what was waited for may be there.
func (g *gate) try(ep uintptr) bool {
	if g.armed {
		// An event that is taken is the last until the gate is armed again.
		if n, err := unix.EpollWait(int(ep), g.got[:], 0); n > 0 && err == nil {
			g.armed = false
		}
	}
	if g.f(uintptr(g.fd)) {
		return true
	}
	if !g.armed {
		// What has come since f has looked is told at once.
		g.armed = unix.EpollCtl(int(ep), unix.EPOLL_CTL_MOD, g.fd, &unix.EpollEvent{Events: g.events}) == nil
	}
	return false
}

// newSocket takes over a socket without having Go's poller look after it, and closes it on
// an error. Who wants to wait for it says so; others only change its options.
func newSocket(fd int, name string, waits bool) (*handle, error) {
	// Of a descriptor that blocks os.NewFile keeps its hands off.
	h := &handle{file: os.NewFile(uintptr(fd), name)}
	err := unix.SetNonblock(fd, true)
	if err == nil {
		h.raw, err = h.file.SyscallConn()
	}
	if err == nil && waits {
		if h.in, err = newGate(fd, unix.EPOLLIN); err == nil {
			h.out, err = newGate(fd, unix.EPOLLOUT)
		}
		h.raw = gated{h.raw, h}
	}
	if err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// gated is the [syscall.RawConn] of a socket with gates.
type gated struct {
	syscall.RawConn
	h *handle
}

func (g gated) Read(f func(fd uintptr) (done bool)) error  { return g.h.in.wait(f) }
func (g gated) Write(f func(fd uintptr) (done bool)) error { return g.h.out.wait(f) }
