// Package libnorm runs NRL's NORM library as a peer in tests: it builds a small
// program on it, starts that and reads what it says.
//
// Tests that use it are skipped with a reason where a C++ compiler or libnorm is
// missing (Debian: g++ and libnorm-dev), and fail there when the environment says
// MULTICAST_LAB=required.
package libnorm

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

//go:embed normpeer*
var source embed.FS

// Missing skips the test for want of something the lab has, or fails it where
// MULTICAST_LAB=required.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("MULTICAST_LAB") == "required" {
		t.Fatal("MULTICAST_LAB=required, but: " + reason)
	}
	t.Skip(reason)
}

var build struct {
	sync.Once
	path    string
	missing string
	failed  string
}

// Build compiles the peer, or finds the one compiled before, and returns its
// path. normpeer.cpp tells its options and what it prints.
func Build(t testing.TB) string {
	t.Helper()
	build.Do(compile)
	if build.missing != "" {
		Missing(t, build.missing)
	}
	if build.failed != "" {
		t.Fatal(build.failed)
	}
	return build.path
}

func compile() {
	if runtime.GOOS != "linux" {
		build.missing = "libnorm peer is for Linux"
		return
	}
	cxx, err := exec.LookPath("g++")
	if err != nil {
		build.missing = "no g++ to build the libnorm peer"
		return
	}
	probe := exec.Command(cxx, "-fsyntax-only", "-x", "c++", "-")
	probe.Stdin = strings.NewReader("#include <normApi.h>\n")
	if probe.Run() != nil {
		build.missing = "no normApi.h (package libnorm-dev) to build the libnorm peer"
		return
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "gomulticast-interop")
	parts, sum := sources()
	build.path = filepath.Join(dir, "normpeer-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(build.path); err == nil {
		return
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		build.failed = err.Error()
		return
	}
	tmp, err := os.MkdirTemp(dir, "build-*")
	if err != nil {
		build.failed = err.Error()
		return
	}
	defer os.RemoveAll(tmp)
	program := filepath.Join(tmp, "normpeer")
	args := []string{"-O2", "-o", program}
	for name, text := range parts {
		path := filepath.Join(tmp, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			build.failed = err.Error()
			return
		}
		if filepath.Ext(name) == ".cpp" {
			args = append(args, path)
		}
	}
	if out, err := exec.Command(cxx, append(args, "-lnorm", "-lpthread")...).CombinedOutput(); err != nil {
		build.failed = "building the libnorm peer: " + err.Error() + "\n" + string(out)
		return
	}
	// Other test binaries may be at it too; whoever is last wins, whole.
	if err := os.Rename(program, build.path); err != nil {
		build.failed = err.Error()
	}
}

// sources returns the files of the peer's program and what identifies them.
func sources() (parts map[string][]byte, sum []byte) {
	parts = make(map[string][]byte)
	h := sha256.New()
	names, _ := source.ReadDir(".") // of an embed.FS: it does not fail
	for _, e := range names {
		text, _ := source.ReadFile(e.Name())
		parts[e.Name()] = text
		h.Write(append([]byte(e.Name()), text...))
	}
	return parts, h.Sum(nil)
}

// A Peer is a running normpeer.
type Peer struct {
	cmd    *exec.Cmd
	lines  chan string
	stderr bytes.Buffer
	said   []string
}

// Start runs the peer with args; prefix is put in front of its path, as in
// "ip", "netns", "exec", name. It is killed when the test ends.
func Start(t testing.TB, prefix []string, args ...string) *Peer {
	t.Helper()
	argv := append(append(append([]string{}, prefix...), Build(t)), args...)
	p := &Peer{cmd: exec.Command(argv[0], argv[1:]...), lines: make(chan string, 4096)}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(p.Stop)
	return p
}

// Expect reads lines until one starts with word, and returns the rest of it. The
// test fails when the peer ends or the time is up before.
func (p *Peer) Expect(t testing.TB, word string, within time.Duration) string {
	t.Helper()
	timeout := time.After(within)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.Stop()
				t.Fatalf("normpeer ended without %s; it said %q, %s", word, p.said, p.stderr.String())
			}
			p.said = append(p.said, line)
			if first, rest, _ := strings.Cut(line, " "); first == word {
				return rest
			}
		case <-timeout:
			t.Fatalf("normpeer did not say %s within %v, only %q", word, within, p.said)
		}
	}
}

// Said returns the lines read so far.
func (p *Peer) Said() []string { return p.said }

// Stop kills the peer and waits for it. It may be called more than once.
func (p *Peer) Stop() {
	p.cmd.Process.Kill() // an error says it is gone already
	for range p.lines {
	}
	p.cmd.Wait()
}
