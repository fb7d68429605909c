package madcap

import (
	"container/heap"
	"fmt"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// leastRetry is the shortest time between two attempts to renew a lease.
const leastRetry = 30 * time.Second

// A Client asks servers for leases and keeps them, as an engine. It is not for
// concurrent use; RunClient makes a running client of it.
type Client struct {
	cfg    ClientConfig
	xid    uint32
	lastTx uint64
	txs    map[uint32]*transaction // by XID
	ids    map[ID]bool             // of those
	leases map[ID]*clientLease
	alarms alarms
	queue  []*transaction // to be sent
	events []ClientEvent
	stats  ClientStats
	in     Message // scratch
}

var _ engine.Engine = (*Client)(nil)

// A clientLease is a lease the client has.
type clientLease struct {
	ClientLease
	alarm   alarm
	renewAt time.Time
	tx      *transaction // that is about it
}

// NewClient returns a client that has no leases; Adopt gives it those it had before. The
// error wraps ErrConfig.
func NewClient(now time.Time, cfg ClientConfig) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Rand == nil {
		return nil, fmt.Errorf("%w: Rand is not set", ErrConfig)
	}
	return &Client{cfg: cfg.withDefaults(), xid: cfg.Rand.Uint32(), txs: make(map[uint32]*transaction), ids: make(map[ID]bool), leases: make(map[ID]*clientLease)}, nil
}

// Allocate asks for a lease. It returns the number that the events about it have: there
// will be one ClientAllocated or ClientFailed, and may be ClientDeferred before. Errors
// wrap ErrRequest.
func (c *Client) Allocate(now time.Time, r Request) (tx uint64, err error) {
	r = r.withDefaults(&c.cfg)
	if r.ID == "" {
		var b [16]byte
		for i := range b {
			b[i] = byte(c.cfg.Rand.Uint32())
		}
		r.ID = RandomID(b[:])
	}
	if c.leases[r.ID] != nil || c.ids[r.ID] {
		return 0, fmt.Errorf("%w: there is a lease %v already", ErrRequest, r.ID)
	}
	if _, err := r.message(now); err != nil {
		return 0, err
	}
	c.lastTx++
	t := &transaction{handle: c.lastTx, id: r.ID, request: r, round: 1}
	c.begin(now, t)
	return t.handle, nil
}

// Renew asks for another end, or start, of a lease. The events are ClientRenewed or
// ClientFailed, and ClientLost as well when the server does not know the lease. Errors wrap
// ErrUnknownLease or ErrRequest.
func (c *Client) Renew(now time.Time, id ID, r Renewal) (tx uint64, err error) {
	l := c.leases[id]
	switch {
	case l == nil:
		return 0, fmt.Errorf("%w: %v", ErrUnknownLease, id)
	case r.Lifetime < 0 || r.MinLifetime < 0 || r.Lifetime > 0 && r.MinLifetime > r.Lifetime:
		return 0, fmt.Errorf("%w: lifetime %v, at least %v", ErrRequest, r.Lifetime, r.MinLifetime)
	case !r.MaxStart.IsZero() && r.MaxStart.Before(r.Start):
		return 0, fmt.Errorf("%w: start at %v, at the latest at %v", ErrRequest, r.Start, r.MaxStart)
	}
	l.Lifetime = r.Lifetime
	c.lastTx++
	c.renew(now, l, c.lastTx, r)
	return c.lastTx, nil
}

func (c *Client) renew(now time.Time, l *clientLease, handle uint64, r Renewal) {
	if old := l.tx; old != nil {
		c.end(old)
		if old.handle != 0 {
			c.tell(ClientEvent{Kind: ClientFailed, Tx: old.handle, ID: l.ID, Err: ErrCanceled})
		}
	}
	m := Message{Type: TypeRenew, Family: FamilyOf(l.Scope), LeaseID: []byte(l.ID), Has: OptionsOf(OptionLeaseID)}
	m.times(now, r.Lifetime, r.MinLifetime, r.Start, r.MaxStart)
	l.tx = &transaction{handle: handle, id: l.ID, renewal: r, lease: l}
	c.send(now, l.tx, m, l.At)
}

