package gmp

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/group"
)

// A world is links with engines on them, in virtual time.
type world struct {
	t      testing.TB
	f      *family
	rng    *rand.Rand
	now    time.Time
	queue  bookings
	order  uint64
	nodes  []*node
	trace  uint64
	hasty  int
	count  int
	bad    netem.Link // of all links while things change
	calm   bool       // nothing is lost any more
	recent Message

	sources []netip.Addr // eight
}

// A link carries messages to all nodes on it; with a switch only where that sends
// them.
type link struct {
	places []place
	switc  *node
}

// A place is a node's connection to a link.
type place struct {
	node  *node
	index int // Message.IfIndex of the node there
	port  int // of the switch
}

type node struct {
	id     int
	engine engine
	host   *Host
	router *Router
	addr   netip.Addr
	links  map[int]*link // by IfIndex
	wake   time.Time
	down   bool
	shaper [2]*netem.Shaper // bad, calm
}

type booking struct {
	at    time.Time
	order uint64
	node  *node
	index int
	m     *Message // nil is a wake-up, or a call
	call  func()
}

type bookings []*booking

func (b bookings) Len() int { return len(b) }
func (b bookings) Less(i, j int) bool {
	return b[i].at.Before(b[j].at) || b[i].at.Equal(b[j].at) && b[i].order < b[j].order
}
func (b bookings) Swap(i, j int) { b[i], b[j] = b[j], b[i] }
func (b *bookings) Push(x any)   { *b = append(*b, x.(*booking)) }
func (b *bookings) Pop() any {
	q := *b
	x := q[len(q)-1]
	*b = q[:len(q)-1]
	return x
}

func newWorld(t testing.TB, f *family, seed uint64, bad netem.Link) *world {
	return &world{t: t, f: f, rng: rand.New(rand.NewPCG(seed, 7)), now: start, bad: bad, trace: 14695981039346656037, sources: f.numbered(8)}
}

func (w *world) book(at time.Time, b booking) {
	w.order++
	b.at, b.order = at, w.order
	heap.Push(&w.queue, &b)
}

func (w *world) call(after time.Duration, fn func()) { w.book(at(after), booking{call: fn}) }

func (w *world) add(e engine, a netip.Addr) *node {
	n := &node{id: len(w.nodes), engine: e, addr: a, links: map[int]*link{}}
	n.host, _ = e.(*Host)
	n.router, _ = e.(*Router)
	calm := w.bad
	calm.Loss, calm.Duplicate = 0, 0
	n.shaper = [2]*netem.Shaper{netem.NewShaper(w.bad, w.rng), netem.NewShaper(calm, w.rng)}
	w.nodes = append(w.nodes, n)
	w.book(w.now, booking{node: n})
	return n
}

func (w *world) connect(l *link, n *node, index, port int) {
	l.places = append(l.places, place{n, index, port})
	n.links[index] = l
}

// run lets the world live until a time.
func (w *world) run(after time.Duration) {
	for len(w.queue) > 0 && !w.queue[0].at.After(at(after)) {
		b := heap.Pop(&w.queue).(*booking)
		w.now = b.at
		switch {
		case b.call != nil:
			b.call()
			continue
		case b.m != nil:
			if b.node.down {
				continue
			}
			m := *b.m
			m.IfIndex = b.index
			w.note(b.node, &m)
			b.node.engine.Handle(w.now, &m)
		default:
			if !b.node.wake.IsZero() && b.node.wake.After(w.now) {
				continue
			}
			b.node.wake = time.Time{}
			b.node.engine.Advance(w.now)
		}
		w.settle(b.node)
	}
	w.now = at(after)
}

func (w *world) settle(n *node) {
	for n.engine.Transmit(w.now, &w.recent) {
		m := keepMessage(&w.recent)
		m.IfIndex = 0
		if l := n.links[w.recent.IfIndex]; l != nil && !n.down {
			w.send(l, n, m)
		}
	}
	var e Event
	for n.engine.Event(&e) {
	}
	next := n.engine.Next()
	if next.IsZero() {
		return
	}
	if !next.After(w.now) {
		w.hasty++
		next = w.now.Add(time.Microsecond)
	}
	if n.wake.IsZero() || next.Before(n.wake) {
		n.wake = next
		w.book(next, booking{node: n})
	}
}

