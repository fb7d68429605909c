package core

import (
	"time"

	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A RemoteReport is one sender as a receiver hears it.
type RemoteReport struct {
	Key                       SenderKey
	Instance                  uint16
	Heard                     time.Time     // its last message
	GRTT                      time.Duration // as it advertises it
	RTT                       time.Duration // to it, as it measured it for us; 0 is not known
	Rate                      float64       // what comes from it, in bits per second of UDP payload; 0 is not known
	Loss                      float64       // loss event rate (RFC 5348) of what comes from it
	Receiving, Stored, Failed int           // objects it was heard of lately
	Left                      bool          // it has said goodbye
}

// Senders appends a report of each sender to dst, in order of appearance.
func (r *Receiver) Senders(dst []RemoteReport) []RemoteReport {
	for _, m := range r.order {
		p := RemoteReport{
			Key: m.key, Instance: m.instance, Heard: m.heard, GRTT: m.grtt, RTT: m.cc.rtt, Rate: 8 * m.cc.meter.Received(), Loss: m.cc.meter.Report().Loss, Left: m.left,
		}
		for _, o := range m.objects {
			switch {
			case o == nil:
			case o.state == receiving:
				p.Receiving++
			case o.state == failed:
				p.Failed++
			default:
				p.Stored++
			}
		}
		dst = append(dst, p)
	}
	return dst
}

// A NodeReport is one receiver as a sender hears it.
type NodeReport struct {
	Node  wire.NodeID
	Heard time.Time     // its last message
	RTT   time.Duration // 0 is not known
	Nacks uint64        // received of it
	Acked int           // objects in the cache that it has confirmed
}

// Receivers appends a report of each receiver heard of to dst, in order of appearance.
func (s *Sender) Receivers(dst []NodeReport) []NodeReport {
	for _, n := range s.nodes.order {
		p := NodeReport{Node: n.id, Heard: n.heard, RTT: n.rtt, Nacks: n.nacks}
		for _, o := range s.objects {
			if len(o.acked) > 0 && o.acked[n.id] {
				p.Acked++
			}
		}
		dst = append(dst, p)
	}
	return dst
}

// An ObjectReport is one object or stream in a sender's cache.
type ObjectReport struct {
	Object wire.TransportID
	Size   int64
	Sent   int64 // bytes of the first pass
	Acked  int   // receivers that have confirmed it
	Stream bool
	Done   bool // it is only kept for repair
}

// Objects appends a report of each object in the cache to dst, oldest first.
func (s *Sender) Objects(dst []ObjectReport) []ObjectReport {
	for _, o := range s.objects {
		dst = append(dst, ObjectReport{
			Object: o.id, Size: o.spec.Size, Sent: o.progress(), Acked: len(o.acked), Stream: o.stream != nil, Done: o.over,
		})
	}
	return dst
}

// Rate returns the sending rate in bits per second; 0 or less is not limited.
func (s *Sender) Rate() int64 { return s.bucket.Rate() }
