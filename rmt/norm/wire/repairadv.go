package wire

import "bytes"

// RepairAdvLimit is the flag of CMD(REPAIR_ADV) that says that Requests did not
// all fit: receivers SHALL limit their NACK to positions up to the last one named
// (RFC 5740 section 4.2.3.5). NRL's implementation ignores it.
const RepairAdvLimit uint8 = 0x01

// RepairAdv is a NORM_CMD(REPAIR_ADV) message: what the sender has heard by
// unicast, for the suppression of other receivers' feedback (RFC 5740 section
// 4.2.3.5).
type RepairAdv struct {
	Sender
	Flags uint8 // RepairAdvLimit

	// HasCC says that the message carries EXT_CC, and CC what it says.
	HasCC bool
	CC    CCFeedback

	Requests Requests
}

// ParseRepairAdv parses a NORM_CMD(REPAIR_ADV) message; m.Requests aliases b and
// is not checked, see [Requests].
func (c Codec) ParseRepairAdv(b []byte, m *RepairAdv) error {
	h, s, err := openCmd(b, CmdRepairAdv, senderLen)
	if err != nil {
		return err
	}
	*m = RepairAdv{Sender: s, Flags: b[13], Requests: c.Requests(h.tail(b))}
	m.HasCC, err = parseCC("CMD(REPAIR_ADV)", b[senderLen:h.HeaderLen], &m.CC)
	return err
}

// AppendRepairAdv appends a NORM_CMD(REPAIR_ADV) message.
func (c Codec) AppendRepairAdv(dst []byte, m *RepairAdv) ([]byte, error) {
	dst, err := c.AppendRepairAdvHeader(dst, m)
	if err != nil {
		return dst, err
	}
	return append(dst, m.Requests.b...), nil
}

// AppendRepairAdvHeader appends a NORM_CMD(REPAIR_ADV) message without its
// requests, for a [RequestBuilder] to go on from there.
func (c Codec) AppendRepairAdvHeader(dst []byte, m *RepairAdv) ([]byte, error) {
	if err := m.check("CMD(REPAIR_ADV)"); err != nil {
		return dst, err
	}
	hdr := senderLen
	if m.HasCC {
		hdr += ccFeedbackLen
	}
	dst = m.append(dst, TypeCmd, hdr, byte(CmdRepairAdv), m.Flags, 0)
	if m.HasCC {
		dst = m.CC.append(dst)
	}
	return dst, nil
}

// AppendBinary implements [encoding.BinaryAppender].
func (m *RepairAdv) AppendBinary(dst []byte) ([]byte, error) { return Codec{}.AppendRepairAdv(dst, m) }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (m *RepairAdv) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler] by the zero Codec: it
// copies b.
func (m *RepairAdv) UnmarshalBinary(b []byte) error {
	return Codec{}.ParseRepairAdv(bytes.Clone(b), m)
}
