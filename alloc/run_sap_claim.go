package alloc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sap"
)

// An announced is a claim that is announced. The allocator's lock guards it.
type announced struct {
	*claim
	session *sap.Session
	id      uint64        // of the description
	version uint64        // of the description
	lease   *Lease        // nil while others may object
	moved   chan struct{} // closed when somebody else has the better right
	why     error
}

// claim draws addresses and announces them.
func (a *SAP) claim(t *terms, o *offer, zones []group.Zone) (*announced, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	o.zones = nil
	for _, z := range zones {
		o.zones = append(o.zones, narrow(a.book.rng, z))
	}
	c, err := a.book.grant(time.Now(), t, o)
	if err != nil {
		return nil, err
	}
	a.id = newID(time.Now(), a.id, a.rng.Uint64())
	s := &announced{claim: c, id: a.id, version: 1, moved: make(chan struct{})}
	d, err := a.cfg.Describe(s.id, Grant{c.addrs, t.Start, c.end, s.version})
	if err == nil {
		if s.session, err = a.cfg.Announcer.Announce(d); errors.Is(err, sap.ErrNoPath) {
			err = fmt.Errorf("%w: give the Announcer a connection to the SAP group of the scope, see sap.GroupFor", err)
		}
	}
	if err != nil {
		a.book.drop(c.id)
		return nil, fmt.Errorf("alloc: %w", err)
	}
	a.claims[s.session], a.byID[c.id] = s, s
	return s, nil
}

// hold waits for others to object.
func (a *SAP) hold(ctx context.Context, s *announced) error {
	if a.cfg.Hold == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(a.cfg.Hold)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.moved:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// contested returns why a claim that is not granted yet has to go: the directory has heard
// another session with one of its addresses. Announcer.Clashes tells each announcement but
// once, and so not when it was heard before ours was made.
func (a *SAP) contested(s *announced) error {
	now := time.Now()
	for _, l := range a.cfg.Directory.Sessions() {
		o, _ := l.Description.Origin()
		if o.ID == strconv.FormatUint(s.id, 10) && o.Addr() == a.cfg.Origin {
			continue // ours
		}
		for _, g := range l.Groups() {
			if _, there := slices.BinarySearchFunc(s.addrs, g, netip.Addr.Compare); !there {
				continue
			}
			if first, ok := precedes(o, s.id, a.cfg.Origin, now); first || !ok {
				return fmt.Errorf("%w: %v announces a session on %v", ErrClash, l.Source, g)
			}
		}
	}
	return nil
}

// grant makes a lease of a claim that nobody objected to, or returns nil.
func (a *SAP) grant(s *announced, t *terms) *Lease {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.why != nil {
		return nil
	}
	l := &Lease{id: strconv.FormatUint(s.id, 10), addrs: s.addrs, start: t.Start, asked: t.renewal(), by: a, number: s.claim.id}
	s.lease = l.begin(s.end)
	return l
}

// watch takes clashes: whoever has the lesser right gives up.
func (a *SAP) watch() {
	for c, err := range a.cfg.Announcer.Clashes(a.ctx) {
		if err != nil {
			return
		}
		a.mu.Lock()
		s := a.claims[c.Session]
		yield := s != nil && a.yields(s, &c)
		a.mu.Unlock()
		if yield { // or else it was announced again, so that the other does
			a.giveUp(s, fmt.Errorf("%w: %v announces a session on %v that has the better right", ErrClash, c.Source, c.Group))
		}
	}
}

// yields reports whether another session has the better right to an address. An
// announcer knows just its own age, and when two networks become one neither of two that
// are old would go.
func (a *SAP) yields(s *announced, c *sap.Clash) bool {
	if s.lease != nil && a.cfg.Firm {
		return false
	}
	o, _ := c.Description.Origin()
	if first, ok := precedes(o, s.id, a.cfg.Origin, time.Now()); ok {
		return first
	}
	return c.Yield
}

// giveUp ends a claim that another has the better right to.
func (a *SAP) giveUp(s *announced, why error) {
	a.withdraw(s)
	a.mu.Lock()
	if s.why == nil {
		s.why = why
		close(s.moved)
	}
	l := s.lease
	a.mu.Unlock()
	if l != nil {
		l.finish(why)
	}
}

// withdraw frees the addresses and deletes the announcement.
func (a *SAP) withdraw(s *announced) {
	a.mu.Lock()
	_, there := a.claims[s.session]
	delete(a.claims, s.session)
	delete(a.byID, s.claim.id)
	a.book.drop(s.claim.id)
	a.mu.Unlock()
	if there {
		_ = s.session.Withdraw() // closed is as good
	}
}

// claimOf returns what a lease is made of, nil when that has ended.
func (a *SAP) claimOf(l *Lease) *announced {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byID[l.number]
}

func (a *SAP) renew(_ context.Context, l *Lease, r Renewal) (time.Time, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.byID[l.number]
	if s == nil {
		return time.Time{}, ErrExpired
	}
	now := time.Now()
	from := now
	if l.start.After(now) {
		from = l.start
	}
	old, end := s.end, endOf(from, r.Lifetime)
	d, err := a.cfg.Describe(s.id, Grant{s.addrs, l.start, end, s.version + 1})
	if err == nil && !a.book.extend(now, s.claim.id, end) {
		return time.Time{}, ErrExpired
	}
	if err == nil {
		if err = s.session.Update(d); err != nil {
			a.book.extend(now, s.claim.id, old)
		}
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("alloc: %w", err)
	}
	s.version++
	return end, nil
}

func (a *SAP) release(_ context.Context, l *Lease) error {
	a.expire(l)
	return nil
}

func (a *SAP) expire(l *Lease) {
	if s := a.claimOf(l); s != nil {
		a.withdraw(s)
	}
}
