package norm

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/disk"
)

// A scratch is the temporary files of one receiver in its directory, and what earlier
// receivers left there and this one may go on with. Their names are
//
//	.norm-RUN.lock       locked while receiver RUN lives
//	.norm-RUN-N.part     an object under way
//	.norm-RUN-N.journal  which bytes of it are there
//	.norm-RUN-N.new      the same, being written anew
//
// It is the store goroutine's alone, but for has.
type scratch struct {
	root *os.Root
	run  string
	lock *os.File // nil: files cannot be locked here, and nothing of others is touched
	seq  int
	keep bool // what is not complete at the end

	mu    sync.Mutex // has is called by others
	found map[fileKey]partial
	sums  map[[32]byte]int // how many of found have that digest
}

// A partial is an object that was begun and is nobody's at the moment.
type partial struct {
	base string // its name without .part
	size int64
	used time.Time
}

const (
	tempPrefix = ".norm-"
	partExt    = ".part"
	journalExt = ".journal"
	newExt     = ".new"
	lockExt    = ".lock"
	startExt   = ".start" // a lock before it is locked

	// minResume is the size from which files are worth going on with.
	minResume = 1 << 20
	// maxPartials and maxPartialBytes bound what is kept; the newest always is.
	maxPartials     = 1024
	maxPartialBytes = 256 << 30
)

// newScratch removes what dead receivers left in root, but for objects younger than
// keep, which are this one's now.
func newScratch(root *os.Root, keep time.Duration, now time.Time) *scratch {
	s := &scratch{root: root, keep: keep > 0, found: make(map[fileKey]partial), sums: make(map[[32]byte]int)}
	for range 4 { // another one that begins may look at ours just when we want to lock it
		if s.begin() {
			s.sweep(keep, now)
			return s
		}
	}
	s.keep = false
	return s // what is wrong the first file will tell
}

