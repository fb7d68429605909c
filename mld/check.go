package mld

import (
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// Groups that messages are sent to.
var (
	AllNodes     = netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 1})    // General Queries (RFC 3810 section 5.1.15)
	AllRouters   = netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 2})    // dones (RFC 2710 section 4)
	AllV2Routers = netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 0x16}) // reports of version 2 (RFC 3810 section 5.2.14)

	AllPIMRouters = netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 0xd})  // PIM, by which switches find routers (RFC 7761 section 4.9)
	AllSnoopers   = netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 0x6a}) // router advertisements (RFC 4286 section 3.3.2)
)

// An Envelope is what the IP headers say about a message. See [ParsePacket].
type Envelope struct {
	// Src and Dst are the packet's addresses. A zero Addr is unknown, and
	// not checked. Zones are ignored.
	Src, Dst netip.Addr

	// HopLimit is the packet's hop limit; 0 is unknown.
	HopLimit uint8

	// RouterAlert says that the option is there, with the value for MLD (RFC
	// 2711). Who cannot know leaves NoRouterAlert out of the policy.
	RouterAlert bool
}

func (e *Envelope) check() (v Violations) {
	if e.HopLimit != 1 && e.HopLimit != 0 {
		v |= WrongHopLimit
	}
	if !e.RouterAlert {
		v |= NoRouterAlert
	}
	switch {
	case e.Src.IsUnspecified():
		v |= NoSender
	case e.Src.IsValid() && !e.Src.IsLinkLocalUnicast():
		v |= NotLinkLocal
	}
	return v
}

// elsewhere reports whether the packet is known to have been sent to another
// address than want.
func (e *Envelope) elsewhere(want netip.Addr) bool {
	return e.Dst.IsValid() && e.Dst.WithZone("") != want
}

// Check returns the rules that the query breaks.
func (q *Query) Check(e Envelope) Violations {
	v := e.check()
	if q.General() {
		if e.Dst.IsMulticast() && e.elsewhere(AllNodes) {
			v |= GeneralElsewhere
		}
		if len(q.Sources) > 0 {
			v |= SourcesOfAll
		}
	} else {
		if e.elsewhere(q.Group) {
			v |= WrongDestination
		}
		if !q.Group.IsMulticast() {
			v |= NotAGroup
		}
		if q.Version == 1 && group.IsSSM(q.Group) {
			v |= OldInSSM
		}
	}
	return v | q.Sources.check() | checkExtensions(q.Extended, q.Additional)
}

// Check returns the rules that the report or done breaks.
func (r *Membership) Check(e Envelope) Violations {
	v := e.check()
	want := r.Group
	if r.Type == TypeDone {
		want = AllRouters
	}
	if e.elsewhere(want) {
		v |= WrongDestination
	}
	switch {
	case !r.Group.IsMulticast():
		v |= NotAGroup
	case neverReported(r.Group):
		v |= NeverReported
	case group.IsSSM(r.Group):
		v |= OldInSSM
	}
	return v
}

// Check returns the rules that the report breaks, by any of its records.
func (r *Report2) Check(e Envelope) Violations {
	v := e.check()
	if e.elsewhere(AllV2Routers) {
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
	case !r.Group.IsMulticast() || !r.Type.Known() || neverReported(r.Group):
		v = BadRecord
	case !r.Type.Splits() && group.IsSSM(r.Group):
		v = ExcludeInSSM
	}
	return v | r.Sources.check()
}

// neverReported reports whether no message is ever sent about group a: the
// link-scope all-nodes address and those of scope 0 and 1 (RFC 3810 section 6).
func neverReported(a netip.Addr) bool {
	return a == AllNodes || a.As16()[1]&0x0f <= 1
}

func (s Sources) check() Violations {
	for a := range s.All() {
		if a.IsMulticast() || a.IsUnspecified() {
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
