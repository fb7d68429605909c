//go:build !plan9

package mcast

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/gomulticast/multicast/mcast/group"
)

// explain finds the meaning and the remedy for an errno the system gave. Where
// it knows none, or err has a remedy already, it returns err as it is.
func explain(op string, err error) error {
	var f *fault
	no, ok := errnoOf(err)
	if errors.As(err, &f) || !ok {
		return err
	}
	switch no {
	case syscall.EACCES, syscall.EPERM:
		if op == "write" {
			return fail(ErrPermission, err, "a firewall rule on this host refuses the packet; look at the output rules (nft list ruleset)")
		}
		return fail(ErrPermission, err, "ports below 1024 and some options need root or a capability; use a port from 1024 on")
	case syscall.EADDRINUSE:
		if op == "join" {
			return fail(ErrJoined, err, "leave it first, or keep the membership there is")
		}
		return &fault{err, "another program holds the port and does not share it; stop it or use another port"}
	case syscall.EMSGSIZE:
		if onBSD {
			return fail(ErrTooLong, err, tooLongBSD)
		}
		return fail(ErrTooLong, err, "send at most 65507 bytes, and not more than the interface's MTU less headers when segments are sent together")
	case syscall.ENOBUFS:
		if op == "write" {
			return &fault{err, "the interface's queue stayed full; send more slowly"}
		}
	case syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN:
		if onApple && no == syscall.EHOSTUNREACH && op == "write" {
			return fail(ErrNoRoute, err, localNetwork)
		}
		return fail(ErrNoRoute, err, "check that the interface is up and has an address of the group's IP version")
	case syscall.ENODEV, syscall.ENXIO:
		return fail(ErrNoInterface, err, "the interface is gone; the connection joins and sends on it again when one of its name is back (mcast.OnEvent tells)")
	case syscall.EADDRNOTAVAIL:
		if op == "write" {
			return &fault{err, "the source address asked for is not one of this host's on that interface"}
		}
		return &fault{err, "check that the interface has an address of the group's IP version"}
	case syscall.EINVAL:
		if op == "write" {
			return &fault{err, "check the packet's source address, interface and hop limit"}
		}
	case syscall.EMFILE, syscall.ENFILE:
		return &fault{err, "too many open files; raise the limit (ulimit -n) or close connections"}
	}
	return err
}

// onBSD says that the kernel answers as FreeBSD's netinet/in_mcast.c does, which
// macOS has too: ENOSPC to too many sources, ETOOMANYREFS to too many groups.
const onBSD = onApple || runtime.GOOS == "freebsd"

const onApple = runtime.GOOS == "darwin" || runtime.GOOS == "ios"

const bsdTooManyRefs syscall.Errno = 59 // ETOOMANYREFS, which some systems have not

// Remedies for what only some systems do.
const (
	// The limit is the send buffer's size, which net.inet.udp.maxdgram sets at
	// first to 9,216.
	tooLongBSD = "set mcast.WriteBuffer to more than the datagram's length or raise net.inet.udp.maxdgram; no more than 65507 bytes"

	// macOS 15 asks the user before a program may talk to its own network.
	localNetwork = "allow the program in System Settings, Privacy & Security, Local Network; else check that the interface is up and has an address of the group's IP version"
)

