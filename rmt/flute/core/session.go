package core

import (
	"errors"
	"time"

	"github.com/gomulticast/multicast/rmt/alc"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/lct"
)

// A session is one sender's, as heard here.
type session struct {
	r         *Receiver
	key       SessionKey
	heard     time.Time
	confirmed bool          // an FDT Instance was read
	contested bool          // what describes a file was contradicted
	closing   bool          // the sender said that it ends
	closeAt   time.Time     // when it did
	ended     bool          // only what is being stored is still here
	clock     time.Duration // the sender's less ours, as far as it told

	objects map[lct.TOI]*rxObject
	latest  *rxObject // heard last
	files   map[lct.TOI]*description
	weights map[lct.TOI]int64 // of files
	listed  []lct.TOI         // keys of files, by age
	swept   time.Time         // when expired ones were last looked for
	tables  []*rxObject
	known   map[uint32]knownTable
	ids     []uint32 // keys of known, by age
}

func newSession(r *Receiver, key SessionKey, now time.Time) *session {
	return &session{
		r: r, key: key, heard: now, objects: make(map[lct.TOI]*rxObject),
		files: make(map[lct.TOI]*description), weights: make(map[lct.TOI]int64), known: make(map[uint32]knownTable),
	}
}

// handle takes in the packet that was parsed into the receiver's, from raw.
func (s *session) handle(now time.Time, raw []byte) {
	p := &s.r.pkt
	if p.CloseSession {
		s.closing, s.closeAt = true, now
	} else if s.closing && now.Sub(s.closeAt) > s.r.cfg.CloseGrace/4 {
		s.closing = false // it goes on: whoever said that it ends was wrong
	}
	s.heard = now
	switch {
	case s.ended || !p.HasTOI():
	case p.TOI.IsZero() && !s.r.cfg.Plain:
		s.tablePacket(now, p)
	default:
		s.objectPacket(now, p, raw)
	}
}

// objectPacket takes in a packet of a file's object. raw is its bytes, nil when they
// are already kept.
func (s *session) objectPacket(now time.Time, p *alc.Packet, raw []byte) {
	o := s.latest
	if o == nil || o.key.TOI != p.TOI {
		if o = s.objects[p.TOI]; o == nil {
			if o = s.begin(now, p, raw); o == nil {
				return
			}
		}
		s.latest = o
	}
	if o.handed || o.dead {
		s.r.stats.Duplicates++
		return
	}
	if fits := o.agrees(p); !fits || o.misfits >= maxMisfits {
		// Any one packet, or FDT Instance, may have told how the object is to be
		// received. If all others say otherwise it was the wrong one.
		if o.misfits < maxMisfits {
			return
		}
		if !fits && o.file != nil && o.file.hasOTI {
			// Some senders' EXT_FTI is wrong; what the FDT says may do.
			o.lenient, o.misfits = true, 0
			s.objectPacket(now, p, raw)
			return
		}
		o.distrust()
		o.abort(ErrReplaced)
		if o = s.begin(now, p, raw); o == nil || !o.agrees(p) {
			return
		}
		s.latest = o
	}
	if !p.CloseObject {
		o.closed = false // it goes on
	}
	o.packet(now, p)
	if o.whole() {
		o.deliver()
	}
}

// maxMisfits is how many packets in a row may contradict what is known of an object
// before it is given up. Who wants that without being the sender has to send so many for
// each of the sender's.
const maxMisfits = 128

