package mcast

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/gomulticast/multicast/mcast/group"
)

// A slot is one interface of a connection: which is meant, which it is now, and what
// the kernel has joined on it. Conn.mu guards it.
type slot struct {
	name string        // what it is followed by
	ifi  net.Interface // as it is now, or was last
	gone bool          // it was deleted
	lame bool          // it is back, but the socket could not be made to use it

	have map[netip.Addr]group.Filter // in the kernel
	errs map[netip.Addr]error        // why what is wanted is not
}

func newSlot(ifi net.Interface) *slot {
	return &slot{name: ifi.Name, ifi: ifi, have: make(map[netip.Addr]group.Filter), errs: make(map[netip.Addr]error)}
}

// Join adds a channel on all of the connection's interfaces, at the connection's
// port. Groups other than that of Open or Listen need the MultiGroup option. With
// several interfaces it fails when all of them refuse; Memberships tells about each.
func (c *Conn) Join(ch group.Channel) error {
	return c.edit("join", ch, func(f group.Filter) (group.Filter, error) {
		switch {
		case f.IsEmpty():
			return filterOf(ch.Canonical()), nil
		case ch.AnySource() != (f.Mode == group.Exclude):
			return f, fail(ErrMixedFilter, nil, "leave the group's other memberships first, change its whole filter with SetFilter, or open another connection")
		case ch.AnySource() || hasSource(f.Sources, ch.Canonical().Source):
			return f, fail(ErrJoined, nil, "leave it first, or keep the membership there is")
		}
		return withSource(f, ch.Canonical().Source), nil
	})
}

// Leave removes a channel joined before, that of Open or Listen included. Packets
// of it that are queued already are not delivered any more. Leaving an any-source
// channel forgets what was blocked.
func (c *Conn) Leave(ch group.Channel) error {
	return c.edit("leave", ch, func(f group.Filter) (group.Filter, error) {
		src := ch.Canonical().Source
		switch {
		case f.IsEmpty() || ch.AnySource() != (f.Mode == group.Exclude) || !ch.AnySource() && !hasSource(f.Sources, src):
			return f, fail(ErrNotJoined, nil, "leave exactly what was joined, with the same source")
		case ch.AnySource():
			return group.Filter{}, nil
		}
		return withoutSource(f, src), nil
	})
}

// Block leaves one source, ch.Source, out of a group that is joined from any source
// (RFC 3376 section 3.1, EXCLUDE). The kernel and, with IGMPv3 or MLDv2, the network
// are told.
func (c *Conn) Block(ch group.Channel) error {
	return c.edit("block", ch, func(f group.Filter) (group.Filter, error) {
		err := canBlock(ch, f)
		if err == nil && hasSource(f.Sources, ch.Canonical().Source) {
			err = fail(ErrBlocked, nil, "nothing needs to be done")
		}
		return withSource(f, ch.Canonical().Source), err
	})
}

// Unblock takes back a Block.
func (c *Conn) Unblock(ch group.Channel) error {
	return c.edit("unblock", ch, func(f group.Filter) (group.Filter, error) {
		err := canBlock(ch, f)
		if err == nil && !hasSource(f.Sources, ch.Canonical().Source) {
			err = fail(ErrNotBlocked, nil, "unblock what was blocked")
		}
		return withoutSource(f, ch.Canonical().Source), err
	})
}

func canBlock(ch group.Channel, f group.Filter) error {
	switch {
	case ch.AnySource():
		return fail(ErrBadSource, nil, "give the channel a Source, the sender to leave out")
	case f.IsEmpty():
		return fail(ErrNotJoined, nil, "join the group without a source first")
	case f.Mode != group.Exclude:
		return fail(ErrMixedFilter, nil, "the group is joined from named sources; join or leave those")
	}
	return nil
}

// SetFilter replaces the whole filter of a group g, whatever it was: an INCLUDE or
// EXCLUDE list of sources (RFC 3376 section 2, RFC 3678 section 5.2), at once in the
// kernel as long as one socket holds the list (see MultiGroup). It joins the group if
// need be; an empty INCLUDE leaves it. EXCLUDE in the source-specific range is refused
// as Join refuses it. Where Capabilities has no WholeFilter it is unsupported.
func (c *Conn) SetFilter(g netip.Addr, f group.Filter) error {
	err := f.Validate(g)
	switch {
	case err == nil:
		err = c.checkFilter(g, f)
	case errors.Is(err, group.ErrBadSource):
		err = fail(ErrBadSource, nil, "list addresses that can send to %s", g)
	case errors.Is(err, group.ErrNotMulticast):
		err = fail(ErrNotMulticast, nil, "give a group from 224.0.0.0/4 or ff00::/8")
	default:
		err = fail(ErrOption, err, "give a filter whose Mode is group.Include or group.Exclude")
	}
	if err != nil {
		return c.wrap("set filter", err, OpError{Channel: group.Channel{Group: g}, Interface: c.cfg.link().Name})
	}
	return c.edit("set filter", group.Channel{Group: g}, func(group.Filter) (group.Filter, error) { return f.Canonical(), nil })
}

