package glop

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// ErrAS means an AS has no GLOP addresses. The error around it says what to use
// instead.
var ErrAS = errors.New("this AS has no GLOP addresses")

const (
	asTrans  = 23456 // stands for any 32-bit AS in old BGP, RFC 6793 section 9
	lastGLOP = 64511
	lastAS16 = 65535
)

// Prefix returns the 256 groups of an AS, 233.x.y.0/24 with x and y the bytes of its
// number (RFC 3180 section 3), for AS numbers of 1 to 64511. The error wraps ErrAS
// and says what to use instead: an AS of 64512 to 65535 is private or reserved, and
// its block, once to be assigned by registries (eGLOP, RFC 3138), is AD-HOC Block III
// now (RFC 5771 section 9.2); an AS over 65535 does not fit. AS 0 (RFC 7607) and
// 23456 (RFC 6793 section 9) are no one's.
func Prefix(as uint32) (netip.Prefix, error) {
	switch {
	case as > lastAS16:
		return netip.Prefix{}, fmt.Errorf("glop: AS %d: %w: GLOP has room for 16 bits; "+
			"use groups from your unicast prefix, RFC 6034 for IPv4 (/24 or shorter) or RFC 3306 for IPv6, or source-specific ones", as, ErrAS)
	case as > lastGLOP:
		return netip.Prefix{}, fmt.Errorf("glop: AS %d: %w: it is private or reserved, and 233.252.0.0/14 (eGLOP once) is AD-HOC Block III "+
			"by RFC 5771; use 239.0.0.0/8 inside a network, or groups from your unicast prefix (RFC 6034, RFC 3306)", as, ErrAS)
	case as == 0 || as == asTrans:
		return netip.Prefix{}, fmt.Errorf("glop: AS %d: %w: the number is reserved; give the AS's own", as, ErrAS)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{233, byte(as >> 8), byte(as)}), 24), nil
}

// AS returns the AS number that a GLOP address is made from (RFC 3180 section 3). It
// reports false for all other addresses, among them 233.252.0.0/14, and for those of
// numbers that Prefix refuses.
func AS(addr netip.Addr) (uint16, bool) {
	if group.KindOf(addr) != group.GLOP {
		return 0, false
	}
	b := addr.Unmap().As4()
	as := uint16(b[1])<<8 | uint16(b[2])
	return as, as != 0 && as != asTrans
}
