package core

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gomulticast/multicast/internal/pathrate"
	"github.com/gomulticast/multicast/rmt/norm/wire"
	"github.com/gomulticast/multicast/rmt/tfmcc"
)

// A CongestionControl says who decides on a sender's rate.
type CongestionControl uint8

const (
	// CCNone: the configuration does, and the rate is fixed.
	CCNone CongestionControl = iota
	// CCTFMCC: the receiver whose path carries least, by the rule for TCP's fair
	// share (RFC 5740 section 5.5.2, RFC 4654).
	CCTFMCC
	// CCMax: what the slowest path delivers. The rate goes up until delivery no
	// longer follows, and random loss does not lower it. It gives way to nobody:
	// for networks of one's own. It needs receivers of this package; with others
	// only the rate stays at 100 Mbit/s.
	CCMax
)

// String returns the name: "fixed", "tfmcc" or "max".
func (c CongestionControl) String() string {
	switch c {
	case CCNone:
		return "fixed"
	case CCTFMCC:
		return "tfmcc"
	case CCMax:
		return "max"
	}
	return fmt.Sprintf("CongestionControl(%d)", uint8(c))
}

// MarshalText writes the name, for JSON and logs.
func (c CongestionControl) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a name that MarshalText wrote.
func (c *CongestionControl) UnmarshalText(b []byte) error {
	for _, x := range []CongestionControl{CCNone, CCTFMCC, CCMax} {
		if x.String() == string(b) {
			*c = x
			return nil
		}
	}
	return fmt.Errorf("%w: congestion control %.20q; it is fixed, tfmcc or max", ErrConfig, b)
}

// A RateStatus tells why a sender's rate is what it is. Rates are in bits per second.
type RateStatus struct {
	Control  CongestionControl
	Rate     int64 // 0 is unlimited
	Floor    int64 // of the configuration; 0 with a fixed rate
	Ceiling  int64 // 0 is none
	Phase    string
	Limiting wire.NodeID   // the receiver that limits; 0 is none
	Allowed  int64         // what its path carries, or the TCP equation gives
	Loss     float64       // its loss event rate; with CCMax the loss that has nothing to do with the rate
	RTT      time.Duration // its round-trip time; with CCMax the shortest
	Queue    time.Duration // with CCMax: how much longer it is at present
	Reason   string        // with CCMax: why the rate last went down
}

// maxDepth is the burst that CCMax allows: a receiver's socket holds a few
// milliseconds at most. A sender that does not reach the rate cannot overrun it; to save up
// less than the time of one of its batches would hold it back.
const (
	maxDepth      = 2 * time.Millisecond
	maxShortDepth = 4 * time.Millisecond
)

// A rateControl turns receivers' feedback into a rate. Neither controller is there
// with a fixed rate.
type rateControl struct {
	tfmcc *tfmcc.Sender
	path  *pathrate.Controller

	depth    time.Duration // of the bucket
	busy     bool
	data     uint64         // messages sent when the last probe was
	probes   [512]probeMark // the last ones; an answer may be seconds late
	last     map[wire.NodeID]*delivered
	rotate   int
	suspects []suspect // in a large group: who reports the lowest rates, lowest first
	list     []tfmcc.Listed
	slowest  []uint32
}

// A probeMark is how much had been sent at a probe, itself included.
type probeMark struct {
	sequence       uint16
	at             time.Time // zero: never sent
	packets, bytes uint64
}

// A delivered is a receiver's last report of what it got.
type delivered struct {
	heard    time.Time
	sequence uint16
	wire.Delivery
}

// maxDelivered bounds the receivers whose last report is kept.
const maxDelivered = 64

