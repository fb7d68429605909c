package core

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A scenario is everything a seed decides about a world. Nothing is decided later,
// so that one prints as what it is.
type scenario struct {
	seed      uint64
	senders   []senderPlan
	receivers []receiverPlan
	farewell  bool // all senders say EOT in the end
}

type senderPlan struct {
	cfg     SenderConfig
	out, in netem.Link
	skew    float64
	firstID wire.TransportID
	objects []objectPlan
	// Instants after the start; 0 is never.
	shutdown, restart, vanish time.Duration
	again                     []objectPlan // of the second instance
	rate                      int64        // from 2 s on; 0 is as before
	cutFrom, cutTo            time.Duration
}

type objectPlan struct {
	at       time.Duration
	size     int
	info     int // bytes, -1 is none
	file     bool
	ackCount int
	ackNodes []wire.NodeID
	cancel   time.Duration // after the start; 0 is never
	stream   *streamPlan   // in place of an object
}

type receiverPlan struct {
	cfg              ReceiverConfig
	out, in          netem.Link
	skew             float64
	join             time.Duration
	cutFrom, cutTo   time.Duration
	muteOnly         bool // cut off as a sender of feedback only
	stallFrom, stall time.Duration
	refuse           bool          // every third object
	slow             time.Duration // longest time to store an object
	killed, back     time.Duration // and started again
	fullFrom, fullTo time.Duration // its disk
}

// dice draws what a scenario is made of.
type dice struct{ *rand.Rand }

func (d dice) chance(p float64) bool { return d.Float64() < p }

func (d dice) between(lo, hi int) int { return lo + d.IntN(hi-lo+1) }

func (d dice) duration(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(d.Int64N(int64(hi-lo)+1))
}

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

func newScenario(seed uint64) *scenario {
	d := dice{rand.New(rand.NewPCG(seed, 5740))}
	sc := &scenario{seed: seed, farewell: d.chance(0.3)}
	receivers := d.between(1, 5)
	switch p := d.Float64(); {
	case p < 0.02:
		receivers = 100
	case p < 0.15:
		receivers = d.between(6, 25)
	}
	senders := pick(d, 1, 1, 1, 1, 2, 3)
	// As many packets in all as a test has time for.
	packets := max(30, 40000/receivers/senders)
	net := d.network()
	for range senders {
		sc.senders = append(sc.senders, d.sender(net, receivers, packets))
	}
	for i := range receivers {
		sc.receivers = append(sc.receivers, d.receiver(net, sc, i))
	}
	sc.addFaults()
	return sc
}

// A network is what the links of one world have in common.
type network struct {
	loss, feedback, burst float64
	delay, jitter         time.Duration
	reorder, duplicate    float64
	skew                  float64
}

func (d dice) network() network {
	var n network
	switch p := d.Float64(); {
	case p < 0.15:
	case p < 0.5:
		n.loss = 0.05 * d.Float64()
	case p < 0.85:
		n.loss = 0.15 * d.Float64()
	default:
		n.loss = 0.30 * d.Float64()
	}
	if d.chance(0.6) {
		n.feedback = 0.3 * d.Float64()
	}
	if d.chance(0.3) {
		n.burst = 1 + 7*d.Float64()
	}
	n.delay = pick(d, 0, time.Millisecond, 10*time.Millisecond, 100*time.Millisecond, 300*time.Millisecond)
	if d.chance(0.3) {
		n.jitter = d.duration(0, n.delay/2+time.Millisecond)
	}
	if d.chance(0.3) {
		n.reorder = 0.1 * d.Float64()
	}
	if d.chance(0.3) {
		n.duplicate = 0.1 * d.Float64()
	}
	if d.chance(0.5) {
		n.skew = 200e-6
	}
	return n
}

