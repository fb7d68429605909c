package norm

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"
)

// An Existing says what becomes of a file when another of its name is there already.
type Existing uint8

const (
	// Replace puts the new file in place of the other, in one step.
	Replace Existing = iota
	// Keep keeps the other; the new one is not received and ends with ErrExists.
	Keep
	// Number keeps both: the new one is named like "name (1).ext".
	Number
)

// maxNumber bounds the numbers that Number tries.
const maxNumber = 9999

// place gives the sink's file its name, local, or one like it, and what else was said of
// it. The directory is there. It returns the name.
func (s *sink) place(info *fileInfo, local string, cfg *ReceiverConfig) (string, error) {
	root, temp := s.scratch.root, s.base+partExt
	if cfg.KeepModes && info.mode != 0 {
		if err := s.file.Chmod(safeMode(info.mode)); err != nil {
			return "", err
		}
	}
	if cfg.Fsync {
		if err := s.file.Sync(); err != nil {
			return "", err
		}
	}
	err := s.file.Close()
	s.file = nil
	if err != nil {
		return "", err
	}
	if !info.mtime.IsZero() {
		if err := root.Chtimes(temp, info.mtime, info.mtime); err != nil {
			return "", err
		}
	}
	if local, err = moveTo(root, temp, local, cfg.OnExist); err != nil {
		return "", err
	}
	if cfg.Fsync {
		if d, err := root.Open(filepath.Dir(local)); err == nil {
			d.Sync() // not every system can
			d.Close()
		}
	}
	s.discard() // the journal
	return local, nil
}

// safeMode is a sender's permission bits without those that let others write.
func safeMode(m os.FileMode) os.FileMode { return m.Perm()&0o755 | 0o600 }

// moveTo moves a temporary file to its name.
func moveTo(root *os.Root, temp, local string, policy Existing) (string, error) {
	if policy == Replace {
		return local, root.Rename(temp, local)
	}
	name, ext := local, filepath.Ext(local)
	stem := strings.TrimSuffix(local, ext)
	for i := 1; ; i++ {
		err := moveNew(root, temp, name)
		switch {
		case err == nil || !errors.Is(err, os.ErrExist):
			return name, err
		case policy == Keep:
			return "", fmt.Errorf("%w: %s", ErrExists, local)
		case i > maxNumber:
			return "", fmt.Errorf("%w: %s, and %d more like it", ErrExists, local, maxNumber)
		}
		name = fmt.Sprintf("%s (%d)%s", stem, i, ext)
	}
}

// moveNew moves a file to a name that must be free.
func moveNew(root *os.Root, temp, name string) error {
	err := root.Link(temp, name)
	if err == nil {
		return root.Remove(temp)
	}
	if errors.Is(err, os.ErrExist) {
		return err
	}
	// A file system without links.
	if _, err := root.Lstat(name); err == nil {
		return os.ErrExist
	}
	return root.Rename(temp, name)
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
	if clean == "." || !filepath.IsLocal(local) || strings.HasPrefix(path.Base(clean), tempPrefix) {
		return "", fmt.Errorf("%w %.80q", ErrName, name)
	}
	return local, nil
}
