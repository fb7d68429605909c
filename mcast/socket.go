package mcast

import (
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// A socket is what a system must offer: sockLinux on Linux, sockPortable
// elsewhere. Its errors are plain; Conn adds the operation and the remedy.
type socket interface {
	packetSocket
	memberSocket
	localAddr() netip.AddrPort
	readBuffer() int
	capabilities() Capabilities
	syscallConn() (syscall.RawConn, error)
	close() error
}

// packetSocket moves packets.
type packetSocket interface {
	read(b []byte) (datagram.Packet, error)
	readBatch(ps []datagram.Packet) (int, error)
	write(b []byte, dst netip.AddrPort) error // invalid dst: the group
	writeBatch(ps []datagram.Packet) (int, error)
	setReadDeadline(t time.Time) error
	setCoalescing(d time.Duration, room int)
	setWriteDeadline(t time.Time) error
}

// memberSocket changes what the sockets have joined. Conn's lock is held.
type memberSocket interface {
	// change turns the filter of a group on an interface from one into another,
	// in what is accepted and in the kernel. On an error what was stays, except
	// that an empty filter is always left. Filters are canonical and are kept.
	change(ifi *net.Interface, g netip.Addr, from, to group.Filter) error

	// filter reads the kernel's filter.
	filter(ifi *net.Interface, g netip.Addr) (group.Filter, error)

	// drop forgets all memberships on an interface that is gone. What is queued
	// from it is accepted until forget, of one group or, for the zero Addr, all.
	drop(ifi *net.Interface)
	forget(ifindex int, g netip.Addr)

	// rebind makes ifi the interface to send on: it came back, or the first one
	// went. Settle follows drop when memberships are made again.
	rebind(ifi *net.Interface) error
	settle()

	// relocate finds out anew what localAddr returns.
	relocate()
}
