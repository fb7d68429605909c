package madcap

import (
	"container/heap"
	"errors"
	"slices"
	"time"
)

const (
	// maxBatch is how many changes are committed together.
	maxBatch = 512

	// maxQueue is how many changes wait besides. Requests beyond are dropped, and
	// come again.
	maxQueue = 8192

	// maxTries is how often addresses are drawn for one request when another server
	// had just taken them.
	maxTries = 8

	// foreignHold is how long addresses that another server has taken are left
	// alone if it does not tell more.
	foreignHold = 10 * time.Minute
)

// An operation is a change on its way into the store, and who waits for it.
type operation struct {
	Change
	lease  *lease
	asker  asker
	terms  terms
	asked  bool // by a client
	tries  int
	learnt []Change // from other servers meanwhile
}

// An asker is what an answer needs to know of its request.
type asker struct {
	kind   Kind
	typ    Type
	family Family
	xid    uint32
	id     ID
	place
	features bool      // a Feature List is due
	used     []Feature // implemented
}

// begin queues a change of l, for a client or, with r nil, for the server itself. The
// lease is busy until the store has answered.
func (s *Server) begin(r *request, l *lease, t *terms, c Change) {
	op := &operation{Change: c, lease: l}
	if r != nil {
		if len(s.queue) >= maxQueue {
			s.stats.Overflowed++
			if l.fresh {
				s.forget(l)
			}
			return
		}
		op.asker, op.asked = s.asker(r), true
		s.answers.expect(r)
	}
	if t != nil {
		op.terms = *t
	}
	l.busy = op
	s.schedule(l)
	s.queue = append(s.queue, op)
}

// Pending reports whether Changes has something to take.
func (s *Server) Pending() bool { return len(s.inFlight) == 0 && len(s.queue) > 0 }

// Changes returns what the store is to commit now: nil if there is nothing, or if the
// last Changes were not given back to Committed yet.
func (s *Server) Changes() []Change {
	if !s.Pending() {
		return nil
	}
	n := min(len(s.queue), maxBatch)
	s.inFlight = slices.Clone(s.queue[:n])
	s.queue = slices.Delete(s.queue, 0, n)
	batch := make([]Change, n)
	for i, op := range s.inFlight {
		batch[i] = op.Change
	}
	s.stats.Batches++
	return batch
}

// Committed takes what Changes returned back from the store, with an answer in each
// Err.
func (s *Server) Committed(now time.Time, done []Change) {
	ops := s.inFlight
	s.inFlight = nil
	for i, op := range ops {
		if i >= len(done) {
			break
		}
		l := op.lease
		l.busy = nil
		switch err := done[i].Err; {
		case err == nil:
			s.stats.Committed++
			s.finish(now, op)
		case errors.Is(err, ErrConflict):
			s.stats.Conflicts++
			s.tell(ServerEvent{Kind: ServerConflict, Lease: op.Change.Lease})
			s.conflict(now, op)
		default: // a store should not; as if nothing was asked
			if l.fresh {
				s.forget(l)
			} else {
				s.schedule(l)
			}
			s.answers.forget(&op.asker)
		}
		if len(op.learnt) > 0 {
			s.Learn(now, op.learnt)
		}
	}
}

// finish does what was waiting for the store.
func (s *Server) finish(now time.Time, op *operation) {
	l := op.lease
	e := ServerEvent{Lease: op.Change.Lease, Client: op.asker.src}
	switch {
	case op.Delete:
		s.forget(l)
		e.Kind = LeaseReleased
		if !op.asked {
			e.Kind = LeaseExpired
		}
	default:
		e.Kind = LeaseRenewed
		if l.fresh {
			e.Kind, l.fresh = LeaseGranted, false
		}
		l.Lease = op.Change.Lease
		s.schedule(l)
	}
	s.tell(e)
	if op.asked {
		s.ack(now, op)
	}
}

// conflict handles a change that another server forestalled.
func (s *Server) conflict(now time.Time, op *operation) {
	l := op.lease
	if !l.fresh {
		// It has changed elsewhere, and Learn says how, or has. The client asks
		// again.
		s.answers.forget(&op.asker)
		s.schedule(l)
		if op.Delete && !op.asked && len(op.learnt) == 0 {
			l.until = now.Add(foreignHold)
			heap.Fix(&s.ends, l.place)
		}
		return
	}
	// The addresses stay taken, for a time.
	taken := l.Ranges
	s.foreign = append(s.foreign, foreign{now.Add(foreignHold), taken})
	if len(s.foreign) > 4*maxBatch {
		s.returnForeign(s.foreign[0].until)
	}
	s.count(l, -l.Total())
	if op.tries++; op.tries < maxTries && len(op.terms.ranges) == 0 && len(op.learnt) == 0 {
		if rs := s.draw(l.scope, &op.terms); rs != nil {
			l.Ranges = rs
			s.book(l)
			op.Change = Change{Lease: l.Lease}
			l.busy = op
			s.queue = append(s.queue, op)
			return
		}
	}
	delete(s.leases, l.ID)
	if len(op.learnt) > 0 { // another server has the lease by now: the client asks again
		s.answers.forget(&op.asker)
		return
	}
	s.nakLater(op, failed(NotCompleted, OptionNone))
}

// foreign is addresses that another server has, as a conflict told.
type foreign struct {
	until  time.Time
	ranges []Range
}

// returnForeign frees addresses of other servers that nothing more was heard of.
func (s *Server) returnForeign(now time.Time) {
	freed := false
	for len(s.foreign) > 0 && !now.Before(s.foreign[0].until) {
		s.free(s.foreign[0].ranges)
		s.foreign = s.foreign[1:]
		freed = true
	}
	if freed { // some may have been leased meanwhile
		for _, l := range s.leases {
			s.take(l.Ranges)
		}
		for o := s.offers.oldest(); o != nil; o = o.next {
			s.take(o.ranges)
		}
	}
}

// Learn takes changes that were made to the store, by this server or another one. Those
// known already change nothing.
func (s *Server) Learn(now time.Time, changes []Change) {
	for _, c := range changes {
		l := s.leases[c.Lease.ID]
		switch {
		case l != nil && l.busy != nil:
			if (l.fresh || c.Lease.Revision >= l.Revision) && len(l.busy.learnt) < 16 {
				l.busy.learnt = append(l.busy.learnt, c)
			}
		case c.Delete && l != nil && c.Lease.Revision >= l.Revision:
			s.forget(l)
		case !c.Delete && (l == nil || c.Lease.Revision > l.Revision):
			if c.Lease.Server != s.cfg.ID || l != nil {
				s.yieldOffers(c.Lease)
				s.learn(c.Lease.clone())
			}
		}
	}
}

// yieldOffers drops offers of addresses that another server has leased.
func (s *Server) yieldOffers(l Lease) {
	for o := s.offers.oldest(); o != nil; {
		next := o.next
		if slices.ContainsFunc(l.Ranges, func(r Range) bool { return overlapping(r, o.ranges) }) {
			s.endOffer(o)
		}
		o = next
	}
}

func overlapping(r Range, rs []Range) bool {
	for _, x := range rs {
		if r.Contains(x.First) || x.Contains(r.First) {
			return true
		}
	}
	return false
}
