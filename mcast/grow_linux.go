package mcast

import (
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/group"
)

// initPool says where memberships go: to the first socket, with MultiGroup to more
// like it, with Funnel to helpers that receive nothing.
func (s *sockLinux) initPool(h *handle) {
	p := &s.pool
	p.places = make(map[netip.Addr][]piece)
	p.level = unix.IPPROTO_IPV6
	if s.cfg.group.Addr().Is4() {
		p.level = unix.IPPROTO_IP
	}
	switch {
	case s.cfg.funnel:
		p.wide = true
		p.grow, p.shrink = s.openHelper, func(on *holder) { on.h.close() }
		return
	case s.cfg.multiGroup:
		p.grow, p.shrink = s.openShard, s.closeShard
	}
	p.holders = []*holder{{h: h, accept: s.members, keep: true}}
}

// openShard opens a socket like the first and has it read.
func (s *sockLinux) openShard() (*holder, error) {
	first := s.reading.Load().h
	like := settings{cfg: s.cfg}
	fd := -1
	err := first.inNamespace(func() (err error) {
		fd, err = like.open()
		return err
	})
	if err != nil {
		return nil, err
	}
	h, err := newSocket(fd, "udp:"+s.cfg.group.String(), false)
	if err != nil {
		return nil, err
	}
	on := &holder{h: h, accept: newMembers(s.cfg.unicast)}
	rx := new(receiver)
	rx.init(s.cfg, on.accept, s.count, like.caps.ReceiveOffload)
	on.in = newInlet(h, rx)
	if err := s.readAlso(on.in); err != nil {
		h.close()
		return nil, err
	}
	return on, nil
}

// readAlso adds a socket to those that are read. With the first that is added the
// reader moves from the one socket's own poller entry to that of all.
func (s *sockLinux) readAlso(in *inlet) error {
	now := s.reading.Load()
	if now.shards != nil {
		return now.shards.add(in)
	}
	all, err := newShards(newInlet(now.h, &s.rx))
	if err != nil {
		return err
	}
	if err := all.add(in); err != nil {
		all.ep.close()
		return err
	}
	s.redirect(func(now *reading) *reading { return &reading{h: now.h, shards: all} })
	return nil
}

// closeShard closes what openShard opened. With the last the reader moves back.
func (s *sockLinux) closeShard(on *holder) {
	all := s.reading.Load().shards
	all.remove(on.in)
	on.h.close()
	n := 0
	for _, in := range *all.inlets.Load() {
		if in != nil {
			n++
		}
	}
	if n == 1 {
		s.redirect(func(now *reading) *reading { return &reading{h: now.h} })
		all.ep.close()
	}
}

// openHelper opens a socket that only holds memberships: it has no port, so that
// nothing is delivered to it.
func (s *sockLinux) openHelper() (*holder, error) {
	fd := -1
	err := s.reading.Load().h.inNamespace(func() (err error) {
		fd, err = unix.Socket(socketFamily(s.cfg.group.Addr().Is4()), unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
		return os.NewSyscallError("socket", err)
	})
	if err != nil {
		return nil, err
	}
	h, err := newSocket(fd, "udp", false)
	if err != nil {
		return nil, err
	}
	return &holder{h: h}, nil
}

func (s *sockLinux) change(ifi *net.Interface, g netip.Addr, from, to group.Filter) error {
	if s.pool.wide {
		s.members.set(g, ifi.Index, to)
	}
	err := s.pool.change(ifi.Index, g, to)
	if err != nil && s.pool.wide && !to.IsEmpty() {
		s.members.set(g, ifi.Index, from)
	}
	return err
}

func (s *sockLinux) filter(ifi *net.Interface, g netip.Addr) (group.Filter, error) {
	return s.pool.get(ifi.Index, g)
}

func (s *sockLinux) drop(ifi *net.Interface) { s.pool.drop(ifi.Index) }
func (s *sockLinux) settle()                 { s.pool.settle() }

// forget stops accepting what is queued from an interface that is gone; of all
// groups if g is the zero Addr.
func (s *sockLinux) forget(ifindex int, g netip.Addr) {
	accept := []*members{s.members}
	for _, on := range s.pool.holders {
		if on.accept != nil {
			accept = append(accept, on.accept)
		}
	}
	for _, m := range accept {
		if g.IsValid() {
			m.set(g, ifindex, group.Filter{})
		} else {
			m.forget(ifindex)
		}
	}
}

// close closes all sockets.
func (s *sockLinux) close() error {
	now := s.reading.Load()
	for _, on := range s.pool.holders {
		if !on.keep {
			on.h.close()
		}
	}
	if now.shards != nil {
		now.shards.ep.close()
	}
	return now.h.close()
}
