package igmp

import (
	"encoding/binary"
	"net/netip"
)

// A ReportBuilder writes records into a version 3 report until it is full (RFC 3376
// section 4.2.16). It needs Reset before use.
type ReportBuilder struct {
	b     []byte
	start int // of the message in b
	limit int // of the message, in bytes
	n     int // records
}

// Reset begins a report that is appended to dst and at most limit bytes long: what
// the link can carry, less the IP header; see [HeaderLen]. A limit below 20 has no
// room for a record and a source and counts as 20. If dst has room for limit bytes,
// nothing allocates.
func (r *ReportBuilder) Reset(dst []byte, limit int) {
	*r = ReportBuilder{start: len(dst), limit: max(limit, reportLen+recordLen+4)}
	r.b = append(dst, byte(TypeReport3), 0, 0, 0, 0, 0, 0, 0)
}

// Add writes a record, or returns [ErrFull] when the report has no room for it:
// finish the report with Bytes and add the record to the next. A record with more
// sources than fit a report is written to an empty one as far as it fits. Add
// returns how many sources were written; if some are left and t.Splits, add them as
// another record to the next report.
//
// It returns [ErrAddress] for addresses that are not IPv4. On an error nothing is
// written.
func (r *ReportBuilder) Add(t RecordType, group netip.Addr, sources []netip.Addr) (int, error) {
	g, ok := as4(group)
	if !ok {
		return 0, ErrAddress
	}
	room := r.limit - r.Len() - recordLen
	if n := len(sources); room < 4*n || n > 0xffff {
		if r.n > 0 || room < 0 {
			return 0, ErrFull
		}
		sources = sources[:min(room/4, 0xffff)]
	}
	if r.n >= 0xffff {
		return 0, ErrFull
	}
	n := len(sources)
	b := append(r.b, byte(t), 0, byte(n>>8), byte(n), g[0], g[1], g[2], g[3])
	for _, s := range sources {
		a, ok := as4(s)
		if !ok {
			return 0, ErrAddress
		}
		b = append(b, a[:]...)
	}
	r.b = b
	r.n++
	return n, nil
}

// Records returns the number of records so far.
func (r *ReportBuilder) Records() int { return r.n }

// Len returns the length of the report so far, in bytes.
func (r *ReportBuilder) Len() int { return len(r.b) - r.start }

// Bytes returns the slice given to Reset with the finished report behind. The
// builder can go on and be finished again.
func (r *ReportBuilder) Bytes() []byte {
	binary.BigEndian.PutUint16(r.b[r.start+6:], uint16(r.n))
	return seal(r.b, r.start)
}
