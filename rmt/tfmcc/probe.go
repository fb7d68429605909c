package tfmcc

import (
	"sort"
	"time"
)

// A Listed is a receiver named in a probe (RFC 5740 section 4.2.3.4).
type Listed struct {
	Node     uint32
	CLR, PLR bool
	RTT      time.Duration // 0 is unknown
	Rate     float64
	Start    bool
}

// maxPLR is how many receivers are asked besides the CLR.
const maxPLR = 4

// AppendList appends the receivers to name in the next probe, at most limit: the CLR
// first; then those whose answer decides something, as potential CLRs; then those who
// do not know their round-trip time; then the slowest (RFC 5740 section 5.5.2.1).
func (s *Sender) AppendList(dst []Listed, limit int) []Listed {
	order := append([]*node(nil), s.nodes...)
	sort.SliceStable(order, func(i, j int) bool {
		if a, b := s.rank(order[i]), s.rank(order[j]); a != b {
			return a < b
		}
		return order[i].rate < order[j].rate
	})
	plr := 0
	for _, n := range order[:min(limit, len(order))] {
		l := Listed{Node: n.id, CLR: n == s.clr, RTT: n.rtt, Rate: n.rate, Start: n.start}
		if !l.CLR && plr < maxPLR && (!n.confirmed || s.near(n)) {
			l.PLR = true
			plr++
		}
		dst = append(dst, l)
	}
	return dst
}

func (s *Sender) rank(n *node) int {
	switch {
	case n == s.clr:
		return 0
	case !n.confirmed && s.near(n):
		return 1
	case !n.told:
		return 2
	case s.near(n):
		return 3
	}
	return 4
}

// near reports whether a receiver may soon be the CLR.
func (s *Sender) near(n *node) bool { return s.clr == nil || n.rate < 1.5*s.clr.rate }

// ProbeInterval returns the time between probes: the CLR's round-trip time while
// there is data, and it is known (RFC 5740 section 5.5.2.1).
func (s *Sender) ProbeInterval() (d time.Duration, known bool) {
	return max(s.rtt(), minProbeInterval), s.clr != nil && s.busy
}

// minProbeInterval keeps probes on a short path from being most of the traffic.
const minProbeInterval = 10 * time.Millisecond
