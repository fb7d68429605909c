package igmp

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
//	if q.Check(env)&igmp.PolicyRFC != 0 {
//		return // not for us
//	}
type Violations uint32

// Rules about the packet around the message.
const (
	// WrongTTL: not 1, with which every message is sent (RFC 3376 section 4,
	// RFC 2236 section 2, RFC 1112 appendix I). It comes from a router that
	// forwards what it must not, or from afar.
	WrongTTL Violations = 1 << iota

	// NoRouterAlert: hosts SHOULD ignore queries of version 2 and 3 without
	// the option (RFC 3376 section 9.1), routers reports (sections 9.2 and
	// 9.3). Version 1 had no such option.
	NoRouterAlert

	// BadSender: the source address of the packet is multicast or broadcast.
	BadSender

	// ZeroSender: a query comes from 0.0.0.0. It is a switch's, and must not
	// take part in the election of the querier (RFC 4541 section 2.1.1, rule
	// 4). Reports from 0.0.0.0 are good (RFC 3376 section 4.2.13).
	ZeroSender

	// OffLink: the sender is in no network of the interface, as
	// Envelope.OffLink says (RFC 3376 sections 9.2 and 9.3).
	OffLink

	// GeneralElsewhere: a General Query was sent to another multicast address
	// than 224.0.0.1. Hosts SHOULD ignore it (RFC 3376 section 9.1).
	GeneralElsewhere

	// WrongDestination: not sent to where it belongs: other queries and reports
	// of version 1 and 2 to their group (RFC 3376 sections 4.1.12 and 4.2.14),
	// reports of version 3 to 224.0.0.22, leaves to 224.0.0.2 (RFC 2236 section
	// 3). It has to be accepted where it arrives, but a report sent elsewhere
	// silences no other host (RFC 1112 appendix I).
	WrongDestination
)

// Rules about the message.
const (
	// NotAGroup: the message asks or tells about an address that is not
	// multicast.
	NotAGroup Violations = 1 << (iota + 16)

	// NeverReported: a report of version 1 or 2, or a leave, about 224.0.0.1,
	// which is never reported (RFC 3376 section 5).
	NeverReported

	// SourcesOfAll: a General Query with sources; there have to be none (RFC
	// 3376 section 4.1.8).
	SourcesOfAll

	// BadSource: a source is no unicast address.
	BadSource

	// BadRecord: a record has an unknown type, or is about 224.0.0.1 or an
	// address that is not multicast. It is to be ignored, and the rest of the
	// report is not (RFC 3376 section 4.2.12).
	BadRecord

	// BadExtensions: the bit E is set, and what follows is not a list of
	// extensions. It is to be ignored, and the message is not (RFC 9279 section
	// 5).
	BadExtensions

	// OldInSSM: a message of version 1 or 2 about a source-specific group. A
	// router SHOULD ignore reports and leaves, a host answers and logs (RFC 4604
	// sections 2.2.3, 2.2.5, 3.5 and 3.7).
	OldInSSM

	// ExcludeInSSM: an IS_EX or TO_EX record about a source-specific group. A
	// router SHOULD ignore the record, and not the rest (RFC 4604 section 3.1).
	ExcludeInSSM
)

// Policies: which violations make one ignore a message.
const (
	// PolicyRFC is what RFC 3376 section 9 asks of hosts and routers that
	// have no hosts of version 1 or early version 2, which lack Router Alert.
	PolicyRFC = WrongTTL | NoRouterAlert | BadSender | OffLink | GeneralElsewhere | PolicyOpen

	// PolicyOpen refuses only messages that make no sense.
	PolicyOpen = NotAGroup | NeverReported

	// PolicyCareful refuses everything that somebody might have forged or got
	// wrong, whole messages for one bad record too.
	PolicyCareful = ^Violations(0) &^ (ZeroSender | BadExtensions)
)

var violationNames = [32]string{
	0: "wrong TTL", 1: "no router alert", 2: "bad sender", 3: "sender 0.0.0.0", 4: "off link",
	5: "general query elsewhere", 6: "wrong destination",
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
