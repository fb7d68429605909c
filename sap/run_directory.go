package sap

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/mcast/group"
)

// maxEvents is how many events wait for a reader of Events.
const maxEvents = 8192

// saveAnyway is how long the times of sessions in a Store are let grow old when nothing
// else changes.
const saveAnyway = 15 * time.Minute

// ErrNoFree means that no free group was found.
var ErrNoFree = errors.New("sap: no free group")

// A Directory listens to announcements and knows the sessions. It sends nothing. It is
// safe for concurrent use.
type Directory struct {
	cfg    DirectoryConfig
	engine *directory // the loop's
	loop   *drive.Loop
	paths  *paths

	settled <-chan struct{} // closed when it has listened for cfg.Listen
	settle  *time.Timer
	saver   sync.WaitGroup
	stop    chan struct{}
	once    sync.Once

	mu    sync.Mutex
	subs  map[*subscriber]struct{}
	fault error // why Events ends
	store error // of saving, the last time
}

// NewDirectory starts a directory on connections that have joined the SAP groups, see
// AllGroups, and that it owns from then on: Close closes them. The error wraps
// ErrConfig, or is that of the Store; the connections are then left open.
func NewDirectory(cfg DirectoryConfig, ways ...Path) (*Directory, error) {
	e, err := newDirectory(cfg)
	if err != nil {
		return nil, err
	}
	d := &Directory{cfg: e.cfg, engine: e, subs: make(map[*subscriber]struct{}), stop: make(chan struct{})}
	if cfg.Store != nil {
		data, err := cfg.Store.Load()
		if err != nil {
			return nil, fmt.Errorf("sap: directory: %w", err)
		}
		e.restore(time.Now(), data)
	}
	if d.paths, err = newPaths(ways, e.cfg.MaxPacket); err != nil {
		return nil, err
	}
	settled := make(chan struct{})
	d.settled = settled
	d.settle = time.AfterFunc(e.cfg.Listen, func() { close(settled) })
	d.loop = drive.Start(d.paths, e, drive.Config{Drain: d.drain, ReadError: d.readError})
	if cfg.Store != nil {
		d.saver.Add(1)
		go d.save()
	}
	return d, nil
}

// Sessions returns what is known now, in the order of the keys.
func (d *Directory) Sessions() (all []Listing) {
	d.do(func() { all = d.engine.listings() })
	return all
}

// Stats returns the counters; after Close, the last.
func (d *Directory) Stats() (st DirectoryStats) {
	d.do(func() { st = d.engine.counters() })
	return st
}

// do runs fn when nobody else has the engine, also after Close.
func (d *Directory) do(fn func()) {
	if d.loop.Do(func(time.Time) { fn() }) != nil {
		<-d.loop.Done()
		d.mu.Lock()
		defer d.mu.Unlock()
		fn()
	}
}

// Settled reports whether the directory has listened for as long as Listen says.
func (d *Directory) Settled() bool {
	select {
	case <-d.settled:
		return true
	default:
		return false
	}
}

// Used reports whether a session that is known uses the group.
func (d *Directory) Used(g netip.Addr) (used bool) {
	g = g.Unmap().WithZone("")
	d.do(func() { used = d.engine.used(g) })
	return used
}