// link is one side of a host's access: lossy towards receivers, whose number makes
// the loss independent.
func (d dice) link(n network, loss float64) netem.Link {
	return netem.Link{
		Delay: d.duration(0, n.delay), Jitter: n.jitter,
		Loss: loss * (0.5 + d.Float64()/2), Burst: n.burst,
		Duplicate: n.duplicate, Reorder: n.reorder, ReorderBy: n.delay + time.Millisecond,
	}
}

func (d dice) sender(n network, receivers, packets int) senderPlan {
	p := senderPlan{out: d.link(n, 0), in: d.link(n, n.feedback/2), skew: n.skew * (2*d.Float64() - 1)}
	c := &p.cfg
	c.InstanceID = uint16(d.Uint32())
	c.SegmentSize = pick(d, 64, 100, 256, 512, 1000, 1400)
	c.BlockSize = pick(d, 4, 5, 8, 16, 20, 32, 64)
	c.Parity = pick(d, -1, 1, 2, 4, 8, 16, 32)
	if c.Parity > 0 && d.chance(0.3) {
		c.AutoParity = d.between(0, c.Parity)
	}
	c.Encoding = pick(d, fec.ReedSolomonGF8, fec.ReedSolomonGF8, fec.ReedSolomonGF2m, fec.SmallBlockSystematic)
	c.Rate = pick(d, int64(-1), 200_000, 1_000_000, 10_000_000, 100_000_000)
	if d.chance(0.7) { // a guess of the round-trip time as the administrator might have it
		c.GRTT = max(2*n.delay, time.Millisecond)
	}
	if d.chance(0.3) {
		c.Backoff = d.between(1, 8)
	} else if receivers == 1 && d.chance(0.5) {
		c.Backoff = -1
	}
	if d.chance(0.5) {
		c.GroupSize = pick(d, receivers, receivers, 1000)
	}
	if d.chance(0.2) {
		c.CacheObjects = d.between(1, 4)
	}
	switch c.InstanceID % 6 { // without a draw, which would change every scenario
	case 0:
		c.CC, c.MinRate = CCTFMCC, 200_000
	case 1:
		c.CC = CCMax
	}
	if c.InstanceID/6%8 == 0 { // nor this; over GF(2^16)
		c.BlockSize = 200 + int(c.InstanceID)*7%400
		c.Parity, c.AutoParity = []int{-1, 60, 100, 300}[c.InstanceID/48%4], 0
		if c.Parity < 0 {
			c.BlockSize += 56
		} else if c.InstanceID/192%3 == 0 {
			c.AutoParity = c.Parity / 4
		}
		c.Encoding, c.SegmentSize = fec.ReedSolomonGF2m, min(c.SegmentSize, 256)
	}
	p.firstID = wire.TransportID(d.Uint32())
	if d.chance(0.3) {
		p.firstID = 65535 - wire.TransportID(d.IntN(4))
	}
	p.objects = d.objects(c, receivers, packets)
	end := 5 * time.Second
	switch x := d.Float64(); {
	case x < 0.08:
		p.shutdown = d.duration(time.Millisecond, end)
	case x < 0.16:
		p.restart = d.duration(time.Millisecond, end)
		p.again = d.objects(c, receivers, packets/2)
	case x < 0.2:
		p.vanish = d.duration(time.Millisecond, end)
	case x < 0.25:
		p.rate = pick(d, int64(-1), 200_000, 2_000_000)
	}
	return p
}

func (d dice) objects(c *SenderConfig, receivers, packets int) []objectPlan {
	var list []objectPlan
	at := time.Duration(0)
	n := pick(d, 1, 1, 2, 3, 5, 8)
	limit := min(300_000, packets/n*c.SegmentSize)
	block := c.BlockSize * c.SegmentSize
	for range n {
		o := objectPlan{at: at, info: -1, file: d.chance(0.5)}
		o.size = min(limit, pick(d, 0, 1, c.SegmentSize, c.SegmentSize+1, block, block+1, 3*block, 2*block-1,
			d.between(0, limit), d.between(0, limit), limit))
		if d.chance(0.5) {
			o.info = d.between(0, c.SegmentSize)
		}
		switch x := d.Float64(); {
		case x < 0.3:
			o.ackCount = d.between(1, receivers)
		case x < 0.4:
			for range d.between(1, min(receivers, 5)) {
				o.ackNodes = append(o.ackNodes, wire.NodeID(1001+d.IntN(receivers)))
			}
		}
		if d.chance(0.12) {
			o.stream = d.stream(c, limit, &o)
		}
		if d.chance(0.04) {
			o.cancel = at + d.duration(time.Millisecond, 3*time.Second)
		}
		if d.chance(0.3) {
			at += d.duration(0, 4*time.Second)
		}
		list = append(list, o)
	}
	return list
}

