package madcap

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// How long to wait before a store that failed is tried again: ever longer.
const (
	firstStoreRetry = 50 * time.Millisecond
	lastStoreRetry  = 5 * time.Second
)

// A RunningServer is a Server on a connection, with its store. It is safe for concurrent
// use.
type RunningServer struct {
	engine *Server // the loop's
	loop   *drive.Loop
	store  Store
	work   chan []Change
	quit   chan struct{}
	once   sync.Once
	wg     sync.WaitGroup
	events *mailbox[ServerEvent]

	mu      sync.Mutex
	learned []Change // told by the store, not yet by us to the engine
	started bool
	fault   error // of the store or the network; nil if all is well
}

// RunServer starts a server on conn, with the leases in store. conn has to receive at
// Port what is sent to the groups of ServerGroups and to the host's own address, as
// mcast.Listen does with MultiGroup and Unicast; it sends the answers too. The server owns
// both from then on. On an error, which wraps ErrConfig or is the store's, both are left
// open.
//
// A store that fails is tried again until it does what it is to; meanwhile nothing is
// granted, and Err says why.
func RunServer(conn datagram.Conn, cfg ServerConfig, store Store) (*RunningServer, error) {
	if cfg.Rand == nil {
		cfg.Rand = strongRand()
	}
	if _, watches := store.(Watcher); cfg.Shared && !watches {
		return nil, fmt.Errorf("%w: Shared, but the store does not tell of changes by others (Watcher)", ErrConfig)
	}
	e, err := NewServer(time.Now(), cfg)
	if err != nil {
		return nil, err
	}
	r := &RunningServer{
		engine: e, store: store, work: make(chan []Change, 1), quit: make(chan struct{}),
		events: newMailbox[ServerEvent](maxServerEvents),
	}
	if w, watches := store.(Watcher); cfg.Shared && watches {
		if err := w.Watch(r.tell); err != nil {
			return nil, fmt.Errorf("madcap: server: %w", err)
		}
	}
	if err := store.Load(func(l Lease) bool { e.Restore(l); return true }); err != nil {
		return nil, fmt.Errorf("madcap: server: %w", err)
	}
	r.mu.Lock()
	e.Learn(time.Now(), r.learned)
	r.learned = nil
	r.loop = drive.Start(conn, e, drive.Config{Drain: r.drain, ReadError: r.readError, WriteError: r.fail})
	r.started = true
	r.mu.Unlock()
	r.wg.Add(1)
	go r.commit()
	return r, nil
}

// strongRand returns a source that nobody can foretell.
func strongRand() *rand.Rand {
	var seed [32]byte
	crand.Read(seed[:]) // never fails
	return rand.New(rand.NewChaCha8(seed))
}

// drain hands on what the engine has; the loop calls it.
func (r *RunningServer) drain(time.Time) {
	for e, ok := r.engine.Event(); ok; e, ok = r.engine.Event() {
		r.events.put(e)
	}
	if batch := r.engine.Changes(); batch != nil {
		r.work <- batch // has room: one batch is out at a time
	}
}

// commit brings changes to the store, one batch after the other.
func (r *RunningServer) commit() {
	defer r.wg.Done()
	for {
		var batch []Change
		select {
		case batch = <-r.work:
		case <-r.quit:
			return
		}
		for wait := firstStoreRetry; ; wait = min(2*wait, lastStoreRetry) {
			err := r.store.Commit(batch)
			r.setFault(err)
			if err == nil {
				break
			}
			select {
			case <-time.After(wait):
			case <-r.quit:
				return
			}
		}
		if r.loop.Post(func(now time.Time) { r.engine.Committed(now, batch) }) != nil {
			return
		}
	}
}

// tell takes changes from a shared store.
func (r *RunningServer) tell(changes []Change) {
	r.mu.Lock()
	first := len(r.learned) == 0
	r.learned = append(r.learned, changes...)
	started := r.started
	r.mu.Unlock()
	if first && started {
		_ = r.loop.Post(func(now time.Time) { // a closed server has nothing to learn
			r.mu.Lock()
			changes := r.learned
			r.learned = nil
			r.mu.Unlock()
			r.engine.Learn(now, changes)
		})
	}
}

func (r *RunningServer) setFault(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = err
}

func (r *RunningServer) fail(err error) { r.setFault(err) }

func (r *RunningServer) readError(err error) {
	r.setFault(err)
	r.events.close(fmt.Errorf("madcap: server: %w", err))
}

// Err returns what keeps the server from its work now: the last error of the store or
// the network, nil if the last thing went well.
func (r *RunningServer) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}

// Events yields what happens; what happened before anybody asked waits, the latest
// 8,192 events. It ends after yielding the error of ctx or, when the server is closed or
// its connection broken, that error. Several loops share the events out among them.
func (r *RunningServer) Events(ctx context.Context) iter.Seq2[ServerEvent, error] {
	return r.events.each(ctx)
}

// Do runs f with the server between two packets and waits for it. f must not keep the
// server. It returns net.ErrClosed when the server has ended and f will not run.
func (r *RunningServer) Do(f func(now time.Time, s *Server)) error {
	return r.loop.Do(func(now time.Time) { f(now, r.engine) })
}

// Stats returns the counters; after Close, the last.
func (r *RunningServer) Stats() (st ServerStats) {
	if r.loop.Do(func(time.Time) { st = r.engine.Stats() }) != nil {
		<-r.loop.Done() // nobody else has the engine now
		st = r.engine.Stats()
	}
	return st
}

// Close ends the server and closes its connection and its store. Nothing needs to be said
// first: what was acknowledged is in the store. It returns the store's error and can
// be called again.
func (r *RunningServer) Close() (err error) {
	r.loop.Close()
	r.once.Do(func() {
		close(r.quit)
		r.wg.Wait()
		err = r.store.Close()
		r.events.close(fmt.Errorf("madcap: server: %w", net.ErrClosed))
	})
	return err
}
