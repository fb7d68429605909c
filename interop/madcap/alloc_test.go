//go:build linux

package madcap

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/alloc"
	"github.com/gomulticast/multicast/internal/netlab"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/sap"
)

// allocPatience is how long something may take that should happen at once.
const allocPatience = 60 * time.Second

// A holder is `mcast alloc` in the lab.
type holder struct {
	t      *testing.T
	cmd    *exec.Cmd
	errs   bytes.Buffer
	events chan allocEvent
	done   chan struct{}
}

type allocEvent struct {
	Event, Expires, ID, Reason string
	Addresses                  []string
}

// hold starts one on a host.
func hold(t *testing.T, h *netlab.Host, args ...string) *holder {
	t.Helper()
	p := &holder{t: t, events: make(chan allocEvent, 100), done: make(chan struct{})}
	p.cmd = h.Command(program, append([]string{"alloc", "--json", "--iface", netlab.Device}, args...)...)
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
			var e allocEvent
			if err := json.Unmarshal(in.Bytes(), &e); err != nil {
				t.Errorf("%v: %s", err, in.Bytes())
				continue
			}
			p.events <- e
		}
		_ = p.cmd.Wait() // its status is looked at where it counts
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.done
	})
	return p
}

// next waits for the next event, which has to be of a kind.
func (p *holder) next(kind string, patience time.Duration) allocEvent {
	p.t.Helper()
	var e allocEvent
	select {
	case e = <-p.events:
	case <-p.done: // with last words before
		select {
		case e = <-p.events:
		default:
		}
	case <-time.After(patience):
	}
	if e.Event != kind {
		p.t.Fatalf("%+v is no event %q: %s", e, kind, &p.errs)
	}
	return e
}

// end ends it by a signal, or waits for its own end, and returns its status.
func (p *holder) end(sig os.Signal) int {
	p.t.Helper()
	if sig != nil {
		_ = p.cmd.Process.Signal(sig) // it may have ended
	}
	select {
	case <-p.done:
	case <-time.After(allocPatience):
		p.t.Fatal("it does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// Clients lease from a server, renew although it was killed, give back, keep, and lose what
// they did not renew.
func TestAlloc(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t, netlab.Config{Receivers: 2})
	db := filepath.Join(t.TempDir(), "leases.db")
	scope := []string{"--scope", "239.192.0.0/14=wide", "--pool", "239.192.200.0/29", "--extra", "0s"}
	s := serve(t, lab, db, scope...)
	one, two := lab.Receivers[0], lab.Receivers[1]
	pool := alloc.Prefix("239.192.200.0/29")

	renewed := hold(t, one, "--scope", "organization", "--count", "3", "--lifetime", "1m", "--renew")
	kept := hold(t, two, "--scope", "239.192.0.0/14", "--lifetime", "1h", "--keep")
	var seen []string
	first := renewed.next("lease", allocPatience)
	seen = append(seen, first.Addresses...)
	second := kept.next("lease", allocPatience)
	seen = append(seen, second.Addresses...)
	expiring := hold(t, two, "--server", lab.Sender.IPv4.String(), "--scope", "organization", "--lifetime", "1m")
	seen = append(seen, expiring.next("lease", allocPatience).Addresses...)
	slices.Sort(seen)
	if len(slices.Compact(seen)) != 5 {
		t.Errorf("leased: %v", seen)
	}
	for _, a := range seen {
		if !pool.Contains(netip.MustParseAddr(a)) {
			t.Errorf("%s is not in the pool", a)
		}
	}
	if end, err := time.Parse(time.RFC3339, first.Expires); err != nil || time.Until(end) > time.Minute || first.ID == "" {
		t.Errorf("%+v, %v", first, err)
	}
	if status := kept.end(os.Interrupt); status != 130 || kept.next("kept", allocPatience).ID != second.ID {
		t.Errorf("status %d: %s", status, &kept.errs)
	}

	s.kill()
	s = serve(t, lab, db, scope...)
	again := renewed.next("renewed", 2*time.Minute)
	if again.ID != first.ID || !slices.Equal(again.Addresses, first.Addresses) || again.Expires <= first.Expires {
		t.Errorf("%+v, then %+v", first, again)
	}
	if lost := expiring.next("lost", 2*time.Minute); lost.Reason != "the lease has expired" {
		t.Errorf("%+v", lost)
	}
	if status := expiring.end(nil); status != 1 {
		t.Errorf("status %d: %s", status, &expiring.errs)
	}
	if status := renewed.end(os.Interrupt); status != 130 {
		t.Errorf("status %d: %s", status, &renewed.errs)
	}
	for end := time.Now().Add(allocPatience); s.count("expired") == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the server keeps what has expired")
		}
	}
	s.end(os.Interrupt)
	if all := stored(t, db); len(all) != 1 {
		t.Errorf("%d leases are left: %v", len(all), all)
	} else {
		for id := range all {
			if id.String() != second.ID {
				t.Errorf("%v is left, not %s", id, second.ID)
			}
		}
	}
}

