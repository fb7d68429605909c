// Package mcasttest is a multicast network in memory, for testing programs that use
// multicast without a network: groups, sources, loss, delay, reordering and
// duplication, with connections that any protocol of this module takes.
//
// It runs on the ordinary clock, so inside a testing/synctest bubble it runs in
// virtual time.
package mcasttest

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// A Link describes one direction of a connection's path: loss, delay and the like.
// The zero Link is perfect.
type Link = netem.Link

// queueLimit is how many datagrams wait at a connection before more are dropped, as
// in the kernel's receive buffer.
const queueLimit = 16384

// A Network is a set of connections that hear each other. It is safe for concurrent
// use.
type Network struct {
	mu    sync.Mutex
	rng   *rand.Rand
	conns []*Conn
	next  byte
	order uint64
}

// New returns an empty network whose losses and delays are drawn from seed.
func New(seed uint64) *Network {
	return &Network{rng: rand.New(rand.NewPCG(seed, 1))}
}

// An Option changes one connection.
type Option func(*Conn)

// In sets the link from the network to the connection, Out the one to the network.
func In(l Link) Option  { return func(c *Conn) { c.inLink = l } }
func Out(l Link) Option { return func(c *Conn) { c.outLink = l } }

// Addr sets the connection's own address, 10.0.0.1 and so on by default.
func Addr(a netip.Addr) Option {
	return func(c *Conn) { c.addr = netip.AddrPortFrom(a, c.group.Port()) }
}

// Source makes it a source-specific connection: only this sender is heard.
func Source(a netip.Addr) Option { return func(c *Conn) { c.sources = append(c.sources, a) } }

// Open joins a group, as "239.1.2.3:5004", and returns the connection.
func (n *Network) Open(group string, opts ...Option) (*Conn, error) {
	g, err := netip.ParseAddrPort(group)
	if err != nil {
		return nil, fmt.Errorf("mcasttest: %w", err)
	}
	if !g.Addr().IsMulticast() {
		return nil, fmt.Errorf("mcasttest: %v is not a multicast address", g.Addr())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next++
	c := &Conn{net: n, group: g, addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n.next}), g.Port())}
	c.wake.L = &n.mu
	for _, o := range opts {
		o(c)
	}
	c.in = netem.NewShaper(c.inLink, rand.New(rand.NewPCG(n.rng.Uint64(), 2)))
	c.out = netem.NewShaper(c.outLink, rand.New(rand.NewPCG(n.rng.Uint64(), 3)))
	n.conns = append(n.conns, c)
	return c, nil
}

// A Conn is a connection to a Network. It implements datagram.Conn.
type Conn struct {
	net             *Network
	group, addr     netip.AddrPort
	sources         []netip.Addr
	inLink, outLink Link

	// Guarded by net.mu.
	in, out *netem.Shaper
	wake    sync.Cond
	queue   []datagram.Packet
	flying  flight
	closed  bool
	until   time.Time // the read deadline
	dropped int
	full    uint64 // datagrams among them that found the queue full
}

var _ datagram.Conn = (*Conn)(nil)

// LocalAddr returns the connection's own address.
func (c *Conn) LocalAddr() netip.AddrPort { return c.addr }

// Dropped returns how many datagrams were lost on the way in, by the link or because
// nobody read.
func (c *Conn) Dropped() int {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	return c.dropped
}

// ReadBatch implements datagram.Conn.
func (c *Conn) ReadBatch(ps []datagram.Packet) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for {
		n := 0
		for n < len(ps) && len(c.queue) > 0 {
			q := c.queue[0]
			c.queue[0] = datagram.Packet{}
			c.queue = c.queue[1:]
			buf := ps[n].Data
			if len(q.Data) > cap(buf) {
				c.dropped++
				continue
			}
			ps[n] = q
			ps[n].Data = append(buf[:0], q.Data...)
			n++
		}
		if n > 0 {
			return n, nil
		}
		if c.closed {
			return 0, fmt.Errorf("mcasttest: read: %w", net.ErrClosed)
		}
		if !c.until.IsZero() && !time.Now().Before(c.until) {
			return 0, fmt.Errorf("mcasttest: read: %w", os.ErrDeadlineExceeded)
		}
		c.wake.Wait()
	}
}

