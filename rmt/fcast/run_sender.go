package fcast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/gomulticast/multicast/rmt/lct"
)

// SenderConfig holds a sender's settings beside those of its transport. Zero fields take
// the default of their comment.
type SenderConfig struct {
	// CIDInterval is the time from one Carousel Instance Descriptor to the next.
	// Default 1 s; negative sends none.
	CIDInterval time.Duration

	// Cycle is the time between two transmissions of an object: over ALC from the
	// end of one to the beginning of the next, over NORM from beginning to
	// beginning, or as long as all take. Default 0 over ALC is at once, over NORM
	// 10 s.
	Cycle time.Duration

	// Compress compresses metadata and object lists.
	Compress bool

	// Logger, if set, is told of objects that cannot be sent again.
	Logger *slog.Logger
}

// settle is how long a change of the carousel waits for others to be told with it.
const settle = 10 * time.Millisecond

func (c *SenderConfig) normalize() error {
	if c.CIDInterval == 0 {
		c.CIDInterval = time.Second
	}
	if c.Cycle < 0 {
		return fmt.Errorf("%w: a cycle of %v", ErrConfig, c.Cycle)
	}
	return nil
}

// A Sender has objects on a carousel: each is sent again and again, with a descriptor
// of what there is, until it is removed. Every change makes a new carousel instance (RFC
// 6968 section 3.4). It is safe for concurrent use.
type Sender struct {
	cfg     SenderConfig
	carrier carrier
	quit    chan struct{}
	done    chan struct{}
	changed chan struct{} // of 1
	cid     carried       // the descriptor on the air; the goroutine's alone
	once    sync.Once

	sending chan struct{} // of 1: full while the carrier is given something
	last    lct.TOI       // of what it was given, guarded by sending

	mu       sync.Mutex
	items    []*Item // on the air
	next     uint64  // the next instance's ID
	complete bool
}

// An Item is an object on the carousel.
type Item struct {
	s        *Sender
	compound *Compound

	// Guarded by s.mu.
	carried carried
	toi     lct.TOI
	first   Key  // what it was first sent as
	listed  bool // first is valid
}

func newSender(c carrier, cfg SenderConfig) *Sender {
	s := &Sender{cfg: cfg, carrier: c, quit: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{}, 1), sending: make(chan struct{}, 1)}
	go s.run()
	return s
}

// Add puts size bytes of data on the carousel, with m in front, and returns when the
// transport has taken them on. data is read at random, from another goroutine, and must
// stay as it is until the object is removed or the sender closed, which do not close it. Of
// m ContentLength is
// filled in unless there is a ContentEncoding, which is the caller's to apply before. A
// large object may be added in slices, each with its Slice set.
func (s *Sender) Add(ctx context.Context, data io.ReaderAt, size int64, m Metadata) (*Item, error) {
	if m.ContentEncoding == "" {
		m.ContentLength, m.HasContentLength = uint64(size), true
	}
	c, err := NewCompound(data, size, &m, s.cfg.Compress)
	if err != nil {
		return nil, err
	}
	it := &Item{s: s, compound: c}
	if err := s.lock(ctx); err != nil {
		return nil, fmt.Errorf("fcast: add: %w", err)
	}
	defer s.unlock()
	carried, err := s.send(ctx, c, s.cfg.Cycle, false)
	if err != nil {
		return nil, fmt.Errorf("fcast: add: %w", err)
	}
	s.mu.Lock()
	it.carried, it.toi = carried, carried.toi()
	s.items = append(s.items, it)
	s.mu.Unlock()
	s.touch()
	return it, nil
}

