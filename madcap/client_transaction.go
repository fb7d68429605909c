package madcap

import (
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
)

// maxOffersSeen is how many offers one DISCOVER collects.
const maxOffersSeen = 64

// A transaction is a message that waits for its answer, sent again unchanged until then
// (RFC 2730 section 2.3).
type transaction struct {
	handle  uint64
	id      ID
	typ     Type
	xid     uint32
	request Request      // of DISCOVER and REQUEST
	renewal Renewal      // of RENEW
	lease   *clientLease // of RENEW, and of a GETINFO for who else could renew it

	data   []byte
	dst    netip.AddrPort
	first  time.Time // when it was sent first
	next   time.Time // when to send it again; zero is never
	until  time.Time // when to give up
	delay  time.Duration
	tries  int
	alarm  alarm
	queued bool
	ended  bool

	round    int            // of DISCOVER
	offers   []seen         // of DISCOVER
	collect  time.Time      // until when to wait for more answers
	server   netip.Addr     // the Server Identifier chosen in a multicast REQUEST
	chosen   netip.AddrPort // where its offer came from
	avoid    []netip.Addr   // servers that failed in earlier rounds
	refusals []Failure
	answers  int // of GETINFO
}

// seen is an offer.
type seen struct {
	server netip.Addr
	at     netip.AddrPort
	count  int
	life   time.Duration
	start  time.Time
}

func (c *Client) group() netip.AddrPort { return netip.AddrPortFrom(c.cfg.Group, c.cfg.Port) }

// begin starts to ask for a lease: with REQUEST where the server is known, else with
// DISCOVER.
func (c *Client) begin(now time.Time, t *transaction) {
	m, _ := t.request.message(now) // it was possible before
	if t.request.Server.IsValid() {
		m.Type = TypeRequest
		c.send(now, t, m, t.request.Server)
		return
	}
	m.Type = TypeDiscover
	t.offers, t.collect, t.server, t.chosen = nil, time.Time{}, netip.Addr{}, netip.AddrPort{}
	c.send(now, t, m, c.group())
}

// send begins a transaction with a message.
func (c *Client) send(now time.Time, t *transaction, m Message, to netip.AddrPort) {
	for c.xid++; c.txs[c.xid] != nil; c.xid++ {
	}
	m.XID = c.xid
	t.typ, t.xid, t.dst = m.Type, m.XID, to
	t.data, _ = m.MarshalBinary() // callers have checked what goes in
	t.first, t.until = now, now.Add(c.cfg.NoResponse)
	t.delay, t.tries, t.ended = c.cfg.Retransmit, 0, false
	t.collect = time.Time{}
	t.next = time.Time{}
	if c.cfg.Retries > 0 {
		t.next = now.Add(t.delay)
	}
	if t.alarm.ring == nil {
		t.alarm.place = -1
		t.alarm.ring = func(now time.Time) { c.ring(now, t) }
	}
	c.txs[t.xid] = t
	c.ids[t.id] = true
	c.enqueue(t)
	c.wait(t)
}

func (c *Client) enqueue(t *transaction) {
	if !t.queued {
		t.queued = true
		c.queue = append(c.queue, t)
	}
}

func (c *Client) wait(t *transaction) {
	at := engine.Earliest(t.next, t.until)
	if !t.collect.IsZero() {
		at = t.collect // offers are there: DISCOVER is not sent again
	}
	c.set(&t.alarm, at)
}

// end takes a transaction out; begin or send may bring it back.
func (c *Client) end(t *transaction) {
	delete(c.txs, t.xid)
	delete(c.ids, t.id)
	c.unset(&t.alarm)
	t.ended = true
	if t.lease != nil && t.lease.tx == t {
		t.lease.tx = nil
	}
}

