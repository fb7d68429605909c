package norm

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A fileInfo is what our NORM_INFO says about a file. On the wire it is the name, a
// NUL, and lines of key=value. A peer that takes the whole of it for a C string, as
// the programs built on NRL's NORM do, reads just the name.
type fileInfo struct {
	name   string
	size   int64  // -1 if not given
	sha256 []byte // nil if not given
}

// maxName bounds a file name in bytes.
const maxName = 1024

func (f *fileInfo) append(dst []byte) []byte {
	dst = append(dst, f.name...)
	dst = append(dst, 0)
	if f.size >= 0 {
		dst = append(dst, "size="...)
		dst = strconv.AppendInt(dst, f.size, 10)
		dst = append(dst, '\n')
	}
	if f.sha256 != nil {
		dst = append(dst, "sha256="...)
		dst = hex.AppendEncode(dst, f.sha256)
		dst = append(dst, '\n')
	}
	return dst
}

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
		}
	}
	return f
}
