package madcap

import (
	"fmt"
	"net/netip"
)

// maxServerEvents is how many events wait to be taken; then the oldest are lost.
const maxServerEvents = 8192

// A ServerEventKind is what happened at a server.
type ServerEventKind uint8

// The kinds of events of a Server. What the first four tell of is durable.
const (
	LeaseGranted   ServerEventKind = iota + 1 // Lease is new
	LeaseRenewed                              // Lease has another end, or start
	LeaseReleased                             // its client gave Lease back
	LeaseExpired                              // the addresses of Lease are free, Extra after its end
	RequestRefused                            // Failure was sent to Client; of Lease only ID and Client are set
	ServerConflict                            // the store refused Lease: another server was faster
)

var serverEventNames = [...]string{LeaseGranted: "granted", LeaseRenewed: "renewed", LeaseReleased: "released",
	LeaseExpired: "expired", RequestRefused: "refused", ServerConflict: "conflict"}

// String returns a word for the kind.
func (k ServerEventKind) String() string {
	if k > 0 && int(k) < len(serverEventNames) {
		return serverEventNames[k]
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// A ServerEvent is something that happened at a server.
type ServerEvent struct {
	Kind    ServerEventKind
	Lease   Lease
	Client  netip.AddrPort // who asked; zero when nobody did
	Failure Failure
}

// ServerStats counts what a server did since it started, and what it has now.
type ServerStats struct {
	Received   uint64 // messages
	Ignored    uint64 // not MADCAP, not for servers, not for this one's place, or not to be answered
	Invalid    uint64 // refused with InvalidRequest
	Limited    uint64 // over a rate
	NotChosen  uint64 // REQUESTs to another server
	Repeated   uint64 // requests sent again
	Busy       uint64 // about a lease that the store is at
	Skewed     uint64 // with a clock too far off
	Unable     uint64 // DISCOVERs without an offer
	OverQuota  uint64 // for more addresses than a client may have
	Exhausted  uint64 // for which no addresses were free
	Overflowed uint64 // given up because too much waits

	Infos, Offers, Acks, Naks uint64 // answers; Infos are ACKs to GETINFO
	OffersExpired             uint64

	Batches, Committed, Conflicts uint64 // what went to the store, and what it said
	EventsLost                    uint64

	Leases, Held, Answers, Clients int // now
}

// Stats returns the counters.
func (s *Server) Stats() ServerStats {
	st := s.stats
	st.Leases, st.Held, st.Answers, st.Clients = len(s.leases), len(s.offers.byID), len(s.answers.byKey), len(s.limit.clients)
	return st
}

// Leases calls yield with every lease that is durable, in no order, until it returns
// false. The lease's slices are not to be changed or kept.
func (s *Server) Leases(yield func(Lease) bool) {
	for _, l := range s.leases {
		if !l.fresh && !yield(l.Lease) {
			return
		}
	}
}

// Event returns the next event, false if there is none.
func (s *Server) Event() (ServerEvent, bool) {
	if len(s.events) == 0 {
		s.events = nil
		return ServerEvent{}, false
	}
	e := s.events[0]
	s.events[0] = ServerEvent{}
	s.events = s.events[1:]
	return e, true
}

func (s *Server) tell(e ServerEvent) {
	if len(s.events) >= maxServerEvents {
		s.events = s.events[1:]
		s.stats.EventsLost++
	}
	s.events = append(s.events, e)
}
