package flow

import "time"

// A Delay sums up how long packets were on the way, from the sender's clock to the
// receiver's. If the two clocks disagree, all of it but Jitter is off by as much.
type Delay struct {
	Count    uint64
	Min, Max time.Duration
	// Jitter is the smoothed difference between the delays of packets that
	// follow each other (RFC 3550 section 6.4.1).
	Jitter time.Duration

	sum  time.Duration
	last time.Duration
}

// Mean returns the average, 0 before the first packet.
func (d *Delay) Mean() time.Duration {
	if d.Count == 0 {
		return 0
	}
	return d.sum / time.Duration(d.Count)
}

// add counts one packet.
func (d *Delay) add(v time.Duration) {
	if d.Count == 0 || v < d.Min {
		d.Min = v
	}
	if d.Count == 0 || v > d.Max {
		d.Max = v
	}
	if d.Count > 0 {
		d.jitter(v - d.last)
	}
	d.Count++
	d.sum += v
	d.last = v
}

func (d *Delay) jitter(diff time.Duration) {
	if diff < 0 {
		diff = -diff
	}
	d.Jitter += (diff - d.Jitter) / 16
}
