package wire

import "bytes"

// Report is a NORM_REPORT message, whose content RFC 5740 section 4.4.1 leaves to
// experiments.
type Report struct {
	Sequence uint16
	Source   NodeID
	Payload  []byte
}

// ParseReport parses a NORM_REPORT message; m.Payload aliases b.
func (c Codec) ParseReport(b []byte, m *Report) error {
	h, err := open(b, TypeReport, headerLen)
	if err != nil {
		return err
	}
	*m = Report{Sequence: h.Sequence, Source: h.Source, Payload: h.tail(b)}
	return skipExtensions("REPORT", b[headerLen:h.HeaderLen])
}

// AppendReport appends a NORM_REPORT message.
func (c Codec) AppendReport(dst []byte, m *Report) ([]byte, error) {
	dst = append(dst, Version<<4|byte(TypeReport), headerLen/4, byte(m.Sequence>>8), byte(m.Sequence),
		byte(m.Source>>24), byte(m.Source>>16), byte(m.Source>>8), byte(m.Source))
	return append(dst, m.Payload...), nil
}

// AppendBinary implements [encoding.BinaryAppender].
func (m *Report) AppendBinary(dst []byte) ([]byte, error) { return Codec{}.AppendReport(dst, m) }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (m *Report) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]: it copies b.
func (m *Report) UnmarshalBinary(b []byte) error { return Codec{}.ParseReport(bytes.Clone(b), m) }
