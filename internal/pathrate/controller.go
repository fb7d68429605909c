package pathrate

import (
	"slices"
	"time"
)

// A Config holds a controller's settings. Zero fields take the default of their
// comment; rates are in bytes per second.
type Config struct {
	MinRate   float64 // default 125,000: 1 Mbit/s
	MaxRate   float64 // default none
	StartRate float64 // before anything is known; default 12,500,000: 100 Mbit/s
}

func (c *Config) normalize() {
	if c.MinRate <= 0 {
		c.MinRate = 125_000
	}
	if c.StartRate <= 0 {
		c.StartRate = 12_500_000
	}
	if c.MaxRate > 0 {
		c.MinRate = min(c.MinRate, c.MaxRate)
	}
}

// A Phase is what a controller is about.
type Phase uint8

const (
	Startup Phase = iota // going up fast until something gives
	Drain                // letting a queue run empty
	Cruise               // at what the paths carry
	Probe                // a little more, to see whether they carry it
	Ease                 // a little less, to see what is lost then
)

var phaseNames = [...]string{"startup", "drain", "cruise", "probe", "ease"}

// String returns the phase's name.
func (p Phase) String() string { return phaseNames[p] }

const (
	maxPaths     = 16
	cruiseRounds = 6
	probeGain    = 1.25
	easeGain     = 0.8
	drainGain    = 0.65
	maxProbeGain = 2.0

	// A sender that cannot reach the rate finds nothing by probing; to be held back now and
	// then costs it more than the round. It is done ever more seldom, up to so many doublings.
	maxDull = 3
	noLoss  = 0.002 // no more than this has nothing to show at a lower rate

	// What one bad round leaves of a capacity: a machine may have paused, and a
	// report may be forged. If it is true there will be another.
	maxCut      = 0.5
	maxCutQueue = 0.7
)

// A Controller sets a rate by the samples of all receivers. It is not for concurrent
// use; now must not go back.
type Controller struct {
	cfg   Config
	rate  float64
	paths []*path

	phase   Phase
	since   time.Time // of the phase
	rounds  int       // of it
	gain    float64   // of Probe
	before  float64   // capacity when Probe began
	best    float64   // in Startup
	stale   int       // rounds of Startup without growth
	dull    int       // probes of a short sender, one after the other
	lost    float64   // the usual loss when Ease began
	short   bool      // the sender has less to send, or less time to, than it may
	limit   *path     // the slowest
	heard   time.Time // last sample, or halving for want of it
	busy    bool
	hushed  bool          // the slowest receiver has not been heard for a while
	backlog time.Duration // the queue when Drain began
	why     string
}

// New returns a controller that begins with StartRate.
func New(cfg Config) *Controller {
	cfg.normalize()
	c := &Controller{cfg: cfg}
	c.set(cfg.StartRate)
	return c
}

func (c *Controller) set(rate float64) {
	rate = max(rate, c.cfg.MinRate)
	if c.cfg.MaxRate > 0 {
		rate = min(rate, c.cfg.MaxRate)
	}
	c.rate = rate
}

// Rate returns the rate to send at.
func (c *Controller) Rate() float64 { return c.rate }

// Short reports whether the sender does not reach the rate, and not because it only begins.
func (c *Controller) Short() bool { return c.short && c.phase != Startup }

// SetBounds changes the bounds of the rate, as in Config.
func (c *Controller) SetBounds(minRate, maxRate float64) {
	c.cfg.MinRate, c.cfg.MaxRate = minRate, maxRate
	c.cfg.normalize()
	c.set(c.rate)
}

// Interval returns the time between probes: several in a round.
func (c *Controller) Interval() time.Duration {
	if c.limit == nil {
		return minRound / 2
	}
	return min(max(c.limit.roundTime()/4, minRound/2), maxRound/4)
}

