package core

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/internal/pace"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// Errors of the sender.
var (
	// ErrFull is returned by Enqueue when every object in the cache is still
	// under way, and by Command and Ask when as many as may be are; wait for one to be
	// done.
	ErrFull = errors.New("as many under way as there is room for")
	// ErrSource is wrapped when reading an object's source failed.
	ErrSource = errors.New("reading the source failed")
	// ErrCanceled ends an object that its sender called off.
	ErrCanceled = errors.New("canceled by the sender")
	// ErrStreamClosed is returned for a stream that was closed or called off.
	ErrStreamClosed = errors.New("the stream is closed")
	// ErrNotAcked ends an object some of whose receivers did not acknowledge.
	ErrNotAcked = errors.New("not acknowledged")
)

// A Sender is the sending half of NORM. It is not for concurrent use.
type Sender struct {
	cfg    SenderConfig
	codec  wire.Codec
	format fec.PayloadIDFormat
	header int // bytes of IP and UDP counted against the rate
	bucket pace.Bucket
	now    time.Time // of the current call
	seq    uint16

	objects   []*txObject // in order of transport ID
	nextID    wire.TransportID
	fresh     int       // index of the first object whose first pass is not over
	rounds    []txRound // objects to be sent again
	repairs   repairCycle
	grtt      grttEstimator
	cc        rateControl
	nodes     nodeTable
	strangers int // messages of others under this ID
	flush     flushState
	squelch   squelchState
	adv       advState
	eot       eotState
	commands  commandState
	questions questionState
	cache     blockCache
	nackBuf   []byte
	asked     symbolSet // scratch of an intake
	endgame   endgame
	ration    ration

	events queue[SenderEvent]
	stats  SenderStats
}

// SenderStats counts what a sender has done. Bytes are of UDP payload.
type SenderStats struct {
	Packets, Bytes  uint64 // all that was sent
	DataPackets     uint64 // NORM_DATA of the first pass, parity excluded
	AutoParity      uint64 // parity of the first pass
	Repeated        uint64 // messages of objects sent again as a whole
	Repairs         uint64 // NORM_DATA and NORM_INFO sent again or as repair parity
	ExplicitRepairs uint64 // those among them that were not fresh parity
	Nacks, Acks     uint64 // received for this sender
	LateNacks       uint64 // ignored in the hold-off time
	Rationed        uint64 // NACKs that asked for more than one host may
	Squelches       uint64 // sent
	Commands        uint64 // CMD(APPLICATION) sent, copies included
	Questions       uint64 // CMD(ACK_REQ) sent
	Malformed       uint64 // received and not understood
	Foreign         uint64 // received and meant for another node
	Clashes         uint64 // node IDs that two nodes have: see NodeClash
	GRTT            time.Duration
	Nodes           int        // receivers heard of
	Rate            RateStatus // and why it is so
}

// A SenderEventType says what happened to an object.
type SenderEventType uint8

const (
	// ObjectSent: everything was sent once.
	ObjectSent SenderEventType = iota + 1
	// ObjectAcked: Node has confirmed it, or of a stream all before Offset.
	ObjectAcked
	// ReceiverDropped: Node did not acknowledge it within DropAfter.
	ReceiverDropped
	// ObjectDone: it is over. Err is nil if its receivers had their chance
	// or, where acknowledgements were asked for, all came.
	ObjectDone
	// ObjectDropped: it is no longer kept for repair; its source is not read
	// again.
	ObjectDropped
	// NodeClash: Node is the ID of two nodes of the session; Err wraps
	// ErrNodeClash and names them.
	NodeClash
	// StreamVacancy: there is room again in a stream that had none.
	StreamVacancy
	// StreamAcked: a stream's receivers have acknowledged all before Offset; with
	// Err set, not all that Commit asked for.
	StreamAcked
	// ShutdownDone: EOT was sent as often as it should.
	ShutdownDone
	// CommandSent: Command was sent as often as it should; with Err set, it was called
	// off by Shutdown.
	CommandSent
	// Answered: Node has answered Question with Content.
	Answered
	// QuestionDone: Question is over. Err is nil if all nodes answered, wraps
	// ErrNotAcked if some did not, or is ErrCanceled.
	QuestionDone
)

