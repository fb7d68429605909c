package core

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// Errors that end an object at a receiver.
var (
	// ErrPurged: the sender no longer repairs it (RFC 5740 section 5.4.3).
	ErrPurged = errors.New("the sender no longer has it")
	// ErrSenderGone: the sender said goodbye before it was complete.
	ErrSenderGone = errors.New("the sender ended the session before it was complete")
	// ErrSenderSilent: nothing was heard of the sender however often it was
	// asked.
	ErrSenderSilent = errors.New("the sender fell silent")
	// ErrSenderRestarted: the sender began anew under the same node ID.
	ErrSenderRestarted = errors.New("the sender restarted")
	// ErrOverrun: too many newer objects arrived before it was complete.
	ErrOverrun = errors.New("overrun by newer objects")
	// ErrUnsupported: it uses a FEC scheme or sizes this receiver cannot do.
	ErrUnsupported = errors.New("unsupported object")
)

// A SenderKey names a sender as a receiver hears it: by node ID and, so that two
// nodes with one ID do not mix, by address.
type SenderKey struct {
	Node wire.NodeID
	Addr netip.AddrPort
}

// An ObjectKey names one object of one run of a sender.
type ObjectKey struct {
	Sender   SenderKey
	Instance uint16
	Object   wire.TransportID
}

// A ReceiverEventType says what a receiver's event is about.
type ReceiverEventType uint8

const (
	// ObjectNew: an object of Size bytes has begun; of none if it cannot be received, of
	// which ObjectAborted tells next.
	ObjectNew ReceiverEventType = iota + 1
	// InfoReceived: Data is its NORM_INFO content.
	InfoReceived
	// BlockReceived: Data belongs at Offset. It is the owner's until given
	// back with Release.
	BlockReceived
	// ObjectReceived: all blocks, and the INFO if there is one, were handed
	// over. The owner answers with Stored.
	ObjectReceived
	// StreamReadable: there is more of a stream to be had from ReadStream.
	StreamReadable
	// ObjectAborted: it will not be completed, because of Err.
	ObjectAborted
	// SenderClash: two senders have the node ID of Key.Sender; Err wraps
	// ErrNodeClash and names them.
	SenderClash
	// CommandReceived: Data is a command of Key.Sender's application, told once. It is
	// the owner's.
	CommandReceived
	// AckRequested: Key.Sender asks for an acknowledgement of type AckType, with the
	// number AckID. The owner may answer with Answer.
	AckRequested
)

// A ReceiverEvent is something the receiver's owner has to act upon.
type ReceiverEvent struct {
	Type   ReceiverEventType
	Key    ObjectKey
	Size   int64
	File   bool // ObjectNew: the sender hints to store it on disk
	Stream bool // ObjectNew: it is a stream, and Size its sender's buffer
	Offset int64
	Data   []byte

	AckType wire.AckType // AckRequested
	AckID   uint8        // AckRequested
	Err     error
}

// ReceiverStats counts what a receiver has seen. Bytes are of UDP payload.
type ReceiverStats struct {
	Packets, Bytes  uint64
	Data            uint64 // NORM_DATA
	RepairsReceived uint64 // those among them marked as repairs
	Duplicates      uint64 // symbols not needed
	Recovered       uint64 // source symbols computed from parity
	Nacks           uint64 // NACK messages sent
	Suppressed      uint64 // NACKs not sent because others had asked
	Acks            uint64
	Commands        uint64 // of applications, told
	Questions       uint64 // of applications, told
	NoBuffer        uint64 // symbols dropped for want of memory
	Dropped         uint64 // datagrams that the connection had no room for
	Undecodable     uint64 // blocks whose parity made no sense
	Malformed       uint64
	Refused         uint64 // messages of senders, objects, commands or questions beyond the limits
	Clashes         uint64 // two senders under one node ID: see SenderClash
}

// A Receiver is the receiving half of NORM, for any number of senders. It is not
// for concurrent use.
type Receiver struct {
	cfg     ReceiverConfig
	codec   wire.Codec
	now     time.Time
	senders map[SenderKey]*remote
	order   []*remote // the same, in order of appearance
	seq     uint16
	buffers bufferPool
	decoder decoder
	codes   codeCache
	want    symbolSet // scratch of those who ask for repair
	// All ranges of blocks done, of all objects under way.
	doneRanges int
	firstBlock uint32 // the local number of the first block heard of a stream
	events     queue[ReceiverEvent]
	ackContent []byte
	squeezed   time.Time // until then no stream gives way to another
	stats      ReceiverStats
	data       wire.Data          // scratch, so that parsing does not allocate
	holdings   []holding          // scratch
	crowd      map[netip.Addr]int // scratch: senders of each host
	greedy     netip.Addr         // who has found nobody with more memory
	greedyTill time.Time
}

