package mcast

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A netns is a network namespace of its own. Sockets opened in do stay in it.
type netns struct{ name string }

var nextNS atomic.Uint32

// newNS makes a namespace with lo up, or skips the test where that is not allowed.
func newNS(t *testing.T) netns {
	t.Helper()
	n := netns{fmt.Sprintf("mcast-%d-%d", os.Getpid(), nextNS.Add(1))}
	if err := ip("netns", "add", n.name); err != nil {
		if os.Getenv("MULTICAST_LAB") == "required" {
			t.Fatalf("network namespaces are required: %v", err)
		}
		t.Skipf("needs network namespaces: %v", err)
	}
	t.Cleanup(func() {
		if err := ip("netns", "del", n.name); err != nil {
			t.Error(err)
		}
	})
	n.ip(t, "link set lo up")
	return n
}

func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (n netns) ip(t *testing.T, args string) {
	t.Helper()
	if err := ip(append([]string{"-n", n.name}, strings.Fields(args)...)...); err != nil {
		t.Fatal(err)
	}
}

// do runs f in the namespace, on a thread that ends with it: a thread that was in
// another namespace must not be used for anything else.
func (n netns) do(t *testing.T, f func()) {
	t.Helper()
	if err := n.try(f); err != nil {
		t.Fatal(err)
	}
}

// try is do for goroutines other than the test's.
func (n netns) try(f func()) error {
	errs := make(chan error)
	go func() {
		runtime.LockOSThread()
		h, err := os.Open(filepath.Join("/var/run/netns", n.name))
		if err == nil {
			err = unix.Setns(int(h.Fd()), unix.CLONE_NEWNET)
			h.Close()
		}
		defer func() { errs <- err }() // also when f ends the goroutine
		if err == nil {
			f()
		}
	}()
	return <-errs
}

// open opens a connection in the namespace.
func (n netns) open(t *testing.T, open opener, mode config, addr string, opts ...Option) (c *Conn) {
	t.Helper()
	n.do(t, func() { c = mustOpen(t, open, mode, addr, opts...) })
	if t.Failed() {
		t.FailNow()
	}
	return c
}

// link joins a and b by a veth pair called va in a and vb in b, with addresses
// 10.net.0.1 and fd00:net::1 in a, and .2 and ::2 in b.
func link(t *testing.T, a, b netns, va, vb string, net int) {
	t.Helper()
	a.ip(t, fmt.Sprintf("link add %s type veth peer name %s netns %s", va, vb, b.name))
	for i, e := range []struct {
		ns  netns
		dev string
	}{{a, va}, {b, vb}} {
		e.ns.ip(t, fmt.Sprintf("addr add 10.%d.0.%d/24 dev %s", net, i+1, e.dev))
		e.ns.ip(t, fmt.Sprintf("addr add fd00:%d::%d/64 dev %s nodad", net, i+1, e.dev))
		// A link-local address that need not wait for duplicate detection.
		e.ns.ip(t, fmt.Sprintf("link set %s addrgenmode none", e.dev))
		e.ns.ip(t, fmt.Sprintf("link set %s up", e.dev))
		e.ns.ip(t, fmt.Sprintf("addr add fe80::%d/64 dev %s nodad", i+1, e.dev))
	} // Carrier, and with it IPv6, comes up a little later.
	for range 300 {
		if a.ready(t, va) && b.ready(t, vb) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the link %s to %s does not come up", va, vb)
}

func (n netns) ready(t *testing.T, dev string) bool {
	t.Helper()
	state, err := exec.Command("ip", "-n", n.name, "link", "show", dev).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, state)
	}
	routes, err := exec.Command("ip", "-n", n.name, "-6", "route", "show", "table", "local", "dev", dev).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, routes)
	}
	return strings.Contains(string(state), "state UP") && strings.Contains(string(routes), "ff00::/8") && strings.Contains(string(routes), "fe80::")
}
