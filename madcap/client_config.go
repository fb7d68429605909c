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

// Where clients look for servers unless told otherwise: the group of the smallest scope
// (RFC 2730 section 2.10). For IPv6 that is the rule applied to all of SCOP 3, of which
// the RFC gives no address.
var (
	DefaultGroup  = netip.MustParseAddr("239.255.255.254")
	DefaultGroup6 = netip.MustParseAddr("ff03:ffff:ffff:ffff:ffff:ffff:ffff:fffe")
)

// DefaultTTL is how far messages to a group go (section 2.10).
const DefaultTTL = 16

var (
	// ErrNoAnswer means that no server answered in time.
	ErrNoAnswer = errors.New("madcap: no server answered")

	// ErrExpired means that a lease ended before it could be renewed.
	ErrExpired = errors.New("madcap: the lease has expired")

	// ErrUnknownLease means that the client has no lease with that ID.
	ErrUnknownLease = errors.New("madcap: no such lease")

	// ErrRequest means that a request cannot be made; the text says why.
	ErrRequest = errors.New("madcap: request")

	// ErrCanceled means that a request was given up by its maker.
	ErrCanceled = errors.New("madcap: canceled")
)

// A ClientConfig configures a Client. Zero fields stand for the defaults named, which are
// those of RFC 2730 section 2.3 and appendix B.
type ClientConfig struct {
	// Server is the one server to ask, by unicast. Default: servers are found by
	// DISCOVER, or GETINFO, to Group.
	Server netip.AddrPort

	// Group is where to look for servers; default DefaultGroup. It must be of the
	// connection's IP version, and never of global scope (section 2.11).
	Group netip.Addr
	Port  uint16 // default Port
	TTL   int    // of messages to Group, default DefaultTTL

	Retransmit    time.Duration // until a message is sent again the first time, then it doubles; default 4 s
	MaxRetransmit time.Duration // it grows to; default 16 s
	Retries       int           // how often a message is sent again; default 3, negative: never
	NoResponse    time.Duration // when to give up; default 60 s

	// DiscoverDelay is how long to wait for better offers than the first; default the
	// time of Retransmit then reached. An offer of all that was asked for is taken at
	// once, unless WaitAll is set.
	DiscoverDelay time.Duration
	WaitAll       bool

	// Rounds is how often to begin with DISCOVER when the server chosen then refuses
	// or is silent; default 2.
	Rounds int

	// Rand draws transaction and lease identifiers, which strangers should not be
	// able to guess. It has to be set, but for RunClient.
	Rand *rand.Rand
}

func (c ClientConfig) withDefaults() ClientConfig {
	if !c.Group.IsValid() {
		c.Group = DefaultGroup
	}
	c.Port = cmp.Or(c.Port, Port)
	c.TTL = cmp.Or(c.TTL, DefaultTTL)
	c.Retransmit = cmp.Or(c.Retransmit, 4*time.Second)
	c.MaxRetransmit = cmp.Or(c.MaxRetransmit, max(16*time.Second, c.Retransmit))
	c.Retries = max(0, cmp.Or(c.Retries, 3))
	c.NoResponse = cmp.Or(c.NoResponse, time.Minute)
	c.Rounds = cmp.Or(c.Rounds, 2)
	return c
}

// Validate says what is wrong with the configuration; the error wraps ErrConfig.
func (c ClientConfig) Validate() error {
	d := c.withDefaults()
	switch {
	case !d.Group.IsMulticast():
		return fmt.Errorf("%w: Group %v is no multicast address", ErrConfig, c.Group)
	case group.ScopeOf(d.Group) == group.Global:
		return fmt.Errorf("%w: Group %v is of global scope, where servers must not be looked for (RFC 2730 section 2.11)", ErrConfig, c.Group)
	case d.Server.IsValid() && (d.Server.Addr().IsMulticast() || d.Server.Addr().IsUnspecified() || d.Server.Port() == 0):
		return fmt.Errorf("%w: Server %v: give a unicast address and port", ErrConfig, c.Server)
	case d.TTL < 1 || d.TTL > 255:
		return fmt.Errorf("%w: TTL %d: give 1 to 255", ErrConfig, c.TTL)
	case d.Retransmit < 0 || d.MaxRetransmit < d.Retransmit || d.NoResponse <= 0 || d.DiscoverDelay < 0 || d.Rounds < 1:
		return fmt.Errorf("%w: a time or Rounds is negative, or MaxRetransmit less than Retransmit", ErrConfig)
	}
	return nil
}

// A Request is what a client asks for. The zero Request is one address of the IPv4
// Local Scope for as long as the server grants.
type Request struct {
	ID ID // default: 16 random bytes, of type 0

	Scope    netip.Addr // the scope's first address; default 239.255.0.0
	Count    int        // addresses wanted; default 1, or all of Ranges
	MinCount int        // addresses to be content with; default Count
	Ranges   []Range    // only these addresses; default any

	Lifetime    time.Duration // default the longest there is
	MinLifetime time.Duration // to be content with; default any
	Start       time.Time     // default now
	MaxStart    time.Time     // to be content with; default any

	Shared bool // whoever knows the ID may change the lease, if the server knows how
	Mobile bool // required: other servers can renew the lease too
	Later  bool // the server may ask to come back later; see ClientDeferred

	// Renew keeps the lease: it is renewed half way to its end, for the same time,
	// until Release.
	Renew bool

	// Server is asked by unicast instead of looking for one.
	Server netip.AddrPort
}

