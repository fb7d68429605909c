package flow

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// MaxFlows bounds how many flows a Monitor remembers. Packets of more are counted
// in Monitor.Other.
const MaxFlows = 1024

// A Flow is what came from one sender to one group. Counts are since the start.
type Flow struct {
	Group  netip.AddrPort
	Source netip.AddrPort

	Kind  Kind
	ID    uint32 // RTP SSRC, NORM node ID or test session; 0 for the others
	Media uint8  // RTP payload type

	Packets, Bytes uint64 // datagrams and UDP payload
	HopLimit       int    // of the last packet, 0 unknown
	TOS            uint8  // of the last packet
	IfIndex        int    // of the last packet
	First, Last    time.Time
	Ended          bool // the sender said so (test, iperf)

	Sequence Sequence // of RTP, NORM, iperf and test packets
	Delay    Delay    // of test and iperf packets

	recognizer recognizer
}

// Numbered reports whether the flow's packets have numbers, so that Sequence says
// something.
func (f *Flow) Numbered() bool {
	return f.Kind == Test || f.Kind == IPerf || f.Kind == RTP || f.Kind == NORM
}

// A Monitor sorts packets into flows. It is not for concurrent use.
type Monitor struct {
	flows map[key]*Flow
	order []*Flow // by first packet

	Other uint64 // packets of flows beyond MaxFlows
}

type key struct{ group, source netip.AddrPort }

// NewMonitor returns a Monitor that has seen nothing.
func NewMonitor() *Monitor { return &Monitor{flows: make(map[key]*Flow)} }

// Handle counts the datagrams of p. A packet without Time counts as arrived at
// now.
func (m *Monitor) Handle(now time.Time, p *datagram.Packet) {
	at := p.Time
	if at.IsZero() {
		at = now
	}
	f := m.flow(p)
	if f == nil {
		m.Other += uint64(p.Segments())
		return
	}
	if f.Packets == 0 {
		f.First = at
	}
	f.Last, f.HopLimit, f.TOS, f.IfIndex = at, p.HopLimit, p.TOS, p.IfIndex
	rest, size := p.Data, len(p.Data)
	if p.Segments() > 1 {
		size = p.SegSize
	}
	for {
		n := min(size, len(rest))
		f.add(rest[:n], at)
		if rest = rest[n:]; len(rest) == 0 {
			return
		}
	}
}

func (m *Monitor) flow(p *datagram.Packet) *Flow {
	k := key{p.Dst, p.Src}
	f := m.flows[k]
	if f == nil && len(m.flows) < MaxFlows {
		f = &Flow{Group: p.Dst, Source: p.Src}
		m.flows[k] = f
		m.order = append(m.order, f)
	}
	return f
}

// add counts one datagram.
func (f *Flow) add(b []byte, at time.Time) {
	f.Packets++
	f.Bytes += uint64(len(b))
	n := f.recognizer.look(b, f.Group.Port(), at)
	if n.kind != f.Kind || n.id != f.ID {
		if n.kind == Unknown {
			return // one odd packet does not make another flow
		}
		restarts := f.Sequence.Restarts
		if f.Kind != Unknown {
			restarts++
		}
		f.Sequence, f.Delay = Sequence{Restarts: restarts}, Delay{}
		f.Kind, f.ID, f.Ended = n.kind, n.id, false
	}
	f.Media = n.media
	f.Ended = n.last
	if n.last { // said several times
		f.Sequence.End(n.seq)
		return
	}
	switch n.bits {
	case 16:
		f.Sequence.Add16(uint16(n.seq))
	case 64:
		f.Sequence.Add(n.seq)
	}
	if !n.sent.IsZero() {
		f.Delay.add(at.Sub(n.sent))
	}
}

// Flows returns copies of all flows, ordered by group and source.
func (m *Monitor) Flows() []Flow {
	fs := make([]Flow, len(m.order))
	for i, f := range m.order {
		fs[i] = *f
	}
	slices.SortStableFunc(fs, func(a, b Flow) int {
		if c := a.Group.Compare(b.Group); c != 0 {
			return c
		}
		return a.Source.Compare(b.Source)
	})
	return fs
}

// Name says what the flow is, with what tells it from others of its kind: "RTP
// 33", "NORM 17".
func (f *Flow) Name() string {
	switch f.Kind {
	case RTP:
		return f.Kind.String() + " " + strconv.Itoa(int(f.Media))
	case NORM:
		return f.Kind.String() + " " + strconv.FormatUint(uint64(f.ID), 10)
	}
	return f.Kind.String()
}
