package gmp

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// ErrConfig is wrapped by every complaint about a configuration.
var ErrConfig = errors.New("invalid configuration")

// Timers are the timers and counters of RFC 3376 section 8 and RFC 3810 section 9.
// Zero fields take the default in their comment. Times that messages carry are
// rounded down to what they can carry.
type Timers struct {
	// Robustness is how many times a thing is said; the protocol survives one
	// loss less. 1 to 255, default 2 (section 8.1).
	Robustness int

	// QueryInterval is between general queries, 1 s to 31,744 s. Default 125 s
	// (section 8.2).
	QueryInterval time.Duration

	// QueryResponse is how long hosts may take to answer a general query; less
	// than QueryInterval. Default 10 s (section 8.3).
	QueryResponse time.Duration

	// StartupInterval is between the first general queries. Default a quarter
	// of QueryInterval (section 8.6).
	StartupInterval time.Duration

	// StartupCount is how many of them there are. Default Robustness (section
	// 8.7).
	StartupCount int

	// LastMember is the last member (last listener) query interval: between
	// specific queries, and how long hosts may take to answer one. Default 1 s
	// (section 8.8).
	LastMember time.Duration

	// LastMemberCount is how many specific queries are sent. Default Robustness
	// (section 8.9).
	LastMemberCount int

	// Unsolicited is the time in which a V3 host repeats a change of its state.
	// Default 1 s (section 8.11).
	Unsolicited time.Duration

	// MaxQueryInterval is the longest query interval believed of others, the
	// longest time they give for answers, and the longest that a switch believes
	// a router's hello: else a forged query can silence a querier, or hold a host
	// in an old mode, for days. Default one hour. The RFCs know no such limit.
	MaxQueryInterval time.Duration
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// normalize fills in defaults, rounds to what messages of generation g can say, and
// validates.
func (t *Timers) normalize(p *Profile, g Generation) error {
	setDefault(&t.Robustness, 2)
	setDefault(&t.QueryInterval, 125*time.Second)
	setDefault(&t.QueryResponse, 10*time.Second)
	setDefault(&t.LastMember, time.Second)
	setDefault(&t.Unsolicited, time.Second)
	setDefault(&t.MaxQueryInterval, time.Hour)
	switch {
	case t.Robustness < 1 || t.Robustness > 255 || t.StartupCount < 0 || t.StartupCount > 255 || t.LastMemberCount < 0 || t.LastMemberCount > 255:
		return fmt.Errorf("%w: robustness %d, startup count %d and last member count %d must be 1 to 255", ErrConfig, t.Robustness, t.StartupCount, t.LastMemberCount)
	case t.QueryInterval < time.Second || t.QueryInterval > 31744*time.Second:
		return fmt.Errorf("%w: query interval %v is not between 1s and 31744s (RFC 3376 section 4.1.7)", ErrConfig, t.QueryInterval)
	case t.QueryResponse < p.Tick || t.QueryResponse > t.QueryInterval:
		return fmt.Errorf("%w: query response interval %v is not between %v and the query interval %v (RFC 3376 section 8.3)", ErrConfig, t.QueryResponse, p.Tick, t.QueryInterval)
	case t.StartupInterval < 0 || t.LastMember < p.Tick || t.Unsolicited <= 0:
		return fmt.Errorf("%w: startup interval %v, last member interval %v and unsolicited report interval %v must be positive", ErrConfig, t.StartupInterval, t.LastMember, t.Unsolicited)
	case t.MaxQueryInterval < time.Second:
		return fmt.Errorf("%w: longest query interval %v is under 1s", ErrConfig, t.MaxQueryInterval)
	}
	t.QueryInterval = interval(t.QueryInterval)
	t.QueryResponse = p.maxResp(t.QueryResponse, g)
	t.LastMember = p.maxResp(t.LastMember, g)
	setDefault(&t.StartupInterval, t.QueryInterval/4)
	setDefault(&t.StartupCount, t.Robustness)
	return nil
}

// membership is the group membership interval (section 8.4; RFC 3810 section 9.4
// says multicast address listening interval), and the older host present interval
// too (section 8.13).
func (t *Timers) membership() time.Duration {
	return time.Duration(t.Robustness)*t.QueryInterval + t.QueryResponse
}

// otherQuerier is the other querier present interval (section 8.5).
func (t *Timers) otherQuerier() time.Duration {
	return time.Duration(t.Robustness)*t.QueryInterval + t.QueryResponse/2
}

// lastMemberCount follows the robustness in use, which may be the querier's.
func (t *Timers) lastMemberCount() int {
	if t.LastMemberCount > 0 {
		return t.LastMemberCount
	}
	return t.Robustness
}

// lastMemberTime is the last member query time (section 8.10).
func (t *Timers) lastMemberTime() time.Duration {
	return time.Duration(t.lastMemberCount()) * t.LastMember
}

// within draws a delay from (0, d].
func within(rng *rand.Rand, d time.Duration) time.Duration {
	if d <= 0 {
		return 1
	}
	return time.Duration(rng.Int64N(int64(d))) + 1
}

// A clock is the latest time an engine was told.
type clock struct{ now time.Time }

// set takes the time of a call; one that lies before an earlier call's counts as
// that.
func (c *clock) set(t time.Time) time.Time {
	if t.After(c.now) {
		c.now = t
	}
	return c.now
}

// earliest returns the earlier of two deadlines, where the zero time is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// due reports whether a deadline is set and has come.
func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }
