package mcast

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gomulticast/multicast/mcast/group"
)

// members is what one socket accepts: a filter per group and interface. The reader
// takes no lock and allocates nothing. A change copies one bucket of a few groups,
// so that joining thousands stays linear.
type members struct {
	unicast bool // packets to this host are wanted too

	mu    sync.Mutex // held by those who change
	table atomic.Pointer[table]
}

// A table is a hash table whose buckets are replaced, never changed.
type table struct {
	seed    uint64
	buckets []atomic.Pointer[[]acceptance] // a power of two of them
	groups  int                            // members.mu
}

// An acceptance is one group's filters, never changed once stored.
type acceptance struct {
	group netip.Addr
	on    []senders
}

// senders is a filter, canonical, on one interface.
type senders struct {
	ifindex int
	filter  group.Filter
}

// bucketSize is how many groups a bucket holds on average before the table grows.
const bucketSize = 4

func newMembers(unicast bool) *members {
	m := &members{unicast: unicast}
	m.table.Store(newTable(1))
	return m
}

func newTable(n int) *table {
	return &table{seed: rand.Uint64(), buckets: make([]atomic.Pointer[[]acceptance], n)}
}

// accepts reports whether a packet is wanted. local says that dst is one of
// this host's unicast addresses; ifindex 0 is unknown.
func (m *members) accepts(src, dst netip.Addr, ifindex int, local bool) bool {
	if local {
		return m.unicast
	}
	b := m.table.Load().bucket(dst).Load()
	if b == nil {
		return false
	}
	for i := range *b {
		a := &(*b)[i]
		if a.group != dst {
			continue
		}
		for j := range a.on {
			if s := &a.on[j]; (s.ifindex == ifindex || ifindex == 0) && s.accept(src) {
				return true
			}
		}
		return false
	}
	return false
}

// accept is Filter.Accepts for a sorted list and an address without zone, which is
// faster for long lists.
func (s *senders) accept(src netip.Addr) bool {
	list := s.filter.Sources
	if len(list) == 0 {
		return s.filter.Mode == group.Exclude
	}
	return hasSource(list, src) == (s.filter.Mode == group.Include)
}

// bucket returns where a group is, if it is.
func (t *table) bucket(g netip.Addr) *atomic.Pointer[[]acceptance] {
	if len(t.buckets) == 1 {
		return &t.buckets[0]
	}
	b := g.As16()
	hi, lo := bits.Mul64(binary.LittleEndian.Uint64(b[:])^t.seed, binary.LittleEndian.Uint64(b[8:])^0x9e3779b97f4a7c15)
	return &t.buckets[(hi^lo)&uint64(len(t.buckets)-1)]
}

// set replaces the filter of a group on an interface; an empty one removes it. f
// must be canonical and is kept.
func (m *members) set(g netip.Addr, ifindex int, f group.Filter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.table.Load()
	if !f.IsEmpty() && t.groups >= bucketSize*len(t.buckets) {
		t = t.grown()
		m.table.Store(t)
	}
	at := t.bucket(g)
	var old []acceptance
	if p := at.Load(); p != nil {
		old = *p
	}
	i := slices.IndexFunc(old, func(a acceptance) bool { return a.group == g })
	var on []senders
	if i >= 0 {
		on = slices.DeleteFunc(slices.Clone(old[i].on), func(s senders) bool { return s.ifindex == ifindex })
	}
	if !f.IsEmpty() {
		on = append(on, senders{ifindex, f})
	}
	switch {
	case i < 0 && len(on) == 0:
		return
	case i < 0:
		old = append(slices.Clone(old), acceptance{g, on})
		t.groups++
	case len(on) == 0:
		old = slices.Delete(slices.Clone(old), i, i+1)
		t.groups--
	default:
		old = slices.Clone(old)
		old[i].on = on
	}
	at.Store(&old)
}

// grown returns a larger copy.
func (t *table) grown() *table {
	n := newTable(4 * len(t.buckets))
	n.groups = t.groups
	for i := range t.buckets {
		old := t.buckets[i].Load()
		if old == nil {
			continue
		}
		for _, a := range *old {
			at := n.bucket(a.group)
			var b []acceptance
			if p := at.Load(); p != nil {
				b = *p
			}
			b = append(b[:len(b):len(b)], a)
			at.Store(&b)
		}
	}
	return n
}

// forget removes all that is accepted on an interface.
func (m *members) forget(ifindex int) {
	for _, g := range m.groupsOn(ifindex) {
		m.set(g, ifindex, group.Filter{})
	}
}

// groupsOn lists what is accepted on an interface.
func (m *members) groupsOn(ifindex int) []netip.Addr {
	m.mu.Lock()
	defer m.mu.Unlock()
	var gs []netip.Addr
	t := m.table.Load()
	for i := range t.buckets {
		p := t.buckets[i].Load()
		if p == nil {
			continue
		}
		for _, a := range *p {
			if slices.ContainsFunc(a.on, func(s senders) bool { return s.ifindex == ifindex }) {
				gs = append(gs, a.group)
			}
		}
	}
	return gs
}
