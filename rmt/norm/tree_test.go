package norm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// collectSet returns the receiver's objects up to the end of a set, by name, and the set.
func collectSet(t *testing.T, r *Receiver) (map[string]*Object, *FileSet) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	files := make(map[string]*Object)
	for o, err := range r.Objects(ctx) {
		if err != nil {
			t.Log(err)
			if ctx.Err() != nil {
				t.Fatal("no set")
			}
			continue
		}
		if o.Set() != nil {
			return files, o.Set()
		}
		if files[o.Name()] != nil {
			t.Errorf("%s came twice", o.Name())
		}
		files[o.Name()] = o
	}
	return nil, nil
}

func TestSendDir(t *testing.T) {
	src, outside := filepath.Join(t.TempDir(), "tree"), t.TempDir()
	writeFile(t, filepath.Join(src, "a"), noise(10))
	writeFile(t, filepath.Join(src, "sub", "big file"), noise(1_500_000))
	writeFile(t, filepath.Join(src, "sub", "empty file"), nil)
	writeFile(t, filepath.Join(src, "run"), noise(99))
	writeFile(t, filepath.Join(src, `back\slash`), nil)
	writeFile(t, filepath.Join(outside, "secret"), noise(5))
	old := time.Unix(1_000_000_000, 0)
	for _, err := range []error{
		os.MkdirAll(filepath.Join(src, "sub", "nothing", "in it"), 0o755),
		os.Chmod(filepath.Join(src, "run"), 0o777),
		os.Chtimes(filepath.Join(src, "a"), old, old),
		os.Symlink(outside, filepath.Join(src, "escape")),
		os.Symlink("a", filepath.Join(src, "link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	plain, modes := t.TempDir(), t.TempDir()
	rejoining(t, SenderConfig{}, func(t *testing.T, w *rejoin) {
		one := w.receiver(t, ReceiverConfig{Dir: plain}, 0.1)
		defer one.Close()
		two := w.receiver(t, ReceiverConfig{Dir: modes, KeepModes: true, Fsync: true}, 0)
		defer two.Close()
		three := w.receiver(t, ReceiverConfig{}, 0.05) // in memory
		defer three.Close()
		var started []string
		tree, err := w.s.SendDir(t.Context(), src, WaitForCount(3), Started(func(name string, _ *Transfer) { started = append(started, name) }))
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{"tree/a", "tree/run", "tree/sub/big file", "tree/sub/empty file"}
		if !slices.Equal(started, want) || tree.Files != 4 || tree.Dirs != 4 || tree.Bytes != 1_500_109 {
			t.Errorf("sent %v: %+v", started, tree)
		}
		var skipped []string
		for _, s := range tree.Skipped {
			skipped = append(skipped, s.Name)
		}
		if !slices.Equal(skipped, []string{`tree/back\slash`, "tree/escape", "tree/link"}) || !errors.Is(tree.Skipped[1].Err, ErrNotRegular) {
			t.Errorf("skipped %v", tree.Skipped)
		}
		for _, r := range []*Receiver{one, two, three} {
			files, set := collectSet(t, r)
			if len(files) != 4 || !set.Complete() || set.Files != 4 || set.Dirs != 4 || set.Bytes != tree.Bytes || set.ID != tree.ID {
				t.Errorf("%d files, %+v", len(files), set)
			}
			if r == three && !bytes.Equal(files["tree/a"].Bytes(), noise(10)) {
				t.Error("the file in memory differs")
			}
		}
	})
	for dir, x := range map[string]fs.FileMode{plain: 0o644, modes: 0o755} {
		got, _ := os.ReadFile(filepath.Join(dir, "tree", "sub", "big file"))
		if !bytes.Equal(got, noise(1_500_000)) {
			t.Error("the big file differs")
		}
		if st, err := os.Stat(filepath.Join(dir, "tree", "run")); err != nil || st.Mode().Perm() != x {
			t.Errorf("%v, %v; want %v", st, err, x)
		}
		if st, err := os.Stat(filepath.Join(dir, "tree", "a")); err != nil || !st.ModTime().Equal(old) {
			t.Errorf("%v, %v", st, err)
		}
		if st, err := os.Stat(filepath.Join(dir, "tree", "sub", "nothing", "in it")); err != nil || !st.IsDir() {
			t.Errorf("%v, %v", st, err)
		}
		if e, _ := os.ReadDir(dir); len(e) != 1 {
			t.Errorf("more in %s: %v", dir, e)
		}
	}
}

// The second time, only what has changed is received.
func TestSendDirAgain(t *testing.T) {
	src, dir := filepath.Join(t.TempDir(), "tree"), t.TempDir()
	for i := range 20 {
		writeFile(t, filepath.Join(src, fmt.Sprintf("%02d", i)), noise(1000*i))
	}
	rejoining(t, SenderConfig{}, func(t *testing.T, w *rejoin) {
		r := w.receiver(t, ReceiverConfig{Dir: dir}, 0.1)
		defer r.Close()
		for _, want := range []int{0, 18} {
			if _, err := w.s.SendDir(t.Context(), src, IfAbsent(), WaitForCount(1)); err != nil {
				t.Fatal(err)
			}
			files, set := collectSet(t, r)
			skipped := 0
			for _, o := range files {
				if o.Skipped() {
					skipped++
				}
			}
			if skipped != want || len(files) != 20 || !set.Complete() {
				t.Errorf("%d skipped of %d, want %d; %+v", skipped, len(files), want, set)
			}
			writeFile(t, filepath.Join(src, "03"), noise(77))
			writeFile(t, filepath.Join(src, "04"), noise(4001)[:4000])
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "tree", "04")); !bytes.Equal(got, noise(4001)[:4000]) {
			t.Error("differs")
		}
	})
}

func TestThousandSmallFiles(t *testing.T) {
	files := fstest.MapFS{}
	for i := range 1000 {
		files[fmt.Sprintf("%d/%d/%d", i/100, i/10, i)] = &fstest.MapFile{Data: noise(i * 7 % 5000), Mode: 0o644}
	}
	dirs := []string{t.TempDir(), t.TempDir()}
	rejoining(t, SenderConfig{Rate: 1_000_000_000, CacheObjects: 256}, func(t *testing.T, w *rejoin) {
		rs := []*Receiver{w.receiver(t, ReceiverConfig{Dir: dirs[0]}, 0.02), w.receiver(t, ReceiverConfig{Dir: dirs[1]}, 0.1)}
		defer rs[0].Close()
		defer rs[1].Close()
		start := time.Now()
		tree, err := w.s.SendFS(t.Context(), files, WaitForCount(2))
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("1,000 files in %v of virtual time, %+v", time.Since(start), w.s.Stats())
		for _, r := range rs {
			got, set := collectSet(t, r)
			if len(got) != 1000 || !set.Complete() || set.Files != 1000 {
				t.Errorf("%d files, %+v", len(got), set)
			}
		}
	})
	for _, dir := range dirs {
		for name, f := range files {
			if got, err := os.ReadFile(filepath.Join(dir, name)); !bytes.Equal(got, f.Data) {
				t.Fatalf("%s differs: %v", name, err)
			}
		}
	}
}

// A set of which files cannot be received is reported with them.
func TestSetWithMissingFiles(t *testing.T) {
	files := fstest.MapFS{
		"fine": {Data: noise(1000)}, "too big": {Data: noise(300_000)}, "zz": {Data: noise(5)},
	}
	session(t, 1, SenderConfig{}, ReceiverConfig{Dir: t.TempDir(), MaxFileSize: 200_000}, mcasttest.Link{Loss: 0.1}, func(t *testing.T, s *Sender, rs []*Receiver) {
		if _, err := s.SendFS(t.Context(), files, Name("pre/fix")); err != nil {
			t.Fatal(err)
		}
		got, set := collectSet(t, rs[0])
		if len(got) != 2 || set.Files != 3 || !slices.Equal(set.Missing, []string{"pre/fix/too big"}) {
			t.Errorf("%v, %+v", got, set)
		}
	})
	// One of which nothing was ever heard.
	list := appendList(nil, []listed{{name: "never sent", size: 3}})
	info := fileInfo{size: -1, set: "abcd", list: true}
	session(t, 1, SenderConfig{}, ReceiverConfig{}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		if _, err := s.SendBytes(t.Context(), list, Info(info.append(nil))); err != nil {
			t.Fatal(err)
		}
		if _, set := collectSet(t, rs[0]); len(set.Missing) != 1 || set.ID != "abcd" {
			t.Errorf("%+v", set)
		}
	})
}

// No list makes a directory outside, or more of them than a sender may.
func TestHostileLists(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "in")
	os.Mkdir(dir, 0o755)
	os.Symlink(top, filepath.Join(dir, "link"))
	session(t, 1, SenderConfig{}, ReceiverConfig{Dir: dir, SenderFiles: 3}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		for i, list := range []string{
			string(appendList(nil, []listed{{dir: true, name: "../out"}})),
			string(appendList(nil, []listed{{dir: true, name: "/out"}})),
			string(appendList(nil, []listed{{dir: true, name: "link/out"}})),
			string(appendList(nil, []listed{{dir: true, name: "a"}, {dir: true, name: "b"}, {dir: true, name: "c"}, {dir: true, name: "d"}})),
			"norm list 1\nf 0 x \"a\"\n", "", "norm list 1\nd 777 0 \"a\"",
		} {
			info := fileInfo{size: -1, set: fmt.Sprintf("%04x", i), list: true}
			if _, err := s.SendBytes(t.Context(), []byte(list), Info(info.append(nil))); err != nil {
				t.Fatal(err)
			}
			if o, err := next(t, rs[0]); err == nil {
				t.Errorf("%q: %+v", list, o)
			}
		}
	})
	if e, _ := os.ReadDir(top); len(e) != 1 {
		t.Errorf("made outside: %v", e)
	}
}

