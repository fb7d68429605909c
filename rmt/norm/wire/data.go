package wire

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/gomulticast/multicast/rmt/fec"
)

// Data is a NORM_DATA message: one encoding symbol of an object (RFC 5740 section
// 4.2.1).
type Data struct {
	Sender
	Flags  Flags
	FEC    fec.EncodingID
	Object TransportID
	ID     fec.PayloadID

	// HasFTI says that the message carries EXT_FTI, and FTI what it says.
	// FTI.EncodingID equals FEC.
	HasFTI bool
	FTI    fec.OTI

	// Payload is the symbol. Of a stream it begins with a StreamHeader,
	// which a parity symbol has in encoded form.
	Payload []byte
}

// ParseData parses a NORM_DATA message; m.Payload aliases b.
func (c Codec) ParseData(b []byte, m *Data) error {
	h, err := open(b, TypeData, senderLen)
	if err != nil {
		return err
	}
	*m = Data{
		Sender: parseSender(b, &h),
		Flags:  Flags(b[12]),
		FEC:    fec.EncodingID(b[13]),
		Object: TransportID(binary.BigEndian.Uint16(b[14:])),
	}
	f, err := c.format(m.FEC)
	if err != nil {
		return fail("DATA", "fec_id", err)
	}
	if h.HeaderLen < senderLen+f.Len() {
		return fail("DATA", "hdr_len", ErrHeaderLen)
	}
	for x := extensions(b[senderLen+f.Len() : h.HeaderLen]); len(x) > 0; {
		het, ext, ok := x.next()
		if !ok {
			return fail("DATA", "header extension", ErrExtension)
		}
		if het != extFTI {
			continue
		}
		known, field, err := c.parseFTI(m.FEC, ext, &m.FTI)
		if err != nil {
			return fail("DATA", field, err)
		}
		m.HasFTI = known
	}
	// The field size says how the payload ID divides; its length is the same.
	if m.HasFTI {
		if f, err = m.FTI.PayloadIDFormat(); err != nil {
			return fail("DATA", "EXT_FTI", err)
		}
	}
	if m.ID, err = f.Parse(b[senderLen:]); err != nil {
		return fail("DATA", "fec_payload_id", io.ErrUnexpectedEOF)
	}
	m.Payload = h.tail(b)
	return nil
}

// AppendData appends a NORM_DATA message.
func (c Codec) AppendData(dst []byte, m *Data) ([]byte, error) {
	dst, err := c.AppendDataHeader(dst, m)
	if err != nil {
		return dst, err
	}
	return append(dst, m.Payload...), nil
}

// AppendDataHeader appends a NORM_DATA message without its payload, for a sender
// that reads the symbol from its source right behind the header.
func (c Codec) AppendDataHeader(dst []byte, m *Data) ([]byte, error) {
	if err := m.check("DATA"); err != nil {
		return dst, err
	}
	if m.HasFTI && m.FTI.EncodingID != m.FEC {
		return dst, fail("DATA", "EXT_FTI", ErrExtension)
	}
	if m.HasFTI {
		c.M = m.FTI.M
	}
	f, err := c.format(m.FEC)
	if err != nil {
		return dst, fail("DATA", "fec_id", err)
	}
	if !fits(f, m.ID) {
		return dst, fail("DATA", "fec_payload_id", ErrRange)
	}
	hdr := senderLen + f.Len()
	if m.HasFTI {
		hdr += ftiLen(m.FEC)
	}
	out := m.append(dst, TypeData, hdr, byte(m.Flags), byte(m.FEC), uint16(m.Object))
	out = f.Append(out, m.ID)
	if m.HasFTI {
		var field string
		if out, field, err = c.appendFTI(out, &m.FTI); err != nil {
			return dst, fail("DATA", field, err)
		}
	}
	return out, nil
}

// AppendBinary implements [encoding.BinaryAppender] by the zero Codec.
func (m *Data) AppendBinary(dst []byte) ([]byte, error) { return Codec{}.AppendData(dst, m) }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (m *Data) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]: it copies b.
func (m *Data) UnmarshalBinary(b []byte) error { return Codec{}.ParseData(bytes.Clone(b), m) }
