package tfmcc

import "time"

// A Config holds a sender's settings. Zero fields take the default of their comment.
type Config struct {
	// PacketSize is the nominal size of a packet in bytes, headers included.
	// Default 1,428.
	PacketSize int

	// MinRate and MaxRate bound the rate, in bytes per second. MinRate's
	// default is one packet a second (RFC 5740 section 5.5.2.3); MaxRate 0 is
	// no bound.
	MinRate, MaxRate float64

	// GRTT is the group's round-trip time until SetGRTT says more. Default
	// 0.5 s (RFC 5740 section 5.5.2.1).
	GRTT time.Duration

	// Robust is how many probes in a row the CLR may leave unanswered before
	// it counts as gone. Default 20.
	Robust int
}

func (c *Config) normalize() {
	if c.PacketSize <= 0 {
		c.PacketSize = 1428
	}
	if c.GRTT <= 0 {
		c.GRTT = 500 * time.Millisecond
	}
	if c.Robust <= 0 {
		c.Robust = 20
	}
	if c.MinRate <= 0 {
		c.MinRate = float64(c.PacketSize)
	}
	if c.MaxRate > 0 {
		c.MinRate = min(c.MinRate, c.MaxRate)
	}
}

// Feedback is one receiver's report as the sender hears it.
type Feedback struct {
	Node     uint32
	Sequence uint16 // of the newest probe it answers
	Rate     float64
	Loss     float64
	RTT      time.Duration // of this very message; 0 is unknown
	Told     time.Duration // the round-trip time that the receiver knows; 0 is none
	Start    bool
	Leave    bool // it is about to go
}

// maxNodes bounds the receivers a sender keeps in mind: those that say least.
// maxStrangers is how many of those may be unconfirmed.
const (
	maxNodes     = 32
	maxStrangers = 8
)

// A node is a receiver that may limit the rate. It counts once it has answered a
// probe that was sent after it had been heard: a single message, which may be forged
// by somebody who hears nothing of the session, changes nothing.
type node struct {
	id        uint32
	first     uint16 // newest probe when it was first heard
	confirmed bool
	sequence  uint16 // of the newest probe answered
	heard     time.Time
	rtt       time.Duration
	samples   int
	told      bool // it knows its round-trip time
	rate      float64
	loss      float64
	start     bool
}

// A Sender adjusts a sending rate to what receivers report. It is not for concurrent
// use; now must not go back.
type Sender struct {
	cfg  Config
	rate float64
	slow bool // slow start
	grtt time.Duration
	busy bool

	nodes []*node
	clr   *node
	since time.Time // the CLR is the CLR

	probe      uint16
	probes     bool
	raised     time.Time // when the rate was last raised
	held       time.Time // no raise before: the CLR has gone
	floor      float64   // what reports may lower the rate to in this round
	floorEnd   time.Time // of that round
	quiet      time.Time // last feedback of a confirmed receiver, or decay for want of it
	unanswered int       // probes since
	idle       time.Time // when the pause began, or the last decay in it
}

// NewSender returns a sender in slow start.
func NewSender(cfg Config) *Sender {
	cfg.normalize()
	s := &Sender{cfg: cfg, slow: true, grtt: cfg.GRTT}
	s.rate = s.clamp(s.initial())
	return s
}

// initial is the rate to begin with: up to four packets a round trip (RFC 3390, as
// RFC 5348 section 4.2 has it). RFC 5740 would begin with one packet a second, on
// which nothing can be measured.
func (s *Sender) initial() float64 {
	n := min(4*s.cfg.PacketSize, max(2*s.cfg.PacketSize, 4380))
	return float64(n) / s.grtt.Seconds()
}

func (s *Sender) clamp(rate float64) float64 {
	rate = max(rate, s.cfg.MinRate)
	if s.cfg.MaxRate > 0 {
		rate = min(rate, s.cfg.MaxRate)
	}
	return rate
}

// Rate returns the rate to send at, in bytes per second.
func (s *Sender) Rate() float64 { return s.rate }

// SetBounds changes the bounds of the rate, as in Config.
func (s *Sender) SetBounds(minRate, maxRate float64) {
	s.cfg.MinRate, s.cfg.MaxRate = minRate, maxRate
	s.cfg.normalize()
	s.rate = s.clamp(s.rate)
}

// SetGRTT takes in the group's round-trip time.
func (s *Sender) SetGRTT(grtt time.Duration) { s.grtt = max(grtt, 100*time.Microsecond) }

