package madcap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// Handle takes an answer.
func (c *Client) Handle(now time.Time, p *datagram.Packet) {
	c.stats.Received++
	m := &c.in
	if err := ParseMessage(p.Data, m); err != nil {
		c.stats.Ignored++
		return
	}
	t := c.txs[m.XID]
	// An answer comes from who was asked.
	if t == nil || string(t.id) != string(m.LeaseID) || !m.ServerID.IsValid() ||
		!t.dst.Addr().IsMulticast() && (p.Src.Addr().Unmap() != t.dst.Addr().Unmap() || p.Src.Port() != t.dst.Port()) {
		c.stats.Ignored++
		return
	}
	if !c.take(now, t, m, p.Src) {
		c.stats.Ignored++
	}
}

// take handles an answer to a transaction, and reports whether it was one.
func (c *Client) take(now time.Time, t *transaction, m *Message, src netip.AddrPort) bool {
	server := m.ServerID.Unmap()
	if m.Type == TypeNak {
		if !KindNak.Check(m).Ok() || t.server.IsValid() && server != t.server {
			return false
		}
		c.refused(now, t, m)
		return true
	}
	switch {
	case t.typ == TypeDiscover && m.Type == TypeOffer:
		return c.offered(now, t, m, src)
	case m.Type != TypeAck:
		return false
	}
	switch t.typ {
	case TypeRequest:
		if !KindAckRequest.Check(m).Ok() || t.server.IsValid() && server != t.server {
			return false
		}
		if m.Ranges.Len() == 0 {
			return c.deferred(now, t, m)
		}
		return c.granted(now, t, m, src)
	case TypeRenew:
		return KindAckRenew.Check(m).Ok() && c.renewed(now, t, m, src)
	case TypeRelease:
		if !KindAckRelease.Check(m).Ok() {
			return false
		}
		c.released(t)
		return true
	case TypeGetInfo:
		return KindAckGetInfo.Check(m).Ok() && c.informed(now, t, m, src)
	}
	return false
}

// suits reports whether what a server grants is what was asked for (section 2.2.3).
func (r *Request) suits(m *Message, count int) bool {
	return m.Scope == r.Scope.Unmap() && count >= r.MinCount && count <= r.Count && m.LeaseTime >= r.MinLifetime && m.LeaseTime > 0 &&
		(r.MaxStart.IsZero() || !m.Has.Has(OptionStartTime) || !m.StartTime.After(r.MaxStart))
}

// offered collects an offer.
func (c *Client) offered(now time.Time, t *transaction, m *Message, src netip.AddrPort) bool {
	if !KindOffer.Check(m).Ok() || len(t.offers) >= maxOffersSeen {
		return false
	}
	o := seen{server: m.ServerID.Unmap(), at: src, count: t.request.Count, life: m.LeaseTime, start: m.StartTime}
	if m.Has.Has(OptionRanges) {
		o.count = m.Ranges.Total()
	}
	if !t.request.suits(m, o.count) || slices.Contains(t.avoid, o.server) ||
		slices.ContainsFunc(t.offers, func(x seen) bool { return x.server == o.server }) {
		return false
	}
	t.offers = append(t.offers, o)
	if !c.cfg.WaitAll && o.full(&t.request) {
		c.collected(now, t)
	} else if len(t.offers) == 1 {
		t.collect = now.Add(c.discoverDelay(t))
		c.wait(t)
	}
	return true
}

// leaseOf makes a lease of an ACK. Its time counts from when the request was first
// sent, which the server did not hear before that.
func (c *Client) leaseOf(t *transaction, m *Message, src netip.AddrPort) ClientLease {
	l := ClientLease{At: src, Lease: Lease{ID: t.id, Scope: m.Scope, Ranges: m.Ranges.AppendTo(nil), Server: m.ServerID.Unmap(),
		Start: t.first.Truncate(time.Second)}}
	l.End = t.first.Add(m.LeaseTime).Truncate(time.Second)
	if m.Has.Has(OptionStartTime) {
		l.Start = m.StartTime
		l.End = m.StartTime.Add(m.LeaseTime)
	}
	l.Shared = m.Features.Required().Has(SharedLease)
	l.Mobile = m.Features.Required().Has(ServerMobility)
	return l
}

func (c *Client) granted(now time.Time, t *transaction, m *Message, src netip.AddrPort) bool {
	if !t.request.suits(m, m.Ranges.Total()) || len(t.request.Ranges) > 0 && !within(m.Ranges.AppendTo(nil), t.request.Ranges) {
		return false
	}
	c.end(t)
	l := c.leaseOf(t, m, src)
	l.Lifetime, l.Renew = t.request.Lifetime, t.request.Renew
	if !now.Before(l.End) {
		c.tell(ClientEvent{Kind: ClientFailed, Tx: t.handle, ID: t.id, Err: ErrExpired})
		return true
	}
	c.hold(now, l)
	c.tell(ClientEvent{Kind: ClientAllocated, Tx: t.handle, ID: l.ID, Lease: l})
	return true
}

