//go:build !plan9

package mcast

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// fakeSocket is a memberSocket that writes down what it is told.
type fakeSocket struct {
	socket
	log    []string
	refuse map[string]error // by what is written down
}

func (s *fakeSocket) do(format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	s.log = append(s.log, what)
	return s.refuse[what]
}

func (s *fakeSocket) change(ifi *net.Interface, g netip.Addr, from, to group.Filter) error {
	return s.do("change %d %v %v", ifi.Index, g, to)
}
func (s *fakeSocket) drop(ifi *net.Interface)          { s.do("drop %d", ifi.Index) }
func (s *fakeSocket) rebind(ifi *net.Interface) error  { return s.do("rebind %d", ifi.Index) }
func (s *fakeSocket) settle()                          { s.do("settle") }
func (s *fakeSocket) relocate()                        {}
func (s *fakeSocket) forget(ifindex int, g netip.Addr) { s.do("forget %d %v", ifindex, g) }

// taken returns what was written down since the last call.
func (s *fakeSocket) taken() string {
	l := strings.Join(s.log, ", ")
	s.log = nil
	return l
}

const upFlags = net.FlagUp | net.FlagRunning | net.FlagMulticast

// fakeManager is a manager of a connection on eth0 (2) with a group joined.
func fakeManager(t *testing.T, all bool) (*manager, *fakeSocket) {
	s := &fakeSocket{refuse: make(map[string]error)}
	cfg := defaults()
	cfg.group = netip.MustParseAddrPort("239.1.1.1:5004")
	cfg.join, cfg.allIfaces, cfg.several = true, all, all
	cfg.ifi = net.Interface{Index: 2, Name: "eth0", Flags: upFlags}
	cfg.now = new(atomic.Pointer[net.Interface])
	c := &Conn{sock: s, cfg: cfg, want: make(map[netip.Addr]group.Filter), slots: []*slot{newSlot(cfg.ifi)}}
	if err := c.change(cfg.group.Addr(), anySource); err != nil {
		t.Fatal(err)
	}
	m := &manager{c: c, links: make(map[int]*knownLink)}
	m.take(linkChange{all: true, events: []linkEvent{linkAt(2, "eth0", upFlags), addrAt(2, "10.0.0.1")}})
	if got := s.taken(); got != "change 2 239.1.1.1 EXCLUDE {}" || len(m.events) != 0 {
		t.Fatalf("at the start %q, events %v", got, m.events)
	}
	return m, s
}

func linkAt(index int, name string, flags net.Flags) linkEvent {
	return linkEvent{kind: linkSet, index: index, name: name, flags: flags}
}

func addrAt(index int, addr string) linkEvent {
	return linkEvent{kind: addrSet, index: index, addr: netip.MustParseAddr(addr)}
}

// step feeds events and compares what the socket was told and what is reported.
func (m *manager) step(t *testing.T, s *fakeSocket, told, events string, change ...linkEvent) {
	t.Helper()
	m.take(linkChange{events: change})
	m.want(t, s, told, events)
}

func (m *manager) want(t *testing.T, s *fakeSocket, told, events string) {
	t.Helper()
	var es []string
	for _, e := range m.events {
		es = append(es, fmt.Sprintf("%v %d", e.Kind, e.Index))
	}
	m.events = nil
	if got := s.taken(); got != told || strings.Join(es, ", ") != events {
		t.Errorf("told %q, events %q\nwant %q and %q", got, es, told, events)
	}
}

