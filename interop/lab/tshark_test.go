//go:build linux

package lab_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
)

// capture records what passes a host's interface. The function it returns ends that
// and returns the file.
func capture(t *testing.T, h *netlab.Host) (stop func() string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "wire.pcap")
	cmd := h.Command("tcpdump", "-i", netlab.Device, "-n", "-U", "--immediate-mode", "-B", "65536", "-Z", "root", "-w", file, "udp", "port", "6003")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if st, err := os.Stat(file); err == nil && st.Size() >= 24 {
			break // its header is there, so it listens
		}
		if time.Now().After(end) {
			t.Fatal("tcpdump does not begin")
		}
	}
	return func() string {
		t.Helper()
		time.Sleep(200 * time.Millisecond)
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Fatalf("tcpdump: %v\n%s", err, &stderr)
		}
		if !strings.Contains(stderr.String(), "\n0 packets dropped by kernel") {
			t.Errorf("tcpdump missed packets: %s", &stderr)
		}
		return file
	}
}

// shark has tshark read a file, with port 6003 taken for NORM.
func shark(t *testing.T, file string, args ...string) string {
	t.Helper()
	cmd := exec.Command("tshark", append([]string{"-n", "-r", file, "-d", "udp.port==6003,norm"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, &stderr)
	}
	return string(out)
}

// TestTshark has an independent dissector read every packet of a lossy transfer.
func TestTshark(t *testing.T) {
	need(t, "tcpdump", "tshark")
	l := netlab.New(t, netlab.Config{Receivers: 2, Loss: 5, Back: 5})
	file := randomFile(t, 8*mb)
	a, b := receive(t, l.Receivers[0], "--count", "1"), receive(t, l.Receivers[1], "--count", "1")
	ready(t, a, b)
	stop := capture(t, l.Sender)
	tx := send(t, l.Sender, "--rate", "60M", "--wait", "2", file.path)
	sent(t, tx, 30*time.Second, file)
	delivered(t, a, 10*time.Second, file)
	delivered(t, b, 10*time.Second, file)
	pcap := stop()

	// 1 INFO, 2 DATA, 3 CMD, 4 NACK, 5 ACK; CMD: 1 FLUSH, 2 EOT, 4 CC.
	seen := map[string]int{}
	out := shark(t, pcap, "-T", "fields", "-E", "separator=|", "-e", "_ws.malformed", "-e", "norm.version", "-e", "norm.type", "-e", "norm.flavor", "-e", "ip.src")
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 5 || f[0] != "" || f[1] != "1" {
			t.Fatalf("tshark: %s", line)
		}
		fromSender := f[4] == l.Sender.IPv4.String()
		if answer := f[2] == "4" || f[2] == "5"; answer == fromSender {
			t.Errorf("type %s from %s", f[2], f[4])
		}
		seen["type "+f[2]]++
		if f[3] != "" {
			seen["flavor "+f[3]]++
		}
	}
	t.Log(seen)
	for _, kind := range []string{"type 1", "type 2", "type 4", "type 5", "flavor 1", "flavor 2", "flavor 4"} {
		if seen[kind] == 0 {
			t.Errorf("no message of %s in the capture", kind)
		}
	}
	if want := int(file.size) / 1400; seen["type 2"] < want {
		t.Errorf("%d DATA messages, want at least %d", seen["type 2"], want)
	}

	// tshark 4.0 reads EXT_FTI of FEC ID 5 as if it were laid out like that of 129.
	const known = "FEC Encoding ID < 128, should be zero"
	out = shark(t, pcap, "-Y", "_ws.expert || _ws.malformed", "-T", "fields", "-E", "separator=|", "-e", "frame.number", "-e", "_ws.expert.message", "-e", "_ws.malformed")
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 3 || f[1] != known || f[2] != "" {
			t.Errorf("tshark: %s", line)
		}
	}
}
