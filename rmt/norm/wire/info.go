package wire

import (
	"bytes"
	"encoding/binary"

	"github.com/gomulticast/multicast/rmt/fec"
)

// Info is a NORM_INFO message: the application's description of an object (RFC
// 5740 section 4.2.2).
type Info struct {
	Sender
	Flags  Flags
	FEC    fec.EncodingID
	Object TransportID

	// HasFTI says that the message carries EXT_FTI, and FTI what it says.
	// FTI.EncodingID equals FEC. An EXT_FTI of an unknown scheme is skipped.
	HasFTI bool
	FTI    fec.OTI

	Payload []byte // at most a segment
}

// ParseInfo parses a NORM_INFO message; m.Payload aliases b.
func (c Codec) ParseInfo(b []byte, m *Info) error {
	h, err := open(b, TypeInfo, senderLen)
	if err != nil {
		return err
	}
	*m = Info{
		Sender: parseSender(b, &h),
		Flags:  Flags(b[12]),
		FEC:    fec.EncodingID(b[13]),
		Object: TransportID(binary.BigEndian.Uint16(b[14:])),
	}
	for x := extensions(b[senderLen:h.HeaderLen]); len(x) > 0; {
		het, ext, ok := x.next()
		if !ok {
			return fail("INFO", "header extension", ErrExtension)
		}
		if het != extFTI {
			continue
		}
		known, field, err := c.parseFTI(m.FEC, ext, &m.FTI)
		if err != nil {
			return fail("INFO", field, err)
		}
		m.HasFTI = known
	}
	m.Payload = h.tail(b)
	return nil
}

// AppendInfo appends a NORM_INFO message.
func (c Codec) AppendInfo(dst []byte, m *Info) ([]byte, error) {
	if err := m.check("INFO"); err != nil {
		return dst, err
	}
	hdr := senderLen
	if m.HasFTI {
		if m.FTI.EncodingID != m.FEC {
			return dst, fail("INFO", "EXT_FTI", ErrExtension)
		}
		hdr += ftiLen(m.FEC)
	}
	out := m.append(dst, TypeInfo, hdr, byte(m.Flags), byte(m.FEC), uint16(m.Object))
	if m.HasFTI {
		var field string
		var err error
		if out, field, err = c.appendFTI(out, &m.FTI); err != nil {
			return dst, fail("INFO", field, err)
		}
	}
	return append(out, m.Payload...), nil
}

// AppendBinary implements [encoding.BinaryAppender] by the zero Codec.
func (m *Info) AppendBinary(dst []byte) ([]byte, error) { return Codec{}.AppendInfo(dst, m) }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (m *Info) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]: it copies b.
func (m *Info) UnmarshalBinary(b []byte) error { return Codec{}.ParseInfo(bytes.Clone(b), m) }
