package madcap

import (
	"fmt"
	"net/netip"
	"sync"
)

// A MemoryStore is a Store without a disk, for tests and for servers whose leases need
// not outlive them. Several servers may share one. The zero value is empty and ready; it
// is safe for concurrent use.
type MemoryStore struct {
	mu     sync.Mutex
	leases map[ID]Lease
	addrs  map[netip.Addr]ID
	tell   []func([]Change)
}

// Load implements Store.
func (s *MemoryStore) Load(yield func(Lease) bool) error {
	for _, l := range s.Leases() {
		if !yield(l) {
			break
		}
	}
	return nil
}

// Leases returns what is stored, in no order.
func (s *MemoryStore) Leases() (all []Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.leases {
		all = append(all, l.clone())
	}
	return all
}

// Commit implements Store. It never fails.
func (s *MemoryStore) Commit(changes []Change) error {
	s.mu.Lock()
	var made []Change
	for i := range changes {
		c := &changes[i]
		ok, done := s.fits(c)
		c.Err = nil
		switch {
		case !ok:
			c.Err = fmt.Errorf("%w: lease %v", ErrConflict, c.Lease.ID)
		case !done:
			s.apply(c)
			made = append(made, Change{Delete: c.Delete, Lease: c.Lease.clone()})
		}
	}
	tell := s.tell
	s.mu.Unlock()
	for _, f := range tell {
		if len(made) > 0 {
			f(made)
		}
	}
	return nil
}

func (s *MemoryStore) fits(c *Change) (ok, done bool) {
	var old *Lease
	if l, found := s.leases[c.Lease.ID]; found {
		old = &l
	}
	if ok, done = c.Fits(old); !ok || done || c.Delete {
		return ok, done
	}
	for _, r := range c.Lease.Ranges {
		for a := range r.All() {
			if id, taken := s.addrs[a]; taken && id != c.Lease.ID {
				return false, false
			}
		}
	}
	return true, false
}

func (s *MemoryStore) apply(c *Change) {
	if s.leases == nil {
		s.leases, s.addrs = make(map[ID]Lease), make(map[netip.Addr]ID)
	}
	for _, r := range s.leases[c.Lease.ID].Ranges {
		for a := range r.All() {
			delete(s.addrs, a)
		}
	}
	delete(s.leases, c.Lease.ID)
	if c.Delete {
		return
	}
	s.leases[c.Lease.ID] = c.Lease.clone()
	for _, r := range c.Lease.Ranges {
		for a := range r.All() {
			s.addrs[a] = c.Lease.ID
		}
	}
}

// Watch implements Watcher. Tell is called by whoever commits, before its Commit
// returns.
func (s *MemoryStore) Watch(tell func([]Change)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell = append(s.tell, tell)
	return nil
}

// Close implements Store. What is stored stays, for another server.
func (s *MemoryStore) Close() error { return nil }
