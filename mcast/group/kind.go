package group

import (
	"net/netip"
	"strconv"
)

// Kind is the sort of a group address: the block of RFC 5771 section 3 that an
// IPv4 address is in, or the format that the flags of an IPv6 address say it has
// (RFC 4291 section 2.7 and what updates it).
type Kind uint8

const (
	// NotMulticast is an address that is no group: unicast, broadcast,
	// unspecified, or the zero Addr.
	NotMulticast Kind = iota

	// LocalControl is 224.0.0.0/24, for protocols on one link (RFC 5771
	// section 4). Routers never forward it, and switches never prune it.
	LocalControl

	// InternetworkControl is 224.0.1.0/24, for protocols that may cross
	// routers (RFC 5771 section 5).
	InternetworkControl

	// AdHoc is 224.0.2.0 to 224.0.255.255, 224.3.0.0 to 224.4.255.255 and
	// 233.252.0.0/14: assigned by IANA one by one (RFC 5771 section 6).
	AdHoc

	// SAPBlock is 224.2.0.0/16, for sessions announced by SAP and nothing
	// else (RFC 5771 section 7).
	SAPBlock

	// SSM is the source-specific range of RFC 4607; see IsSSM.
	SSM

	// GLOP is 233.0.0.0 to 233.251.255.255: 256 groups for each AS
	// (RFC 3180).
	GLOP

	// UnicastPrefix has a unicast prefix of its owner in it: 234.0.0.0/8
	// (RFC 6034), or IPv6 with the flags P and T (RFC 3306).
	UnicastPrefix

	// EmbeddedRP is IPv6 with the flags R, P and T: the address of its
	// rendezvous point is in it (RFC 3956, RFC 7371).
	EmbeddedRP

	// LinkScoped is IPv6 with the interface ID of its owner in it: flags P and
	// T, prefix length 255 (RFC 4489).
	LinkScoped

	// AdminScopedBlock is 239.0.0.0/8, for use inside a domain (RFC 2365).
	AdminScopedBlock

	// Permanent is IPv6 with the flag T clear: assigned by IANA (RFC 4291
	// section 2.7, RFC 3307 section 4.1).
	Permanent

	// SolicitedNodes is ff02::1:ff00:0/104, which neighbour discovery asks
	// (RFC 4291 section 2.7.1); see SolicitedNode.
	SolicitedNodes

	// Transient is IPv6 with the flag T set and P clear: for anyone to use,
	// with no owner in the address (RFC 4291 section 2.7).
	Transient

	// Reserved is what no one may use: the blocks RFC 5771 section 3 calls so,
	// and IPv6 addresses whose flags or prefix length contradict the RFCs.
	Reserved
)

var kindNames = [...]string{
	NotMulticast: "not-multicast", LocalControl: "local-control", InternetworkControl: "internetwork-control",
	AdHoc: "ad-hoc", SAPBlock: "sdp-sap", SSM: "ssm", GLOP: "glop", UnicastPrefix: "unicast-prefix",
	EmbeddedRP: "embedded-rp", LinkScoped: "link-scoped", AdminScopedBlock: "admin-scoped", Permanent: "permanent",
	SolicitedNodes: "solicited-node", Transient: "transient", Reserved: "reserved",
}

// String returns a word in lower case, such as "ssm", "glop" or "unicast-prefix".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// KindOf returns the kind of an address. IPv4-mapped addresses count as IPv4 and a
// zone is ignored.
func KindOf(addr netip.Addr) Kind {
	addr = addr.Unmap()
	switch {
	case !addr.IsMulticast():
		return NotMulticast
	case addr.Is4():
		return kind4(addr.As4())
	}
	f, _ := FieldsOf(addr)
	return f.kind()
}

func kind4(b [4]byte) Kind {
	switch {
	case b[0] == 224:
		return kind224(b)
	case b[0] == 232:
		return SSM
	case b[0] == 233 && b[1] < 252:
		return GLOP
	case b[0] == 233:
		return AdHoc
	case b[0] == 234:
		return UnicastPrefix
	case b[0] == 239:
		return AdminScopedBlock
	}
	return Reserved
}

func kind224(b [4]byte) Kind {
	switch {
	case b[1] == 0 && b[2] == 0:
		return LocalControl
	case b[1] == 0 && b[2] == 1:
		return InternetworkControl
	case b[1] == 0 || b[1] == 3 || b[1] == 4:
		return AdHoc
	case b[1] == 2:
		return SAPBlock
	}
	return Reserved // 224.1/16 and from 224.5 on
}

func (f Fields) kind() Kind {
	switch {
	case f.Flags&FlagR != 0 && f.Flags&(FlagP|FlagT) == FlagP|FlagT:
		return EmbeddedRP
	case f.Flags&FlagR != 0:
		return Reserved // RFC 3956 section 3: R needs P and T
	case f.Flags&FlagP != 0 && f.Flags&FlagT == 0:
		return Reserved // RFC 3306 section 4: P needs T
	case f.Flags&FlagP != 0:
		return f.prefixKind()
	case f.Flags&FlagT != 0:
		return Transient
	case f.solicited():
		return SolicitedNodes
	}
	return Permanent
}

// prefixKind tells apart what the prefix length of an address with P and T means.
func (f Fields) prefixKind() Kind {
	switch {
	case f.PrefixLen == 0:
		// RFC 4607 section 1: all of ff3x::/32 is to be treated as SSM, also
		// where the network prefix is not 0 as RFC 3306 section 6 has it.
		return SSM
	case f.PrefixLen <= 64:
		return UnicastPrefix
	case f.PrefixLen == 255:
		return LinkScoped
	}
	return Reserved
}
