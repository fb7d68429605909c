package madcap

import (
	"container/heap"
	"net/netip"
	"slices"
	"time"
)

// foreignGrace is how much later a server ends a lease that another server granted:
// that one should do it.
const foreignGrace = 10 * time.Minute

// A lease is a Lease with what the server does about it.
type lease struct {
	Lease
	scope *serverScope // nil when it is not configured any more
	busy  *operation   // the change that the store has not made yet
	fresh bool         // not in the store yet
	until time.Time    // when its addresses are free
	place int          // in the heap; -1 is not in it
}

// A leaseHeap has the lease that ends first in front.
type leaseHeap []*lease

func (h leaseHeap) Len() int           { return len(h) }
func (h leaseHeap) Less(i, j int) bool { return h[i].until.Before(h[j].until) }
func (h leaseHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}
func (h *leaseHeap) Push(x any) {
	l := x.(*lease)
	l.place = len(*h)
	*h = append(*h, l)
}
func (h *leaseHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h, l.place = old[:len(old)-1], -1
	return l
}

// schedule puts the lease where its end belongs in the heap, unless the store has still
// to change it.
func (s *Server) schedule(l *lease) {
	l.until = l.End.Add(s.cfg.Extra)
	if l.Server != s.cfg.ID {
		l.until = l.until.Add(foreignGrace)
	}
	switch {
	case l.busy != nil && l.place >= 0:
		heap.Remove(&s.ends, l.place)
	case l.busy != nil:
	case l.place >= 0:
		heap.Fix(&s.ends, l.place)
	default:
		heap.Push(&s.ends, l)
	}
}

// Restore gives a new server a lease from its store. It is called before anything else.
func (s *Server) Restore(stored Lease) { s.learn(stored.clone()) }

// learn takes over a lease as it is in the store.
func (s *Server) learn(stored Lease) {
	l := s.leases[stored.ID]
	if l == nil {
		l = &lease{place: -1}
		s.leases[stored.ID] = l
	} else {
		s.unbook(l)
	}
	l.Lease, l.fresh = stored, false
	l.scope = s.scope(stored.Scope)
	s.book(l)
	s.schedule(l)
}

// book takes the addresses of a lease, and counts them for its client.
func (s *Server) book(l *lease) {
	s.take(l.Ranges)
	s.count(l, l.Total())
}

// count adds n to the addresses of the lease's client.
func (s *Server) count(l *lease, n int) {
	key := clientKey(l.Client)
	if s.used[key] += n; s.used[key] <= 0 {
		delete(s.used, key)
	}
}

func (s *Server) unbook(l *lease) {
	s.free(l.Ranges)
	s.count(l, -l.Total())
}

// forget ends a lease that is not in the store any more.
func (s *Server) forget(l *lease) {
	s.unbook(l)
	if l.place >= 0 {
		heap.Remove(&s.ends, l.place)
	}
	delete(s.leases, l.ID)
}

// terms is what a request asks for, within what the server allows.
type terms struct {
	scope     *serverScope
	start     time.Time // when the lease starts; not before now
	later     bool      // it is not now
	life      time.Duration
	min, want int
	asked     int     // want before the server's own limits
	ranges    []Range // only these
}

