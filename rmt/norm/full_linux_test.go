package norm

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
)

// A disk that is full in the middle of a file costs that file and nothing else. The limit
// on the size of files stands in for it.
func TestDiskFullInMidFile(t *testing.T) {
	dir := t.TempDir()
	session(t, 1, SenderConfig{}, ReceiverConfig{Dir: dir}, mcasttest.Link{Loss: 0.05}, func(t *testing.T, s *Sender, rs []*Receiver) {
		big, small := noise(5_000_000), noise(100_000)
		if _, err := s.Send(t.Context(), bytes.NewReader(big), int64(len(big)), Name("big")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Send(t.Context(), bytes.NewReader(small), int64(len(small)), Name("small")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		var before syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 2_000_000, Max: before.Max}); err != nil {
			t.Fatal(err)
		}
		defer syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before)
		var bad *ObjectError
		if o, err := next(t, rs[0]); !errors.As(err, &bad) || bad.Name != "big" || !errors.Is(err, syscall.EFBIG) {
			t.Errorf("%+v, %v", o, err)
		}
		if o, err := next(t, rs[0]); err != nil || o.Name() != "small" || !o.Verified() && o.Size() != 100_000 {
			t.Errorf("%+v, %v", o, err)
		}
	})
	if e, _ := os.ReadDir(dir); len(e) != 1 {
		t.Errorf("left behind: %v", e)
	}
}
