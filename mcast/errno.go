//go:build !plan9

package mcast

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"github.com/gomulticast/multicast/mcast/group"
)

// explain finds the meaning and the remedy for an errno the system gave. Where
// it knows none, or err has a remedy already, it returns err as it is.
func explain(op string, err error) error {
	var f *fault
	var no syscall.Errno
	if errors.As(err, &f) || !errors.As(err, &no) {
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
		return fail(ErrTooLong, err, "send at most 65507 bytes, and not more than the interface's MTU less headers when segments are sent together")
	case syscall.ENOBUFS:
		if op == "write" {
			return &fault{err, "the interface's queue stayed full; send more slowly"}
		}
	case syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN:
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

// limitError says which limit a change of g's filter to f ran into. IPv4 answers
// ENOBUFS, IPv6 ENOMEM for groups and ENOBUFS for sources; what it was about is known
// on Linux, else guessed.
func limitError(err error, g netip.Addr, f group.Filter, multi bool) error {
	if !errors.Is(err, syscall.ENOBUFS) && !errors.Is(err, syscall.ENOMEM) {
		return err
	}
	l := &limit{sources: len(f.Sources) > 1 || f.Mode == group.Exclude && len(f.Sources) > 0}
	errors.As(err, &l)
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

// isGone reports whether a membership could not be changed because its interface, or
// it, is no longer there.
func isGone(err error) bool {
	return errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// isQueueFull reports whether a send failed for want of a moment: the
// interface's queue is full.
func isQueueFull(err error) bool { return errors.Is(err, syscall.ENOBUFS) }

// isSystem reports whether an error came from the system and not from a library.
func isSystem(err error) bool {
	var no syscall.Errno
	return errors.As(err, &no)
}
