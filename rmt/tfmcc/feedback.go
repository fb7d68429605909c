package tfmcc

import (
	"math"
	"time"
)

// Feedback takes in one receiver's report and adjusts the rate. Reports without a
// rate, and answers to probes of long ago, are ignored.
func (s *Sender) Feedback(now time.Time, f *Feedback) {
	if !s.probes || !(f.Rate > 0) || math.IsInf(f.Rate, 0) || f.Loss < 0 || f.Loss > 1 {
		return
	}
	if age := int(int16(s.probe - f.Sequence)); age < 0 || age > 2*s.cfg.Robust {
		return
	}
	n := s.find(now, f)
	if n == nil {
		return
	}
	if int16(f.Sequence-n.sequence) < 0 {
		return // overtaken by a later one
	}
	n.sequence, n.heard = f.Sequence, now
	n.confirmed = n.confirmed || int16(f.Sequence-n.first) > 0
	s.measure(n, f)
	n.start, n.loss, n.told = f.Start, f.Loss, f.Told > 0
	n.rate = s.rateOf(n, f)
	if !n.confirmed {
		return
	}
	s.quiet, s.unanswered = now, 0
	switch {
	case f.Leave:
		s.drop(now, n)
	case s.slow && f.Start:
		s.slowStart(now, n)
	default:
		s.steady(now, n)
	}
}

// find returns the record of a receiver, or makes one in the place of one that
// matters less.
func (s *Sender) find(now time.Time, f *Feedback) *node {
	strangers := 0
	for _, n := range s.nodes {
		if n.id == f.Node {
			return n
		}
		if !n.confirmed {
			strangers++
		}
	}
	if f.Leave {
		return nil
	}
	var out int
	switch {
	case strangers >= maxStrangers:
		// Oldest first: the one that had its chance to answer.
		if out = s.worst(func(n *node) bool { return !n.confirmed }, func(a, b *node) bool { return s.age(a) > s.age(b) || s.age(a) == s.age(b) && a.rate > b.rate }); s.age(s.nodes[out]) < 1 && s.nodes[out].rate <= f.Rate {
			return nil
		}
	case len(s.nodes) >= maxNodes:
		out = s.worst(func(n *node) bool { return n != s.clr }, func(a, b *node) bool { return a.rate > b.rate })
		if s.nodes[out].confirmed && s.nodes[out].rate <= f.Rate {
			return nil
		}
	default:
		out = len(s.nodes)
		s.nodes = append(s.nodes, nil)
	}
	n := &node{id: f.Node, first: s.probe, sequence: f.Sequence, heard: now}
	s.nodes[out] = n
	return n
}

func (s *Sender) worst(among func(*node) bool, worse func(a, b *node) bool) int {
	out := -1
	for i, n := range s.nodes {
		if among(n) && (out < 0 || worse(n, s.nodes[out])) {
			out = i
		}
	}
	return out
}

// measure smooths the round-trip time: much for the CLR, which is heard often, little
// for others (RFC 5740 section 5.5.2.3).
func (s *Sender) measure(n *node, f *Feedback) {
	if f.RTT <= 0 {
		return
	}
	switch n.samples++; {
	case n.samples == 1 && f.Told <= 0, n.rtt == 0:
		n.rtt = f.RTT
		if f.Told > 0 {
			n.rtt = (f.RTT + f.Told) / 2
		}
	case n == s.clr:
		n.rtt = n.rtt*9/10 + f.RTT/10
	default:
		n.rtt = (n.rtt + f.RTT) / 2
	}
	n.rtt = max(n.rtt, time.Microsecond)
}

// rateOf is what a receiver's report amounts to. One that does not know its
// round-trip time has reckoned with the group's.
func (s *Sender) rateOf(n *node, f *Feedback) float64 {
	switch {
	case f.Start || n.rtt == 0:
		return f.Rate
	case f.Loss > 0:
		return Throughput(s.cfg.PacketSize, n.rtt, f.Loss)
	case f.Told == 0:
		return f.Rate * s.grtt.Seconds() / n.rtt.Seconds()
	}
	return f.Rate
}

// slowStart follows the least of what receivers get, twice that, at most doubling in a
// round trip.
func (s *Sender) slowStart(now time.Time, n *node) {
	if s.clr == nil || n != s.clr && n.rate < s.clr.rate {
		s.clr, s.since = n, now
	}
	if n != s.clr {
		return
	}
	target := max(s.clr.rate, s.initial())
	switch {
	case target < s.rate:
		// Less than is sent comes through, or there was not enough to send.
		if s.busy && now.Sub(s.idle) > 4*s.grtt {
			s.lower(now, target)
		}
	case now.Sub(s.raised) >= s.grtt && !now.Before(s.held):
		s.rate = s.clamp(min(target, 2*s.rate))
		s.raised = now
	}
}

// steady follows the CLR: down at once, up by one packet a round trip (RFC 5740
// section 5.5.2.3).
func (s *Sender) steady(now time.Time, n *node) {
	if s.slow {
		// The first loss ends slow start. Its receiver says what to do, the
		// others only what they said before.
		s.slow, s.raised = false, now
		s.clr, s.since = n, now
	}
	if s.clr == nil || n != s.clr && (n.rate < min(s.rate, s.clr.rate) || s.slower(n, s.clr) && n.rate < s.rate) {
		s.clr, s.since = n, now
	}
	if n != s.clr {
		return
	}
	// The CLR itself may have become faster than another.
	if s.elect(now); s.clr != n {
		n = s.clr
	}
	if n.start && s.allStart() {
		s.slow = true
		s.slowStart(now, n)
		return
	}
	if n.rate <= s.rate {
		s.lower(now, n.rate)
		s.raised = now
		return
	}
	if now.Before(s.held) {
		return
	}
	rtt := max(s.rtt(), time.Millisecond)
	trips := min(now.Sub(s.raised).Seconds()/rtt.Seconds(), 4)
	s.raised = now
	s.rate = s.clamp(min(n.rate, s.rate+trips*float64(s.cfg.PacketSize)/rtt.Seconds()))
}

// allStart reports whether no receiver known has seen a loss.
func (s *Sender) allStart() bool {
	for _, n := range s.nodes {
		if n.confirmed && !n.start && s.alive(n) {
			return false
		}
	}
	return true
}

// lower takes the rate down, to no less than a quarter in one round trip: whoever
// forges a report cannot stop the session with one message.
func (s *Sender) lower(now time.Time, to float64) {
	if !now.Before(s.floorEnd) {
		s.floor, s.floorEnd = s.rate/4, now.Add(s.rtt())
	}
	s.rate = min(s.rate, s.clamp(max(to, s.floor)))
}
