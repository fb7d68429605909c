package examples

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// One program sends a carousel and announces it, the other finds it and receives.
func TestFlute(t *testing.T) {
	lo := loopback(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	me := os.Getpid()
	args := []string{"-iface", lo, "-name", fmt.Sprint("Files of ", me), "-group", fmt.Sprintf("239.255.84.%d:17084", 1+me%250)}
	exe, dir := build(t, "flute"), t.TempDir()
	file := filepath.Join(t.TempDir(), "a file")
	want := bytes.Repeat([]byte("flute"), 50_000)
	if err := os.WriteFile(file, want, 0o644); err != nil {
		t.Fatal(err)
	}
	send := exec.CommandContext(ctx, exe, append(args, file)...)
	if err := send.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		send.Process.Kill()
		send.Wait()
	}()
	out, err := exec.CommandContext(ctx, exe, append(args, "-dir", dir)...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "250000 bytes, verified: true") {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "a file")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