// terms reads them from a request; those of a RENEW have no scope.
func (s *Server) terms(r *request) (t terms, f Failure, ok bool) {
	no := func(c ErrorCode, o Option) (terms, Failure, bool) { return t, failed(c, o), false }
	t.life = s.cfg.MaxLifetime
	if r.Has.Has(OptionLeaseTime) {
		t.life = min(max(r.LeaseTime, s.cfg.MinLifetime), s.cfg.MaxLifetime)
	}
	if r.Has.Has(OptionMinLeaseTime) {
		if r.Has.Has(OptionLeaseTime) && r.MinLeaseTime > r.LeaseTime {
			return no(InvalidRequest, OptionMinLeaseTime)
		}
		if r.MinLeaseTime > t.life {
			return no(NotCompleted, OptionMinLeaseTime)
		}
	}
	t.start = r.now.Truncate(time.Second)
	if r.Has.Has(OptionStartTime) && r.StartTime.After(r.now) {
		t.start, t.later = r.StartTime, true
		if r.StartTime.Sub(r.now) > s.cfg.MaxAhead {
			return no(NotCompleted, OptionStartTime)
		}
	}
	if r.Has.Has(OptionMaxStartTime) {
		if r.Has.Has(OptionStartTime) && r.MaxStartTime.Before(r.StartTime) {
			return no(InvalidRequest, OptionMaxStartTime)
		}
		if r.MaxStartTime.Before(t.start.Add(-max(s.cfg.Skew, 0))) {
			return no(NotCompleted, OptionMaxStartTime)
		}
	}
	if r.kind == KindRenew {
		return t, Failure{}, true
	}
	if t.scope = s.scope(r.Scope); t.scope == nil {
		return no(NotCompleted, OptionScope)
	}
	t.min, t.want = 1, 1
	if r.Has.Has(OptionRanges) && r.Ranges.Len() > 0 {
		if t.ranges, ok = s.ranges(r); !ok {
			return no(InvalidRequest, OptionRanges)
		}
		t.want = r.Ranges.Total()
		t.min = t.want
	}
	if r.Has.Has(OptionCount) {
		t.min = max(int(r.MinCount), 1)
		if t.want = int(r.Count); t.ranges != nil {
			t.want = min(t.want, r.Ranges.Total())
		}
	}
	t.asked = t.want
	t.want = min(t.want, s.cfg.MaxCount)
	if t.min > t.want {
		return no(NotCompleted, OptionCount)
	}
	return t, Failure{}, true
}

// ranges returns the addresses a request names, if they are distinct ones of its scope.
func (s *Server) ranges(r *request) ([]Range, bool) {
	if r.Ranges.Len() > maxRanges {
		return nil, false
	}
	sc := s.scope(r.Scope)
	rs := r.Ranges.AppendTo(nil)
	slices.SortFunc(rs, func(a, b Range) int { return a.First.Compare(b.First) })
	var before netip.Addr
	for _, x := range rs {
		last, _ := x.Last()
		if !sc.Contains(x.First) || !sc.Contains(last) || before.IsValid() && !before.Less(x.First) {
			return nil, false
		}
		before = last
	}
	return rs, true
}

// owns reports whether a request comes from who may change the lease.
func (s *Server) owns(r *request, l *lease) bool {
	return s.cfg.AnyClient || l.Shared || l.Client == r.client
}

// request grants a lease, or says the same again when the client has it already.
func (s *Server) request(r *request) {
	t, f, ok := s.terms(r)
	if !ok {
		s.refuse(r, f)
		return
	}
	id := ID(r.LeaseID)
	if l := s.leases[id]; l != nil {
		s.requestAgain(r, l, &t)
		return
	}
	rs, f := s.addresses(r, &t)
	if rs == nil {
		s.refuse(r, f)
		return
	}
	l := &lease{fresh: true, place: -1, scope: t.scope, Lease: Lease{
		ID: id, Scope: t.scope.First, Ranges: rs, Start: t.start, End: t.start.Add(t.life + time.Second), // now was cut
		Client: r.client, Server: s.cfg.ID, Revision: 1,
		Shared: r.Features.Requested().Has(SharedLease) || r.Features.Required().Has(SharedLease),
	}}
	s.leases[id] = l
	s.book(l)
	s.begin(r, l, &t, Change{Lease: l.Lease})
}

// requestAgain handles a REQUEST for a lease there is: its ACK was lost and this server
// started anew, or its client did. It is as good as a RENEW.
func (s *Server) requestAgain(r *request, l *lease, t *terms) {
	switch n := l.Total(); {
	case l.busy != nil:
		s.stats.Busy++
	case !s.owns(r, l):
		s.refuse(r, failed(InvalidRequest, OptionLeaseID))
	case l.Scope != r.Scope:
		s.refuse(r, failed(InvalidRequest, OptionScope))
	case n < t.min || n > t.asked:
		s.refuse(r, failed(InvalidRequest, OptionCount))
	case len(t.ranges) > 0 && !within(l.Ranges, t.ranges):
		s.refuse(r, failed(InvalidRequest, OptionRanges))
	default:
		s.dropOffer(l.ID)
		s.extend(r, l, t)
	}
}

