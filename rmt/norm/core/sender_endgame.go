package core

import (
	"math"
	"time"
)

// Sizes of groups whose receivers are all known, and what is asked of them in the end
// game. So many may speak at once: no back-off protects a sender from a handful.
const (
	handful       = 8  // that at any time
	fewReceivers  = 32 // advertised back-off factor 0
	someReceivers = 64 // and 1
)

// An endgame shortens the repair cycle when hardly anything new is left to send and the
// group is known to be small: receivers then wait for repairs and for nothing else, and
// every cycle is felt. What receivers are told of it is a smaller back-off factor in the
// messages' headers (RFC 5740 section 4.1), which any of them understands.
//
// A group is known when a probe was answered and, in the time that answers may take,
// nobody spoke who had not been heard of before: receivers that the sender does not list
// in its probes are silenced only by one another (RFC 5740 section 5.5.2.2).
type endgame struct {
	running bool
	few     int // receivers, 0 while the group is not known

	round   time.Time // when the probe of this round was sent; zero is none
	quiet   int       // rounds since somebody new was heard
	answers bool      // somebody was in this round

	// The loss of the path, from what is asked for: symbols asked for first of so
	// many blocks.
	object *txObject
	upTo   uint32
	asked  float64
	blocks float64
}

// probed notes that a probe is being sent.
func (e *endgame) probed(now time.Time) {
	if e.round.IsZero() {
		e.round, e.answers = now, false
	}
}

// heard takes in who spoke.
func (e *endgame) heard(fresh bool) {
	if e.answers = true; fresh {
		e.round, e.quiet, e.few = time.Time{}, 0, 0
	}
}

// quietRounds is how many rounds without anyone new make a group known.
func (e *endgame) quietRounds(s *Sender) int {
	if s.cfg.GroupSize >= suppressGroup {
		return 4 // it was said to be large
	}
	return 1
}

func (e *endgame) advance(s *Sender, now time.Time) {
	if !e.round.IsZero() && now.Sub(e.round) >= time.Duration(max(s.cfg.Backoff, 4)+1)*s.grtt.advertised() {
		if e.round = (time.Time{}); e.answers {
			e.quiet++
		}
		if n := len(s.nodes.order); s.grtt.measured && e.quiet >= e.quietRounds(s) && n <= someReceivers {
			e.few = n
		}
	}
	e.running = e.few > 0 && s.left(time.Duration(2*s.cfg.Backoff+3)*s.grtt.advertised())
}

// left reports whether what is new takes no longer than d to send. The end of a stream is
// not known before it has come.
func (s *Sender) left(d time.Duration) bool {
	switch n := len(s.objects) - s.fresh; {
	case len(s.objects) == 0 || n > 1 || len(s.rounds) > 0:
		return false
	case n == 0:
		return true
	}
	o := s.objects[s.fresh]
	if o.stream != nil {
		return false
	}
	rate := float64(s.bucket.Rate())
	if rate <= 0 {
		rate = 1e9
	}
	return float64(o.spec.Size-o.progress())*8 <= d.Seconds()*rate
}

// backoff is K as it is advertised.
func (s *Sender) backoff() int {
	switch e := &s.endgame; {
	case e.brisk():
		return 0
	case e.running:
		return min(s.cfg.Backoff, 1)
	}
	return s.cfg.Backoff
}

// brisk reports whether nobody backs off.
func (e *endgame) brisk() bool {
	return e.few > 0 && (e.few <= handful || e.running && e.few <= fewReceivers)
}

// aggregation is how long requests are collected (RFC 5740 section 5.4.1): until the last
// receiver may have spoken about what the first one speaks of.
func (s *Sender) aggregation() time.Duration {
	grtt := s.grtt.advertised()
	if !s.endgame.brisk() {
		return time.Duration(s.backoff()+1) * grtt
	}
	if len(s.nodes.order) == 1 {
		return 0
	}
	// Nobody waits: the differences of the paths are all there is.
	lo, hi := grtt, time.Duration(0)
	for _, n := range s.nodes.order {
		if n.rtt == 0 {
			return grtt
		}
		lo, hi = min(lo, n.rtt), max(hi, n.rtt)
	}
	return min(max(hi-lo, 0)+grtt/8, grtt)
}

// holdoff is how long after it has acted the sender takes requests for things of the past.
func (s *Sender) holdoff() time.Duration {
	if s.endgame.brisk() && len(s.nodes.order) == 1 {
		return 0 // the only receiver has its own hold-off
	}
	return s.grtt.advertised()
}

// repeatFlush is the time from the nth FLUSH or watermark of a series to the next. In the
// end game the first ones follow each other closely: one that is lost costs its whole
// interval.
func (s *Sender) repeatFlush(n int) time.Duration {
	d := s.flushInterval()
	if s.endgame.running && n < 10 {
		d = min(d, max(s.grtt.advertised()/2, time.Millisecond)<<n)
	}
	return d
}

// note takes in the first request for symbols of a block.
func (e *endgame) note(o *txObject, sbn uint32, count int) {
	if e.object != o {
		e.object, e.upTo = o, 0
	}
	e.asked += float64(count)
	if sbn >= e.upTo {
		e.blocks += float64(sbn - e.upTo + 1)
		e.upTo = sbn + 1
	}
	if e.blocks > 1024 {
		e.asked, e.blocks = e.asked/2, e.blocks/2
	}
}

// over takes account of the blocks of an object that nobody asked for.
func (e *endgame) over(o *txObject) {
	if o.stream != nil {
		return
	}
	if e.object != o {
		e.object, e.upTo = o, 0
	}
	if n := o.part.Blocks(); uint64(e.upTo) < n {
		e.blocks += float64(n - uint64(e.upTo))
	}
	e.object = nil
}

// unasked is how many parity symbols go with a block of the first pass. To the last ones,
// of which requests would come when there is nothing left to send, as many are added as
// most blocks needed until now.
func (s *Sender) unasked(o *txObject) int {
	e := &s.endgame
	if !e.running || e.blocks == 0 || o.stream != nil || !s.left(2*s.grtt.advertised()) {
		return s.cfg.AutoParity
	}
	mean := e.asked / e.blocks
	n := int(math.Ceil(mean + 1.5*math.Sqrt(mean)))
	return max(s.cfg.AutoParity, min(n, s.cfg.Parity))
}
