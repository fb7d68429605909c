package sap

import (
	"hash/maphash"
	"net/netip"
	"time"
)

// probation puts x at the end of those heard but once.
func (e *directory) probation(x *entry) {
	x.once, x.older = true, e.once.newest
	if x.older != nil {
		x.older.newer = x
	} else {
		e.once.oldest = x
	}
	e.once.newest = x
}

// confirm takes x out of those heard but once: it gives way to no new one.
func (e *directory) confirm(x *entry) {
	if !x.once {
		return
	}
	if x.older != nil {
		x.older.newer = x.newer
	} else {
		e.once.oldest = x.newer
	}
	if x.newer != nil {
		x.newer.older = x.older
	} else {
		e.once.newest = x.older
	}
	x.once, x.older, x.newer = false, nil, nil
}

// maxGhosts is how many packets of sessions that gave way are remembered by their
// digest. One that is heard again is no passing flood, and stays.
const maxGhosts = 1 << 16

// ghost returns what remains of a packet.
func (e *directory) ghost(w wire) uint64 { return maphash.Comparable(e.seed, w) }

// returned reports whether a packet was heard before, and its session gave way.
func (e *directory) returned(w wire) bool {
	if e.ghosts == nil {
		return false
	}
	g := e.ghost(w)
	return e.ghosts[g%maxGhosts] == g
}

// room makes room for n sessions of size bytes, and reports whether there is. Only
// those heard but once give way: who floods a directory with sessions pushes out its
// own, as long as it does not keep all of them up.
func (e *directory) room(size, n int) bool {
	if size > e.cfg.MaxBytes {
		return false
	}
	for len(e.order)+n > e.cfg.MaxSessions || e.bytes+size > e.cfg.MaxBytes {
		x := e.once.oldest
		if x == nil {
			return false
		}
		e.evict(x)
	}
	return true
}

// share makes room for a session among those of its host, and reports whether there is.
// Here too those heard but once give way: somebody may send in the host's name.
func (e *directory) share(h *host, addr netip.Addr) bool {
	if h.sessions < e.cfg.MaxPerSource {
		return true
	}
	for x := e.once.oldest; x != nil; x = x.newer {
		if x.owners[0].addr == addr {
			e.evict(x)
			return true
		}
	}
	return false
}

// evict removes a session heard but once, and remembers its packets.
func (e *directory) evict(x *entry) {
	if e.ghosts == nil {
		e.ghosts = make([]uint64, maxGhosts)
	}
	for _, w := range x.wires {
		g := e.ghost(w)
		e.ghosts[g%maxGhosts] = g
	}
	e.remove(x, Evicted)
}

// A hostTable has a token bucket for each sender, and counts its sessions.
type hostTable struct {
	rate, burst float64
	max         int
	hosts       map[netip.Addr]*host
	rest        host // all for whom there is no room
	swept       time.Time
}

type host struct {
	tokens   float64
	last     time.Time
	sessions int
}

// take reports whether a packet of addr is within its rate.
func (t *hostTable) take(addr netip.Addr, now time.Time) bool {
	h := t.hosts[addr]
	if h == nil {
		if len(t.hosts) >= t.max {
			t.sweep(now)
		}
		if len(t.hosts) < t.max {
			if t.hosts == nil {
				t.hosts = make(map[netip.Addr]*host)
			}
			h = &host{tokens: t.burst, last: now}
			t.hosts[addr] = h
		} else {
			h = &t.rest
		}
	}
	h.tokens = min(t.burst, h.tokens+t.rate*now.Sub(h.last).Seconds())
	h.last = now
	if h.tokens < 1 {
		return false
	}
	h.tokens--
	return true
}

// sweep forgets hosts without sessions whose bucket is full again, at most once a
// second.
func (t *hostTable) sweep(now time.Time) {
	if now.Sub(t.swept) < time.Second {
		return
	}
	t.swept = now
	for a, h := range t.hosts {
		if h.sessions == 0 && h.tokens+t.rate*now.Sub(h.last).Seconds() >= t.burst {
			delete(t.hosts, a)
		}
	}
}

// get returns the host of an address, or nil if there is no room for it.
func (t *hostTable) get(addr netip.Addr) *host { return t.hosts[addr] }

// charge counts a session more.
func (t *hostTable) charge(addr netip.Addr) {
	if h := t.hosts[addr]; h != nil {
		h.sessions++
	}
}

// release counts a session less.
func (t *hostTable) release(addr netip.Addr) {
	if h := t.hosts[addr]; h != nil && h.sessions > 0 {
		h.sessions--
	}
}
