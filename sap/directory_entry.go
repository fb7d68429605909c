package sap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/sdp"
)

// A party is who announces: the signer, or the host when there is none.
type party struct {
	addr   netip.Addr
	signer string
}

// An owner is a party of an entry. When it has sent a deletion it leaves: for good
// after deleteGrace, unless it announces again.
type owner struct {
	party
	left time.Time
}

// deleteGrace is how long after its deletion a session is removed. The old version of
// a session that changes is deleted right before the new one is announced (RFC 2974
// section 6), and the session is then not removed but updated.
const deleteGrace = 2 * time.Second

// An entry is a session in a directory.
type entry struct {
	key      string // that of all with the same origin
	number   uint64 // tells it from those
	d        *sdp.Description
	text     string
	origin   sdp.Origin
	degen    bool // the origin tells nothing
	size     int
	channels []sdp.Channel

	owners []owner // the first may change it
	from   netip.Addr
	hash   uint16
	quirks Quirk
	wires  []wire // packets that say exactly this
	heads  []head // their headers

	places []place
	gaps   [8]time.Duration
	nGaps  int

	firstWall, lastWall time.Time
	last                time.Time // steady
	count               int
	stale               bool
	ends                time.Time

	deadline time.Time
	index    int // in the order of deadlines

	// Of those heard but once there is a list, the oldest first.
	once         bool
	older, newer *entry
}

// A wire is a packet: its digest and its sender. One that is known is not read again.
type wire struct {
	digest uint64
	src    netip.Addr
}

// A head is how a packet names its session, for deletions that say no more.
type head struct {
	src, origin netip.Addr
	hash        uint16
}

// A place is where an entry is heard, by whom, and when last.
type place struct {
	Place
	src  netip.Addr
	last time.Time
}

// heard notes that the entry was heard, and measures its period: between two packets
// on one group from one host, since the same is sent to several groups at once.
func (x *entry) heard(now, wall time.Time, at Place, src netip.Addr) {
	x.count++
	x.last, x.lastWall, x.stale = now, wall, false
	oldest := 0
	for i := range x.places {
		p := &x.places[i]
		if p.Place == at && p.src == src {
			if gap := now.Sub(p.last); gap >= minGap {
				x.gaps[x.nGaps%len(x.gaps)] = gap
				x.nGaps++
				p.last = now
			}
			return
		}
		if p.last.Before(x.places[oldest].last) {
			oldest = i
		}
	}
	p := place{at, src, now}
	if len(x.places) < maxPlaces {
		x.places = append(x.places, p)
	} else {
		x.places[oldest] = p
	}
}

// minGap is how far apart two packets are that are not copies of one.
const minGap = 500 * time.Millisecond

// period returns the median time between announcements, 0 if not known yet.
func (x *entry) period() time.Duration {
	n := min(x.nGaps, len(x.gaps))
	if n < min(2*max(len(x.places), 1), len(x.gaps)) {
		return 0 // two from each place, lest one repetition counts for many
	}
	g := x.gaps
	slices.Sort(g[:n])
	return g[n/2]
}

// expiry returns how long the entry is kept when it is not heard again. guess is the
// period at which announcements of its size should come.
func (x *entry) expiry(p ExpiryPolicy, guess time.Duration) time.Duration {
	period := x.period()
	if p == ExpireMeasured && period > 0 {
		return max(10*period, time.Minute)
	}
	return max(10*max(period, guess), time.Hour) // RFC 2974 section 4
}

// owns returns the place of a party among the announcers, -1 for none.
func (x *entry) owns(p party) int {
	return slices.IndexFunc(x.owners, func(o owner) bool {
		return o.signer == p.signer && (p.signer != "" || o.addr == p.addr)
	})
}

// doomed returns when the entry is to be removed because all who announced it have
// left, or the zero Time. expiry is how long those count who fell silent.
func (x *entry) doomed(now time.Time, expiry time.Duration) (at time.Time) {
	for i, o := range x.owners {
		switch {
		case !o.left.IsZero():
			if end := o.left.Add(deleteGrace); end.After(at) {
				at = end
			}
		case i == 0 || slices.ContainsFunc(x.places, func(p place) bool { return p.src == o.addr && now.Sub(p.last) < expiry }):
			return time.Time{}
		}
	}
	return at
}

// olderVersion reports whether o is an earlier version than x.
func (x *entry) olderVersion(o sdp.Origin) bool {
	return !x.degen && sdp.CompareVersions(o.Version, x.origin.Version) < 0
}

// A deadlines heap has the entries in the order in which they expire.
type deadlines []*entry

func (h deadlines) Len() int           { return len(h) }
func (h deadlines) Less(i, j int) bool { return h[i].deadline.Before(h[j].deadline) }
func (h deadlines) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *deadlines) Push(v any) {
	x := v.(*entry)
	x.index = len(*h)
	*h = append(*h, x)
}
func (h *deadlines) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return x
}
