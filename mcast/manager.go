package mcast

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"
)

// This file keeps what was asked for true while interfaces come and go. A watcher
// tells what changed; nothing is left and joined again for an interface that just
// goes down and up, because the kernel keeps those memberships itself.

// A watcher waits for changes of the system's interfaces.
type watcher interface {
	// next blocks until something changed. It returns net.ErrClosed after close,
	// and no other error.
	next() (linkChange, error)
	close() error
}

// A linkChange is some events in order, or all there is, when events were missed or
// at the start; then what is not in it is gone.
type linkChange struct {
	events []linkEvent
	all    bool
}

// A linkEvent is one change. Of an interface that goes only the index is told.
type linkEvent struct {
	kind  linkKind
	index int
	name  string
	flags net.Flags
	mtu   int
	mac   net.HardwareAddr
	addr  netip.Addr
}

type linkKind uint8

const (
	linkSet linkKind = iota + 1 // an interface is new or has changed
	linkGone
	addrSet
	addrGone
)

// A knownLink is what is known of one interface.
type knownLink struct {
	ifi   net.Interface
	addrs map[netip.Addr]bool
}

// A manager follows the interfaces of one connection. It belongs to one goroutine;
// what it does to the connection it does under Conn.mu.
type manager struct {
	c      *Conn
	links  map[int]*knownLink
	begun  bool // the first full list has been seen
	events []Event
}

// manage runs until the connection is closed.
func (c *Conn) manage() {
	m := &manager{c: c, links: make(map[int]*knownLink)}
	for {
		change, err := c.watch.next()
		if err != nil {
			return
		}
		c.mu.Lock()
		if c.closed.Load() {
			c.mu.Unlock()
			return
		}
		m.take(change)
		c.mu.Unlock()
		for _, e := range m.events {
			if c.cfg.onEvent != nil && !c.closed.Load() {
				c.cfg.onEvent(e)
			}
		}
		m.events = m.events[:0]
	}
}

func (m *manager) take(change linkChange) {
	events := change.events
	if change.all {
		events = m.difference(events)
	}
	for _, e := range events {
		switch e.kind {
		case linkSet:
			m.set(e)
		case linkGone:
			m.gone(e.index)
		case addrSet, addrGone:
			m.address(e)
		}
	}
	m.begun = m.begun || change.all
}

// difference turns a full list into the events that lead to it.
func (m *manager) difference(all []linkEvent) []linkEvent {
	there := make(map[int]string)
	addrs := make(map[int]map[netip.Addr]bool)
	for _, e := range all {
		switch e.kind {
		case linkSet:
			there[e.index] = e.name
		case addrSet:
			if addrs[e.index] == nil {
				addrs[e.index] = make(map[netip.Addr]bool)
			}
			addrs[e.index][e.addr] = true
		}
	}
	var events []linkEvent
	known := make(map[int]bool)
	for _, s := range m.c.slots {
		known[s.ifi.Index] = !s.gone
	}
	for index := range m.links {
		known[index] = true
	}
	for _, index := range slices.Sorted(maps.Keys(known)) {
		if _, ok := there[index]; !ok && known[index] {
			events = append(events, linkEvent{kind: linkGone, index: index})
		}
	}
	for index, l := range m.links {
		for a := range l.addrs {
			if _, ok := there[index]; ok && !addrs[index][a] {
				events = append(events, linkEvent{kind: addrGone, index: index, addr: a})
			}
		}
	}
	return append(events, all...)
}

// set takes an interface as it is now.
func (m *manager) set(e linkEvent) {
	c := m.c
	l := m.links[e.index]
	known := l != nil
	if !known {
		l = &knownLink{addrs: make(map[netip.Addr]bool)}
		m.links[e.index] = l
		if i := slices.Index(c.dead, e.index); i >= 0 {
			// The index of one that went, used again.
			c.sock.forget(e.index, netip.Addr{})
			c.dead = slices.Delete(c.dead, i, i+1)
		}
	}
	was := l.ifi.Flags
	l.ifi = net.Interface{Index: e.index, Name: e.name, MTU: e.mtu, Flags: e.flags, HardwareAddr: e.mac}
	if s := c.slotOf(e.index); s != nil {
		s.ifi = l.ifi
		if s == c.slots[0] {
			c.cfg.move(&s.ifi)
			if known && was != e.flags {
				c.sock.relocate()
			}
		}
		switch up := running(e.flags); {
		case known && up != running(was):
			m.event(map[bool]EventKind{true: InterfaceUp, false: InterfaceDown}[up], s)
			m.repair(s)
		case s.lame || len(s.errs) > 0:
			m.repair(s)
		}
		return
	}
	for _, s := range c.slots {
		if s.gone && s.name == e.name {
			m.back(s, l)
			return
		}
	}
	m.adopt(l)
}

