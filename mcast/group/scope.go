package group

import (
	"net/netip"
	"strconv"
)

// Scope is how far a group's packets may travel. Its values 0 to 15 are those of
// the IPv6 scop field (RFC 4291 section 2.7, RFC 7346 section 2), so a smaller
// scope compares less than a larger one.
type Scope uint8

// Scopes of RFC 7346 section 2, with the IPv4 ranges that RFC 2365 section 8
// maps to them. Values not named here are unassigned: administrators may define
// regions with them.
const (
	// ScopeReserved is scop 0, and what ScopeOf gives for an address that is
	// not multicast.
	ScopeReserved Scope = 0x0

	// InterfaceLocal never leaves the host: ff01::/16.
	InterfaceLocal Scope = 0x1

	// LinkLocal is never forwarded by a router: ff02::/16 and 224.0.0.0/24.
	LinkLocal Scope = 0x2

	// RealmLocal follows the topology of one network technology: ff03::/16.
	// RFC 2365 section 8 puts the IPv4 Local Scope, 239.255.0.0/16, here:
	// the smallest scope an IPv4 administrator can bound.
	RealmLocal Scope = 0x3

	// AdminLocal is the smallest scope set by configuration: ff04::/16.
	AdminLocal Scope = 0x4

	// SiteLocal is one site: ff05::/16.
	SiteLocal Scope = 0x5

	// OrganizationLocal is all sites of one organization: ff08::/16 and
	// 239.192.0.0/14.
	OrganizationLocal Scope = 0x8

	// Global has no bound: ff0e::/16 and 224.0.1.0 to 238.255.255.255.
	Global Scope = 0xe

	// ScopeReservedF is scop 15, reserved.
	ScopeReservedF Scope = 0xf

	// AdminScoped is the rest of 239.0.0.0/8: bounded by administrators, but
	// RFC 2365 section 6 assigns it to no scope, so how far packets go
	// depends on the network. It does not compare with the others.
	AdminScoped Scope = 0x10
)

// ScopeOf returns the scope of a group. For an address that is not multicast it
// is ScopeReserved.
func ScopeOf(addr netip.Addr) Scope {
	addr = addr.Unmap()
	switch {
	case !addr.IsMulticast():
		return ScopeReserved
	case addr.Is6():
		return Scope(addr.As16()[1] & 0x0f)
	case link4.Contains(addr):
		return LinkLocal
	case loc4.Contains(addr):
		return RealmLocal
	case org4.Contains(addr):
		return OrganizationLocal
	case adm4.Contains(addr):
		return AdminScoped
	default:
		return Global
	}
}

// NeedsZone reports whether a group of this scope means nothing without an
// interface, because every link has its own (RFC 4007 section 6).
func (s Scope) NeedsZone() bool { return s == InterfaceLocal || s == LinkLocal }

// String returns the RFC's name in lower case, such as "link-local".
func (s Scope) String() string {
	switch s {
	case ScopeReserved, ScopeReservedF:
		return "reserved"
	case InterfaceLocal:
		return "interface-local"
	case LinkLocal:
		return "link-local"
	case RealmLocal:
		return "realm-local"
	case AdminLocal:
		return "admin-local"
	case SiteLocal:
		return "site-local"
	case OrganizationLocal:
		return "organization-local"
	case Global:
		return "global"
	case AdminScoped:
		return "administratively-scoped"
	}
	if s < 0x10 {
		return "unassigned-" + strconv.FormatUint(uint64(s), 16)
	}
	return "Scope(" + strconv.Itoa(int(s)) + ")"
}
