package alloc

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
	"github.com/gomulticast/multicast/sdp"
)

// sap4 is what sessions of global scope that are announced choose from (RFC 2974 and
// RFC 5771 section 7).
var sap4 = group.Zone{First: netip.AddrFrom4([4]byte{224, 2, 128, 0}), Last: netip.AddrFrom4([4]byte{224, 2, 255, 255})}

// sapOffer returns what a session may draw from: the ranges of the allocator, or else the
// zone or scope asked for.
func sapOffer(t *terms, ranges []group.Zone) (offer, error) {
	switch {
	case len(ranges) > 0:
		return t.from(ranges, group.CodeExpansion, group.CodeSAPBlock)
	case t.Zone.IsValid():
		return t.from([]group.Zone{normal(t.Zone)}, group.CodeExpansion, group.CodeSAPBlock)
	case t.Family == IPv4 && t.Scope == group.Global:
		return t.from([]group.Zone{sap4}, group.CodeSAPBlock)
	}
	z, err := scopeZone(t.Family, t.Scope)
	return offer{zones: []group.Zone{z}}, err
}

// A Grant is what a session to be announced has.
type Grant struct {
	Addrs      []netip.Addr // in ascending order
	Start, End time.Time    // zero End is without end
	Version    uint64       // of the description: rises with each renewal
}

// A placeholder writes the description of addresses that nothing more is known of.
type placeholder struct {
	name   string
	origin netip.Addr
	port   uint16
	ttl    int
}

// describe returns the description, with a media for each row of addresses. id is the
// session's.
func (p *placeholder) describe(id uint64, g Grant) (*sdp.Description, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "v=0\r\no=- %d %d IN %s %s\r\ns=%s\r\nt=%d %d\r\na=tool:alloc\r\n", id, g.Version, nettype(p.origin), p.origin, p.name, ntpStart(g), sdp.NTP(g.End))
	for _, r := range rowsOf(g.Addrs) {
		fmt.Fprintf(&b, "m=application %d udp 0\r\nc=IN %s %s", p.port, nettype(r.first), r.first)
		if r.first.Is4() {
			b.WriteString("/" + strconv.Itoa(p.ttl))
		}
		if r.count > 1 {
			fmt.Fprintf(&b, "/%d", r.count)
		}
		b.WriteString("\r\n")
	}
	d, err := sdp.ParseString(b.String())
	if err != nil {
		return nil, fmt.Errorf("alloc: description of %d addresses: %w: ask for fewer", len(g.Addrs), err)
	}
	return d, nil
}

// ntpStart returns the start for t=, which is 0 for a session without an end.
func ntpStart(g Grant) uint64 {
	if g.End.IsZero() {
		return 0
	}
	return sdp.NTP(g.Start)
}

func nettype(a netip.Addr) string {
	if familyOf(a) == IPv6 {
		return "IP6"
	}
	return "IP4"
}

// The o= lines of this package have in their ID when the session began, in seconds since
// 1900 as RFC 8866 section 5.2 recommends, and 16 bits of chance behind.
const idShift = 16

// firstNTP is 1990, before there was SDP: IDs that say an earlier time are not times.
var firstNTP = sdp.NTP(time.Unix(631152000, 0))

// newID returns an ID for a session that begins now, greater than the last one.
func newID(now time.Time, last, chance uint64) uint64 {
	return max(last+1, sdp.NTP(now)<<idShift|chance&(1<<idShift-1))
}

// precedes reports whether the session of an o= line began before ours, which both sides
// can tell and see the same; of two that began at once that of the lower address counts
// as the first. It reports false for ok when the ID there is no time.
func precedes(o sdp.Origin, id uint64, origin netip.Addr, now time.Time) (first, ok bool) {
	theirs, err := strconv.ParseUint(o.ID, 10, 64)
	if err != nil {
		return false, false
	}
	latest := sdp.NTP(now) + 24*60*60 // clocks differ
	switch {
	case theirs >= firstNTP && theirs <= latest:
		id >>= idShift
	case theirs>>idShift < firstNTP || theirs>>idShift > latest:
		return false, false
	}
	if theirs != id {
		return theirs < id, true
	}
	return o.Addr().Compare(origin) < 0, true
}