// send delivers a message to the nodes that would care; sparing the others changes
// nothing but the time a test takes.
func (w *world) send(l *link, from *node, m *Message) {
	if l.switc != nil {
		w.throughSwitch(l, from, m)
		return
	}
	for _, p := range l.places {
		if p.node != from {
			w.deliver(p, m)
		}
	}
}

func (w *world) throughSwitch(l *link, from *node, m *Message) {
	s := l.switc.engine.(*Snooper)
	in := *m
	for _, p := range l.places {
		if p.node == from {
			in.IfIndex = p.port
		}
	}
	// The cable to the switch loses as well.
	if n, _ := from.shaper[w.calmIndex()].Offer(w.now, 60); n == 0 {
		return
	}
	s.Handle(w.now, &in)
	ports := s.Relay(nil, &in)
	w.settle(l.switc)
	for _, p := range l.places {
		if p.node != from && slices.Contains(ports, p.port) {
			w.deliver(p, m)
		}
	}
}

func (w *world) calmIndex() int {
	if w.calm {
		return 1
	}
	return 0
}

func (w *world) deliver(p place, m *Message) {
	if h := p.node.host; h != nil {
		switch {
		case m.Kind == KindStateReport || m.Kind == KindLeave:
			return
		case m.Group.IsMulticast() && h.groups[m.Group] == nil && h.cfg.Generation > V1:
			return
		}
	}
	n, when := p.node.shaper[w.calmIndex()].Offer(w.now, 60)
	for _, at := range when[:n] {
		w.book(at, booking{node: p.node, index: p.index, m: m})
	}
}

// note adds a delivery to the trace.
func (w *world) note(n *node, m *Message) {
	w.count++
	mix := func(v uint64) { w.trace = (w.trace ^ v) * 1099511628211 }
	mixAddr := func(a netip.Addr) {
		for _, b := range a.AsSlice() {
			mix(uint64(b))
		}
	}
	mix(uint64(w.now.UnixNano()))
	mix(uint64(n.id)<<16 | uint64(m.Kind)<<8 | uint64(m.Generation))
	mixAddr(m.Group)
	for _, a := range m.Sources {
		mixAddr(a)
	}
	for _, r := range m.Records {
		mix(uint64(r.Type))
		mixAddr(r.Group)
		for _, a := range r.Sources {
			mixAddr(a)
		}
	}
}

func (w *world) traceWords() string { return fmt.Sprintf("%016x/%d", w.trace, w.count) }

// hostAddr numbers hosts above all routers.
func (f *family) hostAddr(i int) netip.Addr {
	if f.p.LinkLocal {
		return addr(fmt.Sprintf("fe80::1:%x", i+1))
	}
	return netip.AddrFrom4([4]byte{10, 0, byte(1 + i>>8), byte(i)})
}

// groupAddr: every fifth group is source-specific.
func (f *family) groupAddr(i int) netip.Addr {
	switch ssm := i%5 == 0; {
	case f.p.LinkLocal && ssm:
		return addr(fmt.Sprintf("ff35::8000:%x", i+1))
	case f.p.LinkLocal:
		return addr(fmt.Sprintf("ff15::%x", i+1))
	case ssm:
		return netip.AddrFrom4([4]byte{232, 1, 1, byte(i)})
	default:
		return netip.AddrFrom4([4]byte{239, 1, 1, byte(i)})
	}
}

// randomFilter is what someone may want of a group: nothing, some, all or all but
// some of eight senders.
func (w *world) randomFilter(g netip.Addr) group.Filter {
	var f group.Filter
	switch n := w.rng.IntN(10); {
	case n < 3:
		return f
	case n < 5 && !group.IsSSM(g):
		f.Mode = group.Exclude
		return f
	case n < 7 && !group.IsSSM(g):
		f.Mode = group.Exclude
	}
	for i := 1; i <= 8; i++ {
		if w.rng.IntN(3) == 0 {
			f.Sources = append(f.Sources, w.sources[i-1])
		}
	}
	return f
}

// wanted merges what hosts want of a group.
func wanted(hosts []*node, g netip.Addr) group.Filter {
	var m merger
	for _, n := range hosts {
		m.add(n.host.Filter(g))
	}
	return m.result()
}