func (r Request) withDefaults(c *ClientConfig) Request {
	if !r.Scope.IsValid() {
		r.Scope = group.LocalZone.First
	}
	if r.Count == 0 {
		r.Count = max(1, (&Lease{Ranges: r.Ranges}).Total())
	}
	r.MinCount = cmp.Or(r.MinCount, r.Count)
	if !r.Server.IsValid() {
		r.Server = c.Server
	}
	return r
}

// message returns the request as a message without a type and XID; the error wraps
// ErrRequest.
func (r *Request) message(now time.Time) (m Message, err error) {
	switch {
	case !r.Scope.IsMulticast():
		return m, fmt.Errorf("%w: scope %v is no multicast address", ErrRequest, r.Scope)
	case r.Count < 1 || r.Count > 65535 || r.MinCount < 1 || r.MinCount > r.Count:
		return m, fmt.Errorf("%w: %d addresses, at least %d: give 1 to 65535, in order", ErrRequest, r.Count, r.MinCount)
	case r.Lifetime < 0 || r.MinLifetime < 0 || r.Lifetime > 0 && r.MinLifetime > r.Lifetime:
		return m, fmt.Errorf("%w: lifetime %v, at least %v", ErrRequest, r.Lifetime, r.MinLifetime)
	case !r.MaxStart.IsZero() && r.MaxStart.Before(r.Start):
		return m, fmt.Errorf("%w: start at %v, at the latest at %v", ErrRequest, r.Start, r.MaxStart)
	case len(r.Ranges) > maxRanges:
		return m, fmt.Errorf("%w: %d ranges are more than %d", ErrRequest, len(r.Ranges), maxRanges)
	case len(r.ID) > maxLeaseID:
		return m, fmt.Errorf("%w: an ID of %d bytes is longer than %d", ErrRequest, len(r.ID), maxLeaseID)
	}
	m = Message{Family: FamilyOf(r.Scope), LeaseID: []byte(r.ID), Scope: r.Scope.Unmap(), Has: OptionsOf(OptionLeaseID, OptionScope)}
	m.times(now, r.Lifetime, r.MinLifetime, r.Start, r.MaxStart)
	if r.Count > 1 {
		m.MinCount, m.Count, m.Has = uint16(r.MinCount), uint16(r.Count), m.Has.With(OptionCount)
	}
	if len(r.Ranges) > 0 {
		m.Ranges, m.Has = NewRangeList(m.Family, r.Ranges...), m.Has.With(OptionRanges)
	}
	var supported, requested, required []Feature
	if r.Mobile {
		supported, required = append(supported, ServerMobility), append(required, ServerMobility)
	}
	if r.Later { // never requested, section 2.13.2
		supported = append(supported, RetryAfter)
	}
	if r.Shared {
		supported, requested = append(supported, SharedLease), append(requested, SharedLease)
	}
	if supported != nil {
		m.Features, m.Has = NewFeatureList(supported, requested, required), m.Has.With(OptionFeatures)
	}
	if _, err := m.MarshalBinary(); err != nil {
		return m, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return m, nil
}

// times sets the options about time that are not zero.
func (m *Message) times(now time.Time, life, minLife time.Duration, start, maxStart time.Time) {
	if life > 0 {
		m.LeaseTime, m.Has = life, m.Has.With(OptionLeaseTime)
	}
	if minLife > 0 {
		m.MinLeaseTime, m.Has = minLife, m.Has.With(OptionMinLeaseTime)
	}
	if !start.IsZero() {
		m.StartTime, m.Has = start, m.Has.With(OptionStartTime)
	}
	if !maxStart.IsZero() {
		m.MaxStartTime, m.Has = maxStart, m.Has.With(OptionMaxStartTime)
	}
	m.CurrentTime, m.Has = now, m.Has.With(OptionCurrentTime)
}

// A ClientLease is a lease as its client has it. It can be stored, as JSON for
// one, and given to another Client later (Adopt).
type ClientLease struct {
	// Lease has Start and End by the client's clock. End is on the safe side: it
	// counts from when the request was first sent. Client and Revision are not set.
	Lease

	At       netip.AddrPort // the server that renews it
	Lifetime time.Duration  // as asked for, 0 is the longest
	Mobile   bool           // other servers can renew it
	Renew    bool           // it is to be renewed
}

// A Renewal is what a client asks for in place of what it has. The zero Renewal is
// the longest lease the server grants.
type Renewal struct {
	Lifetime    time.Duration
	MinLifetime time.Duration
	Start       time.Time
	MaxStart    time.Time
}

// An InfoRequest is what a client wants to know. The zero InfoRequest asks for all there
// is about IPv4, in all languages.
type InfoRequest struct {
	Family   Family         // default IPv4
	Language string         // of names; default all there are
	Server   netip.AddrPort // default ClientConfig.Server, or all there are
}

// Info is what a server told about itself and the scopes.
type Info struct {
	Server   netip.Addr     // its Server Identifier
	At       netip.AddrPort // where the answer came from
	Scopes   []Zone         // from the smallest to the largest, as far as the server knew
	Features []Feature      // it supports
	Ahead    time.Duration  // of its clock before the client's, to a second; 0 if it did not tell

	inside []bool
}

// Inside reports whether scope x nests inside scope y, by their places in Scopes. What the
// server did not tell is false.
func (i *Info) Inside(x, y int) bool {
	n := len(i.Scopes)
	return x >= 0 && y >= 0 && x < n && y < n && len(i.inside) == n*n && i.inside[x*n+y]
}