// Sample takes in what one receiver got.
func (c *Controller) Sample(now time.Time, s *Sample) {
	if s.Sent == 0 || !s.To.After(s.From) || s.RTT <= 0 || s.ReceivedIn < 0 {
		return
	}
	p := c.find(now, s.Node)
	if p == nil {
		return
	}
	c.heard = now
	if c.hushed {
		c.hushed = false
		c.apply()
	}
	p.steady = c.phase != Startup
	if c.since.IsZero() {
		c.since = s.From
	}
	if !p.add(now, s, c.since) {
		return
	}
	p.count++
	r := &p.round
	current := !r.From.Before(c.since)
	lossy := p.excess(r)
	carried := p.carried(r, lossy || r.Dropped > 0)
	short := r.sentRate() < 0.85*c.rate && current
	queue := p.queue() > p.allowed()
	if lossy && current && c.phase == Drain && !queue && r.Dropped == 0 && p.constant(r) {
		p.adopt(r)
		lossy = false
		carried = p.carried(r, false)
	}
	switch congested := lossy && !short || queue || r.Dropped > 0; {
	case congested:
		before := p.capacity()
		p.note(carried)
		if current && c.phase == Drain && (lossy || queue && p == c.limit && c.rounds > 0 && p.rtt > p.lastRTT+p.queue()/16) {
			// The path carries less than what was thought.
			p.forget(1)
			p.atLeast(maxCut * before)
			c.slowest(now)
			c.enter(now, Drain)
			return
		}
		if current && c.phase != Drain && p.count > 1 {
			switch {
			case r.Dropped > 0:
				c.why = "a receiver has no room"
			case lossy:
				c.why = "loss"
			default:
				c.why = "a queue"
			}
			p.badLoss, p.badRate = r.loss(), r.sentRate()
			c.dull = 0
			p.forget(recent)
			if lossy || r.Dropped > 0 {
				p.atLeast(maxCut * before)
			} else {
				p.atLeast(maxCutQueue * before)
			}
			c.slowest(now)
			c.enter(now, Drain)
			return
		}
	case short:
		if carried > p.capacity() || len(p.rates) == 0 {
			p.note(carried)
		}
	default:
		p.note(carried)
	}
	if current && !lossy && r.Dropped == 0 {
		p.learn(r)
	}
	c.slowest(now)
	if p == c.limit {
		c.step(now, p, current, short)
	}
}

// step goes on after a round of the slowest path.
func (c *Controller) step(now time.Time, p *path, current, short bool) {
	capacity := p.capacity()
	if current {
		c.rounds++
		c.short = short
	}
	switch c.phase {
	case Startup:
		if capacity > 1.2*c.best {
			c.best, c.stale = capacity, 0
		} else if current {
			c.stale++
		}
		if c.stale >= 3 {
			c.enter(now, Cruise)
			return
		}
	case Drain:
		if current && p.rtt-p.baseRTT() <= p.allowed()/2 {
			c.enter(now, Cruise)
			c.rounds = cruiseRounds - 2 // perhaps it was only a pause somewhere
			return
		}
		if current && c.rounds == 1 {
			c.backlog = max(c.backlog, p.queue()) // what was on its way is there
		}
		// At drainGain a queue is gone after three times its length.
		if c.rounds >= 4 && now.Sub(c.since) > 4*p.roundTime()+2*p.baseRTT()+4*c.backlog {
			switch q := p.queue(); {
			case q <= p.allowed():
			case q < c.backlog*7/8:
				c.enter(now, Drain) // it helps
				return
			default:
				p.rebase(now)
			}
			c.enter(now, Cruise)
			return
		}
	case Cruise:
		if c.rounds >= cruiseRounds<<min(c.dull, maxDull) {
			c.gain, c.before = probeGain, capacity
			c.enter(now, Probe)
			return
		}
	case Probe:
		if current && c.rounds > 0 {
			if capacity > 1.12*c.before && !short {
				c.gain, c.before = min(c.gain*probeGain, maxProbeGain), capacity
				c.dull = 0
				c.enter(now, Probe)
				return
			}
			if !short {
				c.dull = 0
			} else if c.dull++; p.usual < noLoss {
				c.enter(now, Cruise)
				return
			}
			c.lost = p.usual
			c.enter(now, Ease)
			return
		}
	case Ease:
		if c.rounds > 0 {
			if p.usual < c.lost-minExcess {
				c.dull = 0 // not all of it was the path's own
			}
			c.enter(now, Cruise)
			return
		}
	}
	c.apply()
}

func (c *Controller) enter(now time.Time, p Phase) {
	if p == Drain && c.limit != nil {
		c.backlog = c.limit.queue()
	}
	c.phase, c.since, c.rounds = p, now, 0
	c.apply()
}

// apply sets the rate of the phase.
func (c *Controller) apply() {
	if c.limit == nil || c.limit.capacity() == 0 {
		return
	}
	capacity := c.limit.capacity()
	switch c.phase {
	case Startup:
		gain := 3.0
		if c.limit.baseRTT() > 20*time.Millisecond {
			gain = 2
		}
		c.set(max(c.rate, gain*capacity))
	case Drain:
		c.set(drainGain * capacity)
	case Cruise:
		if c.short {
			capacity *= probeGain
		}
		c.set(capacity)
	case Probe:
		c.set(c.gain * capacity)
	case Ease:
		c.set(easeGain * capacity)
	}
}

