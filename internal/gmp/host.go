package gmp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// A Host reports to the routers of one interface what its sockets want to receive.
type Host struct {
	cfg HostConfig
	p   *Profile
	clock

	groups   map[netip.Addr]*member
	sorted   []*member // by group
	joined   int       // members that are not leaving
	size     int       // bytes of the records of all their states
	schedule schedule[*member]
	order    uint64

	robustness    int           // ours, or the querier's if larger
	queryInterval time.Duration // of the last V3 query

	mode     Generation
	v1Until  time.Time // IGMPv1 querier present timer
	v2Until  time.Time // IGMPv2 (MLDv1 older version) querier present timer
	general  general
	changed  fifo[*member] // with a state change to send
	answers  fifo[*member] // with an answer to send
	leaves   fifo[netip.Addr]
	out      outbox
	pace     pacer
	events   events
	stats    HostStats
	merger   merger
	set      []netip.Addr // scratch
	shutdown bool
}

// HostStats counts what a host did and saw.
type HostStats struct {
	Queries    uint64 // taken
	Ignored    uint64 // messages that are not for hosts, or impossible
	BadSource  uint64 // queries from an address that cannot be a querier's
	Suppressed uint64 // answers not sent because another host answered
	Reports    uint64 // V1, V2 and V3 reports sent
	Leaves     uint64 // sent
	Forgotten  uint64 // groups left whose last repetitions were dropped for MaxGroups
	LostEvents uint64 // events that nobody fetched
}

// A member is a group that sockets of the host want, or wanted not long ago.
type member struct {
	slot[*member]
	group   netip.Addr
	ssm     bool
	gone    bool // taken out of the host
	sockets []subscription
	filter  group.Filter // of all sockets; its list is never changed in place

	// State-change reports (RFC 3376 section 5.1).
	modeLeft  int      // reports yet to carry a filter mode change
	changes   []change // sources that changed, sorted
	changeAt  time.Time
	changeDue bool // in Host.changed

	// A pending answer (section 5.2): to the whole group, or about asked.
	answerAt  time.Time
	answerDue bool // in Host.answers
	whole     bool
	asked     []netip.Addr

	// Older generations.
	repeats int  // of an unsolicited report
	last    bool // we were the last to report (RFC 2236 section 6)
	told    bool // SSMUnserved
}

// A subscription is what one socket wants.
type subscription struct {
	socket uint64
	filter group.Filter
}

// A change is a source in retransmission state.
type change struct {
	addr netip.Addr
	left int // reports yet to carry it
}

// NewHost returns a host that has joined nothing.
func NewHost(now time.Time, cfg HostConfig) (*Host, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	h := &Host{
		cfg: cfg, p: cfg.Profile, clock: clock{now},
		groups: map[netip.Addr]*member{}, mode: cfg.Generation,
		robustness: cfg.Timers.Robustness, queryInterval: cfg.Timers.QueryInterval,
	}
	h.out.init(h.p.ReportBytes, h.p.RecordBytes, h.p.AddrBytes, cfg.MTU)
	return h, nil
}

// SetFilter replaces what a socket wants of a group; INCLUDE {} leaves it (RFC 3376
// section 2, RFC 3810 section 3). The state of the interface follows from all its
// sockets, and what changes there is reported. A group that no message may speak of
// is accepted and forgotten. Errors wrap ErrFamily, ErrSSM, ErrLimit or ErrShutdown,
// or are those of Filter.Validate; nothing has changed then.
func (h *Host) SetFilter(now time.Time, socket uint64, g netip.Addr, f group.Filter) error {
	now = h.clock.set(now)
	h.advance(now)
	g = plain(g)
	switch {
	case h.shutdown:
		return ErrShutdown
	case g.IsValid() && g.IsMulticast() && !h.p.Covers(g):
		return fmt.Errorf("%w: %v is not for %s", ErrFamily, g, h.p.Name)
	}
	if err := f.Validate(g); err != nil {
		return err
	}
	if h.p.Exempt(g) {
		return nil
	}
	ssm := inSSM(h.cfg.SSM, g)
	switch {
	case ssm && f.Mode == group.Exclude:
		return fmt.Errorf("%w: %v (RFC 4604 section 2.1)", ErrSSM, g)
	case len(f.Sources) > h.cfg.MaxSources:
		return fmt.Errorf("%w: %d sources, the most is %d", ErrLimit, len(f.Sources), h.cfg.MaxSources)
	}
	f = f.Canonical()
	m := h.groups[g]
	if m == nil || m.filter.IsEmpty() {
		if f.IsEmpty() {
			return nil
		}
		if h.joined >= h.cfg.MaxGroups {
			return fmt.Errorf("%w: %d groups are joined", ErrLimit, h.joined)
		}
	}
	if m == nil {
		m = h.newMember(g, ssm)
	}
	merged, err := h.merge(m, socket, f)
	if err != nil {
		return err
	}
	m.subscribe(socket, f)
	h.change(now, m, merged)
	h.settle(m)
	return nil
}