func (c *rateControl) init(s *Sender) {
	cfg := &s.cfg
	lo, hi := float64(cfg.MinRate)/8, float64(cfg.MaxRate)/8
	switch cfg.CC {
	case CCTFMCC:
		c.tfmcc = tfmcc.NewSender(tfmcc.Config{
			PacketSize: cfg.SegmentSize + dataHeader + s.header, MinRate: lo, MaxRate: hi,
			GRTT: cfg.GRTT, Robust: cfg.RobustFactor,
		})
	case CCMax:
		c.path = pathrate.New(pathrate.Config{MinRate: lo, MaxRate: hi})
		c.last = make(map[wire.NodeID]*delivered)
	default:
		s.bucket.SetRate(cfg.Rate, 0)
		return
	}
	c.apply(s)
}

// dataHeader is the bytes of a NORM_DATA header with EXT_FTI.
const dataHeader = 32

// on reports whether the rate is under control.
func (c *rateControl) on() bool { return c.tfmcc != nil || c.path != nil }

// apply makes the controller's rate the sender's.
func (c *rateControl) apply(s *Sender) {
	var rate, depth = 0.0, time.Duration(0)
	if c.tfmcc != nil {
		rate = c.tfmcc.Rate()
	} else {
		if rate, depth = c.path.Rate(), maxDepth; c.path.Short() {
			depth = maxShortDepth
		}
	}
	if r := max(int64(rate*8), 1); r != s.bucket.Rate() || depth != c.depth {
		c.depth = depth
		s.bucket.SetRate(r, depth)
		s.grtt.setRate(r)
	}
}

// bound changes the highest rate, in bits per second; 0 is none.
func (c *rateControl) bound(s *Sender, highest int64) {
	s.cfg.MaxRate = highest
	lo, hi := float64(s.cfg.MinRate)/8, float64(highest)/8
	if c.tfmcc != nil {
		c.tfmcc.SetBounds(lo, hi)
	} else {
		c.path.SetBounds(lo, hi)
	}
	c.apply(s)
}

// ect0 is the TOS of a datagram that routers may mark instead of dropping it (RFC 3168
// section 5).
const ect0 = 2

// advance lets time pass for the controller.
func (c *rateControl) advance(s *Sender, now time.Time) {
	if !c.on() {
		return
	}
	c.busy = s.sendable()
	if c.tfmcc != nil {
		c.tfmcc.SetGRTT(s.grtt.current)
		c.tfmcc.SetBusy(now, c.busy)
		c.tfmcc.Advance(now)
	} else {
		c.path.Advance(now, c.busy)
	}
	c.apply(s)
}

func (c *rateControl) next() time.Time {
	switch {
	case c.tfmcc != nil:
		return c.tfmcc.Next()
	case c.path != nil:
		return c.path.Next()
	}
	return time.Time{}
}

// interval is the time to the next probe; ok is false when the pace of a sender
// without control will do.
func (c *rateControl) interval(s *Sender) (d time.Duration, ok bool) {
	switch {
	case c.path != nil && (s.sendable() || s.flush.running || s.flush.object != nil):
		if d = c.path.Interval(); len(s.nodes.order) > smallGroup {
			d = max(d, s.grtt.current)
		}
		return d, true
	case c.tfmcc != nil && s.sendable():
		return c.tfmcc.ProbeInterval()
	}
	return 0, false
}

// holds reports whether the probe that is due gives way to data: there is no more than
// one for each message of those (RFC 5740 section 5.5.2.1).
func (c *rateControl) holds(s *Sender) bool {
	return c.on() && s.sendable() && s.stats.Packets == c.data
}

// probed notes that a probe is being sent.
func (c *rateControl) probed(s *Sender, now time.Time, sequence uint16) {
	c.data = s.stats.Packets + 1
	if c.tfmcc != nil {
		c.tfmcc.Probed(now, sequence)
	}
	// Its own bytes count in the round before; nobody measures that finely.
	c.probes[sequence%uint16(len(c.probes))] = probeMark{
		sequence: sequence, at: now, packets: s.stats.Packets + 1,
		bytes: s.stats.Bytes + s.stats.Packets*uint64(s.header),
	}
}

