package norm

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/mcast/mcasttest"
)

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		title string
		cfg   ReceiverConfig
		free  int64
		sizes []int
		want  []error // nil is received
	}{
		{"size", ReceiverConfig{MaxFileSize: 1000}, 1 << 40, []int{1000, 1001, 5}, []error{nil, ErrTooBig, nil}},
		{"files of a sender", ReceiverConfig{SenderFiles: 2}, 1 << 40, []int{1, 2, 3}, []error{nil, nil, ErrQuota}},
		{"bytes of a sender", ReceiverConfig{SenderBytes: 2000}, 1 << 40, []int{1500, 501, 500, 1}, []error{nil, ErrQuota, nil, ErrQuota}},
		{"free space", ReceiverConfig{KeepFree: 100}, 1000, []int{901, 900}, []error{ErrNoSpace, nil}},
		{"free space that is not looked at", ReceiverConfig{KeepFree: -1}, 0, []int{900}, []error{nil}},
	} {
		c.cfg.Dir = t.TempDir()
		session(t, 1, SenderConfig{}, c.cfg, mcasttest.Link{Loss: 0.1}, func(t *testing.T, s *Sender, rs []*Receiver) {
			rs[0].store.space = func(string) (int64, bool) { return c.free, true }
			for i, size := range c.sizes {
				data := noise(size)
				if _, err := s.Send(t.Context(), bytes.NewReader(data), int64(size), Name("f")); err != nil {
					t.Fatal(err)
				}
				if _, err := next(t, rs[0]); !errors.Is(err, c.want[i]) {
					t.Errorf("%s: file %d: %v, want %v", c.title, i, err, c.want[i])
				}
			}
		})
		if e, _ := os.ReadDir(c.cfg.Dir); len(e) > 1 {
			t.Errorf("%s: left behind %v", c.title, e)
		}
	}
}

func TestFilesAtATime(t *testing.T) {
	session(t, 1, SenderConfig{}, ReceiverConfig{Dir: t.TempDir(), MaxFiles: 1}, mcasttest.Link{Loss: 0.3}, func(t *testing.T, s *Sender, rs []*Receiver) {
		refused := 0
		for i := range 20 {
			data := noise(300_000)
			if _, err := s.Send(t.Context(), bytes.NewReader(data), int64(len(data)), Name(strings.Repeat("x", i+1))); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			if _, err := next(t, rs[0]); errors.Is(err, ErrQuota) {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		}
		if refused == 0 || refused > 19 {
			t.Errorf("%d refused", refused)
		}
	})
}

func TestOnExist(t *testing.T) {
	for policy, want := range map[Existing]string{Replace: "name.txt", Keep: "name.txt", Number: "name (1).txt name (2).txt name.txt"} {
		dir := t.TempDir()
		session(t, 1, SenderConfig{}, ReceiverConfig{Dir: dir, OnExist: policy}, mcasttest.Link{}, func(t *testing.T, s *Sender, rs []*Receiver) {
			for i := range 3 {
				data := noise(10 + i)
				if _, err := s.Send(t.Context(), bytes.NewReader(data), int64(len(data)), Name("d/name.txt")); err != nil {
					t.Fatal(err)
				}
				o, err := next(t, rs[0])
				if policy == Keep && i > 0 {
					if !errors.Is(err, ErrExists) {
						t.Errorf("%+v, %v", o, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if got, _ := os.ReadFile(o.Path()); !bytes.Equal(got, data) {
					t.Errorf("%s differs", o.Path())
				}
			}
		})
		var names []string
		e, _ := os.ReadDir(filepath.Join(dir, "d"))
		for _, e := range e {
			names = append(names, e.Name())
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%d: %s, want %s", policy, got, want)
		}
	}
}