var _ engine.Engine = (*Receiver)(nil)

// NewReceiver returns a receiver that follows every sender it hears.
func NewReceiver(cfg ReceiverConfig) (*Receiver, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	return &Receiver{
		cfg: cfg, codec: wire.Codec{FTI: cfg.FTI},
		senders: make(map[SenderKey]*remote), crowd: make(map[netip.Addr]int),
		buffers: bufferPool{limit: cfg.BufferBytes}, firstBlock: firstBlock,
	}, nil
}

// SetAckContent sets what every acknowledgement of an object or stream carries from now
// on, at most wire.MaxAckContent bytes: a word of the application to its sender. The slice
// is kept.
func (r *Receiver) SetAckContent(b []byte) error {
	if len(b) > wire.MaxAckContent {
		return fmt.Errorf("%w: %d bytes with an acknowledgement; at most %d", ErrConfig, len(b), wire.MaxAckContent)
	}
	r.ackContent = b
	return nil
}

// Event returns the next event, oldest first.
func (r *Receiver) Event() (ReceiverEvent, bool) { return r.events.pop() }

// Scarce reports whether little of ReceiverConfig.BufferBytes is left: who keeps blocks for
// longer than he must gives them back now.
func (r *Receiver) Scarce() bool { return r.buffers.inUse > r.buffers.limit/2 }

// crammed returns which part of what comes from a sender is too much, for so much waits to be
// completed or stored already: it had better slow down before it finds no room and has to send
// again. It is none up to three quarters of the memory, and from there up to all. Streams are
// another matter: who does not read one is to stall nothing else. So are blocks of other
// hosts: they give way until these have no more than the sender's own.
func (r *Receiver) crammed(m *remote) float64 {
	var others int64
	for _, x := range r.order {
		if x.key.Addr.Addr() != m.key.Addr.Addr() {
			others += x.holds
		}
	}
	mine, limit := r.buffers.inUse-r.buffers.stream-others, r.buffers.limit
	full := float64(mine) / float64(max(limit-others, limit/2))
	return min(max(4*full-3, 0), 1)
}

// Release gives back the Data of a BlockReceived event.
func (r *Receiver) Release(data []byte) { r.buffers.put(data) }

// Stored tells the receiver that an object it reported as received is safe, so
// that it may be acknowledged; or, with an error, that it is lost here. An object
// still under way can be called off with an error too.
func (r *Receiver) Stored(now time.Time, key ObjectKey, err error) {
	r.now = now
	m := r.senders[key.Sender]
	if m == nil || m.instance != key.Instance {
		return
	}
	o := m.object(key.Object)
	switch {
	case o == nil || o.state > received:
	case err != nil:
		m.settle(o, failed)
	case o.state == received:
		o.state = stored
	}
}

// Stats returns the counters.
func (r *Receiver) Stats() ReceiverStats { return r.stats }

// Idle reports whether no sender is expected to ask for anything more: each has said
// goodbye or has been silent for a while, and nothing is under way.
func (r *Receiver) Idle(now time.Time) bool {
	for _, m := range r.order {
		if m.ack.pending || m.answers.pending() || !m.left && now.Sub(m.heard) < max(minInactivity, 4*m.grtt) {
			return false
		}
	}
	return true
}

// Handle takes one message; see [engine.Engine].
func (r *Receiver) Handle(now time.Time, p *datagram.Packet) {
	r.now = now
	h, err := wire.ParseHeader(p.Data)
	if err != nil {
		r.stats.Malformed++
		return
	}
	if h.Source == r.cfg.NodeID {
		return // an echo of our own
	}
	r.stats.Packets++
	r.stats.Bytes += uint64(len(p.Data))
	r.stats.Dropped = max(r.stats.Dropped, p.Drops)
	switch h.Type {
	case wire.TypeData:
		err = r.handleData(p)
	case wire.TypeInfo:
		err = r.handleInfo(p)
	case wire.TypeCmd:
		err = r.handleCmd(p)
	case wire.TypeNack, wire.TypeAck:
		err = r.overhear(h.Type, p)
	}
	if err != nil {
		r.stats.Malformed++
	}
}

