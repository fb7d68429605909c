//go:build linux

package lab_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	mc "github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/rmt/norm"
)

// midway waits until a receiver has begun to write.
func midway(t *testing.T, p *proc) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if list, _ := filepath.Glob(filepath.Join(p.dir, ".norm-*.part")); len(list) == 1 {
			if st, err := os.Stat(list[0]); err == nil && st.Size() > mb {
				return
			}
		}
	}
	t.Fatalf("%s writes nothing", p.who)
}

// keepsPartial checks that a directory holds what came of one file, to go on from, and
// nothing that could be taken for the file.
func keepsPartial(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if ext := filepath.Ext(e.Name()); !strings.HasPrefix(e.Name(), ".norm-") || ext != ".part" && ext != ".journal" || len(list) != 2 {
			t.Errorf("%s holds %v", dir, list)
			return
		}
	}
}

func TestReceiverInterrupted(t *testing.T) {
	l := netlab.New(t, netlab.Config{Receivers: 3, Loss: 5})
	file := randomFile(t, 16*mb)
	var rx []*proc
	for _, h := range l.Receivers {
		rx = append(rx, receive(t, h, "--count", "1"))
	}
	ready(t, rx...)
	tx := send(t, l.Sender, "--rate", "60M", "--wait", "2", file.path)
	midway(t, rx[0])
	rx[0].interrupt(t)
	rx[0].exit(t, 130, 5*time.Second)
	keepsPartial(t, rx[0].dir)
	if done := rx[0].all("done"); len(done) != 0 {
		t.Errorf("interrupted, but %v", done)
	}
	sent(t, tx, 30*time.Second, file)
	delivered(t, rx[1], 10*time.Second, file)
	delivered(t, rx[2], 10*time.Second, file)

	// Started again it needs only the rest.
	again := receiveInto(t, l.Receivers[0], rx[0].dir, nil, "--count", "1")
	ready(t, again)
	sent(t, send(t, l.Sender, "--rate", "60M", "--wait", "1", file.path), 30*time.Second, file)
	delivered(t, again, 10*time.Second, file)
	if e := again.all("done"); len(e) != 1 || e[0].num("resumed") < mb/2 {
		t.Errorf("resumed: %v", e)
	}
}

func TestSenderInterrupted(t *testing.T) {
	need(t, "tcpdump", "tshark")
	l := netlab.New(t, netlab.Config{Receivers: 2, Loss: 5})
	file := randomFile(t, 16*mb)
	a, b := receive(t, l.Receivers[0], "--count", "1", "--timeout", "6s"), receive(t, l.Receivers[1], "--count", "1", "--timeout", "6s")
	ready(t, a, b)
	stop := capture(t, l.Sender)
	tx := send(t, l.Sender, "--rate", "60M", "--wait", "2", file.path)
	midway(t, a)
	tx.interrupt(t)
	tx.exit(t, 130, 5*time.Second)
	for _, r := range []*proc{a, b} {
		e := r.await(t, "error", 3*time.Second)
		// By the squelch of the object, or by the goodbye behind it.
		why := e.str("error")
		if e.str("file") != file.name || !strings.Contains(why, "no longer has it") && !strings.Contains(why, "ended the session") {
			t.Errorf("%s: %v", r.who, e)
		}
		r.exit(t, 1, 10*time.Second)
		keepsPartial(t, r.dir)
	}
	// The goodbye is CMD, type 3, of flavor 2.
	if n := strings.Count(shark(t, stop(), "-Y", "norm.type == 3 && norm.flavor == 2"), "\n"); n == 0 {
		t.Error("no EOT on the wire")
	}
}

