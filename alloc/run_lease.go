package alloc

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// An Allocator grants addresses. All of this package are safe for concurrent use.
type Allocator interface {
	// Allocate grants a lease, and waits as long as that takes or until ctx is done.
	// The error wraps ErrRequest for what can never be had, ErrNoFree for what cannot
	// be had now, or is that of ctx or of whoever was asked.
	Allocate(ctx context.Context, r Request) (*Lease, error)

	// Close ends the allocator. What it granted is not released: its leases are lost
	// with net.ErrClosed, but where others know of them they go on to their end.
	Close() error
}

// A Lease is addresses that are the program's until Expires. It is safe for concurrent
// use.
type Lease struct {
	id     string
	addrs  []netip.Addr
	source netip.Addr
	start  time.Time
	asked  Renewal // of the request
	by     granter
	number uint64 // by's
	lost   chan struct{}

	mu    sync.Mutex
	end   time.Time // zero is never
	timer *time.Timer
	err   error
}

// A granter is the allocator of a lease as the lease sees it.
type granter interface {
	// renew returns the new end.
	renew(ctx context.Context, l *Lease, r Renewal) (end time.Time, err error)

	// release gives the addresses of a lease that has ended back.
	release(ctx context.Context, l *Lease) error

	// expire is told that the lease has ended by itself.
	expire(l *Lease)
}

// begin makes a lease live.
func (l *Lease) begin(end time.Time) *Lease {
	l.lost = make(chan struct{})
	l.setEnd(end)
	return l
}

// setEnd sets the end unless the lease has ended.
func (l *Lease) setEnd(end time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.end = end; end.IsZero() {
		return
	}
	l.timer = time.AfterFunc(time.Until(end), func() {
		l.mu.Lock()
		early := l.end.IsZero() || time.Now().Before(l.end) // renewed just now
		l.mu.Unlock()
		if !early && l.finish(ErrExpired) {
			l.by.expire(l)
		}
	})
}

// finish ends the lease, and reports whether it had not ended before.
func (l *Lease) finish(why error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return false
	}
	if l.timer != nil {
		l.timer.Stop()
	}
	l.err = why
	close(l.lost)
	return true
}

// ID returns what the allocator knows the lease by: for MADCAP the Lease Identifier in
// hexadecimal, else a number.
func (l *Lease) ID() string { return l.id }

// Addrs returns the addresses, in ascending order, in a slice that is the caller's.
func (l *Lease) Addrs() []netip.Addr { return slices.Clone(l.addrs) }

// Channels returns the addresses as what to join: with the source if they are
// source-specific groups of NewSSM.
func (l *Lease) Channels() []group.Channel {
	all := make([]group.Channel, len(l.addrs))
	for i, a := range l.addrs {
		all[i] = group.Channel{Group: a, Source: l.source}
	}
	return all
}

// Family returns the IP version of the addresses.
func (l *Lease) Family() Family { return familyOf(l.addrs[0]) }

// Start returns when the addresses may be used.
func (l *Lease) Start() time.Time { return l.start }

// Expires returns when the lease ends unless it is renewed; the zero Time is never.
func (l *Lease) Expires() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// Lost returns a channel that is closed when the lease has ended: by Release, or because
// it has expired, is another's, or its allocator was closed. Err says why. Whoever uses
// the addresses has to stop then.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Err returns why the lease has ended, nil while it has not: an error wrapping ErrReleased,
// ErrExpired, ErrClash or net.ErrClosed, or what a server said.
func (l *Lease) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Renew gives the lease another end. After an error it has the end it had, or, when the
// error is that of Err, none any more. Others are ErrRequest, that of ctx, or what whoever
// was asked said.
func (l *Lease) Renew(ctx context.Context, r Renewal) error {
	if err := l.Err(); err != nil {
		return err
	}
	if err := (Request{Lifetime: r.Lifetime, MinLifetime: r.MinLifetime}).Validate(); err != nil {
		return err
	}
	if r == (Renewal{}) {
		r = l.asked
	}
	end, err := l.by.renew(ctx, l, r)
	if err != nil {
		return err
	}
	l.setEnd(end)
	return l.Err()
}

// Release gives the addresses back. The lease has ended when it returns, whatever the
// error; with one others may keep the addresses until its end. Releasing again does
// nothing. A lease that was lost returns Err.
func (l *Lease) Release(ctx context.Context) error {
	if l.finish(ErrReleased) {
		return l.by.release(ctx, l)
	}
	if err := l.Err(); err != ErrReleased {
		return err
	}
	return nil
}

// leastWait is how long Keep waits at least between two attempts.
const leastWait = time.Second

// Keep renews the lease each time that half of what it had left is over, until ctx is done
// or the lease has ended, and returns why. A renewal that fails is tried again. renewed is
// called after each, with its error; it may be nil.
func (l *Lease) Keep(ctx context.Context, renewed func(error)) error {
	for {
		var due <-chan time.Time
		if end := l.Expires(); !end.IsZero() {
			due = time.After(max(time.Until(end)/2, leastWait))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.lost:
			return l.Err()
		case <-due:
			err := l.Renew(ctx, Renewal{})
			if ctx.Err() == nil && l.Err() == nil && renewed != nil {
				renewed(err)
			}
		}
	}
}
