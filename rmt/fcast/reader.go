package fcast

import (
	"fmt"
	"io"

	"github.com/gomulticast/multicast/internal/wire"
)

// A Reader takes a compound object apart while it comes, in order and in pieces of any
// length. It holds no more than the header. It is not safe for concurrent use.
type Reader struct {
	limits Limits
	left   int64 // bytes of the object still to come
	length int64

	head   []byte // of the header, until it is there
	need   int    // how long head has to be, 0 if not known
	header Header
	done   bool // the header is there
	pad    int  // bytes of padding still to come
	sum    Sum  // of everything
	err    error
}

// NewReader returns a Reader of a compound object of length bytes, as the transport
// says.
func NewReader(length int64, limits Limits) *Reader {
	return &Reader{limits: limits, left: length, length: length}
}

// Next takes the next bytes of the object and returns those of them that are data; they
// alias b. Errors are those of ParseHeader, ErrHeaderLen for a header longer than the
// object or for bytes behind the end, and ErrChecksum with the last byte. After an error
// it returns the same again.
func (r *Reader) Next(b []byte) (data []byte, err error) {
	if r.err != nil {
		return nil, r.err
	}
	if int64(len(b)) > r.left {
		return nil, r.fail(fmt.Errorf("%w: bytes behind the end of the object", ErrHeaderLen))
	}
	r.left -= int64(len(b))
	r.sum.Add(b)
	if !r.done {
		if b, err = r.more(b); err != nil {
			return nil, r.fail(err)
		}
	}
	n := min(r.pad, len(b))
	r.pad -= n
	b = b[n:]
	if r.left > 0 {
		return b, nil
	}
	switch {
	case !r.done:
		return nil, r.fail(fmt.Errorf("fcast: object of %d bytes: %w", r.length, io.ErrUnexpectedEOF))
	case r.header.Global && wire.Fold(r.sum.fold()) != 0xffff:
		return b, r.fail(ErrChecksum)
	}
	return b, nil
}

func (r *Reader) fail(err error) error {
	r.err, r.head = err, nil
	return err
}

// more takes what belongs to the header off b.
func (r *Reader) more(b []byte) ([]byte, error) {
	for {
		want := max(r.need, MinHeader) - len(r.head)
		n := min(want, len(b))
		r.head = append(r.head, b[:n]...)
		b = b[n:]
		if n < want {
			return b, nil
		}
		if r.need == 0 {
			n, err := HeaderLen(r.head, r.limits)
			if err != nil {
				return nil, err
			}
			if int64(n) > r.length {
				return nil, fmt.Errorf("%w: %d bytes in an object of %d", ErrHeaderLen, n, r.length)
			}
			r.need = n
			continue
		}
		h, err := ParseHeader(r.head, r.limits)
		if err != nil {
			return nil, err
		}
		r.header, r.done, r.pad = h, true, int(h.Data)-r.need
		return b, nil
	}
}

// Header returns the header, and whether it is there yet. It stays valid.
func (r *Reader) Header() (Header, bool) { return r.header, r.done }

// Done reports whether all of the object came, and was sound.
func (r *Reader) Done() bool { return r.left == 0 && r.done && r.err == nil }
