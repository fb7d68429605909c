package fcast

import (
	"fmt"
	"io"
)

// A Compound is a compound object to be sent: a header and, behind it, data that stay
// where they are (RFC 6968 section 2.1). It is read at random, by several at a time if
// that can be.
type Compound struct {
	head []byte
	data io.ReaderAt
	size int64
}

// NewCompound returns the compound object of size bytes of data, as encoded, with m in
// front. compress has the metadata compressed. Errors are those of Metadata.Append and
// Header.Append.
func NewCompound(data io.ReaderAt, size int64, m *Metadata, compress bool) (*Compound, error) {
	text, err := m.Append(nil)
	if err != nil {
		return nil, err
	}
	h := Header{Metadata: text}
	if compress {
		h.Encoding, h.Metadata = EncodingGZIP, GZIP(nil, text)
	}
	head, err := h.Append(nil, size > 0)
	if err != nil {
		return nil, err
	}
	return &Compound{head: head, data: data, size: size}, nil
}

// Size returns the length of the compound object in bytes.
func (c *Compound) Size() int64 { return int64(len(c.head)) + c.size }

// ReadAt reads bytes of the compound object.
func (c *Compound) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("fcast: offset %d", off)
	}
	if off < int64(len(c.head)) {
		n = copy(p, c.head[off:])
	}
	off += int64(n) - int64(len(c.head))
	want := p[n:][:max(min(int64(len(p)-n), c.size-off), 0)]
	if len(want) > 0 {
		m, err := c.data.ReadAt(want, off)
		n += m
		if m < len(want) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF // it is shorter than was said
			}
			return n, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
