package wire

import (
	"bytes"
	"encoding/binary"
)

// Application is a NORM_CMD(APPLICATION) message: a command of the application's
// (RFC 5740 section 4.2.3.7). Receivers may see it more than once.
type Application struct {
	Sender

	// HasNumber says that the message carries this package's own extension, type 240
	// of one word, and Number what that says: all copies of one command have the same,
	// and the next command another. Without, nothing but the content tells a copy from
	// a command that says the same again. Others skip the extension, as they must any
	// that they do not know (RFC 5740 section 4.1).
	//
	//	byte 0 is 240, bytes 1 and 2 are the number, byte 3 is 0
	HasNumber bool
	Number    uint16

	Payload []byte // at most a segment
}

// ParseApplication parses a NORM_CMD(APPLICATION) message; m.Payload aliases b.
func (c Codec) ParseApplication(b []byte, m *Application) error {
	h, s, err := openCmd(b, CmdApplication, senderLen)
	if err != nil {
		return err
	}
	*m = Application{Sender: s, Payload: h.tail(b)}
	for x := extensions(b[senderLen:h.HeaderLen]); len(x) > 0; {
		het, ext, ok := x.next()
		if !ok {
			return fail("CMD(APPLICATION)", "header extension", ErrExtension)
		}
		if het == extNumber {
			m.HasNumber, m.Number = true, binary.BigEndian.Uint16(ext[1:])
		}
	}
	return nil
}

// AppendApplication appends a NORM_CMD(APPLICATION) message.
func (c Codec) AppendApplication(dst []byte, m *Application) ([]byte, error) {
	if err := m.check("CMD(APPLICATION)"); err != nil {
		return dst, err
	}
	header := senderLen
	if m.HasNumber {
		header += 4
	}
	dst = m.append(dst, TypeCmd, header, byte(CmdApplication), 0, 0)
	if m.HasNumber {
		dst = append(dst, extNumber, byte(m.Number>>8), byte(m.Number), 0)
	}
	return append(dst, m.Payload...), nil
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
