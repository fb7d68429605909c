package flute

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gomulticast/multicast/rmt/flute/core"
)

// tempPrefix begins the names of files that are not complete.
const tempPrefix = ".flute-"

// A sink stores one object as its blocks come in, in any order, and digests it.
type sink struct {
	root    *os.Root // nil: in memory
	dir     string
	size    int64 // as transferred
	temp    string
	file    *os.File
	data    []byte
	journal *journal // of a file that may be gone on with later
	written int64    // bytes, those put aside included

	// swap is held while file or data changes, for the engine may be reading.
	swap sync.RWMutex

	// The digest is computed in order, right from the blocks that come in
	// order; those that came early are read again when it is their turn.
	sum    hash.Hash
	summed int64
	early  map[int64]int64 // offset to end
	buf    []byte
}

func newFileSink(root *os.Root, dir string, size int64) (*sink, error) {
	s := &sink{root: root, dir: dir, size: size, sum: md5.New(), early: make(map[int64]int64)}
	s.temp = tempPrefix + rand.Text()[:16] + ".part"
	f, err := root.OpenFile(s.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	s.file = f
	return s, nil
}

func newMemorySink(size int64) *sink {
	return &sink{size: size, data: make([]byte, size), sum: md5.New(), early: make(map[int64]int64)}
}

// place stores bytes without taking them for received.
func (s *sink) place(data []byte, off int64) error {
	s.written += int64(len(data))
	if s.file != nil {
		_, err := s.file.WriteAt(data, off)
		return err
	}
	s.swap.Lock()
	defer s.swap.Unlock()
	if end := off + int64(len(data)); end > int64(len(s.data)) { // padding of the last symbol
		s.data = append(s.data, make([]byte, end-int64(len(s.data)))...)
	}
	copy(s.data[off:], data)
	return nil
}

// load reads back what place stored.
func (s *sink) load(data []byte, off int64) error {
	if s.file == nil {
		if off+int64(len(data)) > int64(len(s.data)) {
			return io.ErrUnexpectedEOF
		}
		copy(data, s.data[off:])
		return nil
	}
	_, err := s.file.ReadAt(data, off)
	return err
}

// write stores a block that is whole.
func (s *sink) write(block uint32, data []byte, off int64) error {
	if err := s.place(data, off); err != nil {
		return err
	}
	s.journal.add(block, off, data)
	return s.note(data, off, int64(len(data)))
}

// note takes n bytes at off for received. data is them, or nil.
func (s *sink) note(data []byte, off, n int64) error {
	if off != s.summed || data == nil {
		s.early[off] = off + n
	} else {
		s.sum.Write(data)
		s.summed += n
	}
	return s.catchUp()
}

// catchUp digests the blocks that came early and whose turn it now is.
func (s *sink) catchUp() error {
	for {
		end, ok := s.early[s.summed]
		if !ok {
			return nil
		}
		delete(s.early, s.summed)
		if s.buf == nil {
			s.buf = make([]byte, 256<<10)
		}
		for s.summed < end {
			part := s.buf[:min(int64(len(s.buf)), end-s.summed)]
			if err := s.load(part, s.summed); err != nil {
				return err
			}
			s.sum.Write(part)
			s.summed += int64(len(part))
		}
	}
}

// commit verifies the object by its description and gives the file its name.
func (s *sink) commit(o *Object, limit int64) error {
	f := o.file
	if s.summed != s.size {
		return fmt.Errorf("%d of %d bytes: %w", s.summed, s.size, io.ErrUnexpectedEOF)
	}
	var local string
	if s.root != nil {
		var err error
		if local, err = localName(f); err != nil {
			return err
		}
	}
	if s.data != nil {
		s.data = s.data[:s.size]
	}
	s.sum.Sum(o.md5[:0])
	o.size, o.verified = s.size, f.HasMD5
	if f.Encoded() {
		if err := s.decode(o, limit); err != nil {
			return err
		}
	} else if f.HasMD5 && o.md5 != f.ContentMD5 {
		return ErrDigest
	}
	if f.HasContentLength && uint64(o.size) != f.ContentLength {
		return fmt.Errorf("%w: %d bytes, described as %d", ErrDigest, o.size, f.ContentLength)
	}
	if s.root == nil {
		o.data, s.data = s.data, nil
		return nil
	}
	err := s.file.Truncate(o.size) // padding was put behind its end, perhaps
	if bad := s.file.Close(); err == nil {
		err = bad
	}
	s.file = nil
	if err != nil {
		return err
	}
	if d := filepath.Dir(local); d != "." {
		if err := s.root.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := s.root.Rename(s.temp, local); err != nil {
		return err
	}
	s.temp = ""
	s.journal.remove()
	o.path = filepath.Join(s.dir, local)
	return nil
}

// decode undoes the content encoding into a sink of its own, which takes the place of
// this. No more than limit bytes come of it, and no more than the description says.
func (s *sink) decode(o *Object, limit int64) error {
	f := o.file
	if f.HasContentLength {
		if f.ContentLength > uint64(limit) {
			return ErrTooBig
		}
		limit = int64(f.ContentLength)
	}
	var from io.Reader = bytes.NewReader(s.data)
	to := &sink{sum: md5.New()}
	if s.file != nil {
		from = io.NewSectionReader(s.file, 0, s.size)
		var err error
		if to, err = newFileSink(s.root, s.dir, 0); err != nil {
			return err
		}
	}
	in, err := core.NewInflater(f.ContentEncoding, from)
	if err != nil {
		to.discard()
		return fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	buf := make([]byte, 256<<10)
	var n int64
	for {
		m, err := in.Read(buf)
		if n+int64(m) > limit {
			to.discard()
			return fmt.Errorf("%w: %d bytes and more when decoded", ErrTooBig, n+int64(m))
		}
		if bad := to.place(buf[:m], n); bad != nil {
			to.discard()
			return bad
		}
		to.sum.Write(buf[:m])
		n += int64(m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			to.discard()
			return fmt.Errorf("%w: %w", ErrEncoding, err)
		}
	}
	encoded := o.md5
	to.sum.Sum(o.md5[:0])
	// RFC 6726 has the digest "of RFC 2616", which is that of the encoded content,
	// and senders differ.
	if f.HasMD5 && o.md5 != f.ContentMD5 && encoded != f.ContentMD5 {
		to.discard()
		return ErrDigest
	}
	o.size = n
	s.drop()
	s.file, s.temp, s.data = to.file, to.temp, to.data
	if s.root == nil && s.data == nil {
		s.data = []byte{}
	}
	return nil
}

// drop closes and removes what is stored.
func (s *sink) drop() {
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
	if s.temp != "" {
		s.root.Remove(s.temp)
		s.temp = ""
	}
	s.data = nil
}

// discard removes what there is.
func (s *sink) discard() {
	s.drop()
	s.journal.remove()
	s.journal, s.early = nil, nil
}

// leave keeps what there is for a later receiver, if that is possible.
func (s *sink) leave() {
	if s.journal == nil || s.journal.blocks == 0 || s.file == nil {
		s.discard()
		return
	}
	s.journal.close()
	s.file.Close()
	s.file, s.temp = nil, ""
}

// localName turns a Content-Location into a path below the directory. The os.Root would
// stop an escape too, symbolic links included; this gives a clearer error and keeps out
// our own temporary names.
func localName(f *File) (string, error) {
	name, err := f.Path()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrName, err)
	}
	local := filepath.FromSlash(path.Clean(name))
	if !filepath.IsLocal(local) || strings.HasPrefix(path.Base(name), tempPrefix) {
		return "", fmt.Errorf("%w %.80q", ErrName, name)
	}
	return local, nil
}
