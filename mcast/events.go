package mcast

import (
	"fmt"
	"net/netip"
	"time"
)

// An EventKind is what happened to a connection's interfaces and memberships.
type EventKind uint8

// The kinds of events. Memberships stay in all of them: the connection never
// leaves a group because something changed.
const (
	// InterfaceDown: an interface went down or lost its carrier. Its memberships
	// stay, in the kernel too.
	InterfaceDown EventKind = iota + 1

	// InterfaceUp: it is up again. The kernel reports its memberships anew.
	InterfaceUp

	// InterfaceGone: it was deleted, or moved to another network namespace.
	InterfaceGone

	// InterfaceBack: an interface of the same name is there, usually under
	// another index. Rejoined or JoinFailed follow.
	InterfaceBack

	// InterfaceAdded: an interface that AllInterfaces chose after the connection
	// was opened. Rejoined or JoinFailed follow.
	InterfaceAdded

	// Rejoined: an interface that came back or was added has all memberships.
	Rejoined

	// JoinFailed: a membership could not be made on an interface that came back
	// or was added, or the interface could not be used at all (Group is then
	// zero). It is tried again when the interface changes next.
	JoinFailed

	// AddressesChanged: an interface got or lost an address.
	AddressesChanged

	// SourceAddressGone: the address that Interface named, which packets to
	// groups are sent from, is no longer there. Sending fails until it is back.
	SourceAddressGone
)

var eventKinds = [...]string{"", "interface down", "interface up", "interface gone", "interface back",
	"interface added", "rejoined", "join failed", "addresses changed", "source address gone"}

// String returns the name in words, such as "interface gone".
func (k EventKind) String() string {
	if k == 0 || int(k) >= len(eventKinds) {
		return fmt.Sprintf("EventKind(%d)", uint8(k))
	}
	return eventKinds[k]
}

// An Event is a change that the connection noticed after it was opened.
type Event struct {
	Kind      EventKind
	Interface string     // its name
	Index     int        // its index now, or the last one it had
	Group     netip.Addr // what JoinFailed is about, else the zero Addr
	Err       error      // why, for JoinFailed: an *OpError
	Time      time.Time  // when it was noticed
}

// String returns the event in one line, without its time.
func (e Event) String() string {
	s := fmt.Sprintf("%s: %s (%d)", e.Kind, e.Interface, e.Index)
	if e.Group.IsValid() {
		s += " " + e.Group.String()
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}
