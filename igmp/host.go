package igmp

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/gmp"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/mcast/group"
)

// HostConfig holds a host's settings. Zero fields take the default in their comment.
type HostConfig struct {
	// Addr is the interface's address for reports. Until there is one it stays
	// zero, and reports go out from 0.0.0.0 (RFC 3376 section 4.2.13).
	Addr netip.Addr

	// Networks are those of the interface: who is in none of them is OffLink.
	// Default: nobody is.
	Networks []netip.Prefix

	// Policy says which packets are refused. Default PolicyRFC.
	Policy Violations

	// MTU bounds the size of a packet in bytes, at least 576. Default 1,500.
	MTU int

	// Timers: Robustness and Unsolicited count here, and QueryInterval until a
	// querier has told its own. A larger robustness of the querier is taken
	// over; a smaller one is not, so that a forged query cannot make a host
	// careless.
	Timers Timers

	// Version is the newest that the host speaks: 2 or 1 make it one of the
	// older hosts. Default 3.
	Version uint8

	// Lightweight keeps to the records of RFC 5790: EXCLUDE is without sources,
	// and queries are answered with TO_EX and ALLOW.
	Lightweight bool

	// AlwaysLeave sends a leave in version 2 mode even when another host was the
	// last to report the group (RFC 2236 section 3 leaves the choice).
	AlwaysLeave bool

	// SSM is the source-specific range. Default 232.0.0.0/8 (RFC 4604 section
	// 2).
	SSM []netip.Prefix

	// MaxGroups bounds the groups joined, default 1,024; as many that were left
	// and are not yet reported often enough may be kept. MaxSockets bounds the
	// sockets of a group, default 1,024, and MaxSources the sources of a filter
	// and of their union, default 1,024, at least 64 (RFC 3376 section 2).
	MaxGroups, MaxSockets, MaxSources int

	// Rand is the source of chance, by which answers of many hosts are spread.
	// Required by NewHost; RunHost seeds one if it is nil.
	Rand *rand.Rand
}

func (c *HostConfig) engine() (gmp.HostConfig, error) {
	return gmp.HostConfig{
		Profile: &gmp.IGMP, Addr: c.Addr, MTU: c.MTU, Timers: gmp.Timers(c.Timers), Generation: generation(c.Version),
		Lightweight: c.Lightweight, AlwaysLeave: c.AlwaysLeave, SSM: c.SSM,
		MaxGroups: c.MaxGroups, MaxSockets: c.MaxSockets, MaxSources: c.MaxSources, Rand: c.Rand,
	}, checkVersion(c.Version)
}

// A Host reports to the routers of one interface what its sockets want to receive
// (RFC 3376 section 5, and 7.2 among older routers). Only who has no kernel that
// reports needs one: two reporters on one address confuse routers.
//
// It is an engine: a state machine that is handed the time and whole IP packets, and
// has no clock, goroutine or socket of its own. After any call its driver takes the
// packets from Transmit and the events from Event, and calls Advance at the time that
// Next gives. [RunHost] does so on a connection. It is not for concurrent use.
type Host struct {
	codec
	engine *gmp.Host
}

// HostStats counts what a host did and saw.
type HostStats struct {
	Packets    PacketStats // that did not get as far
	Queries    uint64      // taken
	Ignored    uint64      // messages that are not for hosts, or impossible
	BadSource  uint64      // queries from an address that cannot be a querier's
	Suppressed uint64      // answers not sent because another host answered
	Reports    uint64      // of all versions, sent
	Leaves     uint64      // sent
	Forgotten  uint64      // groups left whose last repetitions were dropped for MaxGroups
	LostEvents uint64      // that nobody fetched
}

// NewHost returns a host that has joined nothing. Its error wraps ErrConfig.
func NewHost(now time.Time, cfg HostConfig) (*Host, error) {
	c, err := cfg.engine()
	if err != nil {
		return nil, err
	}
	h, err := gmp.NewHost(now, c)
	if err != nil {
		return nil, err
	}
	return &Host{newCodec(cfg.Policy, PolicyRFC, cfg.Networks), h}, nil
}

// SetFilter replaces what a socket wants of a group; INCLUDE {} leaves it (RFC 3376
// section 2). A socket is whoever the caller gives the number; the state of the
// interface follows from all of them, and what changes there is reported. 224.0.0.1,
// of which nothing is reported, is accepted and forgotten. Errors wrap ErrFamily,
// ErrSSM, ErrLimit or ErrShutdown, or are those of [group.Filter.Validate]; nothing
// has changed then.
func (h *Host) SetFilter(now time.Time, socket uint64, g netip.Addr, f group.Filter) error {
	return h.engine.SetFilter(now, socket, g, f)
}

// SetAddr tells the host that the interface has another address. The first valid one
// makes it report all its groups again.
func (h *Host) SetAddr(now time.Time, a netip.Addr) { h.engine.SetAddr(now, a) }

// Announce reports all groups again, as after the link came up.
func (h *Host) Announce(now time.Time) { h.engine.Announce(now) }

// Shutdown leaves all groups, as if every socket had been closed. Done tells when the
// last message about it is out.
func (h *Host) Shutdown(now time.Time) { h.engine.Shutdown(now) }

// Done reports whether Shutdown was called and all has been said.
func (h *Host) Done() bool { return h.engine.Done() }

// Filter returns the state of the interface for a group (RFC 3376 section 3.2). Its
// sources must not be changed.
func (h *Host) Filter(g netip.Addr) group.Filter { return h.engine.Filter(g) }

// Groups appends the groups joined, in ascending order.
func (h *Host) Groups(dst []netip.Addr) []netip.Addr { return h.engine.Groups(dst) }

// Version is the version spoken now (RFC 3376 section 7.2.1).
func (h *Host) Version() uint8 { return versionOf(h.engine.Mode()) }

// Handle takes a whole IP packet that arrived.
func (h *Host) Handle(now time.Time, p *datagram.Packet) {
	if m := h.read(p); m != nil {
		h.engine.Handle(now, m)
	}
}

// Advance runs what is due.
func (h *Host) Advance(now time.Time) { h.engine.Advance(now) }

// Next returns when Advance or Transmit has something to do, or the zero time.
func (h *Host) Next() time.Time { return h.engine.Next() }

// Transmit appends the next packet to send, from its IP header on, to p.Data[:0].
func (h *Host) Transmit(now time.Time, p *datagram.Packet) bool {
	for h.engine.Transmit(now, &h.out) {
		h.out.IfIndex = 0
		if h.write(p, &h.out) {
			return true
		}
	}
	return false
}

// Event returns the next event: HostMode, SSMUnserved or SSMQueried.
func (h *Host) Event() (Event, bool) { return eventOf(h.engine) }

// Stats returns the counters so far.
func (h *Host) Stats() HostStats {
	s := h.engine.Stats()
	return HostStats{
		Packets: h.stats, Queries: s.Queries, Ignored: s.Ignored, BadSource: s.BadSource, Suppressed: s.Suppressed,
		Reports: s.Reports, Leaves: s.Leaves, Forgotten: s.Forgotten, LostEvents: s.LostEvents,
	}
}
