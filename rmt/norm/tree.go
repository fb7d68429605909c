package norm

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A SkippedFile is one that SendDir did not send, and why.
type SkippedFile struct {
	Name string
	Err  error
}

// ErrNotRegular: it is a symbolic link, a device or the like, which are not sent.
var ErrNotRegular = errors.New("not a regular file")

// A TreeTransfer is a directory on its way to the group.
type TreeTransfer struct {
	ID      string        // of the set, which receivers see in FileSet
	Files   int           // queued
	Dirs    int           // listed
	Bytes   int64         // of the files
	Skipped []SkippedFile // was not sent

	names     []string
	transfers []*Transfer
	list      *Transfer
}

// All yields the files with their transfers, in the order of sending.
func (t *TreeTransfer) All() iter.Seq2[string, *Transfer] {
	return func(yield func(string, *Transfer) bool) {
		for i, name := range t.names {
			if !yield(name, t.transfers[i]) {
				return
			}
		}
	}
}

// Wait waits until all transfers are over, as [Transfer.Wait] does. It returns the first
// error, with the file's name, and how many more failed.
func (t *TreeTransfer) Wait(ctx context.Context) error {
	var first error
	more := 0
	fail := func(name string, err error) {
		if first == nil {
			first = fmt.Errorf("%s: %w", name, err)
		} else {
			more++
		}
	}
	for name, tr := range t.All() {
		if err := tr.Wait(ctx); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			fail(name, err)
		}
	}
	if err := t.WaitList(ctx); err != nil {
		fail("list of files", err)
	}
	if more > 0 {
		return fmt.Errorf("%w; %d more failed", first, more)
	}
	return first
}

// WaitList waits until the transfer of the list that ends the set is over.
func (t *TreeTransfer) WaitList(ctx context.Context) error {
	if t.list == nil {
		return nil // SendDir was ended before
	}
	return t.list.Wait(ctx)
}

// IfAbsent tells receivers that have the file already, by name, size and SHA-256, not to
// receive it again: they confirm it, and its Object says Skipped. It is sent all the
// same, for those that have it not.
func IfAbsent() SendOption { return func(o *sendOptions) { o.absent = true } }

// Started has fn called for each file of a tree when it is queued.
func Started(fn func(name string, t *Transfer)) SendOption {
	return func(o *sendOptions) { o.started = fn }
}

// SendDir sends a directory as a series of files and, as the last object, a list of them
// by which receivers know that they have all. Names begin with the directory's own, or
// with that of option Name; they, permissions and modification times are sent along.
// Symbolic links and what else is no regular file are skipped, and so is what cannot be
// read; nothing outside of the directory is ever sent. Options hold for each file.
//
// Receivers take sets of up to 262,144 files and directories unless they are told otherwise:
// see ReceiverConfig.SetEntries and SenderDirs.
//
// It returns when the last file is queued, which takes as long as sending all but
// SenderConfig.CacheObjects of them. If ctx ends before, it returns what was queued and
// ctx's error.
func (s *Sender) SendDir(ctx context.Context, dir string, opts ...SendOption) (*TreeTransfer, error) {
	o := collect(opts)
	if o.name == "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("norm: send: %w", err)
		}
		if o.name = filepath.Base(abs); o.name == string(filepath.Separator) {
			o.name = ""
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("norm: send: %w", err)
	}
	defer root.Close()
	return s.sendTree(ctx, root.FS(), o)
}

// SendFS sends a file system, in the same way. Names are its own, behind that of option
// Name. Of a file that is no io.ReaderAt the content is kept in memory, up to 64 MiB;
// larger ones are skipped.
func (s *Sender) SendFS(ctx context.Context, fsys fs.FS, opts ...SendOption) (*TreeTransfer, error) {
	return s.sendTree(ctx, fsys, collect(opts))
}

// maxInMemory is the largest file that is read as a whole, in bytes.
const maxInMemory = 64 << 20

func (s *Sender) sendTree(ctx context.Context, fsys fs.FS, o *sendOptions) (*TreeTransfer, error) {
	var id [8]byte
	rand.Read(id[:]) // it does not fail (crypto/rand)
	t := &TreeTransfer{ID: hex.EncodeToString(id[:])}
	var list []listed
	skip := func(name string, err error) { t.Skipped = append(t.Skipped, SkippedFile{name, err}) }
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		name := path.Join(o.name, p)
		if err != nil {
			skip(name, err)
			return nil
		}
		if p == "." && o.name == "" {
			return nil
		}
		if err := sendable(name); err != nil {
			skip(name, err)
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if len(list) >= maxListed {
			return fmt.Errorf("more than %d files; send parts of the directory one by one", maxListed)
		}
		st, err := d.Info()
		switch {
		case err != nil:
			skip(name, err)
		case d.IsDir():
			t.Dirs++
			list = append(list, listed{dir: true, mode: st.Mode().Perm(), name: name})
		case !d.Type().IsRegular():
			skip(name, fmt.Errorf("%w: %v", ErrNotRegular, d.Type()))
		default:
			tr, mode, err := s.sendEntry(ctx, fsys, p, name, t.ID, o)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				skip(name, err)
				return nil
			}
			t.Files++
			t.Bytes += tr.size
			t.names, t.transfers = append(t.names, name), append(t.transfers, tr)
			list = append(list, listed{mode: mode, size: tr.size, name: name})
			if o.started != nil {
				o.started(name, tr)
			}
		}
		return nil
	})
	if err != nil {
		return t, fmt.Errorf("norm: send: %w", err)
	}
	data := appendList(nil, list)
	sum, err := digest(ctx, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return t, fmt.Errorf("norm: send: %w", err)
	}
	lo := *o
	lo.info = (&fileInfo{size: int64(len(data)), sha256: sum, set: t.ID, list: true}).append(nil)
	t.list, err = s.enqueue(ctx, bytes.NewReader(data), int64(len(data)), false, &lo)
	return t, err
}

// sendable returns why no receiver would take a file of that name.
func sendable(name string) error {
	if strings.ContainsRune(name, '\\') {
		return fmt.Errorf("%w %.80q: receivers take a backslash for a slash", ErrName, name)
	}
	_, err := localName(name)
	return err
}

// sendEntry queues one file of a tree.
func (s *Sender) sendEntry(ctx context.Context, fsys fs.FS, p, name, set string, o *sendOptions) (*Transfer, fs.FileMode, error) {
	f, err := fsys.Open(p)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = ErrNotRegular // it was, when the directory was read
	}
	var src io.ReaderAt
	size := int64(0)
	if err == nil {
		size = st.Size()
		src, err = readerAt(f, size)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	info := fileInfo{name: name, size: size, mode: st.Mode().Perm(), mtime: st.ModTime(), set: set, absent: o.absent}
	if !o.noDigest {
		info.sha256, err = digest(ctx, src, size)
	}
	fo := *o
	fo.info = s.fit(&info)
	var t *Transfer
	if err == nil {
		t, err = s.enqueue(ctx, src, size, true, &fo)
	}
	if err != nil {
		f.Close()
	}
	return t, info.mode, err
}

// readerAt returns a file's content to be read at random, which is closed with the file
// or needs it no more.
func readerAt(f fs.File, size int64) (io.ReaderAt, error) {
	if r, ok := f.(io.ReaderAt); ok {
		return r, nil
	}
	if size > maxInMemory {
		return nil, fmt.Errorf("%d bytes of a file system whose files cannot be read at random; at most %d", size, maxInMemory)
	}
	b, err := io.ReadAll(io.LimitReader(f, size))
	if err == nil && int64(len(b)) < size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	f.Close()
	return bytes.NewReader(b), nil
}