// ring sends a message again, or ends the wait for its answers.
func (c *Client) ring(now time.Time, t *transaction) {
	switch {
	case !t.collect.IsZero() && !now.Before(t.collect):
		c.collected(now, t)
	case !now.Before(t.until):
		c.silent(now, t)
	default:
		if !t.next.IsZero() && !now.Before(t.next) {
			c.stats.Resent++
			c.enqueue(t)
			t.tries++
			t.delay = min(2*t.delay, c.cfg.MaxRetransmit)
			if t.next = now.Add(t.delay); t.tries >= c.cfg.Retries {
				t.next = time.Time{}
			}
		}
		c.wait(t)
	}
}

// discoverDelay is how long answers are waited for after the first (section 2.2.2).
func (c *Client) discoverDelay(t *transaction) time.Duration {
	if c.cfg.DiscoverDelay > 0 {
		return c.cfg.DiscoverDelay
	}
	return t.delay
}

// collected goes on after the answers to a multicast message were collected.
func (c *Client) collected(now time.Time, t *transaction) {
	if t.typ == TypeGetInfo {
		c.end(t)
		c.infoDone(now, t)
		return
	}
	best := -1
	for i := range t.offers {
		if best < 0 || better(&t.offers[i], &t.offers[best], &t.request) {
			best = i
		}
	}
	if best < 0 {
		c.failed(now, t, t.why())
		return
	}
	o := t.offers[best]
	m, _ := t.request.message(now)
	m.Type, m.ServerID, m.Has = TypeRequest, o.server, m.Has.With(OptionServerID)
	delete(c.txs, t.xid)
	t.server, t.chosen = o.server, o.at
	t.offers = nil
	c.send(now, t, m, c.group()) // so that the others hear who was chosen, section 2.2.4
}

// better reports whether offer a is better than b: more of the addresses wanted, then
// more of the time, then an earlier start.
func better(a, b *seen, r *Request) bool {
	if x, y := min(a.count, r.Count), min(b.count, r.Count); x != y {
		return x > y
	}
	x, y := a.life, b.life
	if r.Lifetime > 0 {
		x, y = min(x, r.Lifetime), min(y, r.Lifetime)
	}
	if x != y {
		return x > y
	}
	return a.start.Before(b.start)
}

// full reports whether an offer leaves nothing to wish for.
func (o *seen) full(r *Request) bool {
	return o.count >= r.Count && o.life >= r.Lifetime && (r.Start.IsZero() && o.start.IsZero() || !o.start.After(r.Start))
}

// why says what a request failed of.
func (t *transaction) why() error {
	if n := len(t.refusals); n > 0 {
		return t.refusals[n-1]
	}
	return ErrNoAnswer
}

// silent ends a transaction that has had no answer.
func (c *Client) silent(now time.Time, t *transaction) {
	switch t.typ {
	case TypeRequest:
		if t.server.IsValid() {
			c.anotherRound(now, t, ErrNoAnswer)
			return
		}
	case TypeRenew:
		if l := t.lease; l.Mobile {
			// Any server with the feature will do, section 2.13.1.
			c.end(t)
			x := &transaction{handle: t.handle, renewal: t.renewal, lease: l}
			l.tx = x
			c.getInfo(now, x, InfoRequest{Family: FamilyOf(l.Scope), Server: c.group()})
			return
		}
	}
	c.failed(now, t, t.why())
}

// anotherRound looks for another server, if it was not done too often.
func (c *Client) anotherRound(now time.Time, t *transaction, why error) {
	if t.round >= c.cfg.Rounds {
		c.failed(now, t, why)
		return
	}
	c.end(t)
	t.round++
	t.avoid = append(t.avoid, t.server)
	c.begin(now, t)
}

// failed ends a transaction that came to nothing.
func (c *Client) failed(now time.Time, t *transaction, why error) {
	c.end(t)
	if l := t.lease; l != nil {
		c.again(now, l)
		c.tell(ClientEvent{Kind: ClientFailed, Tx: t.handle, ID: l.ID, Err: why})
		return
	}
	if t.handle != 0 {
		c.tell(ClientEvent{Kind: ClientFailed, Tx: t.handle, ID: t.id, Err: why})
	}
}
