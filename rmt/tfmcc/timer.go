package tfmcc

import "time"

// A Timer decides when a receiver answers a probe: at once when the sender has named
// it, else after a random delay unless others have said as much meanwhile (RFC 5740
// section 5.5.2.2). The zero Timer is ready.
type Timer struct {
	due   time.Time // zero is none
	send  bool
	quiet time.Time // no answer before, unless named
}

// Probe begins a feedback round. named is for the CLR and others the sender wants to
// hear; delay is the draw for all others.
func (t *Timer) Probe(now time.Time, named bool, delay func() time.Duration) {
	switch {
	case named:
		t.due, t.send = time.Time{}, true
	case now.Before(t.quiet):
	case t.due.IsZero():
		// Condition 3 would drop answers later than one GRTT. In a small group
		// that leaves almost none; suppression does the work.
		t.due = now.Add(delay())
	}
}

// Stop drops a scheduled answer.
func (t *Timer) Stop() { t.due = time.Time{} }

// Hear drops a scheduled answer when another receiver's feedback has said as much as
// mine would: it is no faster and knows its round-trip time no better (condition 4).
// hold is how long this receiver is silent then, K*GRTT.
func (t *Timer) Hear(now time.Time, mine, other Report, hold time.Duration) {
	if t.due.IsZero() || !(other.Rate > 0) || mine.RTT == 0 && other.RTT > 0 {
		return
	}
	if mine.Rate > 0.9*other.Rate {
		t.due, t.quiet = time.Time{}, now.Add(hold)
	}
}

// Spoke notes that feedback was sent: it answers the probe too.
func (t *Timer) Spoke(now time.Time, hold time.Duration) {
	t.due, t.send, t.quiet = time.Time{}, false, now.Add(hold)
}

// Advance makes a scheduled answer ready when its time has come.
func (t *Timer) Advance(now time.Time) {
	if !t.due.IsZero() && !now.Before(t.due) {
		t.due, t.send = time.Time{}, true
	}
}

// Next returns when a scheduled answer is due, zero for none.
func (t *Timer) Next() time.Time { return t.due }

// Ready reports whether an answer is to leave now.
func (t *Timer) Ready() bool { return t.send }
