package igmp

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

// A RunningHost is a [Host] on a connection. It is safe for concurrent use.
type RunningHost struct {
	s *station.Session[*Host, Event]
}

// RunHost starts a host on conn, which moves whole IP packets as mcast.OpenRaw's does,
// and which it owns from then on. It joins nothing by itself. Its error wraps
// ErrConfig; conn is then left open.
//
// The kernel of the same machine goes on reporting what its sockets want: for an
// address that is the kernel's, leave the reporting to it.
func RunHost(conn datagram.Conn, cfg HostConfig) (*RunningHost, error) {
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	h, err := NewHost(time.Now(), cfg)
	if err != nil {
		return nil, fmt.Errorf("igmp: host: %w", err)
	}
	return &RunningHost{station.Start[*Host, Event]("igmp: host", conn, h)}, nil
}

// SetFilter says what is wanted of a group from now on; INCLUDE {} leaves it. It is
// [Host.SetFilter] for socket 0.
func (r *RunningHost) SetFilter(g netip.Addr, f group.Filter) (err error) {
	if closed := r.s.Do(func(now time.Time, h *Host) { err = h.SetFilter(now, 0, g, f) }); closed != nil {
		return closed
	}
	return err
}

// Do runs f with the host between two packets and waits for it; what f makes the host
// say is sent at once. f must not keep the host. It returns net.ErrClosed when the
// host has ended and f will not run.
func (r *RunningHost) Do(f func(now time.Time, h *Host)) error { return r.s.Do(f) }

// Events yields what happens; what happened before anybody asked waits, the latest
// 65,536 events. It ends after yielding the error of ctx or, when the host is closed
// or its connection broken, that error. Several loops share the events out among them.
func (r *RunningHost) Events(ctx context.Context) iter.Seq2[Event, error] { return r.s.Events(ctx) }

// Refused returns how many writes the connection refused, and the last refusal.
func (r *RunningHost) Refused() (n uint64, last error) { return r.s.Refused() }

// Shutdown leaves all groups, says so as often as the robustness asks, and closes. It
// returns the error of ctx if that ended first.
func (r *RunningHost) Shutdown(ctx context.Context) error {
	return r.s.Shutdown(ctx, func(now time.Time, h *Host) { h.Shutdown(now) }, (*Host).Done)
}

// Close ends the host without a word and closes its connection. It can be called
// again.
func (r *RunningHost) Close() error { return r.s.Close() }

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
		return nil, fmt.Errorf("igmp: router: %w", err)
	}
	return &RunningRouter{station.Start[*Router, Event]("igmp: router", conn, r)}, nil
}

// Do runs f with the router between two packets and waits for it, to ask or change
// something. f must not keep the router. It returns net.ErrClosed when the router has
// ended and f will not run.
func (r *RunningRouter) Do(f func(now time.Time, r *Router)) error { return r.s.Do(f) }

// Events yields what happens; see [RunningHost.Events].
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
	if cfg.Host.Rand == nil {
		cfg.Host.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	p, err := NewProxy(time.Now(), cfg)
	if err != nil {
		return nil, fmt.Errorf("igmp: proxy: %w", err)
	}
	for i := range conns {
		if p.codec(i) == nil {
			return nil, fmt.Errorf("igmp: proxy: %w: a connection for interface %d, which is not the proxy's", ErrConfig, i)
		}
	}
	if len(conns) != 1+len(cfg.Downstream) {
		return nil, fmt.Errorf("igmp: proxy: %w: %d connections for %d interfaces", ErrConfig, len(conns), 1+len(cfg.Downstream))
	}
	return &RunningProxy{station.Start[*Proxy, Event]("igmp: proxy", station.Join(conns), p)}, nil
}

// Do runs f with the proxy between two packets and waits for it, to ask or change
// something. f must not keep the proxy. It returns net.ErrClosed when the proxy has
// ended and f will not run.
func (r *RunningProxy) Do(f func(now time.Time, p *Proxy)) error { return r.s.Do(f) }

// Events yields what happens; see [RunningHost.Events].
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
