//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package mcast

import "syscall"

// shareControl does nothing where it is not known how to share a port: the second
// program to open it gets an error.
func shareControl(_, _ string, _ syscall.RawConn) error { return nil }

func readBufferSize(syscall.RawConn) int { return 0 }
