package mcast

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// A Conn is a multicast connection: UDP sockets with the channels joined on one or
// more interfaces. It implements [datagram.Conn]. ReadBatch and WriteBatch may run
// at the same time; calls of the same one take turns. All other methods may be
// called at any time from any goroutine.
type Conn struct {
	sock    socket
	cfg     config
	members *members
	count   *counters
	closed  atomic.Bool
	loop    packetLoop
	rd      readDeadline
	pace    *pacer // nil when nothing is paced

	mu    sync.Mutex                  // guards what follows, and memberSocket
	want  map[netip.Addr]group.Filter // what was asked for, canonical
	slots []*slot                     // where; the first is sent on
	dead  []int                       // indices of interfaces that went, whose packets may be queued
	watch watcher
}

var _ datagram.Conn = (*Conn)(nil)

// Group returns the group and port the connection was opened with, where packets
// without a Dst go.
func (c *Conn) Group() netip.AddrPort { return c.cfg.group }

// Interface returns the interface that packets without an IfIndex leave by, the
// first of Interfaces, as it is now: its index changes when it is deleted and made
// again. While it is gone, it is as it was last.
func (c *Conn) Interface() net.Interface { return *c.cfg.link() }

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
	if c.pace != nil {
		c.pace.nap.close()
	}
	if c.watch != nil {
		c.watch.close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sock.close()
}

func (c *Conn) wrap(op string, err error, e OpError) error {
	if c.closed.Load() && !errors.Is(err, net.ErrClosed) {
		err = &fault{err: net.ErrClosed}
	}
	return opError(op, err, e)
}
