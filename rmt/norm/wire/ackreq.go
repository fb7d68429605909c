package wire

import "bytes"

// AckReq is a NORM_CMD(ACK_REQ) message: the sender asks the nodes named for an
// acknowledgment of the application's (RFC 5740 section 4.2.3.6).
type AckReq struct {
	Sender

	// AckType SHALL NOT be AckCC or AckFlush: those answer other commands.
	AckType AckType
	// AckID comes back in the acknowledgments.
	AckID uint8

	AckingNodes NodeList
}

// ParseAckReq parses a NORM_CMD(ACK_REQ) message; m.AckingNodes aliases b.
func (c Codec) ParseAckReq(b []byte, m *AckReq) error {
	h, s, err := openCmd(b, CmdAckReq, senderLen)
	if err != nil {
		return err
	}
	if err := skipExtensions("CMD(ACK_REQ)", b[senderLen:h.HeaderLen]); err != nil {
		return err
	}
	*m = AckReq{Sender: s, AckType: AckType(b[14]), AckID: b[15]}
	m.AckingNodes, err = list(b, &h, 4, "CMD(ACK_REQ)", "acking_node_list")
	return err
}

// AppendAckReq appends a NORM_CMD(ACK_REQ) message.
func (c Codec) AppendAckReq(dst []byte, m *AckReq) ([]byte, error) {
	if err := m.check("CMD(ACK_REQ)"); err != nil {
		return dst, err
	}
	dst = m.append(dst, TypeCmd, senderLen, byte(CmdAckReq), 0, uint16(m.AckType)<<8|uint16(m.AckID))
	return append(dst, m.AckingNodes...), nil
}

// AppendBinary implements [encoding.BinaryAppender].
func (m *AckReq) AppendBinary(dst []byte) ([]byte, error) { return Codec{}.AppendAckReq(dst, m) }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (m *AckReq) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]: it copies b.
func (m *AckReq) UnmarshalBinary(b []byte) error { return Codec{}.ParseAckReq(bytes.Clone(b), m) }
