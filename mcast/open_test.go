//go:build linux

package mcast

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestOpenErrors(t *testing.T) {
	tests := []struct {
		addr string
		opts []Option
		want error
		text string // part of the message: what happened or what to do
	}{
		{"224.1.2.3:0", nil, ErrPort, `mcast: open 224.1.2.3:0: no usable port; give a port between 1 and 65535, as in "224.1.2.3:5004"`},
		{"224.1.2.3:65536", nil, ErrPort, `as in "224.1.2.3:5004"`},
		{"224.1.2.3", nil, ErrPort, `as in "224.1.2.3:5004"`},
		{"ff15::1", nil, ErrPort, `as in "[ff15::1]:5004"`},
		{"224.1.2.3:x", nil, ErrPort, "port"},
		{"", nil, ErrAddress, "write it as"},
		{"ff15::1:5004:x", nil, ErrAddress, "write it as"},
		{"localhost:5004", nil, ErrAddress, "names are not looked up"},
		{"192.0.2.1:5004", nil, ErrNotMulticast, "give a group from 224.0.0.0/4"},
		{"[2001:db8::1]:5004", nil, ErrNotMulticast, "ff00::/8"},
		{"232.1.2.3:5004", []Option{onLo}, ErrNeedSource, "mcast.Source"},
		{"[ff3e::1234]:5004", []Option{onLo}, ErrNeedSource, "mcast.Source"},
		{"232.1.2.3:5004", []Option{onLo, Source("ff15::1")}, ErrBadSource, "cannot send"},
		{"232.1.2.3:5004", []Option{onLo, Source("2001:db8::1")}, ErrBadSource, "cannot send"},
		{"232.1.2.3:5004", []Option{onLo, Source("0.0.0.0")}, ErrBadSource, "cannot send"},
		{"232.1.2.3:5004", []Option{onLo, Source("sender")}, ErrBadSource, `mcast.Source("192.0.2.10")`},
		{"232.1.2.3:5004", []Option{onLo, Source("192.0.2.1"), Source("192.0.2.1")}, ErrJoined, "once"},
		{"[ff02::1]:5004", nil, ErrInterfaceRequired, "this host has"},
		{"[ff02::1%lo]:5004", []Option{Interface("lo0")}, ErrNoInterface, "no interface is called lo0"},
		{"239.255.1.1:5004", []Option{Interface("nosuch")}, ErrNoInterface, "no interface is called nosuch; this host has"},
		{"239.255.1.1:5004", []Option{Interface("203.0.113.77")}, ErrNoInterface, "has the address 203.0.113.77"},
		{"239.255.1.1:5004", []Option{Interface("99999")}, ErrNoInterface, "99999"},
		{"239.255.1.1:5004", []Option{Interface("")}, ErrNoInterface, "leave it out"},
		{"239.255.1.1:5004", []Option{TTL(256)}, ErrOption, "0 to 255"},
		{"239.255.1.1:5004", []Option{TTL(-1)}, ErrOption, "0 to 255"},
		{"239.255.1.1:5004", []Option{TOS(256)}, ErrOption, "0 to 255"},
		{"239.255.1.1:5004", []Option{ReadBuffer(0)}, ErrOption, "1 GiB"},
		{"239.255.1.1:5004", []Option{WriteBuffer(-1)}, ErrOption, "1 GiB"},
	}
	for _, tt := range tests {
		c, err := Open(context.Background(), tt.addr, tt.opts...)
		if err == nil {
			c.Close()
			t.Errorf("open %q succeeded, want %v", tt.addr, tt.want)
			continue
		}
		var oe *OpError
		if !errors.As(err, &oe) || oe.Op != "open" || oe.Addr != tt.addr || oe.Remedy == "" {
			t.Errorf("open %q: %#v is no OpError with a remedy", tt.addr, err)
		}
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("open %q: %q, want %q with %q", tt.addr, err, tt.want, tt.text)
		}
	}
	if _, err := Dial(context.Background(), "232.1.2.3:5004", onLo, Source("127.0.0.1")); !errors.Is(err, ErrOption) {
		t.Errorf("dial with a source: %v", err)
	}
	if _, err := Listen(context.Background(), "[ff02::1%lo]:5004", Interface("127.0.0.1")); err != nil && errors.Is(err, ErrOption) {
		t.Errorf("zone and option name the same interface, yet: %v", err)
	}
}

func TestOpenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, loAddr("239.255.8.1"), onLo); !errors.Is(err, context.Canceled) {
		t.Errorf("open with a cancelled context: %v", err)
	}
}

func TestInterfaceSelection(t *testing.T) {
	lo := mustOpen(t, openSocket, both, loAddr("239.255.8.2"), onLo).Interface()
	for _, sel := range []string{"lo", strconv.Itoa(lo.Index), "127.0.0.1"} {
		c := mustOpen(t, openSocket, both, loAddr("239.255.8.3"), Interface(sel))
		if got := c.Interface(); got.Index != lo.Index || got.Name != "lo" {
			t.Errorf("Interface(%q) chose %s (%d)", sel, got.Name, got.Index)
		}
	}
}

func TestReadBufferSize(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		// 100 kB is below every system's limit, so it is got exactly.
		c := mustOpen(t, open, both, loAddr("239.255.8.4"), onLo, ReadBuffer(100_000), WriteBuffer(100_000))
		if n := c.ReadBuffer(); n != 100_000 {
			t.Errorf("ReadBuffer %d, want 100000", n)
		}
	})
}

func TestSyscallConn(t *testing.T) {
	bothSockets(t, func(t *testing.T, open opener) {
		c := mustOpen(t, open, both, loAddr("239.255.8.5"), onLo)
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		called := false
		if err := raw.Control(func(uintptr) { called = true }); err != nil || !called {
			t.Errorf("Control: %v, called %v", err, called)
		}
	})
}

func TestExplain(t *testing.T) {
	tests := []struct {
		op   string
		no   syscall.Errno
		want error
		text string
	}{
		{"write", syscall.EPERM, ErrPermission, "firewall"},
		{"open", syscall.EACCES, ErrPermission, "below 1024"},
		{"join", syscall.EADDRINUSE, ErrJoined, "leave it first"},
		{"open", syscall.EADDRINUSE, syscall.EADDRINUSE, "another program"},
		{"write", syscall.EMSGSIZE, ErrTooLong, "65507"},
		{"write", syscall.ENOBUFS, syscall.ENOBUFS, "more slowly"},
		{"write", syscall.ENETUNREACH, ErrNoRoute, "is up"},
		{"join", syscall.ENODEV, ErrNoInterface, "gone"},
		{"write", syscall.EINVAL, syscall.EINVAL, "source address"},
		{"open", syscall.EMFILE, syscall.EMFILE, "ulimit"},
	}
	for _, tt := range tests {
		err := opError(tt.op, os.NewSyscallError("call", tt.no), OpError{Interface: "eth0"})
		if !errors.Is(err, tt.want) || !errors.Is(err, tt.no) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s %v: %q, want %q with %q", tt.op, tt.no, err, tt.want, tt.text)
		}
	}
	if err := opError("open", os.NewSyscallError("bind", syscall.EACCES), OpError{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is not fs.ErrPermission", err)
	}
	if err := unsupported("flying"); !errors.Is(err, errors.ErrUnsupported) || !strings.HasPrefix(err.Error(), "flying is not supported on ") {
		t.Errorf("%v", err)
	}
}