// begin begins the object of a packet, if it is wanted and known how. Otherwise it
// keeps raw until it is.
func (s *session) begin(now time.Time, p *alc.Packet, raw []byte) *rxObject {
	r := s.r
	d := s.files[p.TOI]
	if d != nil && r.cfg.Plain {
		d = s.stillPlain(now, d, p)
	}
	if d != nil && (d.settled || now.Before(d.retry)) {
		r.stats.Duplicates++
		return nil
	}
	if d != nil && d.skip {
		r.stats.Unwanted++
		return nil
	}
	if d != nil && !d.valid(now) {
		d = nil
	}
	var oti fec.OTI
	switch content, ok := p.Extensions.Find(lct.ExtFTI); {
	case d != nil && d.hasOTI:
		oti = d.oti
	case d == nil && r.cfg.DescribedOnly || !ok:
		r.keepEarly(s, p.TOI, raw, now)
		return nil
	default:
		var err error
		if oti, err = fec.ParseFTI(fec.EncodingID(p.Codepoint), content); err != nil {
			r.stats.Malformed++
			return nil
		}
		if d != nil && !d.fits(&oti) {
			r.stats.FTIConflicts++
			return nil
		}
		if r.cfg.Plain {
			if d = s.describePlain(now, p.TOI, &oti); d == nil {
				r.stats.Refused++
				return nil
			}
		}
	}
	o := s.open(now, p.TOI, &oti, d)
	if o != nil && r.early.of[earlyKey{s, p.TOI}] > 0 && !r.early.replaying {
		s.latest = o
		r.replay(now, s)
		if s.objects[o.key.TOI] != o { // replaying ended it
			return nil
		}
		// Replaying parsed other packets into p.
		if r.codec.Parse(raw, &r.pkt) != nil {
			return nil
		}
	}
	return o
}

// open begins an object. d describes it, or is nil.
func (s *session) open(now time.Time, toi lct.TOI, oti *fec.OTI, d *description) *rxObject {
	r := s.r
	var o *rxObject
	var err error
	if oti.TransferLength > r.cfg.MaxObjectBytes {
		err = ErrUnsupported
	} else {
		o, err = s.newObject(now, toi, oti)
	}
	if err != nil {
		r.stats.Refused++
		if d != nil { // tell it once
			d.settled = true
			r.run++
			r.stats.Aborted++
			key := ObjectKey{Session: s.key, TOI: toi, Run: r.run}
			r.events.push(ReceiverEvent{Type: ObjectNew, Key: key, Size: int64(oti.TransferLength)})
			r.events.push(ReceiverEvent{Type: ObjectDescribed, Key: key, File: d.file})
			r.events.push(ReceiverEvent{Type: ObjectAborted, Key: key, Err: err})
		}
		return nil
	}
	if r.objects >= r.cfg.MaxObjects && !r.evict(now, d != nil) {
		r.stats.Refused++
		return nil
	}
	s.objects[toi] = o
	r.objects++
	r.stats.Objects++
	r.events.push(ReceiverEvent{Type: ObjectNew, Key: o.key, Size: int64(oti.TransferLength), Blocks: o.part.Blocks()})
	if d != nil {
		o.describe(d)
	}
	return o
}

// evict ends an object for another to begin: of those nothing describes, or that are
// silent, the one silent for longest. A described one has precedence.
func (r *Receiver) evict(now time.Time, described bool) bool {
	var worst *rxObject
	for _, s := range r.order {
		for _, o := range s.objects {
			idle := now.Sub(o.heard)
			if o.handed || o.file != nil && idle < 30*time.Second || o.file == nil && !described && idle < 5*time.Second {
				continue
			}
			if worst == nil || worst.file != nil && o.file == nil ||
				(worst.file != nil) == (o.file != nil) && (o.heard.Before(worst.heard) ||
					o.heard.Equal(worst.heard) && o.key.Run < worst.key.Run) { // not by chance of the map
				worst = o
			}
		}
	}
	if worst == nil {
		return false
	}
	worst.abort(ErrOverrun)
	return true
}

// describe notes what describes the object.
func (o *rxObject) describe(d *description) {
	o.file = d
	o.r.events.push(ReceiverEvent{Type: ObjectDescribed, Key: o.key, File: d.file, Size: int64(o.part.Length())})
	o.deliver()
}

