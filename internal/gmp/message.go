package gmp

import (
	"fmt"
	"net/netip"
	"time"
)

// A Kind is what a message is for.
type Kind uint8

const (
	// KindQuery asks for memberships: IGMP type 0x11, ICMPv6 type 130.
	KindQuery Kind = iota + 1

	// KindReport is a V1 or V2 report for one group: IGMP types 0x12 and 0x16,
	// ICMPv6 type 131.
	KindReport

	// KindLeave is IGMPv2's leave, 0x17, and MLDv1's done, 132.
	KindLeave

	// KindStateReport is a V3 report with records: IGMP type 0x22, ICMPv6 type
	// 143.
	KindStateReport

	// KindRouter is a multicast router's sign of life: an advertisement of RFC
	// 4286 or a PIM hello, for a Snooper. MaxResp is how long it holds, 0 a
	// goodbye.
	KindRouter
)

// String returns the kind in words.
func (k Kind) String() string {
	switch k {
	case KindQuery:
		return "query"
	case KindReport:
		return "report"
	case KindLeave:
		return "leave"
	case KindStateReport:
		return "state report"
	case KindRouter:
		return "router"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// A RecordType says what a record of a V3 report means (RFC 3376 section 4.2.12,
// RFC 3810 section 5.2.12); the values are those on the wire.
type RecordType uint8

const (
	// IsIn is MODE_IS_INCLUDE, part of an answer.
	IsIn RecordType = 1

	// IsEx is MODE_IS_EXCLUDE, part of an answer.
	IsEx RecordType = 2

	// ToIn is CHANGE_TO_INCLUDE_MODE.
	ToIn RecordType = 3

	// ToEx is CHANGE_TO_EXCLUDE_MODE.
	ToEx RecordType = 4

	// Allow is ALLOW_NEW_SOURCES.
	Allow RecordType = 5

	// Block is BLOCK_OLD_SOURCES.
	Block RecordType = 6
)

// String returns the RFCs' short name, such as "IS_IN".
func (t RecordType) String() string {
	if t < IsIn || t > Block {
		return fmt.Sprintf("RecordType(%d)", uint8(t))
	}
	return [...]string{"IS_IN", "IS_EX", "TO_IN", "TO_EX", "ALLOW", "BLOCK"}[t-1]
}

// A Record speaks of one group in a V3 report.
type Record struct {
	Type    RecordType
	Group   netip.Addr
	Sources []netip.Addr
}

// A Message is a decoded message of either protocol. One that an engine filled in
// lends its slices until the engine's next call; one handed to an engine is read
// only during the call.
type Message struct {
	Kind       Kind
	Generation Generation // of a query or report
	IfIndex    int        // which interface of a Proxy, which port of a Snooper; others ignore it
	Src, Dst   netip.Addr // of the IP header; a Dst that is not known may be zero

	// Group is the group of a specific query, V1 or V2 report, or leave. In a
	// general query it is unspecified, or zero.
	Group netip.Addr

	// Of queries. MaxResp is zero in V1, and of a KindRouter its time; Suppress is the S flag, QRV the
	// querier's robustness (0 is more than 7 or unknown) and Interval its query
	// interval, of V3 only.
	Sources  []netip.Addr
	MaxResp  time.Duration
	Suppress bool
	QRV      uint8
	Interval time.Duration

	// Records are the records of a V3 report.
	Records []Record
}

// reset clears m for the next message but keeps its room for records.
func (m *Message) reset(k Kind, g Generation) {
	*m = Message{Kind: k, Generation: g, Records: m.Records[:0]}
}

// elsewhere reports whether a message is known to have been sent to another address
// than to, so that not all hosts and routers got it.
func (m *Message) elsewhere(to netip.Addr) bool {
	dst := plain(m.Dst)
	return dst.IsValid() && dst != to
}

// specific reports whether a query asks for one group. The group field of a V1
// query means nothing (RFC 1112 appendix I).
func (m *Message) specific() bool {
	return m.Group.IsValid() && !m.Group.IsUnspecified() && m.Generation > V1
}
