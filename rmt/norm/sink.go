package norm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"
	"time"
)

// A sink stores one object as its blocks come in, in any order, and digests it.
type sink struct {
	size int64
	mem  *memory // of an object in memory

	scratch *scratch
	base    string // of its temporary files
	file    *os.File
	key     fileKey
	journal *journal

	have spans
	// The digest is computed in order, right from the blocks that come in
	// order. Those that came early are held until it is their turn, or read
	// again then. Without sum there is none.
	early  []early // ascending
	hold   *holding
	sum    hash.Hash
	summed int64
	buf    []byte
}

// newFileSink opens a temporary file of its own.
func newFileSink(t *scratch, size int64, digest bool) (*sink, error) {
	base := t.next()
	f, err := t.root.OpenFile(base+partExt, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	s := &sink{size: size, scratch: t, base: base, file: f}
	if digest {
		s.sum = sha256.New()
	}
	return s, nil
}

func newMemorySink(size int64) *sink {
	return &sink{size: size, mem: newMemory(size), sum: sha256.New()}
}

// write stores a block.
func (s *sink) write(now time.Time, data []byte, off int64) error {
	if s.mem == nil {
		if _, err := s.file.WriteAt(data, off); err != nil {
			return err
		}
	}
	end := off + int64(len(data))
	fresh := s.have.add(off, end)
	if s.mem != nil {
		s.mem.write(data, off, fresh)
	}
	s.note(now, data, off)
	if s.sum == nil {
		return nil
	}
	if off == s.summed {
		s.sum.Write(data)
		s.summed = end
	}
	return s.catchUp(catchUpStep)
}

// note writes to the journal. Without one the object is received anew after a crash, and
// nothing else happens.
func (s *sink) note(now time.Time, data []byte, off int64) {
	if s.journal != nil && s.journal.add(now, off, data) != nil {
		s.journal.file.Close()
		s.scratch.root.Remove(s.journal.name)
		s.journal = nil
	}
}

// catchUpStep bounds how much is read again with one block, in bytes: other objects wait.
const catchUpStep = 8 << 20

// catchUp digests up to limit bytes of what came early and whose turn it now is.
func (s *sink) catchUp(limit int64) error {
	end := min(s.have.end(s.summed), s.summed+limit)
	if s.mem != nil {
		s.mem.reach(end)
		s.sum.Write(s.mem.data[s.summed:end])
		s.summed = end
		return nil
	}
	for s.summed < end {
		to := s.digestEarly(end)
		if to <= s.summed {
			continue
		}
		if s.buf == nil {
			s.buf = make([]byte, 256<<10)
		}
		n, err := s.file.ReadAt(s.buf[:min(int64(len(s.buf)), to-s.summed)], s.summed)
		s.sum.Write(s.buf[:n])
		s.summed += int64(n)
		if err != nil && (!errors.Is(err, io.EOF) || n == 0) {
			return err
		}
	}
	return nil
}

// record begins a journal, under a name with ext, with what is already there.
func (s *sink) record(now time.Time, k fileKey, ext string) {
	j, err := createJournal(s.scratch.root, s.base+ext, &k)
	if err != nil {
		return
	}
	s.key, s.journal = k, j
	buf := make([]byte, 64<<10)
	for _, p := range s.have {
		for p.from < p.to && s.journal != nil {
			n, _ := s.file.ReadAt(buf[:min(int64(len(buf)), p.to-p.from)], p.from)
			if n == 0 {
				return
			}
			s.note(now, buf[:n], p.from)
			p.from += int64(n)
		}
	}
}

// adopt goes on with a partial in place of the sink's own file. What the partial has is
// known when it was verified.
func (s *sink) adopt(now time.Time, k fileKey, p partial) error {
	root := s.scratch.root
	old, err := root.OpenFile(p.base+partExt, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	for _, h := range s.have {
		if _, err := io.Copy(io.NewOffsetWriter(old, h.from), io.NewSectionReader(s.file, h.from, h.to-h.from)); err != nil {
			old.Close()
			return err
		}
	}
	s.file.Close()
	root.Remove(s.base + partExt)
	s.file, s.base = old, p.base
	s.record(now, k, newExt)
	return nil
}

// adopted takes over what was verified of a partial.
func (s *sink) adopted(v *verification) error {
	for _, p := range v.have {
		s.have.add(p.from, p.to)
	}
	if v.summed > s.summed {
		s.sum, s.summed = v.sum, v.summed
	}
	if j := s.journal; j != nil {
		j.flush()
		for _, rec := range v.records {
			j.rec = rec
			j.flush()
		}
		if name := s.base + journalExt; s.scratch.root.Rename(j.name, name) == nil {
			j.name = name
		}
	}
	return s.catchUp(catchUpStep)
}

// verify digests the rest and compares the whole with what the sender announced.
func (s *sink) verify(want []byte) error {
	if s.sum == nil {
		if s.have.end(0) != s.size {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	if err := s.catchUp(s.size); err != nil {
		return err
	}
	if s.summed != s.size {
		return io.ErrUnexpectedEOF
	}
	if want != nil && !bytes.Equal(want, s.sum.Sum(nil)) {
		return ErrDigest
	}
	return nil
}

// content returns what verify found whole, of an object in memory.
func (s *sink) content() []byte {
	if s.mem == nil {
		return nil
	}
	return s.mem.data
}

// discard removes what there is.
func (s *sink) discard() {
	s.shut()
	if s.base != "" {
		s.scratch.remove(s.base)
		s.base = ""
	}
	s.mem, s.have = nil, nil
}

// leave keeps what there is for a later receiver, if that is worth it.
func (s *sink) leave(now time.Time) {
	if s.journal == nil || s.file == nil || !s.scratch.keep {
		s.discard()
		return
	}
	s.shut()
	if name := s.base + newExt; s.journal.name == name {
		s.scratch.root.Remove(name) // the old one still counts
	}
	s.journal = nil
	s.scratch.leave(s.key, partial{s.base, s.have.size(), now})
	s.base = ""
}

// shut closes the files.
func (s *sink) shut() {
	s.letGo(len(s.early))
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
	if s.journal != nil {
		s.journal.close()
	}
}
