//go:build linux

package lab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
)

const (
	mb        = 1_000_000
	groupASM4 = "239.77.1.9:6003"
)

// TestFourReceivers is the promise: a file of 128 MB to four receivers that lose 5 %
// each on their own, over both versions of IP, any-source and source-specific.
func TestFourReceivers(t *testing.T) {
	for _, tt := range []struct{ name, group, source string }{
		{"IPv4 any-source", groupASM4, ""},
		{"IPv4 source-specific", "232.77.1.9:6003", "10.77.0.1"},
		{"IPv6 any-source", "[ff15::77:9]:6003", ""},
		{"IPv6 source-specific", "[ff3e::77:9]:6003", "fd77::1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := netlab.New(t, netlab.Config{Receivers: 4, Loss: 5})
			file := randomFile(t, 128*mb)
			args := []string{"--group", tt.group, "--count", "1"}
			if tt.source != "" {
				args = append(args, "--source", tt.source)
			}
			var rx []*proc
			for _, h := range l.Receivers {
				rx = append(rx, receive(t, h, args...))
			}
			ready(t, rx...)
			tx := send(t, l.Sender, "--group", tt.group, "--rate", "250M", "--wait", "4", file.path)
			e := sent(t, tx, time.Minute, file)
			for _, r := range rx {
				delivered(t, r, 10*time.Second, file)
			}
			if e.num("nacks") == 0 || e.num("repairs") == 0 {
				t.Errorf("nothing was repaired: %v", e)
			}
			report(t, e, rx)
		})
	}
}

// report logs what a transfer took.
func report(t *testing.T, sent event, rx []*proc) {
	t.Helper()
	slowest := 0.0
	for _, r := range rx {
		for _, e := range r.all("done") {
			slowest = max(slowest, e.num("seconds"))
		}
	}
	t.Logf("%.0f MB in %.2f s; %.3f bytes on the wire for one of the file, %v NACKs, %v repairs",
		sent.num("bytes")/mb, slowest, sent.num("wire_bytes")/max(sent.num("bytes"), 1), sent["nacks"], sent["repairs"])
}

func TestHeavyLoss(t *testing.T) {
	l := netlab.New(t, netlab.Config{Loss: 20})
	file := randomFile(t, 128*mb)
	r := receive(t, l.Receivers[0], "--group", groupASM4, "--count", "1")
	ready(t, r)
	tx := send(t, l.Sender, "--group", groupASM4, "--rate", "400M", "--wait", "1", file.path)
	e := sent(t, tx, time.Minute, file)
	delivered(t, r, 10*time.Second, file)
	report(t, e, []*proc{r})
}

// TestUnderRaceDetector has the race detector watch a transfer.
func TestUnderRaceDetector(t *testing.T) {
	l := netlab.New(t, netlab.Config{Receivers: 2, Loss: 5, Back: 5})
	plain := mcast
	mcast += "-race"
	defer func() { mcast = plain }()
	if err := build(mcast, "-race"); err != nil {
		skip(t, "the race detector does not build here: %v", err)
	}
	file := randomFile(t, 8*mb)
	a, b := receive(t, l.Receivers[0], "--count", "1"), receive(t, l.Receivers[1], "--count", "1")
	ready(t, a, b)
	tx := send(t, l.Sender, "--rate", "30M", "--wait", "2", file.path)
	sent(t, tx, time.Minute, file) // a race ends it with status 66
	delivered(t, a, 20*time.Second, file)
	delivered(t, b, 20*time.Second, file)
}

func TestSeveralFiles(t *testing.T) {
	l := netlab.New(t, netlab.Config{Receivers: 2, Loss: 5})
	dir := t.TempDir()
	files := []source{
		writeFile(t, dir, "first.bin", 3*mb),
		writeFile(t, dir, "empty", 0),
		writeFile(t, dir, "a name with a space.txt", 100_001),
		writeFile(t, dir, "одна буква", 1),
		writeFile(t, dir, "last.bin", 5*mb),
	}
	args := []string{"--rate", "100M", "--wait", "2"}
	for _, f := range files {
		args = append(args, f.path)
	}
	a, b := receive(t, l.Receivers[0], "--count", "5"), receive(t, l.Receivers[1], "--count", "5")
	ready(t, a, b)
	sent(t, send(t, l.Sender, args...), 30*time.Second, files...)
	delivered(t, a, 10*time.Second, files...)
	delivered(t, b, 10*time.Second, files...)
}

