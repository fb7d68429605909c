// Package group answers questions about multicast addresses and names what a
// receiver can join: a [Channel], which is a group and, for source-specific
// multicast, the one sender wanted from it.
//
// [KindOf], [ScopeOf], [IsSSM], [MAC], [Aliases] and [WellKnown] say what an address
// is, [FieldsOf] takes an IPv6 group apart, and [Lint] says what is wrong with using
// it. A [Filter] is which senders of a group a receiver wants, a [Target] what people
// write to name a stream. Package glop computes groups from what their owner has.
//
// Everything here is a value or a pure function: no sockets, no interfaces, no
// clock. No input makes a function panic. Functions that return new text, parse
// text or return an error with an address in it allocate, and so do
// Filter.Canonical and the findings of Lint; all others do not.
package group

import (
	"errors"
	"net/netip"
)

// Errors of Validate and ParseChannel, wrapped with the address they are about.
var (
	// ErrNotMulticast means the group is not in 224.0.0.0/4 (RFC 5771
	// section 3) or ff00::/8 (RFC 4291 section 2.7).
	ErrNotMulticast = errors.New("not a multicast address")

	// ErrBadSource means the source cannot send: it is itself a multicast,
	// unspecified or broadcast address, or of the other IP version.
	ErrBadSource = errors.New("source is not a unicast address of the group's IP version")

	// ErrSyntax means the text is not of the form "group" or "source@group".
	ErrSyntax = errors.New(`not of the form "group" or "source@group"`)
)

var (
	link4 = netip.MustParsePrefix("224.0.0.0/24")   // RFC 5771 section 4
	loc4  = netip.MustParsePrefix("239.255.0.0/16") // RFC 2365 section 6.1
	org4  = netip.MustParsePrefix("239.192.0.0/14") // RFC 2365 section 6.2
	adm4  = netip.MustParsePrefix("239.0.0.0/8")    // RFC 2365 section 6
	bcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
)

// IsSSM reports whether addr is in the source-specific range, where a receiver
// must name the source: 232.0.0.0/8 or ff3x::/32 (RFC 4607 section 1, which
// asks hosts to treat the whole /32 as such and not only its ff3x::/96).
// In IPv6 that is every group with the flags P and T, without R, and with prefix
// length 0: bits without a meaning are ignored, so ffbx::/32 is in it too
// (RFC 7371 section 4.1.2; RFC 3956 section 3 for the four before the length).
// IPv4-mapped addresses count as IPv4 and a zone is ignored.
func IsSSM(addr netip.Addr) bool { return KindOf(addr) == SSM }

// MAC returns the Ethernet address that packets to a group are sent to: 01:00:5e
// and the low 23 bits of an IPv4 group (RFC 1112 section 6.4), or 33:33 and the
// low 32 bits of an IPv6 group (RFC 2464 section 7). It is not one to one: 32
// IPv4 groups share each Ethernet address, so a host may be handed frames of
// groups it never joined. For an address that is not multicast, MAC is zero.
func MAC(addr netip.Addr) [6]byte {
	addr = addr.Unmap()
	switch {
	case !addr.IsMulticast():
		return [6]byte{}
	case addr.Is4():
		b := addr.As4()
		return [6]byte{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}
	default:
		b := addr.As16()
		return [6]byte{0x33, 0x33, b[12], b[13], b[14], b[15]}
	}
}
