//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/mcast"
)

// patience is how long etcd and the servers may take to start on a busy machine.
const patience = 60 * time.Second

func TestMistakes(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"", "-iface"},
		{"-iface lo", "-pool"},
		{"-iface lo -pool 10.0.0.0/8", "multicast"},
		{"-iface lo -pool 239.192.0.0/24", "give its scope"},
		{"-iface lo -pool 239.255.7.0/24 -scope x", "-scope"},
		{"-iface lo -pool 239.255.7.0/24 -prefix leases", "end with /"},
		{"-iface lo -pool 239.255.7.0/24 -etcd https://127.0.0.1:1 -cacert /nowhere", "/nowhere"},
		{"-what", "-what"},
	} {
		if err := run(t.Context(), strings.Fields(tt.args), io.Discard); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.args, err, tt.want)
		}
	}
}

// Two servers in a network lease from one pool until it is empty, no address twice; when
// one is killed the other renews what it had leased, and gives out no more.
func TestServers(t *testing.T) {
	if _, err := exec.LookPath("etcd"); err != nil {
		if os.Getenv("MULTICAST_LAB") == "required" {
			t.Fatal("MULTICAST_LAB=required, but there is no etcd (Debian package etcd-server)")
		}
		t.Skip("there is no etcd here (Debian package etcd-server)")
	}
	lab := netlab.New(t, netlab.Config{Receivers: 2, NoSnooping: true})
	program := filepath.Join(t.TempDir(), "madcap-etcd")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	url := "http://" + netip.AddrPortFrom(lab.Sender.IPv4, 2379).String()
	start(t, lab.Sender, "etcd", "--data-dir", t.TempDir(), "--listen-client-urls", url, "--advertise-client-urls", url,
		"--listen-peer-urls", "http://"+netip.AddrPortFrom(lab.Sender.IPv4, 2380).String(), "--logger", "zap")
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := lab.Sender.Do(func() error {
			c, err := net.DialTimeout("tcp", strings.TrimPrefix(url, "http://"), time.Second)
			if err == nil {
				c.Close()
			}
			return err
		})
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	args := []string{"-iface", netlab.Device, "-pool", "239.255.7.0/26", "-etcd", url, "-extra", "0s"}
	one, two := start(t, lab.Sender, program, args...), start(t, lab.Receivers[0], program, args...)
	one.await(t, "ready")
	two.await(t, "ready")

	var conn *mcast.Conn
	if err := lab.Receivers[1].Do(func() (err error) {
		conn, err = mcast.Dial(t.Context(), "239.255.255.254:2535", mcast.Interface(netlab.Device), mcast.Unicast(), mcast.TTL(16))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	c, err := madcap.RunClient(conn, madcap.ClientConfig{Retransmit: 500 * time.Millisecond, MaxRetransmit: time.Second, Retries: 60, NoResponse: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	hosts := [2]netip.AddrPort{netip.AddrPortFrom(lab.Sender.IPv4, madcap.Port), netip.AddrPortFrom(lab.Receivers[0].IPv4, madcap.Port)}
	var mu sync.Mutex
	var wg sync.WaitGroup
	leases := map[netip.Addr]madcap.ClientLease{}
	for i := range 64 {
		wg.Go(func() {
			l, err := c.Allocate(ctx, madcap.Request{Lifetime: time.Hour, Server: hosts[i%2]})
			if err != nil {
				t.Errorf("lease %d: %v", i, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			a := l.Ranges[0].First
			if other, there := leases[a]; there {
				t.Errorf("%v is leased twice, by %v and %v", a, other.At, l.At)
			}
			leases[a] = l
		})
	}
	wg.Wait()
	if len(leases) != 64 {
		t.Fatalf("%d leases", len(leases))
	}
	if l, err := c.Allocate(ctx, madcap.Request{Server: hosts[1]}); err == nil {
		t.Errorf("the 65th of 64 is %v", l.Ranges)
	}
	one.cmd.Process.Kill()
	<-one.done
	// The client's host may renew its leases at the other server as a new client does.
	n := 0
	for _, l := range c.Leases() {
		if l.At != hosts[0] || n == 5 {
			continue
		}
		n++
		moved := l
		moved.At = hosts[1]
		if other := adopt(t, lab.Receivers[1], moved); other.err != nil || !other.end.After(l.End) {
			t.Errorf("%v: until %v, %v", l.ID, other.end, other.err)
		}
	}
	if n != 5 {
		t.Errorf("%d leases of the dead server", n)
	}
}

type adopted struct {
	end time.Time
	err error
}

// adopt renews a lease as the same host's next program.
func adopt(t *testing.T, h *netlab.Host, l madcap.ClientLease) (a adopted) {
	t.Helper()
	var conn *mcast.Conn
	if a.err = h.Do(func() (err error) {
		conn, err = mcast.Dial(t.Context(), "239.255.255.254:2535", mcast.Interface(netlab.Device), mcast.Unicast())
		return err
	}); a.err != nil {
		return a
	}
	c, err := madcap.RunClient(conn, madcap.ClientConfig{})
	if err != nil {
		conn.Close()
		return adopted{err: err}
	}
	defer c.Close()
	if a.err = c.Adopt(l); a.err != nil {
		return a
	}
	renewed, err := c.Renew(t.Context(), l.ID, madcap.Renewal{Lifetime: 2 * time.Hour})
	return adopted{renewed.End, err}
}

// A process runs on a host until the test ends.
type process struct {
	cmd   *exec.Cmd
	errs  bytes.Buffer
	lines chan string
	done  chan struct{}
}

func start(t *testing.T, h *netlab.Host, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: h.Command(name, args...), lines: make(chan string, 1000), done: make(chan struct{})}
	p.cmd.Stderr = &p.errs
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		for in := bufio.NewScanner(out); in.Scan(); {
			var e struct{ Event string }
			if json.Unmarshal(in.Bytes(), &e) == nil {
				select {
				case p.lines <- e.Event:
				default: // nobody asks
				}
			}
		}
		_ = p.cmd.Wait() // killed, as a rule
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

// await waits for an event.
func (p *process) await(t *testing.T, event string) {
	t.Helper()
	for end := time.After(patience); ; {
		select {
		case got := <-p.lines:
			if got == event {
				return
			}
		case <-p.done:
			t.Fatalf("it ended: %s", &p.errs)
		case <-end:
			t.Fatalf("no event %s", event)
		}
	}
}
