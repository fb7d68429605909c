package mld

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"
)

// query2Len is the length of a version 2 query without sources, in bytes. By length
// versions are told apart (RFC 3810 section 8.1).
const query2Len = 28

// A Query is a Multicast Listener Query of either version (RFC 2710 section 3, RFC
// 3810 section 5.1).
type Query struct {
	// Version is 1 or 2. Parsing tells it by the length (RFC 3810 section
	// 8.1).
	Version uint8

	// Code is the Maximum Response Code, see [MaxResp] and [MaxRespCode].
	Code uint16

	// Group is the group asked about, :: in a General Query. On appending, the
	// zero Addr is :: too.
	Group netip.Addr

	// Of version 2 only:

	Suppress     bool    // S: other routers shall not lower their timers (section 5.1.7)
	Robustness   uint8   // QRV, 0 to 7; more are sent as 0 (section 5.1.8)
	IntervalCode uint8   // QQIC, see [QueryInterval] and [QueryIntervalCode]
	Sources      Sources // asked about, none in General and Multicast Address Specific Queries

	// Extended is the bit E: Additional holds extensions (RFC 9279 section
	// 3.1), see Extensions.
	Extended bool

	// Additional is what follows all that (section 5.1.12), at most 3 bytes
	// that only Lenient accepts in version 1. Nil if there is none.
	Additional []byte
}

// General reports whether this is a General Query, which asks about all groups.
func (q *Query) General() bool { return !q.Group.IsValid() || q.Group.IsUnspecified() }

// MaxResp returns the time within which nodes shall respond.
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
func MaxSources(size int) int { return min(max(size-query2Len, 0)/16, 0xffff) }

// ParseQuery parses a Multicast Listener Query in a packet from src to dst;
// q.Sources and q.Additional alias b.
func (m Mode) ParseQuery(src, dst netip.Addr, b []byte, q *Query) error {
	if len(b) < messageLen {
		return fail("query", "length", io.ErrUnexpectedEOF)
	}
	if Type(b[0]) != TypeQuery {
		return fail("query", "type", ErrType)
	}
	if len(b) < query2Len {
		if len(b) > messageLen && m != Lenient {
			return fail("query", "length", ErrLength)
		}
		*q = Query{Version: 1, Additional: clip(b[messageLen:])}
	} else {
		q.Version = 2
		q.Suppress = b[24]&0x08 != 0
		q.Robustness = b[24] & 0x07
		q.Extended = b[24]&0x80 != 0
		q.IntervalCode = b[25]
		n := int(binary.BigEndian.Uint16(b[26:])) * 16
		rest := b[query2Len:]
		if n > len(rest) {
			if m != Lenient {
				return fail("query", "number of sources", io.ErrUnexpectedEOF)
			}
			n = len(rest) &^ 15
		}
		q.Sources = Sources(clip(rest[:n]))
		q.Additional = clip(rest[n:])
	}
	q.Code = binary.BigEndian.Uint16(b[4:])
	q.Group = addr16(b[8:])
	if !sumOK(src, dst, b) {
		return fail("query", "checksum", ErrChecksum)
	}
	return nil
}

// Append appends the query for a packet from src to dst, in the format of q.Version.
// It refuses a version 1 query with fields of version 2.
func (q *Query) Append(b []byte, src, dst netip.Addr) ([]byte, error) {
	if !is6(src) || !is6(dst) {
		return b, fail("query", "pseudo-header", ErrAddress)
	}
	group, ok := as16(q.Group)
	if !ok && q.Group.IsValid() {
		return b, fail("query", "multicast address", ErrAddress)
	}
	start := len(b)
	switch q.Version {
	case 1:
		if q.Suppress || q.Robustness != 0 || q.IntervalCode != 0 || len(q.Sources) != 0 || q.Extended || len(q.Additional) != 0 {
			return b, fail("query", "version", ErrVersion)
		}
	case 2:
		if len(q.Sources)%16 != 0 || q.Sources.Len() > 0xffff {
			return b, fail("query", "number of sources", ErrRange)
		}
	default:
		return b, fail("query", "version", ErrVersion)
	}
	b = append(b, byte(TypeQuery), 0, 0, 0, byte(q.Code>>8), byte(q.Code), 0, 0)
	b = append(b, group[:]...)
	if q.Version == 2 {
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
		b = append(b, flags, q.IntervalCode, byte(n>>8), byte(n))
		b = append(b, q.Sources...)
		b = append(b, q.Additional...)
	}
	return seal(b, start, src, dst), nil
}
