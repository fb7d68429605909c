package wire

import "encoding/binary"

const feedbackBase = 24 // base header of NACK and ACK in bytes

// Feedback is what both receiver messages, NACK and ACK, begin with (RFC 5740
// section 4.3.1).
type Feedback struct {
	// Sequence SHOULD count a receiver's messages to one destination, against
	// replay (section 4.1); in NRL's implementation it is always 0.
	Sequence uint16
	Source   NodeID

	// Server is the sender that the message is for: the server_id field.
	Server NodeID
	// InstanceID is that of the sender; it SHOULD ignore any other.
	InstanceID uint16

	// GRTTResponse is the SendTime of the last CMD(CC), plus the time since it
	// arrived. The sender MUST ignore a zero one.
	GRTTResponse Timestamp

	// HasCC says that the message carries EXT_CC, and CC what it says.
	HasCC bool
	CC    CCFeedback

	// HasDelivery says that it carries this package's own extension, and
	// Delivery what that says.
	HasDelivery bool
	Delivery    Delivery
}

// parse reads the fields of f; *f is overwritten.
func (f *Feedback) parse(b []byte, t Type) (Header, error) {
	h, err := open(b, t, feedbackBase)
	if err != nil {
		return h, err
	}
	*f = Feedback{
		Sequence:     h.Sequence,
		Source:       h.Source,
		Server:       NodeID(binary.BigEndian.Uint32(b[8:])),
		InstanceID:   binary.BigEndian.Uint16(b[12:]),
		GRTTResponse: parseTimestamp(b[16:]),
	}
	if f.HasCC, err = parseCC(t.String(), b[feedbackBase:h.HeaderLen], &f.CC); err == nil {
		f.HasDelivery = parseDelivery(b[feedbackBase:h.HeaderLen], &f.Delivery)
	}
	return h, err
}

// append appends the whole header; x and y are the two bytes in which NACK and
// ACK differ.
func (f *Feedback) append(dst []byte, t Type, x, y byte) []byte {
	hdr := feedbackBase
	if f.HasCC {
		hdr += ccFeedbackLen
	}
	if f.HasDelivery {
		hdr += deliveryLen
	}
	dst = append(dst,
		Version<<4|byte(t), byte(hdr/4), byte(f.Sequence>>8), byte(f.Sequence),
		byte(f.Source>>24), byte(f.Source>>16), byte(f.Source>>8), byte(f.Source),
		byte(f.Server>>24), byte(f.Server>>16), byte(f.Server>>8), byte(f.Server),
		byte(f.InstanceID>>8), byte(f.InstanceID), x, y)
	dst = f.GRTTResponse.append(dst)
	if f.HasCC {
		dst = f.CC.append(dst)
	}
	if f.HasDelivery {
		dst = f.Delivery.append(dst)
	}
	return dst
}
