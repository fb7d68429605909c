package core

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// A reno is a TCP connection with endless data, as far as congestion control goes: slow
// start, congestion avoidance, recovery with selective acknowledgements (RFC 5681, RFC
// 6675) and a timeout. Window and numbers are in packets.
type reno struct {
	peer           netip.AddrPort
	size           int
	cwnd, ssthresh float64
	una, next      uint32
	state          map[uint32]renoState // of una to next-1
	pipe           int                  // on their way
	highest        uint32               // one past the newest acknowledged
	recover        uint32               // in recovery until una is there
	rtt, rttvar    time.Duration
	timed          uint32
	timedAt        time.Time
	timeout        time.Time
	backoff        int
	losses         int
}

type renoState uint8

const (
	renoSent renoState = iota
	renoSacked
	renoLost
	renoAgain // sent again
)

// A renoSink is the other end: an acknowledgement for every second packet, and at once
// for one out of order (RFC 5681 section 4.2).
type renoSink struct {
	peer    netip.AddrPort
	next    uint32
	ahead   map[uint32]bool
	acks    []uint32 // to be sent, for these packets
	delayed bool
	newest  uint32
	due     time.Time
	bytes   uint64
}

// addReno puts a connection into the network: two nodes, the sender's first.
func addReno(s *netem.Sim, name string, size int, out, in netem.Link) (*reno, *netem.Node, *renoSink) {
	tx, rx := &reno{cwnd: 4, ssthresh: 1e9, size: size, state: map[uint32]renoState{}}, &renoSink{ahead: map[uint32]bool{}}
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
	ack, sack := binary.BigEndian.Uint32(p.Data), binary.BigEndian.Uint32(p.Data[4:])
	if !r.timedAt.IsZero() && sack == r.timed {
		r.sample(now.Sub(r.timedAt))
		r.timedAt = time.Time{}
	}
	var n float64
	for ; r.una < ack; r.una++ {
		if st := r.state[r.una]; st == renoSent || st == renoAgain {
			r.pipe--
		}
		delete(r.state, r.una)
		n++
	}
	if n > 0 {
		r.timeout, r.backoff = now.Add(r.rto()), 0
	}
	if st, ok := r.state[sack]; ok && st != renoSacked {
		if st != renoLost {
			r.pipe--
		}
		r.state[sack] = renoSacked
	}
	r.highest = max(r.highest, ack, sack+1)
	for s := r.una; s+3 < r.highest; s++ {
		if r.state[s] == renoSent {
			r.lose(s)
		}
	}
	switch {
	case r.cwnd < r.ssthresh: // also after a timeout
		r.cwnd += min(n, 1)
	case r.una >= r.recover:
		r.cwnd += min(n, 1) / r.cwnd
	}
}

func (r *reno) lose(s uint32) {
	r.state[s] = renoLost
	r.pipe--
	if r.una >= r.recover {
		r.losses++
		r.ssthresh = max(r.cwnd/2, 2)
		r.cwnd, r.recover = r.ssthresh, r.next
	}
	if s == r.timed {
		r.timedAt = time.Time{}
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

func (r *reno) Advance(now time.Time) {
	if r.timeout.IsZero() || now.Before(r.timeout) {
		return
	}
	r.losses++
	r.ssthresh, r.cwnd, r.recover, r.timedAt = max(r.cwnd/2, 2), 1, r.next, time.Time{}
	for s := r.una; s < r.next; s++ {
		if r.state[s] != renoSacked {
			r.state[s] = renoLost
		}
	}
	r.pipe = 0
	r.backoff = min(r.backoff+1, 6)
	r.timeout = now.Add(r.rto() << r.backoff)
}

func (r *reno) Next() time.Time { return r.timeout }

func (r *reno) Transmit(now time.Time, p *datagram.Packet) bool {
	if float64(r.pipe) >= r.cwnd {
		return false
	}
	seq, again := r.next, false
	for s := r.una; s < min(r.next, r.highest+1); s++ {
		if r.state[s] == renoLost {
			seq, again = s, true
			break
		}
	}
	if r.recover > r.una && !again {
		for s := r.una; s < r.next; s++ {
			if r.state[s] == renoLost {
				seq, again = s, true
				break
			}
		}
	}
	if again {
		r.state[seq] = renoAgain
	} else {
		r.state[seq] = renoSent
		r.next++
		if r.timedAt.IsZero() {
			r.timed, r.timedAt = seq, now
		}
	}
	r.pipe++
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
	k.newest = seq
	if k.delayed || len(k.ahead) > 0 || seq+1 != k.next {
		k.acks, k.delayed = append(k.acks, seq), false
		return
	}
	k.delayed, k.due = true, now.Add(40*time.Millisecond)
}

func (k *renoSink) Advance(now time.Time) {
	if k.delayed && !now.Before(k.due) {
		k.acks, k.delayed = append(k.acks, k.newest), false
	}
}

func (k *renoSink) Next() time.Time {
	if k.delayed {
		return k.due
	}
	return time.Time{}
}

func (k *renoSink) Transmit(now time.Time, p *datagram.Packet) bool {
	if len(k.acks) == 0 {
		return false
	}
	p.Data = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(p.Data[:0], k.next), k.acks[0])
	k.acks = k.acks[1:]
	p.Dst = k.peer
	return true
}
