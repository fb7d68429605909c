package gmp

import (
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// A Generation counts the versions of both protocols together.
type Generation uint8

const (
	// V1 is IGMPv1 (RFC 1112); MLD has nothing like it.
	V1 Generation = 1

	// V2 is IGMPv2 (RFC 2236) and MLDv1 (RFC 2710): leaves and group-specific
	// queries.
	V2 Generation = 2

	// V3 is IGMPv3 (RFC 3376) and MLDv2 (RFC 3810): source filters.
	V3 Generation = 3
)

// A Profile is what differs between IGMP and MLD. Use IGMP or MLD; the fields are
// exported for those who put a codec over an engine.
type Profile struct {
	Name   string     // "IGMP" or "MLD"
	Oldest Generation // the oldest there is: V1 or V2

	AllSystems  netip.Addr // where general queries go: 224.0.0.1, ff02::1
	AllRouters  netip.Addr // where leaves go: 224.0.0.2, ff02::2
	Reports     netip.Addr // where V3 reports go: 224.0.0.22, ff02::16
	Unspecified netip.Addr // the group of a general query, the source of a host without address

	// Tick is the unit of the maximum response time on the wire, Mantissa the
	// bits of its mantissa where it is a floating point number (RFC 3376
	// section 4.1.1, RFC 3810 section 5.1.3), and OldMaxResp the most that a
	// V2 query can say.
	Tick       time.Duration
	Mantissa   uint
	OldMaxResp time.Duration

	// OldUnsolicited is the time in which a V1 or V2 host repeats its first
	// report (RFC 2236 section 8.10, RFC 2710 section 7.10).
	OldUnsolicited time.Duration

	// Bytes of a packet before the sources of a query, before the first record
	// of a V3 report, of a record without its sources, and of a source. The IP
	// header with the router alert is counted.
	QueryBytes, ReportBytes, RecordBytes, AddrBytes int

	// LinkLocal: queries count only from a link-local source, and for routers
	// reports too (RFC 3810 sections 5.1.14 and 5.2.13).
	LinkLocal bool

	// AnyOldQuery: every V2 query, not only a general one, sets a host's
	// compatibility mode (RFC 3810 section 8.2.1; RFC 3376 section 7.2.1 says
	// general).
	AnyOldQuery bool
}

// IGMP is the profile for IPv4. The header sizes are an IPv4 header with the
// 4-byte router alert option, and those of RFC 3376 section 4.
var IGMP = Profile{
	Name: "IGMP", Oldest: V1,
	AllSystems:  netip.AddrFrom4([4]byte{224, 0, 0, 1}),
	AllRouters:  netip.AddrFrom4([4]byte{224, 0, 0, 2}),
	Reports:     netip.AddrFrom4([4]byte{224, 0, 0, 22}),
	Unspecified: netip.IPv4Unspecified(),
	Tick:        100 * time.Millisecond, Mantissa: 4, OldMaxResp: 25500 * time.Millisecond,
	OldUnsolicited: 10 * time.Second,
	QueryBytes:     24 + 12, ReportBytes: 24 + 8, RecordBytes: 8, AddrBytes: 4,
}

// MLD is the profile for IPv6. The header sizes are an IPv6 header, 8 bytes of
// hop-by-hop options with the router alert, and those of RFC 3810 section 5.
var MLD = Profile{
	Name: "MLD", Oldest: V2,
	AllSystems:  netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 1}),
	AllRouters:  netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 2}),
	Reports:     netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 0x16}),
	Unspecified: netip.IPv6Unspecified(),
	Tick:        time.Millisecond, Mantissa: 12, OldMaxResp: 65535 * time.Millisecond,
	OldUnsolicited: 10 * time.Second,
	QueryBytes:     48 + 28, ReportBytes: 48 + 8, RecordBytes: 20, AddrBytes: 16,
	LinkLocal: true, AnyOldQuery: true,
}

// Covers reports whether g is a multicast address of the profile's family.
func (p *Profile) Covers(g netip.Addr) bool {
	return g.IsMulticast() && g.Is4() == p.Unspecified.Is4()
}

// Exempt reports whether no message ever speaks of g: 224.0.0.1 (RFC 3376 section
// 5), ff02::1 and the scopes 0 and 1 (RFC 3810 section 6).
func (p *Profile) Exempt(g netip.Addr) bool {
	return g == p.AllSystems || g.Is6() && group.ScopeOf(g) <= group.InterfaceLocal
}

// unicast reports whether a can be a source of the profile's family.
func (p *Profile) unicast(a netip.Addr) bool {
	return a.IsValid() && a.Is4() == p.Unspecified.Is4() && !a.IsMulticast() && !a.IsUnspecified()
}

// querier reports whether a query may come from a. 0.0.0.0 may be a switch (RFC 4541
// section 2.1.1), :: never counts (RFC 3810 section 5.1.14).
func (p *Profile) querier(a netip.Addr) bool {
	if p.LinkLocal {
		return a.Is6() && a.IsLinkLocalUnicast()
	}
	return a == p.Unspecified || p.unicast(a)
}

// reporter reports whether a router believes a report from a (RFC 3376 section
// 4.2.13, RFC 3810 section 5.2.13).
func (p *Profile) reporter(a netip.Addr) bool { return p.querier(a) }

// lower reports whether a wins the querier election against b (RFC 3376 section
// 6.6.2). Of IPv6 addresses only the interface identifiers count (RFC 3810 section
// 7.6.2).
func (p *Profile) lower(a, b netip.Addr) bool {
	if p.LinkLocal {
		x, y := a.As16(), b.As16()
		return string(x[8:]) < string(y[8:])
	}
	return a.Less(b)
}

// maxResp rounds a maximum response time down to what a query of generation g can
// say, at least one tick (RFC 3376 section 8.8).
func (p *Profile) maxResp(d time.Duration, g Generation) time.Duration {
	if g < V3 {
		d = min(d, p.OldMaxResp)
		return max(d-d%p.Tick, p.Tick)
	}
	return p.Tick * time.Duration(max(float(int64(d/p.Tick), p.Mantissa), 1))
}

// longestResp is the longest maximum response time a message can say.
func (p *Profile) longestResp() time.Duration {
	return p.Tick * time.Duration(float(1<<40, p.Mantissa))
}

// interval rounds a query interval down to what fits the QQIC field, at least one
// second; the field is the same in both families (RFC 3376 section 4.1.7, RFC 3810
// section 5.1.9).
func interval(d time.Duration) time.Duration {
	return time.Second * time.Duration(max(float(int64(d/time.Second), 4), 1))
}

// float rounds v down to a number that the floating point code with a mantissa of
// so many bits and three of exponent can hold.
func float(v int64, mantissa uint) int64 {
	if v < 8<<mantissa {
		return v
	}
	for exp := uint(3); exp <= 10; exp++ {
		if m := v >> exp; m < 2<<mantissa {
			return m << exp
		}
	}
	return (2<<mantissa - 1) << 10
}

// plain is the form of an address in which equal ones compare equal.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
