//go:build linux

package lab_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
)

const command = "github.com/gomulticast/multicast/cmd/mcast"

// required says whether nothing may be skipped.
var required = os.Getenv("MULTICAST_LAB") == "required"

// scratch holds the mcast binary and files to send, readable for every user.
var scratch, mcast string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if netlab.Missing() != nil {
		return m.Run() // every test says why it is skipped
	}
	var err error
	if scratch, err = os.MkdirTemp("", "mcast-lab-"); err == nil {
		defer os.RemoveAll(scratch)
		err = os.Chmod(scratch, 0o755)
	}
	if err == nil {
		mcast = filepath.Join(scratch, "mcast")
		err = build(mcast)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(path string, flags ...string) error {
	out, err := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), command)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("building mcast: %w\n%s", err, out)
	}
	return nil
}

// skip skips a test for want of something, or fails it where nothing may be missing.
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if required {
		t.Fatalf("MULTICAST_LAB=required, but: "+format, args...)
	}
	t.Skipf(format, args...)
}

func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			skip(t, "%s is not installed", p)
		}
	}
}

// A source is a file to send.
type source struct {
	path, name, sum string
	size            int64
}

var sources = map[int64]source{}

// randomFile returns a file of random bytes, made once for each size.
func randomFile(t *testing.T, size int64) source {
	t.Helper()
	if s, ok := sources[size]; ok {
		return s
	}
	s := writeFile(t, scratch, fmt.Sprintf("random-%d.bin", size), size)
	sources[size] = s
	return s
}

// writeFile writes random bytes; it keeps none of them in memory, which would show
// in what the kernel takes for the memory of our children.
func writeFile(t *testing.T, dir, name string, size int64) source {
	t.Helper()
	s := source{path: filepath.Join(dir, name), name: name, size: size}
	f, err := os.Create(s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(f, h), rand.Reader, size); err != nil {
		t.Fatal(err)
	}
	s.sum = hex.EncodeToString(h.Sum(nil))
	return s
}

func sumOf(t *testing.T, path string) string {
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

// An event is a line of --json.
type event map[string]any

func (e event) str(key string) string  { s, _ := e[key].(string); return s }
func (e event) num(key string) float64 { v, _ := e[key].(float64); return v }

// A proc is a running mcast.
type proc struct {
	who    string
	dir    string // of a receiver
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{}

	mu     sync.Mutex
	events []event
	broken []string // lines that are no events
	news   chan struct{}
}

// start starts mcast in a host's namespace; wrap, if any, is what runs it there.
func start(t *testing.T, h *netlab.Host, wrap []string, args ...string) *proc {
	t.Helper()
	argv := append(slices.Clone(wrap), append([]string{mcast}, args...)...)
	if args[0] == "send" || args[0] == "recv" {
		argv = append(argv, "--stats", "5s") // on standard error, for when it fails
	}
	p := &proc{who: h.Name + " " + args[0], cmd: h.Command(argv[0], argv[1:]...), ended: make(chan struct{}), news: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			p.take(s.Bytes())
		}
		p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill() // it has ended, unless the test failed
		<-p.ended
		if t.Failed() {
			t.Logf("%s: %v\nevents %v\nstderr %s", p.who, p.cmd.ProcessState, p.all(""), &p.stderr)
		}
	})
	return p
}

func (p *proc) take(line []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var e event
	if json.Unmarshal(line, &e) != nil || e.str("event") == "" {
		p.broken = append(p.broken, string(line))
		return
	}
	p.events = append(p.events, e)
	close(p.news)
	p.news = make(chan struct{})
}

// all returns the events of a kind so far, all events for the empty kind.
func (p *proc) all(kind string) (list []event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if kind == "" || e.str("event") == kind {
			list = append(list, e)
		}
	}
	return list
}

// await waits for the first event of a kind.
func (p *proc) await(t *testing.T, kind string, within time.Duration) event {
	t.Helper()
	timeout := time.After(within)
	for {
		p.mu.Lock()
		news := p.news
		p.mu.Unlock()
		if e := p.all(kind); len(e) > 0 {
			return e[0]
		}
		select {
		case <-news:
		case <-p.ended:
			if e := p.all(kind); len(e) > 0 {
				return e[0]
			}
			t.Fatalf("%s ended without %q", p.who, kind)
		case <-timeout:
			t.Fatalf("%s: no %q within %v", p.who, kind, within)
		}
	}
}

