package pcap

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"

	"github.com/gomulticast/multicast/internal/wire"
)

// LinkType says what the packets of a capture begin with; the numbers are those of
// pcap files.
type LinkType uint16

// Link types that [Decode] knows.
const (
	LinkNull     LinkType = 0   // BSD loopback, family in the writer's byte order
	LinkEthernet LinkType = 1   // Ethernet II and IEEE 802.3
	LinkPPP      LinkType = 9   // PPP, with or without address and control
	LinkRaw12    LinkType = 12  // raw IP, as some systems number it
	LinkRaw14    LinkType = 14  // the same on others
	LinkRaw      LinkType = 101 // raw IP
	LinkLoop     LinkType = 108 // OpenBSD loopback
	LinkSLL      LinkType = 113 // Linux "any"
	LinkIPv4     LinkType = 228 // raw IPv4
	LinkIPv6     LinkType = 229 // raw IPv6
	LinkSLL2     LinkType = 276 // Linux "any", second version
)

// Values of Frame.EtherType.
const (
	EtherLLC  = 0 // an IEEE 802.3 frame: Payload begins with the LLC header
	EtherIPv4 = 0x0800
	EtherIPv6 = 0x86dd
)

// ErrLink is returned for a link type that is not known.
var ErrLink = errors.New("pcap: unknown link type")

// A Frame is a packet taken apart. Its slices alias the packet.
type Frame struct {
	// SrcMAC and DstMAC are those of Ethernet, zero elsewhere.
	SrcMAC, DstMAC [6]byte

	// VLAN is the identifier in the innermost tag, 1 to 4094; 0 is none.
	VLAN uint16

	// EtherType is the protocol of Payload.
	EtherType uint16

	// Payload is what the link layer carries, with trailing padding unless it
	// is of IEEE 802.3.
	Payload []byte

	// IP is the packet in Payload if EtherType is EtherIPv4 or EtherIPv6,
	// otherwise zero; for fragments see its fields.
	IP wire.IP
}

// Decode takes the packet b, which begins as link says, apart into f. A packet that
// is too short for a header that it begins is io.ErrUnexpectedEOF; an IP header that
// makes no sense is one of the errors of package wire. What was read until then is
// in f.
func Decode(link LinkType, b []byte, f *Frame) error {
	*f = Frame{}
	switch link {
	case LinkEthernet:
		return f.ethernet(b)
	case LinkRaw, LinkRaw12, LinkRaw14, LinkIPv4, LinkIPv6:
		return f.raw(b)
	case LinkNull, LinkLoop:
		// The family has a different number on each system; the IP version
		// tells as well.
		if len(b) < 4 {
			return io.ErrUnexpectedEOF
		}
		return f.raw(b[4:])
	case LinkPPP:
		if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
			b = b[2:]
		}
		if len(b) < 2 {
			return io.ErrUnexpectedEOF
		}
		switch binary.BigEndian.Uint16(b) {
		case 0x0021:
			return f.network(EtherIPv4, b[2:])
		case 0x0057:
			return f.network(EtherIPv6, b[2:])
		}
		f.EtherType, f.Payload = 0xffff, b
		return nil
	case LinkSLL:
		if len(b) < 16 {
			return io.ErrUnexpectedEOF
		}
		return f.cooked(binary.BigEndian.Uint16(b[14:]), b[16:])
	case LinkSLL2:
		if len(b) < 20 {
			return io.ErrUnexpectedEOF
		}
		return f.cooked(binary.BigEndian.Uint16(b), b[20:])
	}
	return ErrLink
}

// ethernet reads an Ethernet header and the VLAN tags behind it.
func (f *Frame) ethernet(b []byte) error {
	if len(b) < 14 {
		return io.ErrUnexpectedEOF
	}
	f.DstMAC, f.SrcMAC = [6]byte(b), [6]byte(b[6:])
	t := binary.BigEndian.Uint16(b[12:])
	b = b[14:]
	for t == 0x8100 || t == 0x88a8 || t == 0x9100 {
		if len(b) < 4 {
			return io.ErrUnexpectedEOF
		}
		f.VLAN = binary.BigEndian.Uint16(b) & 0x0fff
		t, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	if t >= 0x0600 {
		return f.network(t, b)
	}
	// IEEE 802.3: it is a length.
	if int(t) < len(b) {
		b = b[:t:t]
	}
	return f.llc(b)
}

// llc reads IEEE 802.2. A SNAP header with an Ethernet type is the same as the type.
func (f *Frame) llc(b []byte) error {
	if len(b) >= 8 && b[0] == 0xaa && b[1] == 0xaa && b[2] == 0x03 && b[3] == 0 && b[4] == 0 && b[5] == 0 {
		return f.network(binary.BigEndian.Uint16(b[6:]), b[8:])
	}
	return f.network(EtherLLC, b)
}

// cooked reads on behind a header of Linux, which has 4 where there is LLC.
func (f *Frame) cooked(proto uint16, b []byte) error {
	if proto == 4 {
		return f.llc(b)
	}
	return f.network(proto, b)
}

func (f *Frame) raw(b []byte) error {
	if len(b) == 0 {
		return io.ErrUnexpectedEOF
	}
	if b[0]>>4 == 6 {
		return f.network(EtherIPv6, b)
	}
	return f.network(EtherIPv4, b)
}

func (f *Frame) network(t uint16, b []byte) error {
	f.EtherType, f.Payload = t, b
	switch t {
	case EtherIPv4:
		return wire.ParseIPv4(b, &f.IP)
	case EtherIPv6:
		return wire.ParseIPv6(b, &f.IP)
	}
	return nil
}

// UDP returns the addresses and the payload of a UDP datagram. It returns false for
// anything else, and for a fragment. A datagram that was not captured whole has the
// payload that was.
func (f *Frame) UDP() (src, dst netip.AddrPort, payload []byte, ok bool) {
	b := f.IP.Payload
	if f.IP.Protocol != wire.ProtoUDP || f.IP.Fragment || len(b) < 8 {
		return src, dst, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	switch {
	case n == 0: // captured before segmentation offload, or a jumbogram
		n = len(b)
	case n < 8 || n > len(b) && !f.IP.Truncated:
		return src, dst, nil, false
	}
	n = min(n, len(b))
	src = netip.AddrPortFrom(f.IP.Src, binary.BigEndian.Uint16(b))
	dst = netip.AddrPortFrom(f.IP.Dst, binary.BigEndian.Uint16(b[2:]))
	return src, dst, b[8:n:n], true
}
