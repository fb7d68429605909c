package madcap

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// maxReplies is how many answers wait to be sent.
const maxReplies = 4096

// maxExpired is how many leases one Advance ends.
const maxExpired = 1024

// A Server is a MADCAP server as an engine: it is handed messages and what its store
// said, and gives back answers, changes and events. It is not for concurrent use;
// RunServer makes a running server of it.
//
// Whoever drives it takes Changes when it has some, has the store commit them, and
// returns them to Committed. Only then the answers to them are sent.
type Server struct {
	cfg    ServerConfig
	scopes []*serverScope

	leases   map[ID]*lease
	ends     leaseHeap
	used     map[netip.Addr]int // addresses leased, by client
	foreign  []foreign
	offers   offers
	answers  answers
	limit    limiter
	queue    []*operation // not taken yet
	inFlight []*operation

	replies  []reply
	events   []ServerEvent
	stats    ServerStats
	message  Message   // scratch
	features []Feature // supported
}

var _ engine.Engine = (*Server)(nil)

// A reply is an encoded message on its way out.
type reply struct {
	data    []byte
	dst     netip.AddrPort
	ifIndex int
	src     netip.Addr // where the request came to; the zero Addr leaves it open
}

// NewServer returns a server without leases; Restore gives it those of its store. The
// error wraps ErrConfig.
func NewServer(now time.Time, cfg ServerConfig) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if cfg.Rand == nil {
		return nil, fmt.Errorf("%w: Rand is not set", ErrConfig)
	}
	s := &Server{
		cfg: cfg, leases: make(map[ID]*lease), used: make(map[netip.Addr]int),
		offers: newOffers(), answers: newAnswers(), limit: newLimiter(now, cfg),
	}
	s.features = []Feature{SharedLease}
	if cfg.Shared {
		s.features = []Feature{ServerMobility, SharedLease}
	}
	s.buildScopes()
	return s, nil
}

// A request is a message that is being handled.
type request struct {
	*Message
	kind Kind
	now  time.Time
	place
	client netip.Addr // src's address as leases have it
	group  netip.Addr // it was sent to, or the zero Addr
}

// A place is where a request came from and came in.
type place struct {
	src     netip.AddrPort
	ifIndex int
	own     netip.Addr // the unicast address it was sent to, or the zero Addr
}

// Handle takes a client's message.
func (s *Server) Handle(now time.Time, p *datagram.Packet) {
	s.stats.Received++
	client := p.Src.Addr().Unmap().WithZone("")
	if !client.IsValid() || client.IsMulticast() || client.IsUnspecified() || p.Src.Port() == 0 {
		s.stats.Ignored++
		return
	}
	if !s.limit.allow(now, client) {
		s.stats.Limited++
		return
	}
	err := ParseMessage(p.Data, &s.message)
	malformed, readable := err.(MalformedError)
	if err != nil && !readable {
		s.stats.Ignored++
		return
	}
	r := request{Message: &s.message, now: now, place: place{src: p.Src, ifIndex: p.IfIndex}, client: client}
	if dst := p.Dst.Addr().Unmap().WithZone(""); dst.IsMulticast() {
		r.group = dst
	} else {
		r.own = dst
	}
	// Without its Lease Identifier a message cannot be answered, not even by a NAK.
	if !r.Has.Has(OptionLeaseID) || len(r.LeaseID) > maxLeaseID {
		s.stats.Ignored++
		return
	}
	switch r.Type {
	case TypeGetInfo:
		r.kind = KindGetInfo
	case TypeDiscover:
		r.kind = KindDiscover
	case TypeRequest:
		r.kind = KindRequest
		if r.group.IsValid() {
			r.kind = KindMulticastRequest
		}
	case TypeRenew:
		r.kind = KindRenew
	case TypeRelease:
		r.kind = KindRelease
	case TypeOffer, TypeAck, TypeNak: // section 2.6: no loops of NAKs
		s.stats.Ignored++
		return
	default:
		s.stats.Invalid++
		s.nak(&r, failed(InvalidRequest, OptionNone))
		return
	}
	if r.kind == KindMulticastRequest && r.Has.Has(OptionServerID) && r.ServerID.Unmap() != s.cfg.ID {
		// The client chose another server.
		s.dropOffer(ID(r.LeaseID))
		s.stats.NotChosen++
		return
	}
	if s.answerAgain(&r) {
		s.stats.Repeated++
		return
	}
	if !s.concerned(&r) {
		s.stats.Ignored++
		return
	}
	if readable {
		s.stats.Invalid++
		s.nak(&r, failed(InvalidRequest, Option(malformed)))
		return
	}
	if f, bad := s.inspect(&r); bad {
		s.nak(&r, f)
		return
	}
	switch r.kind {
	case KindGetInfo:
		s.getInfo(&r)
	case KindDiscover:
		s.discover(&r)
	case KindRequest, KindMulticastRequest:
		s.request(&r)
	case KindRenew:
		s.renew(&r)
	case KindRelease:
		s.release(&r)
	}
}