func (c *Client) renewed(now time.Time, t *transaction, m *Message, src netip.AddrPort) bool {
	old := t.lease
	if m.Scope != old.Scope || m.Ranges.Len() == 0 && !m.Has.Has(OptionRetryTime) || m.LeaseTime < t.renewal.MinLifetime {
		return false
	}
	if m.Ranges.Len() == 0 { // later, section 2.13.2
		c.end(t)
		at := c.later(now, m)
		c.tell(ClientEvent{Kind: ClientDeferred, Tx: t.handle, ID: t.id, At: at})
		old.renewAt = at
		c.set(&old.alarm, engine.Earliest(old.End, at))
		return true
	}
	c.end(t)
	l := c.leaseOf(t, m, src)
	l.Lifetime, l.Renew = old.Lifetime, old.Renew
	l.Shared, l.Mobile = l.Shared || old.Shared, l.Mobile || old.Mobile
	if !now.Before(l.End) {
		c.failed(now, t, ErrExpired)
		return true
	}
	if !m.Has.Has(OptionStartTime) && old.Start.Before(l.Start) {
		l.Start = old.Start
	}
	c.hold(now, l)
	c.tell(ClientEvent{Kind: ClientRenewed, Tx: t.handle, ID: l.ID, Lease: l})
	return true
}

func (c *Client) released(t *transaction) {
	c.end(t)
	if t.handle != 0 {
		c.tell(ClientEvent{Kind: ClientReleased, Tx: t.handle, ID: t.id})
	}
}

// later returns when to ask again, by the difference of the server's times.
func (c *Client) later(now time.Time, m *Message) time.Time {
	return now.Add(min(max(m.RetryTime.Sub(m.CurrentTime), 10*time.Second), 30*24*time.Hour))
}

// deferred comes back with the same request at the time the server wishes.
func (c *Client) deferred(now time.Time, t *transaction, m *Message) bool {
	if !t.request.Later || !m.Has.Has(OptionRetryTime) || !m.Features.Required().Has(RetryAfter) {
		return false
	}
	at := c.later(now, m)
	c.tell(ClientEvent{Kind: ClientDeferred, Tx: t.handle, ID: t.id, At: at})
	t.next, t.until, t.collect = time.Time{}, at, time.Time{}
	c.set(&t.alarm, at)
	again := *t
	t.alarm.ring = func(now time.Time) {
		delete(c.txs, t.xid)
		t.alarm.ring = nil
		msg, _ := again.request.message(now)
		msg.Type = TypeRequest
		if again.server.IsValid() {
			msg.ServerID, msg.Has = again.server, msg.Has.With(OptionServerID)
		}
		c.send(now, t, msg, again.dst)
	}
	return true
}

// refused handles a NAK: nothing is sent again after it (section 3.17).
func (c *Client) refused(now time.Time, t *transaction, m *Message) {
	f := Failure{m.Error.Code, slices.Clone(m.Error.Extra)}
	switch t.typ {
	case TypeDiscover, TypeGetInfo:
		// Others may still answer.
		t.refusals = append(t.refusals[:min(len(t.refusals), 8)], f)
		t.next = time.Time{}
		if t.collect.IsZero() {
			t.collect = now.Add(c.discoverDelay(t))
		}
		if !t.dst.Addr().IsMulticast() {
			t.collect = now
		}
		c.wait(t)
	case TypeRequest:
		t.refusals = append(t.refusals[:min(len(t.refusals), 8)], f)
		if t.server.IsValid() {
			c.anotherRound(now, t, f)
			return
		}
		c.failed(now, t, f)
	case TypeRelease:
		if f.Code == LeaseNotRecognized {
			c.released(t)
			return
		}
		c.failed(now, t, f)
	case TypeRenew:
		if f.Code == LeaseNotRecognized {
			l := t.lease
			c.lose(l, f)
			return
		}
		c.failed(now, t, f)
	}
}

// informed handles an answer to a GETINFO.
func (c *Client) informed(now time.Time, t *transaction, m *Message, src netip.AddrPort) bool {
	if t.answers >= maxOffersSeen {
		return false
	}
	i := Info{Server: m.ServerID.Unmap(), At: src}
	for e := range m.Scopes.All() {
		i.Scopes = append(i.Scopes, e.Describe())
	}
	if n := m.Nesting.Len(); n > 0 {
		i.inside = make([]bool, n*n)
		for x := range n {
			for y := range n {
				i.inside[x*n+y] = m.Nesting.Inside(x, y)
			}
		}
	}
	for fs, k := m.Features.Supported(), 0; k < min(fs.Len(), 64); k++ {
		i.Features = append(i.Features, fs.At(k))
	}
	if m.Has.Has(OptionCurrentTime) {
		i.Ahead = m.CurrentTime.Sub(now.Truncate(time.Second))
	}
	t.answers++
	if l := t.lease; l != nil { // who could renew it?
		if src != l.At && slices.Contains(i.Features, ServerMobility) {
			r, handle := t.renewal, t.handle
			c.end(t)
			l.At = src
			c.renew(now, l, handle, r)
		}
		return true
	}
	c.tell(ClientEvent{Kind: ClientInfo, Tx: t.handle, ID: t.id, Info: i})
	switch {
	case !t.dst.Addr().IsMulticast():
		c.end(t)
		c.infoDone(now, t)
	case t.answers == 1:
		t.collect = now.Add(c.discoverDelay(t))
		c.wait(t)
	}
	return true
}

func (c *Client) infoDone(now time.Time, t *transaction) {
	switch {
	case t.lease != nil || t.answers == 0:
		c.failed(now, t, t.why())
	default:
		c.tell(ClientEvent{Kind: ClientInfoDone, Tx: t.handle, ID: t.id})
	}
}
