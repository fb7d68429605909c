package core

import (
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/pace"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// How often the group is probed: quickly at first, then at a steady pace while
// there is data, seldom without (RFC 5740 sections 5.5.1 and 5.5.2.1).
const (
	firstProbeInterval = 50 * time.Millisecond
	busyProbeInterval  = time.Second
	smallProbeInterval = 250 * time.Millisecond // in a small group, so that a peak wears off soon
	idleProbeInterval  = 30 * time.Second
	maxCCNodes         = 32
	smallGroup         = 8 // receivers heard of, up to which all answer every probe
)

// A grttEstimator keeps the group round-trip time by the rules of RFC 5401 section
// 3.7.1: up at once, down by a tenth for each probing interval. The very first
// interval with answers replaces the initial guess.
type grttEstimator struct {
	cfg       *SenderConfig
	current   time.Duration
	peak      time.Duration
	ceiling   time.Duration // of current until the next probe; see sample
	measured  bool
	epoch     time.Time // origin of timestamps
	nextProbe time.Time
	interval  time.Duration
	decay     time.Time // when current may next go down
	sequence  uint16
	low       time.Duration // the time a segment takes at the set rate
	coded     time.Duration // what quantized was computed from
	quantized uint8

	hosts map[netip.Addr]hostRTT // as far as they were believed
}

type hostRTT struct {
	rtt time.Duration
	at  time.Time
}

// Of so many hosts the last round-trip time is remembered, for so long.
const (
	rttHosts  = 64
	rttMemory = 3 * idleProbeInterval
)

// believe bounds what one host says its round-trip time is by what the others say, if
// there are others: it alone cannot have the group wait for long.
func (g *grttEstimator) believe(now time.Time, host netip.Addr, rtt time.Duration) time.Duration {
	if !host.IsValid() {
		return rtt
	}
	var others time.Duration
	var oldest netip.Addr
	for a, h := range g.hosts {
		if o := g.hosts[oldest]; !oldest.IsValid() || h.at.Before(o.at) || h.at.Equal(o.at) && a.Less(oldest) {
			oldest = a
		}
		if a != host && now.Sub(h.at) < rttMemory {
			others = max(others, h.rtt)
		}
	}
	if others > 0 {
		rtt = min(rtt, maxGrowth*max(others, g.cfg.MinGRTT))
	}
	if g.hosts == nil {
		g.hosts = make(map[netip.Addr]hostRTT)
	}
	if _, known := g.hosts[host]; !known && len(g.hosts) >= rttHosts {
		delete(g.hosts, oldest)
	}
	g.hosts[host] = hostRTT{rtt, now}
	return rtt
}

func (g *grttEstimator) init(cfg *SenderConfig) {
	*g = grttEstimator{cfg: cfg, current: cfg.GRTT, interval: firstProbeInterval, nextProbe: time.Unix(0, 1)}
	g.setRate(cfg.Rate)
}

// advertised returns the estimate as receivers read it from a message.
func (g *grttEstimator) advertised() time.Duration {
	return wire.GRTT(g.code())
}

// code is the same as it is sent.
func (g *grttEstimator) code() uint8 {
	if e := max(g.current, g.low); e != g.coded {
		g.coded, g.quantized = e, wire.QuantizeGRTT(e)
	}
	return g.quantized
}

// setRate takes in the lower bound that the rate sets (RFC 5740 section 4.2.1).
func (g *grttEstimator) setRate(bitsPerSecond int64) {
	g.low = 0
	if bitsPerSecond > 0 {
		g.low = pace.Duration(g.cfg.SegmentSize, bitsPerSecond)
	}
}

// maxGrowth is how many times longer than the estimate one receiver may say the
// round-trip time is and be believed at once.
const maxGrowth = 10

// sample takes in one receiver's round-trip time. One that is out of all proportion may
// be forged, or come from a receiver that has slept: it counts in full when that
// receiver says so again, in answer to another probe, and until then only as far as
// maxGrowth.
func (g *grttEstimator) sample(n *node, rtt time.Duration) {
	rtt = min(max(rtt, g.cfg.MinGRTT), g.cfg.MaxGRTT)
	if g.ceiling == 0 {
		g.ceiling = maxGrowth * g.current
	}
	if rtt > g.ceiling {
		before, probe := n.outlier, n.outlierAt
		n.outlier, n.outlierAt = rtt, g.sequence
		if before == 0 || int16(g.sequence-probe) <= 0 {
			rtt = g.ceiling
		} else {
			rtt = max(min(rtt, before), g.ceiling)
		}
	} else {
		n.outlier = 0
	}
	g.peak = max(g.peak, rtt)
	if rtt > g.current {
		g.current = rtt
	}
}

// decayInterval is the shortest between two steps down in a small group.
const decayInterval = 20 * time.Millisecond

// advance takes a step down at the end of a probing interval; small says that all
// receivers answer each probe.
func (g *grttEstimator) advance(now time.Time, small bool) {
	if now.Before(g.nextProbe) || now.Before(g.decay) || g.peak == 0 {
		return
	}
	switch {
	case g.cfg.CC == CCNone:
	case small:
		g.decay = now.Add(decayInterval)
	default:
		// Probes come fast then, and not all receivers answer each.
		g.decay = now.Add(time.Duration(g.cfg.Backoff+1) * g.current)
	}
	switch {
	case !g.measured:
		g.current, g.measured = g.peak, true
	case g.peak < g.current:
		g.current = max(g.current*9/10, g.peak)
	}
	g.peak = 0
}

// timestamp writes now for a probe. The distance from the first call is what
// counts, so a clock set meanwhile does no harm.
func (g *grttEstimator) timestamp(now time.Time) wire.Timestamp {
	if g.epoch.IsZero() {
		g.epoch = now
	}
	t := g.epoch.Round(0).Add(now.Sub(g.epoch))
	return wire.Timestamp{Sec: uint32(t.Unix()), Usec: uint32(t.Nanosecond() / 1000)}
}

// since returns the time from t, as a receiver adjusted it, to now.
func (g *grttEstimator) since(now time.Time, t wire.Timestamp) time.Duration {
	n := g.timestamp(now)
	return time.Duration(int32(n.Sec-t.Sec))*time.Second + time.Duration(int32(n.Usec)-int32(t.Usec))*time.Microsecond
}

// transmit sends CMD(CC) when a probe is due. It carries the rate even if nothing is
// controlled by it: without, receivers would not answer (RFC 5740 section 5.5.1).
func (g *grttEstimator) transmit(s *Sender, now time.Time, p *datagram.Packet) bool {
	if now.Before(g.nextProbe) || s.cc.holds(s) {
		return false
	}
	limit := idleProbeInterval
	if s.sendable() || s.flush.running || s.flush.object != nil {
		limit = busyProbeInterval
		if len(s.nodes.order) <= smallGroup {
			limit = smallProbeInterval
		}
	}
	g.nextProbe = now.Add(min(g.interval, limit))
	g.interval = min(2*g.interval, limit)
	if d, ok := s.cc.interval(s); ok {
		g.nextProbe, g.interval = now.Add(d), firstProbeInterval
	}
	g.sequence++
	g.ceiling = 0
	s.cc.probed(s, now, g.sequence)
	s.endgame.probed(now)
	rate := float64(s.bucket.Rate()) / 8
	if rate <= 0 {
		rate = 1e9 / 8
	}
	m := wire.CC{
		Sender: s.common(), CCSequence: g.sequence, SendTime: g.timestamp(now),
		HasRate: true, Rate: wire.QuantizeRate(rate),
	}
	p.Data, _ = s.codec.AppendCC(p.Data[:0], &m)
	p.Data = s.cc.appendNodes(s, p.Data)
	return true
}

// wake brings the next probe forward when data begins after a pause.
func (g *grttEstimator) wake(now time.Time) {
	soon := now.Add(busyProbeInterval)
	if g.cfg.CC != CCNone {
		soon = now.Add(firstProbeInterval / 2)
	}
	if g.nextProbe.After(soon) {
		g.nextProbe, g.interval = now, firstProbeInterval
	}
}

// heard notes a receiver and its round-trip time.
func (s *Sender) heard(now time.Time, f *wire.Feedback, p *datagram.Packet) {
	unicast := unicastTo(p)
	s.ration.heard(now, p.Src.Addr())
	known := len(s.nodes.byID)
	n := s.nodes.get(f.Source, now)
	s.endgame.heard(len(s.nodes.byID) > known)
	n.from(s, p.Src)
	if unicast && f.HasCC && s.recent(f.CC.Sequence) && len(s.nodes.order) > smallGroup {
		s.adv.answer(now, &f.CC)
	}
	rtt := s.roundTrip(now, f)
	if rtt > 0 {
		n.rtt = rtt
		s.grtt.sample(n, s.grtt.believe(now, p.Src.Addr(), rtt))
	}
	s.cc.feedback(s, now, f, rtt)
}

// unicastTo reports whether a message came to this host alone.
func unicastTo(p *datagram.Packet) bool { return p.Dst.IsValid() && !p.Dst.Addr().IsMulticast() }

// recent reports whether feedback for a probe is worth telling the group: with control
// on, probes come faster than receivers answer.
func (s *Sender) recent(sequence uint16) bool {
	age := int16(s.grtt.sequence - sequence)
	return age == 0 || s.cc.on() && age > 0 && age <= 8
}

// roundTrip returns the round-trip time that feedback gives, 0 for none.
func (s *Sender) roundTrip(now time.Time, f *wire.Feedback) time.Duration {
	if f.GRTTResponse == (wire.Timestamp{}) {
		return 0
	}
	rtt := s.grtt.since(now, f.GRTTResponse)
	// Both ends cut times to microseconds, and some clocks tick in milliseconds.
	if rtt < -20*time.Millisecond || rtt > time.Minute {
		return 0
	}
	return max(rtt, time.Microsecond) // 0 would be unknown
}

// A nodeTable is the receivers heard of, the oldest giving way.
type nodeTable struct {
	limit int
	byID  map[wire.NodeID]*node
	order []*node // in order of first hearing; the CC list is cut from it
}

type node struct {
	id    wire.NodeID
	heard time.Time
	rtt   time.Duration
	nacks uint64

	outlier   time.Duration // its last sample, if that was out of proportion
	outlierAt uint16        // the newest probe then

	addr, former netip.AddrPort // where it spoke from last, and before
	clashed      bool
}

func (t *nodeTable) get(id wire.NodeID, now time.Time) *node {
	if n := t.byID[id]; n != nil {
		n.heard = now
		return n
	}
	if t.byID == nil {
		t.byID = make(map[wire.NodeID]*node)
	}
	if len(t.order) >= t.limit {
		oldest := 0
		for i, n := range t.order {
			if n.heard.Before(t.order[oldest].heard) {
				oldest = i
			}
		}
		delete(t.byID, t.order[oldest].id)
		t.order = append(t.order[:oldest], t.order[oldest+1:]...)
	}
	n := &node{id: id, heard: now}
	t.byID[id] = n
	t.order = append(t.order, n)
	return n
}

// appendCC writes the receivers' round-trip times as the list of a CMD(CC). In a
// small group all are marked PLR: each then answers at once and the estimate
// follows every probe (RFC 5740 section 5.5.2.1).
func (t *nodeTable) appendCC(dst []byte) []byte {
	var flags uint8
	if len(t.order) <= smallGroup {
		flags = wire.CCFlagPLR
	}
	for _, n := range t.order[:min(len(t.order), maxCCNodes)] {
		dst = t.appendNode(dst, n.id, flags)
	}
	return dst
}

// appendNode writes one receiver with its round-trip time.
func (t *nodeTable) appendNode(dst []byte, id wire.NodeID, flags uint8) []byte {
	c := wire.CCNode{Node: id, Flags: flags}
	if n := t.byID[id]; n != nil && n.rtt > 0 {
		c.Flags |= wire.CCFlagRTT
		c.RTT = wire.QuantizeGRTT(n.rtt)
	}
	return wire.CCNodeList(dst).Append(c)
}
