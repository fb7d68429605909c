package igmp

import (
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/gmp"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// Unknown is what a switch does with packets to a group that nobody reported (RFC
// 4541 section 2.1.2).
type Unknown uint8

const (
	// FloodUnknown sends them out of all ports.
	FloodUnknown = Unknown(gmp.FloodUnknown)

	// PruneUnknown sends them out of router ports, and FloodPorts.
	PruneUnknown = Unknown(gmp.PruneUnknown)
)

// SnooperConfig holds a switch's settings. Zero fields take the default in their
// comment.
type SnooperConfig struct {
	// Policy says which packets nothing is learned from. Default PolicyRFC.
	Policy Violations

	// Ports are its ports, each number once. AddPort and RemovePort change them.
	Ports []int

	// RouterPorts always lead to a router (RFC 4541 section 2.1.1, 1c).
	RouterPorts []int

	// Unknown is the policy for groups that nobody reported; FloodPorts get them
	// in any case (section 2.1.2, 3).
	Unknown    Unknown
	FloodPorts []int

	// FloodReports sends reports to all ports (section 2.1.1, 1: for monitoring).
	// Hosts of older versions then keep each other from reporting.
	FloodReports bool

	// FastLeave ends a port's membership as soon as a host there leaves, without
	// waiting for the router to ask: for ports with one host only.
	FastLeave []int

	// Addr is the source of the query sent after a change of topology (section
	// 2.1.1, 4). Default 0.0.0.0.
	Addr netip.Addr

	// Timers say how long memberships and router ports last, if the querier's
	// query interval and robustness are not larger.
	Timers Timers

	// Limits bound the state of each port.
	Limits Limits
}

// A Snooper learns from the messages that pass through a switch which ports want
// which groups and which lead to routers (RFC 4541). Packet.IfIndex is the port that
// a packet comes in, or goes out, by. It changes and keeps back no message: Relay says
// where one goes, Forward and ForwardMAC where data goes. It is an engine, as [Host]
// is; a switch has one for each VLAN.
type Snooper struct {
	codec
	engine *gmp.Snooper
	kind   gmp.Message // for Relay
}

// SnooperStats counts what a switch did and saw.
type SnooperStats struct {
	TableStats
	Packets    PacketStats // that did not get as far
	Queries    uint64      // taken
	Ignored    uint64      // messages that are impossible, or from no port
	Neighbors  uint64      // advertisements and PIM hellos of routers, taken
	BadQuerier uint64      // queries, and these, from an address that cannot be a router's
	Sent       uint64      // queries after changes of topology
	LostEvents uint64      // that nobody fetched
}

// NewSnooper returns a switch that has seen nothing. Its error wraps ErrConfig.
func NewSnooper(now time.Time, cfg SnooperConfig) (*Snooper, error) {
	s, err := gmp.NewSnooper(now, gmp.SnooperConfig{
		Profile: &gmp.IGMP, Ports: cfg.Ports, RouterPorts: cfg.RouterPorts, Unknown: gmp.Unknown(cfg.Unknown),
		FloodPorts: cfg.FloodPorts, FloodReports: cfg.FloodReports, FastLeave: cfg.FastLeave, Addr: cfg.Addr,
		Timers: gmp.Timers(cfg.Timers), Limits: gmp.TableLimits(cfg.Limits),
	})
	if err != nil {
		return nil, err
	}
	c := &Snooper{codec: newCodec(cfg.Policy, PolicyRFC, nil), engine: s}
	c.routers = true
	return c, nil
}

// AddPort adds a port, with what the configuration says of its number. It reports
// false if it is there, or too many are.
func (s *Snooper) AddPort(port int) bool { return s.engine.AddPort(port) }

// RemovePort forgets a port and all that was learned there, without events.
func (s *Snooper) RemovePort(port int) { s.engine.RemovePort(port) }

// Handle takes a whole IP packet that came in by the port p.IfIndex. There is a router
// behind a port from which queries come, advertisements of Multicast Router Discovery
// (RFC 4286), or PIM hellos (RFC 7761 section 4.9.2), as long as they say, but no longer
// than Timers.MaxQueryInterval. What takes that back is not believed, since another
// router may be there: the port ages. Solicitations are not sent.
func (s *Snooper) Handle(now time.Time, p *datagram.Packet) {
	if m := s.read(p); m != nil {
		s.engine.Handle(now, m)
	}
}

// Relay appends the ports that an IGMP packet goes out of, in ascending order: reports
// and leaves only to routers, all else to every port but its own (RFC 4541 section
// 2.1.1). Ask after Handle, which may learn a router port from the packet. It
// allocates nothing but for dst.
func (s *Snooper) Relay(dst []int, p *datagram.Packet) []int {
	s.kind = gmp.Message{IfIndex: p.IfIndex}
	if _, b, err := ParsePacket(p.Data); err == nil {
		switch t, _ := TypeOf(b); t {
		case TypeReport1, TypeReport2, TypeReport3, TypeLeave:
			s.kind.Kind = gmp.KindReport
		}
	}
	return s.engine.Relay(dst, &s.kind)
}

// Forward appends the ports that a packet from src to g, which came in by the port
// in, goes out of, in ascending order (RFC 4541 section 2.1.2): those that want it and
// those that lead to routers. 224.0.0.0/24 goes to all; what is no IPv4 group goes
// nowhere. It allocates nothing but for dst.
func (s *Snooper) Forward(dst []int, in int, src, g netip.Addr) []int {
	return s.engine.Forward(dst, in, src, g)
}

// ForwardMAC appends the ports that frames to an Ethernet address, which came in by
// the port in, go out of, when a switch forwards by those: all that want anything
// from any group that shares it.
func (s *Snooper) ForwardMAC(dst []int, in int, mac [6]byte) []int {
	return s.engine.ForwardMAC(dst, in, mac)
}

// Sharing appends the groups reported on any port whose packets have the Ethernet
// address mac, in ascending order: 32 groups have one (RFC 4541 section 2.1.2).
func (s *Snooper) Sharing(dst []netip.Addr, mac [6]byte) []netip.Addr {
	return s.engine.Sharing(dst, mac)
}

// RouterSeen tells of a router behind a port for the time hold, for those who know of
// it otherwise than by a packet that Handle takes. Zero ends that at once.
func (s *Snooper) RouterSeen(now time.Time, port int, hold time.Duration) {
	s.engine.RouterSeen(now, port, hold)
}

// TopologyChange tells of ports that spanning tree opened or closed. Members may be
// behind other ports now: they are asked, in the querier's words as far as they are
// known (RFC 4541 section 2.1.1, 4), and all ports get all groups until they should
// have answered; when they cannot be asked, until the querier should have.
func (s *Snooper) TopologyChange(now time.Time) { s.engine.TopologyChange(now) }

// Flush forgets the memberships of a port, as when its link went down.
func (s *Snooper) Flush(now time.Time, port int) { s.engine.Flush(now, port) }

// Advance runs what is due.
func (s *Snooper) Advance(now time.Time) { s.engine.Advance(now) }

// Next returns when Advance or Transmit has something to do, or the zero time.
func (s *Snooper) Next() time.Time { return s.engine.Next() }

// Transmit appends the next packet to send, from its IP header on, to p.Data[:0] and
// sets IfIndex to the port to send it by.
func (s *Snooper) Transmit(now time.Time, p *datagram.Packet) bool {
	for s.engine.Transmit(now, &s.out) {
		if s.write(p, &s.out) {
			return true
		}
	}
	return false
}

// Event returns the next event, with its port.
func (s *Snooper) Event() (Event, bool) { return eventOf(s.engine) }

// Ports appends the numbers of all ports, in ascending order.
func (s *Snooper) Ports(dst []int) []int { return s.engine.Ports(dst) }

// RouterPorts appends the ports that lead to routers, in ascending order.
func (s *Snooper) RouterPorts(dst []int) []int { return s.engine.RouterPorts(dst) }

// Groups appends the groups reported on a port, in ascending order.
func (s *Snooper) Groups(dst []netip.Addr, port int) []netip.Addr { return s.engine.Groups(dst, port) }

// State returns what is known of a group on a port; false if that is nothing.
func (s *Snooper) State(port int, g netip.Addr) (GroupState, bool) {
	return stateOf(s.engine.State(port, g))
}

// Usage returns how many groups and sources are kept for a port.
func (s *Snooper) Usage(port int) (groups, sources int) { return s.engine.Usage(port) }

// Stats returns the counters so far.
func (s *Snooper) Stats() SnooperStats {
	v := s.engine.Stats()
	return SnooperStats{
		TableStats: TableStats(v.TableStats), Packets: s.stats, Queries: v.Queries, Ignored: v.Ignored,
		Neighbors: v.Neighbors, BadQuerier: v.BadQuerier, Sent: v.Sent, LostEvents: v.LostEvents,
	}
}