// stream draws a stream with the size, INFO and acknowledgements of an object.
func (d dice) stream(c *SenderConfig, limit int, o *objectPlan) *streamPlan {
	p := &streamPlan{total: uint64(d.between(0, limit)), largest: pick(d, 1, 100, 1000, 20_000)}
	p.spec = StreamSpec{
		Buffer: int64(pick(d, 1, 20, 100)) * int64(c.SegmentSize*c.BlockSize), FullSegments: d.chance(0.3), MessagePerSegment: d.chance(0.3),
		AckNodes: o.ackNodes, AckCount: o.ackCount,
	}
	if o.info >= 0 {
		p.spec.Info = make([]byte, o.info)
	}
	p.largest = max(p.largest, int(p.total)/2000)
	if d.chance(0.5) {
		p.interval = d.duration(0, 3*time.Second*time.Duration(p.largest)/time.Duration(p.total+1)) + 1
	}
	if d.chance(0.2) {
		p.spec.DropAfter = d.duration(time.Second, 10*time.Second)
	}
	return p
}

func (d dice) receiver(n network, sc *scenario, i int) receiverPlan {
	loss := n.loss
	if d.chance(0.2) {
		loss = 0
	}
	p := receiverPlan{out: d.link(n, n.feedback), in: d.link(n, loss), skew: n.skew * (2*d.Float64() - 1)}
	p.cfg.Unicast = sc.seed%3 == 0
	if d.chance(0.8) {
		p.cfg.FTI = wire.FTINRL // else it may misread parity counts and has to live with it
	}
	switch x := d.Float64(); {
	case x < 0.1:
		p.cutFrom = d.duration(0, 5*time.Second)
		p.cutTo = p.cutFrom + d.duration(0, 15*time.Second)
		p.muteOnly = d.chance(0.4)
	case x < 0.2 && i > 0:
		p.join = d.duration(time.Millisecond, 5*time.Second)
	case x < 0.3:
		p.stallFrom = d.duration(0, 2*time.Second)
		p.stall = d.duration(0, 5*time.Second)
	case x < 0.35:
		p.refuse = true
	case x < 0.5:
		p.slow = d.duration(0, 3*time.Second)
	}
	if d.chance(0.25) {
		for _, s := range sc.senders {
			block := int64(s.cfg.BlockSize * s.cfg.SegmentSize)
			p.cfg.BufferBytes = max(p.cfg.BufferBytes, block*int64(d.between(4, 8)))
		}
	}
	if d.chance(0.1) {
		p.cfg.MaxNackMessages = 1
	}
	if d.chance(0.1) {
		p.cfg.MaxObjects = d.between(1, 8)
	}
	return p
}

// build sets a world up; its plans run by themselves.
func (sc *scenario) build(w *world) {
	for i := range sc.senders {
		sc.buildSender(w, &sc.senders[i])
	}
	for i := range sc.receivers {
		sc.buildReceiver(w, &sc.receivers[i])
	}
}

