package mcast

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/group"
)

// kernelFilter is the kernel's side of memberships: one descriptor's filters.
type kernelFilter struct {
	fd    int
	level int // IPPROTO_IP or IPPROTO_IPV6
}

func isLimit(err error) bool {
	return errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM)
}

// set turns the socket's filter for a group on an interface from one state into
// another: with the one call that says just that where there is one, because then
// no other source's state is touched, else with the whole filter at once. On an
// error the old state stays; errors about limits are a *limit.
func (k kernelFilter) set(ifindex int, g netip.Addr, from, to group.Filter) error {
	switch {
	case same(from, to):
		return nil
	case to.IsEmpty():
		return k.leave(ifindex, g)
	case from.IsEmpty():
		first := group.Channel{Group: g}
		opt, name := unix.MCAST_JOIN_GROUP, "setsockopt MCAST_JOIN_GROUP"
		if to.Mode == group.Include {
			first.Source = to.Sources[0]
			opt, name = unix.MCAST_JOIN_SOURCE_GROUP, "setsockopt MCAST_JOIN_SOURCE_GROUP"
		}
		if err := k.request(opt, groupReq(ifindex, first, wordSize), name); err != nil {
			return asLimit(err, false)
		}
		err := k.set(ifindex, g, filterOf(first), to)
		if err != nil {
			k.leave(ifindex, g)
		}
		return err
	case from.Mode == to.Mode:
		more, fewer := missing(to.Sources, from.Sources), missing(from.Sources, to.Sources)
		if len(more)+len(fewer) == 1 {
			return asLimit(k.one(ifindex, g, to.Mode, more, fewer), true)
		}
	}
	err := k.request(unix.MCAST_MSFILTER, groupFilter(ifindex, g, to, wordSize), "setsockopt MCAST_MSFILTER")
	return asLimit(err, true)
}

// one adds or removes a single source.
func (k kernelFilter) one(ifindex int, g netip.Addr, mode group.FilterMode, more, fewer []netip.Addr) error {
	opt, name := unix.MCAST_JOIN_SOURCE_GROUP, "setsockopt MCAST_JOIN_SOURCE_GROUP"
	switch {
	case mode == group.Exclude && len(more) > 0:
		opt, name = unix.MCAST_BLOCK_SOURCE, "setsockopt MCAST_BLOCK_SOURCE"
	case mode == group.Exclude:
		opt, name = unix.MCAST_UNBLOCK_SOURCE, "setsockopt MCAST_UNBLOCK_SOURCE"
	case len(fewer) > 0:
		opt, name = unix.MCAST_LEAVE_SOURCE_GROUP, "setsockopt MCAST_LEAVE_SOURCE_GROUP"
	}
	ch := group.Channel{Group: g, Source: append(more, fewer...)[0]}
	return k.request(opt, groupReq(ifindex, ch, wordSize), name)
}

// leave ends the membership whatever its filter. It works with the index of an
// interface that is gone too, unlike leaving a source.
func (k kernelFilter) leave(ifindex int, g netip.Addr) error {
	return k.request(unix.MCAST_LEAVE_GROUP, groupReq(ifindex, group.Channel{Group: g}, wordSize), "setsockopt MCAST_LEAVE_GROUP")
}

func (k kernelFilter) request(opt int, req []byte, name string) error {
	return os.NewSyscallError(name, unix.SetsockoptString(k.fd, k.level, opt, string(req)))
}

func asLimit(err error, sources bool) error {
	if isLimit(err) {
		return &limit{err, sources}
	}
	return err
}

// get reads the filter. The kernel tells how many sources there are and writes as
// many as there is room for.
func (k kernelFilter) get(ifindex int, g netip.Addr) (group.Filter, error) {
	for room := 0; ; {
		b := groupFilter(ifindex, g, group.Filter{Sources: make([]netip.Addr, room)}, wordSize)
		n := uint32(len(b))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(k.fd), uintptr(k.level), unix.MCAST_MSFILTER,
			uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&n)), 0)
		runtime.KeepAlive(b)
		if errno != 0 {
			return group.Filter{}, os.NewSyscallError("getsockopt MCAST_MSFILTER", errno)
		}
		f, count, ok := parseGroupFilter(b[:min(int(n), len(b))], wordSize)
		switch {
		case count > room && count <= 1<<16:
			room = count // and once more, if it grows meanwhile
			continue
		case !ok:
			return group.Filter{}, os.NewSyscallError("getsockopt MCAST_MSFILTER", unix.EINVAL)
		}
		return f.Canonical(), nil
	}
}
