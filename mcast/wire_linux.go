package mcast

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gomulticast/multicast/mcast/group"
)

// This file encodes and decodes the kernel's structs: socket addresses, group
// requests and control messages. Word is the size of a C long, 4 or 8, which
// decides where fields are padded; it is an argument so that both layouts can be
// tested on one machine.

// sockaddr is for calls that are not on the data path. Scope says which link a
// link-local address is on.
func sockaddr(a netip.AddrPort, scope int) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	sa := &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	if a.Addr().IsLinkLocalUnicast() || group.ScopeOf(a.Addr()).NeedsZone() {
		sa.ZoneId = uint32(scope)
	}
	return sa
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// groupReq is struct group_req, or group_source_req when ch has a source (RFC 3678
// section 5): the interface index and one or two sockaddr_storage of 128 bytes.
func groupReq(ifindex int, ch group.Channel, word int) []byte {
	b := make([]byte, word+128, word+256)
	binary.NativeEndian.PutUint32(b, uint32(ifindex))
	putStorage(b[word:], ch.Group)
	if !ch.AnySource() {
		b = b[:word+256]
		putStorage(b[word+128:], ch.Source)
	}
	return b
}

// putStorage writes a sockaddr_in or sockaddr_in6 with port and flow zero.
func putStorage(b []byte, a netip.Addr) {
	if a.Is4() {
		binary.NativeEndian.PutUint16(b, unix.AF_INET)
		v := a.As4()
		copy(b[4:], v[:])
		return
	}
	binary.NativeEndian.PutUint16(b, unix.AF_INET6)
	v := a.As16()
	copy(b[8:], v[:])
}

// A name is a socket address as the kernel reads and writes it: room for either
// version, aligned for both.
type name = unix.RawSockaddrInet6

// putName writes a and returns its length.
func putName(n *name, a netip.AddrPort, scope uint32) uint32 {
	if a.Addr().Is4() {
		n4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(n))
		*n4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: bigEndian(a.Port()), Addr: a.Addr().As4()}
		return unix.SizeofSockaddrInet4
	}
	*n = name{Family: unix.AF_INET6, Port: bigEndian(a.Port()), Addr: a.Addr().As16(), Scope_id: scope}
	return unix.SizeofSockaddrInet6
}

// getName reads what the kernel wrote, without its zone.
func getName(n *name) netip.AddrPort {
	switch n.Family {
	case unix.AF_INET:
		n4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(n))
		return netip.AddrPortFrom(netip.AddrFrom4(n4.Addr), bigEndian(n4.Port))
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(n.Addr), bigEndian(n.Port))
	}
	return netip.AddrPort{}
}

// bigEndian turns a port between host and network order.
func bigEndian(p uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], p)
	return binary.NativeEndian.Uint16(b[:])
}

// arrival is what the control messages of a received packet say.
type arrival struct {
	dst      netip.Addr
	ifindex  int
	local    bool // dst is an address of this host
	hopLimit int
	tos      uint8
	time     time.Time // the kernel's
	hardware time.Time // the card's
	segSize  int
	drops    uint32
	hasDrops bool
}

// parseControl reads control messages. It skips what it does not know and stops at
// the first that does not fit.
func parseControl(b []byte, word int, a *arrival) {
	*a = arrival{}
	header := word + 8 // struct cmsghdr: a long length, int level, int type
	for len(b) >= header {
		n := int(binary.NativeEndian.Uint32(b))
		if word == 8 {
			n = int(binary.NativeEndian.Uint64(b))
		}
		if n < header || n > len(b) {
			return
		}
		level := int(binary.NativeEndian.Uint32(b[word:]))
		typ := int(binary.NativeEndian.Uint32(b[word+4:]))
		a.message(level, typ, b[header:n])
		b = b[min(align(n, word), len(b)):]
	}
}

func (a *arrival) message(level, typ int, d []byte) {
	u32 := binary.NativeEndian.Uint32
	switch {
	case level == unix.IPPROTO_IP && typ == unix.IP_PKTINFO && len(d) >= 12:
		// struct in_pktinfo: index, local address, destination. The two
		// addresses differ for groups and broadcasts.
		a.ifindex = int(u32(d))
		a.dst = netip.AddrFrom4([4]byte(d[8:12]))
		a.local = [4]byte(d[4:8]) == [4]byte(d[8:12]) && !a.dst.IsMulticast()
	case level == unix.IPPROTO_IPV6 && typ == unix.IPV6_PKTINFO && len(d) >= 20:
		a.dst = netip.AddrFrom16([16]byte(d[:16]))
		a.ifindex = int(u32(d[16:]))
		a.local = !a.dst.IsMulticast()
	case level == unix.IPPROTO_IP && typ == unix.IP_TTL && len(d) >= 4,
		level == unix.IPPROTO_IPV6 && typ == unix.IPV6_HOPLIMIT && len(d) >= 4:
		a.hopLimit = int(u32(d))
	case level == unix.IPPROTO_IP && typ == unix.IP_TOS && len(d) >= 1:
		a.tos = d[0]
	case level == unix.IPPROTO_IPV6 && typ == unix.IPV6_TCLASS && len(d) >= 4:
		a.tos = uint8(u32(d))
	case level == unix.SOL_UDP && typ == unix.UDP_GRO && len(d) >= 4:
		a.segSize = int(u32(d))
	case level == unix.SOL_SOCKET && typ == unix.SO_RXQ_OVFL && len(d) >= 4:
		a.drops, a.hasDrops = u32(d), true
	case level == unix.SOL_SOCKET && (typ == unix.SO_TIMESTAMPNS_NEW || typ == unix.SO_TIMESTAMPNS):
		a.time = timespec(d)
	case level == unix.SOL_SOCKET && (typ == unix.SO_TIMESTAMPING_NEW || typ == unix.SO_TIMESTAMPING):
		a.timestamping(d)
	}
}

// appendControl appends one control message to b, padded for the next.
func appendControl(b []byte, word, level, typ int, data []byte) []byte {
	n := word + 8 + len(data)
	if word == 8 {
		b = binary.NativeEndian.AppendUint64(b, uint64(n))
	} else {
		b = binary.NativeEndian.AppendUint32(b, uint32(n))
	}
	b = binary.NativeEndian.AppendUint32(b, uint32(level))
	b = binary.NativeEndian.AppendUint32(b, uint32(typ))
	b = append(b, data...)
	for range align(n, word) - n {
		b = append(b, 0)
	}
	return b
}
