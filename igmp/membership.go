package igmp

import (
	"io"
	"net/netip"
)

// A Membership is one of the messages by which a host of version 1 or 2 speaks of a
// single group: TypeReport1 (RFC 1112 appendix I), TypeReport2 or TypeLeave (RFC
// 2236 section 2).
type Membership struct {
	Type  Type
	Group netip.Addr

	// Additional is what follows the 8 bytes of the message. It means nothing
	// (RFC 2236 section 2.5). Nil if there is none.
	Additional []byte
}

func (t Type) membership() bool { return t == TypeReport1 || t == TypeReport2 || t == TypeLeave }

// ParseMembership parses a report of version 1 or 2, or a leave; r.Additional
// aliases b. Both modes are the same here.
func (m Mode) ParseMembership(b []byte, r *Membership) error {
	if len(b) < 8 {
		return fail("report", "length", io.ErrUnexpectedEOF)
	}
	t := Type(b[0])
	if !t.membership() {
		return fail("report", "type", ErrType)
	}
	*r = Membership{Type: t, Group: addr4(b[4:]), Additional: clip(b[8:])}
	if !sumOK(b) {
		return fail(t.String(), "checksum", ErrChecksum)
	}
	return nil
}

// AppendBinary appends the message. It implements [encoding.BinaryAppender].
func (r *Membership) AppendBinary(b []byte) ([]byte, error) {
	if !r.Type.membership() {
		return b, fail("report", "type", ErrType)
	}
	g, ok := as4(r.Group)
	if !ok {
		return b, fail(r.Type.String(), "group address", ErrAddress)
	}
	start := len(b)
	b = append(b, byte(r.Type), 0, 0, 0, g[0], g[1], g[2], g[3])
	return seal(append(b, r.Additional...), start), nil
}

// MarshalBinary implements [encoding.BinaryMarshaler].
func (r *Membership) MarshalBinary() ([]byte, error) { return r.AppendBinary(nil) }