// A receiver takes no longer lists, and makes no more directories for one sender in a day,
// than it is set to; what it refuses names the setting, and costs nothing.
func TestSetBounds(t *testing.T) {
	dir := t.TempDir()
	sendList := func(t *testing.T, s *Sender, id string, list []listed) {
		t.Helper()
		info := fileInfo{size: -1, set: id, list: true}
		if _, err := s.SendBytes(t.Context(), appendList(nil, list), Info(info.append(nil))); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(t *testing.T, r *Receiver, setting string) {
		t.Helper()
		if o, err := next(t, r); !errors.Is(err, ErrQuota) || !strings.Contains(err.Error(), setting) {
			t.Errorf("%+v, %v; want one that names %s", o, err, setting)
		}
	}
	taken := func(t *testing.T, r *Receiver) {
		t.Helper()
		if o, err := next(t, r); err != nil {
			t.Error(err)
		} else if set := o.Set(); set != nil && !set.Complete() {
			t.Errorf("%+v", set)
		}
	}
	dirs := func(names ...string) (l []listed) {
		for _, n := range names {
			l = append(l, listed{dir: true, name: n})
		}
		return l
	}
	session(t, 1, SenderConfig{}, ReceiverConfig{Dir: dir, SetEntries: 3, SenderDirs: 5}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
		sendList(t, s, "01", dirs("a", "b", "c", "d"))
		refused(t, rs[0], "SetEntries is 3")
		sendList(t, s, "02", dirs("a", "a/b", "a/b/c")) // three
		taken(t, rs[0])
		sendList(t, s, "03", dirs("a", "a/b", "a/b/c")) // which are there now
		taken(t, rs[0])
		sendList(t, s, "04", dirs("x/"+strings.Repeat("y/", 500)+"z"))
		refused(t, rs[0], "SenderDirs is 5")
		for name, ok := range map[string]bool{"a/b/file": true, "p/q/r/file": false} {
			if _, err := s.Send(t.Context(), bytes.NewReader([]byte("x")), 1, Name(name)); err != nil {
				t.Fatal(err)
			}
			if ok {
				taken(t, rs[0])
			} else {
				refused(t, rs[0], "SenderDirs is 5")
			}
		}
		sendList(t, s, "05", dirs("d", "e"))
		taken(t, rs[0])
		sendList(t, s, "06", dirs("f"))
		refused(t, rs[0], "SenderDirs is 5")
		time.Sleep(24 * time.Hour)
		sendList(t, s, "07", dirs("f"))
		taken(t, rs[0])
	})
	var made []string
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, p); err == nil && d.IsDir() && rel != "." {
			made = append(made, filepath.ToSlash(rel))
		}
		return nil
	})
	if want := []string{"a", "a/b", "a/b/c", "d", "e", "f"}; !slices.Equal(made, want) {
		t.Errorf("made %v, want %v", made, want)
	}
}

