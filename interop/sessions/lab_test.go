//go:build linux

package sessions

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sap"
)

// patience is how long a peer may take for what it should do at once: programs start
// slowly on a busy machine.
const patience = 40 * time.Second

// TestMain has as many subtests run at the same time as do not keep each other from
// starting: they mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "6")
	code := m.Run()
	os.RemoveAll(clipDir)
	os.Exit(code)
}

// required is for what the tests need beside a lab.
func required(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("MULTICAST_LAB") == "required" {
				t.Fatalf("MULTICAST_LAB=required, but there is no %s", name)
			}
			t.Skipf("there is no %s here", name)
		}
	}
}

// newLab builds a network where groups are flooded: the peers come and go faster than
// a switch asks.
func newLab(t *testing.T) (here, there *netlab.Host) {
	t.Helper()
	l := netlab.New(t, netlab.Config{NoSnooping: true})
	return l.Sender, l.Receivers[0]
}

// A log is what a program writes.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Len()
}

// A peer is a program that runs.
type peer struct {
	log
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{}
}

// run starts a program in the namespace of a host. It ends with the test.
func run(t *testing.T, h *netlab.Host, name string, args ...string) *peer {
	t.Helper()
	p := &peer{cmd: h.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+home(t), "XDG_RUNTIME_DIR="+home(t))
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			text := p.String()
			t.Logf("%s %s:\n%s", name, strings.Join(args, " "), text[max(0, len(text)-3000):])
		}
	})
	return p
}

// interrupt asks the program to end, and makes it end when it takes too long.
func (p *peer) interrupt() {
	p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		p.kill()
	}
}

func (p *peer) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// nobody runs a program as a user without rights: VLC refuses to be root, and
// PulseAudio does not like it. setpriv is in util-linux, which every system has.
func nobody(name string, args ...string) []string {
	return append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", name}, args...)
}

// home returns a new directory that nobody may write to.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sessions-")
	if err == nil {
		err = os.Chown(dir, 65534, 65534)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func vlc(t *testing.T, h *netlab.Host, args ...string) *peer {
	t.Helper()
	return run(t, h, "setpriv", nobody("vlc", append([]string{"--no-color", "--no-media-library", "--aout=dummy", "--vout=dummy"}, args...)...)...)
}

var clipDir = filepath.Join(os.TempDir(), fmt.Sprint("sessions-clip-", os.Getpid()))

// clip returns a transport stream of a few seconds of video and audio, which every user
// may read.
var clip = sync.OnceValues(func() (string, error) {
	if err := os.Mkdir(clipDir, 0o755); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	name := filepath.Join(clipDir, "clip.ts")
	out, err := exec.CommandContext(ctx, "ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25", "-f", "lavfi", "-i", "sine",
		"-t", "5", "-c:v", "mpeg2video", "-g", "12", "-b:v", "200k", "-c:a", "mp2", "-f", "mpegts", name).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ffmpeg: %w: %s", err, out)
	}
	return name, nil
})

func theClip(t *testing.T) string {
	t.Helper()
	required(t, "ffmpeg")
	name, err := clip()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// listen starts a directory at a host, on all groups.
func listen(t *testing.T, h *netlab.Host) *sap.Directory {
	t.Helper()
	var paths []sap.Path
	if err := h.Do(func() error {
		var conns [2]*mcast.Conn
		for _, g := range sap.AllGroups() {
			c := &conns[0]
			if g.Is6() {
				c = &conns[1]
			}
			var err error
			if *c == nil {
				if *c, err = mcast.Listen(t.Context(), netip.AddrPortFrom(g, sap.Port).String(), mcast.Interface(netlab.Device), mcast.MultiGroup()); err == nil {
					paths = append(paths, sap.Path{Conn: *c})
				}
			} else {
				err = (*c).Join(group.Channel{Group: g})
			}
			if err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	d, err := sap.NewDirectory(sap.DirectoryConfig{}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// announcer starts one at a host, for some groups.
func announcer(t *testing.T, h *netlab.Host, cfg sap.AnnouncerConfig, groups ...netip.Addr) *sap.Announcer {
	t.Helper()
	var paths []sap.Path
	if err := h.Do(func() error {
		for _, g := range groups {
			c, err := mcast.Open(t.Context(), netip.AddrPortFrom(g, sap.Port).String(), mcast.Interface(netlab.Device))
			if err != nil {
				return err
			}
			paths = append(paths, sap.Path{Conn: c, Group: g, IfIndex: c.Interface().Index})
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	cfg.Sources = []netip.Addr{h.IPv4, h.IPv6}
	a, err := sap.NewAnnouncer(cfg, paths...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// eventually waits until f has no error to return.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %v: %v", patience, err)
		}
	}
}

var errNotYet = errors.New("not yet")
