package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// testGroup returns a group and port of this process's own: tests of two checkouts
// may run on one machine at a time, and all use the loopback interface.
func testGroup() string {
	pid := os.Getpid()
	return fmt.Sprintf("239.255.%d.%d:%d", pid>>8&255, pid&255, 20000+pid%20000)
}

// onLoopback returns the loopback interface, or skips the test.
func onLoopback(t *testing.T) string {
	t.Helper()
	name, err := loopback()
	if err != nil {
		t.Skip(err)
	}
	return name
}

func randomFile(t *testing.T, size int) string {
	t.Helper()
	b := make([]byte, size)
	rand.Read(b)
	path := filepath.Join(t.TempDir(), "some file.bin")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDemo(t *testing.T) {
	onLoopback(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	t.Setenv("TMPDIR", t.TempDir())
	f := demoFlags{group: testGroup(), rate: "30M", loss: 5}
	var out bytes.Buffer
	if err := f.run(ctx, []string{randomFile(t, 1_500_000)}, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if n := strings.Count(out.String(), "verified"); n != demoReceivers {
		t.Errorf("verified %d times:\n%s", n, &out)
	}
	for _, want := range []string{`(?m)^Sending .*some file\.bin \(1\.5 MB\) once to 239\.255\.`, `receiver 3 +1\.5 MB +[0-9.]+ +\d+ `, `1\.\d+ times the file, and answered \d+ NACKs`} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("no %s in:\n%s", want, &out)
		}
	}
	if left, _ := os.ReadDir(os.TempDir()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A demo that ends early leaves nothing behind either.
func TestDemoInterrupted(t *testing.T) {
	onLoopback(t)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	t.Setenv("TMPDIR", t.TempDir())
	f := demoFlags{group: testGroup(), rate: "1M", loss: 5}
	if err := f.run(ctx, []string{randomFile(t, 1_500_000)}, new(bytes.Buffer)); err == nil {
		t.Error("no error")
	}
	if left, _ := os.ReadDir(os.TempDir()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestSendAndReceive runs both commands in this process and reads their JSON.
func TestSendAndReceive(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	common := session{group: testGroup(), iface: onLoopback(t), ttl: 1, json: true}
	file, dir := randomFile(t, 400_000), t.TempDir()

	rx := recvFlags{session: common, dir: dir, count: 1, timeout: 30 * time.Second, linger: 5 * time.Second}
	rx.loss, rx.id = 5, 77
	ready := &notifyWriter{seen: make(chan struct{})}
	received := make(chan error, 1)
	go func() { received <- rx.run(ctx, &printer{out: ready, err: os.Stderr, json: true}) }()
	select {
	case <-ready.seen:
	case err := <-received:
		t.Fatal(err)
	}
	tx := sendFlags{session: common, rate: "30M", fec: "rs:32/8", wait: "77,", loopback: true, timeout: 30 * time.Second}
	var sent bytes.Buffer
	if err := tx.run(ctx, []string{file}, &printer{out: &sent, err: os.Stderr, json: true}); err != nil {
		t.Fatalf("%v\n%s", err, &sent)
	}
	if err := <-received; err != nil {
		t.Fatalf("%v\n%s", err, &ready.buf)
	}

	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "some file.bin"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	sum, _ := fileSum(file)
	lines := strings.Split(strings.TrimSpace(ready.buf.String()), "\n")
	var done doneEvent
	if len(lines) != 2 || json.Unmarshal([]byte(lines[1]), &done) != nil {
		t.Fatalf("the receiver said %q", lines)
	}
	if done.Event != "done" || done.File != "some file.bin" || done.Bytes != 400_000 || done.SHA256 != hex.EncodeToString(sum[:]) || !done.Verified || done.Seconds <= 0 || done.Goodput <= 0 {
		t.Errorf("done: %+v", done)
	}
	lines = strings.Split(strings.TrimSpace(sent.String()), "\n")
	var last sentEvent
	if json.Unmarshal([]byte(lines[len(lines)-1]), &last) != nil || last.Event != "sent" || last.Files != 1 || last.Bytes != 400_000 || last.WireBytes < 400_000 {
		t.Errorf("sent: %+v", last)
	}
}

// Nobody confirms: the file fails, and so does the command.
func TestSendToNobody(t *testing.T) {
	f := sendFlags{
		session: session{group: testGroup(), iface: onLoopback(t), ttl: 0, json: true},
		rate:    "30M", fec: "none", wait: "1", loopback: true, timeout: time.Second,
	}
	file := randomFile(t, 10_000)
	var out bytes.Buffer
	err := f.run(t.Context(), []string{file, filepath.Join(t.TempDir(), "missing")}, &printer{out: &out, err: os.Stderr, json: true})
	if status(err, false) != exitFailed {
		t.Errorf("%v", err)
	}
	var errorsSeen []errorEvent
	for line := range strings.Lines(out.String()) {
		var e errorEvent
		if json.Unmarshal([]byte(line), &e) != nil {
			t.Errorf("not JSON: %s", line)
		}
		if e.Event == "error" {
			errorsSeen = append(errorsSeen, e)
		}
	}
	if len(errorsSeen) != 2 || !strings.Contains(errorsSeen[0].Error, "no such file") || !strings.Contains(errorsSeen[1].Error, "--timeout 1s") || errorsSeen[1].File != file {
		t.Errorf("errors: %+v", errorsSeen)
	}
}

// A notifyWriter closes seen at the first write.
type notifyWriter struct {
	buf  bytes.Buffer
	seen chan struct{}
}

func (w *notifyWriter) Write(p []byte) (int, error) {
	if w.buf.Len() == 0 {
		defer close(w.seen)
	}
	return w.buf.Write(p)
}