// A SenderEvent is something a sender's owner may want to know.
type SenderEvent struct {
	Type   SenderEventType
	Object wire.TransportID
	Node   wire.NodeID
	Offset uint64 // StreamAcked, and ObjectAcked of a stream: all before it

	// Content is what the receiver says with its acknowledgement: see
	// Receiver.SetAckContent; with Answered, its answer: see Receiver.Answer.
	Content string

	Command  CommandID  // CommandSent
	Question QuestionID // Answered, QuestionDone
	Err      error
}

var _ engine.Engine = (*Sender)(nil)

// NewSender returns a sender that starts probing at once and sends when objects
// are enqueued.
func NewSender(cfg SenderConfig) (*Sender, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	s := &Sender{cfg: cfg, codec: wire.Codec{FTI: cfg.FTI, M: cfg.fieldSize()}, header: overhead(cfg.Group.Addr())}
	oti := s.oti(0)
	f, err := oti.PayloadIDFormat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	s.format = f
	s.grtt.init(&s.cfg)
	s.cc.init(s)
	s.nodes.limit = cfg.MaxNodes
	s.nextID = wire.TransportID(cfg.Rand.Uint32())
	s.cache.init(&s.cfg)
	return s, nil
}

func (s *Sender) oti(size int64) fec.OTI {
	return fec.OTI{
		EncodingID: s.cfg.Encoding, TransferLength: uint64(size), M: s.cfg.fieldSize(),
		SymbolSize: uint16(s.cfg.SegmentSize), MaxBlockLen: uint32(s.cfg.BlockSize), Parity: uint32(s.cfg.Parity),
	}
}

// SetRate changes the sending rate, as SenderConfig.Rate; with congestion control,
// which has the say about that, the highest one.
func (s *Sender) SetRate(bitsPerSecond int64) {
	if s.cc.on() {
		s.cc.bound(s, max(bitsPerSecond, 0))
		return
	}
	s.bucket.SetRate(bitsPerSecond, 0)
	s.grtt.setRate(bitsPerSecond)
}

// maxWindow is how far apart the IDs of the objects kept may be: well below what a
// receiver takes for a new sequence of them.
const maxWindow = maxJump / 2

// An ObjectSpec describes an object to send.
type ObjectSpec struct {
	Source io.ReaderAt // read when needed, never past Size; may not block for long
	Size   int64       // in bytes, at most 2^48-1
	Info   []byte      // NORM_INFO content, at most one segment; nil for none
	File   bool        // a hint to store it on disk

	// AckNodes are receivers that must acknowledge it; AckCount is how many
	// receivers, known or not, must do so.
	AckNodes []wire.NodeID
	AckCount int

	// DropAfter is how long after its first pass the object waits for its
	// receivers. Then those that did not acknowledge it are dropped, and what any
	// still asks for is refused (RFC 5740 section 5.2, service policies): the
	// object is done, with ErrNotAcked only if fewer than AckCount acknowledged
	// it. Default is to wait for the slowest, as long as it shows signs of life.
	DropAfter time.Duration
}

// Enqueue adds an object behind the others and returns its transport ID. It
// returns ErrFull when it has to wait.
func (s *Sender) Enqueue(now time.Time, spec ObjectSpec) (wire.TransportID, error) {
	o, err := s.add(spec, false)
	if err != nil {
		return 0, err
	}
	s.grtt.wake(now)
	return o.id, nil
}

