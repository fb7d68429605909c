package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"time"
)

// Commands are sent alone and beside a file, and told once, for people without what a
// terminal would act upon.
func TestCommands(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	common := session{group: testGroup(), iface: onLoopback(t), ttl: 1, json: true}
	rx := recvFlags{session: common, dir: t.TempDir(), timeout: 30 * time.Second, linger: 5 * time.Second, count: 1}
	machine := &notifyWriter{seen: make(chan struct{})}
	received := begin(ctx, t, &rx, machine)
	people := &notifyWriter{seen: make(chan struct{})}
	also := rx
	also.dir, also.json = t.TempDir(), false
	seen := make(chan error, 1)
	go func() { seen <- also.run(ctx, &printer{out: people, err: os.Stderr}) }()
	select {
	case <-people.seen:
	case err := <-seen:
		t.Fatal(err)
	}

	send := func(command string, files ...string) {
		t.Helper()
		tx := sendFlags{session: common, rate: "30M", fec: "rs:32/8", loopback: true, timeout: 30 * time.Second, command: command}
		tx.id = 7
		if len(files) > 0 {
			tx.wait = "2"
		}
		var sent bytes.Buffer
		if err := tx.run(ctx, files, &printer{out: &sent, err: os.Stderr, json: true}); err != nil {
			t.Fatalf("%v\n%s", err, &sent)
		}
		if e := lines(t, sent.Bytes())["sent"]; len(e) != 1 || e[0]["files"] != float64(len(files)) || e[0]["wire_bytes"] == 0.0 {
			t.Errorf("sent %s", &sent)
		}
	}
	send("clear\x1b[2J")
	send("\xff\x00")
	send("reload", randomFile(t, 100_000))
	for _, ch := range []<-chan error{received, seen} {
		if err := <-ch; err != nil {
			t.Error(err)
		}
	}
	got := lines(t, machine.buf.Bytes())
	if c := got["command"]; len(c) != 3 || len(got["done"]) != 1 || c[0]["text"] != "clear\x1b[2J" || c[0]["sender"] != 7.0 || c[2]["text"] != "reload" ||
		c[1]["text"] != "" || c[1]["data"] != base64.StdEncoding.EncodeToString([]byte("\xff\x00")) || c[0]["addr"] == "" {
		t.Errorf("told %s", &machine.buf)
	}
	text := people.buf.String()
	if strings.Contains(text, "\x1b") || strings.Count(text, "command from ") != 3 || !strings.Contains(text, `(node 7): "clear\x1b[2J"`) {
		t.Errorf("told %q", text)
	}
}

// A command that is not sent to its end fails the command line.
func TestCommandCutOff(t *testing.T) {
	f := sendFlags{
		session: session{group: testGroup(), iface: onLoopback(t), ttl: 0, json: true},
		rate:    "30M", fec: "none", loopback: true, timeout: 30 * time.Millisecond, command: "x",
	}
	var out bytes.Buffer
	err := f.run(t.Context(), nil, &printer{out: &out, err: os.Stderr, json: true})
	if e := lines(t, out.Bytes())["error"]; status(err, false) != exitFailed || len(e) != 1 || !strings.Contains(e[0]["error"].(string), "--timeout 30ms") {
		t.Errorf("%v: %s", err, &out)
	}
}
