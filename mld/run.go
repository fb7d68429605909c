package mld

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/station"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// A RunningListener is a [Listener] on a connection. It is safe for concurrent use.
type RunningListener struct {
	s *station.Session[*Listener, Event]
}

// RunListener starts a listener on conn, which moves whole IP packets as mcast.OpenRaw's does,
// and which it owns from then on. It joins nothing by itself. Its error wraps
// ErrConfig; conn is then left open.
//
// The kernel of the same machine goes on reporting what its sockets want: for an
// address that is the kernel's, leave the reporting to it.
func RunListener(conn datagram.Conn, cfg ListenerConfig) (*RunningListener, error) {
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	h, err := NewListener(time.Now(), cfg)
	if err != nil {
		return nil, fmt.Errorf("mld: listener: %w", err)
	}
	return &RunningListener{station.Start[*Listener, Event]("mld: listener", conn, h)}, nil
}

// SetFilter says what is wanted of a group from now on; INCLUDE {} leaves it. It is
// [Listener.SetFilter] for socket 0.
func (r *RunningListener) SetFilter(g netip.Addr, f group.Filter) (err error) {
	if closed := r.s.Do(func(now time.Time, h *Listener) { err = h.SetFilter(now, 0, g, f) }); closed != nil {
		return closed
	}
	return err
}

// Do runs f with the listener between two packets and waits for it; what f makes the listener
// say is sent at once. f must not keep the listener. It returns net.ErrClosed when the
// listener has ended and f will not run.
func (r *RunningListener) Do(f func(now time.Time, h *Listener)) error { return r.s.Do(f) }

// Events yields what happens; what happened before anybody asked waits, the latest
// 65,536 events. It ends after yielding the error of ctx or, when the listener is closed
// or its connection broken, that error. Several loops share the events out among them.
func (r *RunningListener) Events(ctx context.Context) iter.Seq2[Event, error] { return r.s.Events(ctx) }

// Refused returns how many writes the connection refused, and the last refusal.
func (r *RunningListener) Refused() (n uint64, last error) { return r.s.Refused() }

// Shutdown leaves all groups, says so as often as the robustness asks, and closes. It
// returns the error of ctx if that ended first.
func (r *RunningListener) Shutdown(ctx context.Context) error {
	return r.s.Shutdown(ctx, func(now time.Time, h *Listener) { h.Shutdown(now) }, (*Listener).Done)
}

// Close ends the listener without a word and closes its connection. It can be called
// again.
func (r *RunningListener) Close() error { return r.s.Close() }

// A RunningRouter is a [Router] on a connection. It is safe for concurrent use.
type RunningRouter struct {
	s *station.Session[*Router, Event]
}

// RunRouter starts a router, which asks if it is the querier, on conn, which moves
// whole IP packets as mcast.OpenRaw's does, and which it owns from then on. Its error
// wraps ErrConfig; conn is then left open.
func RunRouter(conn datagram.Conn, cfg RouterConfig) (*RunningRouter, error) {
	r, err := NewRouter(time.Now(), cfg)
	if err != nil {
		return nil, fmt.Errorf("mld: router: %w", err)
	}
	return &RunningRouter{station.Start[*Router, Event]("mld: router", conn, r)}, nil
}

// Do runs f with the router between two packets and waits for it, to ask or change
// something. f must not keep the router. It returns net.ErrClosed when the router has
// ended and f will not run.
func (r *RunningRouter) Do(f func(now time.Time, r *Router)) error { return r.s.Do(f) }

// Events yields what happens; see [RunningListener.Events].
func (r *RunningRouter) Events(ctx context.Context) iter.Seq2[Event, error] { return r.s.Events(ctx) }

// Refused returns how many writes the connection refused, and the last refusal.
func (r *RunningRouter) Refused() (n uint64, last error) { return r.s.Refused() }

// Close ends the router and closes its connection. It can be called again.
func (r *RunningRouter) Close() error { return r.s.Close() }

// A RunningProxy is a [Proxy] on its connections. It is safe for concurrent use.
type RunningProxy struct {
	s *station.Session[*Proxy, Event]
}

// RunProxy starts a proxy on a connection for each of its interfaces, by the numbers
// they have in cfg. It owns them from then on; when one of them breaks, Events says so,
// and the proxy hears no more. Its error wraps ErrConfig; the connections are then left
// open.
func RunProxy(conns map[int]datagram.Conn, cfg ProxyConfig) (*RunningProxy, error) {
	if cfg.Listener.Rand == nil {
		cfg.Listener.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	p, err := NewProxy(time.Now(), cfg)
	if err != nil {
		return nil, fmt.Errorf("mld: proxy: %w", err)
	}
	for i := range conns {
		if p.codec(i) == nil {
			return nil, fmt.Errorf("mld: proxy: %w: a connection for interface %d, which is not the proxy's", ErrConfig, i)
		}
	}
	if len(conns) != 1+len(cfg.Downstream) {
		return nil, fmt.Errorf("mld: proxy: %w: %d connections for %d interfaces", ErrConfig, len(conns), 1+len(cfg.Downstream))
	}
	return &RunningProxy{station.Start[*Proxy, Event]("mld: proxy", station.Join(conns), p)}, nil
}

// Do runs f with the proxy between two packets and waits for it, to ask or change
// something. f must not keep the proxy. It returns net.ErrClosed when the proxy has
// ended and f will not run.
func (r *RunningProxy) Do(f func(now time.Time, p *Proxy)) error { return r.s.Do(f) }

// Events yields what happens; see [RunningListener.Events].
func (r *RunningProxy) Events(ctx context.Context) iter.Seq2[Event, error] { return r.s.Events(ctx) }

// Refused returns how many writes the connections refused, and the last refusal.
func (r *RunningProxy) Refused() (n uint64, last error) { return r.s.Refused() }

// Shutdown leaves all groups upstream, says so as often as the robustness asks, and
// closes. It returns the error of ctx if that ended first.
func (r *RunningProxy) Shutdown(ctx context.Context) error {
	return r.s.Shutdown(ctx, func(now time.Time, p *Proxy) { p.Shutdown(now) }, (*Proxy).Done)
}

// Close ends the proxy without a word and closes its connections. It can be called
// again.
func (r *RunningProxy) Close() error { return r.s.Close() }
