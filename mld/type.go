package mld

import (
	"net/netip"
	"strconv"

	"github.com/gomulticast/multicast/internal/wire"
)

// Type is the type of an ICMPv6 message, its first octet.
type Type uint8

// Types that this package parses and appends, and those of Multicast Router
// Discovery, which are only recognised.
const (
	TypeQuery   Type = 130 // Multicast Listener Query of both versions (RFC 3810 section 5.1)
	TypeReport  Type = 131 // version 1 Multicast Listener Report (RFC 2710 section 3.1)
	TypeDone    Type = 132 // version 1 Multicast Listener Done (RFC 2710 section 3.1)
	TypeReport2 Type = 143 // version 2 Multicast Listener Report (RFC 3810 section 5.2)

	TypeRouterAdvertisement Type = 151 // RFC 4286 section 3.2
	TypeRouterSolicitation  Type = 152 // RFC 4286 section 4.2
	TypeRouterTermination   Type = 153 // RFC 4286 section 5.2
)

// String returns the type's name, or "type .." for one unknown.
func (t Type) String() string {
	switch t {
	case TypeQuery:
		return "query"
	case TypeReport:
		return "v1 report"
	case TypeDone:
		return "done"
	case TypeReport2:
		return "v2 report"
	case TypeRouterAdvertisement:
		return "router advertisement"
	case TypeRouterSolicitation:
		return "router solicitation"
	case TypeRouterTermination:
		return "router termination"
	}
	return "type " + strconv.Itoa(int(t))
}

// TypeOf returns the type of an ICMPv6 message. It looks at nothing else; false
// means that b is empty.
func TypeOf(b []byte) (Type, bool) {
	if len(b) == 0 {
		return 0, false
	}
	return Type(b[0]), true
}

// sumOK reports whether a message and its pseudo-header match the checksum (RFC
// 3810 sections 5.1.2 and 5.2.2): over all of the message, whatever part of it is
// understood.
func sumOK(src, dst netip.Addr, b []byte) bool {
	return wire.Sum6(src, dst, wire.ProtoICMPv6, b) == 0xffff
}

// seal writes the checksum of the message that starts at b[start].
func seal(b []byte, start int, src, dst netip.Addr) []byte {
	m := b[start:]
	m[2], m[3] = 0, 0
	sum := ^wire.Sum6(src, dst, wire.ProtoICMPv6, m)
	m[2], m[3] = byte(sum>>8), byte(sum)
	return b
}

// is6 reports whether a is an IPv6 address that can be in an IPv6 header.
func is6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() }

// as16 returns the bytes of an IPv6 address in a message; a zone is ignored. There
// an IPv4-mapped one is as wrong as many others, but what can be parsed can be
// appended.
func as16(a netip.Addr) ([16]byte, bool) {
	if !a.Is6() {
		return [16]byte{}, false
	}
	return a.As16(), true
}

// addr16 returns the address at the beginning of b.
func addr16(b []byte) netip.Addr { return netip.AddrFrom16([16]byte(b[:16])) }
