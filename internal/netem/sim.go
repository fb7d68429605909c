package netem

import (
	"container/heap"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
)

// A Sim runs engines in virtual time. Packets to a multicast address reach every
// other node, to a unicast address the node that has it.
type Sim struct {
	Group netip.AddrPort // what a packet without destination goes to

	// Filter, when set, decides about each packet on its way to one node,
	// before the links do; false drops it.
	Filter func(from, to *Node, data []byte) bool

	now    time.Time
	seed   uint64
	nodes  []*Node
	events eventHeap
	order  uint64
	trace  uint64
	count  uint64
	buf    []byte
}

// A Node is an engine in the network.
type Node struct {
	Name string
	Addr netip.AddrPort

	// Drain is called after every call of the engine, to collect its events.
	Drain func(now time.Time)

	// Sent and Received count packets on the node's links, Lost those that
	// its receiving link dropped.
	Sent, SentBytes, Received, Lost uint64

	// Hasty counts how often the engine asked to be called again at once
	// although it had just been advanced and drained. On a real clock that is a
	// busy loop.
	Hasty uint64

	sim     *Sim
	engine  engine.Engine
	out, in *Shaper
	skew    float64
	start   time.Time
	wake    time.Time // of the earliest wake-up in the heap
	down    bool
}

// Start is the virtual time at which every simulation begins.
var Start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// NewSim returns an empty network.
func NewSim(seed uint64) *Sim {
	return &Sim{
		Group: netip.MustParseAddrPort("239.1.2.3:6003"),
		now:   Start, seed: seed, trace: 14695981039346656037,
		buf: make([]byte, 0, 64<<10),
	}
}

// Now returns the virtual time.
func (s *Sim) Now() time.Time { return s.now }

// Rand returns a new source of randomness for a part of the simulation.
func (s *Sim) Rand(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(s.seed, h.Sum64()))
}

// Add connects an engine by an outgoing and an incoming link. It begins to run at
// once, at the virtual time of the call.
func (s *Sim) Add(name string, e engine.Engine, out, in Link) *Node {
	i := len(s.nodes) + 1
	n := &Node{
		Name: name, sim: s, engine: e, start: s.now,
		Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), s.Group.Port()),
		out:  NewShaper(out, s.Rand(name+"/out")), in: NewShaper(in, s.Rand(name+"/in")),
	}
	s.nodes = append(s.nodes, n)
	s.push(event{at: s.now, node: n})
	return n
}

// SetSkew makes the node's clock run faster by a fraction, 1e-4 being 100 ppm.
func (n *Node) SetSkew(f float64) { n.skew = f }

// SetDown cuts the node off, or connects it again.
func (n *Node) SetDown(down bool) { n.down = down }

// Restart puts another engine in the place of the node's, as when a program starts
// again on the same host.
func (n *Node) Restart(e engine.Engine) {
	n.engine = e
	n.settle()
}

// Run calls fn with the node's own time and then drains its engine, as for a
// method of the engine called from outside.
func (n *Node) Run(fn func(now time.Time)) {
	fn(n.time())
	n.settle()
}

// time returns the node's own time.
func (n *Node) time() time.Time {
	d := n.sim.now.Sub(n.start)
	return n.start.Add(d + time.Duration(float64(d)*n.skew))
}

// At runs fn at a virtual time after the start of the simulation.
func (s *Sim) At(after time.Duration, fn func()) {
	s.push(event{at: Start.Add(after), call: fn})
}

// Trace returns a digest of everything that was delivered so far: when, from whom,
// to whom and what.
func (s *Sim) Trace() string { return fmt.Sprintf("%016x/%d", s.trace, s.count) }

