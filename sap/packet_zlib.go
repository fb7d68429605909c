package sap

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
)

// MaxInflated is how long a compressed payload may become by default, in bytes. Data
// that inflates a thousandfold is easily made.
const MaxInflated = 64 << 10

// An Inflater decompresses payloads, and keeps its buffers for the next. The zero
// Inflater is ready for use.
type Inflater struct {
	// Limit is how long a payload may become, in bytes; 0 is MaxInflated.
	Limit int

	zlib io.ReadCloser
	src  bytes.Reader
	buf  []byte
}

// Inflate decompresses p's payload in place: p is then as if it had not been
// compressed, and its slices are valid until the next call. The error wraps
// ErrInflate, and p is unchanged. Packets that are encrypted or not compressed are
// left alone.
func (in *Inflater) Inflate(p *Packet) error {
	if !p.Compressed || p.Encrypted {
		return nil
	}
	limit := in.Limit
	if limit <= 0 {
		limit = MaxInflated
	}
	in.src.Reset(p.Payload)
	var err error
	if in.zlib == nil {
		in.zlib, err = zlib.NewReader(&in.src)
	} else {
		err = in.zlib.(zlib.Resetter).Reset(&in.src, nil)
	}
	if err != nil {
		in.zlib = nil
		return fmt.Errorf("%w: %v", ErrInflate, err)
	}
	// Grown as it comes, so that a short packet costs little.
	in.buf = in.buf[:0]
	for {
		if len(in.buf) > limit {
			return fmt.Errorf("%w: more than %d bytes", ErrInflate, limit)
		}
		if len(in.buf) == cap(in.buf) {
			grown := make([]byte, len(in.buf), min(max(2*cap(in.buf), 2048), limit+1))
			copy(grown, in.buf)
			in.buf = grown
		}
		n, err := in.zlib.Read(in.buf[len(in.buf):cap(in.buf)])
		in.buf = in.buf[:len(in.buf)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %v", ErrInflate, err)
		}
	}
	if len(in.buf) > limit {
		return fmt.Errorf("%w: more than %d bytes", ErrInflate, limit)
	}
	p.Compressed, p.Payload = false, in.buf
	p.splitPayload()
	return nil
}

// Compress puts the payload type and the payload into zlib data and sets Compressed.
// A packet that is compressed or encrypted already is left alone. VLC and few others
// read such packets, so it is for descriptions too long otherwise.
func (p *Packet) Compress() {
	if p.Compressed || p.Encrypted {
		return
	}
	var b bytes.Buffer
	w, _ := zlib.NewWriterLevel(&b, zlib.BestCompression) // no error for this level
	if p.PayloadType != nil {
		w.Write(append(bytes.Clone(p.PayloadType), 0))
	}
	w.Write(p.Payload)
	w.Close()
	p.Compressed, p.PayloadType, p.Payload = true, nil, b.Bytes()
}
