package wire

import (
	"bytes"

	"github.com/gomulticast/multicast/rmt/fec"
)

// Squelch is a NORM_CMD(SQUELCH) message: where the sender's repair window begins,
// and which objects in it are no longer to be had (RFC 5740 section 4.2.3.3).
type Squelch struct {
	Sender
	FEC    fec.EncodingID
	Object TransportID
	ID     fec.PayloadID // the symbol ID SHOULD be 0

	// Invalid holds objects after Object, in order.
	Invalid TransportIDList
}

// ParseSquelch parses a NORM_CMD(SQUELCH) message; m.Invalid aliases b.
func (c Codec) ParseSquelch(b []byte, m *Squelch) error {
	h, s, err := openCmd(b, CmdSquelch, senderLen)
	if err != nil {
		return err
	}
	m.Sender = s
	if m.FEC, m.Object, m.ID, err = c.parsePosition(b, &h, "CMD(SQUELCH)"); err != nil {
		return err
	}
	m.Invalid, err = list(b, &h, 2, "CMD(SQUELCH)", "invalid_object_list")
	return err
}

// AppendSquelch appends a NORM_CMD(SQUELCH) message.
func (c Codec) AppendSquelch(dst []byte, m *Squelch) ([]byte, error) {
	out, err := c.appendPosition(dst, &m.Sender, CmdSquelch, m.FEC, m.Object, m.ID)
	if err != nil {
		return dst, err
	}
	return append(out, m.Invalid...), nil
}

// AppendBinary implements [encoding.BinaryAppender] by the zero Codec.
func (m *Squelch) AppendBinary(dst []byte) ([]byte, error) { return Codec{}.AppendSquelch(dst, m) }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (m *Squelch) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]: it copies b.
func (m *Squelch) UnmarshalBinary(b []byte) error { return Codec{}.ParseSquelch(bytes.Clone(b), m) }
