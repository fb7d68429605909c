package alloc

import (
	"fmt"
	"net/netip"
)

// Family is an IP version by IANA's number, as RFC 2730 has it too.
type Family uint16

// The families of RFC 2771 section 2.
const (
	IPv4 Family = 1
	IPv6 Family = 2
)

// String returns "IPv4", "IPv6" or the number.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	}
	return fmt.Sprintf("family %d", uint16(f))
}

// familyOf returns the family of a valid address; an IPv4-mapped one is IPv4.
func familyOf(a netip.Addr) Family {
	if a.Unmap().Is4() {
		return IPv4
	}
	return IPv6
}

// A row is count addresses from first on.
type row struct {
	first netip.Addr
	count int
}

// rowsOf makes rows of addresses in ascending order.
func rowsOf(addrs []netip.Addr) (all []row) {
	for i, a := range addrs {
		if i > 0 && addrs[i-1].Next() == a {
			all[len(all)-1].count++
		} else {
			all = append(all, row{a, 1})
		}
	}
	return all
}
