package drive

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// A lead says who reads from the connection: mostly the loop's reader, but somebody who waits
// for what a packet will bring may take its place, and spares the way from one goroutine to
// another. Whoever has put an item into token reads.
type lead struct {
	token chan struct{}
	conn  interface{ SetReadDeadline(time.Time) error } // nil if reading cannot be broken off
	last  atomic.Int64                                  // when somebody else has read last, Unix nanoseconds; 0 is never
	now   atomic.Bool                                   // somebody else reads
	busy  atomic.Bool                                   // and handles what he has read
}

func (l *lead) init(conn datagram.Conn) {
	l.token = make(chan struct{}, 1)
	l.conn, _ = conn.(interface{ SetReadDeadline(time.Time) error })
}

// leadMemory is how long the reader leaves the connection to somebody else who has read of
// late and does not at present: he may be back soon.
const leadMemory = 20 * time.Millisecond

// follow waits until it is the reader's turn, and takes the token. It returns false when quit
// is closed.
func (l *lead) follow(quit <-chan struct{}) bool {
	for {
		if last := l.last.Load(); l.now.Load() || last != 0 && time.Since(time.Unix(0, last)) < leadMemory {
			select {
			case <-time.After(leadMemory):
				continue
			case <-quit:
				return false
			}
		}
		select {
		case l.token <- struct{}{}:
			return true
		case <-quit:
			return false
		}
	}
}

// ReadHere waits for packets on the caller's goroutine, in place of the loop's reader, and
// handles them. It returns false at once if somebody else reads, or if the connection has no
// SetReadDeadline, without which it could not be broken off. What idle reports is
// asked for once before waiting: true ends it. Kick ends it later.
//
// Who uses it calls it again and again: for some milliseconds after it nobody else reads.
func (l *Loop) ReadHere(idle func() bool) bool {
	d := &l.lead
	if d.conn == nil {
		return false
	}
	select {
	case d.token <- struct{}{}:
	default:
		d.last.Store(time.Now().UnixNano()) // the reader gives way after its next packets
		return false
	}
	d.now.Store(true)
	d.conn.SetReadDeadline(time.Time{})
	var err error
	if !idle() {
		_, err = l.readOnce(true)
	}
	ok := err == nil || errors.Is(err, os.ErrDeadlineExceeded)
	if ok {
		d.last.Store(time.Now().UnixNano())
	} else {
		d.last.Store(0) // the reader is to hear of it
	}
	d.now.Store(false)
	<-d.token
	return ok
}

// Kick ends ReadHere, if somebody is in it, soon. Called for what a packet brings while that is
// handled, it has nothing to do.
func (l *Loop) Kick() {
	if l.lead.now.Load() && !l.lead.busy.Load() {
		l.lead.conn.SetReadDeadline(time.Unix(1, 0))
	}
}