// lock waits until nobody gives the carrier anything.
func (s *Sender) lock(ctx context.Context) error {
	select {
	case s.sending <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Sender) unlock() { <-s.sending }

// send gives the carrier something. s is locked.
func (s *Sender) send(ctx context.Context, c *Compound, again time.Duration, urgent bool) (carried, error) {
	carried, err := s.carrier.send(ctx, c, again, urgent)
	if err == nil {
		s.last = carried.toi()
	}
	return carried, err
}

// Remove takes the object off the carousel.
func (it *Item) Remove() {
	s := it.s
	s.mu.Lock()
	i := slices.Index(s.items, it)
	if i >= 0 {
		s.items = slices.Delete(s.items, i, i+1)
	}
	carried := it.carried
	s.mu.Unlock()
	if i >= 0 {
		carried.cancel()
		s.touch()
	}
}

// TOI returns what the object is to the transport now.
func (it *Item) TOI() lct.TOI {
	it.s.mu.Lock()
	defer it.s.mu.Unlock()
	return it.toi
}

// Complete tells receivers that no object will be added any more: those that have all
// can leave.
func (s *Sender) Complete() {
	s.mu.Lock()
	s.complete = true
	s.mu.Unlock()
	s.touch()
}

func (s *Sender) touch() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// run sends descriptors, and objects again.
func (s *Sender) run() {
	defer close(s.done)
	cycle, interval := s.cfg.Cycle, s.cfg.CIDInterval
	if cycle == 0 {
		cycle = 10 * time.Second
	}
	again := time.NewTicker(cycle)
	defer again.Stop()
	if interval < 0 {
		interval = time.Hour // nothing to do
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // a transport that has no room must not hold up Close
		select {
		case <-s.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		select {
		case <-s.quit:
			return
		case <-s.changed:
			select {
			case <-time.After(settle):
			case <-s.quit:
				return
			}
			select {
			case <-s.changed: // told with this
			default:
			}
			if s.lock(ctx) == nil {
				s.describe(ctx)
				s.unlock()
			}
		case <-tick.C:
			if s.cid != nil && errors.Is(s.cid.repeat(), errGone) {
				s.touch()
			}
		case <-again.C:
			s.repeat(ctx)
		}
	}
}

// describe sends a new carousel instance's descriptor in place of the last.
func (s *Sender) describe(ctx context.Context) {
	if s.cfg.CIDInterval < 0 {
		return
	}
	s.mu.Lock()
	d := s.descriptor()
	s.mu.Unlock()
	object, err := d.Append(nil, s.cfg.Compress)
	if err == nil {
		var next carried
		if next, err = s.send(ctx, &Compound{head: object}, s.cfg.CIDInterval, true); err == nil {
			if s.cid != nil {
				s.cid.cancel()
			}
			s.cid = next
		}
	}
	if err != nil && ctx.Err() == nil {
		s.log("descriptor", err)
	}
}

// descriptor makes that of a new instance.
func (s *Sender) descriptor() CID {
	d := CID{Instance: s.next, HasInstance: true, Complete: s.complete}
	s.next++
	var tois []lct.TOI
	for _, it := range s.items {
		if !it.listed {
			it.listed, it.first = true, Key{TOI: it.toi, Instance: d.Instance}
		}
		if it.first.TOI != it.toi {
			d.Equivalences = append(d.Equivalences, Equivalence{TOI: it.toi, First: it.first.TOI, Instance: it.first.Instance})
			continue
		}
		tois = append(tois, it.toi)
	}
	slices.SortFunc(tois, lct.TOI.Compare)
	for _, t := range tois {
		if n := len(d.Objects); n > 0 && d.Objects[n-1].Last.Next() == t {
			d.Objects[n-1].Last = t
			continue
		}
		d.Objects = append(d.Objects, Interval{t, t})
	}
	return d
}

// repeat has every object sent again that the carrier does not repeat by itself. Those it
// does not keep any more get other TOIs. A descriptor goes before them that says which
// they had, so that receivers know them again.
func (s *Sender) repeat(ctx context.Context) {
	s.mu.Lock()
	items := slices.Clone(s.items)
	s.mu.Unlock()
	items = slices.DeleteFunc(items, func(it *Item) bool { return !errors.Is(it.carried.repeat(), errGone) })
	if len(items) == 0 {
		return
	}
	if s.lock(ctx) != nil {
		return
	}
	defer s.unlock()
	s.mu.Lock()
	toi := s.last
	if s.cfg.CIDInterval > 0 {
		toi = s.carrier.after(toi) // the descriptor's
	}
	for _, it := range items {
		toi = s.carrier.after(toi)
		it.toi = toi
	}
	s.mu.Unlock()
	s.describe(ctx)
	for _, it := range items {
		next, err := s.send(ctx, it.compound, s.cfg.Cycle, false)
		if err != nil {
			if ctx.Err() == nil {
				s.log("object", err)
			}
			return
		}
		s.mu.Lock()
		gone := !slices.Contains(s.items, it)
		if it.carried = next; it.toi != next.toi() { // one was not sent
			it.toi = next.toi()
			s.touch()
		}
		s.mu.Unlock()
		if gone {
			next.cancel()
		}
	}
}

func (s *Sender) log(what string, err error) {
	if s.cfg.Logger != nil {
		s.cfg.Logger.Debug("fcast sender: "+what, "error", err)
	}
}

// Shutdown ends the carousel with the transmissions under way, or when ctx ends, tells
// receivers that the session has ended, and closes the sender.
func (s *Sender) Shutdown(ctx context.Context) error {
	s.stop()
	err := s.carrier.shutdown(ctx)
	s.release()
	return err
}

// Close ends the sender at once and closes its connection. It can be called again.
func (s *Sender) Close() error {
	s.stop()
	err := s.carrier.close()
	s.release()
	return err
}

func (s *Sender) stop() {
	s.once.Do(func() { close(s.quit) })
	<-s.done
}

// release lets go of the objects.
func (s *Sender) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = nil
}
