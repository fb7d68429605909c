package mcast

import (
	"sync"

	"golang.org/x/sys/windows"
)

func setsockopt(fd uintptr, level, opt int, value []byte) error {
	return windows.Setsockopt(windows.Handle(fd), int32(level), int32(opt), &value[0], int32(len(value)))
}

func getsockoptInt(fd uintptr, level, opt int) (int, error) {
	return windows.GetsockoptInt(windows.Handle(fd), level, opt)
}

// sendsTOS reports whether this Windows sends a TOS that comes with a packet. Where
// it does not, setting IP_TOS succeeds all the same and setting IPV6_TCLASS fails,
// so an IPv6 socket is asked, as msquic does.
var sendsTOS = sync.OnceValue(func() bool {
	fd, err := windows.Socket(windows.AF_INET6, windows.SOCK_DGRAM, windows.IPPROTO_UDP)
	if err != nil {
		return false
	}
	defer windows.Closesocket(fd)
	return setsockopt(uintptr(fd), ipv6Level, windowsTClass, number(0x20, 4)) == nil
})
