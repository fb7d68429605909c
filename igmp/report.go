package igmp

import (
	"encoding/binary"
	"io"
)

// reportLen is the length of a version 3 report without records, in bytes.
const reportLen = 8

// A Report3 is a Version 3 Membership Report (RFC 3376 section 4.2).
type Report3 struct {
	Records Records

	// Extended is the bit E: Additional holds extensions (RFC 9279 section
	// 3.4), see Extensions.
	Extended bool

	// Additional is what follows the records (section 4.2.11). Nil if there is
	// none. After Lenient parsing it may begin with a record that was cut
	// short.
	Additional []byte
}

// Extensions returns the extensions of the report, see [Extensions].
func (r *Report3) Extensions() (Extensions, bool) { return extensions(r.Extended, r.Additional) }

// ParseReport3 parses a version 3 report; r.Records and r.Additional alias b.
func (m Mode) ParseReport3(b []byte, r *Report3) error {
	if len(b) < reportLen {
		return fail("v3 report", "length", io.ErrUnexpectedEOF)
	}
	if Type(b[0]) != TypeReport3 {
		return fail("v3 report", "type", ErrType)
	}
	n := int(binary.BigEndian.Uint16(b[6:]))
	records, rest := takeRecords(b[reportLen:], n)
	if records.n != n && m != Lenient {
		return fail("v3 report", "number of records", io.ErrUnexpectedEOF)
	}
	r.Records = records
	r.Extended = b[4]&0x80 != 0
	r.Additional = clip(rest)
	if !sumOK(b) {
		return fail("v3 report", "checksum", ErrChecksum)
	}
	return nil
}

// AppendBinary appends the report. It implements [encoding.BinaryAppender].
func (r *Report3) AppendBinary(b []byte) ([]byte, error) {
	start := len(b)
	var flags byte
	if r.Extended {
		flags = 0x80
	}
	b = append(b, byte(TypeReport3), 0, 0, 0, flags, 0, byte(r.Records.n>>8), byte(r.Records.n))
	b = append(b, r.Records.b...)
	return seal(append(b, r.Additional...), start), nil
}

// MarshalBinary implements [encoding.BinaryMarshaler].
func (r *Report3) MarshalBinary() ([]byte, error) { return r.AppendBinary(nil) }
