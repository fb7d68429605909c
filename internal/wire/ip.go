package wire

import (
	"errors"
	"io"
	"net/netip"
)

// Protocol numbers, which IPv6 calls next header values.
const (
	ProtoHopByHop = 0
	ProtoIGMP     = 2
	ProtoUDP      = 17
	ProtoRouting  = 43
	ProtoFragment = 44
	ProtoICMPv6   = 58
	ProtoNoNext   = 59
	ProtoDstOpts  = 60
)

// Errors of the IP parsers. Headers that end too early are io.ErrUnexpectedEOF.
var (
	// ErrIPVersion: the packet is of another IP version than the parser's.
	ErrIPVersion = errors.New("another IP version")

	// ErrIPHeader: a length in the header is less than what it counts.
	ErrIPHeader = errors.New("malformed IP header")

	// ErrIPChecksum: the header checksum of IPv4 is wrong.
	ErrIPChecksum = errors.New("wrong IP header checksum")

	// ErrFragment: the packet is a fragment, of which nothing can be made
	// without the others.
	ErrFragment = errors.New("a fragment")

	// ErrProtocol: the packet carries something else than was asked for.
	ErrProtocol = errors.New("another protocol")
)

// An IP is what a receiver wants to know of an IPv4 or IPv6 packet.
type IP struct {
	Src, Dst netip.Addr
	Protocol uint8 // of Payload: behind the extension headers of IPv6
	HopLimit uint8 // IPv4: TTL
	TOS      uint8 // IPv6: traffic class

	// RouterAlert says that a Router Alert option of value 0 is there, which
	// is "examine packet" in IPv4 (RFC 2113 section 2.1) and "contains a MLD
	// message" in IPv6 (RFC 2711 section 2.1).
	RouterAlert bool

	// Fragment says that the packet is part of one; Payload is then not the
	// beginning of a message unless First.
	Fragment, First bool

	// BadChecksum says that the IPv4 header does not match its checksum.
	BadChecksum bool

	// Truncated says that Payload is shorter than the header promises, as in
	// captures with a small snapshot length.
	Truncated bool

	Payload []byte
}

// Whole returns the packet's payload if it is complete and of protocol proto. With
// ErrIPChecksum, which is returned when nothing else is wrong, it returns the payload
// too.
func (p *IP) Whole(proto uint8) ([]byte, error) {
	switch {
	case p.Fragment:
		return nil, ErrFragment
	case p.Protocol != proto:
		return nil, ErrProtocol
	case p.Truncated:
		return nil, io.ErrUnexpectedEOF
	case p.BadChecksum:
		return p.Payload, ErrIPChecksum
	}
	return p.Payload, nil
}