// SetPacketSize takes in the nominal size of packets, headers included.
func (s *Sender) SetPacketSize(n int) { s.cfg.PacketSize = max(n, 1) }

// rtt is the CLR's round-trip time or, without one, the group's.
func (s *Sender) rtt() time.Duration {
	if s.clr != nil && s.clr.rtt > 0 {
		return s.clr.rtt
	}
	return s.grtt
}

// SetBusy says whether there is data to send. In a break the rate wears off, down to
// what a sender begins with, and slow start follows (RFC 5740 section 5.5.2.3).
func (s *Sender) SetBusy(now time.Time, busy bool) {
	if s.busy != busy {
		s.busy, s.idle = busy, now
	}
}

// breakStep is how many round trips of a break halve the rate. RFC 5740 says each,
// RFC 4654 every ten; after some ten probes the group is not the one that was measured.
const breakStep = 4

// Advance lets the time pass.
func (s *Sender) Advance(now time.Time) {
	if !s.busy && !s.idle.IsZero() {
		start := s.clamp(s.initial())
		for step := breakStep * s.rtt(); s.rate > start && now.Sub(s.idle) >= step; s.idle = s.idle.Add(step) {
			if s.rate /= 2; s.rate <= start {
				s.rate, s.slow = start, true
			}
		}
	}
}

// Next returns when Advance has something to do; zero is never.
func (s *Sender) Next() time.Time {
	if s.busy || s.idle.IsZero() || s.rate <= s.clamp(s.initial()) {
		return time.Time{}
	}
	return s.idle.Add(breakStep * s.rtt())
}

// Probed notes that a probe was sent: reports grow older by one (RFC 5740 section
// 5.5.2.3).
func (s *Sender) Probed(now time.Time, sequence uint16) {
	s.probe, s.probes = sequence, true
	s.unanswered++
	keep := s.nodes[:0]
	for _, n := range s.nodes {
		// Strangers who do not answer when asked, and receivers that are gone.
		if age := s.age(n); n == s.clr || age <= s.cfg.Robust && (n.confirmed || age <= 4) {
			keep = append(keep, n)
		} else if n.confirmed && !s.alive(n) && now.Sub(n.heard) < 30*s.grtt {
			keep = append(keep, n)
		}
	}
	clear(s.nodes[len(keep):])
	s.nodes = keep
	if !s.busy {
		return
	}
	if s.clr == nil {
		if s.unanswered > 4 && now.Sub(s.quiet) >= 10*s.grtt && now.Sub(s.idle) >= 10*s.grtt {
			// Nobody speaks at all (RFC 4654 section 3.3).
			s.quiet = now
			s.rate, s.slow = s.clamp(s.rate/2), true
		}
		return
	}
	switch age := s.age(s.clr); {
	case age >= s.cfg.Robust:
		s.drop(now, s.clr)
	case age > 4 && now.Sub(s.since) > 10*s.rtt():
		s.rate = s.clamp(s.rate / 2)
	}
}

// age is how many probes ago a receiver was heard.
func (s *Sender) age(n *node) int { return int(int16(s.probe - n.sequence)) }

func (s *Sender) alive(n *node) bool { return s.age(n) < s.cfg.Robust }

// drop forgets a receiver. If it was the CLR the next one is chosen, and the rate is
// not raised for a round, so that slower ones can be heard (RFC 4654 section 3.3).
func (s *Sender) drop(now time.Time, gone *node) {
	for i, n := range s.nodes {
		if n == gone {
			s.nodes = append(s.nodes[:i], s.nodes[i+1:]...)
			break
		}
	}
	if s.clr != gone {
		return
	}
	s.clr = nil
	s.held = now.Add(4 * s.grtt)
	s.elect(now)
	if s.clr == nil {
		s.slow = true
	}
}

// elect makes the slowest receiver the CLR.
func (s *Sender) elect(now time.Time) {
	var best *node
	for _, n := range s.nodes {
		if n.confirmed && n.rate > 0 && (best == nil || s.slower(n, best)) {
			best = n
		}
	}
	if best != s.clr {
		s.clr, s.since = best, now
	}
}

// slower says which of two receivers limits more: the one with the lower rate or, if
// these are within a tenth, with the longer way (RFC 5740 section 5.5.2).
func (s *Sender) slower(a, b *node) bool {
	if a.rate < 0.9*b.rate || b.rate < 0.9*a.rate {
		return a.rate < b.rate
	}
	return a.rtt > b.rtt+b.rtt/10
}
