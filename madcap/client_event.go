package madcap

import (
	"fmt"
	"time"
)

// maxClientEvents is how many events wait to be taken; then the oldest are lost.
const maxClientEvents = 8192

// A ClientEventKind is what happened at a client.
type ClientEventKind uint8

// The kinds of events of a Client.
const (
	// ClientAllocated: Lease was granted.
	ClientAllocated ClientEventKind = iota + 1

	// ClientRenewed: Lease has another End.
	ClientRenewed

	// ClientReleased: the server knows that the lease is given back, or had not known
	// the lease any more.
	ClientReleased

	// ClientFailed: what Tx was about failed with Err, a Failure or one of this
	// package's errors. A lease that could not be renewed goes on to its End, and
	// is tried again if it is to be kept.
	ClientFailed

	// ClientLost: the lease is not the client's any more; Err says why. Whoever uses
	// its addresses has to stop.
	ClientLost

	// ClientDeferred: the server asked to come back At; the client will.
	ClientDeferred

	// ClientInfo: a server answered a GETINFO; there may be more.
	ClientInfo

	// ClientInfoDone: no more answers to a GETINFO are waited for.
	ClientInfoDone
)

var clientEventNames = [...]string{ClientAllocated: "allocated", ClientRenewed: "renewed", ClientReleased: "released",
	ClientFailed: "failed", ClientLost: "lost", ClientDeferred: "deferred", ClientInfo: "info", ClientInfoDone: "info done"}

// String returns a word for the kind.
func (k ClientEventKind) String() string {
	if k > 0 && int(k) < len(clientEventNames) {
		return clientEventNames[k]
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// A ClientEvent is something that happened at a client.
type ClientEvent struct {
	Kind  ClientEventKind
	Tx    uint64 // the call that began it, 0 for renewals the client made by itself
	ID    ID
	Lease ClientLease // of Allocated, Renewed and Lost
	Info  Info
	At    time.Time
	Err   error
}

// ClientStats counts what a client did.
type ClientStats struct {
	Sent     uint64 // messages, Resent among them
	Resent   uint64
	Received uint64
	Ignored  uint64 // not an answer to anything, or not as the RFC wants it
	Lost     uint64 // events nobody took
}

// Stats returns the counters.
func (c *Client) Stats() ClientStats { return c.stats }

// Event returns the next event, false if there is none.
func (c *Client) Event() (ClientEvent, bool) {
	if len(c.events) == 0 {
		c.events = nil
		return ClientEvent{}, false
	}
	e := c.events[0]
	c.events[0] = ClientEvent{}
	c.events = c.events[1:]
	return e, true
}

func (c *Client) tell(e ClientEvent) {
	if len(c.events) >= maxClientEvents {
		c.events = c.events[1:]
		c.stats.Lost++
	}
	c.events = append(c.events, e)
}
