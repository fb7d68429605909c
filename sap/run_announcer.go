package sap

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"fmt"
	"iter"
	"net"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/sdp"
)

// maxHeardSize is the longest packet of others that is counted, in bytes.
const maxHeardSize = 9216

// An Announcer announces sessions, and hears what others announce on the same groups to
// keep within their budget. It is safe for concurrent use. One is enough for a
// program.
type Announcer struct {
	engine *announcer // the loop's
	loop   *drive.Loop
	paths  *paths

	mu       sync.Mutex
	sessions map[uint64]*Session
	clashes  []Clash
	news     chan struct{} // closed and replaced when clashes grows
	leaving  bool
	gone     chan struct{} // closed when all deletions were sent
	fault    error
}

// NewAnnouncer starts an announcer on connections that have joined the SAP groups it
// announces on, and that it owns from then on: Close closes them. The error wraps
// ErrConfig; the connections are then left open.
func NewAnnouncer(cfg AnnouncerConfig, ways ...Path) (*Announcer, error) {
	if cfg.Seed == 0 {
		cfg.Seed = randomSeed()
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	ps, err := newPaths(ways, maxHeardSize)
	if err != nil {
		return nil, err
	}
	e, err := newAnnouncer(cfg, ps.ways())
	if err != nil { // it was valid
		return nil, err
	}
	a := &Announcer{
		engine: e, paths: ps, sessions: make(map[uint64]*Session),
		news: make(chan struct{}), gone: make(chan struct{}),
	}
	a.loop = drive.Start(ps, e, drive.Config{Drain: a.drain, WriteError: a.fail, ReadError: a.fail})
	return a, nil
}

func randomSeed() uint64 {
	var b [8]byte
	crand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// Announce announces a session from now on, on the groups of GroupsFor. The first
// announcement is made at once, those after it as the profile and the group's budget
// allow. Errors wrap ErrScope, ErrNoPath, ErrSource, ErrSize or ErrFull.
func (a *Announcer) Announce(d *sdp.Description) (*Session, error) {
	return a.AnnounceWith(Announcement{Description: d})
}

// AnnounceWith is Announce with more to say.
func (a *Announcer) AnnounceWith(an Announcement) (*Session, error) {
	s := &Session{a: a}
	var err error
	if closed := a.loop.Do(func(now time.Time) {
		if s.id, err = a.engine.announce(now, an); err == nil {
			a.mu.Lock()
			a.sessions[s.id] = s
			a.mu.Unlock()
		}
	}); closed != nil {
		return nil, fmt.Errorf("sap: announce: %w", closed)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// A Session is one that an Announcer announces.
type Session struct {
	a  *Announcer
	id uint64
}

// Update changes the description. The version in its o= line is raised when it is not
// greater than before; the old version is deleted and the new one announced at once. A
// description that is the same changes nothing. After an error the session is announced
// as before.
func (s *Session) Update(d *sdp.Description) (err error) {
	if closed := s.a.loop.Do(func(now time.Time) { err = s.a.engine.update(now, s.id, d) }); closed != nil {
		return fmt.Errorf("sap: update: %w", closed)
	}
	return err
}

// Withdraw ends the session. It does not wait for the deletions to be sent. A session
// withdrawn before gives ErrWithdrawn.
func (s *Session) Withdraw() (err error) {
	if closed := s.a.loop.Do(func(now time.Time) { err = s.a.engine.withdraw(now, s.id) }); closed != nil {
		return fmt.Errorf("sap: withdraw: %w", closed)
	}
	s.a.mu.Lock()
	delete(s.a.sessions, s.id)
	s.a.mu.Unlock()
	return err
}

// Status tells how the session is announced.
func (s *Session) Status() (st SessionStatus, err error) {
	if closed := s.a.loop.Do(func(now time.Time) { st, err = s.a.engine.status(now, s.id) }); closed != nil {
		return st, fmt.Errorf("sap: status: %w", closed)
	}
	return st, err
}

// drain collects what the engine has to tell; the loop calls it.
func (a *Announcer) drain(time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c, ok := a.engine.event(); ok; c, ok = a.engine.event() {
		c.Clash.Session = a.sessions[c.id]
		if c.Clash.Session == nil || len(a.clashes) >= maxClashes {
			continue
		}
		a.clashes = append(a.clashes, c.Clash)
		close(a.news)
		a.news = make(chan struct{})
	}
	if a.leaving && a.engine.idle() {
		a.leaving = false
		close(a.gone)
	}
}

// Clashes yields each clash of a session with somebody else's, as it is noticed. It
// ends after yielding the error of ctx or, when the announcer is closed, an error
// wrapping net.ErrClosed. Several loops share the clashes out among them.
func (a *Announcer) Clashes(ctx context.Context) iter.Seq2[Clash, error] {
	return func(yield func(Clash, error) bool) {
		for {
			a.mu.Lock()
			var c *Clash
			if len(a.clashes) > 0 {
				first := a.clashes[0]
				a.clashes, c = a.clashes[1:], &first
			}
			news := a.news
			a.mu.Unlock()
			if c != nil {
				if !yield(*c, nil) {
					return
				}
				continue
			}
			select {
			case <-news:
			case <-ctx.Done():
				yield(Clash{}, ctx.Err())
				return
			case <-a.loop.Done():
				yield(Clash{}, fmt.Errorf("sap: announcer: %w", net.ErrClosed))
				return
			}
		}
	}
}

func (a *Announcer) fail(err error) {
	a.mu.Lock()
	a.fault = err
	a.mu.Unlock()
}

// Err returns the last error of the network, nil if there was none. Announcing goes
// on after it.
func (a *Announcer) Err() error {
	if err := a.paths.Fault(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fault
}

// Stats returns the counters; after Close, the last.
func (a *Announcer) Stats() (st AnnouncerStats) {
	if a.loop.Do(func(time.Time) { st = a.engine.counters() }) != nil {
		<-a.loop.Done() // nobody else has the engine now
		st = a.engine.counters()
	}
	return st
}

// Shutdown withdraws all sessions, sends their deletions, three of each over a second
// unless configured otherwise, and closes the announcer. When ctx ends first its error
// is returned.
func (a *Announcer) Shutdown(ctx context.Context) (err error) {
	defer a.Close()
	if a.loop.Do(func(now time.Time) {
		a.engine.shutdown(now)
		a.mu.Lock()
		a.leaving = true
		a.mu.Unlock()
	}) != nil {
		return nil
	}
	select {
	case <-a.gone:
	case <-a.loop.Done():
	case <-ctx.Done():
		err = ctx.Err()
	}
	return err
}

// Close ends the announcer at once, without deletions, and closes its connections. It
// can be called again.
func (a *Announcer) Close() error { return a.loop.Close() }
