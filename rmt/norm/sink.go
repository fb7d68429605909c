package norm

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"
)

// A sink stores one object as its blocks come in, in any order, and digests it.
type sink struct {
	root *os.Root // nil: in memory
	dir  string
	size int64
	temp string
	file *os.File
	data []byte

	// The digest is computed in order, right from the blocks that come in
	// order; those that came early are read again when it is their turn.
	sum    hash.Hash
	summed int64
	early  map[int64]int64 // offset to end
	buf    []byte
}

// newFileSink opens a temporary file of its own in root.
func newFileSink(root *os.Root, dir string, size int64) (*sink, error) {
	s := &sink{root: root, dir: dir, size: size, sum: sha256.New(), early: make(map[int64]int64)}
	s.temp = ".norm-" + rand.Text()[:13] + ".part"
	f, err := root.OpenFile(s.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	s.file = f
	return s, nil
}

func newMemorySink(size int64) *sink {
	return &sink{size: size, data: make([]byte, size), sum: sha256.New(), early: make(map[int64]int64)}
}

// write stores a block.
func (s *sink) write(data []byte, off int64) error {
	if s.file == nil {
		copy(s.data[off:], data)
	} else if _, err := s.file.WriteAt(data, off); err != nil {
		return err
	}
	if off != s.summed {
		s.early[off] = off + int64(len(data))
		return nil
	}
	s.sum.Write(data)
	s.summed += int64(len(data))
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
		if s.file == nil {
			s.sum.Write(s.data[s.summed:end])
			s.summed = end
			continue
		}
		if s.buf == nil {
			s.buf = make([]byte, 256<<10)
		}
		for s.summed < end {
			n, err := s.file.ReadAt(s.buf[:min(int64(len(s.buf)), end-s.summed)], s.summed)
			s.sum.Write(s.buf[:n])
			s.summed += int64(n)
			if err != nil && (!errors.Is(err, io.EOF) || n == 0) {
				return err
			}
		}
	}
}

// commit verifies the object and gives the file its name. It returns the path.
func (s *sink) commit(info *fileInfo, name string) (string, error) {
	if s.summed != s.size {
		return "", fmt.Errorf("%d of %d bytes: %w", s.summed, s.size, io.ErrUnexpectedEOF)
	}
	if info.sha256 != nil && !bytes.Equal(info.sha256, s.sum.Sum(nil)) {
		return "", ErrDigest
	}
	if s.file == nil {
		return "", nil
	}
	local, err := localName(name)
	if err != nil {
		return "", err
	}
	err = s.file.Close()
	s.file = nil
	if err != nil {
		return "", err
	}
	if d := filepath.Dir(local); d != "." {
		if err := s.root.MkdirAll(d, 0o755); err != nil {
			return "", err
		}
	}
	if err := s.root.Rename(s.temp, local); err != nil {
		return "", err
	}
	s.temp = ""
	return filepath.Join(s.dir, local), nil
}

// discard removes what there is.
func (s *sink) discard() {
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
	if s.temp != "" {
		s.root.Remove(s.temp)
		s.temp = ""
	}
	s.data, s.early = nil, nil
}

// localName turns a sender's file name into a path below the directory. The os.Root
// would stop an escape too, symbolic links included; this gives a clearer error and
// keeps out what only harms: control characters, hidden temporary names.
func localName(name string) (string, error) {
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return "", fmt.Errorf("%w %.80q", ErrName, name)
	}
	clean := path.Clean(strings.ReplaceAll(name, `\`, "/"))
	local := filepath.FromSlash(clean)
	if clean == "." || !filepath.IsLocal(local) || strings.HasPrefix(path.Base(clean), ".norm-") {
		return "", fmt.Errorf("%w %.80q", ErrName, name)
	}
	return local, nil
}
