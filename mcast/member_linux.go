package mcast

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/group"
)

func (s *sockLinux) join(ch group.Channel) error {
	opt, b := unix.MCAST_JOIN_GROUP, groupReq(s.cfg.ifi.Index, ch, wordSize)
	if !ch.AnySource() {
		opt = unix.MCAST_JOIN_SOURCE_GROUP
	}
	return s.membership(opt, b, "setsockopt MCAST_JOIN")
}

func (s *sockLinux) leave(ch group.Channel) error {
	opt, b := unix.MCAST_LEAVE_GROUP, groupReq(s.cfg.ifi.Index, ch, wordSize)
	if !ch.AnySource() {
		opt = unix.MCAST_LEAVE_SOURCE_GROUP
	}
	return s.membership(opt, b, "setsockopt MCAST_LEAVE")
}

func (s *sockLinux) membership(opt int, req []byte, name string) error {
	level := unix.IPPROTO_IP
	if s.cfg.group.Addr().Is6() {
		level = unix.IPPROTO_IPV6
	}
	var err error
	if cerr := s.raw.Control(func(fd uintptr) {
		err = unix.SetsockoptString(int(fd), level, opt, string(req))
	}); cerr != nil {
		return cerr
	}
	return os.NewSyscallError(name, err)
}