// add makes an object or a stream the last of all.
func (s *Sender) add(spec ObjectSpec, stream bool) (*txObject, error) {
	if spec.DropAfter < 0 || spec.AckCount < 0 {
		return nil, fmt.Errorf("%w: drop after %v, %d acknowledgements: neither may be negative", ErrConfig, spec.DropAfter, spec.AckCount)
	}
	if len(spec.Info) > s.cfg.SegmentSize {
		return nil, fmt.Errorf("info of %d bytes does not fit a segment of %d", len(spec.Info), s.cfg.SegmentSize)
	}
	oti := s.oti(spec.Size)
	part, err := layoutOf(&oti, stream)
	if err != nil {
		return nil, err
	}
	// The window may also become too long for its IDs, with objects called off
	// behind one that takes its time.
	for len(s.objects) >= s.cfg.CacheObjects || len(s.objects) > 0 && s.nextID.Sub(s.objects[0].id) >= maxWindow {
		if !s.objects[0].over {
			return nil, ErrFull
		}
		s.drop(0)
	}
	s.dropStreams()
	o := &txObject{
		id: s.nextID, spec: spec, oti: oti, part: part,
		hasInfo: spec.Info != nil || spec.Size == 0, // an empty object needs a message of its own
		acked:   make(map[wire.NodeID]bool),
	}
	o.parityUsed.limit = maxRepairBlocks
	o.want.limit = repairBlocks(s.cfg.BlockSize + s.cfg.Parity)
	o.repair.limit = o.want.limit
	if o.hasInfo {
		o.flags |= wire.FlagInfo
	}
	switch {
	case stream:
		o.flags |= wire.FlagStream
	case spec.File:
		o.flags |= wire.FlagFile
	}
	s.objects = append(s.objects, o)
	s.nextID++
	s.flush.stop()
	return o, nil
}

// dropStreams forgets the streams that are over: unlike other objects they hold what can
// be asked for in memory.
func (s *Sender) dropStreams() {
	for i := len(s.objects) - 1; i >= 0; i-- {
		if o := s.objects[i]; o.over && o.stream != nil {
			s.drop(i)
		}
	}
}

// Cancel calls an object off. Receivers that ask for it are told so.
func (s *Sender) Cancel(now time.Time, id wire.TransportID) {
	if i, o := s.find(id); o != nil && !o.over {
		s.finish(o, ErrCanceled)
		s.drop(i)
		s.flush.watch(s, now)
	}
}

// Shutdown begins to send EOT, as often as a FLUSH (RFC 5740 section 4.2.3.2),
// and gives up what is not done.
func (s *Sender) Shutdown(now time.Time) {
	for len(s.objects) > 0 {
		s.finish(s.objects[0], ErrCanceled)
		s.drop(0)
	}
	s.flush.stop()
	s.commands.stop(s)
	s.questions.stop(s)
	s.eot.begin(now)
}

// Progress returns how many source bytes of an object were sent in the first
// pass, and whether the object is still known.
func (s *Sender) Progress(id wire.TransportID) (sent int64, ok bool) {
	_, o := s.find(id)
	if o == nil {
		return 0, false
	}
	return o.progress(), true
}

// Stats returns the counters.
func (s *Sender) Stats() SenderStats {
	st := s.stats
	st.GRTT, st.Nodes, st.Rate = s.grtt.advertised(), len(s.nodes.byID), s.cc.status(s)
	return st
}

// Event returns the next event, oldest first.
func (s *Sender) Event() (SenderEvent, bool) {
	return s.events.pop()
}

func (s *Sender) emit(e SenderEvent) { s.events.push(e) }

// find returns the object with an ID and its place, or nil and where it would be.
func (s *Sender) find(id wire.TransportID) (int, *txObject) {
	i := sort.Search(len(s.objects), func(i int) bool { return s.objects[i].id.Sub(id) >= 0 })
	if i < len(s.objects) && s.objects[i].id == id {
		return i, s.objects[i]
	}
	return i, nil
}

func (s *Sender) drop(i int) {
	s.cache.forget(s.objects[i].id)
	s.forgetRound(s.objects[i])
	if s.repairs.object == s.objects[i] {
		s.repairs.object = nil
	}
	if s.squelch.stream == s.objects[i] {
		s.squelch.stream = nil
	}
	s.emit(SenderEvent{Type: ObjectDropped, Object: s.objects[i].id})
	s.objects = append(s.objects[:i], s.objects[i+1:]...)
	if s.fresh > i {
		s.fresh--
	}
}