// begin gives the receiver a name and locks it.
func (s *scratch) begin() bool {
	s.run = rand.Text()[:13]
	start, name := tempPrefix+s.run+startExt, tempPrefix+s.run+lockExt
	f, err := s.root.OpenFile(start, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	// Nobody may find the lock before it is held.
	if !disk.Lock(f) || s.root.Rename(start, name) != nil {
		f.Close()
		s.root.Remove(start)
		return false
	}
	s.lock = f
	return true
}

// next returns a name for a new object's files, without extension.
func (s *scratch) next() string {
	s.seq++
	return tempPrefix + s.run + "-" + strconv.Itoa(s.seq)
}

// take returns the partial of a file, which is the caller's from then on.
func (s *scratch) take(k fileKey) (partial, bool) {
	p, ok := s.found[k]
	s.drop(k)
	return p, ok
}

// has reports whether there is a partial of a file with that digest.
func (s *scratch) has(sum [32]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sums[sum] > 0
}

func (s *scratch) hold(k fileKey, p partial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found[k] = p
	s.sums[k.sum]++
}

func (s *scratch) drop(k fileKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.found[k]; ok {
		delete(s.found, k)
		if s.sums[k.sum]--; s.sums[k.sum] == 0 {
			delete(s.sums, k.sum)
		}
	}
}

// leave keeps a partial for whoever comes next.
func (s *scratch) leave(k fileKey, p partial) {
	if old, ok := s.take(k); ok {
		s.remove(old.base)
	}
	s.hold(k, p)
	s.bound()
}

func (s *scratch) remove(base string) {
	for _, ext := range []string{partExt, journalExt, newExt} {
		s.root.Remove(base + ext)
	}
}

// bound removes the oldest partials beyond what is kept.
func (s *scratch) bound() {
	keys := make([]fileKey, 0, len(s.found))
	var total int64
	for k, p := range s.found {
		keys = append(keys, k)
		total += p.size
	}
	if len(keys) <= maxPartials && total <= maxPartialBytes {
		return
	}
	slices.SortFunc(keys, func(a, b fileKey) int { return s.found[a].used.Compare(s.found[b].used) })
	for n := len(keys); n > 1 && (n > maxPartials || total > maxPartialBytes); n-- {
		k := keys[0]
		keys = keys[1:]
		total -= s.found[k].size
		s.remove(s.found[k].base)
		s.drop(k)
	}
}

// close gives up the lock.
func (s *scratch) close() {
	if s.lock != nil {
		s.root.Remove(tempPrefix + s.run + lockExt)
		s.lock.Close()
	}
}

// sweep goes through what is left of dead receivers.
func (s *scratch) sweep(keep time.Duration, now time.Time) {
	type left struct {
		base string
		used time.Time
		size int64
	}
	var parts []left
	var others []string
	var locks []*os.File
	var lockNames []string
	living := map[string]bool{s.run: true}
	names := s.names()
	for _, name := range names { // whose receivers live
		run, ext := splitTemp(name)
		if ext != lockExt && ext != startExt || run == s.run {
			continue
		}
		f, err := s.root.OpenFile(name, os.O_RDWR, 0)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil || !disk.Lock(f) {
			living[run] = true
			if err == nil {
				f.Close()
			}
			continue
		}
		if st, err := f.Stat(); ext == startExt && (err != nil || now.Sub(st.ModTime()) < time.Minute) {
			f.Close()
			continue // about to be locked
		}
		locks, lockNames = append(locks, f), append(lockNames, name)
	}
	for _, name := range names {
		run, ext := splitTemp(name)
		if living[run] || ext == lockExt || ext == startExt {
			continue
		}
		st, err := s.root.Lstat(name)
		if err != nil || !st.Mode().IsRegular() {
			continue
		}
		if age := now.Sub(st.ModTime()); ext == partExt && keep > 0 && age < keep {
			parts = append(parts, left{strings.TrimSuffix(name, ext), st.ModTime(), st.Size()})
		} else if ext != journalExt {
			others = append(others, name)
		}
	}
	kept := make(map[string]bool)
	slices.SortFunc(parts, func(a, b left) int { return cmp.Or(b.used.Compare(a.used), strings.Compare(a.base, b.base)) })
	for _, p := range parts {
		k, ok := s.readKey(p.base)
		if _, twice := s.found[k]; !ok || twice {
			others = append(others, p.base+partExt)
			continue
		}
		base := s.next()
		if s.root.Rename(p.base+journalExt, base+journalExt) != nil || s.root.Rename(p.base+partExt, base+partExt) != nil {
			others = append(others, p.base+partExt, base+journalExt)
			continue
		}
		kept[p.base] = true
		s.hold(k, partial{base, p.size, p.used})
	}
	for _, name := range others {
		s.root.Remove(name)
	}
	for _, name := range names {
		if run, ext := splitTemp(name); ext == journalExt && !living[run] && !kept[strings.TrimSuffix(name, ext)] {
			s.root.Remove(name)
		}
	}
	for i, f := range locks {
		s.root.Remove(lockNames[i])
		f.Close()
	}
	s.bound()
}

// names returns the temporary files in the directory.
func (s *scratch) names() (names []string) {
	d, err := s.root.Open(".")
	if err != nil {
		return nil
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(256)
		for _, e := range entries {
			if run, _ := splitTemp(e.Name()); run != "" && e.Type().IsRegular() {
				names = append(names, e.Name())
			}
		}
		if err != nil || len(entries) == 0 {
			return names
		}
	}
}

// splitTemp returns the run and the extension in a temporary file's name, or nothing.
func splitTemp(name string) (run, ext string) {
	rest, ok := strings.CutPrefix(name, tempPrefix)
	i := strings.LastIndexByte(rest, '.')
	if !ok || i <= 0 {
		return "", ""
	}
	run, ext = rest[:i], rest[i:]
	switch ext {
	case partExt, journalExt, newExt, lockExt, startExt:
		run, _, _ = strings.Cut(run, "-")
		return run, ext
	}
	return "", ""
}

func (s *scratch) readKey(base string) (k fileKey, ok bool) {
	f, err := s.root.Open(base + journalExt)
	if err != nil {
		return k, false
	}
	defer f.Close()
	k, err = readJournalKey(bufio.NewReaderSize(f, maxHeader))
	return k, err == nil
}
