package igmp

import (
	"io"
	"strconv"
)

// A MAC is an Ethernet address.
type MAC [6]byte

// String returns the address as in "01:00:5e:01:02:03".
func (m MAC) String() string {
	const hex = "0123456789abcdef"
	var s [17]byte
	for i, b := range m {
		if i > 0 {
			s[3*i-1] = ':'
		}
		s[3*i], s[3*i+1] = hex[b>>4], hex[b&15]
	}
	return string(s[:])
}

// CGMPAddr is the Ethernet address that CGMP frames are sent to.
var CGMPAddr = MAC{0x01, 0x00, 0x0c, 0xdd, 0xdd, 0xdd}

// cgmpLLC is the LLC and SNAP header of a CGMP frame: OUI 00-00-0c, protocol 2001.
var cgmpLLC = [8]byte{0xaa, 0xaa, 0x03, 0x00, 0x00, 0x0c, 0x20, 0x01}

// A CGMP is a message of the Cisco Group Management Protocol, by which a router
// tells switches which stations are in which group. It is no RFC; the layout is the
// one that dissectors agree on.
type CGMP struct {
	Version uint8
	Type    CGMPType
	Entries CGMPEntries
}

// CGMPType is what a CGMP message tells.
type CGMPType uint8

// Types of CGMP messages.
const (
	CGMPJoin  CGMPType = 0
	CGMPLeave CGMPType = 1
)

// String returns "join" or "leave", or the number.
func (t CGMPType) String() string {
	switch t {
	case CGMPJoin:
		return "join"
	case CGMPLeave:
		return "leave"
	}
	return "type " + strconv.Itoa(int(t))
}

// CGMPEntries is a list of pairs of addresses as it is on the wire, 12 bytes each.
type CGMPEntries []byte

// Len returns the number of entries.
func (e CGMPEntries) Len() int { return len(e) / 12 }

// At returns entry i, 0 to Len()-1: a group and the station that joins or leaves
// it. A zero group stands for all groups, a zero station for all stations.
func (e CGMPEntries) At(i int) (group, station MAC) {
	b := e[12*i : 12*i+12]
	return MAC(b[:6]), MAC(b[6:])
}

// ParseCGMP parses the payload of an IEEE 802.3 frame, from the LLC header on;
// c.Entries aliases b. It returns [ErrType] for one that is not CGMP.
func ParseCGMP(b []byte, c *CGMP) error {
	if len(b) < len(cgmpLLC) {
		return fail("CGMP", "LLC header", io.ErrUnexpectedEOF)
	}
	if [8]byte(b) != cgmpLLC {
		return fail("CGMP", "LLC header", ErrType)
	}
	b = b[len(cgmpLLC):]
	if len(b) < 4 {
		return fail("CGMP", "length", io.ErrUnexpectedEOF)
	}
	n := 12 * int(b[3])
	if n > len(b)-4 {
		return fail("CGMP", "count", io.ErrUnexpectedEOF)
	}
	*c = CGMP{Version: b[0] >> 4, Type: CGMPType(b[0] & 15), Entries: CGMPEntries(clip(b[4 : 4+n]))}
	return nil
}
