package wire

import "bytes"

// Nack is a NORM_NACK message: a receiver's repair requests (RFC 5740 section
// 4.3.1).
type Nack struct {
	Feedback
	Requests Requests
}

// ParseNack parses a NORM_NACK message; m.Requests aliases b and is not checked,
// see [Requests].
func (c Codec) ParseNack(b []byte, m *Nack) error {
	h, err := m.parse(b, TypeNack)
	if err != nil {
		return err
	}
	m.Requests = c.Requests(h.tail(b))
	return nil
}

// AppendNack appends a NORM_NACK message.
func (c Codec) AppendNack(dst []byte, m *Nack) ([]byte, error) {
	return append(m.append(dst, TypeNack, 0, 0), m.Requests.b...), nil
}

// AppendNackHeader appends a NORM_NACK message without its requests, for a
// [RequestBuilder] to go on from there.
func (c Codec) AppendNackHeader(dst []byte, m *Nack) ([]byte, error) {
	return m.append(dst, TypeNack, 0, 0), nil
}

// AppendBinary implements [encoding.BinaryAppender].
func (m *Nack) AppendBinary(dst []byte) ([]byte, error) { return Codec{}.AppendNack(dst, m) }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (m *Nack) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler] by the zero Codec: it
// copies b.
func (m *Nack) UnmarshalBinary(b []byte) error { return Codec{}.ParseNack(bytes.Clone(b), m) }