func (c *rateControl) mark(sequence uint16) *probeMark {
	p := &c.probes[sequence%uint16(len(c.probes))]
	if p.at.IsZero() || p.sequence != sequence {
		return nil
	}
	return p
}

// feedback takes in a receiver's report; rtt is 0 if it gives none.
func (c *rateControl) feedback(s *Sender, now time.Time, f *wire.Feedback, rtt time.Duration) {
	if !c.on() || !f.HasCC {
		return
	}
	mark := c.mark(f.CC.Sequence)
	if mark == nil || rtt > now.Sub(mark.at)+slack {
		return // a probe that was not sent lately, or an answer from before it
	}
	if c.path != nil {
		c.suspect(now, f)
		if f.HasDelivery && rtt > 0 {
			c.delivered(now, f, mark, rtt)
		}
	} else {
		c.tfmcc.Feedback(now, tfmccFeedback(f, rtt))
	}
	c.apply(s)
}

func tfmccFeedback(f *wire.Feedback, rtt time.Duration) *tfmcc.Feedback {
	r := &tfmcc.Feedback{
		Node: uint32(f.Source), Sequence: f.CC.Sequence, Rate: wire.Rate(f.CC.Rate), RTT: rtt,
		Start: f.CC.Flags&wire.CCFlagStart != 0, Leave: f.CC.Flags&wire.CCFlagLeave != 0,
	}
	if f.CC.Flags&wire.CCFlagRTT != 0 {
		r.Told = wire.GRTT(f.CC.RTT)
	}
	if f.CC.Loss > 1 {
		// NRL's NORM has 16 further bits in the reserved word; in its NACKs it
		// has no others, and the rate alone counts.
		r.Loss = float64(uint32(f.CC.Loss)<<16|uint32(f.CC.Reserved)) / (1 << 32)
	}
	return r
}

// slack is how much earlier than its probe an answer may seem to be: times are cut to
// microseconds, and some clocks tick in milliseconds.
const slack = 20 * time.Millisecond

// delivered compares two reports of a receiver.
func (c *rateControl) delivered(now time.Time, f *wire.Feedback, to *probeMark, rtt time.Duration) {
	d := c.last[f.Source]
	if d == nil {
		if len(c.last) >= maxDelivered {
			c.evict()
		}
		d = &delivered{}
		c.last[f.Source] = d
	} else if int16(f.CC.Sequence-d.sequence) <= 0 {
		return // a repetition
	} else if from := c.mark(d.sequence); from != nil {
		c.path.Sample(now, &pathrate.Sample{
			Node: uint32(f.Source), From: from.at, To: to.at,
			Sent: to.packets - from.packets, SentBytes: to.bytes - from.bytes,
			Received:   uint64(f.Delivery.Packets - d.Packets),
			ReceivedIn: time.Duration(f.Delivery.Time-d.Time) * time.Microsecond,
			Dropped:    uint64(f.Delivery.Dropped - d.Dropped), RTT: rtt,
		})
	}
	d.heard, d.sequence, d.Delivery = now, f.CC.Sequence, f.Delivery
}

// evict forgets the receiver not heard for longest.
func (c *rateControl) evict() {
	var oldest wire.NodeID
	for id, d := range c.last {
		if o := c.last[oldest]; o == nil || d.heard.Before(o.heard) || d.heard.Equal(o.heard) && id < oldest {
			oldest = id
		}
	}
	delete(c.last, oldest)
}

// appendNodes writes the list of a CMD(CC) when control is on.
func (c *rateControl) appendNodes(s *Sender, dst []byte) []byte {
	switch {
	case c.tfmcc != nil:
		return c.appendListed(dst, min(maxCCNodes, s.cfg.SegmentSize/8))
	case c.path != nil && len(s.nodes.order) > smallGroup:
		return c.appendSlowest(s, dst)
	}
	return s.nodes.appendCC(dst)
}

