package core

import (
	"math"
	"math/rand/v2"
	"time"
)

// randomBackoff draws a delay up to maxTime from the truncated exponential
// distribution of RFC 5401 section 3.2.3, which lets a few receivers of a group of
// that size speak early and the others hear them.
func randomBackoff(rng *rand.Rand, maxTime time.Duration, groupSize float64) time.Duration {
	if maxTime <= 0 {
		return 0
	}
	lambda := math.Log(groupSize) + 1
	e := math.Exp(lambda) - 1
	// x is uniform on [lambda/(T*e), lambda/(T*e) + lambda/T]; T cancels out.
	u := rng.Float64() + 1/e
	return time.Duration(float64(maxTime) / lambda * math.Log(u*e))
}