// merge computes the state of the interface with a socket's new filter.
func (h *Host) merge(m *member, socket uint64, f group.Filter) (group.Filter, error) {
	h.merger.any, h.merger.in = false, h.merger.in[:0]
	known := false
	for i := range m.sockets {
		if m.sockets[i].socket == socket {
			known = true
			continue
		}
		h.merger.add(m.sockets[i].filter)
	}
	if !known && !f.IsEmpty() && len(m.sockets) >= h.cfg.MaxSockets {
		return group.Filter{}, fmt.Errorf("%w: %d sockets for %v", ErrLimit, len(m.sockets), m.group)
	}
	h.merger.add(f)
	merged := h.merger.result()
	if h.cfg.Lightweight && merged.Mode == group.Exclude {
		merged.Sources = nil // RFC 5790 section 3.1
	}
	if len(merged.Sources) > h.cfg.MaxSources {
		return group.Filter{}, fmt.Errorf("%w: all sockets together want %d sources of %v, the most is %d", ErrLimit, len(merged.Sources), m.group, h.cfg.MaxSources)
	}
	return merged, nil
}

func (m *member) subscribe(socket uint64, f group.Filter) {
	i, known := slices.BinarySearchFunc(m.sockets, socket, func(s subscription, id uint64) int {
		switch {
		case s.socket < id:
			return -1
		case s.socket > id:
			return 1
		}
		return 0
	})
	switch {
	case f.IsEmpty() && known:
		m.sockets = slices.Delete(m.sockets, i, i+1)
	case known:
		m.sockets[i].filter = f
	case !f.IsEmpty():
		m.sockets = slices.Insert(m.sockets, i, subscription{socket, f})
	}
}

func (h *Host) newMember(g netip.Addr, ssm bool) *member {
	m := &member{group: g, ssm: ssm}
	h.order++
	m.slot.owner, m.slot.order = m, h.order
	h.groups[g] = m
	i, _ := slices.BinarySearchFunc(h.sorted, g, byGroup)
	h.sorted = slices.Insert(h.sorted, i, m)
	return m
}

func byGroup(m *member, g netip.Addr) int { return m.group.Compare(g) }

func (h *Host) remove(m *member) {
	m.gone = true
	h.schedule.remove(&m.slot)
	delete(h.groups, m.group)
	if i, ok := slices.BinarySearchFunc(h.sorted, m.group, byGroup); ok {
		h.sorted = slices.Delete(h.sorted, i, i+1)
	}
}

// settle books a member's next deadline, or removes it when nothing is left to say.
func (h *Host) settle(m *member) {
	if m.gone {
		return
	}
	if m.filter.IsEmpty() && m.modeLeft == 0 && len(m.changes) == 0 {
		h.remove(m)
		return
	}
	h.schedule.set(&m.slot, earliest(m.changeAt, m.answerAt))
}

// SetAddr tells the host that the interface has another address. The first valid
// one makes it report all its groups again (RFC 3590 section 4).
func (h *Host) SetAddr(now time.Time, a netip.Addr) {
	before := h.src()
	h.cfg.Addr = plain(a)
	if before == h.p.Unspecified && h.src() != before {
		h.Announce(now)
	}
}

// src is the source of reports.
func (h *Host) src() netip.Addr {
	if a := h.cfg.Addr; h.p.unicast(a) && h.p.querier(a) {
		return a
	}
	return h.p.Unspecified
}

// Shutdown leaves all groups, as if every socket had been closed. Done tells when
// the last message about it is out.
func (h *Host) Shutdown(now time.Time) {
	now = h.clock.set(now)
	h.advance(now)
	h.shutdown = true
	for _, m := range slices.Clone(h.sorted) {
		m.sockets = nil
		h.change(now, m, group.Filter{})
		h.settle(m)
	}
}

// Done reports whether Shutdown was called and all has been said.
func (h *Host) Done() bool {
	return h.shutdown && len(h.sorted) == 0 && h.leaves.len() == 0 && h.out.empty()
}

// Filter returns the state of the interface for a group (RFC 3376 section 3.2). Its
// sources must not be changed.
func (h *Host) Filter(g netip.Addr) group.Filter {
	if m := h.groups[plain(g)]; m != nil {
		return m.filter
	}
	return group.Filter{}
}

// Groups appends the groups joined, in ascending order.
func (h *Host) Groups(dst []netip.Addr) []netip.Addr {
	for _, m := range h.sorted {
		if !m.filter.IsEmpty() {
			dst = append(dst, m.group)
		}
	}
	return dst
}

// Mode is the host compatibility mode (RFC 3376 section 7.2.1).
func (h *Host) Mode() Generation { return h.mode }

// Stats returns the counters so far.
func (h *Host) Stats() HostStats {
	s := h.stats
	s.LostEvents = h.events.lost
	return s
}

// Event gives the next event: HostMode, SSMUnserved or SSMQueried.
func (h *Host) Event(e *Event) bool { return h.events.poll(e) }
