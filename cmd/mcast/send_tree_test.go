package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/mcasttest"
	"github.com/gomulticast/multicast/rmt/norm"
)

// lines returns the events in JSON that were printed, by kind.
func lines(t *testing.T, b []byte) map[string][]map[string]any {
	t.Helper()
	events := make(map[string][]map[string]any)
	for line := range bytes.Lines(b) {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("not JSON: %s", line)
		}
		kind, _ := e["event"].(string)
		events[kind] = append(events[kind], e)
	}
	return events
}

// begin runs recv until it is ready, and returns what it says in the end.
func begin(ctx context.Context, t *testing.T, rx *recvFlags, out *notifyWriter) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- rx.run(ctx, &printer{out: out, err: out, json: true}) }()
	select {
	case <-out.seen:
	case err := <-done:
		t.Fatal(err)
	}
	return done
}

// A directory with more in it than the receiver takes is told with the flag that allows it.
func TestReceiveLargeDirectory(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	common := session{group: testGroup(), iface: onLoopback(t), ttl: 1, json: true}
	src := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(src, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rx := recvFlags{session: common, dir: t.TempDir(), timeout: 20 * time.Second, linger: time.Second, count: 3, entries: 2}
	out := &notifyWriter{seen: make(chan struct{})}
	received := begin(ctx, t, &rx, out)
	tx := sendFlags{session: common, rate: "30M", fec: "rs:32/8", loopback: true, timeout: 30 * time.Second}
	if err := tx.run(ctx, []string{src}, &printer{out: new(bytes.Buffer), err: os.Stderr, json: true}); err != nil {
		t.Fatal(err)
	}
	if err := <-received; status(err, false) != exitFailed {
		t.Errorf("%v", err)
	}
	heard := lines(t, out.buf.Bytes())
	if e := heard["error"]; len(heard["done"]) != 2 || len(e) != 1 || !strings.Contains(e[0]["error"].(string), "3 files and directories, and --max-entries is 2") {
		t.Errorf("the receiver said %s", &out.buf)
	}
}

func TestSendDirectory(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	common := session{group: testGroup(), iface: onLoopback(t), ttl: 1, json: true}
	src, dir := filepath.Join(t.TempDir(), "www"), t.TempDir()
	for name, n := range map[string]int{"index.html": 100, "img/a.png": 200_000, "img/b.png": 0} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(src, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(src, name), bytes.Repeat([]byte("x"), n), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(src, "link")); err != nil {
		t.Fatal(err)
	}
	for round, already := range []int{0, 3} {
		rx := recvFlags{session: common, dir: dir, timeout: 20 * time.Second, linger: time.Second, resume: true, onExist: "replace"}
		out := &notifyWriter{seen: make(chan struct{})}
		stopped, stop := context.WithCancel(ctx)
		received := begin(stopped, t, &rx, out)
		tx := sendFlags{session: common, rate: "30M", fec: "rs:32/8", wait: "1", loopback: true, timeout: 30 * time.Second, sync: true, drop: 10 * time.Second}
		var sent bytes.Buffer
		if err := tx.run(ctx, []string{src}, &printer{out: &sent, err: os.Stderr, json: true}); err != nil {
			t.Fatalf("%v\n%s", err, &sent)
		}
		stop()
		<-received
		said := lines(t, sent.Bytes())
		if len(said["skipped"]) != 1 || said["skipped"][0]["file"] != "www/link" || said["sent"][0]["files"] != 3.0 {
			t.Errorf("the sender said %s", &sent)
		}
		heard := lines(t, out.buf.Bytes())
		if len(heard["done"]) != 3 || len(heard["set"]) != 1 || heard["set"][0]["files"] != 3.0 || heard["set"][0]["missing"] != nil {
			t.Errorf("the receiver said %s", &out.buf)
		}
		skipped := 0
		for _, e := range heard["done"] {
			if e["skipped"] == true {
				skipped++
			}
		}
		if skipped != already {
			t.Errorf("round %d: %d were here already, want %d", round, skipped, already)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "www", "img", "a.png")); err != nil || len(b) != 200_000 {
		t.Error(len(b), err)
	}
}

// A file that fails counts: recv --count does not wait for another.
func TestCountOfFailures(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	common := session{group: testGroup(), iface: onLoopback(t), ttl: 1, json: true}
	dir, file := t.TempDir(), randomFile(t, 100)
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	rx := recvFlags{session: common, dir: dir, count: 1, timeout: 50 * time.Second, onExist: "keep"}
	out := &notifyWriter{seen: make(chan struct{})}
	received := begin(ctx, t, &rx, out)
	tx := sendFlags{session: common, rate: "30M", fec: "none", loopback: true, timeout: 30 * time.Second}
	if err := tx.run(ctx, []string{file}, &printer{out: new(bytes.Buffer), err: os.Stderr, json: true}); err != nil {
		t.Fatal(err)
	}
	if err := <-received; status(err, false) != exitFailed || !strings.Contains(out.buf.String(), "file exists") || strings.Contains(out.buf.String(), "--timeout") {
		t.Errorf("%v: %s", err, &out.buf)
	}
}

// A pipe: what goes in at one end comes out at the other.
func TestStreamPipe(t *testing.T) {
	network := mcasttest.New(1)
	open := func() *mcasttest.Conn {
		c, err := network.Open("239.1.2.3:6003", mcasttest.In(mcasttest.Link{Loss: 0.02}))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	s, err := norm.NewSender(open(), norm.SenderConfig{Rate: 200_000_000})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rx := recvFlags{stream: true, linger: 5 * time.Second, timeout: time.Minute}
	cfg, err := rx.config()
	if err != nil {
		t.Fatal(err)
	}
	r, err := norm.NewReceiver(open(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := bytes.Repeat([]byte("all that is said "), 100_000)
	var got, events bytes.Buffer
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := rx.receiveStream(t.Context(), r, &got, &printer{out: &events, err: os.Stderr, json: true}); err != nil {
			t.Error(err)
		}
	})
	tx := sendFlags{wait: "1", timeout: time.Minute}
	var sent bytes.Buffer
	if err := tx.sendStream(t.Context(), s, bytes.NewReader(want), func() error { return nil }, &printer{out: &sent, err: os.Stderr, json: true}); err != nil {
		t.Errorf("%v: %s", err, &sent)
	}
	wg.Wait()
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes of %d", got.Len(), len(want))
	}
	if e := lines(t, events.Bytes())["stream"]; len(e) != 1 || e[0]["bytes"] != float64(len(want)) {
		t.Errorf("%s", &events)
	}
}

// --fair hands the rate to TFMCC, with --rate as its ceiling; max is no ceiling.
func TestFair(t *testing.T) {
	for rate, most := range map[string]int64{"20M": 20_000_000, "max": 0} {
		f := sendFlags{rate: rate, fec: "rs:64/16", fair: true}
		cfg, err := f.config()
		if err != nil || cfg.CC != norm.CCTFMCC || cfg.Rate != 0 || cfg.MaxRate != most {
			t.Errorf("%s: %v %+v", rate, err, cfg)
		}
	}
}
