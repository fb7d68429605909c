//go:build linux

package flute_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
)

const mb = 1_000_000

// labRequired says whether nothing may be skipped.
var labRequired = os.Getenv("MULTICAST_LAB") == "required"

// needLab skips a test where there can be no lab, or some program is not there.
func needLab(t *testing.T, programs ...string) {
	t.Helper()
	err := netlab.Missing()
	for _, p := range programs {
		if _, bad := exec.LookPath(p); err == nil {
			err = bad
		}
	}
	if err != nil && labRequired {
		t.Fatalf("MULTICAST_LAB=required, but: %v", err)
	}
	if err != nil {
		t.Skip(err)
	}
}

var binary struct {
	once sync.Once
	path string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binary.path != "" {
		os.RemoveAll(filepath.Dir(binary.path))
	}
	os.Exit(code)
}

// mcastBinary builds mcast once for all tests.
func mcastBinary(t *testing.T) string {
	t.Helper()
	binary.once.Do(func() {
		var dir string
		if dir, binary.err = os.MkdirTemp("", "mcast-flute-"); binary.err != nil {
			return
		}
		os.Chmod(dir, 0o755)
		binary.path = filepath.Join(dir, "mcast")
		out, err := exec.Command("go", "build", "-o", binary.path, "github.com/gomulticast/multicast/cmd/mcast").CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("building mcast: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

// randomFile writes random bytes and returns the path and SHA-256.
func randomFile(t *testing.T, size int64) (path, sum string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file.bin")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(f, h), rand.Reader, size); err != nil {
		t.Fatal(err)
	}
	return path, hex.EncodeToString(h.Sum(nil))
}

func fileSum(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Error(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// A child is mcast running on a host.
type child struct {
	who    string
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{}
	events chan map[string]any
	begun  time.Time
}

func startMcast(t *testing.T, h *netlab.Host, args ...string) *child {
	t.Helper()
	args = append(args, "--protocol", "flute", "--json", "--iface", netlab.Device)
	c := &child{who: h.Name, cmd: h.Command(mcastBinary(t), args...), ended: make(chan struct{}), events: make(chan map[string]any, 100), begun: time.Now()}
	c.cmd.Stderr = &c.stderr
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			var e map[string]any
			if json.Unmarshal(s.Bytes(), &e) == nil && len(c.events) < cap(c.events) {
				c.events <- e
			}
		}
		close(c.events)
		c.cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		c.cmd.Process.Kill() // it has ended, unless the test failed
		<-c.ended
		if t.Failed() {
			t.Logf("%s: %v %s", c.who, c.cmd.ProcessState, &c.stderr)
		}
	})
	return c
}

// await returns the next event, which is to be of a kind.
func (c *child) await(t *testing.T, kind string, within time.Duration) map[string]any {
	t.Helper()
	select {
	case e, ok := <-c.events:
		if !ok || e["event"] != kind {
			t.Fatalf("%s said %v, want %s; %s", c.who, e, kind, &c.stderr)
		}
		return e
	case <-time.After(within):
		t.Fatalf("%s: no %s within %v; %s", c.who, kind, within, &c.stderr)
	}
	return nil
}

func (c *child) interrupt(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	select {
	case <-c.ended:
	case <-time.After(20 * time.Second):
		t.Errorf("%s does not end", c.who)
	}
}

// capture records what passes a host's interface. The function it returns ends that and
// returns the file.
func capture(t *testing.T, h *netlab.Host, args ...string) (stop func() string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "wire.pcap")
	argv := append([]string{"-i", netlab.Device, "-n", "-U", "--immediate-mode", "-B", "65536", "-Z", "root", "-w", file}, args...)
	cmd := h.Command("tcpdump", argv...)
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
		return file
	}
}

