//go:build linux

package lab_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/internal/netlab"
)

// TestMemory sends 4 GiB: neither side's memory may grow with the file. It takes a
// minute or two, so it runs only where nothing may be skipped.
func TestMemory(t *testing.T) {
	if !required {
		t.Skip("4 GiB take a while; MULTICAST_LAB=required runs it")
	}
	const size, limit = 4 << 30, 200 << 20
	l := netlab.New(t, netlab.Config{Loss: 1})
	dir := diskDir(t, size+size/4)
	file := source{path: filepath.Join(scratch, "sparse.bin"), name: "sparse.bin", size: size}
	if err := os.WriteFile(file.path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file.path, size); err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.CopyN(h, zeros{}, size); err != nil {
		t.Fatal(err)
	}
	file.sum = hex.EncodeToString(h.Sum(nil))

	r := receiveInto(t, l.Receivers[0], dir, nil, "--count", "1")
	ready(t, r)
	tx := send(t, l.Sender, "--rate", "700M", "--wait", "1", file.path)
	e := sent(t, tx, 5*time.Minute, file)
	delivered(t, r, time.Minute, file)
	report(t, e, []*proc{r})
	for _, p := range []*proc{tx, r} {
		// Of a child that is started by vfork the kernel remembers our own
		// peak too, if that is higher; ours is small.
		peak := p.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
		t.Logf("%s: %d MiB at most", p.who, peak>>20)
		if peak > limit {
			t.Errorf("%s used %d MiB, want at most %d", p.who, peak>>20, limit>>20)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// diskDir returns a temporary directory with so much space, and not in memory.
func diskDir(t *testing.T, space uint64) string {
	t.Helper()
	for _, parent := range []string{os.TempDir(), "/var/tmp", "."} {
		var st unix.Statfs_t
		if unix.Statfs(parent, &st) != nil || st.Type == unix.TMPFS_MAGIC || st.Bavail*uint64(st.Bsize) < space {
			continue
		}
		dir, err := os.MkdirTemp(parent, "mcast-lab-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	skip(t, "no disk with %d MiB free", space>>20)
	return ""
}