// finish ends an object, once.
func (s *Sender) finish(o *txObject, err error) {
	if o.over {
		return
	}
	o.over = true
	s.endgame.over(o)
	s.emit(SenderEvent{Type: ObjectDone, Object: o.id, Err: err})
}

// fail ends an object whose source cannot be read and forgets it.
func (s *Sender) fail(o *txObject, err error) {
	s.finish(o, fmt.Errorf("%w: %w", ErrSource, err))
	if i, found := s.find(o.id); found == o {
		s.drop(i)
	}
}

// Handle takes a receiver's NACK or ACK; see [engine.Engine].
func (s *Sender) Handle(now time.Time, p *datagram.Packet) {
	s.now = now
	h, err := wire.ParseHeader(p.Data)
	if err != nil {
		s.stats.Malformed++
		return
	}
	if h.Source == s.cfg.NodeID {
		s.echo(&h, p)
		return
	}
	switch h.Type {
	case wire.TypeNack:
		s.handleNack(now, p)
	case wire.TypeAck:
		s.handleAck(now, p)
	}
}

// Advance runs the timers; see [engine.Engine].
func (s *Sender) Advance(now time.Time) {
	s.now = now
	s.grtt.advance(now, len(s.nodes.order) <= smallGroup)
	s.cc.advance(s, now)
	s.endgame.advance(s, now)
	s.repairs.advance(s, now)
	s.flush.advance(s, now)
	s.questions.advance(s, now)
	s.advanceStream()
	s.retire(now)
}

// Next returns the next deadline; see [engine.Engine].
func (s *Sender) Next() time.Time {
	next := engine.Earliest(s.repairs.next(), s.nextRetire())
	next = engine.Earliest(next, s.cc.next())
	next = engine.Earliest(next, s.nextStream())
	next = engine.Earliest(next, s.questions.end())
	return engine.Earliest(next, s.nextTransmit())
}

// nextTransmit returns when there is something to send and the rate allows it. A
// message that is due but has to wait for the rate must not be reported as due: its
// caller would come back at once, and again.
func (s *Sender) nextTransmit() time.Time {
	next := s.grtt.nextProbe
	if s.sendable() {
		next = s.now
	}
	next = engine.Earliest(next, s.flush.next(s))
	next = engine.Earliest(next, s.adv.next())
	next = engine.Earliest(next, s.squelch.next())
	next = engine.Earliest(next, s.eot.next())
	next = engine.Earliest(next, s.commands.next())
	next = engine.Earliest(next, s.questions.next())
	if t := s.bucket.Next(); next.Before(t) {
		next = t
	}
	return next
}

// sendable reports whether there is data to send, the rate permitting.
func (s *Sender) sendable() bool {
	if s.repairs.pending(s) {
		return true
	}
	return len(s.rounds) > 0 || s.fresh < len(s.objects) && s.objects[s.fresh].due(s.cfg.AutoParity)
}

// Transmit sends what is most urgent: what keeps the group's timing and repair
// state together first, then commands of the application's, repairs from the earliest on, then new data (RFC 5740
// section 5.4), then FLUSH. See [engine.Engine].
func (s *Sender) Transmit(now time.Time, p *datagram.Packet) bool {
	s.now = now
	if !s.bucket.Ready(now) {
		return false
	}
	ok := s.grtt.transmit(s, now, p) ||
		s.adv.transmit(s, now, p) ||
		s.squelch.transmit(s, now, p) ||
		s.eot.transmit(s, now, p) ||
		s.commands.transmit(s, now, p) ||
		s.questions.transmit(s, now, p) ||
		s.flush.transmitWatermark(s, now, p) ||
		s.transmitRepair(now, p) ||
		s.transmitFresh(now, p) ||
		s.transmitAgain(now, p) ||
		s.flush.transmit(s, now, p)
	if !ok {
		return false
	}
	p.Dst = s.cfg.Group
	if s.cfg.ECN {
		p.TOS = ect0
	}
	s.bucket.Take(now, len(p.Data)+s.header)
	s.stats.Packets++
	s.stats.Bytes += uint64(len(p.Data))
	return true
}

