package norm

import (
	"fmt"
	"hash/maphash"
	"path/filepath"
	"time"
	"unsafe"

	"github.com/gomulticast/multicast/rmt/norm/core"
)

// A FileSet says what became of files that were sent together, with
// [Sender.SendDir] or [Sender.SendFS].
type FileSet struct {
	ID      string   // as its sender numbers it, random
	Files   int      // that belong to it
	Dirs    int      // that belong to it, empty ones included
	Bytes   int64    // of its files
	Missing []string // files that were not received; none if the set is complete
}

// Complete reports whether all its files were received.
func (f *FileSet) Complete() bool { return len(f.Missing) == 0 }

// Bounds on what a receiver remembers of sets, and how long it waits for files that are
// still missing when it knows which there are.
const (
	maxSets       = 256
	maxSenderSets = 8
	maxMembers    = 1 << 20
	setPatience   = 30 * time.Second
)

type setKey struct {
	sender   core.SenderKey
	instance uint16
	id       string
}

// A set is a set of files under way.
type set struct {
	key     setKey
	members map[uint64]bool // by the hash of the name: received, or else failed
	heard   time.Time
	list    []listed // once it came
	known   int      // so many at its beginning are directories or known of
	object  Object   // the list
	timer   *time.Timer
}

var nameSeed = maphash.MakeSeed()

func nameHash(name string) uint64 { return maphash.String(nameSeed, name) }

// isSetList reports whether an object is the list of a set.
func (in *incoming) isSetList() bool { return !in.isFile && in.file.list && in.file.set != "" }

// set returns the set an object belongs to, a new one if need be.
func (s *store) set(in *incoming, at time.Time) *set {
	k := setKey{in.object.key.Sender, in.object.key.Instance, in.file.set}
	if t := s.sets[k]; t != nil {
		t.heard = at
		return t
	}
	var oldest, own *set
	n := 0
	for _, t := range s.sets {
		if oldest == nil || t.heard.Before(oldest.heard) {
			oldest = t
		}
		if t.key.sender == k.sender {
			if n++; own == nil || t.heard.Before(own.heard) {
				own = t
			}
		}
	}
	switch {
	case n >= maxSenderSets:
		s.closeSet(own)
	case len(s.sets) >= maxSets:
		s.closeSet(oldest)
	}
	t := &set{key: k, members: make(map[uint64]bool), heard: at}
	s.sets[k] = t
	return t
}

// member notes what became of an object, if it belongs to a set.
func (s *store) member(in *incoming, received bool, at time.Time) {
	if in.file.set == "" || !in.isFile || in.file.name == "" {
		return
	}
	t, h := s.set(in, at), nameHash(in.file.name)
	if _, ok := t.members[h]; !ok {
		if s.members >= maxMembers {
			return
		}
		s.members++
	}
	t.members[h] = received || t.members[h]
	s.judge(t)
}

// takeList takes in the list of a set: directories are made at once.
func (s *store) takeList(in *incoming, at time.Time) error {
	list, err := parseList(in.sink.content(), s.r.cfg.SetEntries)
	if err != nil {
		return err
	}
	if s.root != nil {
		for _, e := range list {
			if e.dir {
				if err := s.listedDir(in, &e, at); err != nil {
					return err
				}
			}
		}
	}
	// The names lie in a copy of the content, which is of no use to anybody else.
	entries := int64(len(list)) * int64(unsafe.Sizeof(listed{}))
	if err := s.charge(in, entries); err != nil {
		return err
	}
	in.object.data, in.object.held = nil, in.charged
	t := s.set(in, at)
	s.taken(&result{object: &t.object}) // a list before this one
	s.end(in)
	in.object.finished = time.Now()
	t.list, t.known, t.object = list, 0, in.object
	s.judge(t)
	return nil
}

// listedDir makes a directory of a set, if its sender may.
func (s *store) listedDir(in *incoming, e *listed, at time.Time) error {
	local, err := localName(e.name)
	if err != nil {
		return err
	}
	if st, err := s.root.Stat(local); err == nil && st.IsDir() {
		return nil
	}
	a := s.account(in)
	if c := &s.r.cfg; c.SenderFiles > 0 && a.files >= c.SenderFiles {
		return fmt.Errorf("%w: %d files and directories came from %v, and SenderFiles is %d", ErrQuota, a.files, in.object.key.Sender.Addr.Addr(), c.SenderFiles)
	}
	a.files++
	if err := s.makeDirs(in, local, at); err != nil {
		return err
	}
	if s.r.cfg.KeepModes {
		return s.root.Chmod(filepath.Clean(local), safeMode(e.mode)|0o700)
	}
	return nil
}

// judge reports a set of which all is known, and sees to it that the others are at last.
func (s *store) judge(t *set) {
	if t.list == nil {
		return
	}
	// What is known stays known, so that each entry is looked at once, however many
	// files come.
	for ; t.known < len(t.list); t.known++ {
		e := &t.list[t.known]
		if _, known := t.members[nameHash(e.name)]; !known && !e.dir {
			if t.timer == nil {
				t.timer = time.AfterFunc(setPatience, func() {
					s.put(job{fn: func() { s.closeSet(t) }})
				})
			}
			t.timer.Reset(setPatience)
			return
		}
	}
	s.closeSet(t)
}

// closeSet forgets a set, and reports it if its list is here.
func (s *store) closeSet(t *set) {
	if s.sets[t.key] != t {
		return
	}
	delete(s.sets, t.key)
	s.members -= len(t.members)
	if t.timer != nil {
		t.timer.Stop()
	}
	if t.list == nil {
		return
	}
	f := &FileSet{ID: t.key.id}
	for _, e := range t.list {
		if e.dir {
			f.Dirs++
			continue
		}
		f.Files++
		f.Bytes += e.size
		if !t.members[nameHash(e.name)] {
			f.Missing = append(f.Missing, e.name)
		}
	}
	o := t.object
	o.set = f
	s.r.deliver(result{object: &o})
	s.r.log("set of files", "id", f.ID, "files", f.Files, "missing", len(f.Missing))
}

// finishSets reports the sets that wait for files when the receiver ends.
func (s *store) finishSets() {
	for _, t := range s.sets {
		s.closeSet(t)
	}
}
