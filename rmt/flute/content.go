package flute

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// A content is what a transfer sends.
type content struct {
	source io.ReaderAt
	size   int64 // as transferred
	length int64 // before content encoding
	md5    [16]byte
	hasMD5 bool
}

// close closes the source, if it can be.
func (c *content) close() {
	if cl, ok := c.source.(io.Closer); ok {
		cl.Close()
	}
}

// prepare digests and encodes what is to be sent, as the options say.
func prepare(ctx context.Context, src io.ReaderAt, size int64, o *sendOptions) (c content, err error) {
	c = content{source: src, size: size, length: size}
	if o.noDigest && o.encoding == "" {
		return c, nil
	}
	in := &contextReader{ctx, io.NewSectionReader(src, 0, size)}
	h := md5.New()
	if o.encoding == "" {
		_, err = io.CopyBuffer(h, in, make([]byte, 1<<20))
	} else {
		c.source, c.size, err = encode(o.encoding, in, h)
	}
	if err != nil {
		return c, err
	}
	h.Sum(c.md5[:0])
	c.hasMD5 = !o.noDigest
	return c, nil
}

// encode writes the encoded content of r to a temporary file, and the content to h.
func encode(encoding string, r io.Reader, h hash.Hash) (_ io.ReaderAt, size int64, err error) {
	f, err := os.CreateTemp("", "flute-*")
	if err != nil {
		return nil, 0, err
	}
	t := &tempFile{f}
	var w io.WriteCloser
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(f)
	case "zlib":
		w = zlib.NewWriter(f)
	case "deflate":
		w, err = flate.NewWriter(f, flate.DefaultCompression)
	default:
		err = fmt.Errorf("%w: %q; there are gzip, zlib and deflate", ErrEncoding, encoding)
	}
	if err == nil {
		_, err = io.CopyBuffer(io.MultiWriter(w, h), r, make([]byte, 1<<20))
		if bad := w.Close(); err == nil {
			err = bad
		}
	}
	if err == nil {
		size, err = f.Seek(0, io.SeekCurrent)
	}
	if err != nil {
		t.Close()
		return nil, 0, err
	}
	return t, size, nil
}

// A tempFile is removed when it is closed.
type tempFile struct{ *os.File }

func (t *tempFile) Close() error {
	err := t.File.Close()
	return errors.Join(err, os.Remove(t.Name()))
}

// A contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// A fsSource reads a file of a file system, which it has open only while it is being
// sent: there may be many. It is the owner goroutine's.
type fsSource struct {
	fsys fs.FS
	name string
	size int64
	file fs.File
	at   io.ReaderAt
}

func (f *fsSource) ReadAt(p []byte, off int64) (int, error) {
	if f.file == nil {
		file, err := f.fsys.Open(f.name)
		if err != nil {
			return 0, err
		}
		at, ok := file.(io.ReaderAt)
		if !ok {
			if at, err = spool(file); err != nil {
				file.Close()
				return 0, err
			}
		}
		f.file, f.at = file, at
	}
	return f.at.ReadAt(p, off)
}

// Close closes the file until it is read again.
func (f *fsSource) Close() error {
	if f.file == nil {
		return nil
	}
	if t, ok := f.at.(*tempFile); ok {
		t.Close()
	}
	err := f.file.Close()
	f.file, f.at = nil, nil
	return err
}

// spool copies a file that cannot be read at random.
func spool(r io.Reader) (io.ReaderAt, error) {
	f, err := os.CreateTemp("", "flute-*")
	if err != nil {
		return nil, err
	}
	t := &tempFile{f}
	if _, err := io.Copy(f, r); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}