// TestName sends a file under another name, in a directory.
func TestName(t *testing.T) {
	l := netlab.New(t, netlab.Config{})
	file := writeFile(t, t.TempDir(), "local.bin", 10_000)
	r := receive(t, l.Receivers[0], "--count", "1")
	ready(t, r)
	tx := send(t, l.Sender, "--name", "some/where/else.bin", file.path)
	sent(t, tx, 30*time.Second, file)
	file.name = "some/where/else.bin"
	delivered(t, r, 10*time.Second, file)
}

func TestWait(t *testing.T) {
	file := randomFile(t, 2*mb)
	t.Run("nobody", func(t *testing.T) {
		l := netlab.New(t, netlab.Config{Receivers: 2, Loss: 5})
		a, b := receive(t, l.Receivers[0], "--count", "1"), receive(t, l.Receivers[1], "--count", "1")
		ready(t, a, b)
		sent(t, send(t, l.Sender, file.path), 30*time.Second, file)
		delivered(t, a, 10*time.Second, file)
		delivered(t, b, 10*time.Second, file)
	})
	t.Run("IDs", func(t *testing.T) {
		l := netlab.New(t, netlab.Config{Receivers: 2, Loss: 5})
		a, b := receive(t, l.Receivers[0], "--count", "1", "--id", "11"), receive(t, l.Receivers[1], "--count", "1", "--id", "12")
		ready(t, a, b)
		if id := a.all("ready")[0].num("id"); id != 11 {
			t.Errorf("--id 11 gives %v", id)
		}
		sent(t, send(t, l.Sender, "--wait", "11,12", file.path), 30*time.Second, file)
		delivered(t, a, 10*time.Second, file)
		delivered(t, b, 10*time.Second, file)
	})
	for _, wait := range []string{"2", "11,13"} {
		t.Run("missing "+wait, func(t *testing.T) {
			l := netlab.New(t, netlab.Config{Loss: 5})
			a := receive(t, l.Receivers[0], "--count", "1", "--id", "11")
			ready(t, a)
			tx := send(t, l.Sender, "--wait", wait, "--timeout", "3s", file.path)
			tx.exit(t, 1, 20*time.Second)
			if e := tx.all("error"); len(e) != 1 || e[0].str("file") != file.path || e[0].str("error") == "" {
				t.Errorf("errors: %v", e)
			}
			if all := tx.all(""); all[len(all)-1].str("event") != "sent" {
				t.Errorf("the last line is %v", all[len(all)-1])
			}
			delivered(t, a, 10*time.Second, file)
		})
	}
}

// A receiver that comes when half has been sent gets it all.
func TestLateJoin(t *testing.T) {
	l := netlab.New(t, netlab.Config{Receivers: 2, Loss: 5})
	file := randomFile(t, 16*mb)
	a := receive(t, l.Receivers[0], "--count", "1")
	ready(t, a)
	tx := send(t, l.Sender, "--rate", "50M", "--wait", "2", file.path) // 2.6 s
	tx.await(t, "ready", 10*time.Second)
	time.Sleep(1200 * time.Millisecond)
	b := receive(t, l.Receivers[1], "--count", "1")
	e := sent(t, tx, time.Minute, file)
	delivered(t, a, 10*time.Second, file)
	delivered(t, b, 10*time.Second, file)
	if late := b.all("done")[0].num("seconds"); late > 20 {
		t.Errorf("the late receiver took %v s", late)
	}
	report(t, e, []*proc{a, b})
}