// Release gives a lease back. The client forgets it at once; the event is
// ClientReleased, or ClientFailed when no server answered, who then keeps the addresses
// till the lease's end. The error wraps ErrUnknownLease.
func (c *Client) Release(now time.Time, id ID) (tx uint64, err error) {
	l := c.leases[id]
	if l == nil {
		return 0, fmt.Errorf("%w: %v", ErrUnknownLease, id)
	}
	c.drop(l)
	c.lastTx++
	c.release(now, c.lastTx, id, FamilyOf(l.Scope), l.At)
	return c.lastTx, nil
}

func (c *Client) release(now time.Time, handle uint64, id ID, f Family, at netip.AddrPort) {
	m := Message{Type: TypeRelease, Family: f, LeaseID: []byte(id), Has: OptionsOf(OptionLeaseID)}
	c.send(now, &transaction{handle: handle, id: id}, m, at)
}

// GetInfo asks servers what they know. Events are a ClientInfo for each that answers, and
// then ClientInfoDone, or ClientFailed when none does. Errors wrap ErrRequest.
func (c *Client) GetInfo(now time.Time, r InfoRequest) (tx uint64, err error) {
	if r.Family == 0 {
		r.Family = IPv4
	}
	if r.Family.size() == 0 || len(r.Language) > 255 || r.Language != "" && !validTag(r.Language) {
		return 0, fmt.Errorf("%w: information in %q about %v", ErrRequest, r.Language, r.Family)
	}
	c.lastTx++
	c.getInfo(now, &transaction{handle: c.lastTx}, r)
	return c.lastTx, nil
}

func (c *Client) getInfo(now time.Time, t *transaction, r InfoRequest) {
	var b [16]byte
	for i := range b {
		b[i] = byte(c.cfg.Rand.Uint32())
	}
	t.id = RandomID(b[:])
	m := Message{Type: TypeGetInfo, Family: r.Family, LeaseID: []byte(t.id), Has: OptionsOf(OptionLeaseID, OptionRequestList),
		RequestList: NewCodeList(OptionScopeList, OptionNesting, OptionFeatures, OptionCurrentTime)}
	if r.Language != "" {
		m.Language, m.Has = []byte(r.Language), m.Has.With(OptionLanguage)
	}
	to := r.Server
	if !to.IsValid() {
		to = c.cfg.Server
	}
	if !to.IsValid() {
		to = c.group()
	}
	c.send(now, t, m, to)
}

// Adopt takes a lease over that a client had before, as after a restart. It is renewed
// at its time if it is to be, or lost at its end. Errors wrap ErrRequest.
func (c *Client) Adopt(now time.Time, l ClientLease) error {
	switch {
	case l.ID == "" || len(l.ID) > maxLeaseID || !l.At.IsValid() || len(l.Ranges) == 0 || !l.Scope.IsMulticast():
		return fmt.Errorf("%w: a lease needs its ID, scope, addresses and server", ErrRequest)
	case c.leases[l.ID] != nil || c.ids[l.ID]:
		return fmt.Errorf("%w: there is a lease %v already", ErrRequest, l.ID)
	case !now.Before(l.End):
		return fmt.Errorf("%w: %w at %v", ErrRequest, ErrExpired, l.End)
	}
	c.hold(now, l)
	return nil
}

// Leases calls yield with every lease the client has, until it returns false.
func (c *Client) Leases(yield func(ClientLease) bool) {
	for _, l := range c.leases {
		if !yield(l.ClientLease) {
			return
		}
	}
}

// Cancel gives up what a call began. No event follows, and a lease that the server may
// have granted by now is released.
func (c *Client) Cancel(now time.Time, tx uint64) {
	for _, t := range c.txs {
		if t.handle != tx {
			continue
		}
		c.end(t)
		if t.typ == TypeRequest && t.lease == nil {
			at := t.chosen
			if !at.IsValid() {
				at = t.dst
			}
			c.release(now, 0, t.id, FamilyOf(t.request.Scope), at)
		}
		return
	}
}

