package alloc

import (
	"fmt"
	"net/netip"

	"github.com/gomulticast/multicast/glop"
	"github.com/gomulticast/multicast/mcast/group"
)

// NewPrefix returns an allocator of the groups that belong to the owner of unicast
// prefixes: of IPv4 those of RFC 6034, which are of global scope, of IPv6 those of RFC
// 3306 in the scope asked for. Nobody outside has them; inside, each program needs a prefix
// of its own. The error wraps ErrConfig, and glop's, which says what prefixes can be.
func NewPrefix(cfg Config, prefixes ...netip.Prefix) (*Local, error) {
	if len(prefixes) == 0 {
		return nil, fmt.Errorf("%w: no prefixes: give unicast prefixes of the network's own", ErrConfig)
	}
	for _, p := range prefixes {
		if _, err := ownZone(p, 0); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	l, err := newLocal(cfg, func(t *terms) (offer, error) {
		s := t.Scope
		if t.Zone.IsValid() {
			s = group.ScopeOf(t.Zone.First)
		}
		var all []group.Zone
		var failed error
		for _, p := range prefixes {
			if z, err := ownZone(p, s); err == nil {
				all = append(all, z)
			} else if failed == nil {
				failed = err
			}
		}
		if len(all) == 0 {
			return offer{}, fmt.Errorf("%w: %w", ErrRequest, failed)
		}
		return t.from(all)
	})
	if err == nil {
		l.family = familyOf(prefixes[0].Addr())
	}
	return l, err
}

// ownZone returns the groups of a prefix in a scope, 0 being the smallest.
func ownZone(p netip.Prefix, s group.Scope) (group.Zone, error) {
	if p.Addr().Is4() {
		g, err := glop.FromUnicast4(p)
		return group.ZoneOfPrefix(g), err
	}
	if s == 0 {
		s = min(group.RealmLocal, max(group.PrefixScope(p), group.LinkLocal))
	}
	g, err := glop.FromUnicast6(p, s)
	if err != nil {
		return group.Zone{}, err
	}
	z := group.ZoneOfPrefix(g)
	z.First = nth(z, 0x8000_0000) // RFC 3307 section 4.3
	return z, nil
}

// NewGLOP returns an allocator of the 256 groups of an AS (RFC 3180). The error wraps
// ErrConfig and glop.ErrAS, and says what to use for an AS that has none.
func NewGLOP(cfg Config, as uint32) (*Local, error) {
	p, err := glop.Prefix(as)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return newLocal(cfg, func(t *terms) (offer, error) { return t.from([]group.Zone{group.ZoneOfPrefix(p)}) })
}
