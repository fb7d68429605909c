package wire

import (
	"bytes"
	"encoding/binary"

	"github.com/gomulticast/multicast/rmt/fec"
)

// Flush is a NORM_CMD(FLUSH) message: how far the sender has come, and whose
// acknowledgment it wants for that (RFC 5740 section 4.2.3.1).
type Flush struct {
	Sender
	FEC         fec.EncodingID
	Object      TransportID
	ID          fec.PayloadID
	AckingNodes NodeList
}

// ParseFlush parses a NORM_CMD(FLUSH) message; m.AckingNodes aliases b.
func (c Codec) ParseFlush(b []byte, m *Flush) error {
	h, s, err := openCmd(b, CmdFlush, senderLen)
	if err != nil {
		return err
	}
	m.Sender = s
	if m.FEC, m.Object, m.ID, err = c.parsePosition(b, &h, "CMD(FLUSH)"); err != nil {
		return err
	}
	m.AckingNodes, err = list(b, &h, 4, "CMD(FLUSH)", "acking_node_list")
	return err
}

// AppendFlush appends a NORM_CMD(FLUSH) message.
func (c Codec) AppendFlush(dst []byte, m *Flush) ([]byte, error) {
	out, err := c.appendPosition(dst, &m.Sender, CmdFlush, m.FEC, m.Object, m.ID)
	if err != nil {
		return dst, err
	}
	return append(out, m.AckingNodes...), nil
}

// parsePosition reads the transmit position of FLUSH and SQUELCH, and checks
// their extensions.
func (c Codec) parsePosition(b []byte, h *Header, msg string) (fec.EncodingID, TransportID, fec.PayloadID, error) {
	id := fec.EncodingID(b[13])
	f, err := c.format(id)
	if err != nil {
		return 0, 0, fec.PayloadID{}, fail(msg, "fec_id", err)
	}
	base := senderLen + f.Len()
	if h.HeaderLen < base {
		return 0, 0, fec.PayloadID{}, fail(msg, "hdr_len", ErrHeaderLen)
	}
	p, err := f.Parse(b[senderLen:])
	if err != nil {
		return 0, 0, fec.PayloadID{}, fail(msg, "fec_payload_id", err)
	}
	return id, TransportID(binary.BigEndian.Uint16(b[14:])), p, skipExtensions(msg, b[base:h.HeaderLen])
}

func (c Codec) appendPosition(dst []byte, s *Sender, t CmdType, id fec.EncodingID, o TransportID, p fec.PayloadID) ([]byte, error) {
	if err := s.check(t.String()); err != nil {
		return dst, err
	}
	f, err := c.format(id)
	if err != nil {
		return dst, fail(t.String(), "fec_id", err)
	}
	if !fits(f, p) {
		return dst, fail(t.String(), "fec_payload_id", ErrRange)
	}
	return f.Append(s.append(dst, TypeCmd, senderLen+f.Len(), byte(t), byte(id), uint16(o)), p), nil
}

// AppendBinary implements [encoding.BinaryAppender] by the zero Codec.
func (m *Flush) AppendBinary(dst []byte) ([]byte, error) { return Codec{}.AppendFlush(dst, m) }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (m *Flush) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]: it copies b.
func (m *Flush) UnmarshalBinary(b []byte) error { return Codec{}.ParseFlush(bytes.Clone(b), m) }
