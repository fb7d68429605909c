package norm

import (
	"context"
	"fmt"
	"iter"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/core"
)

// ReceiverStats counts what a receiver has seen, and what of it nobody wanted to know.
type ReceiverStats struct {
	core.ReceiverStats
	Untaken Untaken
}

// Untaken counts what gave way to others because the application did not take it. Where it
// has no use for what is counted, it is nothing to worry about.
type Untaken struct {
	Results   uint64 // for Receiver.Objects: objects, sets and errors
	Streams   uint64 // for Receiver.AcceptStream
	Commands  uint64 // for Receiver.Commands
	Questions uint64 // for ReceiverConfig.Answer
}

// maxWaiting bounds the objects that wait to be taken from Objects.
const maxWaiting = 65536

// A Receiver receives the objects of every sender in a session. It is safe for
// concurrent use.
type Receiver struct {
	cfg    ReceiverConfig
	id     NodeID
	engine *core.Receiver // the loop's, but for NewReceiver
	loop   *drive.Loop
	store  *store

	reports reports[ReceiverReport]

	streams map[core.ObjectKey]*StreamReader // the owner's, and in the end of who closes first
	ended   sync.Once
	begun   map[core.ObjectKey]bool // objects that the store knows and the engine receives; the owner's

	asked chan struct{} // has an item when requests has grown

	mu       sync.Mutex
	waiting  []result        // for Objects
	fresh    []*StreamReader // for AcceptStream
	commands fairQueue[Command]
	requests fairQueue[request] // for ReceiverConfig.Answer
	news     chan struct{}      // closed and replaced when one of these but the last grows
	untaken  Untaken
	fault    error // why reading ended
}

// A result is an object or the error in its place.
type result struct {
	object *Object
	err    error
}

// NewReceiver starts a receiver on conn, which it owns from then on: Close closes
// it. It wraps ErrConfig when a setting makes no sense, or fails when Dir cannot be
// opened; conn is then left open.
//
// Where conn can do that ([mcast.Conn.SetCoalescing]), packets that come thick and fast are
// left to gather for up to 500 us before they are read, unless RepairBySymbol or DirectRead
// is set.
func NewReceiver(conn datagram.Conn, cfg ReceiverConfig) (*Receiver, error) {
	if err := cfg.files(); err != nil {
		return nil, fmt.Errorf("norm: receiver: %w", err)
	}
	cc := cfg.core()
	engine, err := core.NewReceiver(cc)
	if err != nil {
		return nil, fmt.Errorf("norm: receiver: %w", err)
	}
	var root *os.Root
	if cfg.Dir != "" {
		if root, err = os.OpenRoot(cfg.Dir); err != nil {
			return nil, fmt.Errorf("norm: receiver: %w", err)
		}
	}
	r := &Receiver{
		cfg: cfg, id: cc.NodeID, engine: engine, streams: make(map[core.ObjectKey]*StreamReader), begun: make(map[core.ObjectKey]bool),
		news: make(chan struct{}), asked: make(chan struct{}, 1),
	}
	r.store = newStore(r, root)
	r.loop = drive.Start(conn, engine, drive.Config{Drain: r.drain, WriteError: r.writeError, ReadError: r.readError, Coalesce: cfg.coalesce()})
	go r.store.run()
	if cfg.Answer != nil {
		go r.answer()
	}
	return r, nil
}

// NodeID returns the receiver's node ID.
func (r *Receiver) NodeID() NodeID { return r.id }

// Objects yields objects as they become complete and, as an *ObjectError with a nil
// Object, those that were begun and not delivered; an error of that kind does not
// end it. The end of a set of files is an Object too: see [Object.Set]. It ends after
// yielding the error of ctx or, when the receiver is closed or its connection broken,
// that error. Several loops share the objects out among
// them.
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
	if len(r.waiting) > 0 {
		res := r.waiting[0]
		r.waiting[0] = result{}
		r.waiting = r.waiting[1:]
		r.store.taken(&res)
		return &res, nil, nil
	}
	return nil, r.news, r.fault
}

