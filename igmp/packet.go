package igmp

import (
	"net/netip"

	"github.com/gomulticast/multicast/internal/wire"
)

// HeaderLen is the length of the IPv4 header that [AppendPacket] writes, in bytes:
// a message may be as long as the MTU less this.
const HeaderLen = wire.IPv4AlertLen

// RouterAlert is the Router Alert option (RFC 2113 section 2.1), as a raw socket
// wants it for IP_OPTIONS.
var RouterAlert = wire.IPv4Alert

// Errors of [ParsePacket].
var (
	ErrIPVersion  = wire.ErrIPVersion  // not IPv4
	ErrIPHeader   = wire.ErrIPHeader   // lengths in the header contradict each other
	ErrIPChecksum = wire.ErrIPChecksum // wrong header checksum
	ErrFragment   = wire.ErrFragment   // not a whole datagram
	ErrProtocol   = wire.ErrProtocol   // not protocol 2
)

// ParsePacket takes the IPv4 header off a packet and returns what it says and the
// IGMP message, which aliases b. What follows the packet in b, such as the padding
// of a small Ethernet frame, is cut off. Fragments are refused. With ErrIPChecksum,
// when nothing else is wrong, it returns the message for those who watch; a switch
// must not act on it (RFC 4541 section 2.1.2, rule 6).
func ParsePacket(b []byte) (Envelope, []byte, error) {
	var p wire.IP
	if err := wire.ParseIPv4(b, &p); err != nil {
		return Envelope{}, nil, fail("packet", "IP header", err)
	}
	e := Envelope{Src: p.Src, Dst: p.Dst, HopLimit: p.HopLimit, RouterAlert: p.RouterAlert}
	m, err := p.Whole(wire.ProtoIGMP)
	if err != nil {
		return e, m, fail("packet", "IP header", err)
	}
	return e, m, nil
}

// AppendPacket appends a message in an IPv4 packet from src to dst: TTL 1, Router
// Alert, TOS 0xc0 (RFC 3376 section 4). message must not overlap the room that b
// has.
func AppendPacket(b []byte, src, dst netip.Addr, message []byte) ([]byte, error) {
	src, dst = src.Unmap(), dst.Unmap()
	if !src.Is4() || !dst.Is4() {
		return b, fail("packet", "address", ErrAddress)
	}
	if len(message) > 0xffff-HeaderLen {
		return b, fail("packet", "total length", ErrRange)
	}
	b = wire.AppendIPv4(b, src, dst, wire.ProtoIGMP, len(message))
	return append(b, message...), nil
}
