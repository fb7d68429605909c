package wire

import (
	"math"
	"slices"
	"time"
)

// Bounds of a quantised round-trip time (RFC 5401 section 3.7.4).
const (
	RTTMin = time.Microsecond
	RTTMax = 1000 * time.Second
)

// rttOf holds the round-trip times of all codes: linear up to code 31, then
// logarithmic (RFC 5401 section 3.7.4), cut to nanoseconds. Between the codes of
// the logarithmic part are 8 per cent.
var rttOf = func() (t [256]time.Duration) {
	for q := range t {
		if q <= 31 {
			t[q] = time.Duration(q+1) * RTTMin
		} else {
			t[q] = time.Duration(float64(RTTMax) / math.Exp(float64(255-q)/13))
		}
	}
	return t
}()

// QuantizeGRTT returns the code of a round-trip time, in the grtt and cc_rtt
// fields (RFC 5401 section 3.7.4). From 33 microseconds it rounds up, below that
// down.
func QuantizeGRTT(d time.Duration) uint8 {
	d = min(max(d, RTTMin), RTTMax)
	if d < 33*RTTMin {
		return uint8(d/RTTMin) - 1
	}
	// The same as ceil(255 - 13*ln(RTTMax/d)), without its rounding errors.
	q, _ := slices.BinarySearch(rttOf[:], d)
	return uint8(min(q, 255))
}

// GRTT returns the round-trip time of a code, RTTMin to RTTMax.
func GRTT(code uint8) time.Duration { return rttOf[code] }

// QuantizeGroupSize returns the code of a group size, in the gsize field, 0 to 15
// (RFC 5740 section 4.2.1). It rounds up, which errs on the side of less feedback.
func QuantizeGroupSize(n int) uint8 {
	for code := range uint8(8) {
		if n <= GroupSize(code) {
			return code
		}
		if n <= GroupSize(code|8) {
			return code | 8
		}
	}
	return 15
}

// GroupSize returns the group size of a code: 1 or 5 times a power of ten, 10 to
// 500,000,000 (RFC 5740 section 4.2.1). Only the low 4 bits of code count.
func GroupSize(code uint8) int {
	n := 10
	for range code & 7 {
		n *= 10
	}
	if code&8 != 0 {
		n *= 5
	}
	return n
}

var pow10 = [16]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// QuantizeRate returns the code of a rate in bytes per second, in the send_rate
// and cc_rate fields: 12 bits of mantissa, 4096 for 10, over 4 bits of decimal
// exponent (RFC 5740 section 4.2.3.4). It rounds to the nearest, and a positive
// rate never to 0, which means no rate. The formula of the RFC overflows for
// mantissas from 9.9988; here they become the largest.
func QuantizeRate(bytesPerSecond float64) uint16 {
	if !(bytesPerSecond > 0) { // or not a number
		return 0
	}
	e := 0
	for e < 15 && bytesPerSecond >= pow10[e+1] {
		e++
	}
	m := float64(bytesPerSecond/pow10[e]*(4096.0/10)) + 0.5
	return uint16(min(max(m, 1), 4095))<<4 | uint16(e)
}

// Rate returns the rate of a code in bytes per second, 0 to 9.998e15.
func Rate(code uint16) float64 {
	return float64(code>>4) * (10.0 / 4096) * pow10[code&0x0f]
}

// QuantizeLoss returns the code of a loss fraction from 0 to 1, in the cc_loss
// field (RFC 5740 section 4.2.3.5). It rounds down.
func QuantizeLoss(fraction float64) uint16 {
	if !(fraction > 0) { // or not a number
		return 0
	}
	// The small term lets codes survive the rounding in Loss.
	return uint16(float64(min(fraction, 1)*65535) + 1e-6)
}

// Loss returns the loss fraction of a code.
func Loss(code uint16) float64 { return float64(code) / 65535 }
