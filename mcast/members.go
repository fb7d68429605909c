package mcast

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gomulticast/multicast/mcast/group"
)

// members is what a connection has joined. The reader looks at a snapshot, so
// Join and Leave never hold it up.
type members struct {
	ifindex int  // packets to groups must arrive here
	unicast bool // packets to this host are wanted too

	mu   sync.Mutex // guards changes of snap
	snap atomic.Pointer[snapshot]
}

// A snapshot is never changed once stored. Sources nil means any source.
type snapshot struct {
	only    netip.Addr // the group, when there is exactly one: saves the map
	sources []netip.Addr
	groups  map[netip.Addr][]netip.Addr
}

func newMembers(ifindex int, unicast bool) *members {
	m := &members{ifindex: ifindex, unicast: unicast}
	m.snap.Store(&snapshot{})
	return m
}

// accepts reports whether a packet is wanted. local says that dst is one of
// this host's unicast addresses; ifindex 0 is unknown.
func (m *members) accepts(src, dst netip.Addr, ifindex int, local bool) bool {
	if local {
		return m.unicast
	}
	if ifindex != m.ifindex && ifindex != 0 {
		return false
	}
	s := m.snap.Load()
	sources := s.sources
	if dst != s.only || !s.only.IsValid() {
		var ok bool
		if sources, ok = s.groups[dst]; !ok {
			return false
		}
	}
	return sources == nil || slices.Contains(sources, src)
}

// add records a channel, or says why it cannot be joined.
func (m *members) add(ch group.Channel) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, joined := m.snap.Load().groups[ch.Group]
	switch {
	case !joined:
	case ch.AnySource() != (old == nil):
		return fail(ErrMixedFilter, nil, "leave the group's other memberships first, or open another connection")
	case ch.AnySource() || slices.Contains(old, ch.Source):
		return fail(ErrJoined, nil, "leave it first, or keep the membership there is")
	}
	if ch.AnySource() {
		m.store(ch.Group, nil, false)
	} else {
		m.store(ch.Group, append(slices.Clone(old), ch.Source), false)
	}
	return nil
}

// remove forgets a channel and reports whether it was there.
func (m *members) remove(ch group.Channel) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, joined := m.snap.Load().groups[ch.Group]
	if !joined || ch.AnySource() != (old == nil) {
		return false
	}
	if ch.AnySource() {
		m.store(ch.Group, nil, true)
		return true
	}
	i := slices.Index(old, ch.Source)
	if i < 0 {
		return false
	}
	left := slices.Delete(slices.Clone(old), i, i+1)
	m.store(ch.Group, left, len(left) == 0)
	return true
}

// others reports whether another source of ch's group is joined.
func (m *members) others(ch group.Channel) bool {
	return !ch.AnySource() && len(m.snap.Load().groups[ch.Group]) > 1
}

// store makes a new snapshot with one group changed or gone. m.mu is held.
func (m *members) store(g netip.Addr, sources []netip.Addr, gone bool) {
	old := m.snap.Load()
	s := &snapshot{groups: make(map[netip.Addr][]netip.Addr, len(old.groups)+1)}
	for k, v := range old.groups {
		s.groups[k] = v
	}
	if gone {
		delete(s.groups, g)
	} else {
		s.groups[g] = sources
	}
	if len(s.groups) == 1 {
		for k, v := range s.groups {
			s.only, s.sources = k, v
		}
	}
	m.snap.Store(s)
}
