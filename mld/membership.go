package mld

import (
	"io"
	"net/netip"
)

// messageLen is the length of all messages of version 1, in bytes (RFC 2710 section
// 3).
const messageLen = 24

// A Membership is one of the messages by which a node of version 1 speaks of a
// single group: TypeReport or TypeDone (RFC 2710 section 3).
type Membership struct {
	Type  Type
	Group netip.Addr

	// Additional is what follows the 24 bytes of the message. It means nothing
	// and is not to be sent (RFC 2710 section 3.7). Nil if there is none.
	Additional []byte
}

func (t Type) membership() bool { return t == TypeReport || t == TypeDone }

// ParseMembership parses a version 1 report or a done in a packet from src to dst;
// r.Additional aliases b. Both modes are the same here.
func (m Mode) ParseMembership(src, dst netip.Addr, b []byte, r *Membership) error {
	if len(b) < messageLen {
		return fail("report", "length", io.ErrUnexpectedEOF)
	}
	t := Type(b[0])
	if !t.membership() {
		return fail("report", "type", ErrType)
	}
	*r = Membership{Type: t, Group: addr16(b[8:]), Additional: clip(b[messageLen:])}
	if !sumOK(src, dst, b) {
		return fail(t.String(), "checksum", ErrChecksum)
	}
	return nil
}

// Append appends the message for a packet from src to dst.
func (r *Membership) Append(b []byte, src, dst netip.Addr) ([]byte, error) {
	if !r.Type.membership() {
		return b, fail("report", "type", ErrType)
	}
	if !is6(src) || !is6(dst) {
		return b, fail(r.Type.String(), "pseudo-header", ErrAddress)
	}
	g, ok := as16(r.Group)
	if !ok {
		return b, fail(r.Type.String(), "multicast address", ErrAddress)
	}
	start := len(b)
	b = append(b, byte(r.Type), 0, 0, 0, 0, 0, 0, 0)
	b = append(b, g[:]...)
	return seal(append(b, r.Additional...), start, src, dst), nil
}
