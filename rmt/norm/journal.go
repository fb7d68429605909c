package norm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"time"
)

// A journal lies beside the temporary file of an object and says which bytes of it are
// there, so that a later receiver can go on with it. It begins with lines that name the
// file; records follow, each with a checksum of the bytes it speaks of and one of
// itself. Nothing of that is believed before it was compared with the file, and the
// whole is compared with the sender's SHA-256 in the end.
type journal struct {
	name string
	file *os.File
	rec  record // not yet written; it grows while blocks come in order
	at   time.Time
	size int64
}

// A record says that n bytes from off are there, with checksum sum.
type record struct {
	off int64
	n   uint32
	sum uint32
}

const (
	journalMagic = "norm journal 1"

	// A record is written when it speaks of this many bytes, or is this old: as much
	// as that is received again after a crash.
	recordBytes = 1 << 20
	recordAge   = time.Second

	recordLen  = 20
	maxJournal = 32 << 20 // bytes of a journal, written or read; 1.6 TB in order
	maxHeader  = 8 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func createJournal(root *os.Root, name string, k *fileKey) (*journal, error) {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("%s\n%q\n%d\n%x\n", journalMagic, k.name, k.size, k.sum)
	if _, err := f.WriteString(head); err != nil {
		f.Close()
		root.Remove(name)
		return nil, err
	}
	return &journal{name: name, file: f, size: int64(len(head))}, nil
}

// add notes that data was written at off. A block may be longer than a record.
func (j *journal) add(now time.Time, off int64, data []byte) error {
	for len(data) > recordBytes {
		if err := j.extend(now, off, data[:recordBytes]); err != nil {
			return err
		}
		off, data = off+recordBytes, data[recordBytes:]
	}
	return j.extend(now, off, data)
}

// extend notes what one record can hold.
func (j *journal) extend(now time.Time, off int64, data []byte) error {
	if j.rec.off+int64(j.rec.n) != off || int64(j.rec.n)+int64(len(data)) > recordBytes {
		if err := j.flush(); err != nil {
			return err
		}
		j.rec, j.at = record{off: off}, now
	}
	j.rec.n += uint32(len(data))
	j.rec.sum = crc32.Update(j.rec.sum, castagnoli, data)
	if j.rec.n >= recordBytes || now.Sub(j.at) >= recordAge {
		return j.flush()
	}
	return nil
}

// flush writes the record under way.
func (j *journal) flush() error {
	if j.rec.n == 0 || j.size >= maxJournal {
		j.rec = record{}
		return nil
	}
	var b [recordLen]byte
	j.rec.put(&b)
	j.rec = record{}
	n, err := j.file.Write(b[:])
	j.size += int64(n)
	return err
}

func (j *journal) close() {
	j.flush()
	j.file.Close()
}

func (r *record) put(b *[recordLen]byte) {
	binary.BigEndian.PutUint64(b[0:], uint64(r.off))
	binary.BigEndian.PutUint32(b[8:], r.n)
	binary.BigEndian.PutUint32(b[12:], r.sum)
	binary.BigEndian.PutUint32(b[16:], crc32.Checksum(b[:16], castagnoli))
}

// parse reads a record of a file of size bytes.
func (r *record) parse(b *[recordLen]byte, size int64) bool {
	if crc32.Checksum(b[:16], castagnoli) != binary.BigEndian.Uint32(b[16:]) {
		return false
	}
	*r = record{int64(binary.BigEndian.Uint64(b[0:])), binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])}
	return r.off >= 0 && r.n > 0 && r.n <= maxRecord && r.off <= size-int64(r.n)
}

// maxRecord is what a record may speak of: once a block was never cut, and had up to 255
// symbols of 65,000 bytes.
const maxRecord = recordBytes + 255*65_000

var errJournal = errors.New("not a journal")

// readJournalKey reads a journal up to its records.
func readJournalKey(r *bufio.Reader) (k fileKey, err error) {
	var lines [4]string
	left := maxHeader
	for i := range lines {
		line, err := r.ReadSlice('\n')
		if left -= len(line); err != nil || left < 0 {
			return k, errJournal
		}
		lines[i] = string(bytes.TrimSuffix(line, []byte{'\n'}))
	}
	name, err1 := strconv.Unquote(lines[1])
	size, err2 := strconv.ParseInt(lines[2], 10, 64)
	sum, err3 := hex.DecodeString(lines[3])
	if lines[0] != journalMagic || err1 != nil || err2 != nil || err3 != nil || size < 0 || len(sum) != 32 || name == "" || len(name) > maxName {
		return k, errJournal
	}
	return fileKey{name, size, [32]byte(sum)}, nil
}

// verified calls have for each record that speaks the truth about file, until it returns
// false. A record that does not is left out; what follows one cut short is not read.
func verified(journal io.Reader, file io.ReaderAt, have func(record, []byte) bool) error {
	r := bufio.NewReaderSize(io.LimitReader(journal, maxJournal), 64<<10)
	k, err := readJournalKey(r)
	if err != nil {
		return err
	}
	var buf []byte
	for {
		var b [recordLen]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return nil
		}
		var rec record
		if !rec.parse(&b, k.size) {
			return nil
		}
		if int(rec.n) > cap(buf) {
			buf = make([]byte, max(rec.n, recordBytes))
		}
		buf = buf[:rec.n]
		if n, err := file.ReadAt(buf, rec.off); errors.Is(err, os.ErrClosed) {
			return err
		} else if n < len(buf) {
			continue
		}
		if crc32.Checksum(buf, castagnoli) == rec.sum && !have(rec, buf) {
			return nil
		}
	}
}