// A full disk fails the object that does not fit and no other, at no other receiver.
func TestDiskFull(t *testing.T) {
	need(t, "unshare", "mount")
	l := netlab.New(t, netlab.Config{Receivers: 2, Loss: 5})
	dir := t.TempDir()
	small, big := writeFile(t, dir, "small.bin", 100_000), randomFile(t, 8*mb)
	// The file system exists for the receiver only, and ends with it. 64 MiB of it are to
	// stay free.
	tiny := []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=70m none "$0" && exec "$@"`}
	mount := t.TempDir()
	full := receiveInto(t, l.Receivers[0], mount, append(tiny, mount), "--count", "2")
	healthy := receive(t, l.Receivers[1], "--count", "2")
	ready(t, full, healthy)
	tx := send(t, l.Sender, "--rate", "50M", big.path, small.path)
	sent(t, tx, 30*time.Second, big, small)
	delivered(t, healthy, 10*time.Second, big, small)
	full.exit(t, 1, 10*time.Second)
	if e := full.all("error"); len(e) != 1 || e[0].str("file") != big.name || !strings.Contains(e[0].str("error"), "not enough free space") {
		t.Errorf("errors: %v", e)
	}
	if e := full.all("done"); len(e) != 1 || e[0].str("file") != small.name || e[0].str("sha256") != small.sum {
		t.Errorf("done: %v", e)
	}
}

func TestDirectoryNotWritable(t *testing.T) {
	need(t, "setpriv")
	l := netlab.New(t, netlab.Config{})
	file := randomFile(t, 2*mb)
	dir, err := os.MkdirTemp(scratch, "readonly-") // t.TempDir is for root only
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	nobody := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
	r := receiveInto(t, l.Receivers[0], dir, nobody, "--count", "1", "--timeout", "4s")
	ready(t, r)
	sent(t, send(t, l.Sender, file.path), 30*time.Second, file)
	r.exit(t, 1, 10*time.Second)
	holds(t, dir)
	e := r.all("error")
	if len(e) == 0 || e[0].str("file") != file.name || !strings.Contains(e[0].str("error"), "permission denied") {
		t.Errorf("errors: %v", e)
	}
}

// No name takes a file out of the directory.
func TestMaliciousNames(t *testing.T) {
	l := netlab.New(t, netlab.Config{})
	parent := t.TempDir()
	dir, outside := filepath.Join(parent, "in"), filepath.Join(parent, "outside")
	for _, d := range []string{dir, outside, filepath.Join(dir, "sub")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"absolute": outside, "relative": "../outside", "file": filepath.Join(outside, "victim")} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	victim := source{name: "victim", path: filepath.Join(outside, "victim")}
	if err := os.WriteFile(victim.path, []byte("safe"), 0o644); err != nil {
		t.Fatal(err)
	}
	names := []string{
		"../escape", "../../escape", "sub/../../escape", "/escape", outside + "/escape", "..", ".", "/",
		`..\escape`, `sub\..\..\escape`, "absolute/escape", "relative/escape", "sub/../relative/escape",
		"new\nline", "bell\a", ".norm-AAAA.part", "sub", strings.Repeat("x", 300),
	}
	r := receiveInto(t, l.Receivers[0], dir, nil, "--count", "21", "--timeout", "30s")
	ready(t, r)
	file := writeFile(t, t.TempDir(), "good.bin", 10_000)
	// Good ones: its own name, a name that was a link, a directory to make.
	good := []string{"good.bin", "file", "new/good.bin"}
	sendAs(t, l.Sender, file, append(names, good...))
	r.exit(t, 1, 40*time.Second)
	var done []string
	for _, e := range r.all("done") {
		done = append(done, e.str("file"))
		if got := sumOf(t, filepath.Join(dir, e.str("file"))); got != file.sum {
			t.Errorf("%v holds something else", e)
		}
	}
	if !slices.Equal(done, good) {
		t.Errorf("done: %q, want %q", done, good)
	}
	if bad := r.all("error"); len(bad) != len(names) {
		t.Errorf("%d errors, want %d: %v", len(bad), len(names), bad)
	}
	holds(t, outside, victim)
	if b, err := os.ReadFile(victim.path); err != nil || string(b) != "safe" {
		t.Errorf("the file a link points to holds %q, %v", b, err)
	}
	all, err := os.ReadDir(parent)
	if err != nil || len(all) != 2 {
		t.Errorf("%s holds %v, %v", parent, all, err)
	}
	if _, err := os.Stat("/escape"); err == nil {
		t.Error("/escape exists")
	}
}

// sendAs sends a file under each of the names, from this process.
func sendAs(t *testing.T, h *netlab.Host, file source, names []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var conn *mc.Conn
	if err := h.Do(func() (err error) {
		conn, err = mc.Open(ctx, "239.255.7.7:6003", mc.Interface(netlab.Device))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s, err := norm.NewSender(conn, norm.SenderConfig{GroupSize: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, name := range names {
		tr, err := s.SendFile(ctx, file.path, norm.Name(name))
		if err == nil {
			err = tr.Wait(ctx)
		}
		if err != nil {
			t.Fatal(fmt.Errorf("%q: %w", name, err))
		}
	}
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// What only a network can show of mistakes on the command line.
func TestInterfaceMistakes(t *testing.T) {
	l := netlab.New(t, netlab.Config{})
	h := l.Receivers[0]
	for _, tt := range []struct {
		setup  string
		status int
		want   string
	}{
		{"link set d0 multicast off", 2, "ip link set d0 multicast on"},
		{"link set d0 multicast on down", 1, "ip link set d0 up"},
	} {
		if out, err := h.Command("ip", strings.Fields(tt.setup)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		r := receive(t, h, "--timeout", "1s")
		r.exit(t, tt.status, 5*time.Second)
		if !strings.Contains(r.stderr.String(), tt.want) {
			t.Errorf("%s: %s, want %q", tt.setup, &r.stderr, tt.want)
		}
	}
}
