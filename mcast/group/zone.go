package group

import (
	"encoding/binary"
	"net/netip"
)

// A Zone is the address range of a scope that administrators have bounded, from
// First to Last, both in it (RFC 2365 section 9 calls it a scoped region). It need
// not be a prefix.
type Zone struct {
	First, Last netip.Addr
}

// The zones that RFC 2365 section 6 defines.
var (
	// LocalZone is the IPv4 Local Scope, 239.255.0.0/16 (section 6.1).
	LocalZone = ZoneOfPrefix(loc4)

	// OrganizationZone is the IPv4 Organization Local Scope, 239.192.0.0/14
	// (section 6.2). Its last address is 239.195.255.255.
	OrganizationZone = ZoneOfPrefix(org4)
)

// Offset is the distance of a service's group from the last address of a zone, 0
// to 255: the top 256 addresses of each zone are kept for services (RFC 2365
// section 9) and are not for allocation.
type Offset uint8

// Offsets assigned by IANA (RFC 5771 section 10.1.1).
const (
	OffsetSAP        Offset = 0   // session announcements, RFC 2974
	OffsetMADCAP     Offset = 1   // RFC 2730
	OffsetSLP        Offset = 2   // SLPv2 discovery
	OffsetMZAP       Offset = 3   // RFC 2776
	OffsetDNS        Offset = 4   // discovery of DNS services
	OffsetSSDP       Offset = 5   // UPnP discovery
	OffsetDHCP       Offset = 6   // DHCPv4
	OffsetAAP        Offset = 7   // allocation between servers
	OffsetMBUS       Offset = 8   // local message bus, RFC 3259
	OffsetUPnP       Offset = 9   // UPnP eventing
	OffsetTestNet2   Offset = 10  // MCAST-TEST-NET-2, for documentation
	OffsetExperiment Offset = 254 // experiments, RFC 4727
)

// String returns the short name of the service, "" for an offset not assigned.
func (o Offset) String() string {
	if int(o) < len(offsetNames) {
		return offsetNames[o]
	}
	if o == OffsetExperiment {
		return "experiment"
	}
	return ""
}

var offsetNames = [...]string{"SAP", "MADCAP", "SLPv2", "MZAP", "DNS discovery", "SSDP", "DHCPv4", "AAP", "MBUS", "UPnP", "MCAST-TEST-NET-2"}

// ZoneOfPrefix returns the zone that a prefix spans, IPv4 or IPv6, or the zero Zone
// for a prefix that is not valid.
func ZoneOfPrefix(p netip.Prefix) Zone {
	if !p.IsValid() {
		return Zone{}
	}
	p = p.Masked()
	if p.Addr().Is4() {
		b := p.Addr().As4()
		v := binary.BigEndian.Uint32(b[:]) | uint32(1<<(32-p.Bits())-1)
		binary.BigEndian.PutUint32(b[:], v)
		return Zone{p.Addr(), netip.AddrFrom4(b)}
	}
	b := p.Addr().As16()
	for bit := p.Bits(); bit < 128; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return Zone{p.Addr(), netip.AddrFrom16(b)}
}

// ZoneOf returns the zone of RFC 2365 that an IPv4 group is in, LocalZone or
// OrganizationZone. Zones that administrators made of other addresses it cannot
// know: for those it reports false.
func ZoneOf(addr netip.Addr) (Zone, bool) {
	switch addr = addr.Unmap(); {
	case LocalZone.Contains(addr):
		return LocalZone, true
	case OrganizationZone.Contains(addr):
		return OrganizationZone, true
	}
	return Zone{}, false
}

// IsValid reports whether First and Last are groups of one IP version, in order.
func (z Zone) IsValid() bool {
	return z.First.IsMulticast() && z.First.BitLen() == z.Last.BitLen() && z.Last.IsMulticast() &&
		z.First.Compare(z.Last) <= 0
}

// Contains reports whether addr is in the zone.
func (z Zone) Contains(addr netip.Addr) bool {
	addr = plain(addr)
	return z.IsValid() && addr.BitLen() == z.First.BitLen() &&
		z.First.WithZone("").Compare(addr) <= 0 && addr.Compare(z.Last.WithZone("")) <= 0
}

// Relative returns the group of a service in the zone: Last minus o. It reports
// false when the zone is not valid or too small.
func (z Zone) Relative(o Offset) (netip.Addr, bool) {
	if !z.IsValid() {
		return netip.Addr{}, false
	}
	a := plain(z.Last)
	for ; o > 0; o-- {
		a = a.Prev()
	}
	return a, z.Contains(a)
}

// Offset returns the distance of addr from the last address of the zone. It reports
// false when addr is not in the zone or 256 or more below its end, where groups
// may be allocated.
func (z Zone) Offset(addr netip.Addr) (Offset, bool) {
	if !z.Contains(addr) {
		return 0, false
	}
	last, a := z.Last.As16(), plain(addr).As16()
	hi := binary.BigEndian.Uint64(last[:]) - binary.BigEndian.Uint64(a[:])
	l, m := binary.BigEndian.Uint64(last[8:]), binary.BigEndian.Uint64(a[8:])
	if d := l - m; d < 256 && (hi == 0 && l >= m || hi == 1 && l < m) {
		return Offset(d), true
	}
	return 0, false
}
