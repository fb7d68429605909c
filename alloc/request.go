package alloc

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// MaxCount is how many addresses a lease can have.
const MaxCount = 65535

var (
	// ErrConfig means that an allocator cannot be made of its configuration; the text
	// says what to give instead.
	ErrConfig = errors.New("alloc: configuration")

	// ErrRequest means that this allocator can never meet a request; the text says
	// what to ask for instead.
	ErrRequest = errors.New("alloc: request")

	// ErrNoFree means that too few addresses are free now. See also LaterError.
	ErrNoFree = errors.New("alloc: no free address")

	// ErrExpired means that a lease has ended because it was not renewed.
	ErrExpired = errors.New("alloc: the lease has expired")

	// ErrReleased means that a lease has ended by Release.
	ErrReleased = errors.New("alloc: the lease was released")

	// ErrClash means that somebody else uses the addresses and has the better right.
	ErrClash = errors.New("alloc: another session has the address")
)

// A LaterError means that an allocation cannot be made now but may be At a later time:
// TRY_LATER of RFC 2771 section 3.1. It wraps ErrNoFree.
type LaterError struct {
	At  time.Time
	Err error
}

// Error says what is missing and when to ask again.
func (e *LaterError) Error() string {
	return fmt.Sprintf("%v; ask again at %s, when a lease ends", e.Err, e.At.Format(time.RFC3339))
}

// Unwrap returns Err.
func (e *LaterError) Unwrap() error { return e.Err }

// A Request is what to allocate (RFC 2771 section 3.1). The zero Request is one IPv4
// address of the smallest scope there is, from now on for as long as possible.
type Request struct {
	// Family is the IP version; default that of Zone, or else IPv4.
	Family Family

	// Scope is how far packets are to go; default the smallest that the allocator
	// has groups of.
	Scope group.Scope

	// Zone is the range of a scope that administrators have made (RFC 2365), in
	// place of Scope: 239.16.32.0 to 239.16.33.255. Its last 256 addresses are not
	// for allocation. Prefix makes one of text.
	Zone group.Zone

	Count    int // addresses wanted, up to MaxCount; default 1
	MinCount int // addresses to be content with; default Count

	Start    time.Time // default now
	MaxStart time.Time // to be content with; default Start

	Lifetime    time.Duration // from Start on; default the longest there is
	MinLifetime time.Duration // to be content with; default any
}

// Validate says what no allocator can make sense of; the error wraps ErrRequest.
func (r Request) Validate() error {
	zone := r.Zone != group.Zone{}
	switch {
	case r.Family != 0 && r.Family != IPv4 && r.Family != IPv6:
		return fmt.Errorf("%w: family %v: give IPv4 or IPv6", ErrRequest, r.Family)
	case zone && !r.Zone.IsValid():
		return fmt.Errorf("%w: zone %v to %v: give two groups of one IP version, in order", ErrRequest, r.Zone.First, r.Zone.Last)
	case zone && r.Family != 0 && r.Family != familyOf(r.Zone.First):
		return fmt.Errorf("%w: zone %v to %v is not %v: leave Family out", ErrRequest, r.Zone.First, r.Zone.Last, r.Family)
	case zone && r.Scope != 0:
		return fmt.Errorf("%w: give Scope or Zone, not both", ErrRequest)
	case r.Scope > group.Global:
		return fmt.Errorf("%w: scope %v: give one of 1 to 14, or a Zone", ErrRequest, r.Scope)
	case r.Count < 0 || r.Count > MaxCount || r.MinCount < 0 || r.MinCount > max(r.Count, 1):
		return fmt.Errorf("%w: %d addresses, at least %d: give 1 to %d, in order", ErrRequest, r.Count, r.MinCount, MaxCount)
	case r.Lifetime < 0 || r.MinLifetime < 0 || r.Lifetime > 0 && r.MinLifetime > r.Lifetime:
		return fmt.Errorf("%w: a lifetime of %v, at least %v: give positive times, in order", ErrRequest, r.Lifetime, r.MinLifetime)
	case !r.MaxStart.IsZero() && r.MaxStart.Before(r.Start):
		return fmt.Errorf("%w: a start at %v, at the latest at %v: give them in order", ErrRequest, r.Start, r.MaxStart)
	}
	return nil
}

// A Renewal is the new lifetime to give a lease (RFC 2771 section 3.2). The zero Renewal
// asks for the lifetime of the Request again.
type Renewal struct {
	Lifetime    time.Duration // from now on, or from the lease's start if that is later
	MinLifetime time.Duration // to be content with; default any
}

// terms is a request with its defaults.
type terms struct {
	Request
	end time.Time // of the lease; zero is none
}

// resolve fills in the defaults.
func (r Request) resolve(now time.Time) (terms, error) {
	if err := r.Validate(); err != nil {
		return terms{}, err
	}
	t := terms{Request: r}
	if t.Family == 0 {
		if t.Family = IPv4; r.Zone.IsValid() {
			t.Family = familyOf(r.Zone.First)
		}
	}
	t.Count = max(t.Count, 1)
	if t.MinCount == 0 {
		t.MinCount = t.Count
	}
	if t.Start.Before(now) {
		t.Start = now
	}
	if !t.MaxStart.IsZero() && t.MaxStart.Before(now) {
		return terms{}, fmt.Errorf("%w: a start at the latest at %v, which is over", ErrRequest, t.MaxStart)
	}
	t.end = endOf(t.Start, t.Lifetime)
	return t, nil
}

// endOf returns when a lease ends; a lifetime of 0 has no end.
func endOf(start time.Time, life time.Duration) time.Time {
	if life == 0 {
		return time.Time{}
	}
	return start.Add(life)
}

// Prefix returns the zone that a prefix in text spans, as 239.192.200.0/24, or the zero
// Zone, which no allocator takes, when the text is no prefix of groups.
func Prefix(s string) group.Zone {
	p, err := netip.ParsePrefix(s)
	if z := group.ZoneOfPrefix(p); err == nil && z.IsValid() {
		return z
	}
	return group.Zone{}
}
