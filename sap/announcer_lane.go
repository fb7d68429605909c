package sap

import (
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/pace"
)

// A lane is one group by one way, with what is announced there. The budget of each is
// counted by itself (RFC 2974 section 3).
type lane struct {
	group   netip.Addr
	ifIndex int
	heard   map[uint64]heard
	own     int // sessions of ours
	sweep   time.Time
	bucket  pace.Bucket // of announcements
	byes    pace.Bucket // of deletions
	load    pace.Bucket // of announcements by others
}

// heard is when an announcement of somebody else came last, and how long it was
// before that, in nanoseconds from the engine's start.
type heard struct{ last, gap int64 }

// A peer is another announcer of a session of ours.
type peer struct {
	src  netip.Addr
	last time.Time
}

// minForget is how long an announcement counts at least when it does not come again.
const minForget = 10 * time.Minute

// count returns how many announcements there are on the lane, and forgets those not
// heard for long.
func (l *lane) count(now time.Time, since int64, interval time.Duration) int {
	if now.After(l.sweep) {
		l.sweep = now.Add(max(time.Minute, interval/4))
		for k, h := range l.heard {
			// Heard once, it may come as rarely as ours.
			keep := 10 * time.Duration(h.gap)
			if h.gap == 0 {
				keep = max(10*interval, time.Hour)
			}
			if time.Duration(since-h.last) > max(keep, minForget) {
				delete(l.heard, k)
			}
		}
	}
	return len(l.heard) + l.own
}

// hear counts an announcement, and reports whether it is a new one.
func (l *lane) hear(key uint64, since int64) bool {
	h, ok := l.heard[key]
	if !ok && len(l.heard) >= maxHeard {
		return false
	}
	if ok && since > h.last {
		// The longest of late: a copy heard twice says nothing.
		h.gap = max(since-h.last, h.gap-h.gap/8)
	}
	h.last = since
	l.heard[key] = h
	return !ok
}

// ready returns when a packet may leave, at the earliest at a time.
func ready(b *pace.Bucket, at time.Time) time.Time {
	if b.Ready(at) {
		return at
	}
	return b.Next().Add(-burst / 2) // Next waits for half of it, to send in batches
}

// A spot is a session on a lane.
type spot struct {
	session *announced
	lane    *lane
	tp      time.Time // when it was sent last
	tn      time.Time // when it is sent next
	rand    float64   // chance in the interval, 0 to 1
	fresh   bool      // sent when its time comes without being thought over
	sent    uint64    // packets, and of these
	current bool      // whether this version was
	last    time.Time // by the clock on the wall
	peers   []peer
	place   int // in the heap, -1 for not there
}

// interval returns the base interval (RFC 2974 section 3.1), stretched by the number
// of announcers of the session.
func (e *announcer) interval(s *spot, now time.Time) time.Duration {
	base := e.cfg.Interval
	if e.cfg.Bandwidth > 0 {
		size := len(s.data())
		each := pace.Duration(size, int64(e.cfg.Bandwidth))
		n := s.lane.count(now, e.since(now), max(base, time.Duration(len(s.lane.heard)+s.lane.own)*each))
		base = max(base, time.Duration(n)*each)
	}
	live := s.peers[:0]
	for _, p := range s.peers {
		if now.Sub(p.last) < max(10*base, minForget) {
			live = append(live, p)
		}
	}
	s.peers = live
	return base * time.Duration(1+len(live))
}

// plan returns when s is to be sent: between two and four thirds of the interval after
// the last time.
func (e *announcer) plan(s *spot, now time.Time) time.Time {
	i := e.interval(s, now)
	return s.tp.Add(i*2/3 + time.Duration(s.rand*float64(i)*2/3))
}

// data is the packet of the session on the spot's group.
func (s *spot) data() []byte {
	if s.lane.group.Is4() {
		return s.session.data4
	}
	return s.session.data6
}

// A schedule has the spots in the order of their times.
type schedule []*spot

func (h schedule) Len() int { return len(h) }
func (h schedule) Less(i, j int) bool {
	if !h[i].tn.Equal(h[j].tn) {
		return h[i].tn.Before(h[j].tn)
	}
	return h[i].tp.Before(h[j].tp)
}
func (h schedule) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}
func (h *schedule) Push(x any) {
	s := x.(*spot)
	s.place = len(*h)
	*h = append(*h, s)
}
func (h *schedule) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	s.place = -1
	return s
}
