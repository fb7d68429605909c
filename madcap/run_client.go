package madcap

import (
	"context"
	"fmt"
	"iter"
	"net"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// A RunningClient is a Client on a connection. It is safe for concurrent use.
type RunningClient struct {
	engine *Client // the loop's
	loop   *drive.Loop
	events *mailbox[ClientEvent]

	mu      sync.Mutex
	waiting map[uint64]chan ClientEvent // calls, by transaction
	fault   error
}

// RunClient starts a client on conn, which sends to groups and single hosts and receives
// what comes back to its own port, as mcast.Dial's does with Unicast, and which the client
// owns from then on. The error wraps ErrConfig; conn is then left open.
func RunClient(conn datagram.Conn, cfg ClientConfig) (*RunningClient, error) {
	if cfg.Rand == nil {
		cfg.Rand = strongRand()
	}
	e, err := NewClient(time.Now(), cfg)
	if err != nil {
		return nil, err
	}
	r := &RunningClient{engine: e, events: newMailbox[ClientEvent](maxClientEvents), waiting: make(map[uint64]chan ClientEvent)}
	r.loop = drive.Start(conn, e, drive.Config{Drain: r.drain, WriteError: r.fail, ReadError: r.readError})
	return r, nil
}

func (r *RunningClient) drain(time.Time) {
	for e, ok := r.engine.Event(); ok; e, ok = r.engine.Event() {
		r.events.put(e)
		r.mu.Lock()
		c := r.waiting[e.Tx]
		r.mu.Unlock()
		if c != nil {
			select {
			case c <- e:
			default: // more answers than anybody needs
			}
		}
	}
}

func (r *RunningClient) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = err
}

func (r *RunningClient) readError(err error) {
	r.fail(err)
	r.events.close(fmt.Errorf("madcap: client: %w", err))
}

// Err returns the last error of the network, nil if there was none. A message that could
// not be sent is sent again like one that was lost.
func (r *RunningClient) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}

// call begins something and hands its events to each until that returns true.
func (r *RunningClient) call(ctx context.Context, begin func(now time.Time) (uint64, error), each func(ClientEvent) bool) error {
	var tx uint64
	var err error
	c := make(chan ClientEvent, maxOffersSeen+8)
	if closed := r.loop.Do(func(now time.Time) {
		if tx, err = begin(now); err == nil {
			r.mu.Lock()
			r.waiting[tx] = c
			r.mu.Unlock()
		}
	}); closed != nil {
		return fmt.Errorf("madcap: client: %w", closed)
	}
	if err != nil {
		return err
	}
	defer func() {
		r.mu.Lock()
		delete(r.waiting, tx)
		r.mu.Unlock()
	}()
	for {
		select {
		case e := <-c:
			if each(e) {
				return nil
			}
		case <-ctx.Done():
			_ = r.loop.Do(func(now time.Time) { r.engine.Cancel(now, tx) }) // closed is as good
			return ctx.Err()
		case <-r.loop.Done():
			return fmt.Errorf("madcap: client: %w", net.ErrClosed)
		}
	}
}

// Allocate asks for a lease and waits for it. When the server asks to come back later it
// goes on waiting. The error is a Failure when servers refused, ErrNoAnswer when none
// answered, wraps ErrRequest, or is that of ctx; a lease granted too late is then
// released.
func (r *RunningClient) Allocate(ctx context.Context, q Request) (l ClientLease, err error) {
	e := r.call(ctx, func(now time.Time) (uint64, error) { return r.engine.Allocate(now, q) }, func(e ClientEvent) bool {
		l, err = e.Lease, e.Err
		return e.Kind == ClientAllocated || e.Kind == ClientFailed
	})
	return l, firstOf(e, err)
}

// Renew asks for another end, or start, of a lease and waits for it. Errors are as those of
// Allocate, or wrap ErrUnknownLease; the lease then goes on to its end, unless the
// server does not know it: see ClientLost.
func (r *RunningClient) Renew(ctx context.Context, id ID, q Renewal) (l ClientLease, err error) {
	e := r.call(ctx, func(now time.Time) (uint64, error) { return r.engine.Renew(now, id, q) }, func(e ClientEvent) bool {
		l, err = e.Lease, e.Err
		return e.Kind == ClientRenewed || e.Kind == ClientFailed
	})
	return l, firstOf(e, err)
}

// Release gives a lease back and waits until the server knows.
func (r *RunningClient) Release(ctx context.Context, id ID) (err error) {
	e := r.call(ctx, func(now time.Time) (uint64, error) { return r.engine.Release(now, id) }, func(e ClientEvent) bool {
		err = e.Err
		return e.Kind == ClientReleased || e.Kind == ClientFailed
	})
	return firstOf(e, err)
}

// GetInfo asks servers what they know and waits for the answers, at least one.
func (r *RunningClient) GetInfo(ctx context.Context, q InfoRequest) (all []Info, err error) {
	e := r.call(ctx, func(now time.Time) (uint64, error) { return r.engine.GetInfo(now, q) }, func(e ClientEvent) bool {
		if err = e.Err; e.Kind == ClientInfo {
			all = append(all, e.Info)
		}
		return e.Kind == ClientInfoDone || e.Kind == ClientFailed
	})
	return all, firstOf(e, err)
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// Adopt takes a lease over that the program had before it was started anew; see
// Client.Adopt.
func (r *RunningClient) Adopt(l ClientLease) (err error) {
	if closed := r.loop.Do(func(now time.Time) { err = r.engine.Adopt(now, l) }); closed != nil {
		return fmt.Errorf("madcap: client: %w", closed)
	}
	return err
}

// Leases returns the leases the client has now.
func (r *RunningClient) Leases() (all []ClientLease) {
	_ = r.loop.Do(func(time.Time) { // none when it is closed
		r.engine.Leases(func(l ClientLease) bool { all = append(all, l); return true })
	})
	return all
}

// Events yields what happens, also what calls waited for; what happened before anybody
// asked waits, the latest 8,192 events. It ends after yielding the error of ctx or, when
// the client is closed or its connection broken, that error. Several loops share the
// events out among them.
func (r *RunningClient) Events(ctx context.Context) iter.Seq2[ClientEvent, error] {
	return r.events.each(ctx)
}

// Shutdown releases all leases, waits until the servers know, and closes. It returns the
// first error of a release, or that of ctx.
func (r *RunningClient) Shutdown(ctx context.Context) (err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, l := range r.Leases() {
		wg.Go(func() {
			if e := r.Release(ctx, l.ID); e != nil {
				mu.Lock()
				err = firstOf(err, e)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	r.Close()
	return err
}

// Close ends the client and closes its connection. Its leases stay granted until they
// end; Leases tells before what to keep for Adopt. It can be called again.
func (r *RunningClient) Close() error {
	err := r.loop.Close()
	r.events.close(fmt.Errorf("madcap: client: %w", net.ErrClosed))
	return err
}
