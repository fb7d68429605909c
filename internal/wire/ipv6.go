package wire

import (
	"encoding/binary"
	"io"
	"net/netip"
)

// IPv6AlertLen is the length of the headers that [AppendIPv6] writes, in bytes.
const IPv6AlertLen = 48

// IPv6Alert is a hop-by-hop options header with Router Alert "MLD" and two bytes of
// padding, the next header ICMPv6 (RFC 2711 section 2.1, RFC 8200 section 4.3).
var IPv6Alert = [8]byte{ProtoICMPv6, 0, 5, 2, 0, 0, 1, 0}

// ParseIPv6 parses an IPv6 packet and its extension headers into p, as far as they
// are known; p.Payload aliases b, and what follows the packet in b is cut off. A
// packet that is cut short is no error as long as its headers are there, see
// IP.Truncated.
func ParseIPv6(b []byte, p *IP) error {
	if len(b) < 40 {
		return io.ErrUnexpectedEOF
	}
	if b[0]>>4 != 6 {
		return ErrIPVersion
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	*p = IP{
		Src: netip.AddrFrom16([16]byte(b[8:24])), Dst: netip.AddrFrom16([16]byte(b[24:40])),
		Protocol: b[6], HopLimit: b[7], TOS: b[0]<<4 | b[1]>>4,
		Truncated: n > len(b)-40,
	}
	n = min(n, len(b)-40)
	p.Payload = b[40 : 40+n : 40+n]
	// Each turn takes at least eight bytes off the payload.
	for {
		rest := p.Payload
		var skip int
		switch p.Protocol {
		case ProtoHopByHop, ProtoRouting, ProtoDstOpts:
			if len(rest) < 8 {
				return io.ErrUnexpectedEOF
			}
			skip = 8 + int(rest[1])*8
		case ProtoFragment:
			if len(rest) < 8 {
				return io.ErrUnexpectedEOF
			}
			// A fragment that is the whole packet is none (RFC 6946).
			frag := binary.BigEndian.Uint16(rest[2:])
			p.Fragment, p.First = frag&0xfff9 != 0, frag&0xfff8 == 0
			skip = 8
		default:
			return nil
		}
		if skip > len(rest) {
			return io.ErrUnexpectedEOF
		}
		if p.Protocol == ProtoHopByHop {
			p.RouterAlert = p.RouterAlert || alert6(rest[2:skip])
		}
		p.Protocol, p.Payload = rest[0], rest[skip:]
		if p.Fragment && !p.First {
			return nil // what follows is from the middle of something
		}
	}
}

// alert6 looks for Router Alert "MLD" among hop-by-hop options (RFC 8200 section
// 4.2).
func alert6(opts []byte) bool {
	for len(opts) > 0 {
		if opts[0] == 0 { // Pad1
			opts = opts[1:]
			continue
		}
		if len(opts) < 2 || int(opts[1]) > len(opts)-2 {
			return false
		}
		n := 2 + int(opts[1])
		if opts[0] == 5 && n == 4 && opts[2] == 0 && opts[3] == 0 {
			return true
		}
		opts = opts[n:]
	}
	return false
}

// AppendIPv6 appends the headers of a packet with an ICMPv6 message of n bytes as
// RFC 3810 section 5 wants it: hop limit 1, and Router Alert in a hop-by-hop
// options header. src and dst are IPv6 addresses; n is at most 65,527.
func AppendIPv6(b []byte, src, dst netip.Addr, n int) []byte {
	s, d := src.As16(), dst.As16()
	b = append(b, 6<<4, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(IPv6Alert)+n))
	b = append(b, ProtoHopByHop, 1)
	b = append(b, s[:]...)
	b = append(b, d[:]...)
	return append(b, IPv6Alert[:]...)
}
