//go:build linux

package membership

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/mld"
)

// A family lets a test run for both protocols.
type family struct {
	name   string
	raw    mcast.RawProtocol
	is4    bool
	g, g2  netip.Addr
	source string
	newest uint8
	old    []uint8
	force  string // the sysctl that makes a kernel speak an older version
	addr   string // of a host by its number
	sent   *record
}

var families = []*family{
	{"IGMP", mcast.RawIGMP, true, netip.MustParseAddr("239.9.9.9"), netip.MustParseAddr("232.9.9.9"), "192.0.2.%d", 3, []uint8{2, 1}, "net/ipv4/conf/d0/force_igmp_version", "10.77.0.%d", &record{}},
	{"MLD", mcast.RawMLD, false, netip.MustParseAddr("ff15::9:9"), netip.MustParseAddr("ff35::9:9"), "2001:db8::%d", 2, []uint8{1}, "net/ipv6/conf/d0/force_mld_version", "fe80::%x", &record{}},
}

func (f *family) host(number int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf(f.addr, number)) }

// A record keeps all that engines sent, for tshark.
type record struct {
	mu      sync.Mutex
	packets [][]byte
}

// A recorded is a connection whose writes are kept.
type recorded struct {
	datagram.Conn
	to *record
}

func (r *recorded) WriteBatch(ps []datagram.Packet) (int, error) {
	r.to.mu.Lock()
	for _, p := range ps {
		for b := range slices.Chunk(p.Data, max(p.SegSize, 1)) {
			r.to.packets = append(r.to.packets, slices.Clone(b))
		}
	}
	r.to.mu.Unlock()
	return r.Conn.WriteBatch(ps)
}

// conn opens an interface for an engine.
func (f *family) conn(t *testing.T, n ns, dev string) *recorded {
	return &recorded{n.raw(t, f, dev), f.sent}
}

// A member is a host that runs.
type member interface {
	SetFilter(netip.Addr, group.Filter) error
	Shutdown(context.Context) error
	Close() error
}

func (f *family) runHost(t *testing.T, n ns, addr netip.Addr) (m member) {
	t.Helper()
	var err error
	if f.is4 {
		m, err = igmp.RunHost(f.conn(t, n, "d0"), igmp.HostConfig{Addr: addr})
	} else {
		m, err = mld.RunListener(f.conn(t, n, "d0"), mld.ListenerConfig{Addr: addr})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// timers are short ones.
type timers struct{ query, response, last time.Duration }

func (t timers) igmp() igmp.Timers {
	return igmp.Timers{QueryInterval: t.query, QueryResponse: t.response, LastMember: t.last}
}

func (t timers) mld() mld.Timers { return mld.Timers(t.igmp()) }

// An event is one of either family; the kinds are the same.
type event struct {
	kind    igmp.EventKind
	group   netip.Addr
	addr    netip.Addr
	filter  group.Filter
	version uint8
	at      time.Time
}

// events collects what happens.
type events struct {
	mu  sync.Mutex
	all []event
}

func (e *events) add(v event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v.at = time.Now()
	e.all = append(e.all, v)
}

// last returns the last event of a kind about a group, which may be none.
func (e *events) last(kind igmp.EventKind, g netip.Addr) (event, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range slices.Backward(e.all) {
		if v.kind == kind && v.group == g {
			return v, true
		}
	}
	return event{}, false
}

func collect[E any](e *events, seq iter.Seq2[E, error], plain func(E) event) {
	for v, err := range seq {
		if err != nil {
			return
		}
		e.add(plain(v))
	}
}

func plain4(v igmp.Event) event {
	return event{kind: v.Kind, group: v.Group, addr: v.Addr, filter: v.Filter, version: v.Version}
}

func plain6(v mld.Event) event {
	return event{kind: igmp.EventKind(v.Kind), group: v.Group, addr: v.Addr, filter: v.Filter, version: v.Version}
}

// A router is one that runs.
type router struct {
	events
	filter  func(netip.Addr) group.Filter
	version func(netip.Addr) uint8
	querier func() (netip.Addr, bool)
}

func (f *family) runRouter(t *testing.T, n ns, addr netip.Addr, tm timers) *router {
	t.Helper()
	r := new(router)
	if f.is4 {
		run, err := igmp.RunRouter(f.conn(t, n, "d0"), igmp.RouterConfig{Addr: addr, Timers: tm.igmp()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { run.Close() })
		go collect(&r.events, run.Events(context.Background()), plain4)
		r.filter = func(g netip.Addr) (v group.Filter) {
			run.Do(func(_ time.Time, r *igmp.Router) { v = r.Filter(g) })
			return v
		}
		r.version = func(g netip.Addr) (v uint8) {
			run.Do(func(_ time.Time, r *igmp.Router) { s, _ := r.State(g); v = s.Version })
			return v
		}
		r.querier = func() (a netip.Addr, us bool) {
			run.Do(func(_ time.Time, r *igmp.Router) { a, us = r.Querier(), r.IsQuerier() })
			return a, us
		}
		return r
	}
	run, err := mld.RunRouter(f.conn(t, n, "d0"), mld.RouterConfig{Addr: addr, Timers: tm.mld()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Close() })
	go collect(&r.events, run.Events(context.Background()), plain6)
	r.filter = func(g netip.Addr) (v group.Filter) {
		run.Do(func(_ time.Time, r *mld.Router) { v = r.Filter(g) })
		return v
	}
	r.version = func(g netip.Addr) (v uint8) {
		run.Do(func(_ time.Time, r *mld.Router) { s, _ := r.State(g); v = s.Version })
		return v
	}
	r.querier = func() (a netip.Addr, us bool) {
		run.Do(func(_ time.Time, r *mld.Router) { a, us = r.Querier(), r.IsQuerier() })
		return a, us
	}
	return r
}

// wants waits until the router has learned that of a group, and returns how long that
// took.
func (r *router) wants(t *testing.T, d time.Duration, g netip.Addr, want group.Filter) time.Duration {
	t.Helper()
	return eventually(t, d, func() error {
		if got := r.filter(g); !got.Equal(want) {
			return fmt.Errorf("the router has %v of %v, want %v", got, g, want)
		}
		return nil
	})
}

// runProxy runs a proxy with u0 upstream and d0 downstream.
func (f *family) runProxy(t *testing.T, n ns, up, down netip.Addr, tm timers) {
	t.Helper()
	conns := map[int]datagram.Conn{1: f.conn(t, n, "u0"), 2: f.conn(t, n, "d0")}
	var err error
	var c interface{ Close() error }
	if f.is4 {
		c, err = igmp.RunProxy(conns, igmp.ProxyConfig{
			Upstream: 1, Host: igmp.HostConfig{Addr: up},
			Downstream: []igmp.Downstream{{IfIndex: 2, Router: igmp.RouterConfig{Addr: down, Timers: tm.igmp()}}},
		})
	} else {
		c, err = mld.RunProxy(conns, mld.ProxyConfig{
			Upstream: 1, Listener: mld.ListenerConfig{Addr: up},
			Downstream: []mld.Downstream{{IfIndex: 2, Router: mld.RouterConfig{Addr: down, Timers: tm.mld()}}},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
}
