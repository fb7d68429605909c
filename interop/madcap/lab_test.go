//go:build linux

package madcap

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/madcap/boltstore"
	"github.com/gomulticast/multicast/mcast"
)

const command = "github.com/gomulticast/multicast/cmd/mcast"

// program is the mcast binary.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if netlab.Missing() != nil {
		return m.Run() // every test says why it is skipped
	}
	dir, err := os.MkdirTemp("", "mcast-madcap-")
	if err == nil {
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "mcast")
		var out []byte
		if out, err = exec.Command("go", "build", "-o", program, command).CombinedOutput(); err != nil {
			err = fmt.Errorf("building mcast: %w\n%s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

var (
	scope = netip.MustParseAddr("239.192.0.0")
	group = netip.MustParseAddr("239.195.255.254")
)

// A server is `mcast madcap serve` in the lab.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	errs bytes.Buffer
	done chan struct{}

	mu     sync.Mutex
	events map[string]int
	last   map[string]any // of "summary"
}

// wide is the scopes and pools of most tests.
var wide = []string{"--scope", "239.255.0.0/16=en:here", "--scope", "239.255.0.0/16=de:hier", "--scope", "239.192.0.0/14=wide", "--pool", "239.193.0.0/16", "--pool", "239.255.7.0/24"}

// serve starts a server on the lab's sender and waits until it is ready.
func serve(t *testing.T, lab *netlab.Lab, db string, scopes ...string) *server {
	t.Helper()
	s := &server{t: t, done: make(chan struct{}), events: map[string]int{}}
	s.cmd = lab.Sender.Command(program, append([]string{"madcap", "serve", "--json", "--iface", netlab.Device, "--db", db,
		"--client-rate", "-1", "--max-per-client", "-1"}, scopes...)...)
	s.cmd.Stderr = &s.errs
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go func() {
		defer close(s.done)
		for in := bufio.NewScanner(out); in.Scan(); {
			var e map[string]any
			if err := json.Unmarshal(in.Bytes(), &e); err != nil {
				t.Errorf("%v: %s", err, in.Bytes())
				continue
			}
			name := fmt.Sprint(e["event"])
			s.mu.Lock()
			s.events[name]++
			if name == "summary" {
				s.last = e
			}
			s.mu.Unlock()
			if name == "ready" {
				close(ready)
			}
		}
		_ = s.cmd.Wait() // killed, as a rule
	}()
	t.Cleanup(func() { s.kill() })
	select {
	case <-ready:
	case <-s.done:
		t.Fatalf("the server ended: %s", &s.errs)
	case <-time.After(20 * time.Second):
		t.Fatal("the server is not ready")
	}
	return s
}

func (s *server) end(sig os.Signal) {
	_ = s.cmd.Process.Signal(sig) // it may have ended
	<-s.done
}

// kill is kill -9.
func (s *server) kill() { s.end(syscall.SIGKILL) }

// newClient starts a client on the lab's receiver, quicker to try again than the RFC
// recommends.
func newClient(t *testing.T, lab *netlab.Lab) *madcap.RunningClient {
	t.Helper()
	return newClientOf(t, lab, group)
}

// newClientOf is newClient for servers that are found at a group.
func newClientOf(t *testing.T, lab *netlab.Lab, group netip.Addr) *madcap.RunningClient {
	t.Helper()
	var conn *mcast.Conn
	if err := lab.Receivers[0].Do(func() (err error) {
		conn, err = mcast.Dial(context.Background(), netip.AddrPortFrom(group, madcap.Port).String(), mcast.Interface(netlab.Device), mcast.Unicast(), mcast.TTL(16))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	c, err := madcap.RunClient(conn, madcap.ClientConfig{Group: group, Retransmit: 300 * time.Millisecond, MaxRetransmit: time.Second, Retries: 20, NoResponse: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// stored reads a database that no server has open.
func stored(t *testing.T, db string) map[madcap.ID]madcap.Lease {
	t.Helper()
	s, err := boltstore.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	all := map[madcap.ID]madcap.Lease{}
	taken := map[netip.Addr]madcap.ID{}
	if err := s.Load(func(l madcap.Lease) bool {
		all[l.ID] = l
		for _, r := range l.Ranges {
			for a := range r.All() {
				if other, ok := taken[a]; ok {
					t.Errorf("%v is stored for %v and %v", a, other, l.ID)
				}
				taken[a] = l.ID
			}
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestServe(t *testing.T) {
	lab := netlab.New(t, netlab.Config{})
	db := filepath.Join(t.TempDir(), "leases.db")
	s := serve(t, lab, db, wide...)
	c := newClient(t, lab)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	at := netip.AddrPortFrom(lab.Sender.IPv4, madcap.Port)
	info, err := c.GetInfo(ctx, madcap.InfoRequest{Server: at, Language: "de"})
	if err != nil || len(info) != 1 || info[0].Server != lab.Sender.IPv4 || len(info[0].Scopes) != 2 || info[0].Scopes[0].Names[0].Text != "hier" {
		t.Fatalf("%+v, %v", info, err)
	}
	found, err := c.Allocate(ctx, madcap.Request{Scope: scope, Lifetime: time.Hour, Count: 3}) // by DISCOVER
	if err != nil {
		t.Fatal(err)
	}
	asked, err := c.Allocate(ctx, madcap.Request{Scope: netip.MustParseAddr("239.255.0.0"), Server: at}) // by REQUEST
	if err != nil {
		t.Fatal(err)
	}
	if found.At != at || found.Total() != 3 || asked.At != at || asked.Ranges[0].First.As4()[2] != 7 {
		t.Errorf("%+v\n%+v", found, asked)
	}
	if l, err := c.Renew(ctx, found.ID, madcap.Renewal{Lifetime: 2 * time.Hour}); err != nil || !l.End.After(found.End) {
		t.Errorf("%+v, %v", l, err)
	}
	if err := c.Release(ctx, asked.ID); err != nil {
		t.Error(err)
	}
	var f madcap.Failure
	if _, err := c.Allocate(ctx, madcap.Request{Scope: netip.MustParseAddr("239.1.0.0"), Server: at}); !errors.As(err, &f) || f.Option() != madcap.OptionScope {
		t.Error(err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		told := s.events["refused"] > 0 // the answer may be here before the line is printed
		s.mu.Unlock()
		if told {
			break
		}
	}
	s.end(os.Interrupt)
	if n := s.events["granted"]; n != 2 || s.events["renewed"] != 1 || s.events["released"] != 1 || s.events["refused"] != 1 || s.last == nil {
		t.Errorf("%v, %s", s.events, &s.errs)
	}
	if all := stored(t, db); len(all) != 1 || all[found.ID].Revision != 2 {
		t.Errorf("%+v", all)
	}
}

// All of it over IPv6, and an IPv4 lease by way of it.
func TestServeIPv6(t *testing.T) {
	lab := netlab.New(t, netlab.Config{})
	serve(t, lab, filepath.Join(t.TempDir(), "leases.db"), "--scope", "ff15::/16=site", "--pool", "ff15::8000:0-ff15::8000:ff", "--scope", "239.255.0.0/16", "--pool", "239.255.7.0/24")
	c := newClientOf(t, lab, netip.MustParseAddr("ff15:ffff:ffff:ffff:ffff:ffff:ffff:fffe"))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	at := netip.AddrPortFrom(lab.Sender.IPv6, madcap.Port)
	site := netip.MustParseAddr("ff15::")
	found, err := c.Allocate(ctx, madcap.Request{Scope: site, Lifetime: time.Hour, Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	asked, err := c.Allocate(ctx, madcap.Request{Server: at})
	if err != nil {
		t.Fatal(err)
	}
	if found.At != at || found.Server != lab.Sender.IPv6 || found.Scope != site || found.Total() != 2 || !asked.Ranges[0].First.Is4() {
		t.Errorf("%+v\n%+v", found, asked)
	}
	if err := c.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// Clients on the server's own host.
func TestLoopback(t *testing.T) {
	lab := netlab.New(t, netlab.Config{})
	serve(t, lab, filepath.Join(t.TempDir(), "leases.db"), wide...)
	lab.Receivers = []*netlab.Host{lab.Sender}
	c := newClient(t, lab)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := c.Allocate(ctx, madcap.Request{Scope: scope, Lifetime: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if err := c.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// The server is killed again and again under the load of clients that allocate, renew
// and release. Whatever a client was told of is in the file, and after the last restart
// the server knows it.
func TestKilledUnderLoad(t *testing.T) {
	lab := netlab.New(t, netlab.Config{Loss: 1})
	db := filepath.Join(t.TempDir(), "leases.db")
	s := serve(t, lab, db, wide...)

	type belief struct {
		lease  madcap.ClientLease
		client *madcap.RunningClient
	}
	var mu sync.Mutex
	held := map[madcap.ID]belief{}
	var calls, failed int
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	at := netip.AddrPortFrom(lab.Sender.IPv4, madcap.Port)
	for i := range 16 {
		c := newClient(t, lab)
		for k := range 4 {
			wg.Go(func() {
				var mine []madcap.ID
				for n := 0; ctx.Err() == nil; n++ {
					// Not ended with ctx: what was asked is to be answered.
					switch {
					case n%5 == 3 && len(mine) > 0: // stop using it, then release
						id := mine[0]
						mine = mine[1:]
						mu.Lock()
						delete(held, id)
						mu.Unlock()
						_ = c.Release(context.Background(), id)
						continue
					case n%5 == 4 && len(mine) > 0:
						if l, err := c.Renew(context.Background(), mine[0], madcap.Renewal{Lifetime: 2 * time.Hour}); err == nil {
							mu.Lock()
							held[l.ID] = belief{l, c}
							mu.Unlock()
						}
						continue
					}
					r := madcap.Request{Scope: scope, Lifetime: time.Hour, Count: 1 + n%2}
					if (i+k)%2 == 0 {
						r.Server = at
					}
					l, err := c.Allocate(context.Background(), r)
					mu.Lock()
					calls++
					if err != nil {
						failed++
					} else {
						held[l.ID] = belief{l, c}
						mine = append(mine, l.ID)
					}
					mu.Unlock()
				}
			})
		}
	}
	for round := range 5 {
		time.Sleep(time.Duration(700+137*round) * time.Millisecond)
		s.kill()
		mu.Lock() // nobody can answer now; what is believed is believed
		believed := map[madcap.ID]belief{}
		for id, b := range held {
			believed[id] = b
		}
		mu.Unlock()
		all := stored(t, db)
		for id, b := range believed {
			l, ok := all[id]
			if !ok || l.End.Before(b.lease.End) || fmt.Sprint(l.Ranges) != fmt.Sprint(b.lease.Ranges) {
				mu.Lock()
				_, still := held[id]
				mu.Unlock()
				if still {
					t.Errorf("round %d: %+v is stored as %+v", round, b.lease, l)
				}
			}
		}
		t.Logf("round %d: %d leases believed, %d stored", round, len(believed), len(all))
		s = serve(t, lab, db, wide...)
	}
	time.Sleep(time.Second)
	stop()
	wg.Wait()
	if calls < 100 || failed > calls/10 {
		t.Errorf("%d calls, %d failed", calls, failed)
	}
	// Each lease is the server's after all that.
	check, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	n := 0
	for id, b := range held {
		if n++; n > 200 {
			break
		}
		l, err := b.client.Renew(check, id, madcap.Renewal{Lifetime: 3 * time.Hour})
		if err != nil || fmt.Sprint(l.Ranges) != fmt.Sprint(b.lease.Ranges) {
			t.Errorf("%+v: %v", b.lease, err)
		}
	}
	s.end(os.Interrupt)
	all := stored(t, db)
	for id, b := range held {
		if l, ok := all[id]; !ok || fmt.Sprint(l.Ranges) != fmt.Sprint(b.lease.Ranges) {
			t.Errorf("in the end: %+v is stored as %+v", b.lease, l)
		}
	}
	t.Logf("%d allocations, %d failed, %d leases in the end", calls, failed, len(held))
}
