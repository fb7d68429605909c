package norm

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gomulticast/multicast/internal/drive"
	"github.com/gomulticast/multicast/rmt/norm/core"
)

// reportAge is how old a report may be, so that asking often costs a session nothing.
const reportAge = 100 * time.Millisecond

// A SenderReport is the state of a sender at a time.
type SenderReport struct {
	Time      time.Time
	Node      NodeID
	Rate      int64 // bits per second; 0 or less is not limited
	Stats     SenderStats
	Receivers []ReceiverHeard  // in order of appearance
	Transfers []TransferStatus // under way or kept for repair, oldest first
}

// A ReceiverHeard is one receiver as the sender hears it.
type ReceiverHeard = core.NodeReport

// A TransferStatus is one object or stream of a sender.
type TransferStatus struct {
	ID        uint16
	Name      string // of a file
	Size      int64  // of a stream, its buffer
	Sent      int64  // bytes sent once
	Confirmed int    // receivers that have confirmed it
	Stream    bool
	Done      bool // it is only kept for repair
}

// A ReceiverReport is the state of a receiver at a time.
type ReceiverReport struct {
	Time    time.Time
	Node    NodeID
	Stats   ReceiverStats
	Storage StorageStats
	Senders []SenderHeard  // in order of appearance
	Objects []ObjectStatus // under way, in no order
}

// A SenderHeard is one sender as the receiver hears it.
type SenderHeard = core.RemoteReport

// StorageStats counts what became of objects at a receiver.
type StorageStats struct {
	Received, Bytes uint64 // whole, and what they hold
	Skipped         uint64 // those among them that were here already: see IfAbsent
	Resumed         uint64 // bytes that earlier receivers had left
	Lost            uint64 // begun and not delivered
}

// Report returns the sender's state, at most 100 ms old; after Close, the last. It does
// not hold the sender up, however often it is called. The report is shared: it must not
// be changed.
func (s *Sender) Report() *SenderReport {
	return s.reports.get(s.loop, func(now time.Time) *SenderReport {
		p := &SenderReport{Time: now, Node: s.id, Rate: s.engine.Rate(), Stats: s.engine.Stats(), Receivers: s.engine.Receivers(nil)}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, o := range s.engine.Objects(nil) {
			st := TransferStatus{ID: uint16(o.Object), Size: o.Size, Sent: o.Sent, Confirmed: o.Acked, Stream: o.Stream, Done: o.Done}
			if t := s.transfers[o.Object]; t != nil {
				st.Name = t.name
			}
			p.Transfers = append(p.Transfers, st)
		}
		return p
	})
}

// Report returns the receiver's state, in the same way.
func (r *Receiver) Report() *ReceiverReport {
	return r.reports.get(r.loop, func(now time.Time) *ReceiverReport {
		return &ReceiverReport{
			Time: now, Node: r.id, Stats: r.counts(), Storage: r.store.counts(),
			Senders: r.engine.Senders(nil), Objects: r.Pending(),
		}
	})
}

// reports are what a session last reported, for all who ask.
type reports[T any] struct {
	last atomic.Pointer[report[T]]
	mu   sync.Mutex // held by who makes one after the session's end
}

type report[T any] struct {
	at    time.Time
	value *T
}

// get returns the last report, or a new one that build makes on the owner's goroutine.
func (r *reports[T]) get(loop *drive.Loop, build func(now time.Time) *T) *T {
	if p := r.fresh(time.Now()); p != nil {
		return p
	}
	var value *T
	renew := func(now time.Time) {
		if value = r.fresh(time.Now()); value == nil { // others asked meanwhile
			value = build(now)
			r.last.Store(&report[T]{time.Now(), value})
		}
	}
	if loop.Do(renew) != nil {
		<-loop.Done() // nobody else has the engine now
		r.mu.Lock()
		defer r.mu.Unlock()
		renew(time.Now())
	}
	return value
}

func (r *reports[T]) fresh(now time.Time) *T {
	if p := r.last.Load(); p != nil && now.Sub(p.at) < reportAge {
		return p.value
	}
	return nil
}
