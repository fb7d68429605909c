package igmp

import (
	"time"

	"github.com/gomulticast/multicast/internal/wire"
)

// respUnit is what Max Resp Code counts, in versions 2 and 3 (RFC 2236 section 2.2,
// RFC 3376 section 4.1.1).
const respUnit = time.Second / 10

// MaxResp1 is the response time that a version 1 query stands for, which has no
// field for it (RFC 2236 section 4).
const MaxResp1 = 10 * time.Second

// Largest values of the codes.
const (
	MaxResp2Max      = 255 * respUnit      // of version 2, 25.5 s
	MaxResp3Max      = 31744 * respUnit    // of version 3, about 53 min
	QueryIntervalMax = 31744 * time.Second // about 8.8 h
)

// MaxResp returns the time that a Max Resp Code of a query of a version allows for
// responses: plain tenths of a second in version 2, a floating-point number of them
// from code 128 on in version 3, and MaxResp1 in version 1, whatever the code.
func MaxResp(version, code uint8) time.Duration {
	switch {
	case version <= 1:
		return MaxResp1
	case version == 2:
		return time.Duration(code) * respUnit
	}
	return time.Duration(wire.Code8(code)) * respUnit
}

// MaxRespCode returns the Max Resp Code of a time in a query of a version. It
// rounds down, so that no one answers later than asked, but never to 0 from
// above: that asks for answers at once, and in 8 bytes makes a query one of version
// 1. Times of 0 or less give 0, times over the largest the largest. In version 1 it
// is 0.
func MaxRespCode(version uint8, d time.Duration) uint8 {
	switch {
	case version <= 1 || d <= 0:
		return 0
	case version == 2:
		return uint8(min(max(d/respUnit, 1), 255))
	}
	return wire.ToCode8(uint64(max(d/respUnit, 1)))
}

// QueryInterval returns the time of a Querier's Query Interval Code, which counts
// seconds, from code 128 on as a floating-point number (RFC 3376 section 4.1.7). 0
// means that the querier did not say: a router then takes its own default.
func QueryInterval(code uint8) time.Duration {
	return time.Duration(wire.Code8(code)) * time.Second
}

// QueryIntervalCode returns the Querier's Query Interval Code of a time. It rounds
// down, but never to 0 from above. Times of 0 or less give 0, times over the largest
// the largest.
func QueryIntervalCode(d time.Duration) uint8 {
	if d <= 0 {
		return 0
	}
	return wire.ToCode8(uint64(max(d/time.Second, 1)))
}