// SetReadDeadline sets the time after which blocked and later calls of ReadBatch that find no
// datagram fail with an error that wraps [os.ErrDeadlineExceeded]; the zero Time is never.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.until = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		time.AfterFunc(wait, c.wake.Broadcast)
	}
	c.wake.Broadcast()
	return nil
}

// WriteBatch implements datagram.Conn.
func (c *Conn) WriteBatch(ps []datagram.Packet) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return 0, fmt.Errorf("mcasttest: write: %w", net.ErrClosed)
	}
	for i := range ps {
		data := ps[i].Data
		if len(data) > datagram.MaxSize {
			return i, errors.New("mcasttest: write: longer than a UDP payload can be")
		}
		size := len(data)
		if ps[i].Segments() > 1 {
			size = ps[i].SegSize
		}
		for len(data) > 0 {
			n := min(size, len(data))
			c.send(data[:n], &ps[i])
			data = data[n:]
		}
	}
	return len(ps), nil
}

func (c *Conn) send(data []byte, p *datagram.Packet) {
	now := time.Now()
	dst := p.Dst
	if !dst.IsValid() {
		dst = c.group
	}
	copies, at := c.out.Offer(now, len(data)+28)
	if copies == 0 {
		return
	}
	ttl := p.HopLimit
	if ttl == 0 {
		ttl = 1
	}
	q := datagram.Packet{Data: append([]byte(nil), data...), Src: c.addr, Dst: dst, IfIndex: 1, HopLimit: ttl, TOS: p.TOS}
	for _, to := range c.net.conns {
		if to == c || to.closed || !to.wants(c.addr, dst) {
			continue
		}
		for i := range copies {
			m, arrive := to.in.Offer(at[i], len(data)+28)
			if m == 0 {
				to.dropped++
			}
			for j := range m {
				to.fly(q, arrive[j], now)
			}
		}
	}
}

func (c *Conn) wants(src, dst netip.AddrPort) bool {
	if dst == c.addr {
		return true
	}
	if dst != c.group {
		return false
	}
	for _, s := range c.sources {
		if s == src.Addr() {
			return true
		}
	}
	return len(c.sources) == 0
}

// fly delivers q at a time: at once, or by a timer. Whichever timer fires first
// delivers the datagram due first, so equal delays keep their order.
func (c *Conn) fly(q datagram.Packet, at, now time.Time) {
	if !at.After(now) && len(c.flying) == 0 {
		c.arrive(q, now)
		return
	}
	c.net.order++
	heap.Push(&c.flying, flying{at, c.net.order, q})
	time.AfterFunc(at.Sub(now), func() {
		c.net.mu.Lock()
		defer c.net.mu.Unlock()
		f := heap.Pop(&c.flying).(flying)
		c.arrive(f.packet, time.Now())
	})
}

func (c *Conn) arrive(q datagram.Packet, now time.Time) {
	if c.closed || len(c.queue) >= queueLimit {
		c.dropped++
		if !c.closed {
			c.full++
		}
		return
	}
	q.Time = now
	q.Drops = c.full
	c.queue = append(c.queue, q)
	c.wake.Signal()
}

// Close implements datagram.Conn.
func (c *Conn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	c.wake.Broadcast()
	for i, o := range c.net.conns {
		if o == c {
			c.net.conns = append(c.net.conns[:i], c.net.conns[i+1:]...)
			break
		}
	}
	return nil
}

type flying struct {
	at     time.Time
	order  uint64
	packet datagram.Packet
}

type flight []flying

func (f flight) Len() int { return len(f) }
func (f flight) Less(i, j int) bool {
	if f[i].at.Equal(f[j].at) {
		return f[i].order < f[j].order
	}
	return f[i].at.Before(f[j].at)
}
func (f flight) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flight) Push(x any)   { *f = append(*f, x.(flying)) }
func (f *flight) Pop() any {
	old := *f
	x := old[len(old)-1]
	*f = old[:len(old)-1]
	return x
}
