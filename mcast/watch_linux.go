package mcast

import (
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// netlinkWatch is a watcher on an rtnetlink socket, which belongs to the network
// namespace it was opened in.
type netlinkWatch struct {
	h      *handle
	is4    bool
	buf    []byte
	seq    uint32
	begun  bool
	missed []linkEvent // that came while a list was asked for
}

// netlinkBuffer is the kernel's own largest message.
const netlinkBuffer = 32 << 10

// newWatch opens the watcher of this system.
func newWatch(is4 bool) (watcher, error) {
	w, err := newNetlinkWatch(is4)
	if err != nil {
		// Imitations of Linux, and Android, may not have it.
		return newPollWatch(func() ([]linkEvent, error) { return listLinks(is4) }, pollInterval), nil
	}
	return w, nil
}

func newNetlinkWatch(is4 bool) (*netlinkWatch, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV6_IFADDR)
	if is4 {
		groups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	h, err := newHandle(fd, "netlink")
	if err != nil {
		return nil, err
	}
	return &netlinkWatch{h: h, is4: is4, buf: make([]byte, netlinkBuffer)}, nil
}

func (w *netlinkWatch) close() error { return w.h.file.Close() }

func (w *netlinkWatch) next() (linkChange, error) {
	again := w.begun
	w.begun = true
	for {
		if !again {
			if all, err := w.list(); err == nil {
				return linkChange{events: all, all: true}, nil
			} else if errors.Is(err, net.ErrClosed) {
				return linkChange{}, err
			}
			// Whatever it was, changes can still be heard of.
		}
		if events := w.missed; len(events) > 0 {
			w.missed = nil
			return linkChange{events: events}, nil
		}
		r, err := w.receive()
		switch {
		case errors.Is(err, net.ErrClosed):
			return linkChange{}, err
		case err != nil: // ENOBUFS: there was more than the socket could queue
			again = false
		case len(r.events) > 0:
			return linkChange{events: r.events}, nil
		default:
			again = true
		}
	}
}

// How a list is asked for.
const (
	listTries = 5
	listPause = 50 * time.Millisecond
	listWait  = 2 * time.Second // for the kernel, which answers at once
)

// list asks for all links and addresses there are.
func (w *netlinkWatch) list() (all []linkEvent, err error) {
	defer w.h.file.SetReadDeadline(time.Time{})
	family := byte(unix.AF_INET6)
	if w.is4 {
		family = unix.AF_INET
	}
	for range listTries {
		w.missed = nil // the list tells what came of it
		w.h.file.SetReadDeadline(time.Now().Add(listWait))
		if all, err = w.dump(unix.RTM_GETLINK, unix.AF_UNSPEC, nil); err == nil {
			if all, err = w.dump(unix.RTM_GETADDR, family, all); err == nil {
				return all, nil
			}
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		time.Sleep(listPause)
	}
	return nil, err
}

var errListChanged = errors.New("interfaces changed while they were listed")

func (w *netlinkWatch) dump(typ uint16, family byte, all []linkEvent) ([]linkEvent, error) {
	w.seq++
	var err error
	if w.h.raw.Control(func(fd uintptr) {
		err = unix.Sendto(int(fd), dumpRequest(typ, family, w.seq), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}) != nil {
		return all, net.ErrClosed
	}
	if err != nil {
		return all, os.NewSyscallError("sendto", err)
	}
	broken := false
	for {
		r, err := w.receive()
		if err != nil {
			return all, err
		}
		all = append(all, r.answers...)
		// The kernel makes the first part of a list when it is asked for. What
		// is queued before that is older, and would bring back interfaces that
		// are gone by now.
		if len(all) > 0 {
			w.missed = append(w.missed, r.events...)
		}
		broken = broken || r.broken
		if r.done && broken {
			return all, errListChanged
		}
		if r.done {
			return all, nil
		}
	}
}

// receive waits for messages of the kernel's.
func (w *netlinkWatch) receive() (routeReply, error) {
	n, from, err := 0, unix.Sockaddr(nil), error(nil)
	rerr := w.h.raw.Read(func(fd uintptr) bool {
		for {
			n, from, err = unix.Recvfrom(int(fd), w.buf, unix.MSG_DONTWAIT)
			if err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	if errors.Is(rerr, os.ErrDeadlineExceeded) {
		return routeReply{}, rerr // list's
	}
	if rerr != nil {
		return routeReply{}, net.ErrClosed
	}
	if err != nil {
		return routeReply{}, os.NewSyscallError("recvfrom", err)
	}
	if sa, ok := from.(*unix.SockaddrNetlink); !ok || sa.Pid != 0 {
		return routeReply{}, nil // not from the kernel
	}
	return parseChanges(w.buf[:n], w.seq), nil
}
