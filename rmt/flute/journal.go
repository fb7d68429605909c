package flute

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/core"
)

// minResume is the size in bytes from which files are worth going on with.
const minResume = 1 << 20

// maxJournal bounds what is read of a journal, in bytes.
const maxJournal = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A journal tells which blocks of a partial file are there. It lies beside it, a line
// for each block: where it begins and ends and a checksum, all of which is compared with
// the file before it is believed. Its name says of which object it is, by all that the
// description tells.
type journal struct {
	root   *os.Root
	name   string
	file   *os.File
	blocks int
}

// resumeName returns the name for the parts of an object, or "" for one that cannot be
// gone on with.
func resumeName(f *File, size int64) string {
	n, ok := f.Transfer()
	oti, err := f.OTI.FEC(uint64(size))
	if !f.HasMD5 || size < minResume || ok && n != uint64(size) || err != nil {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %d %x %q %+v", f.ContentLocation, size, f.ContentMD5, f.ContentEncoding, oti)
	return tempPrefix + hex.EncodeToString(h.Sum(nil)[:16])
}

func openJournal(root *os.Root, name string) (*journal, error) {
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	return &journal{root: root, name: name, file: f}, nil
}

// add notes a block. Errors do no harm but that it is received again.
func (j *journal) add(block uint32, off int64, data []byte) {
	if j != nil {
		j.blocks++
		fmt.Fprintf(j.file, "%d %d %d %08x\n", block, off, len(data), crc32.Checksum(data, castagnoli))
	}
}

func (j *journal) close() {
	if j != nil {
		j.file.Close()
	}
}

func (j *journal) remove() {
	if j != nil {
		j.file.Close()
		j.root.Remove(j.name)
	}
}

// A part is a block that a journal has and the file too.
type part struct {
	block  uint32
	off, n int64
}

// read returns the blocks whose bytes in file are what they were.
func (j *journal) read(file io.ReaderAt, p *fec.Partition) (parts []part) {
	lines := bufio.NewScanner(io.NewSectionReader(j.file, 0, maxJournal))
	seen := make(map[uint32]bool)
	var buf []byte
	for lines.Scan() {
		var q part
		var sum uint32
		if n, err := fmt.Sscanf(lines.Text(), "%d %d %d %x", &q.block, &q.off, &q.n, &sum); n != 4 || err != nil {
			continue // cut short by a crash
		}
		if p.BlockLen(q.block) == 0 || q.off != p.Offset(q.block) || q.n != int64(p.BlockBytes(q.block)) || seen[q.block] {
			continue
		}
		if int64(cap(buf)) < q.n {
			buf = make([]byte, q.n)
		}
		buf = buf[:q.n]
		if _, err := file.ReadAt(buf, q.off); err != nil || crc32.Checksum(buf, castagnoli) != sum {
			continue
		}
		seen[q.block] = true
		parts = append(parts, q)
	}
	return parts
}

// resume looks for what an earlier receiver left of an object, now that it is
// described, and lets this go on with it. It returns the blocks that are there and have
// not been received by this one. busy says whether another object has these parts.
func (s *sink) resume(f *File, busy func(name string) bool) (found []part, err error) {
	name := resumeName(f, s.size)
	if name == "" || s.root == nil || s.journal != nil || s.file == nil || busy(name) {
		return nil, nil
	}
	oti, err := f.OTI.FEC(uint64(s.size))
	if err != nil {
		return nil, nil
	}
	p, err := oti.Partition()
	if err != nil {
		return nil, nil
	}
	j, err := openJournal(s.root, name+".journal")
	if err != nil {
		return nil, nil // a directory that cannot be used for it; the file is received anew
	}
	if old, err := s.root.OpenFile(name+".part", os.O_RDWR, 0); err == nil {
		found = j.read(old, &p)
		// What came meanwhile goes there.
		for off, end := range s.received() {
			if err = copyRange(old, s.file, off, end); err != nil {
				break
			}
		}
		if err != nil || len(found) == 0 {
			old.Close()
			found = nil
		} else {
			s.file.Close()
			s.root.Remove(s.temp)
			s.file, s.temp = old, name+".part"
			s.written += s.size
		}
	}
	if found == nil {
		j.file.Truncate(0)
		if err := s.root.Rename(s.temp, name+".part"); err != nil {
			j.remove()
			return nil, nil
		}
		s.temp = name + ".part"
	}
	s.journal = j
	had := s.received()
	kept := found[:0]
	for _, q := range found {
		j.blocks++
		if end, ok := had[q.off]; ok && end == q.off+q.n || q.off < s.summed {
			continue
		}
		kept = append(kept, q)
		if err := s.note(nil, q.off, q.n); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// received returns what is stored of the object, offset to end.
func (s *sink) received() map[int64]int64 {
	m := make(map[int64]int64, len(s.early)+1)
	for off, end := range s.early {
		m[off] = end
	}
	if s.summed > 0 {
		m[0] = s.summed
	}
	return m
}

func copyRange(dst io.WriterAt, src io.ReaderAt, off, end int64) error {
	_, err := io.Copy(io.NewOffsetWriter(dst, off), io.NewSectionReader(src, off, end-off))
	return err
}

// ranges makes ranges of blocks.
func ranges(parts []part) (list []core.BlockRange) {
	for _, q := range parts {
		if n := len(list); n > 0 && list[n-1].Last+1 == q.block {
			list[n-1].Last = q.block
			continue
		}
		list = append(list, core.BlockRange{First: q.block, Last: q.block})
	}
	return list
}

// sweep removes what earlier receivers left and nobody will go on with: all of it if
// age is negative, otherwise what is older.
func sweep(root *os.Root, age time.Duration, now time.Time) {
	d, err := root.Open(".")
	if err != nil {
		return
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(256)
		for _, e := range entries {
			name := e.Name()
			if !strings.HasPrefix(name, tempPrefix) || !strings.HasSuffix(name, ".part") && !strings.HasSuffix(name, ".journal") || !e.Type().IsRegular() {
				continue
			}
			if st, err := e.Info(); err == nil && now.Sub(st.ModTime()) > age {
				root.Remove(name)
			}
		}
		if err != nil || len(entries) == 0 {
			return
		}
	}
}
