package core

import (
	"fmt"
	"time"

	"github.com/gomulticast/multicast/internal/pace"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A StreamSpec describes a stream to send (RFC 5740 section 3.1,
// NORM_OBJECT_STREAM).
type StreamSpec struct {
	// Buffer is how much of the stream is kept for repair, in bytes of
	// segments; receivers are told, and make room for as much. Default 8 MiB,
	// and no less than four blocks.
	Buffer int64

	// Info is the stream's NORM_INFO content, at most one segment.
	Info []byte

	// FullSegments keeps a segment that is not full from being sent until
	// FlushStream. Otherwise whatever was written leaves as soon as the rate
	// allows, so a segment is short only when the network is waiting.
	FullSegments bool

	// MessagePerSegment begins a segment with each message, for receivers that
	// learn of message boundaries from payload_msg_start alone: it tells of
	// one in a segment.
	MessagePerSegment bool

	// AckNodes and AckCount are the receivers whose acknowledgement Commit
	// asks for, as in ObjectSpec. With either the stream also follows the
	// slowest of them: what they have not acknowledged stays in the buffer, and
	// Write has to wait.
	AckNodes []wire.NodeID
	AckCount int

	// Keep is how long a block stays in the buffer at least, after it was last sent
	// from or asked for. Default is the time for a receiver to ask four times. Without
	// acknowledgements this is what bounds the speed, at Buffer / Keep, and what makes
	// a loss for good unlikely; with them nothing is lost.
	Keep time.Duration

	// DropAfter is how long the stream waits for one receiver. Content that was sent
	// so long ago leaves the buffer although it is asked for, and whoever has not
	// acknowledged a point after so long is no longer waited for. Default is to
	// follow the slowest as long as any of them shows a sign of life within
	// SenderConfig.AckTimeout.
	DropAfter time.Duration
}

const (
	defaultStreamBuffer = 8 << 20
	minStreamBlocks     = 4
	maxStreamBlocks     = 1 << 14 // NACKs and the wrap of small block numbers
)

// A txStream is the part of a txObject that is a stream: the blocks kept for repair
// and the one being filled.
type txStream struct {
	spec   StreamSpec
	ids    numbering
	k      int // symbols in a block
	size   int // data bytes in a full segment
	window int // most blocks kept

	low    uint32 // the first block kept
	from   uint64 // the stream offset it begins at
	blocks []*streamBlock
	spare  []*streamBlock

	open   int    // bytes in the segment being written
	start  uint16 // its payload_msg_start
	offset uint64 // of the next byte in the stream
	begins bool   // the next byte begins a message
	flush  bool   // what is written is to be sent as it is
	ended  bool   // the end was written

	sent    bool          // something was
	waiting bool          // Write found no room
	last    time.Time     // of a write
	gap     time.Duration // between two of them, smoothed
	marks   streamMarks
}

// A streamBlock is a block of a stream: symbols are added as they are written.
type streamBlock struct {
	cachedBlock
	ends  []uint64  // the stream offset behind each symbol
	first time.Time // its last source symbol was sent
	last  time.Time // something of it was sent or asked for
}

// OpenStream begins a stream behind the objects enqueued. Objects enqueued after it
// wait until it is closed. It returns ErrFull as Enqueue does.
func (s *Sender) OpenStream(now time.Time, spec StreamSpec) (wire.TransportID, error) {
	setDefault(&spec.Buffer, defaultStreamBuffer)
	block := int64(s.cfg.SegmentSize) * int64(s.cfg.BlockSize)
	window := spec.Buffer / block
	switch {
	case spec.Buffer < 0 || spec.Keep < 0 || spec.DropAfter < 0 || spec.AckCount < 0:
		return 0, fmt.Errorf("%w: stream buffer of %d bytes, drop after %v, %d acknowledgements: none may be negative", ErrConfig, spec.Buffer, spec.DropAfter, spec.AckCount)
	case window > maxStreamBlocks:
		return 0, fmt.Errorf("%w: stream buffer of %d bytes is more than %d blocks of %d symbols; take a larger block or less buffer", ErrConfig, spec.Buffer, maxStreamBlocks, s.cfg.BlockSize)
	}
	window = max(window, minStreamBlocks)
	o, err := s.add(ObjectSpec{Size: window * block, Info: spec.Info, AckNodes: spec.AckNodes, AckCount: spec.AckCount, DropAfter: spec.DropAfter}, true)
	if err != nil {
		return 0, err
	}
	o.stream = &txStream{
		spec: spec, ids: numberingOf(s.format), k: s.cfg.BlockSize, size: s.cfg.SegmentSize, window: int(window), begins: true,
	}
	return o.id, nil
}

// WriteStream adds p to a stream and returns how much of it found room. When that is
// not all a StreamVacancy event says when to go on; p must not be written in another
// order then. message marks the first byte of p as the beginning of an application
// message. An error is final: the stream is closed or gone.
func (s *Sender) WriteStream(now time.Time, id wire.TransportID, p []byte, message bool) (int, error) {
	s.now = now
	_, o := s.find(id)
	if o == nil || o.stream == nil || o.stream.ended || o.over {
		return 0, ErrStreamClosed
	}
	t := o.stream
	if message {
		t.begins = true
	}
	n := 0
	for n < len(p) {
		b := s.streamRoom(o)
		if b == nil {
			t.waiting = true
			break
		}
		n += t.fill(b, p[n:])
	}
	if n > 0 {
		t.wrote(now)
		s.flush.stop()
		s.grtt.wake(now)
	}
	return n, nil
}

// wrote notes when something was written.
func (t *txStream) wrote(now time.Time) {
	if !t.last.IsZero() {
		t.gap += (min(now.Sub(t.last), time.Second) - t.gap) / 8
	}
	t.last = now
}

// FlushStream lets what was written leave without waiting for a full segment.
func (s *Sender) FlushStream(now time.Time, id wire.TransportID) {
	s.now = now
	if _, o := s.find(id); o != nil && o.stream != nil {
		o.stream.flush = true
	}
}

// CloseStream ends a stream behind what was written (RFC 5740 section 4.2.1,
// NORM_STREAM_END). ObjectDone follows when the receivers had their chance or have
// acknowledged all of it.
func (s *Sender) CloseStream(now time.Time, id wire.TransportID) error {
	s.now = now
	_, o := s.find(id)
	if o == nil || o.stream == nil || o.stream.ended || o.over {
		return ErrStreamClosed
	}
	t := o.stream
	if t.open > 0 {
		t.seal(t.blocks[len(t.blocks)-1])
	}
	if len(t.blocks) == 0 || t.full() {
		t.grow() // the end finds room in any case
	}
	b := t.blocks[len(t.blocks)-1]
	t.seal(b) // a segment without data ends the stream
	t.ended, t.waiting = true, false
	s.flush.stop()
	s.grtt.wake(now)
	return nil
}

// repeatEnd sends the last block of a stream once more when it has no parity, being
// incomplete, and parity is what others get unasked.
func (s *Sender) repeatEnd(o *txObject) {
	if n := o.sourceSent(o.sbn); s.cfg.AutoParity > 0 && o.esi > 0 && n < o.stream.k {
		need := blockNeed{sbn: o.sbn, count: n}
		need.symbols.addRange(0, n-1)
		o.repair.addNeed(&need)
		s.repairs.some = true
	}
}

// Buffered returns how many bytes written to a stream were not sent yet.
func (s *Sender) Buffered(id wire.TransportID) uint64 {
	if _, o := s.find(id); o != nil && o.stream != nil {
		return o.stream.offset - o.sentOffset()
	}
	return 0
}

// full reports whether the newest block has all its symbols.
func (t *txStream) full() bool {
	return len(t.blocks[len(t.blocks)-1].symbols) == t.k
}

// head is the number of the block being filled.
func (t *txStream) head() uint32 { return t.low + uint32(len(t.blocks)) - 1 }

func (t *txStream) block(sbn uint32) *streamBlock {
	if i := sbn - t.low; i < uint32(len(t.blocks)) {
		return t.blocks[i]
	}
	return nil
}

// streamRoom returns the block to write into, nil when the buffer is full.
func (s *Sender) streamRoom(o *txObject) *streamBlock {
	t := o.stream
	if len(t.blocks) == 0 || t.full() {
		if len(t.blocks) >= t.window && !s.evict(o) {
			return nil
		}
		t.grow()
		if t.head() >= rebaseAt {
			s.rebase(o)
		}
	}
	return t.blocks[len(t.blocks)-1]
}

// grow adds an empty block.
func (t *txStream) grow() {
	var b *streamBlock
	if n := len(t.spare); n > 0 {
		b, t.spare = t.spare[n-1], t.spare[:n-1]
		*b = streamBlock{cachedBlock: cachedBlock{data: b.data, symbols: b.symbols[:0], run: b.run[:0]}, ends: b.ends[:0]}
	} else {
		b = &streamBlock{cachedBlock: cachedBlock{
			data: make([]byte, t.k*(t.size+wire.StreamHeaderLen)), symbols: make([][]byte, 0, t.k),
		}, ends: make([]uint64, 0, t.k)}
	}
	t.blocks = append(t.blocks, b)
}

// fill writes to the segment being written, as much as it holds, and returns how
// much that was.
func (t *txStream) fill(b *streamBlock, p []byte) int {
	if t.begins && t.open > 0 && t.spec.MessagePerSegment {
		t.seal(b)
		return 0
	}
	if t.begins && t.start == 0 {
		t.start = uint16(t.open) + 1
	}
	t.begins = false
	n := copy(t.segment(b)[wire.StreamHeaderLen+t.open:], p)
	t.open += n
	t.offset += uint64(n)
	if t.open == t.size {
		t.seal(b)
	}
	return n
}

// segment is the memory of the segment being written.
func (t *txStream) segment(b *streamBlock) []byte {
	at := len(b.symbols) * (t.size + wire.StreamHeaderLen)
	return b.data[at : at+t.size+wire.StreamHeaderLen]
}

// seal makes a symbol of the segment being written.
func (t *txStream) seal(b *streamBlock) {
	seg := t.segment(b)[:wire.StreamHeaderLen+t.open]
	h := wire.StreamHeader{Len: uint16(t.open), MsgStart: t.start, Offset: uint32(t.offset - uint64(t.open))}
	h.Append(seg[:0])
	b.symbols = append(b.symbols, seg)
	b.ends = append(b.ends, t.offset)
	b.size = max(b.size, len(seg))
	t.open, t.start = 0, 0
}

// ready reports whether there is a symbol to send at o's position, and makes one of
// what was written if need be.
func (o *txObject) ready(auto int) bool {
	t := o.stream
	b := t.block(o.sbn)
	switch {
	case b == nil:
		return false
	case o.esi < len(b.symbols) || o.esi >= t.k && o.esi < t.k+auto:
		return true
	}
	return t.open > 0 && (t.flush || !t.spec.FullSegments)
}

// nextSymbol returns the symbol at o's position, which is ready, and moves on.
func (o *txObject) nextSymbol(s *Sender) (sbn uint32, esi int) {
	t, b := o.stream, o.stream.block(o.sbn)
	if o.esi == len(b.symbols) && o.esi < t.k {
		t.seal(b)
	}
	if t.sent = true; t.open == 0 {
		t.flush = false
	}
	sbn, esi = o.sbn, o.esi
	if esi == t.k-1 {
		b.first = s.now
	}
	if o.esi++; o.esi >= t.k+s.cfg.AutoParity {
		o.sbn, o.esi = o.sbn+1, 0
	}
	return sbn, esi
}

// touch notes that a block was sent from or asked for.
func (o *txObject) touch(now time.Time, sbn uint32) {
	if o.stream == nil {
		return
	}
	if b := o.stream.block(sbn); b != nil {
		b.last = now
	}
}

// sentOffset is the stream offset behind what was sent.
func (o *txObject) sentOffset() uint64 {
	t := o.stream
	sbn, esi := o.sbn, min(o.esi, t.k)
	if esi == 0 {
		if sbn == t.low {
			return t.from // nothing of what is kept was sent
		}
		sbn, esi = sbn-1, t.k
	}
	if b := t.block(sbn); b != nil {
		return b.ends[esi-1]
	}
	return t.offset
}

// evict drops the oldest block if it is no longer needed.
func (s *Sender) evict(o *txObject) bool {
	t := o.stream
	if at := s.evictable(o); at.IsZero() || s.now.Before(at) {
		return false
	}
	b := t.blocks[0]
	t.blocks[0] = nil
	t.blocks = t.blocks[1:]
	if len(t.spare) < 4 {
		t.spare = append(t.spare, b)
	}
	t.low++
	t.from = b.ends[len(b.ends)-1]
	o.want.below(t.low)
	o.repair.below(t.low)
	if c := &s.repairs; c.object == o && c.sbn < t.low {
		c.object = nil
	}
	return true
}

// evictable returns when the oldest block may be dropped: when every receiver had
// the time to ask for it and none is being served, and all have acknowledged it who
// should; or, late, whatever they do. The zero time means not for now.
func (s *Sender) evictable(o *txObject) time.Time {
	t := o.stream
	if o.sbn <= t.low {
		return time.Time{} // it was not sent yet
	}
	b := t.blocks[0]
	var late time.Time
	if t.spec.DropAfter > 0 {
		late = b.first.Add(t.spec.DropAfter)
	}
	if o.want.has(t.low) || o.repair.has(t.low) || s.repairs.object == o && s.repairs.sbn == t.low || s.follows(o) && t.marks.acked.sbn <= t.low {
		return late
	}
	at := b.last.Add(s.keep(t))
	if !late.IsZero() && late.Before(at) {
		return late
	}
	return at
}

// repairCycles is how often a receiver may ask in vain, its request or the answer
// being lost, before what it asks for is gone.
const repairCycles = 4

// keep is how long after the last word about a block a receiver may still ask for it: the
// time it takes to notice, its back-off and hold-off, and the way to and fro.
func (s *Sender) keep(t *txStream) time.Duration {
	if t.spec.Keep > 0 {
		return t.spec.Keep
	}
	cycle := time.Duration(2*s.cfg.Backoff+4) * s.grtt.advertised()
	if rate := s.bucket.Rate(); rate > 0 {
		cycle += pace.Duration(t.k*t.size, rate)
	}
	return repairCycles * cycle
}

// nextStream returns when a writer that waits may find room.
func (s *Sender) nextStream() time.Time {
	o := s.openStream()
	if o == nil || !o.stream.waiting {
		return time.Time{}
	}
	t := o.stream
	if len(t.blocks) < t.window {
		return s.now
	}
	return s.evictable(o)
}

// advanceStream makes room for a writer that waits.
func (s *Sender) advanceStream() {
	o := s.openStream()
	if o == nil || !o.stream.waiting {
		return
	}
	if t := o.stream; len(t.blocks) < t.window || s.evict(o) {
		t.waiting = false
		s.emit(SenderEvent{Type: StreamVacancy, Object: o.id})
	}
}

// openStream returns the stream that is being sent, nil when there is none.
func (s *Sender) openStream() *txObject {
	if s.fresh < len(s.objects) && s.objects[s.fresh].stream != nil {
		return s.objects[s.fresh]
	}
	return nil
}

// streamIdle reports whether o has sent something and has nothing more to send for
// now.
func (s *Sender) streamIdle(o *txObject) bool {
	return o != nil && o.begun() && !o.ready(s.cfg.AutoParity)
}

// begun reports whether something of the stream was sent.
func (o *txObject) begun() bool { return o.stream.sent }

// rebase keeps the block numbers here small; the wire does not see it.
func (s *Sender) rebase(o *txObject) {
	const d = rebaseBy
	t := o.stream
	t.ids.rebase(d)
	t.low -= d
	o.sbn -= d
	o.want.rebase(d)
	o.repair.rebase(d)
	o.parityUsed.rebase(d)
	t.marks.rebase(d)
	if s.repairs.object == o {
		s.repairs.sbn -= d
	}
}

// A streamMark is a point in a stream: behind symbol esi of block sbn.
type streamMark struct {
	sbn    uint32 // the first block not wholly before it
	id     fec.PayloadID
	offset uint64
}

// streamMarks are the points that receivers acknowledge, one at a time.
type streamMarks struct {
	acked  streamMark // all before it is acknowledged
	asked  streamMark // being asked for
	asking bool
	want   bool      // Commit waits for all up to target
	target uint64    // a stream offset
	since  time.Time // asking
}

func (m *streamMarks) rebase(d uint32) {
	m.acked.sbn -= min(d, m.acked.sbn)
	m.asked.sbn -= min(d, m.asked.sbn)
}

// marking reports whether a point of the stream is to be acknowledged.
func (o *txObject) marking() bool { return o.stream != nil && o.stream.marks.asking }

// follows reports whether the stream keeps what was not acknowledged.
func (s *Sender) follows(o *txObject) bool {
	return len(o.spec.AckNodes) > 0 || o.spec.AckCount > 0
}

// Commit asks the stream's receivers to acknowledge all that was written so far. A
// StreamAcked event says how far they have got, or that they have not (RFC 5740
// section 5.5.3).
func (s *Sender) Commit(now time.Time, id wire.TransportID) error {
	s.now = now
	_, o := s.find(id)
	if o == nil || o.stream == nil || o.over {
		return ErrStreamClosed
	}
	if !s.follows(o) {
		return fmt.Errorf("%w: the stream has no receivers to wait for; name them when it is opened", ErrConfig)
	}
	t := o.stream
	t.flush = true
	t.marks.want, t.marks.target = true, t.offset
	s.flush.watch(s, now)
	return nil
}

// mark decides which point of the stream is to be acknowledged next, if any.
func (s *Sender) mark(o *txObject) bool {
	t := o.stream
	m := &t.marks
	if m.asking {
		return true
	}
	if !o.begun() || !s.follows(o) {
		return false
	}
	sent := o.sentOffset()
	switch {
	case m.want && m.target <= m.acked.offset:
		m.want = false
		s.emit(SenderEvent{Type: StreamAcked, Object: o.id, Offset: m.acked.offset})
		return false
	case m.want && sent >= m.target:
	case len(t.blocks) > t.window/2 && o.sbn > m.acked.sbn && int(o.sbn-m.acked.sbn) > t.window/4:
		// Ask in time, so that a writer seldom waits.
	default:
		return false
	}
	m.asking, m.since = true, s.now
	m.asked = streamMark{sbn: o.sbn, id: o.last(), offset: sent}
	clear(o.acked)
	return true
}

// marked ends the acknowledgement of a point, with err when it was not complete.
func (s *Sender) marked(o *txObject, err error) {
	m := &o.stream.marks
	m.asking = false
	clear(o.acked)
	offset := m.asked.offset
	if err != nil {
		offset = m.acked.offset
	}
	m.acked = m.asked // whoever has not acknowledged is not waited for again
	done := m.want && offset >= m.target
	if done || err != nil {
		m.want = false
		s.emit(SenderEvent{Type: StreamAcked, Object: o.id, Offset: offset, Err: err})
	}
}
