package alloc

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// Config configures an allocator whose book is in this process. The zero Config is good.
type Config struct {
	// InUse, when set, yields addresses that others use. It is asked at each Allocate,
	// and must not wait.
	InUse iter.Seq[netip.Addr]

	// AllowAliases lets addresses share their Ethernet address with one in use.
	AllowAliases bool

	// Seed is where chance comes from, for tests; 0 is one that nobody can foretell.
	Seed uint64
}

// newRand returns a source of chance for a Seed.
func newRand(seed uint64) *rand.Rand {
	if seed != 0 {
		return rand.New(rand.NewPCG(seed, seed))
	}
	var key [32]byte
	crand.Read(key[:]) // never fails
	return rand.New(rand.NewChaCha8(key))
}

// A Local is an Allocator that asks nobody.
type Local struct {
	cfg    Config
	offer  func(*terms) (offer, error)
	source netip.Addr // of source-specific groups
	family Family     // when a request does not tell

	mu     sync.Mutex
	book   *book
	leases map[uint64]*Lease
	closed bool
}

var _ Allocator = (*Local)(nil)

func newLocal(cfg Config, o func(*terms) (offer, error)) (*Local, error) {
	return &Local{cfg: cfg, offer: o, book: newBook(newRand(cfg.Seed), cfg.AllowAliases), leases: make(map[uint64]*Lease)}, nil
}

// Allocate implements Allocator. It does not wait. A request without a Lifetime gets
// addresses without an end. When too few are free the error is a LaterError if leases will
// end.
func (a *Local) Allocate(ctx context.Context, r Request) (*Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.Family == 0 && !r.Zone.IsValid() {
		r.Family = a.family
	}
	now := time.Now()
	t, err := r.resolve(now)
	if err != nil {
		return nil, err
	}
	o, err := a.offer(&t)
	if err != nil {
		return nil, err
	}
	o.inUse = newSet(a.cfg.InUse)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, fmt.Errorf("alloc: %w", net.ErrClosed)
	}
	for i, z := range o.zones {
		o.zones[i] = narrow(a.book.rng, z)
	}
	c, err := a.book.grant(now, &t, &o)
	if err != nil {
		return nil, err
	}
	l := &Lease{id: strconv.FormatUint(c.id, 10), addrs: c.addrs, source: a.source, start: t.Start, asked: t.renewal(), by: a, number: c.id}
	a.leases[c.id] = l.begin(c.end)
	return l, nil
}

// renewal returns what asks for the same lifetime again.
func (t *terms) renewal() Renewal {
	return Renewal{Lifetime: t.Lifetime, MinLifetime: t.MinLifetime}
}

func (a *Local) renew(_ context.Context, l *Lease, r Renewal) (time.Time, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	from := now
	if l.start.After(now) {
		from = l.start
	}
	end := endOf(from, r.Lifetime)
	if !a.book.extend(now, l.number, end) {
		return time.Time{}, ErrExpired
	}
	return end, nil
}

func (a *Local) release(_ context.Context, l *Lease) error {
	a.expire(l)
	return nil
}

func (a *Local) expire(l *Lease) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.book.drop(l.number)
	delete(a.leases, l.number)
}

// InUse yields the addresses that are leased now, as Config.InUse of another allocator
// takes them.
func (a *Local) InUse(yield func(netip.Addr) bool) {
	a.mu.Lock()
	var all []netip.Addr
	a.book.advance(time.Now())
	for _, c := range a.book.claims {
		all = append(all, c.addrs...)
	}
	a.mu.Unlock()
	for _, x := range all {
		if !yield(x) {
			return
		}
	}
}

// Close implements Allocator. It can be called again.
func (a *Local) Close() error {
	a.mu.Lock()
	leases := a.leases
	a.closed, a.leases = true, nil
	a.mu.Unlock()
	for _, l := range leases {
		l.finish(fmt.Errorf("alloc: %w", net.ErrClosed))
	}
	return nil
}
