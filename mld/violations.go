package mld

import (
	"iter"
	"math/bits"
	"strconv"
	"strings"
)

// Violations is a set of rules that a message breaks which is sound in itself. Some
// must be refused, some only refused by the cautious, some merely be known to whoever
// looks after the network: which is a matter of policy, and a policy is a set of
// violations too.
//
//	if q.Check(env)&mld.PolicyRFC != 0 {
//		return // not for us
//	}
type Violations uint32

// Rules about the packet around the message.
const (
	// WrongHopLimit: not 1 (RFC 3810 sections 6.2, 7.4 and 7.6, RFC 2710
	// section 3). The message must be dropped.
	WrongHopLimit Violations = 1 << iota

	// NoRouterAlert: without the option in a hop-by-hop options header (the
	// same sections). The message must be dropped.
	NoRouterAlert

	// NotLinkLocal: the sender's address is neither link-local nor :: (RFC 3810
	// sections 5.1.14 and 5.2.13, RFC 2710 section 4). The message must be
	// dropped. Linux bridges send queries of a group so.
	NotLinkLocal

	// NoSender: the sender's address is ::. Queries must be dropped (RFC 3810
	// section 5.1.14), and routers drop reports too (section 5.2.13); but nodes
	// send such reports for switches that snoop (RFC 3590 section 4).
	NoSender

	// GeneralElsewhere: a General Query was sent to another multicast address
	// than ff02::1 (RFC 3810 section 5.1.15).
	GeneralElsewhere

	// WrongDestination: not sent to where it belongs: other queries and reports
	// of version 1 to their group (RFC 3810 section 5.1.15, RFC 2710 section 4),
	// reports of version 2 to ff02::16 (RFC 3810 section 5.2.14), dones to
	// ff02::2 (RFC 2710 section 4). It has to be accepted where it arrives.
	WrongDestination
)

// Rules about the message.
const (
	// NotAGroup: the message asks or tells about an address that is not
	// multicast.
	NotAGroup Violations = 1 << (iota + 16)

	// NeverReported: a report of version 1, or a done, about ff02::1 or an
	// address of scope 0 or 1, of which no messages are sent (RFC 3810 section
	// 6, RFC 2710 section 5).
	NeverReported

	// SourcesOfAll: a General Query with sources; there have to be none (RFC
	// 3810 section 5.1.10).
	SourcesOfAll

	// BadSource: a source is no unicast address.
	BadSource

	// BadRecord: a record has an unknown type, or is about an address that is
	// NotAGroup or NeverReported. It is to be ignored, and the rest of the
	// report is not (RFC 3810 section 5.2.12).
	BadRecord

	// BadExtensions: the bit E is set, and what follows is not a list of
	// extensions. It is to be ignored, and the message is not (RFC 9279 section
	// 5).
	BadExtensions

	// OldInSSM: a message of version 1 about a source-specific group. A router
	// SHOULD ignore reports and dones, a host answers and logs (RFC 4604 sections
	// 2.2.3, 2.2.5, 3.5 and 3.7).
	OldInSSM

	// ExcludeInSSM: an IS_EX or TO_EX record about a source-specific group. A
	// router SHOULD ignore the record, and not the rest (RFC 4604 section 3.1).
	ExcludeInSSM
)

// Policies: which violations make one ignore a message.
const (
	// PolicyRFC is what RFC 3810 asks of nodes and routers (sections 5.1.14,
	// 5.2.13, 6.2 and 7.6).
	PolicyRFC = WrongHopLimit | NoRouterAlert | NotLinkLocal | NoSender | PolicyOpen

	// PolicySnoop is the same for a switch, which has to know of members that
	// have no address yet (RFC 3590 section 6).
	PolicySnoop = PolicyRFC &^ NoSender

	// PolicyOpen refuses only messages that make no sense.
	PolicyOpen = NotAGroup | NeverReported

	// PolicyCareful refuses everything that somebody might have forged or got
	// wrong, whole messages for one bad record too.
	PolicyCareful = ^Violations(0) &^ BadExtensions
)

var violationNames = [32]string{
	0: "wrong hop limit", 1: "no router alert", 2: "not link-local", 3: "sender ::",
	4: "general query elsewhere", 5: "wrong destination",
	16: "not a group", 17: "never reported", 18: "general query with sources", 19: "bad source", 20: "bad record",
	21: "bad extensions", 22: "old version in SSM range", 23: "exclude in SSM range",
}

// All returns the violations in the set one by one.
func (v Violations) All() iter.Seq[Violations] {
	return func(yield func(Violations) bool) {
		for rest := v; rest != 0; rest &= rest - 1 {
			if !yield(rest & -rest) {
				return
			}
		}
	}
}

// String returns the names of the violations, with commas between.
func (v Violations) String() string {
	var b strings.Builder
	for one := range v.All() {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		i := bits.TrailingZeros32(uint32(one))
		if name := violationNames[i]; name != "" {
			b.WriteString(name)
		} else {
			b.WriteString("violation " + strconv.Itoa(i))
		}
	}
	return b.String()
}
