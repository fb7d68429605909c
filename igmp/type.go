package igmp

import (
	"io"
	"strconv"

	"github.com/gomulticast/multicast/internal/wire"
)

// Type is the type of an IGMP message, its first octet.
type Type uint8

// Types that this package parses and appends, and others that share the protocol
// number and are only recognised, see [ParseHeader].
const (
	TypeQuery   Type = 0x11 // Membership Query of any version (RFC 3376 section 4.1)
	TypeReport1 Type = 0x12 // Version 1 Membership Report (RFC 1112 appendix I)
	TypeReport2 Type = 0x16 // Version 2 Membership Report (RFC 2236 section 2.1)
	TypeLeave   Type = 0x17 // Version 2 Leave Group (RFC 2236 section 2.1)
	TypeReport3 Type = 0x22 // Version 3 Membership Report (RFC 3376 section 4.2)

	TypeDVMRP          Type = 0x13 // RFC 1075 section 3.1
	TypePIM1           Type = 0x14 // PIM version 1
	TypeCiscoTrace     Type = 0x15 // Cisco trace messages
	TypeMtraceResponse Type = 0x1e // multicast traceroute response
	TypeMtrace         Type = 0x1f // multicast traceroute query or request

	TypeRouterAdvertisement Type = 0x30 // Multicast Router Discovery (RFC 4286 section 3.2)
	TypeRouterSolicitation  Type = 0x31 // RFC 4286 section 4.2
	TypeRouterTermination   Type = 0x32 // RFC 4286 section 5.2
)

// String returns the type's name, or "type 0x.." for one unknown.
func (t Type) String() string {
	switch t {
	case TypeQuery:
		return "query"
	case TypeReport1:
		return "v1 report"
	case TypeReport2:
		return "v2 report"
	case TypeLeave:
		return "leave"
	case TypeReport3:
		return "v3 report"
	case TypeDVMRP:
		return "DVMRP"
	case TypePIM1:
		return "PIMv1"
	case TypeCiscoTrace:
		return "Cisco trace"
	case TypeMtraceResponse:
		return "mtrace response"
	case TypeMtrace:
		return "mtrace"
	case TypeRouterAdvertisement:
		return "router advertisement"
	case TypeRouterSolicitation:
		return "router solicitation"
	case TypeRouterTermination:
		return "router termination"
	}
	return "type 0x" + strconv.FormatUint(uint64(t), 16)
}

// TypeOf returns the type of a message. It looks at nothing else; false means that
// b is empty.
func TypeOf(b []byte) (Type, bool) {
	if len(b) == 0 {
		return 0, false
	}
	return Type(b[0]), true
}

// A Header is the part that all IGMP messages share, and the rest unread.
type Header struct {
	Type Type
	Code uint8  // the second octet; what it means depends on the type
	Body []byte // what follows the checksum; aliases the input
}

// ParseHeader recognises a message of any type, at least 4 bytes long, and verifies
// its checksum, which all types have in the same place. With [ErrChecksum] it
// returns the header nevertheless.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < 4 {
		return Header{}, fail("message", "length", io.ErrUnexpectedEOF)
	}
	h := Header{Type: Type(b[0]), Code: b[1], Body: b[4:len(b):len(b)]}
	if !sumOK(b) {
		return h, fail(h.Type.String(), "checksum", ErrChecksum)
	}
	return h, nil
}

// dvmrpNames are the codes of DVMRP messages: 1 and 2 by the meaning they have
// since version 3, the others as mrouted has them.
var dvmrpNames = [...]string{"", "probe", "report", "ask neighbors", "neighbors", "ask neighbors 2", "neighbors 2", "prune", "graft", "graft ack"}

// pim1Names are the codes of PIM version 1, which was never an RFC.
var pim1Names = [...]string{"query", "register", "register-stop", "join/prune", "RP reachability", "assert", "graft", "graft ack"}

// mtraceQueryLen is the length of a traceroute query; a request, the query on its
// way, is longer by a block for each hop behind it.
const mtraceQueryLen = 24

// String returns what the message is, as in "v3 report", "DVMRP prune", "PIMv1
// join/prune" or "mtrace request".
func (h Header) String() string {
	var names []string
	switch h.Type {
	case TypeDVMRP:
		names = dvmrpNames[:]
	case TypePIM1:
		names = pim1Names[:]
	case TypeMtrace:
		if len(h.Body)+4 > mtraceQueryLen {
			return "mtrace request"
		}
		return "mtrace query"
	default:
		return h.Type.String()
	}
	if int(h.Code) < len(names) && names[h.Code] != "" {
		return h.Type.String() + " " + names[h.Code]
	}
	return h.Type.String() + " code " + strconv.Itoa(int(h.Code))
}

// sumOK reports whether a message matches its checksum: over all of the IP payload,
// whatever part of it is understood (RFC 3376 sections 4.1.2 and 4.2.2).
func sumOK(b []byte) bool { return wire.Fold(wire.Add(0, b)) == 0xffff }

// seal writes the checksum of the message that starts at b[start].
func seal(b []byte, start int) []byte {
	m := b[start:]
	m[2], m[3] = 0, 0
	sum := wire.Checksum(m)
	m[2], m[3] = byte(sum>>8), byte(sum)
	return b
}
