package wire

import "encoding/binary"

// senderLen is the length of the shared part of sender messages with the four
// bytes after it, which differ: the base header of most of them.
const senderLen = 16

// Sender is what every sender message (INFO, DATA and CMD) begins with (RFC 5740
// section 4.2.1).
type Sender struct {
	// Sequence counts all of a sender's messages; receivers estimate loss
	// from it (section 4.1).
	Sequence uint16
	Source   NodeID

	// InstanceID tells one participation of the sender in the session from
	// the next.
	InstanceID uint16

	// GRTT is the sender's group round-trip time as QuantizeGRTT gives it.
	GRTT uint8
	// Backoff is the NACK backoff factor K_sender, 0 to 15.
	Backoff uint8
	// GroupSize is the group size as QuantizeGroupSize gives it, 0 to 15.
	GroupSize uint8
}

// ParseInstance reads the instance ID of a sender's message, of which h is the header:
// INFO, DATA or CMD. It reports false for others and for one cut short.
func ParseInstance(b []byte, h *Header) (uint16, bool) {
	switch h.Type {
	case TypeInfo, TypeData, TypeCmd:
		if len(b) >= headerLen+2 {
			return binary.BigEndian.Uint16(b[headerLen:]), true
		}
	}
	return 0, false
}

func parseSender(b []byte, h *Header) Sender {
	return Sender{
		Sequence:   h.Sequence,
		Source:     h.Source,
		InstanceID: binary.BigEndian.Uint16(b[8:]),
		GRTT:       b[10],
		Backoff:    b[11] >> 4,
		GroupSize:  b[11] & 0x0f,
	}
}

// append appends the first 16 bytes of a sender message with a header of hdr
// bytes: the shared ones, then x, y and z.
func (s *Sender) append(dst []byte, t Type, hdr int, x, y byte, z uint16) []byte {
	return append(dst,
		Version<<4|byte(t), byte(hdr/4), byte(s.Sequence>>8), byte(s.Sequence),
		byte(s.Source>>24), byte(s.Source>>16), byte(s.Source>>8), byte(s.Source),
		byte(s.InstanceID>>8), byte(s.InstanceID), s.GRTT, s.Backoff<<4|s.GroupSize&0x0f,
		x, y, byte(z>>8), byte(z))
}

// check reports whether the 4-bit fields of s are in range.
func (s *Sender) check(msg string) error {
	if s.Backoff > 15 {
		return fail(msg, "backoff", ErrRange)
	}
	if s.GroupSize > 15 {
		return fail(msg, "gsize", ErrRange)
	}
	return nil
}
