// Package pace holds a sender to a bit rate. A [Bucket] is a value inside an
// engine: it is handed the time, and its owner reports Next as one of its
// deadlines, so pacing works in virtual time exactly as on a socket.
package pace

import "time"

// DefaultDepth is how much sending time a bucket may save up: long enough to
// cover a late timer without losing rate, short enough that a burst at it still
// fits a default socket buffer.
const DefaultDepth = 4 * time.Millisecond

// A Bucket is a token bucket counted in time: each packet moves its clock on by
// the time it takes at the set rate, and sending is allowed while that clock is
// not ahead of the real one. The zero Bucket does not limit.
type Bucket struct {
	rate  int64 // bits per second; 0 is unlimited
	depth time.Duration
	clock time.Time // all before this is spent
}

// SetRate sets the rate in bits per second, 0 or less for no limit, and how much
// unused time may be saved up (0 means DefaultDepth).
func (b *Bucket) SetRate(bitsPerSecond int64, depth time.Duration) {
	b.rate = max(bitsPerSecond, 0)
	b.depth = depth
	if depth <= 0 {
		b.depth = DefaultDepth
	}
}

// Rate returns the set rate in bits per second; 0 is unlimited.
func (b *Bucket) Rate() int64 { return b.rate }

// Ready reports whether a packet may be sent at now.
func (b *Bucket) Ready(now time.Time) bool {
	return b.rate == 0 || !b.clock.After(now)
}

// Take spends the time that n bytes need. A single packet may overdraw the
// bucket; the next one then waits.
func (b *Bucket) Take(now time.Time, n int) {
	if b.rate == 0 {
		return
	}
	if floor := now.Add(-b.depth); b.clock.Before(floor) {
		b.clock = floor
	}
	b.clock = b.clock.Add(Duration(n, b.rate))
}

// Next returns when it is worth asking again: not as soon as one packet may
// leave but when half the depth has been saved up, so that a fast sender wakes
// up for batches. Zero means now.
func (b *Bucket) Next() time.Time {
	if b.rate == 0 || b.clock.IsZero() {
		return time.Time{}
	}
	return b.clock.Add(b.depth / 2)
}

// Duration returns how long n bytes take at a rate in bits per second above 0.
func Duration(n int, bitsPerSecond int64) time.Duration {
	return time.Duration(float64(n) * 8 / float64(bitsPerSecond) * float64(time.Second))
}
