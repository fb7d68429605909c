package mcast

import (
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
	readBatch(ps []datagram.Packet) (int, error)
	writeBatch(ps []datagram.Packet) (int, error)
	setReadDeadline(t time.Time) error
}

// memberSocket changes what the socket has joined.
type memberSocket interface {
	join(ch group.Channel) error
	leave(ch group.Channel) error
}
