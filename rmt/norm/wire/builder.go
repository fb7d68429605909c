package wire

import "encoding/binary"

// A RequestBuilder writes repair requests, the content of NACK and
// CMD(REPAIR_ADV) (RFC 5740 section 4.3.1), into a caller's buffer. They SHALL be
// added in order of object, block and symbol; the builder does not sort.
type RequestBuilder struct {
	codec Codec
	buf   []byte
	start int // where the requests start in buf
	limit int // how long they may become
	open  int // where the header of the last request is, -1 before the first
	form  Form
	flags NackFlags
}

// Reset makes the builder append to dst, as a rule the header of a message, at
// most limit bytes of requests: a segment's size (RFC 5740 section 4.3.1). It
// allocates when dst does not have room for them.
func (r *RequestBuilder) Reset(dst []byte, limit int, c Codec) {
	*r = RequestBuilder{codec: c, buf: dst, start: len(dst), limit: limit, open: -1}
}

// SetCodec makes c the codec of what is added from now on: of objects whose payload IDs
// divide in another way.
func (r *RequestBuilder) SetCodec(c Codec) { r.codec = c }

// Add requests everything from first to last, inclusive, at the level that flags
// tell. It writes one or two IDs as items and more as a range, which is also what
// NRL's receivers do, and adds to the previous request if flags and form are the
// same. It returns false and writes nothing when there is no room, or when the
// payload ID layout has none for one of the items.
func (r *RequestBuilder) Add(flags NackFlags, first, last Item) bool {
	ff, err := r.codec.format(first.FEC)
	if err != nil || !fits(ff, first.ID) {
		return false
	}
	lf, err := r.codec.format(last.FEC)
	if err != nil || !fits(lf, last.ID) {
		return false
	}
	ids := span(flags, first, last)
	form := Items
	if ids < 1 || ids > 2 {
		form = Ranges
	}
	n := 4 + ff.Len()
	if ids != 1 {
		n += 4 + lf.Len()
	}
	// The length field has 16 bits.
	shared := r.open >= 0 && r.form == form && r.flags == flags && len(r.buf)-r.open-4+n < 1<<16
	need := n
	if !shared {
		need += 4
	}
	if r.Len()+need > r.limit {
		return false
	}
	if !shared {
		r.open, r.form, r.flags = len(r.buf), form, flags
		r.buf = append(r.buf, byte(form), byte(flags), 0, 0)
	}
	r.buf = appendItem(r.buf, ff, first)
	if ids != 1 {
		r.buf = appendItem(r.buf, lf, last)
	}
	binary.BigEndian.PutUint16(r.buf[r.open+2:], uint16(len(r.buf)-r.open-4))
	return true
}

// span returns the number of IDs from first to last at the level of flags, or 0
// when that is not a number this side of their end: then it takes a range.
func span(flags NackFlags, first, last Item) int {
	switch {
	case first == last:
		return 1
	case first.FEC != last.FEC:
		return 0
	case flags&(NackSegment|NackBlock) == 0: // NackObject or NackInfo
		return max(0, last.Object.Sub(first.Object)+1)
	case first.Object != last.Object:
		return 0
	case flags&NackSegment == 0:
		if last.ID.SBN < first.ID.SBN {
			return 0
		}
		return int(min(last.ID.SBN-first.ID.SBN, 1<<16)) + 1
	case first.ID.SBN != last.ID.SBN:
		return 0
	}
	return max(0, int(last.ID.ESI)-int(first.ID.ESI)+1)
}

// Len returns the number of bytes of requests so far.
func (r *RequestBuilder) Len() int { return len(r.buf) - r.start }

// Bytes returns the buffer of Reset with the requests behind what it held.
func (r *RequestBuilder) Bytes() []byte { return r.buf }

// Requests returns the requests so far; they alias the buffer.
func (r *RequestBuilder) Requests() Requests { return r.codec.Requests(r.buf[r.start:]) }
