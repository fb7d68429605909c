package tfmcc

import (
	"math"
	"time"
)

// A Report is what a receiver tells the sender of its path (RFC 5740 section
// 4.2.3.5).
type Report struct {
	// Rate is in bytes per second: what the equation allows or, while Start,
	// twice what arrives. It is 0 when nothing was measured yet.
	Rate float64
	// Loss is the loss event rate, 0 to 1; 0 while Start.
	Loss float64
	// RTT is the round-trip time if it was measured, else 0.
	RTT time.Duration
	// Start says that no loss event was seen.
	Start bool
}

// A Receiver measures the path from one sender. The zero Receiver is not ready; see
// NewReceiver. It does not allocate and is not for concurrent use.
type Receiver struct {
	overhead int
	seq      sequence
	loss     history

	assumed  time.Duration // the group's round-trip time
	measured time.Duration // this receiver's own, 0 before it is known

	size    float64 // mean packet, EWMA, in bytes
	since   time.Time
	bytes   int
	packets int
	rate    float64 // received, bytes per second
	best    float64 // the most of it
	last    time.Time
	lost    uint64 // packets

	judge func(*hole) // a method value, made once
	guess func() float64
}

// NewReceiver returns a receiver that counts overhead bytes of headers with each
// packet, 28 for IPv4 and UDP.
func NewReceiver(overhead int) *Receiver {
	r := &Receiver{overhead: overhead, loss: history{synthetic: -1}}
	r.judge, r.guess = r.lose, r.firstInterval
	return r
}

// rtt is the best guess at the round-trip time.
func (r *Receiver) rtt() time.Duration {
	if r.measured > 0 {
		return r.measured
	}
	return max(r.assumed, time.Microsecond)
}

// silence is how long no packet may come before the past says nothing about the
// path any more (RFC 4654 section 4.3.1).
func (r *Receiver) silence() time.Duration { return max(10*r.rtt(), 2*time.Second) }

// Packet takes in the arrival of one packet of size bytes: its number, which counts
// all of the sender's messages, and whether the network has marked it (ECN CE), which
// counts as a loss. It reports whether it is news and not a copy.
func (r *Receiver) Packet(now time.Time, seq uint16, size int, marked bool) (fresh bool) {
	size += r.overhead
	if r.seq.started && now.Sub(r.last) > r.silence() {
		r.forget()
	}
	r.last = now
	n, fresh := r.seq.take(now, seq, r.judge)
	if r.size == 0 {
		r.size = float64(size)
	} else if size > int(r.size)/4 { // control messages are not what counts
		r.size += (float64(size) - r.size) / 16
	}
	r.count(now, size)
	if marked && fresh {
		r.loss.lose(n, now, r.rtt(), r.guess)
	}
	return fresh
}

// forget clears what was measured before a long silence. The next loss begins a new
// history from the rate at which packets then arrive.
func (r *Receiver) forget() {
	r.seq = sequence{}
	r.loss = history{synthetic: -1}
	r.rate, r.best, r.bytes, r.packets, r.since = 0, 0, 0, 0, time.Time{}
}

// count measures the rate over two round trips, longer while packets are few (RFC
// 4654 section 4.3.4).
func (r *Receiver) count(now time.Time, size int) {
	if r.since.IsZero() {
		r.since = now // what comes from now on
		return
	}
	r.bytes += size
	r.packets++
	window, dt := r.window(), now.Sub(r.since)
	if dt < window || r.packets < 4 && dt < 4*window {
		return
	}
	r.rate = float64(r.bytes) / dt.Seconds()
	r.best = max(r.best, r.rate)
	r.since, r.bytes, r.packets = now, 0, 0
}

func (r *Receiver) window() time.Duration {
	return min(max(2*r.rtt(), 10*time.Millisecond), time.Second)
}

// lose takes in a hole that will not be filled: one loss event for each round trip
// that it spans.
func (r *Receiver) lose(h *hole) {
	n := h.to - h.from + 1
	r.lost += n
	step := h.after.Sub(h.before) / time.Duration(n+1)
	rtt := r.rtt()
	at := func(i uint64) time.Time { return h.before.Add(time.Duration(i+1) * step) }
	i := uint64(0)
	var each uint64 // packets to the next event
	if step > 0 {
		each = uint64(rtt/step) + 1
		// Only the newest events are remembered.
		if all := n / each; all > 2*historyLen {
			i = (all - 2*historyLen) * each
		}
	}
	for ; i < n; i += each {
		if r.loss.lose(h.from+i, at(i), rtt, r.guess); each == 0 {
			return
		}
	}
}

// firstInterval is the loss interval that the equation needs for the rate received so
// far (RFC 5348 section 6.3.1).
func (r *Receiver) firstInterval() float64 {
	size, rtt := r.packetSize(), r.rtt()
	target := max(r.best, 0.5*float64(size)/rtt.Seconds())
	return 1 / LossRate(size, rtt, target)
}

func (r *Receiver) packetSize() int { return max(int(math.Round(r.size)), 1) }

// Assume sets the group's round-trip time, which counts until this receiver's own is
// known.
func (r *Receiver) Assume(grtt time.Duration) { r.assumed = grtt }

// SetRTT takes in this receiver's round-trip time, as the sender has measured and
// smoothed it.
func (r *Receiver) SetRTT(rtt time.Duration) {
	if rtt <= 0 {
		return
	}
	if r.measured == 0 {
		r.loss.rescale(r.assumed, rtt)
	}
	r.measured = rtt
}

// Announce takes in the sender's own word for its rate, in bytes per second, which
// stands until a rate was measured (RFC 5740 section 5.5.2.1).
func (r *Receiver) Announce(rate float64) {
	if r.rate == 0 {
		r.rate = rate
	}
}

// Lost returns the number of packets taken for lost.
func (r *Receiver) Lost() uint64 { return r.lost }

// Received returns the rate at which packets arrive, in bytes per second.
func (r *Receiver) Received() float64 { return r.rate }

// Report returns what to tell the sender.
func (r *Receiver) Report() Report {
	rep := Report{RTT: r.measured, Loss: r.loss.lossRate(r.seq.newest)}
	if rep.Loss == 0 {
		rep.Start, rep.Rate = true, 2*r.rate
		return rep
	}
	rep.Rate = Throughput(r.packetSize(), r.rtt(), rep.Loss)
	return rep
}
