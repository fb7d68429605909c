package mcast

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// shareControl lets several programs bind the group's port.
func shareControl(_, _ string, raw syscall.RawConn) error {
	var err error
	if cerr := raw.Control(func(fd uintptr) {
		err = os.NewSyscallError("setsockopt SO_REUSEADDR", windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_REUSEADDR, 1))
	}); cerr != nil {
		return cerr
	}
	return err
}

func readBufferSize(raw syscall.RawConn) (n int) {
	raw.Control(func(fd uintptr) {
		n, _ = windows.GetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_RCVBUF)
	})
	return n
}
