package core

import (
	"errors"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/alc"
)

// housekeeping is how often a receiver looks at what has run out of time.
const housekeeping = time.Second

// A Receiver receives the objects of many sessions (RFC 6726). It is an engine that
// sends nothing: see internal/engine for how it is driven. After each call its events
// are to be drained.
type Receiver struct {
	cfg       ReceiverConfig
	codec     alc.Codec
	stats     ReceiverStats
	events    queue[ReceiverEvent]
	sessions  map[SessionKey]*session
	order     []*session // by age
	latest    *session   // heard last
	now       time.Time
	tick      time.Time // next housekeeping; zero without sessions
	run       uint64    // objects begun
	files     int       // descriptions, over all sessions
	fileBytes int64     // what they take
	objects   int       // objects being received, likewise

	// See memory.go.
	buffers      bufferPool
	lru          blockList
	spare        []*rxBlock
	writing      int64 // memory on its way to storage
	aside        int64 // records of blocks put aside
	credit       int   // symbols that may be moved to or from storage
	decoderBytes int64
	holds        []*decoderHold // by age
	works        []*Work        // records to be used again
	solving      int            // works not given back
	solvingBytes int64          // and the memory of their blocks
	tableBytes   int            // of FDT Instances being received

	early earlyStore

	pkt alc.Packet // scratch
}

// NewReceiver returns a receiver, or an error wrapping ErrConfig.
func NewReceiver(cfg ReceiverConfig) (*Receiver, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	r := &Receiver{cfg: cfg, sessions: make(map[SessionKey]*session), credit: maxCredit}
	r.buffers.limit = cfg.BufferBytes
	r.early.limit = cfg.EarlyBytes
	return r, nil
}

// Handle takes in one datagram.
func (r *Receiver) Handle(now time.Time, p *datagram.Packet) {
	r.now = now
	r.stats.Packets++
	r.stats.Bytes += uint64(len(p.Data))
	err := r.codec.Parse(p.Data, &r.pkt)
	if err != nil && !errors.Is(err, alc.ErrCodepoint) {
		r.stats.Malformed++
		return
	}
	if err != nil {
		r.stats.Unsupported++
		return
	}
	key := SessionKey{Source: p.Src.Addr().Unmap(), TSI: r.pkt.TSI}
	s := r.session(now, key)
	if s == nil {
		return
	}
	s.handle(now, p.Data)
}

// session returns the session of a key, beginning it if there is room.
func (r *Receiver) session(now time.Time, key SessionKey) *session {
	if s := r.latest; s != nil && s.key == key {
		return s
	}
	s := r.sessions[key]
	if s == nil {
		if r.cfg.Accept != nil && !r.cfg.Accept(key) {
			r.stats.Unwanted++
			return nil
		}
		if len(r.order) >= r.cfg.MaxSessions && !r.makeWay(now) {
			r.stats.Refused++
			return nil
		}
		s = newSession(r, key, now)
		r.sessions[key] = s
		r.order = append(r.order, s)
		r.stats.Sessions++
		r.events.push(ReceiverEvent{Type: SessionNew, Key: ObjectKey{Session: key}})
		if r.tick.IsZero() {
			r.tick = now.Add(housekeeping)
		}
	}
	r.latest = s
	return s
}

// makeWay ends a session for another one to begin: one that never had an FDT Instance,
// or one that is silent, the one silent for longest. So a flood of invented sessions
// cannot end a real one.
func (r *Receiver) makeWay(now time.Time) bool {
	var worst *session
	for _, s := range r.order {
		if s.confirmed && now.Sub(s.heard) < 30*time.Second {
			continue
		}
		if worst == nil || worst.confirmed && !s.confirmed ||
			worst.confirmed == s.confirmed && s.heard.Before(worst.heard) {
			worst = s
		}
	}
	if worst == nil {
		return false
	}
	worst.end(ErrOverrun)
	return true
}

// Advance runs what is due.
func (r *Receiver) Advance(now time.Time) {
	r.now = now
	if r.tick.IsZero() || now.Before(r.tick) {
		return
	}
	for i := 0; i < len(r.order); {
		s := r.order[i]
		s.advance(now)
		if i < len(r.order) && r.order[i] == s { // it is still there
			i++
		}
	}
	r.early.expire(now)
	r.tick = time.Time{}
	if len(r.order) > 0 {
		r.tick = now.Add(housekeeping)
	}
}

// Next returns when Advance has something to do; the zero time is never.
func (r *Receiver) Next() time.Time { return r.tick }

// Transmit returns false: a FLUTE receiver sends nothing.
func (r *Receiver) Transmit(time.Time, *datagram.Packet) bool { return false }

// Event returns the next event, and whether there is one.
func (r *Receiver) Event() (ReceiverEvent, bool) { return r.events.pop() }

// Stats returns the counters.
func (r *Receiver) Stats() ReceiverStats {
	st := r.stats
	st.MemoryInUse, st.DecoderBytes = r.buffers.inUse, r.decoderBytes
	st.Solving = r.solving
	st.ObjectsOpen, st.SessionsOpen, st.DescribedFiles = r.objects, len(r.order), r.files
	return st
}

// find returns an object by its key, if it is still being received.
func (r *Receiver) find(key ObjectKey) *rxObject {
	if s := r.sessions[key.Session]; s != nil {
		if o := s.objects[key.TOI]; o != nil && o.key == key {
			return o
		}
	}
	return nil
}

// Stored is to be called after ObjectReceived, when the application has verified and
// kept the object.
func (r *Receiver) Stored(now time.Time, key ObjectKey) {
	if o := r.find(key); o != nil {
		r.stats.Received++
		o.file.settled = true
		o.s.remove(o)
	}
}

// Failed says that the application will not keep an object. If again it is received
// anew, after a while that doubles each time up to a minute, as when what came does not
// have the digest it should. No event follows.
func (r *Receiver) Failed(now time.Time, key ObjectKey, again bool) {
	o := r.find(key)
	if o == nil {
		return
	}
	r.stats.Aborted++
	d := o.file
	if d == nil { // its packets are passed over until it is known what they are
		o.free()
		o.dead = true
		return
	}
	d.failed++
	d.settled = !again
	d.retry = now.Add(time.Second << min(d.failed, 6))
	o.distrust()
	o.s.remove(o)
}

// Solved gives back the work of a BlockSolvable event when a Solver has done it.
func (r *Receiver) Solved(now time.Time, w *Work) {
	r.now = now
	o := w.block.object
	r.solved(w)
	if o == nil || !o.whole() {
		return
	}
	if o.table != nil {
		o.s.finishTable(now, o)
		return
	}
	o.deliver()
}

// Resume says which blocks of an object the application has from an earlier run, in the
// storage where BlockReceived would have put them.
func (r *Receiver) Resume(now time.Time, key ObjectKey, blocks []BlockRange) {
	r.now = now
	if o := r.find(key); o != nil && !o.handed {
		o.resume(blocks)
		o.deliver()
	}
}

// Forget lets an object that was received or refused be received again, if it is still
// sent, after a while that doubles each time up to a minute.
func (r *Receiver) Forget(now time.Time, key ObjectKey) {
	s := r.sessions[key.Session]
	if s == nil || s.objects[key.TOI] != nil {
		return
	}
	if d := s.files[key.TOI]; d != nil && d.settled {
		d.failed++
		d.settled, d.retry = false, now.Add(time.Second<<min(d.failed, 6))
	}
}
