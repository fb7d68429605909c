package glop

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// Errors, wrapped with what they are about and what to do.
var (
	// ErrPrefix means no groups can be made from a prefix: it is too long, or not
	// a unicast prefix that others know.
	ErrPrefix = errors.New("no groups can be made from this prefix")

	// ErrScope means the scope is not one of 1 to 14, or wider than the prefix or
	// address allows.
	ErrScope = errors.New("scope not possible")
)

// FromUnicast4 returns the groups of the owner of an IPv4 prefix: 234.0.0.0/8 with the
// prefix behind the 234 (RFC 6034 section 3). A /24 has a single group, a /16 has 256.
// Bits behind the prefix are ignored. The error wraps ErrPrefix: a prefix must be 1 to
// 24 bits long, and global, no part of it loopback, private, link-local, shared
// (RFC 6598), multicast, or reserved.
func FromUnicast4(p netip.Prefix) (netip.Prefix, error) {
	switch {
	case !p.Addr().Is4() || !p.IsValid():
		return netip.Prefix{}, fmt.Errorf("glop: %s: %w: give an IPv4 prefix such as 198.51.0.0/16", p, ErrPrefix)
	case p.Bits() > 24:
		return netip.Prefix{}, fmt.Errorf("glop: %s: %w: RFC 6034 has none for prefixes longer than /24; use GLOP or source-specific groups", p, ErrPrefix)
	case p.Bits() == 0 || group.PrefixScope(p) != group.Global:
		return netip.Prefix{}, fmt.Errorf("glop: %s: %w: RFC 6034 wants a global unicast prefix; use 239.0.0.0/8 inside a network", p, ErrPrefix)
	}
	b := p.Masked().Addr().As4()
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{234, b[0], b[1], b[2]}), 8+p.Bits()), nil
}

// FromUnicast6 returns the groups of a scope that belong to the owner of an IPv6
// prefix: ff3x:plen:prefix::/96 (RFC 3306 section 4). Bits behind the prefix are
// ignored. The error wraps ErrPrefix or ErrScope: a prefix must be 1 to 64 bits long
// and unicast, a scope 1 to 14 and no wider than the prefix is known, which is
// group.OrganizationLocal for fc00::/7 and group.LinkLocal for fe80::/10.
func FromUnicast6(p netip.Prefix, scope group.Scope) (netip.Prefix, error) {
	if err := check6(p, scope); err != nil {
		return netip.Prefix{}, err
	}
	return fields(p, scope, group.FlagP|group.FlagT, 0), nil
}

// check6 checks what RFC 3306 section 4 asks of a prefix and a scope.
func check6(p netip.Prefix, scope group.Scope) error {
	if !p.Addr().Is6() || p.Addr().Is4In6() || !p.IsValid() {
		return fmt.Errorf("glop: %s: %w: give an IPv6 prefix such as 2001:db8:1::/48", p, ErrPrefix)
	}
	if p.Bits() == 0 {
		return fmt.Errorf("glop: %s: %w: length 0 stands for source-specific groups, ff3x::/96, which need none", p, ErrPrefix)
	}
	if p.Bits() > 64 {
		return fmt.Errorf("glop: %s: %w: RFC 3306 has room for 64 bits; give the /64", p, ErrPrefix)
	}
	if err := checkScope(scope); err != nil {
		return err
	}
	switch widest := group.PrefixScope(p); {
	case widest == group.ScopeReserved:
		return fmt.Errorf("glop: %s: %w: it is not a unicast prefix", p, ErrPrefix)
	case scope > widest:
		return fmt.Errorf("glop: %s in scope %s: %w: give %s or less, as far as the prefix is known (RFC 3306 section 4)", p, scope, ErrScope, widest)
	}
	return nil
}

func checkScope(scope group.Scope) error {
	if scope == group.ScopeReserved || scope >= group.ScopeReservedF {
		return fmt.Errorf("glop: %s: %w: give 1 to 14 (RFC 7346 section 2)", scope, ErrScope)
	}
	return nil
}

// fields returns the /96 of a prefix.
func fields(p netip.Prefix, scope group.Scope, flags group.Flags, riid uint8) netip.Prefix {
	f := group.Fields{Flags: flags, Scope: scope, RIID: riid, PrefixLen: uint8(p.Bits())}
	b := p.Masked().Addr().As16()
	copy(f.Network[:], b[:8])
	return netip.PrefixFrom(f.Addr(), 96)
}

// UnicastOf returns the unicast prefix that a group is made from. Of an IPv4 group it
// is the /24 that owns it; the owner's own prefix may be shorter, which the group does
// not tell (RFC 6034 section 3). Of an IPv6 group it is the prefix itself (RFC 3306
// section 4), also when the group has a rendezvous point in it (RFC 3956). It reports
// false for groups of other kinds and for prefixes that can own none.
func UnicastOf(addr netip.Addr) (netip.Prefix, bool) {
	p, ok := group.EmbeddedPrefix(addr)
	if !ok || group.PrefixScope(p) == group.ScopeReserved {
		return netip.Prefix{}, false
	}
	return p, true
}
