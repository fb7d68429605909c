package sap

import (
	"container/heap"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// A way is a group that packets can be sent to, and the interface. A group that is
// not valid stands for all.
type way struct {
	group   netip.Addr
	ifIndex int
}

// announcer is the engine of an Announcer.
type announcer struct {
	cfg   AnnouncerConfig
	ways  []way
	clock steady
	start time.Time // steady
	wall  time.Time
	rng   *rand.Rand
	seed  maphash.Seed // of keys that are only compared

	lanes    []*lane
	sessions map[uint64]*announced
	digests  map[uint64]*announced       // of the packets of ours
	users    map[netip.Addr][]*announced // of a group
	nextID   uint64
	schedule schedule
	byes     []bye
	clashes  []clash
	parses   int // left in this second
	second   time.Time
	inflate  Inflater
	stats    AnnouncerStats
}

var _ engine.Engine = (*announcer)(nil)

// A bye is a deletion to be sent.
type bye struct {
	due  time.Time
	lane *lane
	data []byte
}

func newAnnouncer(cfg AnnouncerConfig, ways []way) (*announcer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	e := &announcer{
		cfg: cfg.filled(), seed: maphash.MakeSeed(),
		rng:      rand.New(rand.NewPCG(cfg.Seed, 0x5a9)),
		sessions: make(map[uint64]*announced),
		digests:  make(map[uint64]*announced),
		users:    make(map[netip.Addr][]*announced),
	}
	for _, w := range ways {
		w.group = w.group.Unmap().WithZone("")
		if slices.Contains(e.ways, w) {
			continue
		}
		e.ways = append(e.ways, w)
		if w.group.IsValid() { // heard from the start
			e.laneAt(w.group, w.ifIndex)
		}
	}
	return e, nil
}

// laneAt returns the lane of a group and interface.
func (e *announcer) laneAt(g netip.Addr, ifIndex int) *lane {
	for _, l := range e.lanes {
		if l.group == g && l.ifIndex == ifIndex {
			return l
		}
	}
	l := &lane{group: g, ifIndex: ifIndex, heard: make(map[uint64]heard)}
	l.bucket.SetRate(int64(max(e.cfg.Bandwidth, 0)), burst)
	l.byes.SetRate(10*int64(max(e.cfg.Bandwidth, 0)), burst)
	l.load.SetRate(int64(max(e.cfg.Bandwidth, 0)), burst)
	e.lanes = append(e.lanes, l)
	return l
}

// lanesTo returns the lanes by which a group is reached.
func (e *announcer) lanesTo(g netip.Addr) (all []*lane) {
	for _, w := range e.ways {
		if !w.group.IsValid() || w.group == g {
			if l := e.laneAt(g, w.ifIndex); !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	}
	return all
}

// tick takes the time and returns the steady one.
func (e *announcer) tick(now time.Time) time.Time {
	e.wall = now
	t := e.clock.at(now)
	if e.start.IsZero() {
		e.start = t
	}
	return t
}

func (e *announcer) since(t time.Time) int64 { return int64(t.Sub(e.start)) }

// Advance implements engine.Engine. All is done by Transmit.
func (e *announcer) Advance(now time.Time) { e.tick(now) }

// Next implements engine.Engine.
func (e *announcer) Next() time.Time {
	var t time.Time
	if len(e.schedule) > 0 {
		t = e.schedule[0].tn
	}
	for i := range e.byes {
		t = engine.Earliest(t, ready(&e.byes[i].lane.byes, e.byes[i].due))
	}
	return e.clock.next(t)
}

// Transmit implements engine.Engine.
func (e *announcer) Transmit(wall time.Time, p *datagram.Packet) bool {
	now := e.tick(wall)
	for i := range e.byes {
		b := e.byes[i]
		if b.due.After(now) || !b.lane.byes.Ready(now) {
			continue
		}
		e.byes = slices.Delete(e.byes, i, i+1)
		b.lane.byes.Take(now, len(b.data))
		e.stats.Deletes++
		e.put(p, b.lane, b.data)
		return true
	}
	for len(e.schedule) > 0 && !e.schedule[0].tn.After(now) {
		s := e.schedule[0]
		if s.session.fn != nil && e.ask(s.session, now) {
			return e.Transmit(wall, p) // the old version goes first
		}
		if s.fresh && s.sent == 0 && !s.lane.load.Ready(now) {
			// Others fill the group. As many may be starting now, after a power
			// cut, the first announcement waits for an interval, as RFC 2974
			// section 3.1 has it for all.
			s.fresh, s.tp, s.rand = false, now, e.rng.Float64()
		}
		if !s.fresh {
			// Reconsideration (RFC 2974 section 3.1): the group may have filled
			// up since.
			if tn := e.plan(s, now); tn.After(now) {
				e.stats.Postponed++
				e.moveTo(s, tn)
				continue
			}
		}
		if !s.lane.bucket.Ready(now) {
			e.moveTo(s, ready(&s.lane.bucket, now))
			continue
		}
		s.lane.bucket.Take(now, len(s.data()))
		s.tp, s.last, s.fresh, s.current = now, wall, false, true
		s.sent++
		e.stats.Sent++
		e.put(p, s.lane, s.data())
		s.rand = e.rng.Float64()
		e.moveTo(s, e.plan(s, now))
		return true
	}
	return false
}

func (e *announcer) moveTo(s *spot, tn time.Time) {
	s.tn = tn
	heap.Fix(&e.schedule, s.place)
}

func (e *announcer) put(p *datagram.Packet, l *lane, data []byte) {
	e.stats.SentBytes += uint64(len(data))
	p.Data = append(p.Data[:0], data...)
	p.Dst = netip.AddrPortFrom(l.group, Port)
	p.IfIndex, p.HopLimit = l.ifIndex, e.cfg.HopLimit
}

// Handle implements engine.Engine: it counts what others announce.
func (e *announcer) Handle(wall time.Time, in *datagram.Packet) {
	now := e.tick(wall)
	g := in.Dst.Addr().Unmap().WithZone("")
	var on *lane
	for _, l := range e.lanes {
		if l.group == g && (l.ifIndex == in.IfIndex || l.ifIndex == 0) {
			on = l
			break
		}
	}
	if on == nil {
		return
	}
	p, err := ParsePacket(in.Data)
	if err != nil {
		e.stats.Bad++
		return
	}
	src := in.Src.Addr().Unmap()
	if s, ok := e.digests[maphash.Bytes(e.seed, in.Data)]; ok && !p.Delete {
		// Our own come back to us, and others may announce our sessions too.
		if src != p.Origin && !slices.Contains(e.cfg.Sources, src.WithZone("")) {
			on.load.Take(now, len(in.Data))
			s.helped(on, src, now)
		}
		return
	}
	key := maphash.Comparable(e.seed, adKey{src, p.Origin, p.Hash})
	if p.Hash == 0 { // RFC 2974 section 3.1: then it is the whole message that counts
		key = maphash.Bytes(e.seed, in.Data) ^ maphash.Comparable(e.seed, src)
	}
	if p.Delete {
		e.stats.Heard++
		delete(on.heard, key)
		return
	}
	e.stats.Heard++
	on.load.Take(now, len(in.Data))
	if on.hear(key, e.since(now)) && !e.cfg.NoDefend {
		e.compare(now, src, &p)
	}
}

// adKey is what tells announcements on a lane apart. Without the sender all instances of
// minisapserver were one.
type adKey struct {
	src, origin netip.Addr
	hash        uint16
}

// helped notes another announcer of the session.
func (s *announced) helped(l *lane, src netip.Addr, now time.Time) {
	for _, sp := range s.spots {
		if sp.lane != l {
			continue
		}
		for i := range sp.peers {
			if sp.peers[i].src == src {
				sp.peers[i].last = now
				return
			}
		}
		if len(sp.peers) < maxPeers {
			sp.peers = append(sp.peers, peer{src, now})
		}
	}
}

// bookBye books deletions of what a spot announced.
func (e *announcer) bookBye(s *spot, now time.Time, times int) {
	if !s.current || e.cfg.Deletes < 0 {
		return
	}
	data := s.session.bye4
	if s.lane.group.Is6() {
		data = s.session.bye6
	}
	for i := range times {
		e.byes = append(e.byes, bye{now.Add(time.Duration(i) * e.cfg.DeleteGap), s.lane, data})
	}
}

// leave takes a spot away.
func (e *announcer) leave(s *spot, now time.Time) {
	e.bookBye(s, now, e.cfg.Deletes)
	s.lane.own--
	heap.Remove(&e.schedule, s.place)
}

// withdraw ends a session.
func (e *announcer) withdraw(wall time.Time, id uint64) error {
	now := e.tick(wall)
	s := e.sessions[id]
	if s == nil {
		return ErrWithdrawn
	}
	for _, sp := range s.spots {
		e.leave(sp, now)
	}
	e.forget(s)
	e.disuse(s)
	delete(e.sessions, id)
	return nil
}

// shutdown withdraws everything.
func (e *announcer) shutdown(wall time.Time) {
	ids := make([]uint64, 0, len(e.sessions))
	for id := range e.sessions {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		_ = e.withdraw(wall, id)
	}
}

// idle reports whether all deletions have been sent.
func (e *announcer) idle() bool { return len(e.byes) == 0 }

func (e *announcer) status(wall time.Time, id uint64) (st SessionStatus, err error) {
	now := e.tick(wall)
	s := e.sessions[id]
	if s == nil {
		return st, ErrWithdrawn
	}
	st = SessionStatus{Hash: s.hash, Size: max(len(s.data4), len(s.data6)), Version: s.version}
	st.Large = st.Size > RecommendedSize
	for _, sp := range s.spots {
		st.Groups = append(st.Groups, GroupStatus{
			Group: sp.lane.group, IfIndex: sp.lane.ifIndex, Sent: sp.sent, Last: sp.last,
			Interval: e.interval(sp, now), Heard: len(sp.lane.heard), Peers: len(sp.peers),
		})
	}
	return st, nil
}

func (e *announcer) counters() AnnouncerStats {
	st := e.stats
	st.Sessions = len(e.sessions)
	return st
}

func noPath(g netip.Addr) error { return fmt.Errorf("%w %v", ErrNoPath, g) }
