package wire

import (
	"encoding/binary"
	"io"
	"iter"
)

// Form is the form of a repair request (RFC 5740 section 4.3.1).
type Form uint8

const (
	Items    Form = 1 // single items
	Ranges   Form = 2 // pairs of items: first and last, both inclusive
	Erasures Form = 3 // the symbol ID of each item is a count of erasures in its block
)

// NackFlags say what the items of a repair request are (RFC 5740 section 4.3.1).
type NackFlags uint8

const (
	NackSegment NackFlags = 0x01 // symbols
	NackBlock   NackFlags = 0x02 // whole blocks; the symbol ID is ignored
	NackInfo    NackFlags = 0x04 // the objects' NORM_INFO, with the others or alone
	NackObject  NackFlags = 0x08 // whole objects; the payload ID is ignored
)

// A Request is one item or range of a repair request. Nothing is checked: Last
// may come before First, and the range may be as long as a hostile receiver
// likes. In other forms than Ranges, Last equals First.
type Request struct {
	Form        Form
	Flags       NackFlags
	First, Last Item
}

// Requests are the repair requests of a NACK or CMD(REPAIR_ADV) as they are on
// the wire (RFC 5740 section 4.3.1). They are read lazily, up to the first
// malformed one; Err tells whether there is any. The zero Requests is empty.
type Requests struct {
	b []byte
	c Codec
}

// Requests returns b, the content of a NACK, as Requests that alias it.
func (c Codec) Requests(b []byte) Requests { return Requests{b: b, c: c} }

// Bytes returns the requests as they are on the wire.
func (r Requests) Bytes() []byte { return r.b }

// All returns an iterator over the requests up to the first malformed one. It
// does not allocate.
func (r Requests) All() iter.Seq[Request] {
	return func(yield func(Request) bool) {
		it := r.Iter()
		for q, ok := it.Next(); ok && yield(q); q, ok = it.Next() {
		}
	}
}

// Err reads all requests and returns what is wrong with them, or nil.
func (r Requests) Err() error {
	it := r.Iter()
	for _, ok := it.Next(); ok; _, ok = it.Next() {
	}
	return it.Err()
}

// Iter returns an iterator that, unlike All, can tell at its end whether it got
// to the end of the requests.
func (r Requests) Iter() RequestIter { return RequestIter{c: r.c, rest: r.b} }

// A RequestIter walks over Requests. Every step consumes bytes, so it ends.
type RequestIter struct {
	c     Codec
	rest  []byte // after the current request
	items []byte // of the current request
	form  Form
	flags NackFlags
	err   error
}

// Next returns the next item or range, and false at the end of the requests or
// before the first malformed one.
func (it *RequestIter) Next() (Request, bool) {
	for len(it.items) == 0 {
		if len(it.rest) == 0 {
			return Request{}, false
		}
		if !it.open() {
			return Request{}, false
		}
	}
	q := Request{Form: it.form, Flags: it.flags}
	var ok bool
	if q.First, ok = it.item(); !ok {
		return Request{}, false
	}
	q.Last = q.First
	if it.form == Ranges {
		if q.Last, ok = it.item(); !ok {
			return Request{}, false
		}
	}
	return q, true
}

// Err returns what stopped Next before the end of the requests, or nil.
func (it *RequestIter) Err() error { return it.err }

// open reads a request header: form, flags and the length of its items (RFC 5740
// section 4.3.1, figure 18). Unknown forms are skipped.
func (it *RequestIter) open() bool {
	b := it.rest
	if len(b) < 4 {
		return it.stop("length", io.ErrUnexpectedEOF)
	}
	n := 4 + int(binary.BigEndian.Uint16(b[2:]))
	if n > len(b) {
		return it.stop("length", io.ErrUnexpectedEOF)
	}
	it.form, it.flags = Form(b[0]), NackFlags(b[1])
	it.rest = b[n:]
	if it.form >= Items && it.form <= Erasures {
		it.items = b[4:n]
	}
	return true
}

func (it *RequestIter) item() (Item, bool) {
	x, n, err := it.c.parseItem(it.items)
	switch {
	case err != nil:
		return x, it.stop("fec_id", err)
	case n == 0:
		return x, it.stop("repair_request_items", ErrRequest)
	}
	it.items = it.items[n:]
	return x, true
}

// stop ends the iteration for good.
func (it *RequestIter) stop(field string, err error) bool {
	it.rest, it.items = nil, nil
	it.err = fail("repair request", field, err)
	return false
}
