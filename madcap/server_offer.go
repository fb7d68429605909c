package madcap

import (
	"net/netip"
	"slices"
	"time"
)

// offerYields is the age at which an offer gives its addresses to a newer DISCOVER
// that would find none: clients follow an offer within seconds.
const offerYields = 10 * time.Second

// An offer holds addresses for a client that has asked for offers (RFC 2730 section
// 2.2.3). It is a link of a list from the oldest to the newest.
type offer struct {
	id         ID
	client     netip.Addr // as clientKey has it
	scope      *serverScope
	ranges     []Range
	until      time.Time
	prev, next *offer
}

// offers is all of them.
type offers struct {
	byID        map[ID]*offer
	byClient    map[netip.Addr]int
	first, last *offer
}

func newOffers() offers {
	return offers{byID: make(map[ID]*offer), byClient: make(map[netip.Addr]int)}
}

func (os *offers) oldest() *offer { return os.first }

func (os *offers) oldestIn(sc *serverScope) *offer {
	o := os.first
	for ; o != nil && o.scope != sc; o = o.next {
	}
	return o
}

func (os *offers) oldestOf(client netip.Addr) *offer {
	o := os.first
	for ; o != nil && o.client != client; o = o.next {
	}
	return o
}

func (os *offers) add(o *offer) {
	os.byID[o.id] = o
	os.byClient[o.client]++
	if o.prev = os.last; o.prev != nil {
		o.prev.next = o
	} else {
		os.first = o
	}
	os.last = o
}

func (os *offers) remove(o *offer) {
	delete(os.byID, o.id)
	if os.byClient[o.client]--; os.byClient[o.client] == 0 {
		delete(os.byClient, o.client)
	}
	if o.prev != nil {
		o.prev.next = o.next
	} else {
		os.first = o.next
	}
	if o.next != nil {
		o.next.prev = o.prev
	} else {
		os.last = o.prev
	}
}

// endOffer gives the addresses of an offer back.
func (s *Server) endOffer(o *offer) {
	s.offers.remove(o)
	s.free(o.ranges)
}

func (s *Server) dropOffer(id ID) {
	if o := s.offers.byID[id]; o != nil {
		s.endOffer(o)
	}
}

// discover offers what is asked for, and is silent if it cannot (section 2.2).
func (s *Server) discover(r *request) {
	t, f, ok := s.terms(r)
	switch {
	case !ok && f.Code == NotCompleted:
		s.stats.Unable++
		return
	case !ok:
		s.refuse(r, f)
		return
	}
	rs := s.offered(r, &t)
	if rs == nil {
		s.stats.Unable++
		return
	}
	m := s.answer(r, TypeOffer)
	m.Has |= OptionsOf(OptionLeaseTime, OptionScope, OptionRanges, OptionCurrentTime)
	m.LeaseTime, m.Scope, m.Ranges, m.CurrentTime = t.life, t.scope.First, NewRangeList(r.Family, rs...), r.now
	if t.later {
		m.StartTime, m.Has = t.start, m.Has.With(OptionStartTime)
	}
	if data := s.reply(r.place, &m); data != nil {
		s.stats.Offers++
		s.answers.keep(answerKey{ID(r.LeaseID), r.Type, r.XID}, data, r.now, &s.cfg)
	}
}

// offered returns the addresses for an offer: those of the lease the client has already,
// those reserved or held for its ID, or others, which are then held.
func (s *Server) offered(r *request, t *terms) []Range {
	id, key := ID(r.LeaseID), clientKey(r.client)
	if l := s.leases[id]; l != nil {
		if n := l.Total(); l.busy == nil && s.owns(r, l) && l.scope == t.scope && n >= t.min && n <= t.asked {
			return l.Ranges
		}
		return nil
	}
	if sc, rs := s.reservation(id); rs != nil {
		if n := (&Lease{Ranges: rs}).Total(); sc == t.scope && n >= t.min && n <= t.asked {
			return rs
		}
		return nil
	}
	if n := s.cfg.ClientAddresses; n > 0 {
		left := n - s.used[key]
		if left < t.min {
			s.stats.OverQuota++
			return nil
		}
		t.want = min(t.want, left)
	}
	if o := s.offers.byID[id]; o != nil {
		n := (&Lease{Ranges: o.ranges}).Total()
		if o.scope == t.scope && n >= t.min && n <= t.want && (len(t.ranges) == 0 || within(o.ranges, t.ranges)) && o.client == key {
			return o.ranges
		}
		s.endOffer(o)
	}
	if s.offers.byClient[key] >= s.cfg.ClientOffers {
		s.endOffer(s.offers.oldestOf(key))
	}
	if len(s.offers.byID) >= s.cfg.MaxOffers {
		s.endOffer(s.offers.oldest())
	}
	rs := s.draw(t.scope, t)
	for n := 0; rs == nil && n < 32; n++ {
		o := s.offers.oldestIn(t.scope)
		if o == nil || o.until.Sub(r.now) > s.cfg.OfferHold-offerYields {
			break
		}
		s.endOffer(o)
		rs = s.draw(t.scope, t)
	}
	if rs == nil {
		s.stats.Exhausted++
		return nil
	}
	s.offers.add(&offer{id: id, client: key, scope: t.scope, ranges: slices.Clone(rs), until: r.now.Add(s.cfg.OfferHold)})
	return rs
}
