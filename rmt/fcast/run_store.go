package fcast

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomulticast/multicast/rmt/flute/fdt"
)

// tempPrefix begins the names of what is not complete.
const tempPrefix = ".fcast-"

// listener returns what is known of a carousel. The one heard longest ago gives way.
func (r *Receiver) listener(from string) *listener {
	l := r.carousels[from]
	if l == nil {
		if len(r.order) >= maxListeners {
			delete(r.carousels, r.order[0].from)
			r.order = r.order[1:]
		}
		l = newListener(from, r.cfg.Limits)
		r.carousels[from] = l
		r.order = append(r.order, l)
	}
	if n := len(r.order) - 1; r.order[n] != l {
		i := slices.Index(r.order, l)
		copy(r.order[i:], r.order[i+1:])
		r.order[n] = l
	}
	return l
}

func (r *Receiver) satisfied() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.order {
		if !l.satisfied() {
			return false
		}
	}
	return len(r.order) > 0
}

// take makes an object of a delivery: nil for a descriptor, for one that is here already,
// and for one not wanted.
func (r *Receiver) take(d *delivery) (o *Object, name string, err error) {
	var in io.Reader = bytes.NewReader(d.data)
	size := int64(len(d.data))
	if d.path != "" {
		f, err := os.Open(d.path)
		if err != nil {
			return nil, "", err
		}
		defer os.Remove(d.path)
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return nil, "", err
		}
		in, size = f, st.Size()
	}
	c := &content{in: in, reader: NewReader(size, r.cfg.Limits), buf: make([]byte, 64<<10)}
	h, err := c.header()
	if err != nil {
		return nil, "", err
	}
	m, err := h.ParseMetadata(r.cfg.Limits)
	if err != nil {
		return nil, "", err
	}
	if h.CID {
		return nil, "descriptor", r.takeCID(d, c, &m)
	}
	name = m.ContentLocation
	r.mu.Lock()
	l := r.listener(d.from)
	had := l.had(d.toi)
	r.mu.Unlock()
	if !had && (r.cfg.Want == nil || r.cfg.Want(d.from, &m)) {
		if o, err = r.keep(d, c, &m); err != nil {
			return nil, name, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l.note(d.toi)
	if o != nil {
		o.Key, o.HasKey = l.carousel.Key(d.toi)
	}
	return o, name, nil
}

func (r *Receiver) takeCID(d *delivery, c *content, m *Metadata) error {
	list, err := io.ReadAll(io.LimitReader(c, int64(r.cfg.Limits.withDefaults().List)+1))
	if err != nil {
		return err
	}
	cid, err := m.ParseCID(list, r.cfg.Limits)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listener(d.from).update(cid)
	return nil
}

// keep decodes, verifies and stores an object.
func (r *Receiver) keep(d *delivery, c *content, m *Metadata) (*Object, error) {
	var in io.Reader = c
	switch {
	case m.ContentEncoding == "":
	case strings.EqualFold(m.ContentEncoding, "gzip"):
		z, err := gzip.NewReader(c)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrContentEncoding, err)
		}
		in = z
	default:
		return nil, fmt.Errorf("%w: %.40q", ErrContentEncoding, m.ContentEncoding)
	}
	limit := r.cfg.MaxSize
	if m.HasContentLength {
		if m.ContentLength > uint64(limit) {
			return nil, fmt.Errorf("%w: %d bytes", ErrTooBig, m.ContentLength)
		}
		limit = int64(m.ContentLength)
	}
	var out io.Writer
	var data bytes.Buffer
	var local, temp string
	out = &data
	if r.root != nil {
		var err error
		if local, err = localName(m); err != nil {
			return nil, err
		}
		temp = tempPrefix + rand.Text()[:16]
		f, err := r.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return nil, err
		}
		defer r.root.Remove(temp) // unless it has its name by then
		defer f.Close()
		out = f
	}
	s1, s256 := sha1.New(), sha256.New()
	n, err := io.Copy(io.MultiWriter(out, s1, s256), io.LimitReader(in, limit))
	if err == nil {
		err = ended(in, c)
	}
	if err != nil {
		return nil, err
	}
	if m.HasContentLength && n != limit {
		return nil, fmt.Errorf("%w: %d bytes, described as %d", ErrDigest, n, limit)
	}
	o := &Object{Metadata: *m, From: d.from, TOI: d.toi, Size: n, Verified: m.HasSHA1 || m.HasSHA256, Data: data.Bytes()}
	s256.Sum(o.SHA256[:0])
	if m.HasSHA256 && o.SHA256 != m.SHA256 || m.HasSHA1 && !bytes.Equal(s1.Sum(nil), m.SHA1[:]) {
		return nil, ErrDigest
	}
	if r.root == nil {
		return o, nil
	}
	o.Data = nil
	if f, ok := out.(*os.File); ok {
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	if dir := filepath.Dir(local); dir != "." {
		if err := r.root.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if err := r.root.Rename(temp, local); err != nil {
		return nil, err
	}
	o.Path = r.path(local)
	return o, nil
}

// ended reads to the end of what should be there, for checksums at the end, and fails if
// there is more.
func ended(in io.Reader, c *content) error {
	var b [1]byte
	for {
		n, err := in.Read(b[:])
		switch {
		case n > 0:
			return fmt.Errorf("%w: longer than described", ErrTooBig)
		case errors.Is(err, io.EOF) && in == io.Reader(c):
			return nil
		case errors.Is(err, io.EOF): // of the encoding
			in = c
		case err != nil:
			return err
		}
	}
}

// localName turns a Content-Location into a path below the directory; the os.Root would
// stop an escape too. Slices of an object are files of their own.
func localName(m *Metadata) (string, error) {
	name, err := fdt.Path(m.ContentLocation)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrName, err)
	}
	local := filepath.FromSlash(path.Clean(name))
	for part := range strings.SplitSeq(name, "/") {
		if !filepath.IsLocal(local) || strings.HasPrefix(part, tempPrefix) {
			return "", fmt.Errorf("%w: %.80q", ErrName, name)
		}
	}
	if m.Slice.Count > 0 {
		local = fmt.Sprintf("%s.%d-of-%d", local, m.Slice.Index+1, m.Slice.Count)
	}
	return local, nil
}

// A content reads the data of a compound object.
type content struct {
	in     io.Reader
	reader *Reader
	buf    []byte
	data   []byte // read and not taken
	err    error
}

// header reads up to the header.
func (c *content) header() (Header, error) {
	for {
		if h, ok := c.reader.Header(); ok {
			return h, nil
		}
		if c.err != nil {
			return Header{}, c.err
		}
		c.fill()
	}
}

func (c *content) fill() {
	n, err := c.in.Read(c.buf)
	data, bad := c.reader.Next(c.buf[:n])
	c.data = data
	if bad != nil {
		err = bad
	}
	if errors.Is(err, io.EOF) && !c.reader.Done() {
		err = io.ErrUnexpectedEOF
	}
	c.err = err
}

func (c *content) Read(p []byte) (int, error) {
	for len(c.data) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.fill()
	}
	n := copy(p, c.data)
	c.data = c.data[n:]
	return n, nil
}