func running(f net.Flags) bool { return f&net.FlagUp != 0 && f&net.FlagRunning != 0 }

// adopt takes on a new interface when all are wanted.
func (m *manager) adopt(l *knownLink) {
	c := m.c
	if !c.cfg.allIfaces || !joinable(l.ifi.Flags) || c.slotOf(l.ifi.Index) != nil {
		return
	}
	is4 := c.cfg.group.Addr().Is4()
	for a := range l.addrs {
		if a.Is4() != is4 {
			continue
		}
		s := newSlot(l.ifi)
		if c.slots[0].gone {
			c.slots[0] = s // the last of them went before
			s.lame = true
		} else {
			c.slots = append(c.slots, s)
		}
		m.event(InterfaceAdded, s)
		m.repair(s)
		return
	}
}

// keptDead is from how many interfaces that went packets are still accepted that
// were queued before.
const keptDead = 8

// gone takes the end of an interface. Its memberships are dropped at once: they hold
// places in the socket that others may need.
func (m *manager) gone(index int) {
	c := m.c
	delete(m.links, index)
	s := c.slotOf(index)
	if s == nil {
		return
	}
	s.gone, s.lame = true, false
	c.sock.drop(&s.ifi)
	clear(s.have)
	clear(s.errs)
	if c.dead = append(c.dead, index); len(c.dead) > keptDead {
		c.sock.forget(c.dead[0], netip.Addr{})
		c.dead = slices.Delete(c.dead, 0, 1)
	}
	m.event(InterfaceGone, s)
	if c.cfg.allIfaces && len(c.slots) > 1 {
		first := s == c.slots[0]
		c.slots = slices.DeleteFunc(c.slots, func(o *slot) bool { return o == s })
		c.sock.settle()
		if first {
			m.rebind(c.slots[0])
		}
	}
}

// back takes the return of an interface under its name.
func (m *manager) back(s *slot, l *knownLink) {
	s.ifi, s.gone = l.ifi, false
	s.lame = s == m.c.slots[0]
	m.event(InterfaceBack, s)
	m.repair(s)
}

// rebind makes the first interface the one to send on.
func (m *manager) rebind(s *slot) {
	err := m.c.sock.rebind(&s.ifi)
	s.lame = err != nil
	if err != nil {
		m.failed(s, netip.Addr{}, err)
		return
	}
	m.c.sock.relocate()
}

// repair brings what the kernel has on an interface to what is wanted.
func (m *manager) repair(s *slot) {
	c := m.c
	lame := s.lame
	if lame {
		if m.rebind(s); s.lame {
			return
		}
	}
	tried, failed := 0, 0
	for g, f := range c.want {
		if same(s.have[g], f) {
			continue
		}
		tried++
		if err := c.apply(s, g, f); err != nil {
			failed++
			m.failed(s, g, err)
		}
	}
	if tried > 0 && failed == 0 {
		m.event(Rejoined, s)
	}
	if (lame || tried > 0) && !slices.ContainsFunc(c.slots, func(o *slot) bool { return o.gone || o.lame }) {
		c.sock.settle()
	}
}

// address takes a change of an interface's addresses.
func (m *manager) address(e linkEvent) {
	c := m.c
	l := m.links[e.index]
	if l == nil || l.addrs[e.addr] == (e.kind == addrSet) {
		return
	}
	if e.kind == addrSet {
		l.addrs[e.addr] = true
	} else {
		delete(l.addrs, e.addr)
	}
	s := c.slotOf(e.index)
	if s == nil {
		m.adopt(l)
		return
	}
	if !m.begun {
		return // it had them when the connection was opened
	}
	m.event(AddressesChanged, s)
	if s == c.slots[0] {
		if e.kind == addrGone && e.addr == c.cfg.src {
			m.event(SourceAddressGone, s)
		}
		c.sock.relocate()
	}
	if s.lame || len(s.errs) > 0 {
		m.repair(s)
	}
}

func (m *manager) event(k EventKind, s *slot) {
	m.events = append(m.events, Event{Kind: k, Interface: s.ifi.Name, Index: s.ifi.Index, Time: time.Now()})
}

func (m *manager) failed(s *slot, g netip.Addr, err error) {
	m.event(JoinFailed, s)
	e := &m.events[len(m.events)-1]
	e.Group, e.Err = g, m.c.slotError(s, g, err)
}

// slotOf returns the slot of an interface that is there.
func (c *Conn) slotOf(index int) *slot {
	for _, s := range c.slots {
		if s.ifi.Index == index && !s.gone {
			return s
		}
	}
	return nil
}
