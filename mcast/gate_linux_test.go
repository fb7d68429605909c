package mcast

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openGated returns two sockets of which the first has gates.
func openGated(t *testing.T) (h *handle, peer int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if h, err = newSocket(pair[0], "pair", true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.close(); unix.Close(pair[1]) })
	return h, pair[1]
}

// pollers counts the epoll descriptors of this process that a socket is in.
func pollers(t *testing.T, fd int) (n int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		t.Fatal(err)
	}
	socket := regexp.MustCompile(fmt.Sprintf(`(?m)^tfd:\s+%d `, fd))
	for _, e := range all {
		b, _ := os.ReadFile("/proc/self/fdinfo/" + e.Name()) // some are gone by now
		n += len(socket.FindAll(b, -1))
	}
	return n
}

// take reads one message at a gate, and tells how often it looked.
func take(h *handle) (text string, looks int, err error) {
	b := make([]byte, 16)
	err = h.raw.Read(func(fd uintptr) bool {
		looks++
		n, err := unix.Read(int(fd), b)
		text = string(b[:max(n, 0)])
		return err != unix.EAGAIN
	})
	return text, looks, err
}

func TestGateWaitsForPackets(t *testing.T) {
	h, peer := openGated(t)
	for _, early := range []bool{true, false, false, true} {
		if early {
			unix.Write(peer, []byte("x"))
		} else {
			time.AfterFunc(10*time.Millisecond, func() { unix.Write(peer, []byte("x")) })
		}
		text, looks, err := take(h)
		if text != "x" || err != nil || early && looks != 1 {
			t.Errorf("early %v: %q after %d looks, %v", early, text, looks, err)
		}
	}
}

// What comes while nobody waits is told to nobody: Go's poller does not know the socket, and
// the gate has no event for it.
func TestGateIsQuiet(t *testing.T) {
	h, peer := openGated(t)
	if n := pollers(t, h.in.fd); n != 2 {
		t.Errorf("%d epoll descriptors have the socket, want the two gates", n)
	}
	events := func() (n int) {
		h.in.ep.control(func(ep int) error {
			var got [4]unix.EpollEvent
			fds := []unix.PollFd{{Fd: int32(ep), Events: unix.POLLIN}}
			if n, _ = unix.Poll(fds, 0); n == 0 {
				return nil
			}
			n, _ = unix.EpollWait(ep, got[:], 0)
			return nil
		})
		return n
	}
	unix.Write(peer, []byte("1"))
	if n := events(); n != 0 {
		t.Errorf("%d events of a packet that nobody waits for", n)
	}
	if text, _, err := take(h); text != "1" || err != nil {
		t.Fatalf("%q, %v", text, err)
	}
	// Somebody waits and is told; what comes after that is again nobody's business.
	time.AfterFunc(10*time.Millisecond, func() { unix.Write(peer, []byte("2")) })
	if text, _, err := take(h); text != "2" || err != nil {
		t.Fatalf("%q, %v", text, err)
	}
	unix.Write(peer, []byte("3"))
	if n := events(); n != 0 {
		t.Errorf("%d events of a packet that nobody waits for any more", n)
	}
}

func TestGateDeadlineAndClose(t *testing.T) {
	h, peer := openGated(t)
	h.setReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, _, err := take(h); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	// It stays armed then, and works.
	h.setReadDeadline(time.Time{})
	time.AfterFunc(10*time.Millisecond, func() { unix.Write(peer, []byte("x")) })
	if text, _, err := take(h); text != "x" || err != nil {
		t.Errorf("after a deadline: %q, %v", text, err)
	}
	h.setWriteDeadline(time.Unix(1, 0))
	if err := h.raw.Write(func(uintptr) bool { return true }); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("write after its deadline: %v", err)
	}
	h.setWriteDeadline(time.Time{})
	time.AfterFunc(10*time.Millisecond, func() { h.close() })
	if _, _, err := take(h); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("closed: %v", err)
	}
	if err := h.raw.Write(func(uintptr) bool { return true }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
}

// A writer waits until there is room, and no longer.
func TestGateWaitsForRoom(t *testing.T) {
	h, peer := openGated(t)
	full := 0
	send := func() error {
		return h.raw.Write(func(fd uintptr) bool {
			_, err := unix.Write(int(fd), make([]byte, 1000))
			if err == unix.EAGAIN {
				full++
			}
			return err != unix.EAGAIN
		})
	}
	for full == 0 {
		h.setWriteDeadline(time.Now().Add(50 * time.Millisecond))
		if err := send(); err != nil && (!errors.Is(err, os.ErrDeadlineExceeded) || full == 0) {
			t.Fatal(err)
		}
	}
	h.setWriteDeadline(time.Time{})
	time.AfterFunc(10*time.Millisecond, func() {
		for b := make([]byte, 2000); ; {
			if _, err := unix.Read(peer, b); err != nil {
				return
			}
		}
	})
	if err := send(); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestGateAllocatesNothing(t *testing.T) {
	h, peer := openGated(t)
	b := make([]byte, 16)
	f := func(fd uintptr) bool {
		_, err := unix.Read(int(fd), b)
		return err != unix.EAGAIN
	}
	if n := testing.AllocsPerRun(100, func() {
		unix.Write(peer, b[:1])
		h.raw.Read(f)
	}); n > 0 {
		t.Errorf("%v allocations a packet", n)
	}
}
