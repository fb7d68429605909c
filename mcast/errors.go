package mcast

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/gomulticast/multicast/mcast/group"
)

// Errors to test for with errors.Is. They come wrapped in an *OpError that says
// what to do about them.
var (
	// ErrAddress means the text is not an IP address and port.
	ErrAddress = errors.New("not an IP address and port")

	// ErrPort means the port is missing or not between 1 and 65535.
	ErrPort = errors.New("no usable port")

	// ErrNotMulticast means the address is not a group (224.0.0.0/4, ff00::/8).
	ErrNotMulticast = group.ErrNotMulticast

	// ErrBadSource means a source is not a unicast address of the group's IP
	// version.
	ErrBadSource = group.ErrBadSource

	// ErrNeedSource means an any-source join in 232.0.0.0/8 or ff3x::/32, where
	// routers forward nothing without a source (RFC 4607 section 1, RFC 4604
	// section 2.2.1).
	ErrNeedSource = errors.New("a group in the source-specific range needs a source")

	// ErrNoInterface means no interface has the name, index or address given,
	// or none was given and no route leads to the group.
	ErrNoInterface = errors.New("no such interface")

	// ErrInterfaceRequired means the group exists on every link by itself, such
	// as ff02::/16, so that no route can choose one (RFC 4007 section 6).
	ErrInterfaceRequired = errors.New("a link-local group needs an interface")

	// ErrNotMulticastInterface means the interface has no MULTICAST flag.
	ErrNotMulticastInterface = errors.New("interface does not do multicast")

	// ErrNoRoute means the kernel has no way to send to the group on the
	// interface.
	ErrNoRoute = errors.New("no route to the group on this interface")

	// ErrGroupLimit means the kernel allows this socket no more groups: 20 for
	// IPv4 on Linux (net.ipv4.igmp_max_memberships), or as many as option
	// memory allows for IPv6 (net.core.optmem_max). MultiGroup and Funnel have
	// no such limit.
	ErrGroupLimit = errors.New("too many groups on one socket")

	// ErrSourceLimit means the kernel allows no more sources of this group: 10
	// for IPv4 on Linux (net.ipv4.igmp_max_msf), 64 for IPv6 (net.ipv6.mld_max_msf).
	// With MultiGroup it is met by filters that exclude only, with Funnel by none.
	ErrSourceLimit = errors.New("too many sources of one group")

	// ErrPermission means the system refused for lack of privilege, or a
	// firewall refused to send.
	ErrPermission = errors.New("not permitted")

	// ErrJoined means the channel is joined already.
	ErrJoined = errors.New("already joined")

	// ErrNotJoined means the channel to leave is not joined.
	ErrNotJoined = errors.New("not joined")

	// ErrBlocked means the source is blocked already.
	ErrBlocked = errors.New("already blocked")

	// ErrNotBlocked means the source to unblock is not blocked.
	ErrNotBlocked = errors.New("not blocked")

	// ErrMixedFilter means a group was asked for both from any source and from
	// named ones; a socket can have one or the other.
	ErrMixedFilter = errors.New("group is joined in the other way")

	// ErrSingleGroup means the connection is bound to its group and cannot
	// receive another.
	ErrSingleGroup = errors.New("connection is bound to its one group")

	// ErrFamily means an address of the other IP version.
	ErrFamily = errors.New("address is of the other IP version")

	// ErrOption means an option with a value out of range, or that does not
	// apply.
	ErrOption = errors.New("bad option")

	// ErrReceiveOnly means a write on a connection from Listen, or on a RawConn for
	// CGMP and GMRP.
	ErrReceiveOnly = errors.New("connection only receives")

	// ErrSendOnly means a read or join on a connection from Dial.
	ErrSendOnly = errors.New("connection only sends")

	// ErrTooLong means a datagram is longer than UDP, or than the interface
	// under its settings, can carry.
	ErrTooLong = errors.New("datagram too long")

	// ErrNoSpace means a packet was passed to ReadBatch without space to
	// receive into.
	ErrNoSpace = errors.New("packet has no space to receive into")
)

