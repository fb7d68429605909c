package alloc

import "github.com/gomulticast/multicast/mcast/group"

// NewRandom returns an allocator of addresses drawn at random from a scope, or from the
// zone that is asked for, without asking anybody. Of IPv6 groups there are so many that no
// two ever meet, and on one Ethernet one pair in 2^31 does. Of the 65,000 addresses of the
// IPv4 Local Scope ten programs that have ten each share one in fifteen networks: use
// NewSAP or NewMADCAP for what has to work.
func NewRandom(cfg Config) (*Local, error) {
	return newLocal(cfg, func(t *terms) (offer, error) {
		if t.Zone.IsValid() {
			return t.from([]group.Zone{normal(t.Zone)}, group.CodeExpansion)
		}
		z, err := scopeZone(t.Family, t.Scope)
		return offer{zones: []group.Zone{z}}, err
	})
}