// within reports whether all addresses of rs are in those of all.
func within(rs, all []Range) bool {
	for _, r := range rs {
		for a := range r.All() {
			if !slices.ContainsFunc(all, func(x Range) bool { return x.Contains(a) }) {
				return false
			}
		}
	}
	return true
}

// addresses takes the addresses for a new lease: those held for its offer, those
// reserved for its ID, or others. Without any it says why.
func (s *Server) addresses(r *request, t *terms) ([]Range, Failure) {
	id := ID(r.LeaseID)
	if sc, rs := s.reservation(id); rs != nil {
		s.dropOffer(id)
		switch n := (&Lease{Ranges: rs}).Total(); {
		case sc != t.scope:
			return nil, failed(NotCompleted, OptionScope)
		case n < t.min || n > t.asked:
			return nil, failed(NotCompleted, OptionCount)
		}
		return slices.Clone(rs), Failure{}
	}
	if len(s.leases) >= s.cfg.MaxLeases {
		return nil, failed(NotCompleted, OptionNone)
	}
	if n := s.cfg.ClientAddresses; n > 0 {
		left := n - s.used[clientKey(r.client)]
		if left < t.min {
			s.stats.OverQuota++
			return nil, failed(NotCompleted, OptionNone)
		}
		t.want = min(t.want, left)
	}
	if o := s.offers.byID[id]; o != nil {
		n := (&Lease{Ranges: o.ranges}).Total()
		fits := o.scope == t.scope && n >= t.min && n <= t.want && (len(t.ranges) == 0 || within(o.ranges, t.ranges))
		if fits {
			s.offers.remove(o)
			return o.ranges, Failure{}
		}
		s.endOffer(o)
	}
	rs := s.draw(t.scope, t)
	for n := 0; rs == nil && n < 32; n++ { // offers yield to a request
		o := s.offers.oldestIn(t.scope)
		if o == nil {
			break
		}
		s.endOffer(o)
		rs = s.draw(t.scope, t)
	}
	if rs == nil {
		s.stats.Exhausted++
		switch {
		case len(t.ranges) > 0:
			return nil, failed(NotCompleted, OptionRanges)
		case r.Has.Has(OptionCount):
			return nil, failed(NotCompleted, OptionCount)
		}
		return nil, failed(NotCompleted, OptionNone)
	}
	return rs, Failure{}
}

// renew gives a lease another end, and may be another start.
func (s *Server) renew(r *request) {
	l := s.leases[ID(r.LeaseID)]
	switch {
	case l == nil || l.fresh && l.busy == nil || !s.owns(r, l):
		s.refuse(r, Failure{Code: LeaseNotRecognized})
		return
	case l.busy != nil:
		s.stats.Busy++
		return
	}
	t, f, ok := s.terms(r)
	if !ok {
		s.refuse(r, f)
		return
	}
	s.extend(r, l, &t)
}

func (s *Server) extend(r *request, l *lease, t *terms) {
	next := l.Lease.clone()
	next.Start, next.End = t.start, t.start.Add(t.life+time.Second)
	if !t.later && l.Start.Before(next.Start) {
		next.Start = l.Start
	}
	// The client may never hear that its lease is shorter now, and go by the old end.
	if next.End.Before(l.End) {
		next.End = l.End
	}
	next.Server = s.cfg.ID
	next.Revision++
	s.begin(r, l, t, Change{Lease: next})
}

// release ends a lease.
func (s *Server) release(r *request) {
	s.dropOffer(ID(r.LeaseID))
	l := s.leases[ID(r.LeaseID)]
	switch {
	case l == nil || !s.owns(r, l):
		s.refuse(r, Failure{Code: LeaseNotRecognized})
	case l.busy != nil:
		s.stats.Busy++
	default:
		s.begin(r, l, nil, Change{Delete: true, Lease: l.Lease.clone()})
	}
}

// expire ends a lease whose time is over.
func (s *Server) expire(l *lease) {
	s.begin(nil, l, nil, Change{Delete: true, Lease: l.Lease.clone()})
}
