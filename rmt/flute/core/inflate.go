package core

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// ErrEncoding says that content is not encoded as it should be, or is of an unknown
// encoding, or decodes to more than allowed.
var ErrEncoding = errors.New("content encoding is unknown, or wrong, or of too much content")

// NewInflater returns a reader of the decoded content of r, by the name of the content
// encoding: "" or "null" is none, and there are "gzip", "zlib" and "deflate", which by
// RFC 2616 is zlib and by RFC 6726 is not, so that both are taken for it.
func NewInflater(encoding string, r io.Reader) (io.Reader, error) {
	switch encoding {
	case "", "null", "identity":
		return r, nil
	case "gzip", "x-gzip":
		return gzip.NewReader(r)
	case "zlib":
		return zlib.NewReader(r)
	case "deflate":
		head := make([]byte, 2)
		n, err := io.ReadFull(r, head)
		if err != nil && n == 0 {
			return nil, err
		}
		all := io.MultiReader(bytes.NewReader(head[:n]), r)
		if n == 2 && head[0]&15 == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
			return zlib.NewReader(all)
		}
		return flate.NewReader(all), nil
	}
	return nil, fmt.Errorf("%w: %q", ErrEncoding, encoding)
}

// Inflate decodes data, up to limit bytes. Without an encoding it returns data itself.
func Inflate(encoding string, data []byte, limit int) ([]byte, error) {
	r, err := NewInflater(encoding, bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	if _, same := r.(*bytes.Reader); same {
		return data, nil
	}
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	if len(out) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrEncoding, limit)
	}
	return out, nil
}
