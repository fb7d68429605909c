package sap

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxStore is the longest file read, in bytes: what a directory of MaxSessions and
// MaxBytes by default writes takes a tenth.
const maxStore = 256 << 20

// A FileStore keeps sessions in a file, a line of JSON each. The file is replaced as a
// whole: after a crash there is the old one or the new one.
type FileStore struct{ path string }

// NewFileStore returns the store for a path. The file need not exist; its directory
// must.
func NewFileStore(path string) *FileStore { return &FileStore{path} }

// Load implements Store.
func (s *FileStore) Load() ([]byte, error) {
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	tooLong := fmt.Errorf("%s is longer than %d bytes; remove it", s.path, maxStore)
	if info, err := f.Stat(); err == nil && info.Size() > maxStore {
		return nil, tooLong
	}
	b, err := io.ReadAll(io.LimitReader(f, maxStore+1)) // it may grow, or be no file
	if err != nil {
		return nil, err
	}
	if len(b) > maxStore {
		return nil, tooLong
	}
	return b, nil
}

// Save implements Store: it writes another file beside, brings it to the disk, and gives
// it the name.
func (s *FileStore) Save(b []byte) (err error) {
	dir := filepath.Dir(s.path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(s.path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(b); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), s.path); err != nil {
		return err
	}
	// The name too; not every system can.
	if d, e := os.Open(dir); e == nil {
		_ = d.Sync()
		d.Close()
	}
	return nil
}