func TestManagerDownUp(t *testing.T) {
	m, s := fakeManager(t, false)
	m.step(t, s, "", "interface down 2", linkAt(2, "eth0", net.FlagUp|net.FlagMulticast))
	m.step(t, s, "", "", linkAt(2, "eth0", net.FlagUp|net.FlagMulticast))
	m.step(t, s, "", "interface up 2", linkAt(2, "eth0", upFlags))
	m.step(t, s, "", "", linkAt(3, "eth1", upFlags), addrAt(3, "10.0.1.1"), linkEvent{kind: linkGone, index: 3})
	m.step(t, s, "", "addresses changed 2", linkEvent{kind: addrGone, index: 2, addr: netip.MustParseAddr("10.0.0.1")})
	m.step(t, s, "", "addresses changed 2", addrAt(2, "10.0.0.1"))
	m.step(t, s, "", "", addrAt(2, "10.0.0.1"))
	m.c.cfg.src = netip.MustParseAddr("10.0.0.1")
	m.step(t, s, "", "addresses changed 2, source address gone 2", linkEvent{kind: addrGone, index: 2, addr: m.c.cfg.src})
	// Another name, and another interface of the old name: the index counts.
	m.step(t, s, "", "", linkAt(2, "lan", upFlags), linkAt(3, "eth0", upFlags))
	if ifi := m.c.Interface(); ifi.Name != "lan" || ifi.Index != 2 {
		t.Errorf("interface %+v", ifi)
	}
}

func TestManagerBack(t *testing.T) {
	m, s := fakeManager(t, false)
	m.step(t, s, "drop 2", "interface gone 2", linkEvent{kind: linkGone, index: 2})
	m.step(t, s, "", "", linkEvent{kind: linkGone, index: 2})
	if err := m.c.change(m.c.cfg.group.Addr(), exclude("10.0.0.9")); !errors.Is(err, ErrNoInterface) {
		t.Errorf("a change while it is gone: %v", err)
	}
	// A new interface gets its name after it was made.
	m.step(t, s, "", "", linkAt(5, "eth7", 0))
	m.step(t, s, "rebind 5, change 5 239.1.1.1 EXCLUDE {}, settle", "interface back 5, rejoined 5", linkAt(5, "eth0", 0))
	m.step(t, s, "", "interface up 5", linkAt(5, "eth0", upFlags))

	// What fails is tried again when something changes, and not before.
	m.step(t, s, "drop 5", "interface gone 5", linkEvent{kind: linkGone, index: 5})
	s.refuse["rebind 6"] = syscall.ENODEV
	s.refuse["change 6 239.1.1.1 EXCLUDE {}"] = syscall.ENOBUFS
	m.take(linkChange{events: []linkEvent{linkAt(6, "eth0", upFlags)}})
	var oe *OpError
	if e := m.events[1]; e.Kind != JoinFailed || e.Group.IsValid() || !errors.As(e.Err, &oe) {
		t.Errorf("event %v", e)
	}
	m.want(t, s, "rebind 6", "interface back 6, join failed 6")
	if ms := m.c.Memberships(); ms[0].State != Failed || ms[0].Err == nil {
		t.Errorf("memberships %+v", ms)
	}
	delete(s.refuse, "rebind 6")
	m.take(linkChange{events: []linkEvent{addrAt(6, "10.0.0.1")}})
	if e := m.events[1]; e.Kind != JoinFailed || e.Group != m.c.cfg.group.Addr() || !errors.Is(e.Err, ErrGroupLimit) {
		t.Errorf("event %v", e)
	}
	m.want(t, s, "rebind 6, change 6 239.1.1.1 EXCLUDE {}, settle", "addresses changed 6, join failed 6")
	delete(s.refuse, "change 6 239.1.1.1 EXCLUDE {}")
	m.step(t, s, "change 6 239.1.1.1 EXCLUDE {}, settle", "rejoined 6", linkAt(6, "eth0", upFlags))
	if ms := m.c.Memberships(); ms[0].State != Joined || ms[0].Err != nil {
		t.Errorf("memberships %+v", ms)
	}
	// An old index used by something else: nothing queued is from ours.
	m.step(t, s, "forget 5 invalid IP", "", linkAt(5, "other", upFlags))
	if len(m.c.dead) != 1 {
		t.Errorf("dead %v", m.c.dead)
	}
	if err := m.c.change(m.c.cfg.group.Addr(), group.Filter{}); err != nil {
		t.Error(err)
	}
	m.want(t, s, "change 6 239.1.1.1 INCLUDE {}, forget 2 239.1.1.1", "")
}