func (sc *scenario) buildSender(w *world, p *senderPlan) {
	tx := w.sender(p.cfg, p.out, p.in)
	tx.node.SetSkew(p.skew)
	tx.nextID = p.firstID
	rng := w.sim.Rand(fmt.Sprintf("data %d", len(w.tx)))
	schedule := func(objects []objectPlan, from time.Duration, instance uint16) {
		for _, o := range objects {
			spec := ObjectSpec{File: o.file, AckCount: o.ackCount, AckNodes: o.ackNodes}
			if o.info >= 0 {
				spec.Info = randomBytes(rng, o.info)
			}
			data := randomBytes(rng, o.size)
			w.sim.At(from+o.at, func() {
				if tx.cfg.InstanceID != instance || tx.eot.active || tx.closed || tx.gone {
					return
				}
				n := len(tx.objects)
				if o.stream != nil {
					tx.waiting = append(tx.waiting, txWaiting{stream: o.stream})
					tx.node.Run(tx.enqueue)
				} else {
					tx.send(data, spec)
				}
				if o.cancel > 0 && len(tx.objects) == n+1 {
					w.sim.At(max(from+o.cancel, w.now()), func() { tx.cancel(tx.objects[n]) })
				}
			})
		}
	}
	schedule(p.objects, 0, p.cfg.InstanceID)
	if p.shutdown > 0 {
		w.sim.At(p.shutdown, tx.shutdown)
	}
	if p.vanish > 0 {
		w.sim.At(p.vanish, tx.vanish)
	}
	if p.rate != 0 {
		w.sim.At(2*time.Second, func() { tx.node.Run(func(time.Time) { tx.SetRate(p.rate) }) })
	}
	if p.cutTo > 0 {
		tx.away = true
		w.sim.At(p.cutFrom, func() { tx.node.SetDown(true) })
		w.sim.At(p.cutTo, func() { tx.node.SetDown(tx.gone) })
	}
	if p.restart > 0 {
		w.sim.At(p.restart, func() {
			tx.restart(p.cfg)
			tx.nextID = p.firstID
		})
		schedule(p.again, p.restart+time.Millisecond, p.cfg.InstanceID+1)
	}
}

func (n *txNode) cancel(o *txCopy) {
	if !o.done && !o.abandoned {
		o.canceled = true
		o.stopWriting()
		n.node.Run(func(now time.Time) { n.Cancel(now, o.key.Object) })
	}
}

// vanish cuts the sender off for good.
func (n *txNode) vanish() {
	n.node.SetDown(true)
	n.gone, n.waiting = true, nil
	for _, o := range n.objects {
		o.left = true
		o.abandoned = !o.done
		o.stopWriting()
	}
}

func (n *txNode) shutdown() {
	for _, o := range n.objects {
		o.left = true
		o.stopWriting()
		o.shut = o.shut || !o.done && !o.abandoned
	}
	n.waiting = nil
	n.node.Run(n.Shutdown)
}

func (sc *scenario) buildReceiver(w *world, p *receiverPlan) {
	number := len(w.rx)
	add := func() {
		rx := w.receiver(p.cfg, p.out, p.in)
		rx.node.SetSkew(p.skew)
		if rx.refuse = nil; p.refuse {
			rx.refuse = func(key ObjectKey) bool { return key.Object%3 == 0 }
		}
		rng := w.sim.Rand(fmt.Sprintf("disk %d", number))
		if p.slow > 0 {
			rx.slow = func() time.Duration { return time.Duration(rng.Int64N(int64(p.slow))) }
		}
		if p.cutTo > 0 {
			rx.cut, rx.away = true, p.cutTo-p.cutFrom > 15*time.Second
			cut := rx.node.SetDown
			if p.muteOnly {
				cut = func(on bool) { w.mute[rx.node] = on }
			}
			w.sim.At(p.cutFrom, func() { cut(true) })
			w.sim.At(p.cutTo, func() { cut(false) })
		}
		if p.stall > 0 {
			w.sim.At(p.stallFrom, func() { rx.stall(true) })
			w.sim.At(p.stallFrom+p.stall, func() { rx.stall(false) })
		}
		rx.late = p.join > 0
		p.addFaults(rx)
	}
	if p.join == 0 {
		add()
	} else {
		w.sim.At(p.join, add)
	}
}
