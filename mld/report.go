package mld

import (
	"encoding/binary"
	"io"
	"net/netip"
)

// reportLen is the length of a version 2 report without records, in bytes.
const reportLen = 8

// A Report2 is a Version 2 Multicast Listener Report (RFC 3810 section 5.2).
type Report2 struct {
	Records Records

	// Extended is the bit E: Additional holds extensions (RFC 9279 section
	// 3.2), see Extensions.
	Extended bool

	// Additional is what follows the records (section 5.2.11). Nil if there is
	// none. After Lenient parsing it may begin with a record that was cut
	// short.
	Additional []byte
}

// Extensions returns the extensions of the report, see [Extensions].
func (r *Report2) Extensions() (Extensions, bool) { return extensions(r.Extended, r.Additional) }

// ParseReport2 parses a version 2 report in a packet from src to dst; r.Records and
// r.Additional alias b.
func (m Mode) ParseReport2(src, dst netip.Addr, b []byte, r *Report2) error {
	if len(b) < reportLen {
		return fail("v2 report", "length", io.ErrUnexpectedEOF)
	}
	if Type(b[0]) != TypeReport2 {
		return fail("v2 report", "type", ErrType)
	}
	n := int(binary.BigEndian.Uint16(b[6:]))
	records, rest := takeRecords(b[reportLen:], n)
	if records.n != n && m != Lenient {
		return fail("v2 report", "number of records", io.ErrUnexpectedEOF)
	}
	r.Records = records
	r.Extended = b[4]&0x80 != 0
	r.Additional = clip(rest)
	if !sumOK(src, dst, b) {
		return fail("v2 report", "checksum", ErrChecksum)
	}
	return nil
}

// Append appends the report for a packet from src to dst.
func (r *Report2) Append(b []byte, src, dst netip.Addr) ([]byte, error) {
	if !is6(src) || !is6(dst) {
		return b, fail("v2 report", "pseudo-header", ErrAddress)
	}
	start := len(b)
	var flags byte
	if r.Extended {
		flags = 0x80
	}
	b = append(b, byte(TypeReport2), 0, 0, 0, flags, 0, byte(r.Records.n>>8), byte(r.Records.n))
	b = append(b, r.Records.b...)
	return seal(append(b, r.Additional...), start, src, dst), nil
}
