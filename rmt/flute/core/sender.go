package core

import (
	"fmt"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/internal/pace"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/alc"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// A Sender sends the objects of one session (RFC 6726). It is an engine: see
// internal/engine for how it is driven. Nothing that arrives is of interest to it.
type Sender struct {
	cfg      SenderConfig
	stats    SenderStats
	events   queue[SenderEvent]
	channels []channel
	turn     int // the channel to ask next
	run      int // datagrams it sent in a row
	objects  map[lct.TOI]*txObject
	lanes    []*lane
	sleeping []*txObject
	toi      uint64 // the latest
	now      time.Time

	pages        []*page
	nextInstance uint32
	tendAt       time.Time // when pages and sleeping objects are to be seen to
	complete     bool

	closing  bool
	closed   time.Time // when it began to end
	closeAt  time.Time // when the next packet that says so is due
	goodbyes int       // how many were sent

	pkt alc.Packet // scratch
	ext []byte
}

// A channel is where packets go, at its own rate.
type channel struct {
	Channel
	bucket  pace.Bucket
	casting *page     // being sent
	castAt  time.Time // no page is due before
	debt    int       // bytes of objects to send before another FDT packet
	index   int
	sent    uint64 // packets of objects
}

// goodbyes is how often the end of the session is said.
const goodbyes = 3

// NewSender returns a sender, or an error wrapping ErrConfig.
func NewSender(cfg SenderConfig) (*Sender, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	s := &Sender{cfg: cfg, objects: make(map[lct.TOI]*txObject)}
	for i, c := range cfg.Channels {
		s.channels = append(s.channels, channel{Channel: c, index: i})
		s.channels[i].bucket.SetRate(c.Rate, 0)
	}
	return s, nil
}

// Enqueue takes on an object and returns its TOI. The error wraps ErrConfig, or is
// ErrFull.
func (s *Sender) Enqueue(now time.Time, spec ObjectSpec) (lct.TOI, error) {
	s.now = now
	if s.closing {
		return lct.TOI{}, fmt.Errorf("%w: the session is ending", ErrConfig)
	}
	if len(s.objects) >= s.cfg.MaxObjects {
		return lct.TOI{}, ErrFull
	}
	o, err := s.newObject(spec)
	if err != nil {
		return lct.TOI{}, err
	}
	limit := uint64(1<<32 - 1)
	if s.cfg.Profile == fdt.MBMS {
		limit = 1<<16 - 1
	}
	for range len(s.objects) + 1 {
		if s.toi++; s.toi > limit {
			s.toi = 1
		}
		if s.objects[lct.TOI{Lo: s.toi}] == nil {
			break
		}
	}
	o.toi = lct.TOI{Lo: s.toi}
	o.spec.File.TOI = o.toi
	o.widths = lct.ChooseWidths(s.cfg.TSI, o.toi)
	s.objects[o.toi] = o
	if !s.cfg.Plain {
		s.enroll(now, o)
	}
	s.stats.Objects++
	o.lane.waiting.push(o)
	s.tendAt = time.Time{}
	return o.toi, nil
}

// Cancel ends an object at once. Its event is ObjectDone with ErrCanceled.
func (s *Sender) Cancel(now time.Time, toi lct.TOI) {
	s.now = now
	if o := s.objects[toi]; o != nil {
		s.done(now, o, ErrCanceled)
		o.doneAt = now.Add(-s.cfg.Linger) // described no longer
		if o.page != nil {
			s.touchPage(now, o.page)
		}
		s.tendAt = time.Time{}
	}
}

// Stop ends an object with the pass under way, or if there is none with the next.
func (s *Sender) Stop(now time.Time, toi lct.TOI) {
	s.now = now
	if o := s.objects[toi]; o != nil {
		o.stop = true
		o.wake = now
		s.tendAt = time.Time{}
	}
}

// Complete says that no more objects will come. Receivers are told, if one FDT Instance
// describes all there are.
func (s *Sender) Complete(now time.Time) {
	s.now = now
	if !s.complete {
		s.complete = true
		for _, p := range s.pages {
			s.touchPage(now, p)
		}
		s.tendAt = time.Time{}
	}
}

// Shutdown ends what is being sent with ErrCanceled, repeats the FDT and then says the
// end of the session. The event SessionClosed tells when that is done.
func (s *Sender) Shutdown(now time.Time) {
	s.now = now
	if s.closing {
		return
	}
	for _, l := range s.lanes {
		for len(l.active) > 0 {
			s.done(now, l.active[0], ErrCanceled)
		}
		for o, ok := l.waiting.pop(); ok; o, ok = l.waiting.pop() {
			if !o.settled {
				s.done(now, o, ErrCanceled)
			}
		}
	}
	for len(s.sleeping) > 0 {
		s.done(now, s.sleeping[0], ErrCanceled)
	}
	s.closing, s.closed = true, now
	for _, p := range s.pages {
		for i := range p.on {
			p.on[i].due = now
		}
	}
	s.recast()
	s.tendAt = time.Time{}
	s.closeAt = now.Add(50 * time.Millisecond)
}

// SetRate changes a channel's rate in bits per second; 0 or less does not limit.
func (s *Sender) SetRate(channel int, bitsPerSecond int64) {
	if channel >= 0 && channel < len(s.channels) {
		s.channels[channel].bucket.SetRate(bitsPerSecond, 0)
	}
}

// Progress returns how many passes of an object are done, and how many bytes were sent
// of its symbols in the one under way. It returns false when the object is done.
func (s *Sender) Progress(toi lct.TOI) (passes int, sent int64, ok bool) {
	o := s.objects[toi]
	if o == nil {
		return 0, 0, false
	}
	return o.pass, o.sent, true
}

// Stats returns the counters.
func (s *Sender) Stats() SenderStats {
	st := s.stats
	st.ObjectsOpen = len(s.objects)
	return st
}

// Event returns the next event, and whether there is one.
func (s *Sender) Event() (SenderEvent, bool) { return s.events.pop() }

// Handle does nothing: FLUTE has no feedback.
func (s *Sender) Handle(time.Time, *datagram.Packet) {}

// Advance runs what is due.
func (s *Sender) Advance(now time.Time) {
	s.now = now
	if s.tendAt.After(now) {
		return
	}
	s.tendAt = s.tend(now)
	if wake := s.wakeUp(now); !wake.IsZero() {
		s.tendAt = engine.Earliest(s.tendAt, wake)
	}
	if s.tendAt.IsZero() { // nothing at all
		s.tendAt = now.Add(time.Hour)
	}
}

// Next returns when Advance or Transmit has something to do.
func (s *Sender) Next() time.Time {
	var next time.Time
	if len(s.pages) > 0 || len(s.sleeping) > 0 || s.tendAt.IsZero() {
		next = s.tendAt
		if next.IsZero() {
			return s.now
		}
	}
	if s.closing && s.goodbyes < goodbyes {
		next = engine.Earliest(next, s.closeAt)
	}
	for i := range s.channels {
		c := &s.channels[i]
		at, due := c.bucket.Next(), s.castDue(c)
		switch {
		case c.casting != nil || s.pending(i):
			if at.IsZero() {
				at = s.now
			}
		case due.IsZero():
			continue
		case due.After(at):
			at = due
		}
		next = engine.Earliest(next, at)
	}
	return next
}

// runLength is how many datagrams a channel sends in a row if its rate allows, for those
// to one place go to the kernel together.
const runLength = 44

// Transmit appends the next datagram, if one may be sent.
func (s *Sender) Transmit(now time.Time, p *datagram.Packet) bool {
	s.now = now
	if !s.tendAt.After(now) {
		s.Advance(now)
	}
	if s.run >= runLength {
		s.nextChannel()
	}
	for range s.channels {
		c := &s.channels[s.turn]
		if c.bucket.Ready(now) && s.transmit(now, c, p) {
			s.run++
			overhead := 28 // IPv4 and UDP
			if c.Dest.Addr().Is6() {
				overhead = 48
			}
			p.Dst = c.Dest
			c.bucket.Take(now, len(p.Data)+overhead)
			s.stats.Packets++
			s.stats.Bytes += uint64(len(p.Data))
			return true
		}
		s.nextChannel()
	}
	return false
}

func (s *Sender) nextChannel() {
	s.run = 0
	if s.turn++; s.turn == len(s.channels) {
		s.turn = 0
	}
}

// transmit appends what a channel has to send next.
func (s *Sender) transmit(now time.Time, c *channel, p *datagram.Packet) bool {
	for {
		o := s.pick(c.index)
		if o == nil || c.debt <= 0 {
			if t := s.cast(now, c); t != nil {
				s.appendTable(now, c, t, p)
				return true
			}
			if o == nil {
				return s.goodbye(now, c, p)
			}
		}
		if s.appendSymbol(now, o, p) {
			c.debt = max(c.debt-len(p.Data), -1<<16)
			c.sent++
			return true
		}
	}
}

// appendSymbol appends the next packet of an object. It returns false when there is
// none, and the object has left its lane.
func (s *Sender) appendSymbol(now time.Time, o *txObject, p *datagram.Packet) bool {
	if err := o.fill(); err != nil {
		s.done(now, o, err)
		return false
	}
	if o.passOver() { // of an object that is empty: its description is all there is
		s.endPass(now, o)
		return false
	}
	b, esi, last := o.advance()
	h := &s.pkt
	*h = alc.Packet{HasPayload: true, ID: fec.PayloadID{SBN: b.sbn, ESI: esi, SourceBlockLen: uint16(b.k)}}
	h.Header = lct.Header{
		CloseObject: last && o.last(), Codepoint: uint8(o.oti.EncodingID),
		Widths: o.widths, TSI: s.cfg.TSI, TOI: o.toi, Extensions: o.ext,
	}
	data, err := o.codec.AppendHeader(p.Data[:0], h)
	if err != nil || cap(data)-len(data) < int(o.oti.SymbolSize) {
		s.done(now, o, fmt.Errorf("%w: a packet does not fit: %w", ErrConfig, err))
		return false
	}
	n := b.encoder.Symbol(data[len(data):cap(data)], esi)
	p.Data = data[:len(data)+n]
	if esi < b.k {
		s.stats.Source++
	} else {
		s.stats.Repair++
	}
	o.sent += int64(n)
	o.lane.turn++
	if o.step(); last {
		s.endPass(now, o)
	}
	return true
}

// appendTable appends the next packet of an FDT Instance.
func (s *Sender) appendTable(now time.Time, c *channel, t *page, p *datagram.Packet) {
	on := &t.on[c.index]
	s.ext = append(s.ext[:0], t.ext...)
	if s.cfg.Profile == fdt.RFC6726 {
		s.ext = lct.AppendTime(s.ext, lct.Time{SCT: lct.NTPTime(now), HasSCTHigh: true, HasSCTLow: true})
	}
	e := int(t.oti.SymbolSize)
	part, _ := t.oti.Partition()
	sbn, esi := place(&part, on.next)
	h := &s.pkt
	*h = alc.Packet{HasPayload: true, ID: fec.PayloadID{SBN: sbn, ESI: esi}}
	h.Header = lct.Header{
		Codepoint: uint8(fec.CompactNoCode), Widths: lct.ChooseWidths(s.cfg.TSI, lct.TOI{}),
		TSI: s.cfg.TSI, Extensions: s.ext,
	}
	data, _ := alc.Codec{}.AppendHeader(p.Data[:0], h)
	p.Data = append(data, t.data[on.next*e:min((on.next+1)*e, len(t.data))]...)
	c.debt += (fdtShare - 1) * len(p.Data)
	s.stats.FDTPackets++
	s.stats.FDTBytes += uint64(len(p.Data))
	c.casting = t
	if on.next++; on.next == t.symbols() {
		on.next = 0
		on.gap = min(2*on.gap, s.cfg.FDTInterval)
		on.due = now.Add(max(on.gap, time.Millisecond))
		t.tell()
		c.casting = nil
		c.castAt = time.Time{}
	}
}

// place returns where symbol i of an object is.
func place(p *fec.Partition, i int) (sbn, esi uint32) {
	for i >= p.BlockLen(sbn) && p.BlockLen(sbn) > 0 {
		i -= p.BlockLen(sbn)
		sbn++
	}
	return sbn, uint32(i)
}

// goodbye appends a packet that says that the session ends, when it is time.
func (s *Sender) goodbye(now time.Time, c *channel, p *datagram.Packet) bool {
	if !s.closing || s.goodbyes >= goodbyes || s.closeAt.After(now) {
		return false
	}
	h := lct.Header{CloseSession: true, Widths: lct.WidthsNoTOI, TSI: s.cfg.TSI}
	if s.cfg.TSI > 1<<32-1 {
		h.Widths, _ = lct.NewWidths(48, 16) // there is none without
	}
	p.Data, _ = h.Append(p.Data[:0])
	if c.index == len(s.channels)-1 {
		s.goodbyes++
		s.closeAt = now.Add(50 * time.Millisecond)
		if s.goodbyes == goodbyes {
			s.events.push(SenderEvent{Type: SessionClosed})
		}
	}
	return true
}
