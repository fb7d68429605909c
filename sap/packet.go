package sap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// Port is the UDP port of every SAP group (RFC 2974 section 3).
const Port = 9875

// Sizes of the format (RFC 2974 section 6), in bytes.
const (
	headerSize4 = 8  // with an IPv4 origin
	headerSize6 = 20 // with an IPv6 origin

	// MaxAuth is the most authentication data a header can tell of: 255 words.
	MaxAuth = 255 * 4

	// RecommendedSize is what a packet should stay below, so that no link
	// fragments it.
	RecommendedSize = 1000
)

// Bits of the first octet.
const (
	bitIPv6       = 0x10 // A
	bitReserved   = 0x08 // R
	bitDelete     = 0x04 // T
	bitEncrypted  = 0x02 // E
	bitCompressed = 0x01 // C
)

// TypeSDP is the payload type of session descriptions.
const TypeSDP = "application/sdp"

var (
	// ErrVersion means that a packet says it has a version other than 0 and 1.
	ErrVersion = errors.New("sap: unknown version")

	// ErrPacket means that a packet cannot be written: a field is out of range.
	ErrPacket = errors.New("sap: packet cannot be written")

	// ErrInflate means that a payload does not decompress, or not within its
	// limit.
	ErrInflate = errors.New("sap: payload does not decompress")

	// ErrAuth means that authentication data has no header that can be read.
	ErrAuth = errors.New("sap: authentication data")

	errShort = fmt.Errorf("sap: packet ends within its header: %w", io.ErrUnexpectedEOF)
	errAuth  = fmt.Errorf("sap: packet ends within its authentication data: %w", io.ErrUnexpectedEOF)
)

// A Packet is a SAP packet (RFC 2974 section 6). ParsePacket leaves the slices in
// the packet it was given.
type Packet struct {
	// Version is 1, or 0 for what sdr up to 2.2 sent (appendix A): the layout is
	// the same.
	Version uint8

	// Reserved is the R bit, which is sent clear and has no meaning.
	Reserved bool

	// Delete tells that the session is no more (the T bit). Otherwise it is
	// announced.
	Delete bool

	// Encrypted tells that Payload is encrypted, in a way the RFC leaves open.
	// PayloadType is in it and not known.
	Encrypted bool

	// Compressed tells that Payload is zlib data; see Inflater. PayloadType is
	// in it and not known.
	Compressed bool

	// Hash identifies this version of the announcement, together with Origin. It
	// should not be 0, but from version 0 always is.
	Hash uint16

	// Origin is the host that made the announcement. NAT and relays make it
	// differ from the sender, and some announcers make it up.
	Origin netip.Addr

	// Auth is the authentication data, a multiple of 4 bytes; see ParseAuth.
	Auth []byte

	// PayloadType is the MIME type in front of the payload without its NUL, or
	// nil when it was left out; both that and an empty one mean TypeSDP.
	PayloadType []byte

	// Payload is the session description, and in a deletion just its o= line.
	Payload []byte

	noNUL bool // there was a type, but no NUL behind it
}

// ParsePacket reads a packet. It keeps nothing and copies nothing: the slices of the
// Packet are parts of b. Errors are ErrVersion, or wrap io.ErrUnexpectedEOF for a
// packet too short for what its header tells; what else is odd passes, and Quirks
// tells of it.
func ParsePacket(b []byte) (p Packet, err error) {
	if len(b) < headerSize4 {
		return p, errShort
	}
	first := b[0]
	if p.Version = first >> 5; p.Version > 1 {
		return Packet{}, ErrVersion
	}
	p.Reserved = first&bitReserved != 0
	p.Delete = first&bitDelete != 0
	p.Encrypted = first&bitEncrypted != 0
	p.Compressed = first&bitCompressed != 0
	p.Hash = binary.BigEndian.Uint16(b[2:])
	n := headerSize4
	if first&bitIPv6 == 0 {
		p.Origin = netip.AddrFrom4([4]byte(b[4:8]))
	} else {
		if n = headerSize6; len(b) < n {
			return Packet{}, errShort
		}
		p.Origin = netip.AddrFrom16([16]byte(b[4:20]))
	}
	if auth := int(b[1]) * 4; auth > 0 { // in words, not bytes
		if len(b) < n+auth {
			return Packet{}, errAuth
		}
		p.Auth = b[n : n+auth : n+auth]
		n += auth
	}
	p.Payload = b[n:]
	if !p.Encrypted && !p.Compressed {
		p.splitPayload()
	}
	return p, nil
}

// AppendBinary appends the packet to b. The error wraps ErrPacket when Origin is no
// address, Auth is too long or no multiple of 4 bytes, or PayloadType has a NUL in
// it. PayloadType is not written when Encrypted or Compressed is set: it then is in
// Payload already.
func (p *Packet) AppendBinary(b []byte) ([]byte, error) {
	first := p.Version << 5
	switch {
	case p.Version > 1:
		return b, fmt.Errorf("%w: version %d", ErrPacket, p.Version)
	case !p.Origin.IsValid():
		return b, fmt.Errorf("%w: no originating source", ErrPacket)
	case len(p.Auth) > MaxAuth || len(p.Auth)%4 != 0:
		return b, fmt.Errorf("%w: %d bytes of authentication data; a multiple of 4 up to %d", ErrPacket, len(p.Auth), MaxAuth)
	}
	for _, c := range p.PayloadType {
		if c == 0 {
			return b, fmt.Errorf("%w: a NUL in the payload type", ErrPacket)
		}
	}
	if p.Origin.Is6() {
		first |= bitIPv6
	}
	for _, f := range [...]struct {
		set bool
		bit byte
	}{{p.Reserved, bitReserved}, {p.Delete, bitDelete}, {p.Encrypted, bitEncrypted}, {p.Compressed, bitCompressed}} {
		if f.set {
			first |= f.bit
		}
	}
	b = append(b, first, byte(len(p.Auth)/4), byte(p.Hash>>8), byte(p.Hash))
	if p.Origin.Is6() {
		a := p.Origin.As16()
		b = append(b, a[:]...)
	} else {
		a := p.Origin.As4()
		b = append(b, a[:]...)
	}
	b = append(b, p.Auth...)
	if p.PayloadType != nil && !p.Encrypted && !p.Compressed {
		b = append(append(b, p.PayloadType...), 0)
	}
	return append(b, p.Payload...), nil
}

// MarshalBinary returns the packet in a new slice; see AppendBinary.
func (p *Packet) MarshalBinary() ([]byte, error) { return p.AppendBinary(nil) }

// UnmarshalBinary is ParsePacket of a copy of b.
func (p *Packet) UnmarshalBinary(b []byte) error {
	v, err := ParsePacket(append([]byte(nil), b...))
	if err == nil {
		*p = v
	}
	return err
}

// HashOf returns a message identifier hash for a payload: 16 bits of its FNV-1a
// digest, and never 0, which means that there is no hash.
func HashOf(payload []byte) uint16 {
	h := uint32(2166136261)
	for _, c := range payload {
		h = (h ^ uint32(c)) * 16777619
	}
	if v := uint16(h>>16) ^ uint16(h); v != 0 {
		return v
	}
	return 1
}
