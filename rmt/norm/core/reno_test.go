package core

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// A reno is a TCP connection with endless data, as far as congestion control goes: slow
// start, congestion avoidance, fast retransmit and fast recovery (RFC 5681, with RFC
// 6582's partial acknowledgements), and a timeout. Window and numbers are in packets.
type reno struct {
	peer             netip.AddrPort
	cwnd, ssthresh   float64
	una, next, most  uint32 // most: one past the farthest ever sent
	dup              int
	recover          uint32
	recovering       bool
	resend           bool
	rtt, rttvar      time.Duration
	timed            uint32
	timedAt, timeout time.Time
	size             int
	losses           int
}

// A renoSink is the other end: an acknowledgement for each packet.
type renoSink struct {
	peer  netip.AddrPort
	next  uint32
	ahead map[uint32]bool
	acks  int
	bytes uint64
}

// addReno puts a connection into the network: two nodes, the sender's first.
func addReno(s *netem.Sim, name string, size int, out, in netem.Link) (*reno, *netem.Node, *renoSink) {
	tx, rx := &reno{cwnd: 2, ssthresh: 1e9, size: size}, &renoSink{ahead: map[uint32]bool{}}
	a := s.Add(name+"/tx", tx, out, netem.Link{})
	b := s.Add(name+"/rx", rx, netem.Link{Delay: in.Delay}, in)
	tx.peer, rx.peer = b.Addr, a.Addr
	return tx, a, rx
}

func (r *reno) rto() time.Duration {
	if r.rtt == 0 {
		return time.Second
	}
	return max(r.rtt+4*r.rttvar, 200*time.Millisecond)
}

func (r *reno) Handle(now time.Time, p *datagram.Packet) {
	if p.Src != r.peer {
		return
	}
	ack := binary.BigEndian.Uint32(p.Data)
	if ack <= r.una {
		if ack == r.una && r.most > r.una {
			r.duplicate()
		}
		return
	}
	if !r.timedAt.IsZero() && ack > r.timed {
		r.sample(now.Sub(r.timedAt))
		r.timedAt = time.Time{}
	}
	n := ack - r.una
	r.una, r.next, r.dup = ack, max(r.next, ack), 0
	r.timeout = now.Add(r.rto())
	switch {
	case r.recovering && ack < r.recover:
		r.resend = true
		r.cwnd = max(r.cwnd-float64(n)+1, 1)
	case r.recovering:
		r.recovering, r.cwnd = false, r.ssthresh
	case r.cwnd < r.ssthresh:
		r.cwnd += float64(n)
	default:
		r.cwnd += float64(n) / r.cwnd
	}
}

func (r *reno) sample(d time.Duration) {
	if r.rtt == 0 {
		r.rtt, r.rttvar = d, d/2
		return
	}
	r.rttvar = r.rttvar*3/4 + (r.rtt-d).Abs()/4
	r.rtt = r.rtt*7/8 + d/8
}

func (r *reno) duplicate() {
	if r.recovering {
		r.cwnd++
		return
	}
	if r.dup++; r.dup == 3 {
		r.losses++
		r.ssthresh = max(float64(r.most-r.una)/2, 2)
		r.cwnd = r.ssthresh + 3
		r.recovering, r.recover, r.resend = true, r.most, true
		r.timedAt = time.Time{}
	}
}

func (r *reno) Advance(now time.Time) {
	if !r.timeout.IsZero() && !now.Before(r.timeout) {
		r.losses++
		r.ssthresh, r.cwnd = max(float64(r.most-r.una)/2, 2), 1
		r.next, r.dup, r.recovering, r.timedAt = r.una, 0, false, time.Time{}
		r.timeout = now.Add(2 * r.rto())
	}
}

func (r *reno) Next() time.Time { return r.timeout }

func (r *reno) Transmit(now time.Time, p *datagram.Packet) bool {
	var seq uint32
	switch {
	case r.resend:
		r.resend, seq = false, r.una
	case float64(r.next-r.una) < r.cwnd:
		seq = r.next
		r.next++
		if r.timedAt.IsZero() && seq == r.most {
			r.timed, r.timedAt = seq, now
		}
		r.most = max(r.most, r.next)
	default:
		return false
	}
	if r.timeout.IsZero() {
		r.timeout = now.Add(r.rto())
	}
	p.Data = append(binary.BigEndian.AppendUint32(p.Data[:0], seq), make([]byte, r.size-4)...)
	p.Dst = r.peer
	return true
}

func (k *renoSink) Handle(now time.Time, p *datagram.Packet) {
	if p.Src != k.peer {
		return
	}
	seq := binary.BigEndian.Uint32(p.Data)
	if seq >= k.next {
		k.ahead[seq] = true
	}
	for k.ahead[k.next] {
		delete(k.ahead, k.next)
		k.next++
		k.bytes += uint64(len(p.Data))
	}
	k.acks++
}

func (k *renoSink) Advance(time.Time) {}

func (k *renoSink) Next() time.Time { return time.Time{} }

func (k *renoSink) Transmit(now time.Time, p *datagram.Packet) bool {
	if k.acks == 0 {
		return false
	}
	k.acks--
	p.Data = binary.BigEndian.AppendUint32(p.Data[:0], k.next)
	p.Dst = k.peer
	return true
}