// Three programs that go by announcements share two addresses: the third has none until
// another one leaves.
func TestAllocSAP(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t, netlab.Config{NoSnooping: true, Receivers: 2})
	args := []string{"--by", "sap", "--profile", "fast", "--listen", "8s", "--pool", "239.255.7.0/31"}
	a := hold(t, lab.Sender, args...)
	first := a.next("lease", allocPatience)
	b := hold(t, lab.Receivers[0], args...)
	second := b.next("lease", allocPatience)
	if first.Addresses[0] == second.Addresses[0] {
		t.Errorf("both have %v", first.Addresses)
	}
	c := hold(t, lab.Receivers[1], args...)
	if status := c.end(nil); status != 1 || !bytes.Contains(c.errs.Bytes(), []byte("no free address")) {
		t.Errorf("status %d: %s", status, &c.errs)
	}
	if status := a.end(os.Interrupt); status != 130 || a.next("released", allocPatience).ID != first.ID {
		t.Errorf("status %d: %s", status, &a.errs)
	}
	if third := hold(t, lab.Receivers[1], args...).next("lease", allocPatience); third.Addresses[0] != first.Addresses[0] {
		t.Errorf("%v is leased, %v was free", third.Addresses, first.Addresses)
	}
}

// Hosts that did not hear each other have one address; when they meet, the younger lease
// is lost.
func TestAllocMeet(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t, netlab.Config{NoSnooping: true})
	deafen(t, lab.Sender, true)
	deafen(t, lab.Receivers[0], true)
	// The older lease is that of the higher address, which alone decides nothing.
	older, younger := announcing(t, lab.Receivers[0]), announcing(t, lab.Sender)
	ctx, cancel := context.WithTimeout(t.Context(), 4*allocPatience)
	defer cancel()
	first, err := older.Allocate(ctx, alloc.Request{})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(15 * time.Second) // twice its interval, and more
	second, err := younger.Allocate(ctx, alloc.Request{})
	if err != nil || second.Addrs()[0] != first.Addrs()[0] {
		t.Fatalf("%v, %v", second, err)
	}
	deafen(t, lab.Sender, false)
	deafen(t, lab.Receivers[0], false)
	select {
	case <-second.Lost():
	case <-time.After(allocPatience):
		t.Fatal("both keep it")
	}
	if !errors.Is(second.Err(), alloc.ErrClash) || first.Err() != nil {
		t.Errorf("%v, %v", second.Err(), first.Err())
	}
	if l, err := younger.Allocate(ctx, alloc.Request{}); !errors.Is(err, alloc.ErrNoFree) {
		t.Errorf("%v, %v: it is the other's", l, err)
	}
	if err := first.Release(ctx); err != nil {
		t.Error(err)
	}
	for ; ; time.Sleep(200 * time.Millisecond) {
		l, err := younger.Allocate(ctx, alloc.Request{})
		if err == nil {
			if l.Addrs()[0] != first.Addrs()[0] {
				t.Errorf("%v", l.Addrs())
			}
			return
		}
		if !errors.Is(err, alloc.ErrNoFree) {
			t.Fatal(err)
		}
	}
}

// announcing starts an allocator on a host that has one address to give.
func announcing(t *testing.T, h *netlab.Host) *alloc.SAP {
	t.Helper()
	var paths [2]sap.Path
	if err := h.Do(func() error {
		for i := range paths {
			c, err := mcast.Open(t.Context(), netip.AddrPortFrom(sap.LocalGroup, sap.Port).String(), mcast.Interface(netlab.Device))
			if err != nil {
				return err
			}
			paths[i] = sap.Path{Conn: c, Group: sap.LocalGroup, IfIndex: c.Interface().Index}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	cfg := alloc.SAPConfig{Origin: h.IPv4}
	cfg.Ranges = append(cfg.Ranges, alloc.Prefix("239.255.7.9/32"))
	var err error
	if cfg.Directory, err = sap.NewDirectory(sap.DirectoryConfig{Listen: time.Second}, paths[0]); err != nil {
		t.Fatal(err)
	}
	if cfg.Announcer, err = sap.NewAnnouncer(sap.AnnouncerConfig{Profile: sap.Fast, Sources: []netip.Addr{h.IPv4}}, paths[1]); err != nil {
		t.Fatal(err)
	}
	a, err := alloc.NewSAP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// deafen makes a host lose all UDP packets that come to it, or not any more.
func deafen(t *testing.T, h *netlab.Host, deaf bool) {
	t.Helper()
	rules := "add table netdev deaf\ndelete table netdev deaf\n"
	if deaf {
		rules += "table netdev deaf { chain in { type filter hook ingress device " + netlab.Device + " priority 0; meta l4proto udp drop; }; }\n"
	}
	cmd := h.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// count returns how many events of a kind the server told of.
func (s *server) count(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events[kind]
}
