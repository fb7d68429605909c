package wire

// EOT is a NORM_CMD(EOT) message: the sender leaves for good (RFC 5740 section
// 4.2.3.2).
type EOT struct {
	Sender
}

// ParseEOT parses a NORM_CMD(EOT) message.
func (c Codec) ParseEOT(b []byte, m *EOT) error {
	h, s, err := openCmd(b, CmdEOT, senderLen)
	if err != nil {
		return err
	}
	m.Sender = s
	return skipExtensions("CMD(EOT)", b[senderLen:h.HeaderLen])
}

// AppendEOT appends a NORM_CMD(EOT) message.
func (c Codec) AppendEOT(dst []byte, m *EOT) ([]byte, error) {
	if err := m.check("CMD(EOT)"); err != nil {
		return dst, err
	}
	return m.append(dst, TypeCmd, senderLen, byte(CmdEOT), 0, 0), nil
}

// AppendBinary implements [encoding.BinaryAppender].
func (m *EOT) AppendBinary(dst []byte) ([]byte, error) { return Codec{}.AppendEOT(dst, m) }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (m *EOT) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler].
func (m *EOT) UnmarshalBinary(b []byte) error { return Codec{}.ParseEOT(b, m) }
