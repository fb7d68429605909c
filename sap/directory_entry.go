package sap

import (
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/sdp"
)

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
	floor  time.Time     // it is not silent before, because of places that gave way
	since  time.Time     // when it became what it is, steady
	known  time.Duration // its period, as told by a Store

	firstWall, lastWall time.Time
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