// An OpError is an operation that failed, on what, why, and what to do.
type OpError struct {
	// Op is "open", "listen", "dial", "open raw", "join", "leave", "block",
	// "unblock", "set filter", "get filter", "set deadline", "set outgoing",
	// "diagnose", "read" or "write".
	Op string

	// Addr is the address and port as the caller wrote it; "" when the
	// operation concerns Channel only.
	Addr string

	// Channel is what was to be joined or sent to, as far as known.
	Channel group.Channel

	// Interface is the name of the interface concerned, "" when not known.
	Interface string

	// Err is the cause. It wraps one of this package's errors, the system's
	// errno, or both.
	Err error

	// Remedy tells what to do, as part of a sentence; "" when nothing helps.
	Remedy string
}

// Error returns "mcast: op address on interface: cause; remedy".
func (e *OpError) Error() string {
	var b strings.Builder
	b.WriteString("mcast: " + e.Op)
	switch {
	case e.Addr != "":
		b.WriteString(" " + e.Addr)
	case e.Channel.Group.IsValid():
		b.WriteString(" " + e.Channel.String())
	}
	if e.Interface != "" {
		b.WriteString(" on " + e.Interface)
	}
	b.WriteString(": " + e.Err.Error())
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// An UnsupportedError means this system, or the part of it reachable from Go,
// cannot do something. errors.Is finds errors.ErrUnsupported in it.
type UnsupportedError struct {
	OS      string // GOOS
	Feature string // what was asked for
}

// Error returns "feature is not supported on OS".
func (e *UnsupportedError) Error() string {
	return e.Feature + " is not supported on " + e.OS
}

// Unwrap returns errors.ErrUnsupported.
func (e *UnsupportedError) Unwrap() error { return errors.ErrUnsupported }

func unsupported(feature string) error {
	return &UnsupportedError{OS: runtime.GOOS, Feature: feature}
}

// A limit is an errno for too much of something, and of what.
type limit struct {
	err     error
	sources bool // of one group; else groups
}

func (l *limit) Error() string { return l.err.Error() }
func (l *limit) Unwrap() error { return l.err }

// A severalError is what happened to the same operation on several interfaces.
type severalError struct {
	names []string
	errs  []error
}

func (e *severalError) Error() string {
	var b strings.Builder
	for i, err := range e.errs {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString("on " + e.names[i] + ": " + err.Error())
	}
	return b.String()
}

func (e *severalError) Unwrap() []error { return e.errs }

// add records what happened on one interface, with its meaning.
func (e *severalError) add(op, name string, err error) {
	e.names = append(e.names, name)
	e.errs = append(e.errs, explain(op, err))
}

// fault is the error as a whole; the remedy is that of the first that has one.
func (e *severalError) fault() error {
	switch len(e.errs) {
	case 0:
		return nil
	case 1:
		return e.errs[0]
	}
	all := &fault{err: e}
	for _, err := range e.errs {
		var f *fault
		if errors.As(err, &f) && all.remedy == "" {
			all.remedy = f.remedy
		}
	}
	return all
}

// A fault is a cause with its remedy on the way up to the method that knows the
// operation and makes an OpError of both.
type fault struct {
	err    error
	remedy string
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// fail makes a fault of a sentinel, the error that caused it (may be nil) and a
// formatted remedy.
func fail(sentinel, cause error, remedy string, args ...any) error {
	if len(args) > 0 {
		remedy = fmt.Sprintf(remedy, args...)
	}
	if cause != nil {
		sentinel = fmt.Errorf("%w (%w)", sentinel, cause)
	}
	return &fault{sentinel, remedy}
}

// opError wraps err for the caller of op, taking the remedy out of a fault or
// finding one for the errno.
func opError(op string, err error, e OpError) error {
	if err == nil {
		return nil
	}
	e.Op, e.Err = op, err
	var f *fault
	if !errors.As(err, &f) {
		if g, ok := explain(op, err).(*fault); ok {
			f = g
		}
	}
	if f != nil {
		e.Err, e.Remedy = f.err, f.remedy
	}
	return &e
}
