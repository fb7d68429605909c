package gmp

import "time"

// However much there is to say at one instant, no engine floods its link: a general
// query to a host of thousands of groups, or the leave of all of them at a router, makes
// paceBurst messages at once and then one every paceGap. The RFCs name no rate; this
// one is beyond what a switch's processor should meet, and within what it can.
const (
	paceBurst = 16
	paceGap   = time.Millisecond

	// paceAhead is how far ahead a message may be put off: more than a router's
	// default of groups take. What forged leaves pile up behind goes at once.
	paceAhead = 5 * time.Second
)

// A pacer spaces messages. Its zero value has sent none.
type pacer struct{ clock time.Time } // all time before it is spent

// next returns when a message may go: now or later.
func (p *pacer) next(now time.Time) time.Time {
	at := p.clock.Add(paceGap)
	if last := now.Add(paceAhead); at.After(last) {
		return last
	}
	return later(at, now)
}

// take counts a message, which goes when next said.
func (p *pacer) take(now time.Time) {
	p.clock = later(p.clock, now.Add(-paceBurst*paceGap)).Add(paceGap)
	if last := now.Add(paceAhead); p.clock.After(last) {
		p.clock = last
	}
}
