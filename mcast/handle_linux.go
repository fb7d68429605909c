package mcast

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A handle is a descriptor: in Go's poller, or with gates of its own.
type handle struct {
	file *os.File
	raw  syscall.RawConn

	in, out *gate // nil if it is in Go's poller, or nobody waits for it
}

// newHandle takes over fd, which must not block, and closes it on an error. It is in Go's
// poller.
func newHandle(fd int, name string) (*handle, error) {
	h := &handle{file: os.NewFile(uintptr(fd), name)}
	raw, err := h.file.SyscallConn()
	if err != nil {
		h.file.Close()
		return nil, err
	}
	h.raw = raw
	return h, nil
}

// close ends all waiting, then closes the descriptor: who is at a gate may be using it. Who
// has been sent away from one gate finds the other closed too.
func (h *handle) close() error {
	gates := [...]*gate{h.in, h.out}
	for _, g := range gates {
		if g != nil {
			g.closed.Store(true)
		}
	}
	for _, g := range gates {
		if g != nil {
			g.ep.close()
		}
	}
	return h.file.Close()
}

func (h *handle) setReadDeadline(t time.Time) error {
	if h.in != nil {
		return h.in.ep.file.SetReadDeadline(t)
	}
	return h.file.SetReadDeadline(t)
}

func (h *handle) setWriteDeadline(t time.Time) error {
	if h.out != nil {
		return h.out.ep.file.SetReadDeadline(t) // it is there that one waits
	}
	return h.file.SetWriteDeadline(t)
}

// control runs f with the descriptor, which stays open meanwhile.
func (h *handle) control(f func(fd int) error) (err error) {
	if cerr := h.raw.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

// inNamespace runs f where new sockets are in the same network namespace as h. A
// connection opened in one stays in it, while Go runs its goroutines, and the
// caller's, on any thread. In the usual case of one namespace, f just runs.
func (h *handle) inNamespace(f func() error) error {
	ns := -1
	// Asking needs CAP_NET_ADMIN. Who has not got it cannot have changed
	// namespaces either, so all threads are in one.
	h.control(func(fd int) error {
		n, err := unix.IoctlRetInt(fd, unix.SIOCGSKNS)
		if err == nil { // else n is 0, and not a descriptor
			ns = n
		}
		return err
	})
	if ns < 0 {
		return f()
	}
	defer unix.Close(ns)
	runtime.LockOSThread()
	if sameFile(ns, "/proc/thread-self/ns/net") {
		defer runtime.UnlockOSThread()
		return f()
	}
	runtime.UnlockOSThread()
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		err := os.NewSyscallError("setns", unix.Setns(ns, unix.CLONE_NEWNET))
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

func sameFile(fd int, path string) bool {
	var a, b unix.Stat_t
	return unix.Fstat(fd, &a) == nil && unix.Stat(path, &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}
