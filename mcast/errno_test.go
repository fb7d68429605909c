//go:build !plan9

package mcast

import (
	"errors"
	"net/netip"
	"os"
	"syscall"
	"testing"
)

func TestWinsockErrors(t *testing.T) {
	for no, want := range map[syscall.Errno]syscall.Errno{
		10013: syscall.EACCES, 10022: syscall.EINVAL, 10040: syscall.EMSGSIZE,
		10042: syscall.ENOPROTOOPT, 10048: syscall.EADDRINUSE, 10049: syscall.EADDRNOTAVAIL,
		10051: syscall.ENETUNREACH, 10055: syscall.ENOBUFS, 10065: syscall.EHOSTUNREACH,
		10061: 10061, 5: 5, 1 << 29: 1 << 29,
	} {
		if got := fromWinsock(no); got != want {
			t.Errorf("%d becomes %d, want %d", no, got, want)
		}
	}
}

// A limit, told on a system other than Linux.
func TestLimitElsewhere(t *testing.T) {
	cause := os.NewSyscallError("setsockopt", syscall.ENOSPC)
	if err := limitElsewhere(cause, netip.MustParseAddr("239.1.1.1"), true); !errors.Is(err, ErrSourceLimit) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	if err := limitElsewhere(cause, netip.MustParseAddr("ff15::1"), false); !errors.Is(err, ErrGroupLimit) {
		t.Errorf("%v", err)
	}
}
