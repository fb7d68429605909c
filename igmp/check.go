package igmp

import (
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// Groups that messages are sent to.
var (
	AllSystems   = netip.AddrFrom4([4]byte{224, 0, 0, 1})  // General Queries (RFC 3376 section 4.1.12)
	AllRouters   = netip.AddrFrom4([4]byte{224, 0, 0, 2})  // leaves (RFC 2236 section 3)
	AllV3Routers = netip.AddrFrom4([4]byte{224, 0, 0, 22}) // reports of version 3 (RFC 3376 section 4.2.14)

	AllPIMRouters = netip.AddrFrom4([4]byte{224, 0, 0, 13})  // PIM, by which switches find routers (RFC 7761 section 4.9)
	AllSnoopers   = netip.AddrFrom4([4]byte{224, 0, 0, 106}) // router advertisements (RFC 4286 section 3.3.2)
)

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// An Envelope is what the IP header says about a message. See [ParsePacket].
type Envelope struct {
	// Src and Dst are the packet's addresses. A zero Addr is unknown, and
	// not checked.
	Src, Dst netip.Addr

	// HopLimit is the packet's TTL; 0 is unknown.
	HopLimit uint8

	// RouterAlert says that the option is there, with value 0 (RFC 2113).
	// Who cannot know leaves NoRouterAlert out of the policy.
	RouterAlert bool

	// OffLink says that Src is in no network of the interface the message
	// arrived on. Only the caller can know; ParsePacket leaves it false.
	OffLink bool
}

func (e *Envelope) check(alert bool) (v Violations) {
	if e.HopLimit != 1 && e.HopLimit != 0 {
		v |= WrongTTL
	}
	if alert && !e.RouterAlert {
		v |= NoRouterAlert
	}
	if e.Src.IsMulticast() || e.Src == broadcast {
		v |= BadSender
	}
	if e.OffLink && !e.Src.IsUnspecified() {
		v |= OffLink
	}
	return v
}

// Check returns the rules that the query breaks.
func (q *Query) Check(e Envelope) Violations {
	v := e.check(q.Version >= 2)
	if e.Src.IsUnspecified() {
		v |= ZeroSender
	}
	if q.General() {
		if e.Dst.IsMulticast() && e.Dst != AllSystems {
			v |= GeneralElsewhere
		}
		if len(q.Sources) > 0 {
			v |= SourcesOfAll
		}
	} else {
		if e.Dst.IsValid() && e.Dst != q.Group {
			v |= WrongDestination
		}
		if !q.Group.IsMulticast() {
			v |= NotAGroup
		}
		if q.Version == 2 && group.IsSSM(q.Group) {
			v |= OldInSSM
		}
	}
	return v | q.Sources.check() | checkExtensions(q.Extended, q.Additional)
}

// Check returns the rules that the report or leave breaks.
func (r *Membership) Check(e Envelope) Violations {
	v := e.check(r.Type != TypeReport1)
	want := r.Group
	if r.Type == TypeLeave {
		want = AllRouters
	}
	if e.Dst.IsValid() && e.Dst != want {
		v |= WrongDestination
	}
	switch {
	case !r.Group.IsMulticast():
		v |= NotAGroup
	case r.Group == AllSystems:
		v |= NeverReported
	case group.IsSSM(r.Group):
		v |= OldInSSM
	}
	return v
}

// Check returns the rules that the report breaks, by any of its records.
func (r *Report3) Check(e Envelope) Violations {
	v := e.check(true)
	if e.Dst.IsValid() && e.Dst != AllV3Routers {
		v |= WrongDestination
	}
	for rec := range r.Records.All() {
		v |= rec.Check()
	}
	return v | checkExtensions(r.Extended, r.Additional)
}

// Check returns the rules that a record breaks. A router ignores one that is a
// BadRecord or, if it knows about source-specific groups, ExcludeInSSM.
func (r *Record) Check() (v Violations) {
	switch {
	case !r.Group.IsMulticast() || !r.Type.Known() || r.Group == AllSystems:
		v = BadRecord
	case !r.Type.Splits() && group.IsSSM(r.Group):
		v = ExcludeInSSM
	}
	return v | r.Sources.check()
}

func (s Sources) check() Violations {
	for a := range s.All() {
		if a.IsMulticast() || a.IsUnspecified() || a == broadcast {
			return BadSource
		}
	}
	return 0
}

func checkExtensions(extended bool, additional []byte) Violations {
	if _, ok := extensions(extended, additional); extended && !ok {
		return BadExtensions
	}
	return 0
}
