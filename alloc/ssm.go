package alloc

import (
	"fmt"
	"net/netip"

	"github.com/gomulticast/multicast/mcast/group"
)

// ssm4 is what hosts choose from in 232.0.0.0/8 (RFC 4607 section 4.3).
var ssm4 = group.Zone{First: netip.AddrFrom4([4]byte{232, 0, 1, 0}), Last: netip.AddrFrom4([4]byte{232, 255, 255, 255})}

// NewSSM returns an allocator of source-specific groups for what this host sends from
// source. A channel is the group and the source, so there is nobody to agree with but the
// other programs of the host, and those draw at random too (RFC 4607 section 4.3).
// Requests are for the family of source when they do not tell, and any other cannot be
// met; IPv4 groups are of global scope. The error wraps ErrConfig.
func NewSSM(cfg Config, source netip.Addr) (*Local, error) {
	source = source.Unmap().WithZone("")
	if !source.IsValid() || source.IsMulticast() || source.IsUnspecified() {
		return nil, fmt.Errorf("%w: source %v: give the address that this host sends from", ErrConfig, source)
	}
	l, err := newLocal(cfg, func(t *terms) (offer, error) {
		all := []group.Zone{ssm4}
		if source.Is6() {
			s := t.Scope
			switch {
			case t.Zone.IsValid():
				s = group.ScopeOf(t.Zone.First)
			}
			if s == 0 || s > group.Global {
				s = group.RealmLocal
			}
			p := group.ZoneOfPrefix(group.SSMPrefix(s))
			p.First = nth(p, 0x8000_0000)
			all[0] = p
		}
		return t.from(all)
	})
	if err == nil {
		l.source, l.family = source, familyOf(source)
	}
	return l, err
}
