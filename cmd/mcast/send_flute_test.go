package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/rmt/fec"
)

// TestFluteSendAndReceive runs both commands in this process, a carousel of a directory
// and a receiver that learns of it from SDP, and reads their JSON.
func TestFluteSendAndReceive(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	common := session{group: testGroup(), iface: onLoopback(t), ttl: 1, json: true}
	src, dir := t.TempDir(), t.TempDir()
	tree := filepath.Join(src, "some maps")
	os.MkdirAll(filepath.Join(tree, "north"), 0o755)
	file := randomFile(t, 400_000)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a b.bin", "north/c.bin"} {
		if err := os.WriteFile(filepath.Join(tree, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	description := filepath.Join(src, "files.sdp")
	tx := sendFlags{session: common, rate: "30M", fec: "raptorq:overhead=5%", loopback: true}
	tx.flute = fluteSendFlags{passes: 1, carousel: true, sdp: description}
	sending, stop := context.WithCancel(ctx)
	ready := &notifyWriter{seen: make(chan struct{})}
	sent := make(chan error, 1)
	go func() {
		sent <- tx.runFlute(sending, []string{tree}, &printer{out: ready, err: os.Stderr, json: true})
	}()
	select {
	case <-ready.seen:
	case err := <-sent:
		t.Fatal(err)
	}

	rx := recvFlags{session: session{iface: common.iface, ttl: 1, json: true}, dir: dir, count: 2, timeout: 30 * time.Second, sdp: description}
	rx.loss = 10
	var received bytes.Buffer
	if err := rx.runFlute(ctx, &printer{out: &received, err: os.Stderr, json: true}); err != nil {
		t.Fatalf("%v\n%s", err, &received)
	}
	stop()
	if err := <-sent; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatalf("%v\n%s", err, &ready.buf)
	}
	sum, _ := fileSum(file)
	lines := strings.Split(strings.TrimSpace(received.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("the receiver said %q", lines)
	}
	for _, line := range lines[1:] {
		var done doneEvent
		if json.Unmarshal([]byte(line), &done) != nil || done.Event != "done" || done.Bytes != 400_000 || done.SHA256 != hex.EncodeToString(sum[:]) || !done.Verified {
			t.Errorf("done: %s", line)
		}
	}
	for _, name := range []string{"some maps/a b.bin", "some maps/north/c.bin"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	lines = strings.Split(strings.TrimSpace(ready.buf.String()), "\n")
	var last fluteSentEvent
	if json.Unmarshal([]byte(lines[len(lines)-1]), &last) != nil || last.Event != "sent" || last.Files != 2 || last.Repairs == 0 {
		t.Errorf("sent: %+v", last)
	}
}

func TestParseFluteFEC(t *testing.T) {
	for _, tt := range []struct {
		in       string
		id       fec.EncodingID
		overhead float64
	}{
		{"raptorq", fec.RaptorQ, 0.1}, {"raptorq:overhead=5%", fec.RaptorQ, 0.05}, {"rs:overhead=25", fec.ReedSolomonGF8, 0.25},
		{"raptor", fec.Raptor, 0.1}, {"ldpc:overhead=0.5%", fec.LDPCStaircase, 0.005}, {"rs:overhead=0", fec.ReedSolomonGF8, -1},
	} {
		if f, err := parseFluteFEC(tt.in); err != nil || f.Encoding != tt.id || f.Overhead != tt.overhead {
			t.Errorf("%s: %+v, %v", tt.in, f, err)
		}
	}
	if f, err := parseFluteFEC("none"); err != nil || !f.NoCode {
		t.Errorf("%+v, %v", f, err)
	}
	for _, bad := range []string{"", "rs:64/16", "raptorq:", "raptorq:overhead=", "raptorq:overhead=-1%", "raptorq:overhead=NaN", "xor"} {
		if _, err := parseFluteFEC(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// What is of one protocol is refused with the other.
func TestFluteFlags(t *testing.T) {
	for _, f := range []sendFlags{
		{rate: "1M", fec: "raptorq", wait: "2", flute: fluteSendFlags{passes: 1}},
		{rate: "1M", fec: "raptorq", flute: fluteSendFlags{passes: 0}},
		{rate: "1M", fec: "rs:64/16", flute: fluteSendFlags{passes: 1}},
		{rate: "1M", fec: "raptorq", segment: 5, flute: fluteSendFlags{passes: 1}},
	} {
		f.session = session{group: testGroup(), ttl: 1}
		var usage usageError
		if err := f.runFlute(t.Context(), nil, &printer{out: os.Stdout, err: os.Stderr}); !errors.As(err, &usage) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
