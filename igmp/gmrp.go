package igmp

import (
	"io"
	"iter"
	"strconv"
)

// GMRPAddr is the Ethernet address that GMRP frames are sent to (IEEE 802.1D-2004
// table 12-1).
var GMRPAddr = MAC{0x01, 0x80, 0xc2, 0x00, 0x00, 0x20}

// garpLLC is the LLC header of a GARP frame and the protocol identifier (IEEE
// 802.1D-2004 section 12.10). Which application it is, the frame's destination tells.
var garpLLC = [5]byte{0x42, 0x42, 0x03, 0x00, 0x01}

// GMRPEvent is what a GMRP attribute tells (IEEE 802.1D-2004 section 12.10.2.4).
type GMRPEvent uint8

// Events of GMRP.
const (
	GMRPLeaveAll GMRPEvent = iota
	GMRPJoinEmpty
	GMRPJoinIn
	GMRPLeaveEmpty
	GMRPLeaveIn
	GMRPEmpty
)

var gmrpEventNames = [...]string{"leave all", "join empty", "join in", "leave empty", "leave in", "empty"}

// String returns the name of the event, as in "join in", or the number.
func (e GMRPEvent) String() string {
	if int(e) < len(gmrpEventNames) {
		return gmrpEventNames[e]
	}
	return "event " + strconv.Itoa(int(e))
}

// Attribute types of GMRP (IEEE 802.1D-2004 section 10.3.1.2).
const (
	gmrpGroup   = 1 // a group address
	gmrpService = 2 // a default for groups
)

// A GMRPAttribute is a station's declaration to its switch, by the GARP Multicast
// Registration Protocol: about a group, or about what shall happen to groups in
// general.
type GMRPAttribute struct {
	Event GMRPEvent

	// Service says that this is about a service requirement and not a group,
	// and ForwardAll which: all groups, or else all unregistered groups.
	Service, ForwardAll bool

	// Group is the group's address, zero for a Service and for GMRPLeaveAll,
	// which takes back all declarations of the kind.
	Group MAC
}

// A GMRP is a GMRP frame, checked and as it is on the wire.
type GMRP []byte

// ParseGMRP parses the payload of an IEEE 802.3 frame, from the LLC header on; the
// result aliases b. It returns [ErrType] for one that is not of GARP; that it is
// GMRP, the caller has seen by the frame's destination, [GMRPAddr]. [ErrLength] is
// for an attribute whose length is not that of its kind.
func ParseGMRP(b []byte) (GMRP, error) {
	if len(b) < len(garpLLC) {
		return nil, fail("GMRP", "LLC header", io.ErrUnexpectedEOF)
	}
	if [5]byte(b) != garpLLC {
		return nil, fail("GMRP", "LLC header", ErrType)
	}
	b = b[len(garpLLC):]
	end, err := walkGMRP(b, nil)
	return GMRP(b[:end:end]), err
}

// All returns the declarations in order. Attributes of unknown types are left out.
func (g GMRP) All() iter.Seq[GMRPAttribute] {
	return func(yield func(GMRPAttribute) bool) { _, _ = walkGMRP(g, yield) }
}

// walkGMRP goes through messages: a type, attributes, a zero behind the last; and a
// zero, or the end of the frame, behind the last message (IEEE 802.1D-2004 section
// 12.10.1). It returns where they end.
func walkGMRP(b []byte, yield func(GMRPAttribute) bool) (int, error) {
	i := 0
	for i < len(b) && b[i] != 0 {
		kind := b[i]
		i++
		for {
			if i >= len(b) {
				return i, nil // the end of the frame ends all
			}
			n := int(b[i])
			if n == 0 {
				i++
				break
			}
			if n < 2 {
				return i, fail("GMRP", "attribute length", ErrLength)
			}
			if n > len(b)-i {
				return i, fail("GMRP", "attribute length", io.ErrUnexpectedEOF)
			}
			a := GMRPAttribute{Event: GMRPEvent(b[i+1]), Service: kind == gmrpService}
			value := b[i+2 : i+n]
			switch {
			case a.Event == GMRPLeaveAll:
			case kind == gmrpGroup && len(value) == 6:
				a.Group = MAC(value)
			case kind == gmrpService && len(value) == 1:
				a.ForwardAll = value[0] == 0
			case kind == gmrpGroup || kind == gmrpService:
				return i, fail("GMRP", "attribute length", ErrLength)
			}
			if yield != nil && (kind == gmrpGroup || kind == gmrpService) && !yield(a) {
				return i, nil
			}
			i += n
		}
	}
	return i, nil
}