// hold has a lease from now on.
func (c *Client) hold(now time.Time, l ClientLease) *clientLease {
	h := c.leases[l.ID]
	if h == nil {
		h = &clientLease{alarm: alarm{place: -1}}
		h.alarm.ring = func(now time.Time) { c.due(now, h) }
		c.leases[l.ID] = h
	}
	h.ClientLease = l
	h.renewAt = time.Time{}
	if l.Renew {
		h.renewAt = now.Add(l.End.Sub(now) / 2)
	}
	c.set(&h.alarm, engine.Earliest(h.End, h.renewAt))
	return h
}

// drop forgets a lease.
func (c *Client) drop(l *clientLease) {
	if l.tx != nil {
		c.end(l.tx)
	}
	c.unset(&l.alarm)
	delete(c.leases, l.ID)
}

// due renews a lease, or ends it.
func (c *Client) due(now time.Time, l *clientLease) {
	if !now.Before(l.End) {
		c.lose(l, ErrExpired)
		return
	}
	if !l.renewAt.IsZero() && !now.Before(l.renewAt) {
		l.renewAt = time.Time{}
		if l.tx == nil {
			c.renew(now, l, 0, Renewal{Lifetime: l.Lifetime})
		}
	}
	c.set(&l.alarm, engine.Earliest(l.End, l.renewAt))
}

func (c *Client) lose(l *clientLease, why error) {
	if l.tx != nil && l.tx.handle != 0 {
		c.tell(ClientEvent{Kind: ClientFailed, Tx: l.tx.handle, ID: l.ID, Err: why})
	}
	c.drop(l)
	c.tell(ClientEvent{Kind: ClientLost, ID: l.ID, Lease: l.ClientLease, Err: why})
}

// again sets when a lease that could not be renewed is tried next: when half of what is
// left has passed.
func (c *Client) again(now time.Time, l *clientLease) {
	if l.Renew {
		l.renewAt = now.Add(max(l.End.Sub(now)/2, leastRetry))
	}
	c.set(&l.alarm, engine.Earliest(l.End, l.renewAt))
}

// Advance runs what is due.
func (c *Client) Advance(now time.Time) {
	for len(c.alarms) > 0 && !now.Before(c.alarms[0].at) {
		a := c.alarms[0]
		c.unset(a)
		a.ring(now)
	}
}

// Next returns when Advance has something to do.
func (c *Client) Next() time.Time {
	if len(c.alarms) == 0 {
		return time.Time{}
	}
	return c.alarms[0].at
}

// Transmit gives the next message.
func (c *Client) Transmit(now time.Time, p *datagram.Packet) bool {
	for len(c.queue) > 0 {
		t := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		t.queued = false
		if t.ended {
			continue
		}
		p.Data = append(p.Data[:0], t.data...)
		p.Dst = t.dst
		if t.dst.Addr().IsMulticast() {
			p.HopLimit = c.cfg.TTL
		}
		c.stats.Sent++
		return true
	}
	c.queue = nil
	return false
}

// An alarm calls ring when its time has come.
type alarm struct {
	at    time.Time
	ring  func(now time.Time)
	place int // in the heap; -1 is not in it
}

// alarms is a heap with the earliest in front.
type alarms []*alarm

func (h alarms) Len() int           { return len(h) }
func (h alarms) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h alarms) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].place, h[j].place = i, j }
func (h *alarms) Push(x any)        { a := x.(*alarm); a.place = len(*h); *h = append(*h, a) }
func (h *alarms) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*h, a.place = old[:len(old)-1], -1
	return a
}

// set makes an alarm ring at a time, the zero time is never.
func (c *Client) set(a *alarm, at time.Time) {
	if at.IsZero() {
		c.unset(a)
		return
	}
	a.at = at
	if a.place >= 0 {
		heap.Fix(&c.alarms, a.place)
	} else {
		heap.Push(&c.alarms, a)
	}
}

func (c *Client) unset(a *alarm) {
	if a.place >= 0 {
		heap.Remove(&c.alarms, a.place)
	}
}
