package sap

import "time"

// A steady clock turns the time an engine is handed into one that runs evenly: it
// does not go back, and time in which the engine was not called although it had asked
// for it, because the host slept, does not count. Otherwise a listener that wakes
// would find that it has heard of nobody for hours, and drop everything.
type steady struct {
	last  time.Time     // as handed in
	shift time.Duration // to be added
	due   time.Time     // what the engine asked for, zero for nothing
}

// maxLate is how late a call can be on a busy host. More is taken for a jump.
const maxLate = 10 * time.Second

// maxSleep is how long an engine sleeps at most, so that a jump is noticed.
const maxSleep = time.Minute

// at returns the steady time for now.
func (s *steady) at(now time.Time) time.Time {
	if s.last.IsZero() {
		s.last = now
	}
	late := s.last.Add(maxSleep)
	if !s.due.IsZero() && s.due.After(s.last) && s.due.Before(late) {
		late = s.due
	}
	switch {
	case now.Before(s.last):
		s.shift += s.last.Sub(now)
	case now.Sub(late) > maxLate:
		s.shift -= now.Sub(late)
	}
	s.last = now
	return now.Add(s.shift)
}

// next returns when the engine should be called for a steady deadline, by the clock
// that it is handed.
func (s *steady) next(t time.Time) time.Time {
	if s.last.IsZero() {
		return t.Add(-s.shift)
	}
	at := s.last.Add(maxSleep)
	if !t.IsZero() && t.Add(-s.shift).Before(at) {
		at = t.Add(-s.shift)
	}
	s.due = at
	return at
}
