package madcap

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// ErrConfig means that a configuration cannot be; the text says what is wrong with it.
var ErrConfig = errors.New("madcap: configuration")

// Defaults and limits of a server.
const (
	// DefaultExtra is how long addresses are kept after their lease
	// ([EXTRA-ALLOCATION-TIME], RFC 2730 appendix B).
	DefaultExtra = time.Hour

	// DefaultSkew is how far a client's clock may be off ([CLOCK-SKEW-ALLOWANCE],
	// appendix B).
	DefaultSkew = 30 * time.Minute

	// DefaultOfferHold is how long offered addresses are held ([OFFER-HOLD],
	// appendix B: at least 60 seconds).
	DefaultOfferHold = time.Minute

	// DefaultAnswerHold is how long answers are kept for requests sent again
	// ([RESPONSE-CACHE-INTERVAL], appendix B); five minutes at most.
	DefaultAnswerHold = time.Minute

	// DefaultLifetime is the longest lease that a server grants.
	DefaultLifetime = 24 * time.Hour

	maxAnswerHold = 5 * time.Minute
	maxLeaseID    = 255     // bytes
	maxPool       = 1 << 32 // addresses
	maxRanges     = 64      // in a lease: 1,152 bytes of IPv6
)

// A Scope is one that a server tells its clients of, and may have addresses of.
type Scope struct {
	// Zone is its addresses, names and TTL; 0 stands for 255, which is right where
	// routers bound the scope (RFC 2730 section 2.8).
	Zone

	// Within is the IDs of scopes that this one nests inside, so that clients learn
	// it (RFC 2907); what follows from two of them need not be told.
	Within []netip.Addr

	// Pools are the parts of Zone that this server gives addresses of, which do not
	// overlap. What group.Lint says must not be allocated, such as the top 256 of a
	// zone, is never given out and may be in a pool.
	Pools []group.Zone

	// Static are addresses kept for leases whose IDs are known beforehand. They need
	// not be in a pool, and nobody else gets them.
	Static []Reservation
}

// A Reservation is addresses that only the lease of one ID gets.
type Reservation struct {
	ID     ID
	Ranges []Range
}

// A ServerConfig configures a Server. Zero fields stand for the defaults named.
type ServerConfig struct {
	// ID is the server's own address, its Server Identifier. It has to be set.
	ID netip.Addr

	// Scopes are listed from the smallest to the largest, IPv4 and IPv6 in any
	// order; at least one.
	Scopes []Scope

	MinLifetime time.Duration // shorter leases are made that long; default 1 minute
	MaxLifetime time.Duration // longer ones are cut; default DefaultLifetime
	MaxAhead    time.Duration // how far ahead a lease may start; default 30 days, negative: no leases that start later
	MaxCount    int           // addresses in a lease; default 256

	// Extra is how long addresses are kept after a lease; default DefaultExtra,
	// negative: not at all. Less than Skew is only for clients that never ask for a
	// start time, which is by their clock.
	Extra time.Duration

	Skew       time.Duration // default DefaultSkew; negative: clocks are not compared
	OfferHold  time.Duration // default DefaultOfferHold
	AnswerHold time.Duration // default DefaultAnswerHold, at most 5 minutes

	// Limits on memory. When the oldest offer or answer has to go this costs a client
	// no lease.
	MaxLeases  int // default 65,536; new requests are refused
	MaxOffers  int // default 4,096
	MaxAnswers int // default 8,192
	MaxClients int // clients whose rate is counted, default 4,096

	// Limits on what one client gets. A client is an IPv4 address or an IPv6 /64.
	ClientAddresses int     // leased at a time; default 1,024, negative: any number
	ClientOffers    int     // held at a time; default 64
	ClientRate      float64 // messages a second; default 20, negative: any
	ClientBurst     int     // messages at once; default 100
	Rate            float64 // messages a second from all; default 10,000, negative: any
	Burst           int     // messages at once from all; default 5,000

	// AnyClient lets every address renew and release every lease whose ID it knows.
	// Default: only that which asked for the lease, or any for a shared one.
	AnyClient bool

	// Shared says that the leases are in a store that other servers use too, and
	// that this server is told of their changes (Watcher). Leases can then be
	// renewed and released at any of them.
	Shared bool

	// InUse reports whether an address is known to be in use by somebody without a
	// lease, as when it is announced by SAP; such addresses are not given out. It
	// must not wait. Default: none is.
	InUse func(netip.Addr) bool

	// AvoidAliases leaves out addresses that share their Ethernet address with one
	// leased by this server or InUse.
	AvoidAliases bool

	// Rand draws the addresses. It has to be set, but for RunServer.
	Rand *rand.Rand
}

func (c ServerConfig) withDefaults() ServerConfig {
	c.MinLifetime = cmp.Or(c.MinLifetime, time.Minute)
	c.MaxLifetime = cmp.Or(c.MaxLifetime, DefaultLifetime)
	c.MaxAhead = cmp.Or(c.MaxAhead, 30*24*time.Hour)
	c.MaxCount = cmp.Or(c.MaxCount, 256)
	c.Extra = max(0, cmp.Or(c.Extra, DefaultExtra))
	c.Skew = cmp.Or(c.Skew, DefaultSkew)
	c.OfferHold = cmp.Or(c.OfferHold, DefaultOfferHold)
	c.AnswerHold = cmp.Or(c.AnswerHold, DefaultAnswerHold)
	c.MaxLeases = cmp.Or(c.MaxLeases, 65536)
	c.MaxOffers = cmp.Or(c.MaxOffers, 4096)
	c.MaxAnswers = cmp.Or(c.MaxAnswers, 8192)
	c.MaxClients = cmp.Or(c.MaxClients, 4096)
	c.ClientAddresses = cmp.Or(c.ClientAddresses, 1024)
	c.ClientOffers = cmp.Or(c.ClientOffers, 64)
	c.ClientRate = cmp.Or(c.ClientRate, 20)
	c.ClientBurst = cmp.Or(c.ClientBurst, 100)
	c.Rate = cmp.Or(c.Rate, 10000)
	c.Burst = cmp.Or(c.Burst, 5000)
	c.ID = c.ID.Unmap()
	return c
}