// limitError says which limit a change of g's filter to f ran into. IPv4 answers
// ENOBUFS, IPv6 ENOMEM for groups and ENOBUFS for sources; what it was about is known
// on Linux, else guessed.
func limitError(err error, g netip.Addr, f group.Filter, multi bool) error {
	no, _ := errnoOf(err)
	l := &limit{sources: len(f.Sources) > 1 || f.Mode == group.Exclude && len(f.Sources) > 0}
	switch {
	case no == syscall.ENOBUFS || no == syscall.ENOMEM:
	case onBSD && no == syscall.ENOSPC:
		l.sources = true
	case onBSD && no == bsdTooManyRefs:
		l.sources = false
	default:
		return err
	}
	errors.As(err, &l)
	if runtime.GOOS != "linux" {
		return limitElsewhere(err, g, l.sources)
	}
	sysctl, spread := "net.ipv4.igmp_max_memberships", "open the connection with mcast.MultiGroup() or mcast.Funnel(), which use more sockets"
	if g.Is6() {
		sysctl = "net.core.optmem_max"
	}
	sentinel := ErrGroupLimit
	if l.sources {
		sentinel = ErrSourceLimit
		sysctl = "net.ipv4.igmp_max_msf"
		if g.Is6() {
			sysctl = "net.ipv6.mld_max_msf"
		}
		if f.Mode == group.Exclude {
			spread = "use mcast.Funnel(), join without excluding and compare each packet's Src"
		}
		if errors.Is(err, syscall.ENOMEM) {
			sysctl = "net.core.optmem_max"
		}
	}
	if multi && f.Mode == group.Include {
		spread = "leave something"
	}
	return fail(sentinel, err, "%s, or raise %s", spread, sysctlNow(sysctl))
}

// sysctlNow returns a setting's name and, where it can be read, its value.
func sysctlNow(name string) string {
	b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return name
	}
	return name + ", now " + strings.TrimSpace(string(b))
}

// limitElsewhere is limitError for systems other than Linux.
func limitElsewhere(err error, g netip.Addr, sources bool) error {
	if !sources {
		return fail(ErrGroupLimit, err, "open another connection for more groups")
	}
	raise := ""
	if onBSD {
		raise = ", or raise net.inet.ip.mcast.maxsocksrc"
		if g.Is6() {
			raise = ", or raise net.inet6.ip6.mcast.maxsocksrc"
		}
	}
	return fail(ErrSourceLimit, err, "open another connection for more sources%s", raise)
}

// errnoOf finds the system's errno in err.
func errnoOf(err error) (syscall.Errno, bool) {
	var no syscall.Errno
	ok := errors.As(err, &no)
	if runtime.GOOS == "windows" {
		no = fromWinsock(no)
	}
	return no, ok
}

// winsockBase is what Windows Sockets adds to the errno of 4.3BSD (winsock2.h,
// WSABASEERR).
const winsockBase = 10000

// fromWinsock turns an error of Windows Sockets into the errno that package syscall
// has for it, and leaves all else as it is. Package syscall's own are numbers that
// Windows never gives.
func fromWinsock(no syscall.Errno) syscall.Errno {
	if no < winsockBase {
		return no
	}
	switch no - winsockBase {
	case 13:
		return syscall.EACCES
	case 22:
		return syscall.EINVAL
	case 24:
		return syscall.EMFILE
	case 40:
		return syscall.EMSGSIZE
	case 42:
		return syscall.ENOPROTOOPT
	case 45:
		return syscall.EOPNOTSUPP
	case 48:
		return syscall.EADDRINUSE
	case 49:
		return syscall.EADDRNOTAVAIL
	case 50:
		return syscall.ENETDOWN
	case 51:
		return syscall.ENETUNREACH
	case 55:
		return syscall.ENOBUFS
	case 65:
		return syscall.EHOSTUNREACH
	}
	return no
}

// isGone reports whether a membership could not be changed because its interface, or
// it, is no longer there.
func isGone(err error) bool {
	return isErrno(err, syscall.ENODEV) || isErrno(err, syscall.ENXIO) || isErrno(err, syscall.EADDRNOTAVAIL)
}

// isQueueFull reports whether a send failed for want of a moment: the
// interface's queue is full.
func isQueueFull(err error) bool { return isErrno(err, syscall.ENOBUFS) }

func isNoMemory(err error) bool { return isErrno(err, syscall.ENOMEM) }

// isNoOption reports whether the system does not know the option.
func isNoOption(err error) bool {
	return isErrno(err, syscall.ENOPROTOOPT) || isErrno(err, syscall.EOPNOTSUPP)
}

func isErrno(err error, want syscall.Errno) bool {
	no, ok := errnoOf(err)
	return ok && no == want || errors.Is(err, want)
}

// isSystem reports whether an error came from the system and not from a library.
func isSystem(err error) bool {
	var no syscall.Errno
	return errors.As(err, &no)
}