func (c *rateControl) appendListed(dst []byte, limit int) []byte {
	c.list = c.tfmcc.AppendList(c.list[:0], limit)
	for _, l := range c.list {
		n := wire.CCNode{Node: wire.NodeID(l.Node), Rate: wire.QuantizeRate(l.Rate)}
		if l.CLR {
			n.Flags |= wire.CCFlagCLR
		}
		if l.PLR {
			n.Flags |= wire.CCFlagPLR
		}
		if l.Start {
			n.Flags |= wire.CCFlagStart
		}
		if l.RTT > 0 {
			n.Flags |= wire.CCFlagRTT
			n.RTT = wire.QuantizeGRTT(l.RTT)
		}
		dst = wire.CCNodeList(dst).Append(n)
	}
	return dst
}

// A suspect is a receiver that reports a low rate and so may have the slowest path.
type suspect struct {
	id    wire.NodeID
	rate  float64
	heard time.Time
}

// suspect takes in the rate a receiver reports, which is no measure of what its path
// carries, but of whom to ask: suppression sees to it that those who report least are
// heard. Such a report is good for some seconds.
func (c *rateControl) suspect(now time.Time, f *wire.Feedback) {
	rate := wire.Rate(f.CC.Rate)
	if rate <= 0 {
		return
	}
	c.suspects = slices.DeleteFunc(c.suspects, func(s suspect) bool {
		return s.id == f.Source || now.Sub(s.heard) > 3*time.Second
	})
	i, _ := slices.BinarySearchFunc(c.suspects, rate, func(s suspect, r float64) int { return cmp.Compare(s.rate, r) })
	if c.suspects = slices.Insert(c.suspects, i, suspect{f.Source, rate, now}); len(c.suspects) > maxSuspects {
		c.suspects = c.suspects[:maxSuspects]
	}
}

// Of a large group CCMax hears at every probe the slowest receivers known, and some
// who may be slower; one of those heard of in turn.
const (
	askedSlowest = 2
	askedSuspect = 2
	askedInTurn  = 1
	maxSuspects  = 8
)

func (c *rateControl) appendSlowest(s *Sender, dst []byte) []byte {
	c.slowest = c.path.Slowest(c.slowest[:0], askedSlowest)
	for i, id := range c.slowest {
		flag := wire.CCFlagPLR
		if i == 0 {
			flag = wire.CCFlagCLR
		}
		dst = s.nodes.appendNode(dst, wire.NodeID(id), flag)
	}
	asked := 0
	for _, x := range c.suspects {
		if asked < askedSuspect && !slices.Contains(c.slowest, uint32(x.id)) {
			dst = s.nodes.appendNode(dst, x.id, wire.CCFlagPLR)
			asked++
		}
	}
	for range askedInTurn {
		n := s.nodes.order[c.rotate%len(s.nodes.order)]
		c.rotate++
		dst = s.nodes.appendNode(dst, n.id, wire.CCFlagPLR)
	}
	return dst
}

// status tells why the rate is what it is.
func (c *rateControl) status(s *Sender) RateStatus {
	r := RateStatus{Control: s.cfg.CC, Rate: s.bucket.Rate(), Phase: "fixed"}
	switch {
	case c.tfmcc != nil:
		st := c.tfmcc.Status()
		r.Floor, r.Ceiling, r.Phase, r.Limiting, r.Allowed, r.Loss, r.RTT = st.Floor, st.Ceiling, st.Phase.String(), wire.NodeID(st.Limiting), st.Allowed, st.Loss, st.RTT
	case c.path != nil:
		st := c.path.Status()
		r.Floor, r.Ceiling, r.Phase, r.Limiting, r.Allowed, r.Loss, r.RTT = s.cfg.MinRate, s.cfg.MaxRate, st.Phase.String(), wire.NodeID(st.Limiting), int64(st.Capacity*8), st.Loss, st.RTT
		r.Queue, r.Reason = st.Queue, st.Last
	}
	return r
}
