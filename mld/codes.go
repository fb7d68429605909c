package mld

import (
	"time"

	"github.com/gomulticast/multicast/internal/wire"
)

// respUnit is what Maximum Response Code counts (RFC 2710 section 3.4, RFC 3810
// section 5.1.3).
const respUnit = time.Millisecond

// Largest values of the codes.
const (
	MaxResp1Max      = 65535 * respUnit    // of version 1, 65.5 s
	MaxResp2Max      = 8387584 * respUnit  // of version 2, about 2.3 h
	QueryIntervalMax = 31744 * time.Second // about 8.8 h
)

// MaxResp returns the Maximum Response Delay of the code in a query of a version:
// plain milliseconds in version 1, a floating-point number of them from code 32,768
// on in version 2.
func MaxResp(version uint8, code uint16) time.Duration {
	if version <= 1 {
		return time.Duration(code) * respUnit
	}
	return time.Duration(wire.Code16(code)) * respUnit
}

// MaxRespCode returns the Maximum Response Code of a time in a query of a version.
// It rounds down, so that no one answers later than asked, but never to 0 from
// above. Times of 0 or less give 0, times over the largest the largest.
func MaxRespCode(version uint8, d time.Duration) uint16 {
	switch {
	case d <= 0:
		return 0
	case version <= 1:
		return uint16(min(max(d/respUnit, 1), 0xffff))
	}
	return wire.ToCode16(uint64(max(d/respUnit, 1)))
}

// QueryInterval returns the time of a Querier's Query Interval Code, which counts
// seconds, from code 128 on as a floating-point number (RFC 3810 section 5.1.9). 0
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
