package group

import "net/netip"

// SSMPart is a part of the source-specific range (RFC 4607 sections 1 and 4.3).
type SSMPart uint8

const (
	// NotSSM is outside of the range.
	NotSSM SSMPart = iota

	// SSMLocal is for the sending host to choose from, at random: 232.0.1.0 to
	// 232.255.255.255, ff3x::8000:0 to ff3x::ffff:ffff.
	SSMLocal

	// SSMNull is an address kept as a null value: 232.0.0.0, ff3x::4000:0.
	SSMNull

	// SSMIANA is kept for IANA: 232.0.0.1 to 232.0.0.255, ff3x::4000:1 to
	// ff3x::7fff:ffff.
	SSMIANA

	// SSMInvalid is the rest: ff3x:: to ff3x::3fff:ffff, and what is in ff3x::/32
	// but not in ff3x::/96.
	SSMInvalid
)

// String returns a word in lower case; "local" is the part to choose groups from.
func (p SSMPart) String() string {
	switch p {
	case NotSSM:
		return "none"
	case SSMLocal:
		return "local"
	case SSMNull:
		return "null"
	case SSMIANA:
		return "iana"
	case SSMInvalid:
		return "invalid"
	}
	return "unknown"
}

// SSMPartOf returns the part of the source-specific range that addr is in.
func SSMPartOf(addr netip.Addr) SSMPart {
	addr = addr.Unmap()
	if !IsSSM(addr) {
		return NotSSM
	}
	if addr.Is4() {
		b := addr.As4()
		switch {
		case b[1] != 0 || b[2] != 0:
			return SSMLocal
		case b[3] == 0:
			return SSMNull
		}
		return SSMIANA
	}
	f, _ := FieldsOf(addr)
	switch {
	case f.Network != [8]byte{} || f.ID < 0x40000000:
		return SSMInvalid
	case f.ID == 0x40000000:
		return SSMNull
	case f.ID < 0x80000000:
		return SSMIANA
	}
	return SSMLocal
}

// SSMPrefix returns ff3x::/96, the source-specific groups of an IPv6 scope
// (RFC 3306 section 6), or the zero Prefix for a scope over 15.
func SSMPrefix(scope Scope) netip.Prefix {
	if scope > 0xf {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(Fields{Flags: FlagP | FlagT, Scope: scope}.Addr(), 96)
}
