package mld

import (
	"net/netip"

	"github.com/gomulticast/multicast/internal/wire"
)

// HeaderLen is the length of the IPv6 headers that [AppendPacket] writes, in bytes:
// a message may be as long as the MTU less this (RFC 3810 section 5.1.10).
const HeaderLen = wire.IPv6AlertLen

// RouterAlert is a hop-by-hop options header with the Router Alert option for MLD
// (RFC 2711 section 2.1), as a raw socket wants it for IPV6_HOPOPTS, which fills in
// the next header.
var RouterAlert = wire.IPv6Alert

// Errors of [ParsePacket].
var (
	ErrIPVersion = wire.ErrIPVersion // not IPv6
	ErrFragment  = wire.ErrFragment  // not a whole datagram
	ErrProtocol  = wire.ErrProtocol  // not ICMPv6
)

// ParsePacket takes the IPv6 header and the extension headers off a packet and
// returns what they say and the ICMPv6 message, which aliases b. What follows the
// packet in b is cut off. Fragments are refused.
func ParsePacket(b []byte) (Envelope, []byte, error) {
	var p wire.IP
	if err := wire.ParseIPv6(b, &p); err != nil {
		return Envelope{}, nil, fail("packet", "IP header", err)
	}
	e := Envelope{Src: p.Src, Dst: p.Dst, HopLimit: p.HopLimit, RouterAlert: p.RouterAlert}
	m, err := p.Whole(wire.ProtoICMPv6)
	if err != nil {
		return e, nil, fail("packet", "IP header", err)
	}
	return e, m, nil
}

// AppendPacket appends a message in an IPv6 packet from src to dst, for which its
// checksum has to be: hop limit 1, Router Alert (RFC 3810 section 5). message must
// not overlap the room that b has.
func AppendPacket(b []byte, src, dst netip.Addr, message []byte) ([]byte, error) {
	if !is6(src) || !is6(dst) {
		return b, fail("packet", "address", ErrAddress)
	}
	if len(message) > 0xffff-len(RouterAlert) {
		return b, fail("packet", "payload length", ErrRange)
	}
	b = wire.AppendIPv6(b, src, dst, len(message))
	return append(b, message...), nil
}