// deliver queues a result for Objects.
func (r *Receiver) deliver(res result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) >= maxWaiting {
		r.store.taken(&r.waiting[0])
		r.waiting[0] = result{}
		r.waiting = r.waiting[1:]
		r.untaken.Results++
	}
	r.waiting = append(r.waiting, res)
	r.wake()
}

func (r *Receiver) wake() {
	close(r.news)
	r.news = make(chan struct{})
}

// Pending returns the objects being received.
func (r *Receiver) Pending() []ObjectStatus { return r.store.pending() }

// Stats returns the counters; after Close, the last.
func (r *Receiver) Stats() (st ReceiverStats) {
	if r.loop.Do(func(time.Time) { st = r.counts() }) != nil {
		<-r.loop.Done() // nobody else has the engine now
		st = r.counts()
	}
	return st
}

// counts returns the counters to who has the engine.
func (r *Receiver) counts() ReceiverStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ReceiverStats{r.engine.Stats(), r.untaken}
}

// drain hands the engine's events to the store; the loop calls it.
func (r *Receiver) drain(now time.Time) {
	for _, b := range r.store.released(now) {
		r.engine.Release(b)
	}
	r.store.hold.scarce.Store(r.engine.Scarce())
	behind := r.store.behind()
	for e, ok := r.engine.Event(); ok; e, ok = r.engine.Event() {
		if e.Type == core.SenderClash {
			if r.cfg.Logger != nil {
				r.cfg.Logger.Warn("norm receiver: node ID", "error", e.Err)
			}
			continue
		}
		if r.commandEvent(&e) {
			continue
		}
		if e.Type == core.InfoReceived && !r.store.mayHave(e.Data) {
			r.engine.Prime(now, e.Key, nil)
		}
		if !r.streamEvent(now, &e) && r.begins(now, &e, behind) {
			r.store.put(job{event: e, at: now})
		}
	}
}

// begins keeps account of the objects that the store has heard of. It returns false for one
// that it is not to hear of, being behind.
func (r *Receiver) begins(now time.Time, e *core.ReceiverEvent, behind bool) bool {
	switch e.Type {
	case core.ObjectNew, core.InfoReceived:
		if behind && !r.begun[e.Key] {
			r.engine.Stored(now, e.Key, ErrQuota)
			r.log("object refused: too much waits to be stored", "object", e.Key.Object)
			return false
		}
		r.begun[e.Key] = true
	case core.ObjectReceived, core.ObjectAborted:
		if behind && !r.begun[e.Key] {
			return false
		}
		delete(r.begun, e.Key)
	}
	return true
}

// stored tells the engine what became of an object; the owner calls it.
func (r *Receiver) stored(now time.Time, key core.ObjectKey, err error) {
	delete(r.begun, key)
	r.engine.Stored(now, key, err)
}

func (r *Receiver) writeError(err error) { r.log("network", "error", err) }

func (r *Receiver) readError(err error) {
	r.log("network", "error", err)
	r.fail(fmt.Errorf("norm: receiver: %w", err))
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
		r.cfg.Logger.Debug("norm receiver: "+msg, args...)
	}
}

// Shutdown stays until every sender has said goodbye or fallen silent, or ctx ends,
// so that what was received is also confirmed to those who asked; then it closes the
// receiver. It returns ctx's error if that came first.
func (r *Receiver) Shutdown(ctx context.Context) error {
	defer r.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		idle := false
		if err := r.loop.Do(func(now time.Time) { idle = r.engine.Idle(now) }); err != nil || idle {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close ends the receiver and closes its connection. What was not complete is
// removed, but for files that ReceiverConfig.KeepPartial keeps. Objects yields what is
// complete and then net.ErrClosed. A call of ReceiverConfig.Answer is not waited for. It
// can be called again.
func (r *Receiver) Close() error {
	err := r.loop.Close()
	r.ended.Do(func() {
		for _, s := range r.streams { // the owner is gone
			s.fail(net.ErrClosed)
		}
	})
	r.store.close()
	r.fail(fmt.Errorf("norm: receiver: %w", net.ErrClosed))
	return err
}
