package mld

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"strconv"
)

// RecordType says what a record tells of a host's filter (RFC 3810 section 5.2.12).
type RecordType uint8

// Types of records. The first two are current state, in answer to a query; the next
// two a change of the filter mode; the last two a change of the source list.
const (
	ModeIsInclude    RecordType = 1 // IS_IN: wants only the sources listed
	ModeIsExclude    RecordType = 2 // IS_EX: wants all but the sources listed
	ChangeToInclude  RecordType = 3 // TO_IN
	ChangeToExclude  RecordType = 4 // TO_EX
	AllowNewSources  RecordType = 5 // ALLOW
	BlockOldSources  RecordType = 6 // BLOCK
	recordTypeUnused RecordType = 7
)

var recordTypeNames = [recordTypeUnused]string{"", "IS_IN", "IS_EX", "TO_IN", "TO_EX", "ALLOW", "BLOCK"}

// String returns the short name of RFC 3810 section 5.2.12, as in "IS_IN".
func (t RecordType) String() string {
	if !t.Known() {
		return "record type " + strconv.Itoa(int(t))
	}
	return recordTypeNames[t]
}

// Known reports whether t is one of the six. Records of another type "MUST be
// silently ignored" (section 5.2.12).
func (t RecordType) Known() bool { return t >= ModeIsInclude && t < recordTypeUnused }

// Splits reports whether a record with too many sources for one report goes on in
// the next. Of IS_EX and TO_EX the rest is not reported (section 5.2.15).
func (t RecordType) Splits() bool { return t != ModeIsExclude && t != ChangeToExclude }

// recordLen is the length of a record without sources and auxiliary data, in bytes.
const recordLen = 20

// A Record is a Multicast Address Record (RFC 3810 section 5.2.4).
type Record struct {
	Type    RecordType
	Group   netip.Addr
	Sources Sources

	// Aux is the auxiliary data, a multiple of 4 and at most 1,020 bytes. No
	// RFC has a use for it; it is to be ignored, and not to be sent (sections
	// 5.2.6 and 5.2.10). Nil if there is none.
	Aux []byte
}

// Records is a list of records as it is on the wire. The zero Records is empty.
type Records struct {
	b []byte // of whole records only
	n int
}

// Len returns the number of records.
func (r Records) Len() int { return r.n }

// Bytes returns the list as it is on the wire.
func (r Records) Bytes() []byte { return r.b }

// All returns the records in order. It allocates nothing.
func (r Records) All() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for b := r.b; len(b) >= recordLen; {
			s := recordLen + int(binary.BigEndian.Uint16(b[2:]))*16
			end := s + int(b[1])*4
			if end > len(b) {
				return
			}
			if !yield(Record{
				Type: RecordType(b[0]), Group: addr16(b[4:]),
				Sources: Sources(clip(b[recordLen:s])), Aux: clip(b[s:end]),
			}) {
				return
			}
			b = b[end:]
		}
	}
}

// Append returns the list with a record behind; it may write into the room that the
// list's slice has. On an error it returns the list as it was: [ErrAddress] for a
// group that is not IPv6, [ErrRange] for more than 65,535 records or sources, or
// auxiliary data that is too long or not in words.
func (r Records) Append(rec Record) (Records, error) {
	g, ok := as16(rec.Group)
	switch {
	case !ok:
		return r, ErrAddress
	case r.n >= 0xffff, len(rec.Sources)%16 != 0, rec.Sources.Len() > 0xffff, len(rec.Aux)%4 != 0, len(rec.Aux) > 255*4:
		return r, ErrRange
	}
	n := rec.Sources.Len()
	b := append(r.b, byte(rec.Type), byte(len(rec.Aux)/4), byte(n>>8), byte(n))
	b = append(b, g[:]...)
	b = append(b, rec.Sources...)
	return Records{append(b, rec.Aux...), r.n + 1}, nil
}

// takeRecords returns the first n records of b, or as many as are whole, and what
// follows them.
func takeRecords(b []byte, n int) (Records, []byte) {
	end := 0
	for i := range n {
		rest := b[end:]
		if len(rest) < recordLen {
			return Records{clip(b[:end]), i}, rest
		}
		size := recordLen + int(binary.BigEndian.Uint16(rest[2:]))*16 + int(rest[1])*4
		if size > len(rest) {
			return Records{clip(b[:end]), i}, rest
		}
		end += size
	}
	return Records{clip(b[:end]), n}, b[end:]
}