// Validate says what is wrong with the configuration; the error wraps ErrConfig.
func (c ServerConfig) Validate() error {
	d := c.withDefaults()
	switch {
	case !d.ID.IsValid() || d.ID.IsUnspecified() || d.ID.IsMulticast() || d.ID.Zone() != "":
		return fmt.Errorf("%w: ID %v: give the server's own unicast address", ErrConfig, c.ID)
	case d.MinLifetime < time.Second || d.MaxLifetime < d.MinLifetime || d.MaxLifetime > 10*365*24*time.Hour:
		return fmt.Errorf("%w: lifetimes of %v to %v: give at least 1s and at most ten years, in order", ErrConfig, d.MinLifetime, d.MaxLifetime)
	case d.MaxCount < 1 || d.MaxCount > 65535:
		return fmt.Errorf("%w: MaxCount %d: give 1 to 65535", ErrConfig, d.MaxCount)
	case d.OfferHold < 0 || d.AnswerHold < 0 || d.AnswerHold > maxAnswerHold:
		return fmt.Errorf("%w: OfferHold %v, AnswerHold %v: give positive times, and at most %v to hold answers", ErrConfig, d.OfferHold, d.AnswerHold, maxAnswerHold)
	case d.MaxLeases < 1 || d.MaxOffers < 1 || d.MaxAnswers < 1 || d.MaxClients < 1 || d.ClientOffers < 1 || d.ClientBurst < 1 || d.Burst < 1:
		return fmt.Errorf("%w: a limit is negative", ErrConfig)
	case len(d.Scopes) == 0 || len(d.Scopes) > 255:
		return fmt.Errorf("%w: %d scopes: give 1 to 255", ErrConfig, len(d.Scopes))
	}
	for _, f := range [...]Family{IPv4, IPv6} {
		l, err := listScopes(d.Scopes, f, "", true)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
		if short, _ := listScopes(d.Scopes, f, "", false); len(short.data) > MaxMessage-2*maxLeaseID-300 && len(l.data) > 0 {
			return fmt.Errorf("%w: the scopes and one name of each take %d bytes, too much for a message", ErrConfig, len(short.data))
		}
	}
	return validatePools(d.Scopes)
}

// listScopes encodes the scopes of a family, with all names or the best one for lang.
func listScopes(all []Scope, f Family, lang string, names bool) (ScopeList, error) {
	var zones []Zone
	for _, s := range all {
		if FamilyOf(s.First) != f {
			if !s.IsValid() {
				return ScopeList{}, fmt.Errorf("%w: scope %v to %v", ErrMessage, s.First, s.Last)
			}
			continue
		}
		z := s.Zone
		z.TTL = cmp.Or(z.TTL, 255)
		if !names {
			n, ok := z.Name(lang)
			if z.Names = nil; ok {
				z.Names = []Name{n}
			}
		}
		zones = append(zones, z)
	}
	return NewScopeList(f, zones...)
}

func validatePools(all []Scope) error {
	type owner struct {
		group.Zone
		static bool
	}
	var taken []owner
	ids := map[ID]bool{}
	for _, s := range all {
		for _, p := range s.Pools {
			n, ok := offsetOf(p.First, p.Last)
			switch {
			case !p.IsValid() || !s.Contains(p.First) || !s.Contains(p.Last):
				return fmt.Errorf("%w: pool %v to %v is not within the scope %v to %v", ErrConfig, p.First, p.Last, s.First, s.Last)
			case !ok || n >= maxPool:
				return fmt.Errorf("%w: pool %v to %v has more than 2^32 addresses; give a part of it, as ff05::8000:0 to ff05::ffff:ffff", ErrConfig, p.First, p.Last)
			}
			taken = append(taken, owner{p, false})
		}
		for _, r := range s.Static {
			if r.ID == "" || len(r.ID) > maxLeaseID || ids[r.ID] || len(r.Ranges) == 0 || len(r.Ranges) > maxRanges {
				return fmt.Errorf("%w: reservation for %q: give each an ID of its own and 1 to %d ranges", ErrConfig, r.ID, maxRanges)
			}
			ids[r.ID] = true
			for _, x := range r.Ranges {
				last, ok := x.Last()
				if !ok || !s.Contains(x.First) || !s.Contains(last) {
					return fmt.Errorf("%w: reservation of %v is not within the scope %v to %v", ErrConfig, x, s.First, s.Last)
				}
				taken = append(taken, owner{group.Zone{First: x.First, Last: last}, true})
			}
		}
	}
	for i, a := range taken {
		for _, b := range taken[:i] {
			if a.static == b.static && !a.Last.Less(b.First) && !b.Last.Less(a.First) {
				return fmt.Errorf("%w: %v to %v and %v to %v overlap", ErrConfig, b.First, b.Last, a.First, a.Last)
			}
		}
	}
	return nil
}
