package mld

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// A hub is a link in memory: what one tap sends, all others hear.
type hub struct {
	mu   sync.Mutex
	taps []*hubTap
}

type hubTap struct {
	hub    *hub
	in     chan []byte
	closed chan struct{}
	once   sync.Once
	broken chan error
}

func (h *hub) plug() *hubTap {
	t := &hubTap{hub: h, in: make(chan []byte, 100), closed: make(chan struct{}), broken: make(chan error, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taps = append(h.taps, t)
	return t
}

func (t *hubTap) ReadBatch(ps []datagram.Packet) (int, error) {
	select {
	case b := <-t.in:
		ps[0].Data = append(ps[0].Data[:0], b...)
		return 1, nil
	case err := <-t.broken:
		return 0, err
	case <-t.closed:
		return 0, net.ErrClosed
	}
}

func (t *hubTap) WriteBatch(ps []datagram.Packet) (int, error) {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	for _, p := range ps {
		for b := range slices.Chunk(p.Data, max(p.SegSize, 1)) {
			for _, o := range t.hub.taps {
				if o != t {
					o.in <- slices.Clone(b)
				}
			}
		}
	}
	return len(ps), nil
}

func (t *hubTap) Close() error { t.once.Do(func() { close(t.closed) }); return nil }

// A host, a proxy and a querier above it, all running.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, down := new(hub), new(hub)
		r, err := RunRouter(up.plug(), RouterConfig{Addr: routerA})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		p, err := RunProxy(map[int]datagram.Conn{1: up.plug(), 2: down.plug()}, ProxyConfig{
			Upstream: 1, Listener: ListenerConfig{Addr: hostA},
			Downstream: []Downstream{{IfIndex: 2, Router: RouterConfig{Addr: routerA}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		h, err := RunListener(down.plug(), ListenerConfig{Addr: hostA})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.SetFilter(someone, include(source)); err != nil {
			t.Fatal(err)
		}
		var kinds []EventKind
		for e, err := range r.Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			kinds = append(kinds, e.Kind)
			if e.Kind == MembershipAdded {
				if e.Group != someone || !e.Filter.Equal(include(source)) {
					t.Errorf("%+v", e)
				}
				break
			}
		}
		if kinds[0] != QuerierElected {
			t.Errorf("%v", kinds)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		for e, err := range r.Events(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == MembershipRemoved {
				break
			}
		}
		if err := h.SetFilter(someone, include(source)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Shutdown: %v", err)
		}
		if err := p.Do(func(_ time.Time, p *Proxy) {
			if s := p.Router(2).Stats(); s.Reports == 0 || s.Packets != (PacketStats{}) {
				t.Errorf("%+v", s)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if err := p.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		if n, err := r.Refused(); n != 0 {
			t.Error(n, err)
		}
		r.Close()
		r.Close()
		for _, err := range r.Events(ctx) {
			if err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
	})
}

func TestRunBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, down := new(hub), new(hub)
		cfg := ProxyConfig{Upstream: 1, Downstream: []Downstream{{IfIndex: 2}}}
		if _, err := RunProxy(map[int]datagram.Conn{1: up.plug()}, cfg); !errors.Is(err, ErrConfig) {
			t.Error(err)
		}
		if _, err := RunProxy(map[int]datagram.Conn{1: up.plug(), 3: down.plug()}, cfg); !errors.Is(err, ErrConfig) {
			t.Error(err)
		}
		c, gone := down.plug(), errors.New("gone")
		p, err := RunProxy(map[int]datagram.Conn{1: up.plug(), 2: c}, cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		c.broken <- gone
		var last error
		for _, err := range p.Events(t.Context()) {
			last = err
		}
		if !errors.Is(last, gone) {
			t.Errorf("ended with %v", last)
		}
		if _, err := RunListener(nil, ListenerConfig{Version: 9}); !errors.Is(err, ErrConfig) {
			t.Error(err)
		}
		if _, err := RunRouter(nil, RouterConfig{Version: 9}); !errors.Is(err, ErrConfig) {
			t.Error(err)
		}
	})
}
