package core

import (
	"errors"
	"slices"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// ErrUnknownObject is returned for an object that is no longer kept, or whose first pass
// is not over.
var ErrUnknownObject = errors.New("no such object to send again")

// A txRound is one more pass over an object that was sent before.
type txRound struct {
	o    *txObject
	info bool // was sent in this round, or there is none
	sbn  uint32
	esi  int
}

// Requeue sends an object again behind all that is new, parity sent unasked included, as
// if for the first time: for receivers that have joined since and for those that cannot
// ask. An ObjectSent event tells of the end of the round. Streams cannot be sent again.
func (s *Sender) Requeue(now time.Time, id wire.TransportID) error {
	s.now = now
	_, o := s.find(id)
	if o == nil || !o.sent || o.stream != nil || o.closed {
		return ErrUnknownObject
	}
	if slices.ContainsFunc(s.rounds, func(r txRound) bool { return r.o == o }) {
		return nil // it is about to be
	}
	s.rounds = append(s.rounds, txRound{o: o, info: !o.hasInfo})
	s.flush.stop()
	s.grtt.wake(now)
	return nil
}

// transmitAgain sends the next message of an object that was enqueued again.
func (s *Sender) transmitAgain(now time.Time, p *datagram.Packet) bool {
	for len(s.rounds) > 0 {
		r := &s.rounds[0]
		o := r.o
		switch {
		case !r.info:
			r.info = true
			s.appendInfo(now, o, 0, p)
		case uint64(r.sbn) >= o.part.Blocks():
			s.rounds = slices.Delete(s.rounds, 0, 1)
			s.emit(SenderEvent{Type: ObjectSent, Object: o.id})
			continue
		default:
			sbn, esi := r.sbn, r.esi
			if r.esi++; r.esi >= o.part.BlockLen(sbn)+s.cfg.AutoParity {
				r.sbn, r.esi = sbn+1, 0
			}
			if !s.appendData(now, o, sbn, esi, 0, p) {
				continue // the object failed and is gone
			}
		}
		s.stats.Repeated++
		return true
	}
	return false
}

// forgetRound takes an object that is gone from those to be sent again.
func (s *Sender) forgetRound(o *txObject) {
	s.rounds = slices.DeleteFunc(s.rounds, func(r txRound) bool { return r.o == o })
}
