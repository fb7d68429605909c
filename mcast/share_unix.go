//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package mcast

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// shareControl lets several programs bind the group's port. BSD systems want
// SO_REUSEPORT for that; on Linux it would exclude programs that did not set it.
func shareControl(_, _ string, raw syscall.RawConn) error {
	var err error
	if cerr := raw.Control(func(fd uintptr) {
		err = os.NewSyscallError("setsockopt SO_REUSEADDR", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
		if err == nil && runtime.GOOS != "linux" {
			err = os.NewSyscallError("setsockopt SO_REUSEPORT", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
		}
	}); cerr != nil {
		return cerr
	}
	return err
}

func readBufferSize(raw syscall.RawConn) (n int) {
	raw.Control(func(fd uintptr) {
		n, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	})
	if runtime.GOOS == "linux" {
		n /= 2 // Linux reports its book-keeping with it
	}
	return n
}
