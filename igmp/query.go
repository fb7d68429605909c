package igmp

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"
)

// Lengths of queries in bytes, which tell their versions (RFC 3376 section 7.1).
const (
	queryLen  = 8  // of versions 1 and 2
	query3Len = 12 // of version 3, without sources
)

// A Query is a Membership Query of any version (RFC 3376 section 4.1).
type Query struct {
	// Version is 1, 2 or 3. Parsing tells it by the length, and 1 from 2 by a
	// Code of 0 (RFC 3376 section 7.1).
	Version uint8

	// Code is the Max Resp Code, see [MaxResp] and [MaxRespCode]. Version 2
	// has no 0, version 1 nothing else.
	Code uint8

	// Group is the group asked about, 0.0.0.0 in a General Query. On
	// appending, the zero Addr is 0.0.0.0 too. In version 1 it means nothing
	// (RFC 1112 appendix I).
	Group netip.Addr

	// Of version 3 only:

	Suppress     bool    // S: other routers shall not lower their timers (section 4.1.5)
	Robustness   uint8   // QRV, 0 to 7; more are sent as 0 (section 4.1.6)
	IntervalCode uint8   // QQIC, see [QueryInterval] and [QueryIntervalCode]
	Sources      Sources // asked about, none in General and Group-Specific Queries

	// Extended is the bit E: Additional holds extensions (RFC 9279 section
	// 3.3), see Extensions.
	Extended bool

	// Additional is what follows all that (section 4.1.10), at most 3 bytes
	// that only Lenient accepts in versions 1 and 2. Nil if there is none.
	Additional []byte
}

// General reports whether this is a General Query, which asks about all groups; one
// of version 1 always is.
func (q *Query) General() bool {
	return q.Version <= 1 || !q.Group.IsValid() || q.Group.IsUnspecified()
}

// MaxResp returns the time within which hosts shall respond.
func (q *Query) MaxResp() time.Duration { return MaxResp(q.Version, q.Code) }

// SetMaxResp sets Code, rounding as [MaxRespCode] does. Version has to be set
// before.
func (q *Query) SetMaxResp(d time.Duration) { q.Code = MaxRespCode(q.Version, d) }

// Interval returns the querier's query interval, 0 if it does not tell.
func (q *Query) Interval() time.Duration { return QueryInterval(q.IntervalCode) }

// SetInterval sets IntervalCode, rounding as [QueryIntervalCode] does.
func (q *Query) SetInterval(d time.Duration) { q.IntervalCode = QueryIntervalCode(d) }

// Extensions returns the extensions of the query, see [Extensions].
func (q *Query) Extensions() (Extensions, bool) { return extensions(q.Extended, q.Additional) }

// MaxSources returns how many sources a query message of size bytes has room for.
func MaxSources(size int) int { return min(max(size-query3Len, 0)/4, 0xffff) }

// ParseQuery parses a Membership Query; q.Sources and q.Additional alias b.
func (m Mode) ParseQuery(b []byte, q *Query) error {
	if len(b) < queryLen {
		return fail("query", "length", io.ErrUnexpectedEOF)
	}
	if Type(b[0]) != TypeQuery {
		return fail("query", "type", ErrType)
	}
	if len(b) < query3Len {
		if len(b) > queryLen && m != Lenient {
			return fail("query", "length", ErrLength)
		}
		*q = Query{Version: 2, Additional: clip(b[queryLen:])}
		if b[1] == 0 {
			q.Version = 1
		}
	} else {
		q.Version = 3
		q.Suppress = b[8]&0x08 != 0
		q.Robustness = b[8] & 0x07
		q.Extended = b[8]&0x80 != 0
		q.IntervalCode = b[9]
		n := int(binary.BigEndian.Uint16(b[10:])) * 4
		rest := b[query3Len:]
		if n > len(rest) {
			if m != Lenient {
				return fail("query", "number of sources", io.ErrUnexpectedEOF)
			}
			n = len(rest) &^ 3
		}
		q.Sources = Sources(clip(rest[:n]))
		q.Additional = clip(rest[n:])
	}
	q.Code = b[1]
	q.Group = addr4(b[4:])
	if !sumOK(b) {
		return fail("query", "checksum", ErrChecksum)
	}
	return nil
}

// AppendBinary appends the query, in the format of q.Version. It refuses what would
// be read as something else: a version 1 query with a code or a group, a version 2
// query without a code, either with fields of version 3. It implements
// [encoding.BinaryAppender].
func (q *Query) AppendBinary(b []byte) ([]byte, error) {
	group, ok := as4(q.Group)
	if !ok && q.Group.IsValid() {
		return b, fail("query", "group address", ErrAddress)
	}
	start := len(b)
	switch q.Version {
	case 1, 2:
		if q.Suppress || q.Robustness != 0 || q.IntervalCode != 0 || len(q.Sources) != 0 || q.Extended || len(q.Additional) != 0 {
			return b, fail("query", "version", ErrVersion)
		}
		if (q.Code == 0) != (q.Version == 1) {
			return b, fail("query", "max resp code", ErrVersion)
		}
		b = append(b, byte(TypeQuery), q.Code, 0, 0, group[0], group[1], group[2], group[3])
	case 3:
		if len(q.Sources)%4 != 0 || len(q.Sources) > 0xffff*4 {
			return b, fail("query", "number of sources", ErrRange)
		}
		flags := q.Robustness
		if flags > 7 {
			flags = 0
		}
		if q.Suppress {
			flags |= 0x08
		}
		if q.Extended {
			flags |= 0x80
		}
		n := q.Sources.Len()
		b = append(b, byte(TypeQuery), q.Code, 0, 0, group[0], group[1], group[2], group[3], flags, q.IntervalCode, byte(n>>8), byte(n))
		b = append(b, q.Sources...)
		b = append(b, q.Additional...)
	default:
		return b, fail("query", "version", ErrVersion)
	}
	return seal(b, start), nil
}

// MarshalBinary implements [encoding.BinaryMarshaler].
func (q *Query) MarshalBinary() ([]byte, error) { return q.AppendBinary(nil) }
