package mcast

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// A Conn is a multicast connection: a UDP socket with the channels it joined on
// one interface. It implements [datagram.Conn]. ReadBatch and WriteBatch may run
// at the same time; calls of the same one take turns. All other methods may be
// called at any time from any goroutine.
type Conn struct {
	sock    socket
	cfg     config
	members *members
	count   *counters
	closed  atomic.Bool
	loop    packetLoop
}

var _ datagram.Conn = (*Conn)(nil)

// Join adds a channel on the connection's interface, at the connection's port.
// Groups other than that of Open or Listen need the MultiGroup option.
func (c *Conn) Join(ch group.Channel) error {
	return c.membership("join", ch, c.join)
}

// Leave removes a channel joined before, that of Open or Listen included. Packets
// of it that are queued already are not delivered any more.
func (c *Conn) Leave(ch group.Channel) error {
	return c.membership("leave", ch, c.leave)
}

func (c *Conn) membership(op string, ch group.Channel, do func(group.Channel) error) error {
	err := c.checkChannel(ch)
	if err == nil {
		err = do(ch.Canonical())
	}
	if err != nil {
		return c.wrap(op, err, OpError{Channel: ch, Interface: c.cfg.ifi.Name})
	}
	return nil
}

func (c *Conn) checkChannel(ch group.Channel) error {
	if !c.cfg.join {
		return fail(ErrSendOnly, nil, "use mcast.Open or mcast.Listen to receive from a group")
	}
	if z := ch.Zone(); z != "" && z != c.cfg.ifi.Name && z != strconv.Itoa(c.cfg.ifi.Index) {
		return fail(ErrNoInterface, nil, "this connection is on %s; open another for zone %s", c.cfg.ifi.Name, z)
	}
	return checkChannel(ch.Canonical(), c.cfg.group.Addr(), c.cfg.anySSM)
}

func (c *Conn) join(ch group.Channel) error {
	if !c.cfg.wildcard() && ch.Group != c.cfg.group.Addr() {
		return fail(ErrSingleGroup, nil, "open the connection with mcast.MultiGroup() to join further groups")
	}
	if err := c.members.add(ch); err != nil {
		return err
	}
	if err := c.sock.join(ch); err != nil {
		more := c.members.others(ch)
		c.members.remove(ch)
		return limitError(err, more)
	}
	return nil
}

func (c *Conn) leave(ch group.Channel) error {
	if !c.members.remove(ch) {
		return fail(ErrNotJoined, nil, "leave exactly what was joined, with the same source")
	}
	return c.sock.leave(ch)
}

// Group returns the group and port the connection was opened with, where packets
// without a Dst go.
func (c *Conn) Group() netip.AddrPort { return c.cfg.group }

// Interface returns the interface the connection joins and sends on, as it was
// when the connection was opened.
func (c *Conn) Interface() net.Interface { return c.cfg.ifi }

// LocalAddr returns the address and port that packets to the group are sent from,
// as receivers see it. The address is the zero Addr when the host has none to
// reach the group with.
func (c *Conn) LocalAddr() netip.AddrPort { return c.sock.localAddr() }

// ReadBuffer returns how many bytes the kernel queues for this connection at most,
// counted as in the ReadBuffer option; 0 when the system does not tell.
func (c *Conn) ReadBuffer() int { return c.sock.readBuffer() }

// Capabilities returns what the system offers to this connection now: an offload
// that was given up is no longer listed.
func (c *Conn) Capabilities() Capabilities { return c.sock.capabilities() }

// Stats returns counts since the connection was opened.
func (c *Conn) Stats() Stats { return c.count.stats() }

// SyscallConn returns access to the socket for options this package does not
// offer. Reading from it, or changing what the options of this package set, breaks
// the connection.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.sock.syscallConn() }

// Close leaves all groups and releases the socket. Blocked calls, and all later
// ones, return an error wrapping net.ErrClosed. Closing again does nothing and
// returns nil.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.sock.close()
}

func (c *Conn) wrap(op string, err error, e OpError) error {
	if c.closed.Load() && !errors.Is(err, net.ErrClosed) {
		err = &fault{err: net.ErrClosed}
	}
	return opError(op, err, e)
}
