package pathrate

import (
	"math"
	"time"
)

// A Sample is what became of the packets sent between two probes at one receiver.
type Sample struct {
	Node       uint32
	From, To   time.Time     // when the probes were sent
	Sent       uint64        // packets, the second probe included
	SentBytes  uint64        // with headers
	Received   uint64        // packets of those
	ReceivedIn time.Duration // between the probes' arrivals, by the receiver's clock
	Dropped    uint64        // packets the receiver itself had no room for meanwhile
	RTT        time.Duration // of the second probe
}

const (
	recent     = 3 // rounds whose best counts after congestion
	remembered = 8 // rounds whose best is the capacity otherwise

	minRound   = 8 * time.Millisecond
	maxRound   = 60 * time.Millisecond
	fewPackets = 48  // less says nothing
	lossyRound = 200 // packets for a round when many are lost

	rttMemory = 10 * time.Second // how long the shortest round trip is remembered
	minQueue  = 8 * time.Millisecond
	maxQueue  = 20 * time.Millisecond

	socketRoom = 2 << 20 // bytes

	minExcess  = 0.02   // loss above the usual that may be taken for congestion
	maxUsual   = 0.45   // loss that may be usual
	lossMemory = 2000.0 // packets
)

// A path is what is known of the way to one receiver.
type path struct {
	node   uint32
	heard  time.Time
	gap    time.Duration // between reports, smoothed
	count  int           // rounds measured
	steady bool          // rounds are long enough to tell one loss from another

	// The round being added up.
	round   Sample
	rtt     time.Duration // the shortest in it
	lastRTT time.Duration // the shortest in the round before

	// The shortest round trip of this and of the last period of rttMemory.
	base, formerBase time.Duration
	baseSince        time.Time

	rates []float64 // carried, of the last rounds, the newest last

	usual float64 // the loss that does not depend on the rate
	known float64 // packets it was learned from

	// The round for which the rate was last lowered.
	badLoss, badRate float64
}

// add takes in a sample and reports whether a round is complete, which is then in
// p.round until the next call.
func (p *path) add(now time.Time, s *Sample, phase time.Time) bool {
	if !p.heard.IsZero() {
		p.gap += (min(now.Sub(p.heard), time.Second) - p.gap) / 4
	}
	p.heard = now
	p.shortest(now, s.RTT)
	r := &p.round
	if r.To.IsZero() || r.complete(p) || r.From.Before(phase) && !s.From.Before(phase) {
		*r = *s
		p.lastRTT, p.rtt = p.rtt, s.RTT
	} else {
		r.To = s.To
		r.Sent += s.Sent
		r.SentBytes += s.SentBytes
		r.Received += s.Received
		r.ReceivedIn += s.ReceivedIn
		r.Dropped += s.Dropped
		p.rtt = min(p.rtt, s.RTT)
	}
	return r.complete(p)
}

func (s *Sample) complete(p *path) bool {
	n := uint64(fewPackets)
	if p.usual > 0.02 && p.steady {
		n = lossyRound
	}
	d := s.To.Sub(s.From)
	return d >= p.roundTime() && (s.Sent >= n || d >= time.Second)
}

func (p *path) roundTime() time.Duration { return min(max(p.baseRTT(), minRound), maxRound) }

func (p *path) shortest(now time.Time, rtt time.Duration) {
	if p.baseSince.IsZero() || now.Sub(p.baseSince) >= rttMemory {
		p.formerBase, p.base, p.baseSince = p.base, rtt, now
		if p.formerBase == 0 {
			p.formerBase = rtt
		}
	}
	p.base = min(p.base, rtt)
}

func (p *path) baseRTT() time.Duration { return min(p.base, p.formerBase) }

// rebase takes the present round trip for the path's own: the queue that does not go
// away is not ours.
func (p *path) rebase(now time.Time) {
	p.base, p.formerBase, p.baseSince = p.rtt, p.rtt, now
}

// queue is the delay that all packets of the last round had to bear.
func (p *path) queue() time.Duration { return p.rtt - p.baseRTT() }

// allowed is the queue that is no sign of congestion: half the way, or what a receiver's
// socket holds easily. Where processes wait for a processor much of that is not a queue.
func (p *path) allowed() time.Duration {
	held := time.Duration(socketRoom / max(p.capacity(), 1) * float64(time.Second))
	return max(min(max(held, minQueue), maxQueue), p.baseRTT()/2)
}

func (s *Sample) loss() float64 {
	if s.Sent == 0 || s.Received >= s.Sent {
		return 0
	}
	return 1 - float64(s.Received)/float64(s.Sent)
}

func (s *Sample) sentRate() float64 {
	return float64(s.SentBytes) / max(s.To.Sub(s.From), time.Microsecond).Seconds()
}

// excess reports whether a round lost more than is usual here, beyond chance. What is
// usual is not known at first.
func (p *path) excess(s *Sample) bool {
	if p.known == 0 {
		return s.loss() > maxUsual
	}
	q := max(p.usual, 0.005)
	sigma := math.Sqrt(q * (1 - q) * (1/float64(max(s.Sent, 1)) + 1/(p.known+10)))
	return s.loss() > p.usual+minExcess+3*sigma
}

// carried is the rate at the sender that the path carried: what was sent, less as far
// as it took longer to arrive or more of it was lost than usual.
func (p *path) carried(s *Sample, excess bool) float64 {
	rate := s.sentRate()
	if sent := s.To.Sub(s.From); s.ReceivedIn > sent {
		rate *= float64(sent) / float64(s.ReceivedIn)
	}
	if excess {
		rate *= (1 - s.loss()) / (1 - p.usual)
	}
	return rate
}

// learn takes in a round's loss as usual.
func (p *path) learn(s *Sample) {
	n := float64(s.Sent)
	p.usual = min((p.usual*p.known+s.loss()*n)/(p.known+n), maxUsual)
	p.known = min(p.known+n, lossMemory)
}

// constant reports whether a round at a lower rate has lost as much as the one for which
// the rate was lowered. Had the path been too narrow for that one, less would be lost
// now: what is above its capacity.
func (p *path) constant(s *Sample) bool {
	if p.badRate == 0 || p.badLoss > 2*maxUsual {
		return false
	}
	narrow := max(1-(1-p.badLoss)*p.badRate/s.sentRate(), p.usual)
	return s.loss() > (narrow+p.badLoss)/2
}

// adopt takes a round's loss as usual from now on.
func (p *path) adopt(s *Sample) { p.usual, p.known = min(s.loss(), maxUsual), float64(s.Sent) }

func (p *path) note(rate float64) {
	if len(p.rates) == remembered {
		copy(p.rates, p.rates[1:])
		p.rates = p.rates[:remembered-1]
	}
	p.rates = append(p.rates, rate)
}

// atLeast makes a rate the capacity if that is less.
func (p *path) atLeast(rate float64) {
	if p.capacity() < rate {
		p.note(rate)
	}
}

// forget keeps only the newest rounds.
func (p *path) forget(keep int) {
	if n := len(p.rates) - keep; n > 0 {
		p.rates = append(p.rates[:0], p.rates[n:]...)
	}
}

// capacity is the best of the rounds remembered; 0 when none was measured.
func (p *path) capacity() (c float64) {
	for _, r := range p.rates {
		c = max(c, r)
	}
	return c
}