// TestCarousel has four receivers with 5, 10, 20 and 30 % loss, and one that comes late,
// receive a file from a carousel. Nothing goes back.
func TestCarousel(t *testing.T) {
	needLab(t, "tcpdump")
	for _, code := range []string{"raptorq:overhead=10%", "rs:overhead=10%"} {
		t.Run(code, func(t *testing.T) {
			l := netlab.New(t, netlab.Config{Receivers: 5})
			losses := []float64{5, 10, 20, 30, 10}
			for i, h := range l.Receivers {
				if err := h.Lose(losses[i]); err != nil {
					t.Fatal(err)
				}
			}
			file, sum := randomFile(t, 64*mb)
			var stops []func() string
			for _, h := range l.Receivers {
				stops = append(stops, capture(t, h, "-Q", "out", "udp"))
			}
			dirs := make([]string, len(l.Receivers))
			receive := func(i int) *child {
				dirs[i] = t.TempDir()
				return startMcast(t, l.Receivers[i], "recv", "--dir", dirs[i], "--count", "1")
			}
			rx := make([]*child, len(l.Receivers))
			for i := range 4 {
				rx[i] = receive(i)
			}
			for i := range 4 {
				rx[i].await(t, "ready", 10*time.Second)
			}
			time.Sleep(200 * time.Millisecond) // for the bridge to learn of all
			begin := time.Now()
			tx := startMcast(t, l.Sender, "send", "--fec", code, "--rate", "150M", "--carousel", "--loopback=false", file)
			tx.await(t, "ready", 10*time.Second)
			time.Sleep(2 * time.Second) // half of the first pass is over
			rx[4] = receive(4)
			rx[4].await(t, "ready", 10*time.Second)
			for i, c := range rx {
				e := c.await(t, "done", 90*time.Second)
				t.Logf("%g %% loss: %.2f s after the sender began, %.2f s after its first packet", losses[i], time.Since(begin).Seconds(), e["seconds"])
				if e["sha256"] != sum || e["verified"] != true || e["bytes"] != float64(64*mb) {
					t.Errorf("%s: %v", c.who, e)
				}
				if got := fileSum(t, filepath.Join(dirs[i], "file.bin")); got != sum {
					t.Errorf("%s: SHA-256 on disk %s, want %s", c.who, got, sum)
				}
			}
			tx.interrupt(t)
			for i, stop := range stops {
				out, err := exec.Command("tcpdump", "-n", "-r", stop()).Output()
				if err != nil {
					t.Fatal(err)
				}
				if len(out) > 0 {
					t.Errorf("receiver %d sent UDP:\n%.500s", i+1, out)
				}
				c, err := l.Receivers[i].Counters()
				if err != nil {
					t.Fatal(err)
				}
				// Joining and leaving takes a few messages of IGMP.
				if c.TxPackets > 40 {
					t.Errorf("receiver %d sent %d packets", i+1, c.TxPackets)
				}
			}
		})
	}
}

// TestTsharkLive has an independent dissector read every packet of a live session.
func TestTsharkLive(t *testing.T) {
	needLab(t, "tcpdump", "tshark")
	for _, code := range []string{"none", "rs:overhead=20%", "raptorq:overhead=10%"} {
		t.Run(code, func(t *testing.T) {
			l := netlab.New(t, netlab.Config{})
			file, sum := randomFile(t, 2*mb)
			dir := t.TempDir()
			rx := startMcast(t, l.Receivers[0], "recv", "--dir", dir, "--count", "1")
			rx.await(t, "ready", 10*time.Second)
			time.Sleep(200 * time.Millisecond)
			stop := capture(t, l.Receivers[0], "udp", "port", "6003")
			tx := startMcast(t, l.Sender, "send", "--fec", code, "--rate", "20M", "--tsi", "4711", "--loopback=false", file)
			tx.await(t, "ready", 10*time.Second)
			if e := rx.await(t, "done", 30*time.Second); e["sha256"] != sum {
				t.Errorf("%v", e)
			}
			<-tx.ended
			cmd := exec.Command("tshark", "-n", "-r", stop(), "-d", "udp.port==6003,alc", "-T", "fields", "-E", "separator=|",
				"-e", "rmt-lct.version", "-e", "rmt-lct.tsi", "-e", "rmt-lct.toi", "-e", "rmt-lct.codepoint",
				"-e", "rmt-lct.flags.close_session", "-e", "rmt-lct.flags.close_object", "-e", "_ws.malformed")
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			kinds := map[string]int{}
			closed := 0
			for line := range strings.Lines(string(out)) {
				f := strings.Split(strings.TrimSpace(line), "|")
				if len(f) != 7 || f[0] != "1" || f[1] != "4711" || f[6] != "" {
					t.Fatalf("tshark: %q", line)
				}
				switch {
				case f[4] == "1" || f[4] == "True":
					kinds["close session"]++
				case f[2] == "0":
					kinds["FDT"]++
				default:
					kinds["object by "+f[3]]++
					if f[5] == "1" || f[5] == "True" {
						closed++
					}
				}
			}
			t.Log(kinds)
			if kinds["FDT"] < 2 || kinds["close session"] != 3 || closed != 1 || len(kinds) != 3 {
				t.Errorf("%v, %d packets close the object", kinds, closed)
			}
		})
	}
}
