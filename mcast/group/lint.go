package group

import "net/netip"

// Purpose is what a group is to be used for. It decides which findings matter.
type Purpose uint8

const (
	// Inspect looks at the address for its own sake: what may surprise whoever
	// comes upon it.
	Inspect Purpose = iota

	// Receive is joining the group. Whose it is does not matter then: the sender
	// chose it.
	Receive

	// Send is sending to the group.
	Send

	// Allocate is choosing the group for something new; the strictest.
	Allocate
)

// String returns a word in lower case.
func (p Purpose) String() string {
	switch p {
	case Inspect:
		return "inspect"
	case Receive:
		return "receive"
	case Send:
		return "send"
	case Allocate:
		return "allocate"
	}
	return "unknown"
}

// Use says how a group is to be used. The zero Use is to Inspect it.
type Use struct {
	Purpose Purpose

	// Source is the one sender wanted, or the zero Addr for any.
	Source netip.Addr

	// TTL is the TTL or hop limit of packets sent, 1 to 255; 0 is not told.
	TTL int
}

// Code names a finding, for programs.
type Code string

// The codes of findings. More may come.
const (
	// CodeNotMulticast: the address is no group. It comes alone.
	CodeNotMulticast Code = "not-multicast"

	// CodeControlAlias: an IPv4 group shares its Ethernet address with one of
	// 224.0.0.0/24; see ControlAlias.
	CodeControlAlias Code = "l2-control-alias"

	// CodeReserved: the block is reserved by RFC 5771 section 3, or the scope by
	// RFC 7346 section 2.
	CodeReserved Code = "reserved"

	// CodeAssigned: the address belongs to a protocol or an organization.
	CodeAssigned Code = "assigned"

	// CodeSAPBlock: the block is for sessions announced by SAP only (RFC 5771
	// section 7).
	CodeSAPBlock Code = "sap-block"

	// CodeDeprecated: the use the address was assigned for has ended.
	CodeDeprecated Code = "deprecated"

	// CodeRelative: the address is in the top 256 of a zone, which are for
	// services (RFC 2365 section 9).
	CodeRelative Code = "zone-relative"

	// CodeExpansion: the address is in a part of 239.0.0.0/8 without a scope,
	// kept for growth (RFC 2365 sections 6.1.1 and 6.2.1). Allocate only.
	CodeExpansion Code = "admin-unassigned"

	// CodeSSMSource: a source-specific group is to be received from any source
	// (RFC 4607 section 4.1). Receive only.
	CodeSSMSource Code = "ssm-source"

	// CodeSSMPart: the group is in a part of the source-specific range that no one
	// may use, or only IANA may give out; see SSMPartOf.
	CodeSSMPart Code = "ssm-reserved"

	// CodeSource: the source is not a unicast address of the group's IP version.
	CodeSource Code = "source"

	// CodeOwner: the AS or prefix in the group is one that can own no group.
	CodeOwner Code = "owner"

	// CodeDocumentation: the group, or the source, is for examples only
	// (RFC 6676, RFC 5737, RFC 3849, RFC 9637).
	CodeDocumentation Code = "documentation"

	// CodeFlags: the flags of an IPv6 group contradict each other, or bits that
	// must be sent as 0 are set.
	CodeFlags Code = "flags"

	// CodePrefix: the prefix length or the bits behind the prefix are not what
	// RFC 3306 section 4 and RFC 4489 section 3 ask for.
	CodePrefix Code = "prefix"

	// CodePrefixScope: the scope is wider than the prefix, or the interface ID,
	// in the group allows (RFC 3306 section 4, RFC 4489 section 3).
	CodePrefixScope Code = "prefix-scope"

	// CodeRP: no rendezvous point can be had from the group; see Fields.RP.
	CodeRP Code = "rp"

	// CodeGroupID: the group ID is from another range than the flags ask for
	// (RFC 3307 section 4), so that the Ethernet address may be that of a
	// well-known group.
	CodeGroupID Code = "group-id"

	// CodeTTLBelow: packets do not get as far as the scope of the group.
	CodeTTLBelow Code = "ttl-below-scope"

	// CodeTTLAbove: packets may get further than the scope of the group, or only
	// routers configured for it stop them.
	CodeTTLAbove Code = "ttl-above-scope"
)

// A Finding is one thing that is wrong, or may surprise, about a use of a group.
type Finding struct {
	Code    Code
	Message string // what and why, for people, with the RFC's section
}

// Lint returns what is wrong with using addr in a way, nil if nothing is. It
// allocates only for what it finds. IPv4-mapped addresses count as IPv4 and a zone
// is ignored.
func Lint(addr netip.Addr, use Use) []Finding { return AppendLint(nil, addr, use) }

// AppendLint appends the findings of Lint to dst.
func AppendLint(dst []Finding, addr netip.Addr, use Use) []Finding {
	addr = plain(addr)
	l := linter{found: dst, addr: addr, use: use, kind: KindOf(addr)}
	if l.kind == NotMulticast {
		l.add(CodeNotMulticast, "not a multicast address: groups are in 224.0.0.0/4 (RFC 5771 section 3) and ff00::/8 (RFC 4291 section 2.7)")
		return l.found
	}
	if addr.Is4() {
		l.ipv4()
	} else {
		l.fields, _ = FieldsOf(addr)
		l.ipv6()
	}
	l.ssm()
	l.source()
	l.documentation()
	l.ttl()
	return l.found
}

// A linter holds what the checks of one address share.
type linter struct {
	found  []Finding
	addr   netip.Addr // unmapped, no zone
	use    Use
	kind   Kind
	fields Fields // of IPv6
}

func (l *linter) add(c Code, message string) { l.found = append(l.found, Finding{c, message}) }

// owned reports whether the user answers for the choice of the group.
func (l *linter) owned() bool { return l.use.Purpose != Receive }
