package tfmcc

import (
	"fmt"
	"time"
)

// A Phase is what determines the rate at present.
type Phase uint8

const (
	// NoFeedback: no receiver has answered, or all have fallen silent.
	NoFeedback Phase = iota
	// SlowStart: nobody has lost anything; the rate doubles.
	SlowStart
	// Limited: the limiting receiver's loss and round-trip time decide.
	Limited
	// Raising: that receiver allows more, and the rate is on its way there.
	Raising
	// AtFloor and AtCeiling: the bounds of the configuration do.
	AtFloor
	AtCeiling
	// Idle: there is nothing to send.
	Idle
)

var phaseNames = [...]string{"no feedback", "slow start", "limited by a receiver", "raising", "at the floor", "at the ceiling", "idle"}

// String returns the phase in words.
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return fmt.Sprintf("Phase(%d)", uint8(p))
}

// A Status tells why the rate is what it is. Rates are in bits per second.
type Status struct {
	Phase    Phase
	Rate     int64
	Floor    int64
	Ceiling  int64         // 0 is none
	Limiting uint32        // the CLR; 0 is none
	Loss     float64       // its loss event rate, 0 to 1
	RTT      time.Duration // its round-trip time
	Allowed  int64         // what it reports: of the equation or, in slow start, twice what it gets
	Unheard  int           // probes it has left unanswered
	Nodes    int           // receivers kept in mind
}

// Status returns why the rate is what it is.
func (s *Sender) Status() Status {
	st := Status{
		Rate: bits(s.rate), Floor: bits(s.cfg.MinRate), Ceiling: bits(s.cfg.MaxRate), Nodes: len(s.nodes),
	}
	if c := s.clr; c != nil {
		st.Limiting, st.Loss, st.RTT, st.Allowed, st.Unheard = c.id, c.loss, c.rtt, bits(c.rate), s.age(c)
	}
	switch {
	case !s.busy:
		st.Phase = Idle
	case s.cfg.MaxRate > 0 && s.rate >= s.cfg.MaxRate:
		st.Phase = AtCeiling
	case s.rate <= s.cfg.MinRate:
		st.Phase = AtFloor
	case s.clr == nil:
		st.Phase = NoFeedback
	case s.slow:
		st.Phase = SlowStart
	case s.clr.rate > 1.05*s.rate:
		st.Phase = Raising
	default:
		st.Phase = Limited
	}
	return st
}

func bits(bytesPerSecond float64) int64 { return int64(min(bytesPerSecond*8, 1<<62)) }

// String says it in a sentence.
func (s Status) String() string {
	if s.Limiting == 0 {
		return fmt.Sprintf("%d bit/s: %v", s.Rate, s.Phase)
	}
	return fmt.Sprintf("%d bit/s: %v; receiver %d, %.3g %% loss events at %v, allows %d bit/s", s.Rate, s.Phase, s.Limiting, s.Loss*100, s.RTT, s.Allowed)
}
