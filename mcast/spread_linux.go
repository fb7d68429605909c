package mcast

import (
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/group"
)

// A transfer is one change of a group's filter on an interface, which may move
// pieces between sockets.
type transfer struct {
	pool       *pool
	ifindex    int
	group      netip.Addr
	mine, rest []piece // pieces of the group on this interface, and on others
}

// set changes piece i.
func (t *transfer) set(i int, to group.Filter) error {
	q := &t.mine[i]
	err := t.pool.set(q.on, t.ifindex, t.group, q.filter, to)
	if err == nil || to.IsEmpty() {
		q.filter = to
	}
	return err
}

// clear leaves pieces from the i-th on.
func (t *transfer) clear(i int) (err error) {
	t.mine = slices.Clone(t.mine)
	for j := i; j < len(t.mine); j++ {
		err = errors.Join(err, t.set(j, group.Filter{}))
	}
	t.mine = t.mine[:min(i, len(t.mine))]
	return err
}

// exclude wants an EXCLUDE filter, which must be on one socket: two would each let
// in what the other keeps out.
func (t *transfer) exclude(to group.Filter) error {
	t.mine = slices.Clone(t.mine)
	if len(t.mine) == 0 {
		return t.place(to)
	}
	err := t.set(0, to)
	var l *limit
	switch {
	case errors.As(err, &l) && t.pool.wide:
		err = t.set(0, anySource)
	case errors.Is(err, unix.ENOMEM) && t.pool.grow != nil && t.mine[0].on.held > 1:
		// Option memory is used up by the socket's other groups.
		t.mine[0].on.full = true
		if err = t.place(to); err == nil {
			last := len(t.mine) - 1
			t.mine[0], t.mine[last] = t.mine[last], t.mine[0]
		}
	}
	if err != nil {
		return err
	}
	t.clear(1)
	return nil
}

// include wants an INCLUDE filter: on one socket if it fits, so that it changes at
// once, else in pieces.
func (t *transfer) include(to group.Filter) error {
	p := t.pool
	t.mine = slices.Clone(t.mine)
	if p.maxSources == 0 || len(to.Sources) <= p.maxSources || p.grow == nil {
		var err error
		switch len(t.mine) {
		case 0:
			err = t.place(to)
		case 1:
			err = t.set(0, to)
		}
		var l *limit
		if err == nil && len(t.mine) == 1 || p.grow == nil || err != nil && !(errors.As(err, &l) && l.sources) {
			return err
		}
	}
	if len(t.mine) == 1 && t.mine[0].filter.Mode == group.Exclude {
		if err := t.set(0, group.Filter{Sources: to.Sources[:1]}); err != nil {
			return err
		}
	}
	var have []netip.Addr
	for i := range t.mine {
		f := t.mine[i].filter
		kept := missing(f.Sources, missing(f.Sources, to.Sources))
		t.set(i, group.Filter{Sources: kept})
		have = append(have, kept...)
	}
	t.mine = slices.DeleteFunc(t.mine, func(q piece) bool { return q.filter.IsEmpty() })
	slices.SortFunc(have, netip.Addr.Compare)
	i := 0 // pieces before it are full
	for _, s := range missing(to.Sources, have) {
		placed := false
		for ; i < len(t.mine) && !placed; i++ {
			f := t.mine[i].filter
			if p.maxSources > 0 && len(f.Sources) >= p.maxSources {
				continue
			}
			err := t.set(i, withSource(f, s))
			if err == nil {
				placed = true
				break
			}
			if !isLimit(err) {
				return err
			}
			if n := len(f.Sources); errors.Is(err, unix.ENOBUFS) && n >= fewSources {
				p.maxSources = n // not so few for want of memory
			}
		}
		if !placed {
			if err := t.place(group.Filter{Sources: []netip.Addr{s}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// place joins on a socket that has room, or on a new one.
func (t *transfer) place(to group.Filter) error {
	p := t.pool
	join := func(on *holder) error {
		err := p.set(on, t.ifindex, t.group, group.Filter{}, to)
		var l *limit
		if p.wide && to.Mode == group.Exclude && errors.As(err, &l) && l.sources {
			to = anySource
			err = p.set(on, t.ifindex, t.group, group.Filter{}, to)
		}
		if err == nil {
			t.mine = append(t.mine, piece{on, t.ifindex, to})
		}
		return err
	}
	for _, on := range p.holders {
		if on.full || !t.fits(on, to) {
			continue
		}
		err := join(on)
		var l *limit
		// Sources that do not fit would not fit elsewhere, unless it is for
		// want of memory.
		if !errors.As(err, &l) || p.grow == nil || l.sources && !errors.Is(err, unix.ENOMEM) {
			return err
		}
		on.full = true
	}
	if p.grow == nil {
		return &limit{err: unix.ENOBUFS}
	}
	on, err := p.grow()
	if err != nil {
		return err
	}
	p.holders = append(p.holders, on)
	return join(on)
}

// fits reports whether a socket can take a piece of the group on the interface. It
// can have one only. And of IPv6 memberships in one group on several interfaces
// Linux asks just one which sources to let through, whatever interface a packet
// came by (inet6_mc_check), so they must be the same.
func (t *transfer) fits(on *holder, to group.Filter) bool {
	for _, q := range t.mine {
		if q.on == on {
			return false
		}
	}
	if t.pool.level == unix.IPPROTO_IP || t.pool.grow == nil || t.pool.wide {
		return true
	}
	for _, q := range t.rest {
		if q.on == on && !same(q.filter, to) {
			return false
		}
	}
	return true
}

// undo goes back to what was, as well as it can be done.
func (t *transfer) undo(was []piece) {
	now := t.mine
	t.mine = nil
	for _, q := range now {
		i := slices.IndexFunc(was, func(w piece) bool { return w.on == q.on })
		if i < 0 {
			t.pool.set(q.on, t.ifindex, t.group, q.filter, group.Filter{})
			continue
		}
		if t.pool.set(q.on, t.ifindex, t.group, q.filter, was[i].filter) == nil {
			q.filter = was[i].filter
		}
		t.mine = append(t.mine, q)
	}
	for _, w := range was {
		if !slices.ContainsFunc(now, func(q piece) bool { return q.on == w.on }) &&
			t.pool.set(w.on, t.ifindex, t.group, group.Filter{}, w.filter) == nil {
			t.mine = append(t.mine, w)
		}
	}
}