// FreeGroup waits until the directory is Settled and returns a group of the pool, drawn
// at random, that no session known uses and that may be given out (see
// group.Allocate). Who takes it should announce its session at once, and watch
// Announcer.Clashes: two may have drawn the same. The error is ErrNoFree when many
// draws have failed, or that of ctx.
func (d *Directory) FreeGroup(ctx context.Context, pool group.Zone) (netip.Addr, error) {
	if !pool.IsValid() {
		return netip.Addr{}, fmt.Errorf("%w: pool %v to %v", ErrConfig, pool.First, pool.Last)
	}
	select {
	case <-d.settled:
	case <-ctx.Done():
		return netip.Addr{}, ctx.Err()
	}
	rng := rand.New(rand.NewPCG(randomSeed(), randomSeed()))
	for range 1000 {
		g := draw(rng, pool)
		if pool.Contains(g) && sound(g) && !d.Used(g) {
			return g, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%w in %v to %v", ErrNoFree, pool.First, pool.Last)
}

// sound reports whether a group may be given out to a session that is announced.
func sound(g netip.Addr) bool {
	for _, f := range group.Lint(g, group.Use{Purpose: group.Allocate}) {
		if f.Code != group.CodeSAPBlock { // for sessions announced by SAP
			return false
		}
	}
	return true
}

// draw returns an address of the pool, or at times one outside of it.
func draw(rng *rand.Rand, pool group.Zone) netip.Addr {
	first, last := pool.First.As16(), pool.Last.As16()
	differ := false // all bytes from the first that differs are drawn
	for i := range first {
		switch {
		case differ:
			first[i] = byte(rng.UintN(256))
		case first[i] != last[i]:
			first[i] += byte(rng.UintN(uint(last[i]-first[i]) + 1))
			differ = true
		}
	}
	return netip.AddrFrom16(first).Unmap()
}

// A subscriber is a loop over Events.
type subscriber struct {
	queue  []Event
	missed int
	news   chan struct{} // has one when queue has grown
}

func (s *subscriber) put(ev Event) {
	if n := len(s.queue); n >= maxEvents || ev.Kind == Refreshed && n >= maxEvents/2 {
		s.missed++
		return
	}
	ev.Missed, s.missed = ev.Missed+s.missed, 0
	s.queue = append(s.queue, ev)
	s.wake()
}

func (s *subscriber) wake() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// drain hands the engine's events to all subscribers; the loop calls it.
func (d *Directory) drain(time.Time) {
	e := d.engine
	if len(e.happens) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.subs) > 0 {
		for _, h := range e.happens {
			ev := Event{Kind: h.kind, Reason: h.reason, Listing: e.listing(h.x), Old: h.old}
			if h.other != nil {
				ev.Other = e.listing(h.other)
			}
			for s := range d.subs {
				s.put(ev)
			}
		}
		for s := range d.subs {
			s.missed += e.lost
		}
	}
	clear(e.happens)
	e.happens, e.lost = e.happens[:0], 0
}

// Events yields first an Added for each session known already, then what happens. It
// ends after yielding the error of ctx or, when the directory is closed or no
// connection is left, that error. Each loop gets all events. A loop too slow to take
// them loses some, Refreshed ones first, and the next one says how many.
func (d *Directory) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		s := &subscriber{news: make(chan struct{}, 1)}
		if err := d.loop.Do(func(now time.Time) {
			d.drain(now) // what is there already is told only once
			d.mu.Lock()
			defer d.mu.Unlock()
			for _, l := range d.engine.listings() {
				s.queue = append(s.queue, Event{Kind: Added, Listing: l})
			}
			s.wake()
			d.subs[s] = struct{}{}
		}); err != nil {
			yield(Event{}, fmt.Errorf("sap: directory: %w", err))
			return
		}
		defer func() {
			d.mu.Lock()
			delete(d.subs, s)
			d.mu.Unlock()
		}()
		for {
			d.mu.Lock()
			queue, fault := s.queue, d.fault
			s.queue = nil
			d.mu.Unlock()
			for _, ev := range queue {
				if !yield(ev, nil) {
					return
				}
			}
			if len(queue) > 0 {
				continue
			}
			if fault != nil {
				yield(Event{}, fault)
				return
			}
			select {
			case <-s.news:
			case <-ctx.Done():
				yield(Event{}, ctx.Err())
				return
			}
		}
	}
}

func (d *Directory) readError(err error) { d.fail(fmt.Errorf("sap: directory: %w", err)) }

func (d *Directory) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault == nil {
		d.fault = err
	}
	for s := range d.subs {
		s.wake()
	}
}

// Err returns why a connection is not read any more or the Store not written, nil if
// all is well. The directory goes on as long as a connection is left.
func (d *Directory) Err() error {
	if err := d.paths.Fault(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.store
}

// save writes the sessions to the Store, now and then and at the end.
func (d *Directory) save() {
	defer d.saver.Done()
	tick := time.NewTicker(d.cfg.SaveEvery)
	defer tick.Stop()
	var saved uint64
	last, failed := time.Now(), false
	for end := false; !end; {
		select {
		case <-tick.C:
		case <-d.stop:
			end = true
		}
		var data []byte
		due := false
		d.do(func() {
			n := d.engine.changes
			if due = end || failed || n != saved || time.Since(last) >= saveAnyway; due {
				data, saved = d.engine.dump(), n
			}
		})
		if !due {
			continue
		}
		err := d.cfg.Store.Save(data)
		last, failed = time.Now(), err != nil
		d.mu.Lock()
		d.store = err
		d.mu.Unlock()
	}
}

// Close ends the directory, writes the Store and closes the connections. Events yields
// what is left and then an error wrapping net.ErrClosed. It returns the error of the
// Store, and can be called again.
func (d *Directory) Close() error {
	d.loop.Close()
	d.settle.Stop()
	d.once.Do(func() { close(d.stop) })
	d.saver.Wait()
	d.fail(fmt.Errorf("sap: directory: %w", net.ErrClosed))
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.store
}