// deliver tells the application of an object that is whole and described.
func (o *rxObject) deliver() {
	if o.whole() && o.file != nil && !o.handed {
		o.handed = true
		if o.r.cfg.Plain {
			o.s.confirmed = true
		}
		o.freeDecoder()
		o.r.events.push(ReceiverEvent{Type: ObjectReceived, Key: o.key, File: o.file.file, Size: int64(o.part.Length())})
	}
}

// abort ends an object that is not whole.
func (o *rxObject) abort(err error) {
	o.r.stats.Aborted++
	o.r.events.push(ReceiverEvent{Type: ObjectAborted, Key: o.key, Err: err})
	o.s.remove(o)
}

// remove forgets an object, and lets a description that came meanwhile take effect.
func (s *session) remove(o *rxObject) {
	o.free()
	toi := o.key.TOI
	delete(s.objects, toi)
	s.r.objects--
	if s.latest == o {
		s.latest = nil
	}
	if d := o.file; d != nil && d.next != nil && s.files[toi] == d {
		s.files[toi] = d.next
		d.next = nil
		s.reweigh(toi)
	}
}

// advance ends what has run out of time.
func (s *session) advance(now time.Time) {
	c := &s.r.cfg
	silent := now.Sub(s.heard)
	switch {
	case s.closing && silent >= c.CloseGrace:
		s.end(ErrClosed)
		return
	case silent >= c.SessionTimeout || s.ended:
		s.end(ErrSilent)
		return
	}
	if s.contested { // FDT Instances are read again, by those who repeat them
		s.contested = false
		clear(s.known)
		s.ids = s.ids[:0]
	}
	// In the order in which they began, for the same run gives the same events.
	for _, o := range s.inOrder() {
		if o.handed {
			continue
		}
		silent := now.Sub(o.heard)
		if c.Plain && o.file != nil && !o.file.expires.IsZero() {
			o.file.expires = o.heard.Add(c.SessionTimeout)
		}
		switch d := o.file; {
		case o.closed && silent >= c.CloseGrace && (d != nil || !o.whole()):
			o.abort(ErrClosed)
		case o.dead && now.Sub(o.started) >= c.DescribeTimeout:
			s.remove(o)
		case d == nil && now.Sub(o.started) >= c.DescribeTimeout:
			o.abort(ErrUndescribed)
		case d != nil && d.next != nil && silent >= 10*time.Second:
			o.abort(ErrReplaced)
		case d != nil && !d.valid(now):
			o.abort(ErrExpired)
		}
	}
	for i := 0; i < len(s.tables); {
		if o := s.tables[i]; now.Sub(o.heard) >= c.DescribeTimeout {
			s.dropTable(o)
			continue
		}
		i++
	}
}

// inOrder returns the objects by age.
func (s *session) inOrder() []*rxObject {
	list := make([]*rxObject, 0, len(s.objects))
	for _, o := range s.objects {
		list = append(list, o)
	}
	sortByRun(list)
	return list
}

// end ends the session with all that is not being stored.
func (s *session) end(err error) {
	r := s.r
	for _, o := range s.inOrder() {
		if !o.handed {
			o.abort(err)
		}
	}
	for len(s.tables) > 0 {
		s.dropTable(s.tables[0])
	}
	if s.ended = true; len(s.objects) > 0 && !errors.Is(err, ErrOverrun) {
		return // until they are stored
	}
	for _, o := range s.inOrder() {
		s.remove(o)
	}
	r.files -= len(s.files)
	for _, w := range s.weights {
		r.fileBytes -= w
	}
	r.early.forget(s)
	delete(r.sessions, s.key)
	for i := range r.order {
		if r.order[i] == s {
			r.order = append(r.order[:i], r.order[i+1:]...)
			break
		}
	}
	if r.latest == s {
		r.latest = nil
	}
	r.events.push(ReceiverEvent{Type: SessionGone, Key: ObjectKey{Session: s.key}, Err: err})
}
