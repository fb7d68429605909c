package wire

import "bytes"

// Application is a NORM_CMD(APPLICATION) message: a command of the application's
// (RFC 5740 section 4.2.3.7). Receivers may see it more than once.
type Application struct {
	Sender
	Payload []byte // at most a segment
}

// ParseApplication parses a NORM_CMD(APPLICATION) message; m.Payload aliases b.
func (c Codec) ParseApplication(b []byte, m *Application) error {
	h, s, err := openCmd(b, CmdApplication, senderLen)
	if err != nil {
		return err
	}
	*m = Application{Sender: s, Payload: h.tail(b)}
	return skipExtensions("CMD(APPLICATION)", b[senderLen:h.HeaderLen])
}

// AppendApplication appends a NORM_CMD(APPLICATION) message.
func (c Codec) AppendApplication(dst []byte, m *Application) ([]byte, error) {
	if err := m.check("CMD(APPLICATION)"); err != nil {
		return dst, err
	}
	return append(m.append(dst, TypeCmd, senderLen, byte(CmdApplication), 0, 0), m.Payload...), nil
}

// AppendBinary implements [encoding.BinaryAppender].
func (m *Application) AppendBinary(dst []byte) ([]byte, error) {
	return Codec{}.AppendApplication(dst, m)
}

// MarshalBinary implements [encoding.BinaryMarshaler].
func (m *Application) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]: it copies b.
func (m *Application) UnmarshalBinary(b []byte) error {
	return Codec{}.ParseApplication(bytes.Clone(b), m)
}
