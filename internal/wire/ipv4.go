package wire

import (
	"encoding/binary"
	"io"
	"net/netip"
)

// IPv4AlertLen is the length of the header that [AppendIPv4] writes, in bytes.
const IPv4AlertLen = 24

// TOSControl is precedence "internetwork control", which IGMPv3 messages are sent
// with (RFC 3376 section 4; RFC 791 section 3.1).
const TOSControl = 0xc0

// IPv4Alert is the Router Alert option of IPv4 (RFC 2113 section 2.1).
var IPv4Alert = [4]byte{0x94, 4, 0, 0}

// ParseIPv4 parses an IPv4 packet into p; p.Payload aliases b, and what follows the
// packet in b, such as the padding of a small Ethernet frame, is cut off. A packet
// that is cut short is no error as long as its header is there, see IP.Truncated,
// nor is a wrong checksum.
func ParseIPv4(b []byte, p *IP) error {
	if len(b) < 20 {
		return io.ErrUnexpectedEOF
	}
	if b[0]>>4 != 4 {
		return ErrIPVersion
	}
	hlen := int(b[0]&0x0f) * 4
	if hlen < 20 {
		return ErrIPHeader
	}
	if hlen > len(b) {
		return io.ErrUnexpectedEOF
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n == 0 {
		n = len(b) // captured before segmentation offload filled it in
	}
	if n < hlen {
		return ErrIPHeader
	}
	frag := binary.BigEndian.Uint16(b[6:])
	*p = IP{
		Src: netip.AddrFrom4([4]byte(b[12:16])), Dst: netip.AddrFrom4([4]byte(b[16:20])),
		Protocol: b[9], HopLimit: b[8], TOS: b[1],
		RouterAlert: hlen > 20 && alert4(b[20:hlen]),
		Fragment:    frag&0x3fff != 0, First: frag&0x1fff == 0,
		BadChecksum: Fold(Add(0, b[:hlen])) != 0xffff,
		Truncated:   n > len(b),
	}
	n = min(n, len(b))
	p.Payload = b[hlen:n:n]
	return nil
}

// alert4 looks for Router Alert of value 0 among IPv4 options (RFC 791 section 3.1).
func alert4(opts []byte) bool {
	for len(opts) > 0 {
		switch opts[0] {
		case 0: // end of list
			return false
		case 1: // no operation
			opts = opts[1:]
			continue
		}
		if len(opts) < 2 || opts[1] < 2 || int(opts[1]) > len(opts) {
			return false
		}
		n := int(opts[1])
		if n == 4 && [4]byte(opts) == IPv4Alert {
			return true
		}
		opts = opts[n:]
	}
	return false
}

// AppendIPv4 appends the header of a packet with n bytes of payload as RFC 3376
// section 4 wants it: TTL 1, internetwork control, Router Alert. It is not to be
// fragmented, so it needs no identification (RFC 6864 section 4.1). src and dst
// are IPv4 addresses; n is at most 65,511.
func AppendIPv4(b []byte, src, dst netip.Addr, proto uint8, n int) []byte {
	start := len(b)
	s, d := src.As4(), dst.As4()
	b = append(b, 4<<4|IPv4AlertLen/4, TOSControl, 0, 0, 0, 0, 0x40, 0, 1, proto, 0, 0)
	b = append(b, s[:]...)
	b = append(b, d[:]...)
	b = append(b, IPv4Alert[:]...)
	h := b[start:]
	binary.BigEndian.PutUint16(h[2:], uint16(IPv4AlertLen+n))
	binary.BigEndian.PutUint16(h[10:], Checksum(h))
	return b
}
