//go:build linux

package flute_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/internal/netlab"
)

// TestMemory sends 4 GiB: neither side's memory may grow with the file. It takes
// minutes, so it runs only where nothing may be skipped.
func TestMemory(t *testing.T) {
	needLab(t)
	if !labRequired {
		t.Skip("4 GiB take a while; MULTICAST_LAB=required runs it")
	}
	const size, limit = 4 << 30, 300 << 20
	dir := diskDir(t, size+size/4)
	file := filepath.Join(dir, "sparse.bin")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, size); err != nil {
		t.Fatal(err)
	}
	sum := fileSum(t, file)
	in := filepath.Join(dir, "in")
	if err := os.Mkdir(in, 0o755); err != nil {
		t.Fatal(err)
	}
	l := netlab.New(t, netlab.Config{Loss: 2})
	rx := startMcast(t, l.Receivers[0], "recv", "--dir", in, "--count", "1", "--stats", "10s")
	rx.await(t, "ready", 10*time.Second)
	time.Sleep(200 * time.Millisecond)
	tx := startMcast(t, l.Sender, "send", "--fec", "raptorq:overhead=10%", "--rate", "400M", "--carousel", "--loopback=false", file)
	tx.await(t, "ready", time.Minute)
	e := rx.await(t, "done", 8*time.Minute)
	t.Logf("%v s, %v", e["seconds"], e["goodput_bps"])
	if e["sha256"] != sum {
		t.Errorf("%v", e)
	}
	tx.interrupt(t)
	<-rx.ended
	t.Logf("%s", &rx.stderr)
	for _, c := range []*child{tx, rx} {
		peak := c.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
		t.Logf("%s: %d MiB at most", c.who, peak>>20)
		if peak > limit {
			t.Errorf("%s used %d MiB, want at most %d", c.who, peak>>20, limit>>20)
		}
	}
}

// diskDir returns a temporary directory with so much space, and not in memory.
func diskDir(t *testing.T, space uint64) string {
	t.Helper()
	for _, parent := range []string{os.TempDir(), "/var/tmp", "."} {
		var st unix.Statfs_t
		if unix.Statfs(parent, &st) != nil || st.Type == unix.TMPFS_MAGIC || st.Bavail*uint64(st.Bsize) < space {
			continue
		}
		dir, err := os.MkdirTemp(parent, "mcast-flute-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	t.Fatalf("no disk with %d MiB free", space>>20)
	return ""
}
