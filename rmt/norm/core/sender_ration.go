package core

import (
	"maps"
	"math"
	"net/netip"
	"time"
)

// What one host may have sent again while there is something else to send: a tenth of the
// rate, and what that is in half a second at once. It is enough for a loss of a tenth, and
// for as much of a higher one as the others of the group do not have too. All together may
// have half of it, and the other half is for whoever needs more when there is nothing else
// to send. Nobody can know whether a host lacks what it asks for: without this, one that
// asks for everything again and again would be all the sender works for.
//
// A sender that hears of no more than one host refuses it nothing.
const (
	rationShare  = 10 // of the rate, one of so many parts
	rationAll    = 2  // the same for all hosts together
	rationDepth  = time.Second / 2
	leastRation  = 2   // blocks at once, at any rate
	rationHosts  = 256 // remembered
	rationMemory = 10 * time.Second
)

// A ration is what hosts may still ask for, in symbols.
type ration struct {
	hosts   map[netip.Addr]*allowance
	all     allowance
	extra   allowance // for whoever needs more when there is nothing else to send
	counted time.Time // when those silent for long were last forgotten

	// The two hosts heard last.
	last, other     netip.Addr
	lastAt, otherAt time.Time
}

type allowance struct {
	left  float64
	at    time.Time // when left was true
	heard time.Time // when the host was, last
}

// refill adds what is due since, at so many symbols a second, up to what half a second
// brings and no less than least.
func (a *allowance) refill(now time.Time, perSecond, least float64) {
	most := max(perSecond*rationDepth.Seconds(), least)
	if a.at.IsZero() {
		a.left = most
	} else {
		a.left = min(most, a.left+perSecond*now.Sub(a.at).Seconds())
	}
	a.at = now
}

// heard notes that feedback came from a host.
func (r *ration) heard(now time.Time, host netip.Addr) {
	if host != r.last {
		r.other, r.otherAt = r.last, r.lastAt
	}
	r.last, r.lastAt = host, now
	if now.Sub(r.counted) > time.Second {
		r.counted = now
		maps.DeleteFunc(r.hosts, func(_ netip.Addr, h *allowance) bool { return now.Sub(h.heard) > rationMemory })
	}
	h := r.hosts[host]
	if h == nil {
		h = r.add(host)
	}
	h.heard = now
}

// of returns how many symbols a host may ask for now.
func (r *ration) of(s *Sender, now time.Time, host netip.Addr) int {
	alone := !r.other.IsValid() || now.Sub(r.otherAt) > rationMemory
	rate := s.bucket.Rate()
	if alone || !host.IsValid() || rate <= 0 {
		return math.MaxInt
	}
	h := r.hosts[host]
	if h == nil {
		h = r.add(host)
	}
	perSecond := float64(rate) / float64(8*s.cfg.SegmentSize)
	least := float64(leastRation * (s.cfg.BlockSize + s.cfg.Parity))
	h.refill(now, perSecond/rationShare, least)
	r.all.refill(now, perSecond/rationAll, least)
	r.extra.refill(now, perSecond/rationAll, least)
	n := int(min(h.left, r.all.left))
	if s.resting() {
		n = max(n, int(max(r.extra.left, least)))
	}
	return max(n, 0)
}

func (r *ration) add(host netip.Addr) *allowance {
	if r.hosts == nil {
		r.hosts = make(map[netip.Addr]*allowance)
	}
	if len(r.hosts) >= rationHosts {
		var oldest netip.Addr
		for a, h := range r.hosts {
			if o := r.hosts[oldest]; o == nil || h.heard.Before(o.heard) || h.heard.Equal(o.heard) && a.Less(oldest) {
				oldest = a
			}
		}
		delete(r.hosts, oldest)
	}
	h := new(allowance)
	r.hosts[host] = h
	return h
}

// take notes that a host has asked for so many symbols.
func (r *ration) take(host netip.Addr, n int) {
	if h := r.hosts[host]; h != nil {
		own := min(float64(n), h.left, r.all.left)
		h.left -= own
		r.all.left -= own
		r.extra.left = max(r.extra.left-float64(n)+own, 0)
	}
}

// resting reports whether there is nothing to send, new or asked for.
func (s *Sender) resting() bool {
	return !s.repairs.collecting() && !s.sendable()
}
