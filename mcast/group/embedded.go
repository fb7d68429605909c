package group

import (
	"errors"
	"net/netip"
)

// Errors of Fields.RP. They come unwrapped, so that asking costs no allocation.
var (
	// ErrNoRP means the flags R, P and T are not all set.
	ErrNoRP = errors.New("no rendezvous point in this group: the flags R, P and T are not all set (RFC 3956 section 3)")

	// ErrRIID means the interface ID of the rendezvous point is 0.
	ErrRIID = errors.New("the rendezvous point's interface ID is 0: it must be 1 to 15 (RFC 3956 section 6.3)")

	// ErrRPPrefixLen means the prefix length is 0 or more than 64.
	ErrRPPrefixLen = errors.New("the prefix length must be 1 to 64 to find the rendezvous point (RFC 3956 section 4)")

	// ErrRPAddress means the rendezvous point would be in fe80::/10, ::/16 or
	// ff00::/8.
	ErrRPAddress = errors.New("the rendezvous point must not be in fe80::/10, ::/16 or ff00::/8 (RFC 3956 section 4)")
)

// Prefix returns the unicast prefix of the group's owner, without bits beyond its
// length (RFC 3306 section 4). It reports false when there is none: without the
// flags P and T, and for a length of 0 (SSM) or more than 64. It says nothing
// about whether the prefix is a good one; see PrefixScope.
func (f Fields) Prefix() (netip.Prefix, bool) {
	if f.Flags&(FlagP|FlagT) != FlagP|FlagT || f.PrefixLen == 0 || f.PrefixLen > 64 {
		return netip.Prefix{}, false
	}
	var b [16]byte
	copy(b[:], f.Network[:])
	p, err := netip.AddrFrom16(b).Prefix(int(f.PrefixLen))
	return p, err == nil
}

// RP returns the address of the rendezvous point: the prefix, zeros, and RIID
// (RFC 3956 section 4, for every value of the flag X by RFC 7371 section 4.2). The
// error is ErrNoRP, ErrRIID, ErrRPPrefixLen or ErrRPAddress.
func (f Fields) RP() (netip.Addr, error) {
	if f.Flags&(FlagR|FlagP|FlagT) != FlagR|FlagP|FlagT {
		return netip.Addr{}, ErrNoRP
	}
	p, ok := f.Prefix()
	switch {
	case !ok:
		return netip.Addr{}, ErrRPPrefixLen
	case f.RIID&0xf == 0:
		return netip.Addr{}, ErrRIID
	}
	b := p.Addr().As16()
	// These checks are a MUST: anyone on the Internet may write such a group.
	if b[0] == 0 && b[1] == 0 || b[0] == 0xff || b[0] == 0xfe && b[1]&0xc0 == 0x80 {
		return netip.Addr{}, ErrRPAddress
	}
	b[15] = f.RIID & 0xf
	return netip.AddrFrom16(b), nil
}

// LinkLocal returns the link-local unicast address of the owner of a link-scoped
// group, whose interface ID is in it (RFC 4489 section 3). It reports false when
// the group is of another kind, or its scope wider than link-local.
func (f Fields) LinkLocal() (netip.Addr, bool) {
	if f.kind() != LinkScoped || f.Scope > LinkLocal {
		return netip.Addr{}, false
	}
	b := [16]byte{0xfe, 0x80}
	copy(b[8:], f.Network[:])
	return netip.AddrFrom16(b), true
}

// EmbeddedPrefix returns the unicast prefix of its owner that a group has in it: of
// 234.0.0.0/8 the /24 that owns exactly this group, though its owner may have more
// (RFC 6034 section 3), of IPv6 with the flags P and T the prefix in its length
// (RFC 3306 section 4, RFC 3956 section 4). It reports false for groups of other
// kinds, and judges no prefix: glop.UnicastOf does.
func EmbeddedPrefix(addr netip.Addr) (netip.Prefix, bool) {
	addr = addr.Unmap()
	if addr.Is4() {
		b := addr.As4()
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{b[1], b[2], b[3], 0}), 24), b[0] == 234
	}
	f, ok := FieldsOf(addr)
	if !ok {
		return netip.Prefix{}, false
	}
	return f.Prefix()
}

// A reach is how far the addresses of a prefix may be known.
type reach struct {
	prefix netip.Prefix
	scope  Scope
}

// local lists the unicast addresses that are not global, with the widest scope a
// group made from them may have.
var local = []reach{
	{netip.MustParsePrefix("0.0.0.0/8"), ScopeReserved},
	{netip.MustParsePrefix("10.0.0.0/8"), ScopeReserved}, // RFC 1918, and below
	{netip.MustParsePrefix("100.64.0.0/10"), ScopeReserved},
	{netip.MustParsePrefix("127.0.0.0/8"), ScopeReserved},
	{netip.MustParsePrefix("169.254.0.0/16"), ScopeReserved},
	{netip.MustParsePrefix("172.16.0.0/12"), ScopeReserved},
	{netip.MustParsePrefix("192.168.0.0/16"), ScopeReserved},
	{netip.MustParsePrefix("224.0.0.0/3"), ScopeReserved}, // multicast and above
	{netip.MustParsePrefix("::/16"), ScopeReserved},
	{netip.MustParsePrefix("fc00::/7"), OrganizationLocal}, // RFC 4193: not routed globally
	{netip.MustParsePrefix("fe80::/10"), LinkLocal},
	{netip.MustParsePrefix("fec0::/10"), SiteLocal}, // RFC 3879: deprecated
	{netip.MustParsePrefix("ff00::/8"), ScopeReserved},
}

// PrefixScope returns the widest scope that a group with p in it may have: Global
// for a global unicast prefix, less for one known only to an organization, a site
// or a link (RFC 3306 section 4), and ScopeReserved for one that may be in no group
// at all: in IPv4 all that are not global (RFC 6034 section 3), in IPv6 ::/16 and
// multicast.
func PrefixScope(p netip.Prefix) Scope {
	if !p.IsValid() {
		return ScopeReserved
	}
	widest := Global
	for _, l := range local {
		if l.prefix.Overlaps(p) {
			widest = min(widest, l.scope)
		}
	}
	return widest
}
