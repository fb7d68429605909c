package norm

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// A sender that says of thousands of objects that they may be here already, and has each
// looked for in a large file, holds up nobody else and leaves nothing behind.
func TestManyQuestions(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "big"), noise(4_000_000))
	question := fileInfo{name: "big", size: 4_000_000, sha256: make([]byte, 32), absent: true}
	rejoining(t, SenderConfig{}, func(t *testing.T, w *rejoin) {
		r := w.receiver(t, ReceiverConfig{Dir: dir}, 0)
		defer r.Close()
		bad, err := NewSender(open(t, w.net), SenderConfig{Rate: 1_000_000_000, CacheObjects: 4000})
		if err != nil {
			t.Fatal(err)
		}
		defer bad.Close()
		for range 2000 {
			if _, err := bad.Send(t.Context(), bytes.NewReader(nil), 4_000_000, Info(question.append(nil)), Name("big")); err != nil {
				t.Fatal(err)
			}
		}
		good := noise(500_000)
		tr, err := w.s.Send(t.Context(), bytes.NewReader(good), int64(len(good)), Name("good"), WaitForCount(1))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := tr.Wait(t.Context()); err != nil || time.Since(start) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		bad.Close()
	})
	if left := tempFiles(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "good")); err != nil || len(got) != 500_000 {
		t.Error(err)
	}
}

// No name leads outside, through a link, over a temporary file or in place of a directory.
func TestNamesThatEscape(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "in")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"up": "..", "abs": top, "file": filepath.Join(top, "target")} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(top, "target"), []byte("as it was"))
	for _, policy := range []Existing{Replace, Number} {
		session(t, 1, SenderConfig{}, ReceiverConfig{Dir: dir, OnExist: policy, KeepModes: true}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
			for _, name := range []string{
				"../x", "/x", "sub/../../x", `..\x`, "up/x", "abs/x", "x\ny", ".norm-AAAA.lock", strings.Repeat("d/", 511) + "../" + "x/../..",
			} {
				info := fileInfo{name: name, size: -1, mode: 0o777, absent: true, sha256: make([]byte, 32)}
				if _, err := s.Send(t.Context(), bytes.NewReader([]byte("evil")), 4, Name("x"), Info(info.append(nil))); err != nil {
					t.Fatal(err)
				}
				if o, err := next(t, rs[0]); err == nil {
					t.Errorf("%q is at %s", name, o.Path())
				}
			}
			// In place of a link a file may be put, but not through it.
			if _, err := s.Send(t.Context(), bytes.NewReader([]byte("evil")), 4, Name("file")); err != nil {
				t.Fatal(err)
			}
			next(t, rs[0])
		})
	}
	if b, _ := os.ReadFile(filepath.Join(top, "target")); string(b) != "as it was" {
		t.Errorf("outside: %q", b)
	}
	if e, _ := os.ReadDir(top); len(e) != 2 {
		t.Errorf("outside: %v", e)
	}
}