// By default no list has a receiver make a million directories; and whoever wants a million
// files has them.
func TestLargeSets(t *testing.T) {
	var list []listed
	for i := range 1_000_000 {
		list = append(list, listed{name: fmt.Sprintf("%d", i)})
	}
	data := appendList(nil, list)
	info := fileInfo{size: -1, set: "01", list: true}
	for _, entries := range []int{0, 1_000_000, -1} {
		session(t, 1, SenderConfig{Rate: -1}, ReceiverConfig{SetEntries: entries}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
			if _, err := s.SendBytes(t.Context(), data, Info(info.append(nil))); err != nil {
				t.Fatal(err)
			}
			o, err := next(t, rs[0])
			switch {
			case entries == 0 && (!errors.Is(err, ErrQuota) || !strings.Contains(err.Error(), "SetEntries is 262144")):
				t.Errorf("%v; want one that names SetEntries", err)
			case entries != 0 && (err != nil || o.Set().Files != 1_000_000):
				t.Error(err)
			}
		})
	}
	if err := (ReceiverConfig{SetEntries: maxListed + 1}).Validate(); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
	cfg := ReceiverConfig{}
	if err := cfg.files(); err != nil || cfg.SenderDirs != 65_536 {
		t.Errorf("%d directories of a sender, %v", cfg.SenderDirs, err)
	}
}

func FuzzList(f *testing.F) {
	f.Add([]byte(listMagic))
	f.Add(appendList(nil, []listed{{true, 0o755, 0, "dir"}, {false, 0o600, 7, "dir/\"file\"\n"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseList(b, maxListed)
		if err != nil {
			return
		}
		again, err := parseList(appendList(nil, list), maxListed)
		if err != nil || !slices.Equal(again, list) {
			t.Fatalf("%q: %+v came back as %+v, %v", b, list, again, err)
		}
	})
}

func FuzzJournal(f *testing.F) {
	var b [recordLen]byte
	(&record{off: 0, n: 4, sum: 0}).put(&b)
	f.Add(append([]byte(journalMagic+"\n\"name\"\n10\n"+strings.Repeat("ab", 32)+"\n"), b[:]...))
	content := bytes.NewReader(noise(100))
	f.Fuzz(func(t *testing.T, b []byte) {
		verified(bytes.NewReader(b), content, func(r record, data []byte) bool {
			if len(data) != int(r.n) || r.off < 0 || r.off+int64(r.n) > 100 {
				t.Fatalf("%+v", r)
			}
			return true
		})
	})
}
