package netem

import (
	"hash/fnv"
	"net/netip"
	"slices"
	"time"
)

// A letter is a packet on its way, one for all who get it.
type letter struct {
	data   []byte
	from   *Node
	to     netip.AddrPort
	tos    uint8
	digest uint64
}

func newLetter(from *Node, to netip.AddrPort, data []byte) *letter {
	h := fnv.New64a()
	h.Write(data)
	return &letter{data: append([]byte(nil), data...), from: from, to: to, digest: h.Sum64()}
}

// damaged returns the letter, or a copy with up to three bits flipped if the link has it
// so.
func (l *letter) damaged(s *Shaper) *letter {
	if s.link.Damage <= 0 || len(l.data) == 0 || s.rng.Float64() >= s.link.Damage {
		return l
	}
	data := slices.Clone(l.data)
	for range 1 + s.rng.IntN(3) {
		data[s.rng.IntN(len(data))] ^= 1 << s.rng.IntN(8)
	}
	c := newLetter(l.from, l.to, data)
	c.tos = l.tos
	return c
}

// An event is a delivery, a call or a wake-up.
type event struct {
	at     time.Duration // since Start
	order  uint64        // of those at the same time the first to be booked comes first
	node   *Node
	letter *letter // nil if it is no delivery
	call   func()  // nil if it is no call
}

func (e *event) before(f *event) bool {
	return e.at < f.at || e.at == f.at && e.order < f.order
}

// An eventHeap holds the events to come, the next one first.
type eventHeap []event

func (h *eventHeap) push(e event) {
	q := append(*h, e)
	i := len(q) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !e.before(&q[up]) {
			break
		}
		q[i] = q[up]
		i = up
	}
	q[i] = e
	*h = q
}

func (h *eventHeap) pop() event {
	q := *h
	first, last := q[0], q[len(q)-1]
	q[len(q)-1] = event{}
	q = q[:len(q)-1]
	if len(q) > 0 {
		i := 0
		for {
			down := 2*i + 1
			if down >= len(q) {
				break
			}
			if down+1 < len(q) && q[down+1].before(&q[down]) {
				down++
			}
			if !q[down].before(&last) {
				break
			}
			q[i] = q[down]
			i = down
		}
		q[i] = last
	}
	*h = q
	return first
}
