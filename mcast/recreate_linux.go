package mcast

import (
	"net"
	"os"
)

// bindsLink reports whether the socket's bind ties it to one interface index: that
// of a link-local group does, and what it ties only CAP_NET_RAW could untie.
func (c *config) bindsLink() bool {
	return !c.wildcard() && c.group.Addr().Is6() && needsZone(c.group.Addr())
}

// rebind makes the first socket use another interface for sending, and for its bind
// if that names one. What is queued survives unless it is bound to a link.
func (s *sockLinux) rebind(ifi *net.Interface) error {
	s.cfg.move(ifi)
	if s.cfg.bindsLink() {
		return s.recreate()
	}
	err := s.reading.Load().h.control(func(fd int) error {
		o := options{fd: fd}
		o.multicastIf(s.cfg)
		return o.err
	})
	return err
}

// relocate finds out anew which address packets leave from.
func (s *sockLinux) relocate() {
	if s.cfg.send {
		s.locate(s.reading.Load().h)
	}
}

// recreate replaces the first socket, which holds no memberships now. Blocked
// readers and writers go on with the new one.
func (s *sockLinux) recreate() error {
	old := s.reading.Load().h
	like := settings{cfg: s.cfg}
	fd := -1
	err := old.inNamespace(func() (err error) {
		fd, err = like.open()
		return err
	})
	if err != nil {
		return err
	}
	h, err := newSocket(fd, "udp:"+s.cfg.group.String(), true)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	s.redirect(func(*reading) *reading {
		s.rx.renew(like.caps.ReceiveOffload)
		return &reading{h: h}
	})
	s.pool.holders[0].h = h
	err = old.close()
	s.tx.renew(like.clock)
	return err
}