// Events were missed: the difference is what counts.
func TestManagerResync(t *testing.T) {
	m, s := fakeManager(t, false)
	full := func(events ...linkEvent) linkChange { return linkChange{all: true, events: events} }
	m.take(full(linkAt(2, "eth0", upFlags), addrAt(2, "10.0.0.1")))
	m.want(t, s, "", "")
	m.take(full(linkAt(2, "eth0", upFlags), addrAt(2, "10.0.0.2")))
	m.want(t, s, "", "addresses changed 2, addresses changed 2")
	m.take(full(linkAt(7, "eth0", upFlags), addrAt(7, "10.0.0.2")))
	m.want(t, s, "drop 2, rebind 7, change 7 239.1.1.1 EXCLUDE {}, settle", "interface gone 2, interface back 7, rejoined 7, addresses changed 7")
	m.take(full())
	m.want(t, s, "drop 7", "interface gone 7")
	for i := range 2 * keptDead {
		m.take(full(linkAt(10+i, "eth0", upFlags)))
		m.take(full())
	}
	if len(m.c.dead) != keptDead || !slices.Contains(s.log, "forget 2 invalid IP") {
		t.Errorf("dead %v", m.c.dead)
	}
}

func TestManagerAllInterfaces(t *testing.T) {
	m, s := fakeManager(t, true)
	m.step(t, s, "", "", linkAt(1, "lo", net.FlagUp|net.FlagLoopback|net.FlagMulticast), addrAt(1, "127.0.0.1"))
	m.step(t, s, "", "", linkAt(3, "eth1", net.FlagMulticast), addrAt(3, "10.1.0.1"))
	m.step(t, s, "change 3 239.1.1.1 EXCLUDE {}, settle", "interface added 3, rejoined 3", linkAt(3, "eth1", upFlags))
	m.step(t, s, "", "", linkAt(4, "eth2", upFlags), addrAt(4, "fd00::1"))
	m.step(t, s, "change 4 239.1.1.1 EXCLUDE {}, settle", "interface added 4, rejoined 4", addrAt(4, "10.2.0.1"))
	m.step(t, s, "drop 2, settle, rebind 3", "interface gone 2", linkEvent{kind: linkGone, index: 2})
	m.step(t, s, "drop 4, settle", "interface gone 4", linkEvent{kind: linkGone, index: 4})
	m.step(t, s, "drop 3", "interface gone 3", linkEvent{kind: linkGone, index: 3})
	m.step(t, s, "rebind 9, change 9 239.1.1.1 EXCLUDE {}, settle", "interface added 9, rejoined 9", linkAt(9, "new", upFlags), addrAt(9, "10.3.0.1"))
	if ifis := m.c.Interfaces(); len(ifis) != 1 || ifis[0].Name != "new" {
		t.Errorf("interfaces %+v", ifis)
	}
}

func TestPollWatch(t *testing.T) {
	lists := make(chan []linkEvent, 2)
	w := newPollWatch(func() ([]linkEvent, error) {
		select {
		case l := <-lists:
			return l, nil
		default:
			return nil, errors.New("no list")
		}
	}, time.Millisecond)
	for i := range 2 {
		lists <- []linkEvent{linkAt(i+1, "x", 0)}
		c, err := w.next()
		if err != nil || !c.all || len(c.events) != 1 || c.events[0].index != i+1 {
			t.Errorf("%+v, %v", c, err)
		}
	}
	time.AfterFunc(10*time.Millisecond, func() { w.close() })
	if _, err := w.next(); err != net.ErrClosed {
		t.Errorf("after close: %v", err)
	}
	w.close()
	all, err := listLinks(true)
	if err != nil || !slices.ContainsFunc(all, func(e linkEvent) bool { return e.kind == linkSet && e.flags&net.FlagLoopback != 0 }) {
		t.Errorf("links %+v, %v", all, err)
	}
}