// exit waits for the end and expects a status.
func (p *proc) exit(t *testing.T, status int, within time.Duration) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(within):
		t.Fatalf("%s: still running after %v", p.who, within)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != status {
		t.Errorf("%s: exit status %d, want %d", p.who, got, status)
	}
	for _, line := range p.broken {
		t.Errorf("%s: line on standard output is no event: %s", p.who, line)
	}
}

func (p *proc) interrupt(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

// receive starts a receiver into a new directory.
func receive(t *testing.T, h *netlab.Host, args ...string) *proc {
	t.Helper()
	return receiveInto(t, h, t.TempDir(), nil, args...)
}

func receiveInto(t *testing.T, h *netlab.Host, dir string, wrap []string, args ...string) *proc {
	t.Helper()
	p := start(t, h, wrap, append([]string{"recv", "--json", "--iface", netlab.Device, "--dir", dir}, args...)...)
	p.dir = dir
	return p
}

// ready waits until all have joined, and the bridge knows of it.
func ready(t *testing.T, ps ...*proc) {
	t.Helper()
	for _, p := range ps {
		e := p.await(t, "ready", 10*time.Second)
		if e.str("iface") != netlab.Device || e.num("id") < 1 || e.str("group") == "" {
			t.Errorf("%s: %v", p.who, e)
		}
	}
	time.Sleep(200 * time.Millisecond)
}

func send(t *testing.T, h *netlab.Host, args ...string) *proc {
	t.Helper()
	return start(t, h, nil, append([]string{"send", "--json", "--iface", netlab.Device, "--loopback=false", "--group-size", "10"}, args...)...)
}

// delivered waits until a receiver of --count has ended, and checks that it has
// reported and stored exactly these files.
func delivered(t *testing.T, p *proc, within time.Duration, want ...source) {
	t.Helper()
	p.exit(t, 0, within)
	done := p.all("done")
	if len(done) != len(want) || len(p.all("error")) != 0 {
		t.Errorf("%s: %d files done, want %d; errors %v", p.who, len(done), len(want), p.all("error"))
	}
	for _, w := range want {
		i := slices.IndexFunc(done, func(e event) bool { return e.str("file") == w.name })
		if i < 0 {
			t.Errorf("%s: %q was not reported", p.who, w.name)
			continue
		}
		e := done[i]
		if e.num("bytes") != float64(w.size) || e.str("sha256") != w.sum || e["verified"] != true {
			t.Errorf("%s: reported %v, want %+v", p.who, e, w)
		}
		seconds, now := e.num("seconds"), netlab.Monotonic()
		if seconds <= 0 || math.Abs(e.num("goodput_bps")*seconds-float64(w.size)*8) > 1+float64(w.size)*8/1e6 {
			t.Errorf("%s: %v bit/s in %v s do not make %d bytes", p.who, e.num("goodput_bps"), seconds, w.size)
		}
		if mono := e.num("mono"); mono > now || mono < now-300 {
			t.Errorf("%s: done at %v, and now it is %v", p.who, mono, now)
		}
		if got := sumOf(t, filepath.Join(p.dir, w.name)); got != w.sum {
			t.Errorf("%s: %s on disk has SHA-256 %s, want %s", p.who, w.name, got, w.sum)
		}
	}
	holds(t, p.dir, want...)
}

// holds checks that a directory has these files and nothing else.
func holds(t *testing.T, dir string, want ...source) {
	t.Helper()
	var got, names []string
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	for _, w := range want {
		names = append(names, w.name)
	}
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("%s holds %q, want %q", dir, got, names)
	}
}

// sent waits until a sender has ended and checks its last line.
func sent(t *testing.T, p *proc, within time.Duration, want ...source) event {
	t.Helper()
	p.exit(t, 0, within)
	all := p.all("")
	if len(all) != 2 || all[0].str("event") != "ready" || all[1].str("event") != "sent" {
		t.Fatalf("%s: said %v, want ready and sent", p.who, all)
	}
	e, size := all[1], int64(0)
	for _, w := range want {
		size += w.size
	}
	if e.num("files") != float64(len(want)) || e.num("bytes") != float64(size) || e.num("wire_bytes") < float64(size) || e.num("seconds") <= 0 {
		t.Errorf("%s: %v, want %d files of %d bytes", p.who, e, len(want), size)
	}
	for _, key := range []string{"nacks", "repairs"} {
		if _, ok := e[key].(float64); !ok {
			t.Errorf("%s: no number %q in %v", p.who, key, e)
		}
	}
	return e
}
