// Package engine is the contract of every protocol state machine in this
// module: it is handed the time and bytes, and gives back bytes and deadlines.
//
// An engine has no goroutine, lock, clock or socket, so a whole group of
// receivers runs in one test in virtual time, and the same run can be repeated
// from its seed. After any call the caller drains Transmit, then the engine's
// own typed events, then reads Next. Package drive does so for real sockets,
// package netem for simulations.
package engine

import (
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// An Engine is one protocol endpoint. It is not for concurrent use, and now
// never goes back between calls.
type Engine interface {
	// Handle takes one received datagram. The packet is borrowed; what the
	// engine keeps it copies. Bad input is counted, never an error.
	Handle(now time.Time, p *datagram.Packet)

	// Advance runs what is due at now. Calling it early or often is harmless.
	Advance(now time.Time)

	// Next returns when Advance or Transmit has something to do, pacing
	// included; the zero time means nothing is scheduled. A time not after
	// now asks for an immediate call.
	Next() time.Time

	// Transmit appends one datagram to p.Data[:0] within its capacity, fills
	// in the destination and returns true, or returns false when nothing may
	// be sent at now.
	Transmit(now time.Time, p *datagram.Packet) bool
}

// Earliest returns the earlier of two deadlines, where the zero time means none.
func Earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