// RunUntil runs until done returns true, asked before every event, or limit has
// passed since the start; it reports whether it was done.
func (s *Sim) RunUntil(limit time.Duration, done func() bool) bool {
	end := Start.Add(limit)
	for s.events.Len() > 0 && !s.events[0].at.After(end) {
		if done() {
			return true
		}
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		switch {
		case e.call != nil:
			e.call()
		case e.data != nil:
			s.deliver(&e)
		default:
			s.wake(e.node, e.at)
		}
	}
	if done() {
		return true
	}
	// Nothing more happens until then, but the time passes.
	if s.now.Before(end) {
		s.now = end
	}
	return false
}

func (s *Sim) deliver(e *event) {
	if e.node.down {
		return
	}
	e.node.Received++
	s.note(e)
	e.node.engine.Handle(e.node.time(), &datagram.Packet{
		Data: e.data, Src: e.from, Dst: e.to, Time: s.now, HopLimit: 1, IfIndex: 1,
	})
	e.node.settle()
}

func (s *Sim) wake(n *Node, at time.Time) {
	if n.wake.Equal(at) {
		n.wake = time.Time{}
	}
	n.engine.Advance(n.time())
	n.settle()
	if next := n.engine.Next(); !next.IsZero() && !next.After(n.time()) {
		n.Hasty++
	}
}

// settle drains the node's engine after a call and books its next wake-up.
func (n *Node) settle() {
	s := n.sim
	for {
		p := datagram.Packet{Data: s.buf[:0]}
		if !n.engine.Transmit(n.time(), &p) {
			break
		}
		s.send(n, &p)
	}
	if n.Drain != nil {
		n.Drain(n.time())
	}
	next := n.engine.Next()
	if next.IsZero() {
		return
	}
	// From the node's clock to the network's. Never now: a deadline that is
	// not met at its own time would stop the world.
	d := time.Duration(float64(next.Sub(n.start)) / (1 + n.skew))
	at := n.start.Add(d + 1)
	if floor := s.now.Add(time.Microsecond); at.Before(floor) {
		at = floor
	}
	if n.wake.IsZero() || at.Before(n.wake) {
		n.wake = at
		s.push(event{at: at, node: n})
	}
}

func (s *Sim) send(from *Node, p *datagram.Packet) {
	from.Sent++
	from.SentBytes += uint64(len(p.Data))
	dst := p.Dst
	if !dst.IsValid() {
		dst = s.Group
	}
	if from.down {
		return
	}
	n, at := from.out.Offer(s.now, len(p.Data)+28)
	if n == 0 {
		return
	}
	data := append([]byte(nil), p.Data...)
	for _, to := range s.nodes {
		if to == from || !dst.Addr().IsMulticast() && to.Addr != dst {
			continue
		}
		if s.Filter != nil && !s.Filter(from, to, data) {
			continue
		}
		for i := range n {
			m, arrive := to.in.Offer(at[i], len(data)+28)
			if m == 0 {
				to.Lost++
			}
			for j := range m {
				s.push(event{at: arrive[j], node: to, data: data, from: from.Addr, to: dst})
			}
		}
	}
}

// note adds a delivery to the trace (FNV-1a over its parts).
func (s *Sim) note(e *event) {
	s.count++
	mix := func(b byte) { s.trace = (s.trace ^ uint64(b)) * 1099511628211 }
	for v, i := uint64(e.at.UnixNano()), 0; i < 8; i++ {
		mix(byte(v >> (8 * i)))
	}
	for _, b := range e.from.Addr().As4() {
		mix(b)
	}
	for _, b := range e.node.Addr.Addr().As4() {
		mix(b)
	}
	for _, b := range e.data {
		mix(b)
	}
}

type event struct {
	at       time.Time
	order    uint64
	node     *Node
	data     []byte // a packet; else call; else a wake-up
	call     func()
	from, to netip.AddrPort
}

func (s *Sim) push(e event) {
	s.order++
	e.order = s.order
	heap.Push(&s.events, e)
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].order < h[j].order
	}
	return h[i].at.Before(h[j].at)
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*h = old[:len(old)-1]
	return e
}
