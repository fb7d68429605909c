package core

import (
	"time"

	"github.com/gomulticast/multicast/rmt/lct"
)

// An earlyStore keeps packets until it is known what they are of: those that came
// before the FDT Instance that describes their object (RFC 6726 section 3.3). The oldest
// give way.
type earlyStore struct {
	limit int
	bytes int
	count int // packets kept
	kept  queue[earlyPacket]
	of    map[earlyKey]int // how many are of an object

	replaying bool
}

type earlyKey struct {
	s   *session
	toi lct.TOI
}

type earlyPacket struct {
	s    *session
	toi  lct.TOI
	at   time.Time
	data []byte // nil when it was taken
}

// earlyCost is what a packet of n bytes counts for.
func earlyCost(n int) int { return n + 128 }

// earlyTimeout is how long packets are kept.
const earlyTimeout = 30 * time.Second

// keepEarly keeps a packet. raw is nil when it is kept already.
func (r *Receiver) keepEarly(s *session, toi lct.TOI, raw []byte, now time.Time) {
	e := &r.early
	if raw == nil {
		return
	}
	if earlyCost(len(raw)) > e.limit {
		r.stats.EarlyDropped++
		return
	}
	for e.bytes+earlyCost(len(raw)) > e.limit || e.kept.len() >= 65536 {
		p, ok := e.kept.pop()
		if !ok {
			break
		}
		if e.release(&p) {
			r.stats.EarlyDropped++
		}
	}
	e.kept.push(earlyPacket{s, toi, now, append([]byte(nil), raw...)})
	e.bytes += earlyCost(len(raw))
	e.count++
	if e.of == nil {
		e.of = make(map[earlyKey]int)
	}
	e.of[earlyKey{s, toi}]++
	r.stats.Early++
}

// release gives up a packet's bytes; false if it had none.
func (e *earlyStore) release(p *earlyPacket) bool {
	if p.data == nil {
		return false
	}
	e.bytes -= earlyCost(len(p.data))
	e.count--
	key := earlyKey{p.s, p.toi}
	if e.of[key]--; e.of[key] == 0 {
		delete(e.of, key)
	}
	p.data = nil
	return true
}

// replay takes in the packets of a session whose objects can be received by now.
func (r *Receiver) replay(now time.Time, s *session) {
	e := &r.early
	if e.count == 0 || e.replaying {
		return
	}
	e.replaying = true
	for i := e.kept.head; i < len(e.kept.items); i++ {
		p := &e.kept.items[i]
		if p.s != s || p.data == nil {
			continue
		}
		o, d := s.objects[p.toi], s.files[p.toi]
		if o == nil && (d == nil || !d.valid(now)) {
			continue
		}
		data := p.data
		e.release(p)
		if r.codec.Parse(data, &r.pkt) == nil {
			s.objectPacket(now, &r.pkt, nil)
		}
	}
	e.replaying = false
	r.trimEarly()
}

// trimEarly removes what was taken from the front.
func (r *Receiver) trimEarly() {
	e := &r.early
	for e.kept.len() > 0 && e.kept.items[e.kept.head].data == nil {
		e.kept.pop()
	}
}

// expire drops packets that are too old.
func (e *earlyStore) expire(now time.Time) {
	for e.kept.len() > 0 {
		p := &e.kept.items[e.kept.head]
		if p.data != nil && now.Sub(p.at) < earlyTimeout {
			return
		}
		e.release(p)
		e.kept.pop()
	}
}

// forget drops a session's packets.
func (e *earlyStore) forget(s *session) {
	for i := e.kept.head; i < len(e.kept.items); i++ {
		if p := &e.kept.items[i]; p.s == s {
			e.release(p)
		}
	}
}
