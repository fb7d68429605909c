package core

import (
	"bytes"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/gomulticast/multicast/internal/engine"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// A page is the files that one FDT Instance describes. When they change, or the
// instance nears its expiry, it becomes another instance: an instance never changes
// (RFC 6726 section 3.3).
type page struct {
	files []*txObject
	dirty bool
	made  time.Time // when its instance is to be made; then, when it was
	fresh bool      // it has files that no instance sent has

	id   uint32 // FDT Instance ID
	data []byte // the instance, encoded
	oti  fec.OTI
	ext  []byte // extensions but for EXT_TIME
	on   []casting
}

// A casting is how a page fares on one channel.
type casting struct {
	due  time.Time     // when it is sent next
	gap  time.Duration // and after that
	next int           // its next symbol; 0 when it is not being sent
}

// fdtShare is the part of a rate that FDT Instances may take while there are objects to
// send: one of so many.
const fdtShare = 4

// settleTime is how long a change of the files may wait for others.
const settleTime = 5 * time.Millisecond

// enroll finds a page for an object.
func (s *Sender) enroll(now time.Time, o *txObject) {
	var p *page
	if n := len(s.pages); n > 0 && len(s.pages[n-1].files) < s.cfg.FDTFiles {
		p = s.pages[n-1]
	} else {
		p = &page{on: make([]casting, len(s.channels))}
		s.pages = append(s.pages, p)
	}
	p.files = append(p.files, o)
	o.page = p
	s.touchPage(now, p)
}

// touchPage has a page's instance made anew.
func (s *Sender) touchPage(now time.Time, p *page) {
	if !p.dirty {
		p.dirty, p.made = true, now
		if p.data != nil {
			p.made = now.Add(settleTime)
		}
	}
}

// recast has all channels look for pages that are due.
func (s *Sender) recast() {
	for i := range s.channels {
		s.channels[i].castAt = time.Time{}
	}
}

// tell notes that a page's instance was sent whole.
func (p *page) tell() {
	if p.fresh {
		for _, o := range p.files {
			o.described = o.described || o.listed
		}
		p.fresh = false
	}
}

// tend makes instances that are due and forgets files that were sent, and returns when
// there is something to do next.
func (s *Sender) tend(now time.Time) (next time.Time) {
	for i := 0; i < len(s.pages); {
		p := s.pages[i]
		gone := func(o *txObject) bool { return o.settled && now.Sub(o.doneAt) >= s.cfg.Linger && !s.closing }
		if !slices.ContainsFunc(p.files, func(o *txObject) bool { return !gone(o) }) {
			s.pages = slices.Delete(s.pages, i, i+1)
			for j := range s.channels {
				if s.channels[j].casting == p {
					s.channels[j].casting = nil
				}
			}
			continue
		}
		if renew := p.made.Add(s.cfg.FDTLifetime / 2); !p.dirty && !renew.After(now) {
			p.dirty, p.made = true, now
		}
		if p.dirty && !p.made.After(now) {
			p.files = slices.DeleteFunc(p.files, gone)
			s.makeInstance(now, p)
		}
		due := p.made
		if !p.dirty {
			due = p.made.Add(s.cfg.FDTLifetime / 2)
			for _, o := range p.files {
				if o.settled {
					due = engine.Earliest(due, o.doneAt.Add(s.cfg.Linger))
				}
			}
			if !due.After(now) {
				due = now.Add(time.Second) // a file that goes with the next instance
			}
		}
		next = engine.Earliest(next, due)
		i++
	}
	return next
}

// makeInstance makes a new instance of a page.
func (s *Sender) makeInstance(now time.Time, p *page) {
	in := fdt.Instance{
		Expires:  lct.NTPTime(now.Add(s.cfg.FDTLifetime)).Seconds(),
		Complete: s.complete && len(s.pages) == 1,
	}
	for _, o := range p.files {
		in.Files = append(in.Files, o.spec.File)
		o.listed = true
	}
	xml, err := in.Append(nil, s.cfg.Profile)
	if err != nil {
		panic(err) // each file alone was possible: see newObject
	}
	p.data, p.dirty, p.made, p.fresh = xml, false, now, true
	encoding := s.cfg.FDTEncoding
	if encoding == lct.EncodingGZIP {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		w.Write(xml)
		w.Close()
		p.data = z.Bytes()
	}
	p.id = s.nextInstance
	s.nextInstance = (s.nextInstance + 1) & lct.MaxInstanceID
	e := uint64(s.cfg.SymbolSize)
	t := (uint64(len(p.data)) + e - 1) / e
	p.oti = fec.OTI{EncodingID: fec.CompactNoCode, TransferLength: uint64(len(p.data)), SymbolSize: uint16(e), MaxBlockLen: uint32(min(t, 1<<16-1))}
	p.ext = lct.AppendFDT(p.ext[:0], lct.FDT{Version: s.cfg.Profile.Version(), InstanceID: p.id})
	if encoding != lct.EncodingNull {
		p.ext = lct.AppendCENC(p.ext, encoding)
	}
	at := len(p.ext)
	p.ext, _ = fec.AppendFTI(lct.BeginExtension(p.ext, lct.ExtFTI), &p.oti)
	p.ext, _ = lct.EndExtension(p.ext, at)
	for i := range p.on {
		// At once, and then ever less often until the interval is reached.
		p.on[i] = casting{due: now, gap: s.cfg.FDTInterval / 16}
	}
	s.recast()
	s.stats.Tables++
}

// cast returns the page whose turn it is on a channel, or nil.
func (s *Sender) cast(now time.Time, c *channel) *page {
	if c.casting != nil {
		return c.casting
	}
	if now.Before(c.castAt) {
		return nil
	}
	limit := now
	if s.closing { // once more each, and no more
		limit = s.closed
	}
	var first *page
	var at time.Time
	for _, p := range s.pages {
		if due := p.on[c.index].due; p.data != nil && (first == nil || due.Before(at)) {
			first, at = p, due
		}
	}
	if first == nil || at.After(limit) {
		c.castAt = at
		return nil
	}
	return first
}

// castDue returns when a page is due next on a channel; the zero time is never.
func (s *Sender) castDue(c *channel) (due time.Time) {
	for _, p := range s.pages {
		if p.data != nil {
			due = engine.Earliest(due, p.on[c.index].due)
		}
	}
	if s.closing && due.After(s.closed) {
		return time.Time{}
	}
	return due
}

// symbols returns how many symbols a page's instance has.
func (p *page) symbols() int {
	e := int(p.oti.SymbolSize)
	return (len(p.data) + e - 1) / e
}
