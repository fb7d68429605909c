package norm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A receiver that is closed before it came to look at what an earlier one left keeps no file
// open.
func TestCloseBeforeVerification(t *testing.T) {
	src := writeFile(t, filepath.Join(t.TempDir(), "big"), noise(10_000_000))
	dir := t.TempDir()
	rejoining(t, SenderConfig{}, func(t *testing.T, w *rejoin) {
		r := w.receiver(t, ReceiverConfig{Dir: dir}, 0)
		if _, err := w.s.SendFile(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		r.Close()
		r = w.receiver(t, ReceiverConfig{Dir: dir}, 0)
		hold := make(chan struct{})
		r.store.audit.add(func() { <-hold })
		time.Sleep(100 * time.Millisecond)
		r.store.audit.mu.Lock()
		tasks := len(r.store.audit.tasks)
		r.store.audit.mu.Unlock()
		if tasks != 1 {
			t.Fatalf("%d tasks", tasks)
		}
		time.AfterFunc(time.Second, func() { close(hold) })
		r.Close()
	})
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if name, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(name, dir) {
			t.Errorf("%s is open", name)
		}
	}
}
