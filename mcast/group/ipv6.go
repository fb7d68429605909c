package group

import (
	"encoding/binary"
	"net/netip"
)

// Flags is the first flag field of an IPv6 group, ff1: the 4 bits after the
// leading ff. Each bit has a meaning of its own and is to be tested singly
// (RFC 7371 section 3).
type Flags uint8

const (
	// FlagT: transient, not assigned by IANA (RFC 4291 section 2.7).
	FlagT Flags = 1 << iota

	// FlagP: a unicast prefix is in the address; needs T (RFC 3306 section 4).
	FlagP

	// FlagR: a rendezvous point is in the address; needs P and T (RFC 3956
	// section 3).
	FlagR

	// FlagX: not assigned; 0 or 1, and ignored (RFC 7371 section 4).
	FlagX
)

// String returns the letters of the flags set, in the order X, R, P, T, such as
// "PT"; "none" when all are clear.
func (f Flags) String() string {
	return [16]string{
		"none", "T", "P", "PT", "R", "RT", "RP", "RPT", "X", "XT", "XP", "XPT", "XR", "XRT", "XRP", "XRPT",
	}[f&0xf]
}

// Fields is an IPv6 group taken apart (RFC 4291 section 2.7, RFC 3306 section 4,
// RFC 3956 section 3, names by RFC 7371 section 4):
//
//	|   8    |  4  |  4 |  4  |  4 |    8   |       64       |    32    |
//	|11111111|flags|scop| ff2 |RIID|  plen  | network prefix | group ID |
//
// RIID, PrefixLen and Network mean something only when Flags has P.
type Fields struct {
	Flags     Flags
	Scope     Scope
	Flags2    uint8   // second flag field, ff2: sent as 0, ignored on receipt
	RIID      uint8   // interface ID of the rendezvous point, 1 to 15; 0 without R
	PrefixLen uint8   // bits of Network; 0 for SSM, 255 for a link-scoped address
	Network   [8]byte // first half of a unicast address, or an interface ID
	ID        uint32  // group ID, what Ethernet addresses keep; see IDClassOf
}

// FieldsOf takes an IPv6 group apart. It reports false for all other addresses.
func FieldsOf(addr netip.Addr) (f Fields, ok bool) {
	if addr.Is4In6() || !addr.Is6() || !addr.IsMulticast() {
		return Fields{}, false
	}
	b := addr.As16()
	return Fields{
		Flags:     Flags(b[1] >> 4),
		Scope:     Scope(b[1] & 0xf),
		Flags2:    b[2] >> 4,
		RIID:      b[2] & 0xf,
		PrefixLen: b[3],
		Network:   [8]byte(b[4:12]),
		ID:        binary.BigEndian.Uint32(b[12:]),
	}, true
}

// Addr puts the fields together again, with the low 4 bits of each 4-bit field.
func (f Fields) Addr() netip.Addr {
	b := [16]byte{0xff, byte(f.Flags)<<4 | byte(f.Scope)&0xf, f.Flags2<<4 | f.RIID&0xf, f.PrefixLen}
	copy(b[4:], f.Network[:])
	binary.BigEndian.PutUint32(b[12:], f.ID)
	return netip.AddrFrom16(b)
}

func (f Fields) solicited() bool {
	return f.Flags == 0 && f.Scope == LinkLocal && f.Flags2 == 0 && f.RIID == 0 && f.PrefixLen == 0 &&
		f.Network == [8]byte{7: 1} && f.ID>>24 == 0xff
}

// SolicitedNode returns the group in which neighbour discovery asks for an IPv6
// unicast address: ff02::1:ff00:0 and its low 24 bits (RFC 4291 section 2.7.1),
// with its zone. For any other address it is the zero Addr.
func SolicitedNode(addr netip.Addr) netip.Addr {
	if !addr.Is6() || addr.Is4In6() || addr.IsMulticast() || addr.IsUnspecified() {
		return netip.Addr{}
	}
	b := addr.As16()
	g := netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 11: 0x01, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]})
	if addr.Zone() == "" {
		return g
	}
	return g.WithZone(addr.Zone())
}

// IDClass is who gives out a group ID, the low 32 bits of an IPv6 group
// (RFC 3307 section 4).
type IDClass uint8

const (
	// IDZero is group ID 0, which RFC 2375 section 3 reserves.
	IDZero IDClass = iota

	// IDPermanentAddress is 1 to 3fffffff: of addresses that IANA assigns, with
	// T and P clear (section 4.1).
	IDPermanentAddress

	// IDPermanent is 40000000 to 7fffffff: IDs that IANA assigns to a service
	// whatever the rest of the address, for use with P set (section 4.2).
	IDPermanent

	// IDDynamic is 80000000 to ffffffff: for servers and hosts to choose, with T
	// set (section 4.3).
	IDDynamic
)

// IDClassOf returns the class of a group ID.
func IDClassOf(id uint32) IDClass {
	switch {
	case id == 0:
		return IDZero
	case id < 0x40000000:
		return IDPermanentAddress
	case id < 0x80000000:
		return IDPermanent
	}
	return IDDynamic
}

// String returns a word in lower case, such as "dynamic".
func (c IDClass) String() string {
	switch c {
	case IDZero:
		return "zero"
	case IDPermanentAddress:
		return "permanent-address"
	case IDPermanent:
		return "permanent-id"
	case IDDynamic:
		return "dynamic"
	}
	return "unknown"
}
