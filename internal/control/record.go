package control

import (
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/igmp"
)

// Protocols of a Record.
const (
	IGMP = "igmp"
	MLD  = "mld"
	NORM = "norm" // RFC 5740
	CGMP = "cgmp" // Cisco's, from routers to switches
	GMRP = "gmrp" // IEEE 802.1D, from stations to switches
)

// Types of a Record. Those of NORM are the RFC's names in lower case, as in "data"
// and "cmd(flush)".
const (
	Query  = "query"
	Report = "report"
	Leave  = "leave" // IGMP, CGMP, GMRP
	Done   = "done"  // MLD
	Join   = "join"  // CGMP, GMRP
	DVMRP  = "dvmrp"
	PIMv1  = "pimv1"
	Mtrace = "mtrace"
	Other  = "other"
)

// Modes of an Entry. Join and Leave are those of versions 1 and 2 of IGMP and
// version 1 of MLD, where there are no sources.
const (
	ModeQuery = "query"
	ModeJoin  = "join"
	ModeLeave = "leave"
	IsIn      = "is_in"
	IsEx      = "is_ex"
	ToIn      = "to_in"
	ToEx      = "to_ex"
	Allow     = "allow"
	Block     = "block"
)

// recordModes are the modes by the record type of IGMPv3 and MLDv2, which count
// alike (RFC 3376 section 4.2.12, RFC 3810 section 5.2.12).
var recordModes = [...]string{"", IsIn, IsEx, ToIn, ToEx, Allow, Block}

// recordMode returns the mode of a record type; Other for an unknown one.
func recordMode(t uint8) string {
	if t == 0 || int(t) >= len(recordModes) {
		return Other
	}
	return recordModes[t]
}

// A Record is a packet in words.
type Record struct {
	Time    time.Time // of the packet; the zero Time is unknown. Describe leaves it alone.
	Proto   string
	Version int // of the protocol; 0 where a message has none
	Type    string
	Detail  string // what it is in the words of its protocol, as in "DVMRP prune"; "" if Type says it all

	Src, Dst         netip.Addr // not valid for CGMP and GMRP
	SrcPort, DstPort uint16     // of NORM, SAP and ALC
	SrcMAC, DstMAC   igmp.MAC   // zero if not known
	VLAN             uint16     // 0 is none
	TTL              uint8      // or hop limit

	// Groups are those spoken of, none in a General Query. They are valid until
	// the record is used again.
	Groups []Entry

	// Asked is what a Query says besides.
	Asked Asked

	// Of NORM: the sender's node ID (the receiver's, in what it sends) and its
	// message number.
	Node     uint32
	Sequence uint16

	// Of ALC: the transport session; and of ALC and NORM the object, its TOI or
	// transport ID, "" if the message is of none.
	TSI    uint64
	Object string

	// Of SAP: the originating source and the name of the session.
	Origin netip.Addr
	Title  string

	// Problems are the rules that the message breaks, in the words of packages
	// igmp and mld, and what kept it from being read.
	Problems []string

	// Refused says that hosts and routers do not act on it.
	Refused bool

	sources []netip.Addr // room for those of Groups
}

// An Entry is what a message says of one group.
type Entry struct {
	Group   netip.Addr
	Mode    string
	Sources []netip.Addr
	Port    uint16 // of SAP

	// Of CGMP and GMRP, which have Ethernet addresses instead; see
	// group.GroupsOf for the groups.
	MAC     igmp.MAC
	Station igmp.MAC // CGMP
}

// Asked is what a query says of its sender and of the answers to it.
type Asked struct {
	General    bool
	MaxResp    time.Duration
	Interval   time.Duration // 0 is unknown, as in old versions
	Robustness int           // 0 is unknown
	Suppress   bool
}

// reset empties the record and keeps its room.
func (r *Record) reset() {
	*r = Record{Time: r.Time, Groups: r.Groups[:0], Problems: r.Problems[:0], sources: r.sources[:0]}
}

// add notes a group.
func (r *Record) add(e Entry) { r.Groups = append(r.Groups, e) }

// problem notes what is wrong.
func (r *Record) problem(text string) { r.Problems = append(r.Problems, text) }

// list keeps sources in the record's room and returns them.
func (r *Record) list(next func(dst []netip.Addr) []netip.Addr) []netip.Addr {
	n := len(r.sources)
	r.sources = next(r.sources)
	return r.sources[n:len(r.sources):len(r.sources)]
}
