//go:build !plan9

package mcast

import (
	"errors"
	"syscall"
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
		return fail(ErrNoInterface, err, "the interface is gone; open the connection again when it is back")
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

// limitError says which limit a join ran into. IPv4 answers ENOBUFS, IPv6 ENOMEM
// for groups and ENOBUFS for sources; more says that another source of the group
// is joined already.
func limitError(err error, more bool) error {
	if !errors.Is(err, syscall.ENOBUFS) && !errors.Is(err, syscall.ENOMEM) {
		return err
	}
	if more {
		return fail(ErrSourceLimit, err, "filter further sources yourself with one any-source join, open another connection for them, or raise net.ipv4.igmp_max_msf or net.ipv6.mld_max_msf")
	}
	return fail(ErrGroupLimit, err, "open another connection for further groups, or raise net.ipv4.igmp_max_memberships (IPv4) or net.core.optmem_max (IPv6)")
}

// isQueueFull reports whether a send failed for want of a moment: the
// interface's queue is full.
func isQueueFull(err error) bool { return errors.Is(err, syscall.ENOBUFS) }

// isSystem reports whether an error came from the system and not from a library.
func isSystem(err error) bool {
	var no syscall.Errno
	return errors.As(err, &no)
}
