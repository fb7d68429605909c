package madcap

import (
	"container/list"
	"net/netip"
	"time"
)

// clientKey is what counts as one client: an IPv4 address or an IPv6 /64, of which one
// host can have any number of addresses.
func clientKey(a netip.Addr) netip.Addr {
	if a.Is6() && !a.Is4In6() {
		p, _ := a.WithZone("").Prefix(64)
		return p.Addr()
	}
	return a.Unmap()
}

// A bucket holds the messages somebody may still send.
type bucket struct {
	key    netip.Addr
	tokens float64
	last   time.Time
}

func (b *bucket) take(now time.Time, rate, burst float64) bool {
	if d := now.Sub(b.last); d > 0 {
		b.tokens = min(burst, b.tokens+rate*d.Seconds())
		b.last = now
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// A limiter bounds the messages of each client and of all. Of clients it forgets the one
// not heard for longest.
type limiter struct {
	all                                bucket
	rate, burst, clientRate, clientMax float64
	max                                int
	clients                            map[netip.Addr]*list.Element
	recent                             *list.List // of *bucket, the latest in front
}

func newLimiter(now time.Time, cfg ServerConfig) limiter {
	return limiter{
		all: bucket{tokens: float64(cfg.Burst), last: now}, rate: cfg.Rate, burst: float64(cfg.Burst),
		clientRate: cfg.ClientRate, clientMax: float64(cfg.ClientBurst), max: cfg.MaxClients,
		clients: make(map[netip.Addr]*list.Element), recent: list.New(),
	}
}

// allow reports whether a message of a client may be handled. One that its client's
// limit refuses takes nothing from the others.
func (l *limiter) allow(now time.Time, a netip.Addr) bool {
	if l.clientRate > 0 {
		key := clientKey(a)
		e := l.clients[key]
		switch {
		case e != nil:
			l.recent.MoveToFront(e)
		case len(l.clients) >= l.max:
			e = l.recent.Back()
			delete(l.clients, e.Value.(*bucket).key)
			*e.Value.(*bucket) = bucket{key, l.clientMax, now}
			l.recent.MoveToFront(e)
			l.clients[key] = e
		default:
			e = l.recent.PushFront(&bucket{key, l.clientMax, now})
			l.clients[key] = e
		}
		if !e.Value.(*bucket).take(now, l.clientRate, l.clientMax) {
			return false
		}
	}
	return l.rate <= 0 || l.all.take(now, l.rate, l.burst)
}