func (c *Conn) checkFilter(g netip.Addr, f group.Filter) error {
	switch {
	case !c.sock.capabilities().WholeFilter:
		return fail(unsupported("to replace a whole filter"), nil, "use Join, Leave, Block and Unblock")
	case f.Mode == group.Exclude && group.IsSSM(g) && !c.cfg.anySSM:
		return fail(ErrNeedSource, nil, "name senders with group.Include, use a group outside 232.0.0.0/8 and ff3x::/32, or pass mcast.AllowAnySourceInSSM()")
	}
	return nil
}

// Filter returns the filter of a group g that the kernel has on the first interface
// where it is joined, INCLUDE {} if on none. With Funnel that is what the helpers
// hold. Where Capabilities has no WholeFilter it is unsupported; Memberships tells
// what was asked for everywhere.
func (c *Conn) Filter(g netip.Addr) (f group.Filter, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g = g.Unmap().WithZone("")
	name := ""
	for _, s := range c.slots {
		if _, ok := s.have[g]; ok {
			name = s.ifi.Name
			f, err = c.sock.filter(&s.ifi, g)
			break
		}
	}
	switch {
	case !g.IsMulticast():
		err = fail(ErrNotMulticast, nil, "give a group from 224.0.0.0/4 or ff00::/8")
	case c.closed.Load():
		err = &fault{err: net.ErrClosed}
	case !c.sock.capabilities().WholeFilter:
		err = fail(unsupported("to read a filter"), nil, "use Memberships, which tells what was asked for")
	}
	if err != nil {
		return group.Filter{}, c.wrap("get filter", err, OpError{Channel: group.Channel{Group: g}, Interface: name})
	}
	return f, nil
}

