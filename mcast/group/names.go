package group

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"sort"
	"strings"
)

// RegistryDate is the day of the IANA IPv4 multicast registry that the names of
// WellKnown are from, as the registry states it (year-month-day). The names of IPv6
// are from RFC 2375 and later RFCs.
const RegistryDate = "2020-01-21"

type name4 struct {
	first, last uint32
	name        string
}

// A name6 is addresses by the low nibble of their second byte, the scope, and the
// low 64 bits; the bits between are 0.
type name6 struct {
	scope       uint8
	first, last uint64
	name        string
}

// anyScope in a name6 stands for all scopes.
const anyScope = 0xff

// An Assignment is addresses that have a name, from First to Last.
type Assignment struct {
	Name        string
	First, Last netip.Addr

	// AnyScope says that the addresses are valid in every IPv6 scope, each a
	// group of its own; First and Last are then the link-local ones.
	AnyScope bool
}

// WellKnown returns the name of a group: of the protocol or the organization it is
// assigned to, short and as people know it, such as "mDNS", "PTP" or "OSPF all
// routers". Names that end in "(unregistered)" are of widespread use without an
// assignment. It reports false for a group without a name; one that has a name for
// its place in a zone of RFC 2365, as 239.255.255.250 for SSDP, has that.
// IPv4-mapped addresses count as IPv4 and a zone is ignored.
func WellKnown(addr netip.Addr) (name string, ok bool) {
	addr = addr.Unmap()
	switch {
	case !addr.IsMulticast():
		return "", false
	case addr.Is6():
		return wellKnown6(addr.As16())
	}
	b := addr.As4()
	v := binary.BigEndian.Uint32(b[:])
	if name, ok = find4(names4Control[:], v); ok {
		return name, true
	}
	if name, ok = find4(names4AdHoc[:], v); ok {
		return name, true
	}
	if z, in := ZoneOf(addr); in {
		if o, top := z.Offset(addr); top && o.String() != "" {
			return o.String(), true
		}
	}
	return "", false
}

func find4(table []name4, v uint32) (string, bool) {
	i := sort.Search(len(table), func(i int) bool { return table[i].last >= v })
	if i < len(table) && table[i].first <= v {
		return table[i].name, true
	}
	return "", false
}

func wellKnown6(b [16]byte) (string, bool) {
	if b[1]>>4 != 0 || binary.BigEndian.Uint64(b[:])<<16 != 0 {
		return "", false
	}
	id := binary.BigEndian.Uint64(b[8:])
	for i := range names6 {
		n := &names6[i]
		if (n.scope == b[1] || n.scope == anyScope) && n.first <= id && id <= n.last {
			return n.name, true
		}
	}
	return "", false
}

// Assignments returns all that WellKnown knows: IPv4 in ascending order, the services
// of LocalZone and OrganizationZone, IPv6 by scope.
func Assignments() iter.Seq[Assignment] {
	return func(yield func(Assignment) bool) {
		_ = all4(names4Control[:], yield) && all4(names4AdHoc[:], yield) && allZones(yield) && all6(yield)
	}
}

func all4(table []name4, yield func(Assignment) bool) bool {
	for _, n := range table {
		if !yield(Assignment{Name: n.name, First: addr4(n.first), Last: addr4(n.last)}) {
			return false
		}
	}
	return true
}

func allZones(yield func(Assignment) bool) bool {
	for _, z := range [...]Zone{OrganizationZone, LocalZone} {
		for o := 255; o >= 0; o-- {
			name := Offset(o).String()
			if a, ok := z.Relative(Offset(o)); ok && name != "" && !yield(Assignment{Name: name, First: a, Last: a}) {
				return false
			}
		}
	}
	return true
}

func all6(yield func(Assignment) bool) bool {
	for _, n := range names6 {
		a := Assignment{Name: n.name, AnyScope: n.scope == anyScope}
		scope := n.scope
		if a.AnyScope {
			scope = uint8(LinkLocal)
		}
		a.First, a.Last = addr6(scope, n.first), addr6(scope, n.last)
		if !yield(a) {
			return false
		}
	}
	return true
}

// Named returns the assignments with a name, in any mixture of upper and lower case:
// "mdns" gives 224.0.0.251 and ff0x::fb. It returns them in the order of Assignments.
func Named(name string) iter.Seq[Assignment] {
	return func(yield func(Assignment) bool) {
		for a := range Assignments() {
			if strings.EqualFold(a.Name, name) && !yield(a) {
				return
			}
		}
	}
}

func addr4(v uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return netip.AddrFrom4(b)
}

func addr6(scope uint8, id uint64) netip.Addr {
	b := [16]byte{0xff, scope}
	binary.BigEndian.PutUint64(b[8:], id)
	return netip.AddrFrom16(b)
}

// Block returns the name that RFC 5771 section 3 gives to the block an IPv4 group is
// in, such as "AD-HOC Block I", with 234.0.0.0/8 named by RFC 6034; "" for all other
// addresses.
func Block(addr netip.Addr) string {
	addr = addr.Unmap()
	if !addr.Is4() {
		return ""
	}
	switch KindOf(addr) {
	case LocalControl:
		return "Local Network Control Block"
	case InternetworkControl:
		return "Internetwork Control Block"
	case AdHoc:
		switch b := addr.As4(); {
		case b[0] == 233:
			return "AD-HOC Block III"
		case b[1] == 0:
			return "AD-HOC Block I"
		}
		return "AD-HOC Block II"
	case SAPBlock:
		return "SDP/SAP Block"
	case SSM:
		return "Source-Specific Multicast Block"
	case GLOP:
		return "GLOP Block"
	case UnicastPrefix:
		return "Unicast-Prefix-Based Block"
	case AdminScopedBlock:
		return "Administratively Scoped Block"
	case Reserved:
		return "Reserved"
	}
	return ""
}
