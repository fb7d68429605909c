package gmp

import (
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// An EventKind is what happened.
type EventKind uint8

const (
	// MembershipAdded: someone on the link wants Group; Filter says which
	// senders. From a Router, and with IfIndex from a Proxy and a Snooper.
	MembershipAdded EventKind = iota + 1

	// MembershipChanged: other senders to Group are wanted than before.
	MembershipChanged

	// MembershipRemoved: nobody wants Group any more.
	MembershipRemoved

	// QuerierElected: this router asks from now on, at the start and when the
	// other querier, Addr, has fallen silent.
	QuerierElected

	// QuerierLost: Addr asks from now on, with its Generation.
	QuerierLost

	// OldHost: Group is followed in an older Generation, because of a host that
	// speaks it, Addr (RFC 3376 section 7.3.2).
	OldHost

	// OldQuerier: Addr sent a query of an older Generation than this router's,
	// which must be set alike on all routers (RFC 3376 section 7.3.1). Repeated
	// once in a query interval at most.
	OldQuerier

	// NewQuerier: Addr sent a query of a newer Generation than this router is
	// set to (RFC 3376 section 7.3.1). Limited as OldQuerier is.
	NewQuerier

	// HostMode: this host speaks another Generation from now on (RFC 3376
	// section 7.2.1).
	HostMode

	// SSMUnserved: Group is source-specific, and this host can ask for it only
	// without its sources, because of a querier of an older Generation (RFC
	// 4604 section 2.2.3).
	SSMUnserved

	// SSMQueried: Addr asked with a query of an older Generation for the
	// source-specific Group (RFC 4604 section 2.2.5).
	SSMQueried

	// SSMMisused: Addr reported the source-specific Group without sources,
	// which is ignored (RFC 4604 sections 3.1, 3.5 and 3.7). Told the first time;
	// TableStats counts them all.
	SSMMisused

	// LimitReached: Limit was in the way of a report from Addr. Told once; again
	// when there has been room.
	LimitReached

	// RouterPortAdded and RouterPortRemoved: there is a multicast router behind
	// port IfIndex, or no more. From a Snooper.
	RouterPortAdded
	RouterPortRemoved

	// ForwardingChanged: a Proxy sends packets to Group out of interface IfIndex
	// from the senders in Filter from now on. Without Group it is all groups of
	// the interface, because the proxy became its querier or is it no more.
	ForwardingChanged
)

var eventNames = [...]string{
	MembershipAdded: "membership added", MembershipChanged: "membership changed", MembershipRemoved: "membership removed",
	QuerierElected: "querier elected", QuerierLost: "querier lost",
	OldHost: "old host", OldQuerier: "old querier", NewQuerier: "new querier",
	HostMode: "host mode", SSMUnserved: "SSM unserved", SSMQueried: "SSM queried", SSMMisused: "SSM misused",
	LimitReached: "limit reached", RouterPortAdded: "router port added", RouterPortRemoved: "router port removed",
	ForwardingChanged: "forwarding changed",
}

// String returns the kind in words.
func (k EventKind) String() string {
	if int(k) < len(eventNames) && k > 0 {
		return eventNames[k]
	}
	return "unknown"
}

// A Limit is a bound of a configuration.
type Limit uint8

const (
	// LimitGroups is MaxGroups, LimitSources MaxSources or MaxAllSources,
	// LimitHostGroups MaxHostGroups, LimitHostSources MaxHostSources, and
	// LimitTracked MaxTracked.
	LimitGroups Limit = iota + 1
	LimitSources
	LimitHostGroups
	LimitHostSources
	LimitTracked
)

// String returns the limit in words.
func (l Limit) String() string {
	if l < LimitGroups || l > LimitTracked {
		return "unknown"
	}
	return [...]string{"groups", "sources", "groups of a host", "sources of a host", "hosts tracked"}[l-1]
}

// An Event tells the shell what happened; which fields are set is said at its kind.
// Its sources may be kept.
type Event struct {
	Kind       EventKind
	IfIndex    int
	Group      netip.Addr
	Filter     group.Filter
	Addr       netip.Addr
	Generation Generation
	Limit      Limit
}

// maxEvents is how many events an engine keeps for a shell that does not fetch them;
// later ones are counted and lost.
const maxEvents = 1024

// events is a bounded queue.
type events struct {
	fifo[Event]
	more int // room for more than maxEvents
	lost uint64
}

func (e *events) add(v Event) {
	if e.len() >= maxEvents+e.more {
		e.lost++
		return
	}
	e.push(v)
}

func (e *events) poll(v *Event) bool {
	if e.len() == 0 {
		return false
	}
	*v = e.pop()
	return true
}
