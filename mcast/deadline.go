package mcast

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// SetDeadline sets the time after which blocked and later calls of Read, ReadBatch,
// Packets, Write and WriteBatch fail with an error that wraps
// [os.ErrDeadlineExceeded]. The zero Time takes the limit off.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline is SetDeadline for Read, ReadBatch and Packets. A loop over
// Packets that meets it ends with its error.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.deadlineError(c.rd.set(c.sock, t))
}

// SetWriteDeadline is SetDeadline for Write and WriteBatch. A packet that waits for
// its turn under Pacing or for its time under TransmitTimes counts as blocked.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if c.pace != nil {
		c.pace.nap.setDeadline(t)
	}
	return c.deadlineError(c.sock.setWriteDeadline(t))
}

func (c *Conn) deadlineError(err error) error {
	if err == nil {
		return nil
	}
	return c.error("set deadline", err)
}

// Timeout reports whether a deadline has passed. With Temporary it makes an OpError
// a [net.Error].
func (e *OpError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// Temporary is Timeout. It is there for [net.Error] only.
func (e *OpError) Temporary() bool { return e.Timeout() }

var _ net.Error = (*OpError)(nil)

// longAgo is a deadline that wakes a reader at once.
var longAgo = time.Unix(1, 0)

// readDeadline shares the one read deadline of a socket between the user and the
// contexts of loops over Packets, which use it to wake the reader.
type readDeadline struct {
	mu      sync.Mutex
	t       time.Time // the user's
	reading *loopRun  // the loop that is in a read
	woken   bool      // the socket's deadline is long ago to wake that loop
}

// A loopRun is one loop over Packets.
type loopRun struct{ cancelled bool }

func (d *readDeadline) set(sock packetSocket, t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.t = t
	if d.woken {
		return nil // finish sets it
	}
	return sock.setReadDeadline(t)
}

// begin says that a loop is about to read, and reports whether it should.
func (d *readDeadline) begin(run *loopRun) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if run.cancelled {
		return false
	}
	d.reading = run
	return true
}

// cancel wakes a loop out of its read, and keeps it from another.
func (d *readDeadline) cancel(sock packetSocket, run *loopRun) {
	d.mu.Lock()
	defer d.mu.Unlock()
	run.cancelled = true
	if d.reading == run {
		d.woken = true
		sock.setReadDeadline(longAgo)
	}
}

// finish says that the loop's read has returned.
func (d *readDeadline) finish(sock packetSocket) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reading = nil
	if d.woken {
		d.woken = false
		sock.setReadDeadline(d.t)
	}
}

// spurious reports whether a read failed because a loop was to be woken, not
// because of the user's deadline. The read is then to be tried again.
func (d *readDeadline) spurious(sock packetSocket, err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.t.IsZero() && !time.Now().Before(d.t) {
		return false
	}
	if !d.woken {
		// Should the clock have been set back, the socket has to hear of it.
		return sock.setReadDeadline(d.t) == nil
	}
	return true
}
