//go:build darwin || freebsd || linux

package mcast

import "golang.org/x/sys/unix"

func setsockopt(fd uintptr, level, opt int, value []byte) error {
	return unix.SetsockoptString(int(fd), level, opt, string(value))
}

func getsockoptInt(fd uintptr, level, opt int) (int, error) {
	return unix.GetsockoptInt(int(fd), level, opt)
}

func sendsTOS() bool { return true }
