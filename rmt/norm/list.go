package norm

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// A listed is one line of the list that ends a set: a file that belongs to it, or a
// directory. The list is a data object: a line that says what it is, then for each entry
// its kind, permissions, size and name, quoted as Go does.
type listed struct {
	dir  bool
	mode fs.FileMode
	size int64
	name string
}

const (
	listMagic = "norm list 1\n"

	// maxListed bounds the entries of a list: a sender's, and ReceiverConfig.SetEntries.
	maxListed = 1 << 20
)

var errList = errors.New("not a list of files")

func appendList(dst []byte, entries []listed) []byte {
	dst = append(dst, listMagic...)
	for _, e := range entries {
		kind := 'f'
		if e.dir {
			kind = 'd'
		}
		dst = fmt.Appendf(dst, "%c %o %d %q\n", kind, e.mode.Perm(), e.size, e.name)
	}
	return dst
}

// parseList reads a list of at most so many entries. It takes all or nothing.
func parseList(b []byte, most int) ([]listed, error) {
	if !bytes.HasPrefix(b, []byte(listMagic)) {
		return nil, errList
	}
	n := bytes.Count(b, []byte{'\n'}) - 1
	if n > most { // before anything is made of it
		return nil, fmt.Errorf("%w: a set of %d files and directories, and SetEntries is %d", ErrQuota, n, most)
	}
	rest := string(b[len(listMagic):])
	entries := make([]listed, 0, n)
	for line := range strings.Lines(rest) {
		line, ok := strings.CutSuffix(line, "\n")
		kind, line, ok1 := strings.Cut(line, " ")
		mode, line, ok2 := strings.Cut(line, " ")
		size, quoted, ok3 := strings.Cut(line, " ")
		m, err1 := strconv.ParseUint(mode, 8, 16)
		n, err2 := strconv.ParseInt(size, 10, 64)
		name, err3 := strconv.Unquote(quoted)
		if !ok || !ok1 || !ok2 || !ok3 || err1 != nil || err2 != nil || err3 != nil || n < 0 || kind != "f" && kind != "d" || name == "" || len(name) > maxName {
			return nil, errList
		}
		entries = append(entries, listed{kind == "d", fs.FileMode(m).Perm(), n, name})
	}
	return entries, nil
}
