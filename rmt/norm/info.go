package norm

import (
	"bytes"
	"encoding/hex"
	"io/fs"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A fileInfo is what our NORM_INFO says about a file. On the wire it is the name, a
// NUL, and lines of key=value. A peer that takes the whole of it for a C string, as
// the programs built on NRL's NORM do, reads just the name. Keys that a receiver does
// not know are nothing to it.
type fileInfo struct {
	name   string
	size   int64       // -1 if not given
	sha256 []byte      // nil if not given
	mode   fs.FileMode // permission bits; 0 if not given
	mtime  time.Time   // zero if not given
	set    string      // of which set it is a part, if of one
	list   bool        // it is the list of that set's files
	absent bool        // receivers that have it need not receive it again
}

// maxName bounds a file name, maxSetID a set's, in bytes.
const (
	maxName  = 1024
	maxSetID = 32
)

func (f *fileInfo) append(dst []byte) []byte {
	dst = append(dst, f.name...)
	dst = append(dst, 0)
	line := func(key, value string) {
		dst = append(dst, key...)
		dst = append(dst, '=')
		dst = append(dst, value...)
		dst = append(dst, '\n')
	}
	if f.size >= 0 {
		line("size", strconv.FormatInt(f.size, 10))
	}
	if f.sha256 != nil {
		line("sha256", hex.EncodeToString(f.sha256))
	}
	if f.mode != 0 {
		line("mode", strconv.FormatUint(uint64(f.mode.Perm()), 8))
	}
	if !f.mtime.IsZero() {
		line("mtime", strconv.FormatInt(f.mtime.Unix(), 10))
	}
	if f.set != "" {
		line("set", f.set)
	}
	if f.list {
		line("list", "1")
	}
	if f.absent {
		line("if", "absent")
	}
	return dst
}

// maxTime is the last modification time that is believed, in seconds: the year 9999.
const maxTime = 253402300799

// parseFileInfo reads NORM_INFO content, ours or that of a peer that gives just a
// name. It never fails: what it cannot make sense of is not there.
func parseFileInfo(b []byte) fileInfo {
	f := fileInfo{size: -1}
	name, rest, _ := bytes.Cut(b, []byte{0})
	if len(name) <= maxName && utf8.Valid(name) {
		f.name = string(name)
	}
	for line := range strings.Lines(string(rest)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		switch key {
		case "size":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 {
				f.size = n
			}
		case "sha256":
			if sum, err := hex.DecodeString(value); err == nil && len(sum) == 32 {
				f.sha256 = sum
			}
		case "mode":
			if n, err := strconv.ParseUint(value, 8, 16); err == nil {
				f.mode = fs.FileMode(n).Perm()
			}
		case "mtime":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 && n <= maxTime {
				f.mtime = time.Unix(n, 0)
			}
		case "set":
			if _, err := hex.DecodeString(value); err == nil && len(value) <= maxSetID {
				f.set = value
			}
		case "list":
			f.list = value == "1"
		case "if":
			f.absent = value == "absent"
		}
	}
	return f
}

// A fileKey is what makes two files the same: they may be gone on with, or need not be
// received again.
type fileKey struct {
	name string
	size int64
	sum  [32]byte
}

// key returns the file's key. There is none if the sender did not say enough, or not what
// the object says.
func (f *fileInfo) key(size int64) (k fileKey, ok bool) {
	if f.name == "" || f.sha256 == nil || f.size >= 0 && f.size != size {
		return k, false
	}
	return fileKey{f.name, size, [32]byte(f.sha256)}, true
}
