package mcast

import (
	"net"
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// change makes a filter true one source at a time, which every system has. The
// mode of a filter cannot change that way; Conn does not ask for it.
func (s *sockPortable) change(ifi *net.Interface, g netip.Addr, from, to group.Filter) error {
	s.members.set(g, ifi.Index, to)
	err := s.steps(ifi, g, from, to)
	if err != nil && !to.IsEmpty() {
		s.members.set(g, ifi.Index, from)
	}
	return err
}

// steps makes the calls that lead from one filter to another, and takes them back
// when one fails, unless the group is left.
func (s *sockPortable) steps(ifi *net.Interface, g netip.Addr, from, to group.Filter) (err error) {
	type step struct {
		do, undo func(*net.Interface, group.Channel) error
		ch       group.Channel
	}
	var steps []step
	more, fewer := missing(to.Sources, from.Sources), missing(from.Sources, to.Sources)
	switch any := (group.Channel{Group: g}); {
	case from.Mode == group.Exclude && to.IsEmpty():
		steps = append(steps, step{s.ip.leave, s.ip.join, any})
	case from.IsEmpty() && to.Mode == group.Exclude:
		steps = append(steps, step{s.ip.join, s.ip.leave, any})
		fallthrough
	case from.Mode == group.Exclude && to.Mode == group.Exclude:
		for _, src := range more {
			steps = append(steps, step{s.ip.block, s.ip.unblock, group.Channel{Group: g, Source: src}})
		}
		for _, src := range fewer {
			steps = append(steps, step{s.ip.unblock, s.ip.block, group.Channel{Group: g, Source: src}})
		}
	case from.Mode == to.Mode:
		for _, src := range more {
			steps = append(steps, step{s.ip.join, s.ip.leave, group.Channel{Group: g, Source: src}})
		}
		for _, src := range fewer {
			steps = append(steps, step{s.ip.leave, s.ip.join, group.Channel{Group: g, Source: src}})
		}
	default:
		return unsupported("to replace a whole filter")
	}
	for i, st := range steps {
		e := membershipError(st.do(ifi, st.ch), st.ch)
		if e == nil {
			continue
		}
		err = e
		if to.IsEmpty() {
			continue // leave what can be left
		}
		for _, st := range steps[:i] {
			st.undo(ifi, st.ch)
		}
		return err
	}
	return err
}

// membershipError makes an UnsupportedError of what says that the system has no such
// option: x/net's private error, one that is not in the abi, the system's own answer.
// All other errors are passed on.
func membershipError(err error, ch group.Channel) error {
	if err == nil || isSystem(err) && !isNoOption(err) || ch.AnySource() {
		return err
	}
	return fail(unsupported("a filter by source"), err, "join a group outside the source-specific range without mcast.Source and compare each packet's Src")
}

func (s *sockPortable) filter(*net.Interface, netip.Addr) (group.Filter, error) {
	return group.Filter{}, unsupported("to read a filter")
}

// drop leaves what it can: most systems have dropped the memberships themselves.
func (s *sockPortable) drop(ifi *net.Interface) {
	for _, g := range s.members.groupsOn(ifi.Index) {
		s.ip.leave(ifi, group.Channel{Group: g})
	}
}

func (s *sockPortable) forget(ifindex int, g netip.Addr) {
	if g.IsValid() {
		s.members.set(g, ifindex, group.Filter{})
	} else {
		s.members.forget(ifindex)
	}
}

func (s *sockPortable) settle() {}

func (s *sockPortable) rebind(ifi *net.Interface) error {
	s.cfg.move(ifi)
	s.wmu.Lock()
	defer s.wmu.Unlock()
	return s.ip.setInterface(ifi)
}

func (s *sockPortable) relocate() {
	old := s.localAddr()
	if a := sendAddr(s.cfg.link(), s.cfg.group.Addr()); a.IsValid() && !s.cfg.src.IsValid() {
		now := netip.AddrPortFrom(a, old.Port())
		s.local.Store(&now)
	}
}