func TestFeedbackLoss(t *testing.T) {
	l := netlab.New(t, netlab.Config{Receivers: 3, Loss: 5, Back: 5})
	file := randomFile(t, 16*mb)
	for _, args := range [][]string{{"--group", groupASM4}, {"--group", groupASM4, "--unicast"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			var rx []*proc
			for _, h := range l.Receivers {
				rx = append(rx, receive(t, h, append(args, "--count", "1")...))
			}
			ready(t, rx...)
			tx := send(t, l.Sender, "--group", groupASM4, "--rate", "150M", "--wait", "3", file.path)
			e := sent(t, tx, time.Minute, file)
			for _, r := range rx {
				delivered(t, r, 10*time.Second, file)
			}
			report(t, e, rx)
		})
	}
}

// Two senders on two hosts share a group and a port.
func TestTwoSenders(t *testing.T) {
	l := netlab.New(t, netlab.Config{Receivers: 3, Loss: 5})
	dir := t.TempDir()
	one, two := writeFile(t, dir, "one.bin", 10*mb), writeFile(t, dir, "two.bin", 12*mb)
	a, b := receive(t, l.Receivers[0], "--count", "2"), receive(t, l.Receivers[1], "--count", "2")
	ready(t, a, b)
	x := send(t, l.Sender, "--rate", "60M", "--wait", "2", one.path)
	y := send(t, l.Receivers[2], "--rate", "60M", "--wait", "2", two.path)
	sent(t, x, time.Minute, one)
	sent(t, y, time.Minute, two)
	delivered(t, a, 10*time.Second, one, two)
	delivered(t, b, 10*time.Second, one, two)
}

// Two sessions on the same hosts share a port, and node IDs too: their groups tell them apart,
// and feedback by unicast finds its sender.
func TestTwoSessionsOnAPort(t *testing.T) {
	for name, unicast := range map[string][]string{"multicast feedback": nil, "unicast feedback": {"--unicast"}} {
		t.Run(name, func(t *testing.T) {
			l := netlab.New(t, netlab.Config{Receivers: 2, Loss: 5})
			dir := t.TempDir()
			var rx, tx []*proc
			var files []source
			groups := []string{"239.77.3.1:6003", "239.77.3.2:6003"}
			for i, g := range groups {
				files = append(files, writeFile(t, dir, fmt.Sprintf("of-%d.bin", i), 10*mb))
				for j, h := range l.Receivers {
					rx = append(rx, receive(t, h, append([]string{"--group", g, "--count", "1", "--id", fmt.Sprint(101 + j)}, unicast...)...))
				}
			}
			ready(t, rx...)
			for i, g := range groups {
				tx = append(tx, send(t, l.Sender, "--group", g, "--id", "100", "--rate", "60M", "--wait", "2", files[i].path))
			}
			for i, p := range tx {
				e := sent(t, p, time.Minute, files[i])
				if e.num("nacks") == 0 {
					t.Errorf("%s: no NACK reached it: %v", p.who, e)
				}
				delivered(t, rx[2*i], 10*time.Second, files[i])
				delivered(t, rx[2*i+1], 10*time.Second, files[i])
			}
			for _, p := range append(rx, tx...) {
				if strings.Contains(p.stderr.String(), "node ID") {
					t.Errorf("%s: %s", p.who, &p.stderr)
				}
			}
		})
	}
}

// TestAsFastAsItCan sends without a rate.
func TestAsFastAsItCan(t *testing.T) {
	l := netlab.New(t, netlab.Config{Receivers: 2})
	file := randomFile(t, 16*mb)
	a, b := receive(t, l.Receivers[0], "--count", "1"), receive(t, l.Receivers[1], "--count", "1")
	ready(t, a, b)
	e := sent(t, send(t, l.Sender, "--rate", "max", "--wait", "2", file.path), time.Minute, file)
	delivered(t, a, 10*time.Second, file)
	delivered(t, b, 10*time.Second, file)
	report(t, e, []*proc{a, b})
}

// TestReplace receives a file of a name that is there already.
func TestReplace(t *testing.T) {
	l := netlab.New(t, netlab.Config{})
	file := randomFile(t, 2*mb)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, file.name), []byte("old"), 0o400); err != nil {
		t.Fatal(err)
	}
	r := receiveInto(t, l.Receivers[0], dir, nil, "--count", "1")
	ready(t, r)
	sent(t, send(t, l.Sender, "--wait", "1", file.path), time.Minute, file)
	delivered(t, r, 10*time.Second, file)
}