func (r *Receiver) handleData(p *datagram.Packet) error {
	m := &r.data
	if err := r.codec.ParseData(p.Data, m); err != nil {
		return err
	}
	r.stats.Data++
	if m.Flags&wire.FlagRepair != 0 {
		r.stats.RepairsReceived++
	}
	if s := r.sender(&m.Sender, p); s != nil {
		if !m.HasFTI && m.FEC == fec.ReedSolomonGF2m {
			if c, again := s.divides(m.FEC, m.Object); again {
				c.ParseData(p.Data, m)
			}
		}
		s.handleData(m)
	}
	return nil
}

func (r *Receiver) handleInfo(p *datagram.Packet) error {
	var m wire.Info
	if err := r.codec.ParseInfo(p.Data, &m); err != nil {
		return err
	}
	if s := r.sender(&m.Sender, p); s != nil {
		s.handleInfo(&m)
	}
	return nil
}

func (r *Receiver) handleCmd(p *datagram.Packet) error {
	t, err := wire.ParseCmdType(p.Data)
	if err != nil {
		return err
	}
	switch t {
	case wire.CmdFlush:
		var m wire.Flush
		if err = r.codec.ParseFlush(p.Data, &m); err == nil {
			if s := r.sender(&m.Sender, p); s != nil {
				if c, again := s.divides(m.FEC, m.Object); again {
					c.ParseFlush(p.Data, &m)
				}
				s.handleFlush(&m)
			}
		}
	case wire.CmdEOT:
		var m wire.EOT
		if err = r.codec.ParseEOT(p.Data, &m); err == nil {
			if s := r.known(&m.Sender, p); s != nil {
				s.handleEOT()
			}
		}
	case wire.CmdSquelch:
		var m wire.Squelch
		if err = r.codec.ParseSquelch(p.Data, &m); err == nil {
			if s := r.known(&m.Sender, p); s != nil {
				if c, again := s.divides(m.FEC, m.Object); again {
					c.ParseSquelch(p.Data, &m)
				}
				s.handleSquelch(&m)
			}
		}
	case wire.CmdCC:
		var m wire.CC
		if err = r.codec.ParseCC(p.Data, &m); err == nil {
			if s := r.sender(&m.Sender, p); s != nil {
				s.handleCC(&m)
			}
		}
	case wire.CmdRepairAdv:
		var m wire.RepairAdv
		if err = r.codec.ParseRepairAdv(p.Data, &m); err == nil {
			if s := r.known(&m.Sender, p); s != nil {
				s.handleRepairAdv(&m)
			}
		}
	case wire.CmdAckReq:
		var m wire.AckReq
		if err = r.codec.ParseAckReq(p.Data, &m); err == nil {
			if s := r.sender(&m.Sender, p); s != nil {
				s.answers.asked(s, &m)
			}
		}
	case wire.CmdApplication:
		var m wire.Application
		if err = r.codec.ParseApplication(p.Data, &m); err == nil {
			if s := r.sender(&m.Sender, p); s != nil {
				s.commands.hear(s, &m)
			}
		}
	}
	return err
}

// overhear listens to the other receivers, to keep silent where they have spoken.
func (r *Receiver) overhear(t wire.Type, p *datagram.Packet) error {
	var f wire.Feedback
	var nack wire.Nack
	var ack wire.Ack
	if t == wire.TypeNack {
		if err := r.codec.ParseNack(p.Data, &nack); err != nil {
			return err
		}
		f = nack.Feedback
	} else {
		if err := r.codec.ParseAck(p.Data, &ack); err != nil {
			return err
		}
		f = ack.Feedback
	}
	for _, m := range r.order {
		if m.key.Node == f.Server && m.instance == f.InstanceID {
			m.overhear(&f, nack.Requests)
		}
	}
	return nil
}

// known returns the sender of a message if it is one already followed.
func (r *Receiver) known(h *wire.Sender, p *datagram.Packet) *remote {
	m := r.senders[SenderKey{h.Source, p.Src}]
	if m == nil || m.instance != h.InstanceID {
		return nil
	}
	m.note(h, p)
	return m
}