// inspect looks for what makes a request one to be refused, whatever there is to give.
func (s *Server) inspect(r *request) (Failure, bool) {
	switch v := r.kind.Check(r.Message); {
	case r.Family.size() == 0:
		s.stats.Invalid++
		return failed(InvalidRequest, OptionNone), true
	case !v.Ok():
		s.stats.Invalid++
		return failed(InvalidRequest, v.Option), true
	case r.Has.Has(OptionServerID) && r.ServerID.Unmap() != s.cfg.ID:
		s.stats.Invalid++
		return failed(InvalidRequest, OptionServerID), true
	}
	if missing := s.missing(r); len(missing) > 0 {
		return Failure{FeatureNotSupported, missing}, true
	}
	if r.Has.Has(OptionCurrentTime) && s.cfg.Skew > 0 {
		if d := r.now.Sub(r.CurrentTime); d > s.cfg.Skew+time.Second || -d > s.cfg.Skew {
			s.stats.Skewed++
			extra, _ := appendTime(nil, r.now)
			return Failure{ExcessiveClockSkew, extra}, true
		}
	}
	return Failure{}, false
}

// missing returns the required features that there are not, encoded.
func (s *Server) missing(r *request) (extra []byte) {
	req := r.Features.Required()
	for i := range min(req.Len(), 64) {
		f := req.At(i)
		known := false
		for _, have := range s.features {
			known = known || f == have
		}
		if !known {
			extra = append(extra, byte(f>>8), byte(f))
		}
	}
	return extra
}

// Advance ends offers and leases whose time has come.
func (s *Server) Advance(now time.Time) {
	for o := s.offers.oldest(); o != nil && !now.Before(o.until); o = s.offers.oldest() {
		s.endOffer(o)
		s.stats.OffersExpired++
	}
	s.returnForeign(now)
	for n := 0; n < maxExpired && len(s.ends) > 0 && !now.Before(s.ends[0].until); n++ {
		s.expire(s.ends[0])
	}
}

// Next returns when Advance has something to do.
func (s *Server) Next() time.Time {
	var next time.Time
	if o := s.offers.oldest(); o != nil {
		next = o.until
	}
	if len(s.ends) > 0 {
		next = engine.Earliest(next, s.ends[0].until)
	}
	if len(s.foreign) > 0 {
		next = engine.Earliest(next, s.foreign[0].until)
	}
	return next
}

// Transmit gives the next answer.
func (s *Server) Transmit(now time.Time, p *datagram.Packet) bool {
	if len(s.replies) == 0 {
		s.replies = nil
		return false
	}
	r := &s.replies[0]
	p.Data = append(p.Data[:0], r.data...)
	p.Dst, p.IfIndex = r.dst, r.ifIndex
	if r.src.IsValid() { // clients compare it with what they asked
		p.Src = netip.AddrPortFrom(r.src, 0)
	}
	*r = reply{}
	s.replies = s.replies[1:]
	return true
}

func (s *Server) send(data []byte, to place) {
	if len(s.replies) >= maxReplies {
		s.stats.Overflowed++
		return
	}
	s.replies = append(s.replies, reply{data, to.src, to.ifIndex, to.own})
}
