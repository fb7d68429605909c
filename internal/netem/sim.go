package netem

import (
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
	in     datagram.Packet // scratch, so that engines cost no allocation
	out    datagram.Packet
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
	wake    time.Duration // of the earliest wake-up in the heap; 0 is none
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
		Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), s.Group.Port()),
		out:  NewShaper(out, s.Rand(name+"/out")), in: NewShaper(in, s.Rand(name+"/in")),
	}
	s.nodes = append(s.nodes, n)
	s.push(event{at: s.now.Sub(Start), node: n})
	return n
}

// SetSkew makes the node's clock run faster by a fraction, 1e-4 being 100 ppm.
func (n *Node) SetSkew(f float64) { n.skew = f }

// Share makes nodes send through one and the same link, for which they compete, in
// place of their own. The shaper is returned for later changes.
func (s *Sim) Share(l Link, nodes ...*Node) *Shaper {
	sh := NewShaper(l, s.Rand(nodes[0].Name+"/shared"))
	for _, n := range nodes {
		n.out = sh
	}
	return sh
}

// Out returns the shaper of the node's outgoing link, In that of the incoming one.
func (n *Node) Out() *Shaper { return n.out }

// In returns the shaper of the node's incoming link.
func (n *Node) In() *Shaper { return n.in }

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
	s.push(event{at: after, call: fn})
}

// Trace returns a digest of everything that was delivered so far: when, from whom,
// to whom and what.
func (s *Sim) Trace() string { return fmt.Sprintf("%016x/%d", s.trace, s.count) }

// RunUntil runs until done returns true, asked before every event, or limit has
// passed since the start; it reports whether it was done.
func (s *Sim) RunUntil(limit time.Duration, done func() bool) bool {
	for len(s.events) > 0 && s.events[0].at <= limit {
		if done() {
			return true
		}
		e := s.events.pop()
		// A call may have been booked for a time that had passed.
		if at := Start.Add(e.at); at.After(s.now) {
			s.now = at
		}
		switch {
		case e.call != nil:
			e.call()
		case e.letter != nil:
			s.deliver(&e)
		default:
			s.wake(e.node, e.at)
		}
	}
	if done() {
		return true
	}
	// Nothing more happens until then, but the time passes.
	if end := Start.Add(limit); s.now.Before(end) {
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
	s.in = datagram.Packet{
		Data: e.letter.data, Src: e.letter.from.Addr, Dst: e.letter.to, Time: s.now, HopLimit: 1, IfIndex: 1, TOS: e.letter.tos,
	}
	e.node.engine.Handle(e.node.time(), &s.in)
	e.node.settle()
}

func (s *Sim) wake(n *Node, at time.Duration) {
	if n.wake == at {
		n.wake = 0
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
		s.out = datagram.Packet{Data: s.buf[:0]}
		if !n.engine.Transmit(n.time(), &s.out) {
			break
		}
		s.send(n, &s.out)
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
	at := max(n.start.Sub(Start)+d+1, s.now.Sub(Start)+time.Microsecond)
	if n.wake == 0 || at < n.wake {
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
	tos := p.TOS
	if p.ECN() != 0 && from.out.marks(s.now) {
		tos |= 3
	}
	n, at := from.out.Offer(s.now, len(p.Data)+28)
	if n == 0 {
		return
	}
	l := newLetter(from, dst, p.Data)
	l.tos = tos
	for _, to := range s.nodes {
		if to == from || !dst.Addr().IsMulticast() && to.Addr != dst {
			continue
		}
		if s.Filter != nil && !s.Filter(from, to, l.data) {
			continue
		}
		for i := range n {
			m, arrive := to.in.Offer(at[i], len(l.data)+28)
			if m == 0 {
				to.Lost++
			}
			for j := range m {
				s.push(event{at: arrive[j].Sub(Start), node: to, letter: l.damaged(to.in)})
			}
		}
	}
}

// note adds a delivery to the trace (FNV-1a, by words).
func (s *Sim) note(e *event) {
	s.count++
	for _, w := range [...]uint64{uint64(e.at), e.letter.from.id()<<32 | e.node.id(), e.letter.digest} {
		s.trace = (s.trace ^ w) * 1099511628211
	}
}

// id is the node's address as a number.
func (n *Node) id() uint64 {
	b := n.Addr.Addr().As4()
	return uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
}

func (s *Sim) push(e event) {
	s.order++
	e.order = s.order
	s.events.push(e)
}
