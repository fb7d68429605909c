package mld

import (
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/gmp"
	"github.com/gomulticast/multicast/mcast/group"
)

// An EventKind is what happened.
type EventKind uint8

// What happens to engines.
const (
	// MembershipAdded: someone on the link wants Group; Filter says which
	// senders. From a Router, and with IfIndex from a Proxy and a Snooper.
	MembershipAdded = EventKind(gmp.MembershipAdded)

	// MembershipChanged: other senders to Group are wanted than before.
	MembershipChanged = EventKind(gmp.MembershipChanged)

	// MembershipRemoved: nobody wants Group any more.
	MembershipRemoved = EventKind(gmp.MembershipRemoved)

	// QuerierElected: this router asks from now on, at the start and when the
	// other querier has fallen silent (RFC 3810 section 7.6.2).
	QuerierElected = EventKind(gmp.QuerierElected)

	// QuerierLost: Addr asks from now on, in its Version.
	QuerierLost = EventKind(gmp.QuerierLost)

	// OldHost: Group is followed in an older Version, because of a host that
	// speaks it, Addr (RFC 3810 section 8.3.2).
	OldHost = EventKind(gmp.OldHost)

	// OldQuerier: Addr sent a query of an older Version than this router's,
	// which must be set alike on all routers (RFC 3810 section 8.3.1). Repeated
	// once in a query interval at most.
	OldQuerier = EventKind(gmp.OldQuerier)

	// NewQuerier: Addr sent a query of a newer Version than this router is set
	// to (RFC 3810 section 8.3.1). Limited as OldQuerier is.
	NewQuerier = EventKind(gmp.NewQuerier)

	// HostMode: this listener speaks another Version from now on (RFC 3810
	// section 8.2.1).
	HostMode = EventKind(gmp.HostMode)

	// SSMUnserved: Group is source-specific, and this listener can ask for it only
	// without its sources, because of a querier of an older Version (RFC 4604
	// section 2.2.3).
	SSMUnserved = EventKind(gmp.SSMUnserved)

	// SSMQueried: Addr asked with a query of an older Version for the
	// source-specific Group (RFC 4604 section 2.2.5).
	SSMQueried = EventKind(gmp.SSMQueried)

	// SSMMisused: Addr reported the source-specific Group without sources,
	// which is ignored (RFC 4604 sections 3.1, 3.5 and 3.7).
	SSMMisused = EventKind(gmp.SSMMisused)

	// LimitReached: Limit was in the way of a report from Addr. Told once; again
	// when there has been room.
	LimitReached = EventKind(gmp.LimitReached)

	// RouterPortAdded and RouterPortRemoved: there is a multicast router behind
	// port IfIndex, or no more. From a Snooper.
	RouterPortAdded   = EventKind(gmp.RouterPortAdded)
	RouterPortRemoved = EventKind(gmp.RouterPortRemoved)

	// ForwardingChanged: a Proxy sends packets to Group out of interface IfIndex
	// from the senders in Filter from now on. Without Group it is all groups of
	// the interface, because the proxy became its querier or is it no more.
	ForwardingChanged = EventKind(gmp.ForwardingChanged)
)

// String returns the kind in words.
func (k EventKind) String() string { return gmp.EventKind(k).String() }

// A Limit is a bound of a configuration.
type Limit uint8

// Bounds of [Limits].
const (
	LimitGroups      = Limit(gmp.LimitGroups)      // MaxGroups
	LimitSources     = Limit(gmp.LimitSources)     // MaxSources or MaxAllSources
	LimitHostGroups  = Limit(gmp.LimitHostGroups)  // MaxHostGroups
	LimitHostSources = Limit(gmp.LimitHostSources) // MaxHostSources
	LimitTracked     = Limit(gmp.LimitTracked)     // MaxTracked
)

// String returns the limit in words.
func (l Limit) String() string { return gmp.Limit(l).String() }

// An Event is what an engine has to tell; which fields are set is said at its kind.
// Its sources may be kept.
type Event struct {
	Kind    EventKind
	IfIndex int // interface of a Proxy, port of a Snooper
	Group   netip.Addr
	Filter  group.Filter
	Addr    netip.Addr
	Version uint8
	Limit   Limit
}

// eventOf returns an engine's next event.
func eventOf(engine interface{ Event(*gmp.Event) bool }) (Event, bool) {
	var e gmp.Event
	if !engine.Event(&e) {
		return Event{}, false
	}
	return Event{
		Kind: EventKind(e.Kind), IfIndex: e.IfIndex, Group: e.Group, Filter: e.Filter,
		Addr: e.Addr, Version: versionOf(e.Generation), Limit: Limit(e.Limit),
	}, true
}

// A GroupState is all that a router or switch knows of a group (RFC 3810 section
// 7.2).
type GroupState struct {
	Group   netip.Addr
	Mode    group.FilterMode
	Until   time.Time     // of the group timer; zero in INCLUDE mode
	Version uint8         // compatibility mode (RFC 3810 section 8.3.2)
	Sources []SourceState // sorted
}

// A SourceState is one source of a GroupState.
type SourceState struct {
	Addr  netip.Addr
	Until time.Time // of its timer; zero when it is not forwarded, in EXCLUDE mode
}

func stateOf(s gmp.GroupState, known bool) (GroupState, bool) {
	if !known {
		return GroupState{}, false
	}
	out := GroupState{Group: s.Group, Mode: s.Mode, Until: s.Until, Version: versionOf(s.Generation)}
	for _, src := range s.Sources {
		out.Sources = append(out.Sources, SourceState(src))
	}
	return out, true
}

// TableStats counts what became of reports.
type TableStats struct {
	Reports    uint64 // version 1 reports, dones, and records of version 2 reports taken
	BadGroup   uint64 // of a group that cannot be reported
	BadSource  uint64 // from an address that cannot be a host's, or listing such a source
	BadRecord  uint64 // of an unknown type
	SSMMisused uint64 // a source-specific group without sources (RFC 4604 sections 3.1 and 3.5)
	OldMode    uint64 // ignored because of an older host (RFC 3810 section 8.3.2)
	Refused    uint64 // groups and sources that found no room
}
