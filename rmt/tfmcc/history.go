package tfmcc

import "time"

// historyLen is n, the number of loss intervals averaged (RFC 4654 section 5.4).
const historyLen = 8

var weights = [historyLen]float64{1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2}

// minDiscount is the threshold of history discounting (RFC 4654 section 5.5).
const minDiscount = 0.5

// A history is a receiver's record of loss events: I_1 to I_8 with their discounts,
// the newest first, and where the event began that I_0 runs from (RFC 4654 sections
// 5.2 to 5.6).
type history struct {
	n         int // closed intervals known; 0 before the first loss event
	intervals [historyLen]float64
	discounts [historyLen]float64
	synthetic int // place of the interval made up for the first event; -1 when gone
	start     uint64
	startAt   time.Time
}

// lose takes in one lost or marked packet. first is the interval to begin with.
func (h *history) lose(seq uint64, at time.Time, rtt time.Duration, first func() float64) {
	if h.n == 0 {
		h.n, h.intervals[0], h.discounts[0], h.synthetic = 1, max(first(), 1), 1, 0
		h.start, h.startAt = seq, at
		return
	}
	if seq <= h.start || !at.After(h.startAt.Add(rtt)) {
		return // of the same event
	}
	length := float64(seq - h.start)
	d := h.discount(length)
	for i := range h.n {
		h.discounts[i] *= d
	}
	copy(h.intervals[1:], h.intervals[:historyLen-1])
	copy(h.discounts[1:], h.discounts[:historyLen-1])
	h.intervals[0], h.discounts[0] = length, 1
	h.n = min(h.n+1, historyLen)
	if h.synthetic >= 0 {
		if h.synthetic++; h.synthetic >= historyLen {
			h.synthetic = -1
		}
	}
	h.start, h.startAt = seq, at
}

// discount is the general discount factor for an open interval of that length.
func (h *history) discount(open float64) float64 {
	var sum, w float64
	for i := range h.n {
		sum += h.intervals[i] * weights[i] * h.discounts[i]
		w += weights[i] * h.discounts[i]
	}
	if mean := sum / w; open > 2*mean {
		return max(2*mean/open, minDiscount)
	}
	return 1
}

// lossRate returns the loss event rate, 0 before the first event.
func (h *history) lossRate(newest uint64) float64 {
	if h.n == 0 {
		return 0
	}
	open := float64(newest - min(h.start, newest))
	d := h.discount(open)
	i0, w0 := open*weights[0], weights[0]
	var i1, w1 float64
	for i := range h.n {
		if i+1 < historyLen {
			i0 += h.intervals[i] * weights[i+1] * h.discounts[i] * d
			w0 += weights[i+1] * h.discounts[i] * d
		}
		i1 += h.intervals[i] * weights[i] * h.discounts[i]
		w1 += weights[i] * h.discounts[i]
	}
	return min(w0/max(i0, 1e-9), w1/i1, 1)
}

// rescale corrects the made-up interval when the round-trip time it was made with
// turns out to be another (RFC 4654 section 5.6).
func (h *history) rescale(assumed, measured time.Duration) {
	if h.n > 0 && h.synthetic >= 0 && assumed > 0 {
		f := float64(measured) / float64(assumed)
		h.intervals[h.synthetic] = max(h.intervals[h.synthetic]*f*f, 1)
	}
}