// common returns the fields that every sender message begins with.
func (s *Sender) common() wire.Sender {
	s.seq++
	return wire.Sender{
		Sequence: s.seq, Source: s.cfg.NodeID, InstanceID: s.cfg.InstanceID,
		GRTT:    s.grtt.code(),
		Backoff: uint8(s.backoff()), GroupSize: wire.QuantizeGroupSize(s.cfg.GroupSize),
	}
}

// flushInterval is the time between two FLUSH or EOT messages: 2*GRTT (RFC 5740
// section 5.1), but no less than a receiver may be kept from listening.
func (s *Sender) flushInterval() time.Duration {
	return max(2*s.grtt.advertised(), s.cfg.FlushInterval)
}

// unmeasuredQuiet is the least quiet time while nobody has answered a probe: the
// round-trip time may be much longer than the one assumed.
const unmeasuredQuiet = 3 * time.Second

// quietTime is how long the group must ask for nothing before an object counts as
// done without acknowledgements.
func (s *Sender) quietTime() time.Duration {
	t := time.Duration(s.cfg.RobustFactor) * s.flushInterval()
	if !s.grtt.measured {
		t = max(t, unmeasuredQuiet)
	}
	return t
}

// retire ends the objects whose receivers had their chance.
func (s *Sender) retire(now time.Time) {
	for _, o := range s.objects[:s.fresh] {
		switch {
		case o.over || o.wantsAcks():
		case !o.busy() && now.Sub(o.active) >= s.quietTime():
			s.finish(o, nil)
		case o.late(now):
			s.closeRepair(o)
			s.finish(o, nil)
		}
	}
}

// late reports whether the object has waited for its receivers as long as it should.
func (o *txObject) late(now time.Time) bool {
	return o.spec.DropAfter > 0 && now.Sub(o.ended) >= o.spec.DropAfter
}

// closeRepair refuses all that is asked for of an object from now on.
func (s *Sender) closeRepair(o *txObject) {
	o.closed = true
	o.want.clear()
	o.repair.clear()
	if s.repairs.object == o {
		s.repairs.object = nil
	}
}

func (s *Sender) nextRetire() (next time.Time) {
	for _, o := range s.objects[:s.fresh] {
		if o.over {
			continue
		}
		if !o.wantsAcks() && !o.busy() {
			next = engine.Earliest(next, o.active.Add(s.quietTime()))
		}
		if o.spec.DropAfter > 0 && (!o.wantsAcks() || s.flush.object == o) {
			next = engine.Earliest(next, o.ended.Add(o.spec.DropAfter))
		}
	}
	return next
}

// A txEOT is the goodbye: EOT, RobustFactor times.
type eotState struct {
	active bool
	sent   int
	due    time.Time
}

func (e *eotState) begin(now time.Time) {
	if !e.active {
		*e = eotState{active: true, due: now}
	}
}

func (e *eotState) begun() bool { return e.active || e.sent > 0 }

func (e *eotState) next() time.Time {
	if !e.active {
		return time.Time{}
	}
	return e.due
}

func (e *eotState) transmit(s *Sender, now time.Time, p *datagram.Packet) bool {
	if !e.active || now.Before(e.due) {
		return false
	}
	m := wire.EOT{Sender: s.common()}
	p.Data, _ = s.codec.AppendEOT(p.Data[:0], &m)
	e.sent++
	e.due = now.Add(s.flushInterval())
	if e.sent >= s.cfg.RobustFactor {
		e.active = false
		s.emit(SenderEvent{Type: ShutdownDone})
	}
	return true
}
