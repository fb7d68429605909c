package group

import (
	"iter"
	"net/netip"
)

// GroupsOf returns the 32 IPv4 groups whose packets have the Ethernet address mac,
// in ascending order (RFC 1112 section 6.4). For a mac that is not 01:00:5e and a
// number of 23 bits there are none. To 33:33:xx:xx:xx:xx belong all IPv6 groups
// with xxxx:xxxx as their group ID, 2^88 of them, which are not listed: compare
// Fields.ID.
func GroupsOf(mac [6]byte) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		if mac[0] != 0x01 || mac[1] != 0x00 || mac[2] != 0x5e || mac[3] > 0x7f {
			return
		}
		for i := range byte(32) {
			// 5 bits are lost on the way: the low 4 of the first byte and the
			// first of the second.
			if !yield(netip.AddrFrom4([4]byte{224 + i>>1, i&1<<7 | mac[3], mac[4], mac[5]})) {
				return
			}
		}
	}
}

// Aliases returns the 31 other IPv4 groups that share addr's Ethernet address, in
// ascending order: hosts that joined one are handed frames of all. For addresses
// that are not IPv4 groups there are none to list; see GroupsOf for IPv6.
func Aliases(addr netip.Addr) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		addr := addr.Unmap()
		if !addr.Is4() || !addr.IsMulticast() {
			return
		}
		for g := range GroupsOf(MAC(addr)) {
			if g != addr && !yield(g) {
				return
			}
		}
	}
}

// SharesMAC reports whether a and b are two different groups with one Ethernet
// address.
func SharesMAC(a, b netip.Addr) bool {
	a, b = plain(a), plain(b)
	return a != b && a.IsMulticast() && b.IsMulticast() && MAC(a) == MAC(b)
}

// ControlAlias returns the group of 224.0.0.0/24 with which an IPv4 group outside
// of it shares its Ethernet address, such as 224.0.0.251 for 239.128.0.251.
// Snooping switches send such groups to every port (RFC 4541 section 2.1.2), and
// RFC 4607 section 9 warns of them. It reports false when there is none.
func ControlAlias(addr netip.Addr) (netip.Addr, bool) {
	addr = addr.Unmap()
	if !addr.Is4() || !addr.IsMulticast() || link4.Contains(addr) {
		return netip.Addr{}, false
	}
	b := addr.As4()
	if b[1]&0x7f != 0 || b[2] != 0 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte{224, 0, 0, b[3]}), true
}
