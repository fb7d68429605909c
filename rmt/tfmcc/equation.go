package tfmcc

import (
	"math"
	"time"
)

// Throughput returns the rate of a TCP connection in bytes per second by RFC 4654
// equation (1), for packets of size bytes, a round-trip time above 0 and a loss event
// rate p. It is infinite for p = 0; above 1 p counts as 1.
func Throughput(size int, rtt time.Duration, p float64) float64 {
	if !(p > 0) {
		return math.Inf(1)
	}
	p = min(p, 1)
	return float64(size) / (max(rtt, time.Microsecond).Seconds() * cost(p))
}

// cost is the denominator of the equation without the round-trip time.
func cost(p float64) float64 {
	return math.Sqrt(2*p/3) + 12*math.Sqrt(3*p/8)*p*(1+32*p*p)
}

// LossRate is the inverse of Throughput: the loss event rate, 1e-9 to 1, at which the
// equation gives a rate in bytes per second (RFC 5348 section 6.3.1), to within a
// tenth of a per cent.
func LossRate(size int, rtt time.Duration, rate float64) float64 {
	lo, hi := 1e-9, 1.0 // the rate falls as p rises
	for range 40 {
		p := math.Sqrt(lo * hi)
		if Throughput(size, rtt, p) > rate {
			lo = p
		} else {
			hi = p
		}
	}
	return math.Sqrt(lo * hi)
}
