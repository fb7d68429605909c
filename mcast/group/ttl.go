package group

// How far an IPv4 packet goes by its TTL alone, as routers with TTL thresholds see
// it: a custom of the MBone, older than the scopes of RFC 2365. Each is the
// largest TTL that stays inside.
const (
	TTLHost   = 0   // not on the wire
	TTLSubnet = 1   // not past a router; the default (RFC 1112 section 6.1)
	TTLSite   = 15  // below a threshold of 16
	TTLDomain = 31  // below a threshold of 32
	TTLRegion = 63  // below a threshold of 64
	TTLWorld  = 127 // below a threshold of 128
	TTLAny    = 255 // no bound
)

var ttlScopes = [...]struct {
	ttl  int
	name string
}{
	{TTLHost, "host"}, {TTLSubnet, "subnet"}, {TTLSite, "site"}, {TTLDomain, "domain"},
	{TTLRegion, "region"}, {TTLWorld, "world"}, {TTLAny, "any"},
}

// TTLScope returns how far a packet with this TTL goes: "host", "subnet", "site",
// "domain", "region", "world" or "any"; "" for a TTL that is not in 0 to 255.
func TTLScope(ttl int) string {
	for _, s := range ttlScopes {
		if ttl >= 0 && ttl <= s.ttl {
			return s.name
		}
	}
	return ""
}

// TTLFor returns the largest TTL that stays inside a scope that TTLScope names. It
// reports false for any other name.
func TTLFor(name string) (ttl int, ok bool) {
	for _, s := range ttlScopes {
		if s.name == name {
			return s.ttl, true
		}
	}
	return 0, false
}
