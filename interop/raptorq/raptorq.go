// Package raptorq runs liblcrq, a RaptorQ library in C, as a peer in tests: it
// builds a small program on it and reads what it says.
//
// Tests that use it are skipped with a reason where a C compiler or liblcrq is
// missing (Debian: gcc and liblcrq-dev), and fail there when the environment says
// MULTICAST_LAB=required.
package raptorq

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

//go:embed testdata/lcrqpeer.c
var source []byte

var build struct {
	sync.Once
	path    string
	missing string
	failed  string
}

// Build compiles the peer, or finds the one compiled before, and returns its path.
// testdata/lcrqpeer.c tells its arguments and what it prints.
func Build(t testing.TB) string {
	t.Helper()
	build.Do(compile)
	if build.missing != "" {
		if os.Getenv("MULTICAST_LAB") == "required" {
			t.Fatal("MULTICAST_LAB=required, but: " + build.missing)
		}
		t.Skip(build.missing)
	}
	if build.failed != "" {
		t.Fatal(build.failed)
	}
	return build.path
}

func compile() {
	if runtime.GOOS != "linux" {
		build.missing = "liblcrq peer is for Linux"
		return
	}
	cc, err := exec.LookPath("gcc")
	if err != nil {
		build.missing = "no gcc to build the liblcrq peer"
		return
	}
	probe := exec.Command(cc, "-fsyntax-only", "-x", "c", "-")
	probe.Stdin = strings.NewReader("#include <lcrq.h>\n")
	if probe.Run() != nil {
		build.missing = "no lcrq.h (package liblcrq-dev) to build the liblcrq peer"
		return
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "gomulticast-interop")
	sum := sha256.Sum256(source)
	build.path = filepath.Join(dir, "lcrqpeer-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(build.path); err == nil {
		return
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		build.failed = err.Error()
		return
	}
	tmp, err := os.CreateTemp(dir, "build-*")
	if err != nil {
		build.failed = err.Error()
		return
	}
	tmp.Close()
	defer os.Remove(tmp.Name())
	cmd := exec.Command(cc, "-O2", "-o", tmp.Name(), "-x", "c", "-", "-llcrq")
	cmd.Stdin = bytes.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		build.failed = "building the liblcrq peer: " + err.Error() + "\n" + string(out)
		return
	}
	// Other test binaries may be at it too; whoever is last wins, whole.
	if err := os.Rename(tmp.Name(), build.path); err != nil {
		build.failed = err.Error()
	}
}

// Run runs the peer with args and returns the lines it prints.
func Run(t testing.TB, args ...string) []string {
	t.Helper()
	cmd := exec.Command(Build(t), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("liblcrq peer %v: %v\n%s", args, err, stderr.Bytes())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
