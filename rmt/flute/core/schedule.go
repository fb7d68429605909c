package core

import (
	"cmp"
	"slices"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
)

// A lane is the objects of one priority that go to the same channels. As many as
// SenderConfig.Concurrent take turns, the others wait for theirs.
type lane struct {
	priority int
	mask     uint64 // of channels
	active   []*txObject
	waiting  queue[*txObject]
	turn     int
}

// laneOf returns the lane of a priority and channels. Lanes are in the order in which
// they are served.
func (s *Sender) laneOf(priority int, mask uint64) *lane {
	for _, l := range s.lanes {
		if l.priority == priority && l.mask == mask {
			return l
		}
	}
	l := &lane{priority: priority, mask: mask}
	s.lanes = append(s.lanes, l)
	slices.SortStableFunc(s.lanes, func(a, b *lane) int { return cmp.Compare(b.priority, a.priority) })
	return l
}

// scrap is one in how many packets of a channel is for its lanes in turn, whatever their
// priority: nothing waits for ever.
const scrap = 16

// pick returns the object whose turn it is on a channel, or nil. Objects are described
// before they are sent (RFC 6726 section 3.3).
func (s *Sender) pick(channel int) *txObject {
	first := 0
	if n := s.channels[channel].sent; n%scrap == 0 && len(s.lanes) > 0 {
		first = int(n / scrap % uint64(len(s.lanes)))
	}
	for i := range s.lanes {
		l := s.lanes[i]
		switch { // first comes first, the others keep their order
		case i == 0:
			l = s.lanes[first]
		case i <= first:
			l = s.lanes[i-1]
		}
		if l.mask>>channel&1 == 0 {
			continue
		}
		for len(l.active) < s.cfg.Concurrent {
			o, ok := l.waiting.pop()
			if !ok {
				break
			}
			if !o.settled { // canceled while it waited
				o.active = true
				l.active = append(l.active, o)
			}
		}
		for range l.active {
			if l.turn >= len(l.active) {
				l.turn = 0
			}
			if o := l.active[l.turn]; o.described {
				return o
			}
			l.turn++
		}
	}
	return nil
}

// pending reports whether a channel has anything of objects to send.
func (s *Sender) pending(channel int) bool { return s.pick(channel) != nil }

// endPass is called when all of an object was sent once more.
func (s *Sender) endPass(now time.Time, o *txObject) {
	s.leave(o)
	last := o.last()
	interval := o.spec.Interval
	if o.part.Blocks() == 0 { // there is nothing to send; it only goes on being described
		interval = max(interval, s.cfg.FDTInterval)
	}
	o.pass++
	s.stats.Passes++
	s.events.push(SenderEvent{Type: PassDone, TOI: o.toi, Pass: o.pass})
	o.next, o.turn = 0, 0
	switch {
	case last:
		s.done(now, o, nil)
	case interval > 0:
		o.sleeps, o.wake = true, now.Add(interval)
		s.sleeping = append(s.sleeping, o)
		s.tendAt = engine.Earliest(s.tendAt, o.wake)
	default:
		o.sent = 0
		o.lane.waiting.push(o)
	}
	if o.sleeps || o.lane.waiting.len() > 0 {
		o.spare = nil // of many objects only those being sent take memory
	}
}

// leave takes an object out of its lane's turns.
func (s *Sender) leave(o *txObject) {
	l := o.lane
	if i := slices.Index(l.active, o); i >= 0 {
		l.active = slices.Delete(l.active, i, i+1)
		if l.turn > i {
			l.turn--
		}
	}
	o.active = false
}

// done ends an object.
func (s *Sender) done(now time.Time, o *txObject, err error) {
	s.leave(o)
	o.settled, o.doneAt = true, now
	o.window, o.spare = nil, nil
	if o.sleeps {
		s.sleeping = slices.DeleteFunc(s.sleeping, func(p *txObject) bool { return p == o })
		o.sleeps = false
	}
	s.tendAt = engine.Earliest(s.tendAt, now.Add(s.cfg.Linger))
	delete(s.objects, o.toi)
	s.events.push(SenderEvent{Type: ObjectDone, TOI: o.toi, Pass: o.pass, Err: err})
}

// wakeUp begins passes whose time has come, and returns when the next one's does.
func (s *Sender) wakeUp(now time.Time) (next time.Time) {
	for i := 0; i < len(s.sleeping); {
		o := s.sleeping[i]
		if o.wake.After(now) {
			if next.IsZero() || o.wake.Before(next) {
				next = o.wake
			}
			i++
			continue
		}
		s.sleeping = slices.Delete(s.sleeping, i, i+1)
		o.sleeps, o.sent = false, 0
		o.lane.waiting.push(o)
	}
	return next
}