// formerLife is how long messages of a sender's earlier instance may be on their
// way.
const formerLife = 30 * time.Second

// sender returns the sender of a message, a new one if there is room.
func (r *Receiver) sender(h *wire.Sender, p *datagram.Packet) *remote {
	key := SenderKey{h.Source, p.Src}
	m := r.senders[key]
	var before *remote
	if m != nil && m.instance != h.InstanceID {
		if h.InstanceID == m.former && r.now.Before(m.formerUntil) && !m.formerLives() {
			return nil // overtaken by its successor
		}
		// RFC 5740 section 4.2.1: drop the old state and begin anew.
		r.forget(m, ErrSenderRestarted)
		before, m = m, nil
	}
	if m == nil {
		if len(r.order) >= r.cfg.MaxSenders && !r.makeRoom(p.Src.Addr()) {
			r.stats.Refused++
			return nil
		}
		m = newRemote(r, key, h.InstanceID)
		if before != nil {
			m.former, m.formerUntil = before.instance, r.now.Add(formerLife)
		}
		r.rivals(key)
		r.supersede(key, h.InstanceID)
		r.senders[key] = m
		r.order = append(r.order, m)
	} else if m.rival.addr.IsValid() {
		r.contest(m)
	}
	m.note(h, p)
	return m
}

// supersede ends what is left of an earlier run of a sender that comes from another port
// of its host now, as NRL's NORM does. One that is still heard is another program, with
// the same node ID.
func (r *Receiver) supersede(key SenderKey, instance uint16) {
	for _, m := range r.order {
		if m.key.Node == key.Node && m.key.Addr.Addr() == key.Addr.Addr() && m.instance != instance {
			if r.now.Sub(m.heard) < max(minInactivity, 4*m.grtt) {
				continue
			}
			r.forget(m, ErrSenderRestarted)
			return
		}
	}
}

// makeRoom forgets the sender silent for longest, unless it was heard just now: a
// stranger inventing node IDs must not drive out those who are sending, nor keep others
// from beginning to.
func (r *Receiver) makeRoom(host netip.Addr) bool {
	if m := r.crowded(host); m != nil {
		r.forget(m, ErrSenderSilent)
		return true
	}
	oldest := r.order[0]
	for _, m := range r.order {
		if m.heard.Before(oldest.heard) {
			oldest = m
		}
	}
	if r.now.Sub(oldest.heard) < 10*time.Second {
		return false
	}
	r.forget(oldest, ErrSenderSilent)
	return true
}

func (r *Receiver) forget(m *remote, err error) {
	m.discardAll(err)
	delete(r.senders, m.key)
	for i := range r.order {
		if r.order[i] == m {
			r.order = append(r.order[:i], r.order[i+1:]...)
			return
		}
	}
}

// Advance runs the timers; see [engine.Engine].
func (r *Receiver) Advance(now time.Time) {
	r.now = now
	for _, m := range r.order {
		m.advance(now)
	}
}

// Next returns the next deadline; see [engine.Engine].
func (r *Receiver) Next() (next time.Time) {
	for _, m := range r.order {
		if m.ready() && !r.cfg.Silent {
			return r.now
		}
		next = engine.Earliest(next, m.next())
	}
	return next
}

// Transmit sends feedback; see [engine.Engine].
func (r *Receiver) Transmit(now time.Time, p *datagram.Packet) bool {
	r.now = now
	if r.cfg.Silent {
		return false
	}
	for _, m := range r.order {
		if m.transmit(now, p) {
			p.Dst = r.cfg.Group
			if r.cfg.Unicast || r.claimed(m) {
				p.Dst = m.key.Addr
			}
			return true
		}
	}
	return false
}

// claimed reports whether an earlier sender, at another address, has the node ID of m and
// lives. What is said to m is then for m alone: the other would take it for itself, and
// one of them may be there for that.
func (r *Receiver) claimed(m *remote) bool {
	for _, x := range r.order {
		switch {
		case x == m:
			return false
		case x.key.Node == m.key.Node && r.now.Sub(x.heard) < claimLife:
			return true
		}
	}
	return false
}

// claimLife is how long a sender that is silent keeps its node ID: a few of its probes at
// work.
const claimLife = 10 * time.Second

// unsupported wraps the reason why an object cannot be received.
func unsupported(err error) error { return fmt.Errorf("%w: %w", ErrUnsupported, err) }
