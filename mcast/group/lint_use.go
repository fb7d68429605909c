package group

import (
	"net/netip"
	"strconv"
)

// Addresses for examples: RFC 6676 section 2 for IPv4, section 3 for IPv6, with
// unicast prefixes of RFC 5737, RFC 3849 and RFC 9637, and the GLOP addresses of
// AS 64496 to 64511 (RFC 5398).
var (
	documentation4 = []netip.Prefix{
		netip.MustParsePrefix("233.252.0.0/24"), // MCAST-TEST-NET
		netip.MustParsePrefix("233.251.240.0/20"),
		netip.MustParsePrefix("234.192.0.2/32"),
		netip.MustParsePrefix("234.198.51.100/32"),
		netip.MustParsePrefix("234.203.0.113/32"),
		netip.MustParsePrefix("239.255.255.245/32"), // MCAST-TEST-NET-2
		netip.MustParsePrefix("239.195.255.245/32"),
	}
	documentationUnicast = []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("3fff::/20"),
	}
)

func in(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// documentation checks for addresses that must not be met outside of examples.
func (l *linter) documentation() {
	p, ok := EmbeddedPrefix(l.addr)
	switch {
	case l.addr.Is4() && in(documentation4, l.addr):
		l.add(CodeDocumentation, "for documentation and examples only (RFC 6676 section 2)")
	case l.addr.Is6() && ok && in(documentationUnicast, p.Addr()) || isDocumentation6(l.fields):
		l.add(CodeDocumentation, "for documentation and examples only (RFC 6676 section 3)")
	}
	if src := plain(l.use.Source); in(documentationUnicast, src) {
		l.add(CodeDocumentation, "source "+src.String()+" is for documentation and examples only (RFC 5737, RFC 3849, RFC 9637)")
	}
}

// isDocumentation6 reports whether f is in ff0x::db8:0:0/96.
func isDocumentation6(f Fields) bool {
	return f.Flags == 0 && f.Flags2 == 0 && f.RIID == 0 && f.PrefixLen == 0 && f.Network == [8]byte{6: 0x0d, 7: 0xb8}
}

// ssm checks the use of the source-specific range.
func (l *linter) ssm() {
	if l.kind != SSM {
		return
	}
	switch SSMPartOf(l.addr) {
	case SSMNull:
		l.add(CodeSSMPart, "the null value of the source-specific range, which is never a destination (RFC 4607 section 4.3)")
	case SSMIANA:
		l.add(CodeSSMPart, "in the part of the source-specific range that only IANA gives out: choose from "+l.ssmRange()+" (RFC 4607 section 4.3)")
	case SSMInvalid:
		l.add(CodeSSMPart, "not a valid source-specific group: choose from "+l.ssmRange()+" (RFC 4607 section 1)")
	}
	if l.use.Purpose == Receive && !l.use.Source.IsValid() {
		l.add(CodeSSMSource, "source-specific, so a receiver must name the sender: join source@"+l.addr.String()+" (RFC 4607 section 4.1)")
	}
}

func (l *linter) ssmRange() string {
	if l.addr.Is4() {
		return "232.0.1.0 to 232.255.255.255"
	}
	p := "ff3" + hexDigit(uint8(l.fields.Scope))
	return p + "::8000:0 to " + p + "::ffff:ffff"
}

func (l *linter) source() {
	if l.use.Source.IsValid() && !unicastFor(l.use.Source.Unmap(), l.addr) {
		l.add(CodeSource, "source "+l.use.Source.String()+" is "+ErrBadSource.Error()[len("source is "):])
	}
}

// ttl checks how far packets go against how far the group is for. Routers do not
// forward link-local groups whatever their TTL, so 255, which proves that a packet
// crossed none (RFC 5082), is as good as 1 there.
func (l *linter) ttl() {
	ttl, scope := l.use.TTL, ScopeOf(l.addr)
	if ttl <= 0 || ttl > TTLAny {
		if ttl != 0 {
			l.add(CodeTTLAbove, "TTL "+strconv.Itoa(ttl)+" does not exist: give 1 to 255")
		}
		return
	}
	n := "TTL " + strconv.Itoa(ttl)
	switch {
	case scope <= LinkLocal:
		if ttl > TTLSubnet && ttl < TTLAny {
			l.add(CodeTTLAbove, n+" promises more than the group gives: routers never forward "+scope.String()+" packets")
		}
	case ttl == TTLSubnet && scope > RealmLocal:
		l.add(CodeTTLBelow, n+" ends at the first router, but the group's scope is "+scope.String()+": raise it, or choose a link-local group")
	case scope <= SiteLocal && ttl > TTLDomain || scope == OrganizationLocal && ttl > TTLRegion:
		if _, service := WellKnown(l.addr); !service {
			l.add(CodeTTLAbove, n+" reaches the scope '"+TTLScope(ttl)+"': only routers with a boundary for "+scope.String()+" groups stop it (RFC 2365 section 5)")
		}
	}
}

// named is an address with its name, if it has one.
func named(a netip.Addr) string {
	if name, ok := WellKnown(a); ok {
		return a.String() + " (" + name + ")"
	}
	return a.String()
}

const hexDigits = "0123456789abcdef"

func hexDigit(v uint8) string { return hexDigits[v&0xf : v&0xf+1] }

func macText(mac [6]byte) string {
	b := make([]byte, 0, 17)
	for i, v := range mac {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, hexDigits[v>>4], hexDigits[v&0xf])
	}
	return string(b)
}
