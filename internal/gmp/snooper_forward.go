package gmp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// Relay appends the ports that a message goes out of, in ascending order: reports and
// leaves only to routers, all else to every port but its own (RFC 4541 section 2.1.1).
// Ask after Handle, which may learn a router port from the message. It allocates
// nothing but for dst.
func (s *Snooper) Relay(dst []int, m *Message) []int {
	routers := !s.cfg.FloodReports && (m.Kind == KindReport || m.Kind == KindLeave || m.Kind == KindStateReport)
	for _, p := range s.ports {
		if p.id != m.IfIndex && (!routers || p.leads()) {
			dst = append(dst, p.id)
		}
	}
	return dst
}

// leads reports whether there is a router behind the port.
func (p *port) leads() bool { return p.static || !p.router.IsZero() }

// Forward appends the ports that a packet from src to g, which came in by the port
// in, goes out of, in ascending order (RFC 4541 section 2.1.2): those that want it and
// those that lead to routers. 224.0.0.0/24 and ff02::1 go to all; the scopes 0 and 1
// of IPv6 should not be on a link and go nowhere. So does what is no group of the
// profile's family. It allocates nothing but for dst.
func (s *Snooper) Forward(dst []int, in int, src, g netip.Addr) []int {
	src, g = plain(src), plain(g)
	switch {
	case !s.p.Covers(g):
		return dst
	case g.Is4() && group.ScopeOf(g) == group.LinkLocal || g == s.p.AllSystems || !s.floodTo.IsZero():
		return s.all(dst, in)
	case s.p.Exempt(g):
		return dst
	}
	known := false
	for _, p := range s.ports {
		if p.table.groups[g] != nil {
			known = true
			break
		}
	}
	if !known {
		return s.unknown(dst, in)
	}
	for _, p := range s.ports {
		if p.id == in {
			continue
		}
		if e := p.table.groups[g]; p.leads() || e != nil && e.accepts(src) {
			dst = append(dst, p.id)
		}
	}
	return dst
}

func (s *Snooper) all(dst []int, in int) []int {
	for _, p := range s.ports {
		if p.id != in {
			dst = append(dst, p.id)
		}
	}
	return dst
}

func (s *Snooper) unknown(dst []int, in int) []int {
	if s.cfg.Unknown == FloodUnknown {
		return s.all(dst, in)
	}
	for _, p := range s.ports {
		if p.id != in && (p.flood || p.leads()) {
			dst = append(dst, p.id)
		}
	}
	return dst
}

// Sharing appends the groups reported on any port whose packets have the Ethernet
// address mac, in ascending order. A switch that forwards by Ethernet addresses
// cannot tell them apart: 32 IPv4 groups have one, and 2^88 IPv6 groups (RFC 4541
// sections 2.1.2 and 3).
func (s *Snooper) Sharing(dst []netip.Addr, mac [6]byte) []netip.Addr {
	n := len(dst)
	for _, p := range s.ports {
		if s.p.LinkLocal {
			for g := range p.table.groups {
				if group.MAC(g) == mac {
					dst = append(dst, g)
				}
			}
			continue
		}
		for g := range group.GroupsOf(mac) {
			if p.table.groups[g] != nil {
				dst = append(dst, g)
			}
		}
	}
	slices.SortFunc(dst[n:], netip.Addr.Compare)
	return append(dst[:n], slices.Compact(dst[n:])...)
}

// ForwardMAC appends the ports that frames to an Ethernet address, which came in by
// the port in, go out of, when a switch forwards by those: all that want anything
// from any group that shares it. Those of a group in 224.0.0.0/24, or of ff02::1, go
// to all.
func (s *Snooper) ForwardMAC(dst []int, in int, mac [6]byte) []int {
	if !s.p.LinkLocal && mac[0] == 1 && mac[1] == 0 && mac[2] == 0x5e && mac[3]|mac[4] == 0 || mac == group.MAC(s.p.AllSystems) || !s.floodTo.IsZero() {
		return s.all(dst, in)
	}
	groups := s.Sharing(nil, mac)
	if len(groups) == 0 {
		return s.unknown(dst, in)
	}
	for _, p := range s.ports {
		if p.id != in && (p.leads() || slices.ContainsFunc(groups, func(g netip.Addr) bool { return p.table.groups[g] != nil })) {
			dst = append(dst, p.id)
		}
	}
	return dst
}

// TopologyChange tells of ports that spanning tree opened or closed. Members may be
// behind other ports now: they are asked, in the querier's words as far as they are
// known (RFC 4541 section 2.1.1, 4), and all ports get all groups until they should
// have answered; when they cannot be asked, until the querier should have.
func (s *Snooper) TopologyChange(now time.Time) {
	now = s.clock.set(now)
	s.advance(now)
	s.asking = s.asking[:0]
	wait := s.timers.membership()
	if s.heardGen != 0 && s.p.querier(s.cfg.Addr) {
		wait = s.timers.QueryResponse + time.Second
		for _, p := range s.ports {
			if !p.leads() {
				s.asking = append(s.asking, p.id)
			}
		}
	}
	s.floodTo = later(s.floodTo, now.Add(wait))
}

// Transmit gives the next query to send, by the port m.IfIndex.
func (s *Snooper) Transmit(now time.Time, m *Message) bool {
	s.clock.set(now)
	if len(s.asking) == 0 {
		return false
	}
	m.reset(KindQuery, s.heardGen)
	m.IfIndex = s.asking[0]
	s.asking = s.asking[1:]
	m.Src, m.Dst, m.Group = s.cfg.Addr, s.p.AllSystems, s.p.Unspecified
	m.QRV, m.Interval, m.MaxResp = s.heardQRV, s.heardInterval, s.heardMaxResp
	s.stats.Sent++
	return true
}

// Flush forgets the memberships of a port, as when its link went down.
func (s *Snooper) Flush(now time.Time, id int) {
	now = s.clock.set(now)
	s.advance(now)
	if p := s.port(id); p != nil {
		p.table.drop(now)
	}
}

// Ports appends the numbers of all ports, in ascending order.
func (s *Snooper) Ports(dst []int) []int {
	for _, p := range s.ports {
		dst = append(dst, p.id)
	}
	return dst
}

// RouterPorts appends the ports that lead to routers, in ascending order.
func (s *Snooper) RouterPorts(dst []int) []int {
	for _, p := range s.ports {
		if p.leads() {
			dst = append(dst, p.id)
		}
	}
	return dst
}

// Groups appends the groups reported on a port, in ascending order.
func (s *Snooper) Groups(dst []netip.Addr, id int) []netip.Addr {
	if p := s.port(id); p != nil {
		return p.table.sorted(dst)
	}
	return dst
}

// State returns what is known of a group on a port; false if that is nothing.
func (s *Snooper) State(id int, g netip.Addr) (GroupState, bool) {
	if p := s.port(id); p != nil {
		if e := p.table.groups[plain(g)]; e != nil {
			return p.table.state(e), true
		}
	}
	return GroupState{}, false
}

// Usage returns how many groups and sources are kept for a port.
func (s *Snooper) Usage(id int) (groups, sources int) {
	if p := s.port(id); p != nil {
		return len(p.table.groups), p.table.sources
	}
	return 0, 0
}
