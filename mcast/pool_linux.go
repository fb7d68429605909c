package mcast

import (
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/group"
)

// A pool is the sockets that hold a connection's memberships in the kernel, which
// allows each socket only so many. A connection with one socket has a pool of one.
// Conn's lock guards it.
//
// How much a socket can hold is learned by trying: the limits may be hidden in a
// container, and option memory cannot be computed.
type pool struct {
	level   int // IPPROTO_IP or IPPROTO_IPV6
	holders []*holder
	places  map[netip.Addr][]piece

	grow   func() (*holder, error) // opens another socket; nil when there may be one only
	shrink func(*holder)           // closes one that grow opened

	// wide is set when the holders receive nothing and packets are filtered in
	// user space: what they hold may then be wider than wanted.
	wide bool

	// holding keeps empty sockets open: an interface went, and what it had goes
	// back to them when it is back.
	holding bool

	// maxSources is the longest INCLUDE list one socket takes, as far as
	// learned; 0 is not known.
	maxSources int
}

// A holder is a socket with memberships.
type holder struct {
	h      *handle
	accept *members // what its reader accepts; nil when it has no reader
	in     *inlet   // its reader, for those that grow opened
	keep   bool     // the connection's first socket, which sends
	held   int
	full   bool // no more groups, until one is left
}

// A piece is what one socket holds of a group on one interface: the whole filter,
// or some of a long INCLUDE list.
type piece struct {
	on      *holder
	ifindex int
	filter  group.Filter
}

// set changes a piece in the kernel and in what its reader accepts. Reader first:
// narrowing shows at once, and nothing that the kernel lets in later is lost.
func (p *pool) set(on *holder, ifindex int, g netip.Addr, from, to group.Filter) error {
	if on.accept != nil {
		on.accept.set(g, ifindex, to)
	}
	err := on.h.control(func(fd int) error { return kernelFilter{fd, p.level}.set(ifindex, g, from, to) })
	if err != nil && !to.IsEmpty() {
		if on.accept != nil {
			on.accept.set(g, ifindex, from)
		}
		return err
	}
	switch {
	case from.IsEmpty() && !to.IsEmpty():
		on.held++
	case !from.IsEmpty() && to.IsEmpty():
		on.held--
		on.full = false
	}
	return err
}

// change makes the wanted filter of a group on an interface true. On an error of
// widening, what was stays.
func (p *pool) change(ifindex int, g netip.Addr, to group.Filter) error {
	var mine, rest []piece
	for _, q := range p.places[g] {
		if q.ifindex == ifindex {
			mine = append(mine, q)
		} else {
			rest = append(rest, q)
		}
	}
	t := &transfer{pool: p, ifindex: ifindex, group: g, mine: mine, rest: rest}
	var err error
	switch {
	case to.IsEmpty():
		err = t.clear(0)
	case to.Mode == group.Exclude:
		err = t.exclude(to)
	default:
		err = t.include(to)
	}
	if err != nil && !to.IsEmpty() {
		t.undo(mine)
	}
	now := append(rest, t.mine...)
	if len(now) == 0 {
		delete(p.places, g)
	} else {
		p.places[g] = now
	}
	p.trim()
	return err
}

// trim closes sockets that hold nothing any more.
func (p *pool) trim() {
	p.holders = slices.DeleteFunc(p.holders, func(h *holder) bool {
		if h.keep || h.held > 0 || p.holding {
			return false
		}
		p.shrink(h)
		return true
	})
}

// drop ends all memberships on an interface that is gone. What was queued from it
// before is still accepted, and the sockets stay open for that.
func (p *pool) drop(ifindex int) {
	p.holding = true
	for g, ps := range p.places {
		left := slices.DeleteFunc(slices.Clone(ps), func(q piece) bool {
			if q.ifindex != ifindex {
				return false
			}
			q.on.h.control(func(fd int) error { return kernelFilter{fd, p.level}.leave(ifindex, g) })
			q.on.held--
			q.on.full = false
			return true
		})
		if len(left) == 0 {
			delete(p.places, g)
		} else {
			p.places[g] = left
		}
	}
}

// settle ends the keeping of sockets that drop emptied.
func (p *pool) settle() {
	p.holding = false
	p.trim()
}

// get reads what the kernel has.
func (p *pool) get(ifindex int, g netip.Addr) (group.Filter, error) {
	var f group.Filter
	for _, q := range p.places[g] {
		if q.ifindex != ifindex {
			continue
		}
		err := q.on.h.control(func(fd int) error {
			part, err := kernelFilter{fd, p.level}.get(ifindex, g)
			f.Mode = part.Mode
			f.Sources = append(f.Sources, part.Sources...)
			return err
		})
		if errors.Is(err, unix.EADDRNOTAVAIL) {
			continue // the kernel's way of saying INCLUDE {}
		}
		if err != nil {
			return group.Filter{}, err
		}
	}
	return f.Canonical(), nil
}