// silence is how long a receiver may say nothing before it no longer counts.
func (p *path) silence() time.Duration { return max(minSilence, 10*p.roundTime(), 4*p.rtt, 8*p.gap) }

const minSilence = 500 * time.Millisecond

// hush is how long a receiver may say nothing before the rate goes down in case it gets
// nothing: its machine may be busy with something else, and its socket is full after
// milliseconds.
func (p *path) hush() time.Duration { return max(minHush, 8*p.gap, 4*p.rtt) }

const (
	minHush  = 30 * time.Millisecond
	hushGain = 0.25
)

// slowest finds the path that limits, of those heard of late.
func (c *Controller) slowest(now time.Time) {
	c.limit = nil
	for _, p := range c.paths {
		if (p.count > 1 || c.phase == Startup && p.count > 0) && now.Sub(p.heard) < p.silence() && p.capacity() > 0 && (c.limit == nil || p.capacity() < c.limit.capacity()) {
			c.limit = p
		}
	}
}

// find returns the record of a receiver, or a new one in place of one not heard for
// long; else in place of the fastest.
func (c *Controller) find(now time.Time, node uint32) *path {
	var out *path
	for _, p := range c.paths {
		if p.node == node {
			return p
		}
		if p != c.limit && (out == nil || p.capacity() > out.capacity()) {
			out = p
		}
	}
	for _, p := range c.paths {
		if now.Sub(p.heard) >= p.silence() {
			out = p
		}
	}
	p := &path{node: node, rates: make([]float64, 0, remembered)}
	if len(c.paths) < maxPaths {
		c.paths = append(c.paths, p)
		return p
	}
	*out = *p
	return out
}

// Advance lets the time pass; busy says that there is data, and so that receivers are
// probed often. When all of them fall silent the rate is halved, and again.
func (c *Controller) Advance(now time.Time, busy bool) {
	if !busy || c.heard.IsZero() {
		if c.busy = busy; !c.heard.IsZero() {
			c.heard = now
		}
		return
	}
	c.busy = true
	if c.limit != nil && now.Sub(c.limit.heard) >= c.limit.silence() {
		if c.slowest(now); c.limit != nil {
			c.apply()
		}
	}
	if c.limit != nil && !c.hushed && now.Sub(c.limit.heard) >= c.limit.hush() {
		c.hushed = true
		c.set(min(c.rate, hushGain*c.limit.capacity()))
	}
	if now.Sub(c.heard) >= c.patience() {
		c.why = "silence"
		c.heard = now
		c.set(c.rate / 2)
		c.phase, c.since, c.best, c.stale = Startup, now, 0, 0
	}
}

// patience is how long all receivers may be silent.
func (c *Controller) patience() time.Duration {
	if c.limit != nil {
		return c.limit.silence()
	}
	return minSilence
}

// Next returns when Advance has something to do; zero is never.
func (c *Controller) Next() time.Time {
	if !c.busy || c.heard.IsZero() || c.limit == nil && c.rate <= c.cfg.MinRate {
		return time.Time{}
	}
	next := c.heard.Add(c.patience())
	if p := c.limit; p != nil {
		quiet := p.silence()
		if !c.hushed {
			quiet = p.hush()
		}
		if t := p.heard.Add(quiet); t.Before(next) {
			return t
		}
	}
	return next
}

// Status tells why the rate is what it is.
type Status struct {
	Phase    Phase
	Rate     float64       // bytes per second
	Capacity float64       // of the slowest path, bytes per second
	Limiting uint32        // the receiver at its end; 0 is none
	Loss     float64       // that does not depend on the rate
	RTT      time.Duration // the shortest
	Queue    time.Duration // above that
	Short    bool          // the sender does not reach the rate
	Last     string        // why it last went down
}

// Status returns why the rate is what it is.
func (c *Controller) Status() Status {
	st := Status{Phase: c.phase, Rate: c.rate, Short: c.short, Last: c.why}
	if p := c.limit; p != nil {
		st.Capacity, st.Limiting, st.Loss, st.RTT, st.Queue = p.capacity(), p.node, p.usual, p.baseRTT(), max(p.queue(), 0)
	}
	return st
}

// Slowest appends the receivers worth asking, at most n, the slowest first.
func (c *Controller) Slowest(dst []uint32, n int) []uint32 {
	for len(dst) < n {
		var next *path
		for _, p := range c.paths {
			if !slices.Contains(dst, p.node) && (next == nil || p.capacity() < next.capacity()) {
				next = p
			}
		}
		if next == nil {
			break
		}
		dst = append(dst, next.node)
	}
	return dst
}
