package alloc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomulticast/multicast/madcap"
	"github.com/gomulticast/multicast/mcast/group"
)

// goodbye is how long a server may take to hear that a lease nobody wants is released.
const goodbye = 5 * time.Second

// A MADCAP is an Allocator that asks servers of the network (RFC 2730).
type MADCAP struct {
	client *madcap.RunningClient
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	leases map[madcap.ID]*Lease
	closed bool
}

var _ Allocator = (*MADCAP)(nil)

// NewMADCAP returns an allocator that asks by a client, whose Events nobody else may read
// and which it owns from then on.
func NewMADCAP(c *madcap.RunningClient) *MADCAP {
	ctx, cancel := context.WithCancel(context.Background())
	a := &MADCAP{client: c, cancel: cancel, leases: make(map[madcap.ID]*Lease)}
	a.done.Go(func() { a.watch(ctx) })
	return a
}

// Allocate implements Allocator. Zone stands for the scope that begins with its first
// address; of IPv6 scopes without a Zone servers are asked for theirs. The error is that of
// RunningClient.Allocate, and says what to do about servers that do not answer.
func (a *MADCAP) Allocate(ctx context.Context, r Request) (*Lease, error) {
	t, err := r.resolve(time.Now())
	if err != nil {
		return nil, err
	}
	scope, err := a.scope(ctx, &t)
	if err != nil {
		return nil, err
	}
	q := madcap.Request{
		Scope: scope, Count: t.Count, MinCount: t.MinCount,
		Lifetime: t.Lifetime, MinLifetime: t.MinLifetime, Start: r.Start, MaxStart: r.MaxStart,
	}
	got, err := a.client.Allocate(ctx, q)
	if err != nil {
		return nil, explain(err, scope)
	}
	l := &Lease{id: got.ID.String(), start: got.Start, asked: t.renewal(), by: a}
	for _, g := range got.Ranges {
		l.addrs = slices.AppendSeq(l.addrs, g.All())
	}
	slices.SortFunc(l.addrs, netip.Addr.Compare)
	for _, x := range l.addrs {
		if why := fault(x, group.CodeExpansion); why != "" {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
			_ = a.client.Release(end, got.ID) // it ends by itself if the server does not hear
			cancel()
			return nil, fmt.Errorf("alloc: server %v leases %v: %s: correct its pools, or ask another server", got.Server, x, why)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, fmt.Errorf("alloc: %w", net.ErrClosed)
	}
	a.leases[got.ID] = l.begin(got.End)
	return l, nil
}

// scope returns the first address of the scope that is asked for.
func (a *MADCAP) scope(ctx context.Context, t *terms) (netip.Addr, error) {
	if t.Zone.IsValid() {
		return t.Zone.First.Unmap(), nil
	}
	if t.Family == IPv4 {
		if z, err := scopeZone(t.Family, t.Scope); err == nil {
			return z.First, nil
		}
	}
	all, err := a.client.GetInfo(ctx, madcap.InfoRequest{Family: madcap.Family(t.Family)})
	if err != nil {
		return netip.Addr{}, explain(err, netip.Addr{})
	}
	var known []string
	for _, info := range all {
		for _, z := range info.Scopes {
			if s := group.ScopeOf(z.First); t.Scope == 0 || s == t.Scope {
				return z.First, nil
			}
			known = append(known, fmt.Sprintf("%v to %v", z.First, z.Last))
		}
	}
	if known == nil {
		known = []string{"none"}
	}
	return netip.Addr{}, fmt.Errorf("%w: no server has %v of scope %v: the scopes are %s", ErrRequest, t.Family, t.Scope, strings.Join(known, ", "))
}

// explain adds to an error of the client what to do.
func explain(err error, scope netip.Addr) error {
	var f madcap.Failure
	switch {
	case errors.Is(err, madcap.ErrNoAnswer):
		where := "the network"
		if scope.IsValid() {
			where = "the scope that begins with " + scope.String()
		}
		return fmt.Errorf("alloc: %w: see that one serves %s and is reached, or name it to the client; one that has no addresses left is silent too", err, where)
	case errors.As(err, &f) && f.Code == madcap.NotCompleted:
		return fmt.Errorf("%w: %w", ErrNoFree, err)
	case errors.Is(err, madcap.ErrRequest):
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return fmt.Errorf("alloc: %w", err)
}

// watch takes what happens to leases.
func (a *MADCAP) watch(ctx context.Context) {
	for e, err := range a.client.Events(ctx) {
		if err != nil {
			if ctx.Err() == nil {
				a.lose(fmt.Errorf("alloc: %w", err))
			}
			return
		}
		if e.Kind != madcap.ClientLost {
			continue
		}
		a.mu.Lock()
		l := a.leases[e.ID]
		delete(a.leases, e.ID)
		a.mu.Unlock()
		if l != nil {
			l.finish(lostText(e.Err))
		}
	}
}

// lostText returns why a lease was lost in this package's words.
func lostText(err error) error {
	if errors.Is(err, madcap.ErrExpired) {
		return ErrExpired
	}
	return fmt.Errorf("alloc: the server ended the lease: %w", err)
}

func (a *MADCAP) renew(ctx context.Context, l *Lease, r Renewal) (time.Time, error) {
	id, _ := madcap.ParseID(l.id)
	got, err := a.client.Renew(ctx, id, madcap.Renewal{Lifetime: r.Lifetime, MinLifetime: r.MinLifetime})
	if err != nil {
		return time.Time{}, explain(err, netip.Addr{})
	}
	return got.End, nil
}

func (a *MADCAP) release(ctx context.Context, l *Lease) error {
	id, _ := madcap.ParseID(l.id)
	a.mu.Lock()
	delete(a.leases, id)
	a.mu.Unlock()
	if err := a.client.Release(ctx, id); err != nil && !errors.Is(err, madcap.ErrUnknownLease) {
		return fmt.Errorf("alloc: %w; the server keeps the addresses until %s", err, l.Expires().Format(time.RFC3339))
	}
	return nil
}

func (a *MADCAP) expire(l *Lease) {
	id, _ := madcap.ParseID(l.id)
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.leases, id)
}

// lose ends all leases.
func (a *MADCAP) lose(why error) {
	a.mu.Lock()
	all := a.leases
	a.closed, a.leases = true, nil
	a.mu.Unlock()
	for _, l := range all {
		l.finish(why)
	}
}

// Close implements Allocator. Leases stay granted at the server until their end. It can be
// called again.
func (a *MADCAP) Close() error {
	a.cancel()
	err := a.client.Close()
	a.done.Wait()
	a.lose(fmt.Errorf("alloc: %w", net.ErrClosed))
	return err
}
