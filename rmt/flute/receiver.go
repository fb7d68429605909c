package flute

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/flute/core"
)

// ReceiverStats counts what a receiver has seen.
type ReceiverStats = core.ReceiverStats

// maxWaiting bounds the files that wait to be taken from Objects.
const maxWaiting = 65536

// A Receiver receives the files of every session that its connection hears. It is safe
// for concurrent use.
type Receiver struct {
	cfg    ReceiverConfig
	engine *core.Receiver // the loop's, but for NewReceiver
	loop   *drive.Loop
	store  *store
	solver *solver
	spare  []core.ReceiverEvent // the owner's
	solved []*core.Work         // likewise

	mu      sync.Mutex
	waiting []result      // for Objects
	news    chan struct{} // closed and replaced when waiting grows
	fault   error         // why reading ended
}

// A result is an object or the error in its place.
type result struct {
	object *Object
	err    error
}

// NewReceiver starts a receiver on conn, which it owns from then on: Close closes
// it. It wraps ErrConfig when a setting makes no sense, or fails when Dir cannot be
// opened; conn is then left open. Where conn can do that ([mcast.Conn.SetCoalescing]), packets
// that come thick and fast are left to gather for up to 500 us before they are read.
func NewReceiver(conn datagram.Conn, cfg ReceiverConfig) (*Receiver, error) {
	r := &Receiver{news: make(chan struct{})}
	cc := cfg.core()
	r.cfg = cfg
	// Blocks are read back while the loop runs, and so after the store is there.
	cc.Load = func(key core.ObjectKey, off int64, data []byte) error { return r.store.load(key, off, data) }
	engine, err := core.NewReceiver(cc)
	if err != nil {
		return nil, fmt.Errorf("flute: receiver: %w", err)
	}
	var root *os.Root
	if cfg.Dir != "" {
		if root, err = os.OpenRoot(cfg.Dir); err != nil {
			return nil, fmt.Errorf("flute: receiver: %w", err)
		}
		if cfg.KeepPartial >= 0 {
			sweep(root, cfg.KeepPartial, time.Now())
		}
	}
	r.engine = engine
	r.store = newStore(r, root)
	r.solver = newSolver(r)
	started := make(chan struct{})
	r.loop = drive.Start(conn, engine, drive.Config{
		Drain:      func(now time.Time) { <-started; r.drain(now) },
		WriteError: r.networkError,
		ReadError:  func(err error) { <-started; r.readError(err) },
		Coalesce:   drive.FileCoalescing,
	})
	close(started) // r.loop is set
	go r.store.run()
	go r.solver.run()
	return r, nil
}

// Objects yields files as they become complete and, as a *FileError with a nil Object,
// those that were begun and not delivered; an error of that kind does not end it. It
// ends after yielding the error of ctx or, when the receiver is closed or its connection
// broken, that error. Several loops share the files out among them.
func (r *Receiver) Objects(ctx context.Context) iter.Seq2[*Object, error] {
	return func(yield func(*Object, error) bool) {
		for {
			res, news, fault := r.take()
			switch {
			case res != nil:
				if !yield(res.object, res.err) {
					return
				}
				continue
			case fault != nil:
				yield(nil, fault)
				return
			}
			select {
			case <-news:
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

func (r *Receiver) take() (*result, <-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 {
		return nil, r.news, r.fault
	}
	res := r.waiting[0]
	r.waiting[0] = result{}
	r.waiting = r.waiting[1:]
	r.account(&res)
	return &res, nil, nil
}

// account returns the memory of a file that no longer waits.
func (r *Receiver) account(res *result) {
	if res.object != nil {
		r.store.taken(int64(len(res.object.data)))
	}
}

// deliver queues a result for Objects.
func (r *Receiver) deliver(res result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) >= maxWaiting {
		r.account(&r.waiting[0])
		r.waiting = r.waiting[1:]
	}
	r.waiting = append(r.waiting, res)
	r.wake()
}

func (r *Receiver) wake() {
	close(r.news)
	r.news = make(chan struct{})
}

// Forget lets a file that was received be received again, if it is still sent: its content
// was not what it should be. It takes a while, which doubles each time up to a minute.
func (r *Receiver) Forget(o *Object) {
	r.loop.Post(func(now time.Time) { r.engine.Forget(now, o.key) })
}

// Pending returns the files being received.
func (r *Receiver) Pending() []ObjectStatus { return r.store.pending() }

// Stats returns the counters; after Close, the last.
func (r *Receiver) Stats() (st ReceiverStats) {
	if r.loop.Do(func(time.Time) { st = r.engine.Stats() }) != nil {
		<-r.loop.Done() // nobody else has the engine now
		st = r.engine.Stats()
	}
	return st
}

// drain hands the engine's events to the store and the solver; the loop calls it.
func (r *Receiver) drain(now time.Time) {
	free := r.store.released(r.spare)
	for i := range free {
		r.engine.Release(&free[i])
		free[i] = core.ReceiverEvent{}
	}
	r.spare = free
	r.solved = r.solver.take(r.solved)
	for i, w := range r.solved {
		r.engine.Solved(now, w)
		r.solved[i] = nil
	}
	for e, ok := r.engine.Event(); ok; e, ok = r.engine.Event() {
		switch e.Type {
		case core.SessionNew:
			r.log("session", "key", e.Key.Session)
		case core.SessionGone:
			r.log("session gone", "key", e.Key.Session, "error", e.Err)
		case core.TableReceived:
			r.log("file delivery table", "session", e.Key.Session, "files", len(e.Table.Files), "complete", e.Table.Complete)
		case core.BlockSolvable:
			r.solver.put(e.Work)
		default:
			r.store.put(job{event: e, at: now})
		}
	}
}

func (r *Receiver) networkError(err error) { r.log("network", "error", err) }

func (r *Receiver) readError(err error) {
	r.log("network", "error", err)
	r.fail(fmt.Errorf("flute: receiver: %w", err))
}

func (r *Receiver) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault == nil {
		r.fault = err
		r.wake()
	}
}

func (r *Receiver) log(msg string, args ...any) {
	if r.cfg.Logger != nil {
		r.cfg.Logger.Debug("flute receiver: "+msg, args...)
	}
}

// Close ends the receiver and closes its connection. What was not complete is kept for a
// later receiver where ReceiverConfig.KeepPartial says so, otherwise removed. Objects
// yields what is complete and then net.ErrClosed. It can be called again.
func (r *Receiver) Close() error {
	err := r.loop.Close()
	r.solver.close()
	r.store.close()
	r.fail(fmt.Errorf("flute: receiver: %w", net.ErrClosed))
	return err
}

func isDigest(err error) bool { return errors.Is(err, ErrDigest) || errors.Is(err, ErrEncoding) }