// edit changes the filter of ch's group as f says.
func (c *Conn) edit(op string, ch group.Channel, f func(group.Filter) (group.Filter, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.checkEdit(op, ch)
	if err == nil {
		g := ch.Canonical().Group
		var to group.Filter
		if to, err = f(c.want[g]); err == nil {
			err = c.change(g, to)
		}
	}
	if err == nil {
		return nil
	}
	e := OpError{Channel: ch}
	if len(c.slots) == 1 {
		e.Interface = c.slots[0].ifi.Name
	}
	// The errnos of all these mean what they mean for a join.
	return c.wrap(op, explain("join", err), e)
}

func (c *Conn) checkEdit(op string, ch group.Channel) error {
	switch z := ch.Zone(); {
	case c.closed.Load():
		return &fault{err: net.ErrClosed}
	case !c.cfg.join:
		return fail(ErrSendOnly, nil, "use mcast.Open or mcast.Listen to receive from a group")
	case z != "" && c.cfg.several:
		return fail(ErrOption, nil, "leave the zone %s out: this connection joins on all of its interfaces", z)
	case z != "" && z != c.cfg.link().Name && z != strconv.Itoa(c.cfg.link().Index):
		return fail(ErrNoInterface, nil, "this connection is on %s; open another for zone %s", c.cfg.link().Name, z)
	}
	// SetFilter has looked at sources and the source-specific range itself.
	if err := checkChannel(ch.Canonical(), c.cfg.group.Addr(), c.cfg.anySSM || op != "join"); err != nil {
		return err
	}
	if !c.cfg.wildcard() && ch.Canonical().Group != c.cfg.group.Addr() && (op == "join" || op == "set filter") {
		return fail(ErrSingleGroup, nil, "open the connection with mcast.MultiGroup() to join further groups")
	}
	return nil
}

// change makes to the wanted filter of a group, on all interfaces. It fails when no
// interface takes it; then what was wanted stays, unless it was to be left.
func (c *Conn) change(g netip.Addr, to group.Filter) error {
	var failed severalError
	taken, there := 0, 0
	was := make([]error, len(c.slots))
	for i, s := range c.slots {
		was[i] = s.errs[g]
		if s.gone || s.lame {
			continue
		}
		there++
		if err := c.apply(s, g, to); err != nil {
			failed.add("join", s.ifi.Name, err)
		} else {
			taken++
		}
	}
	err := failed.fault()
	if there == 0 && !to.IsEmpty() {
		err = fail(ErrNoInterface, nil, "%s is gone; wait until it is back (mcast.OnEvent tells) or open another connection", c.slots[0].name)
	}
	if taken == 0 && err != nil && !to.IsEmpty() {
		for i, s := range c.slots {
			s.setError(g, was[i])
		}
		return err
	}
	for _, index := range c.dead {
		// What is queued from where it was: not the left group's.
		if to.IsEmpty() {
			c.sock.forget(index, g)
		}
	}
	if to.IsEmpty() {
		delete(c.want, g)
		return err
	}
	c.want[g] = to
	return nil
}

// apply makes the kernel's filter on one interface what is wanted.
func (c *Conn) apply(s *slot, g netip.Addr, to group.Filter) error {
	from := s.have[g]
	if same(from, to) {
		s.setError(g, nil)
		return nil
	}
	err := c.sock.change(&s.ifi, g, from, to)
	if err != nil && isGone(err) && !widens(from, to) {
		err = nil // the interface went, and the membership with it
	}
	if err != nil && !to.IsEmpty() {
		err = limitError(err, g, to, c.cfg.multiGroup)
		s.setError(g, err)
		return err
	}
	s.setError(g, nil)
	if to.IsEmpty() {
		delete(s.have, g)
	} else {
		s.have[g] = to
	}
	return err
}

func (s *slot) setError(g netip.Addr, err error) {
	if err == nil {
		delete(s.errs, g)
	} else {
		s.errs[g] = err
	}
}

// A MembershipState is how far a membership has come.
type MembershipState uint8

const (
	// Joined: the kernel has it.
	Joined MembershipState = iota + 1

	// Failed: the interface refused. It is tried again when the interface
	// changes.
	Failed

	// Waiting: the interface is gone. It is joined when it comes back.
	Waiting
)

// String returns "joined", "failed" or "waiting".
func (s MembershipState) String() string {
	switch s {
	case Joined:
		return "joined"
	case Failed:
		return "failed"
	case Waiting:
		return "waiting"
	}
	return "MembershipState(" + strconv.Itoa(int(s)) + ")"
}

// A Membership is one group on one interface of a connection.
type Membership struct {
	Group     netip.Addr
	Filter    group.Filter // what was asked for
	Interface string
	Index     int // now, or the last one of an interface that is gone
	State     MembershipState
	Err       error // why it Failed: an *OpError; nil otherwise
}

// Memberships returns what was joined: one result for each group and interface,
// sorted by group, in the order of Interfaces.
func (c *Conn) Memberships() []Membership {
	c.mu.Lock()
	defer c.mu.Unlock()
	ms := make([]Membership, 0, len(c.want)*len(c.slots))
	for _, g := range slices.SortedFunc(maps.Keys(c.want), netip.Addr.Compare) {
		f := c.want[g]
		for _, s := range c.slots {
			m := Membership{Group: g, Interface: s.ifi.Name, Index: s.ifi.Index, State: Joined}
			m.Filter = group.Filter{Mode: f.Mode, Sources: slices.Clone(f.Sources)}
			if s.gone {
				m.State = Waiting
			} else if err := s.errs[g]; err != nil || s.lame {
				m.State, m.Err = Failed, c.slotError(s, g, err)
			}
			ms = append(ms, m)
		}
	}
	return ms
}

// slotError is the error of one membership for the user.
func (c *Conn) slotError(s *slot, g netip.Addr, err error) error {
	if err == nil {
		err = fail(ErrNoInterface, nil, "it came back, but could not be used yet; see the JoinFailed event")
	}
	return opError("join", explain("join", err), OpError{Channel: group.Channel{Group: g}, Interface: s.ifi.Name})
}

// Interfaces returns the interfaces the connection joins on, the one it sends on
// first. Those that are gone are as they were last.
func (c *Conn) Interfaces() []net.Interface {
	c.mu.Lock()
	defer c.mu.Unlock()
	ifis := make([]net.Interface, len(c.slots))
	for i, s := range c.slots {
		ifis[i] = s.ifi
	}
	return ifis
}
