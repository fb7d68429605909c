package core

import (
	"cmp"
	"slices"
	"time"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// A description is what FDT Instances say of a TOI.
type description struct {
	file    *fdt.File
	expires time.Time // of the last instance that says so, by our clock
	forever bool      // ReceiverConfig.IgnoreExpiry
	oti     fec.OTI
	hasOTI  bool // it tells all that FEC needs

	skip    bool      // not wanted
	settled bool      // the object is stored, or will not be
	failed  int       // how often the application refused it
	retry   time.Time // and when it is begun again

	// next contradicts this one, and takes its place when the object that is
	// being received by this one ends.
	next *description

	// before is what the TOI meant when an object was stored: if it means that
	// again, it need not be received again.
	before *description
}

// maxFileBytes is for all descriptions together.
const maxFileBytes = 64 << 20

// weight is about what a description takes, with those that wait behind it.
func (d *description) weight() (n int64) {
	for _, v := range [...]*description{d, d.next, d.before} {
		if v == nil {
			continue
		}
		f := v.file
		n += 800 + int64(len(f.ContentLocation)+len(f.ContentType)+len(f.ContentEncoding)+len(f.OTI.SchemeInfo)+len(f.SessionIdentities))
		for _, g := range f.Groups {
			n += 16 + int64(len(g))
		}
	}
	return n
}

// reweigh brings the account of a TOI's descriptions up to date.
func (s *session) reweigh(toi lct.TOI) {
	var w int64
	if d := s.files[toi]; d != nil {
		w = d.weight()
	}
	s.r.fileBytes += w - s.weights[toi]
	if s.weights[toi] = w; w == 0 {
		delete(s.weights, toi)
	}
}

func (d *description) valid(now time.Time) bool { return d.forever || d.expires.After(now) }

// fits reports whether FEC parameters from EXT_FTI can be of the described file.
func (d *description) fits(oti *fec.OTI) bool {
	if d.hasOTI {
		return sameOTI(&d.oti, oti)
	}
	n, ok := d.file.Transfer()
	return !ok || n == oti.TransferLength
}

// newDescription makes a description of an FDT Instance's entry, which it copies: the
// rest of the instance is not kept for it.
func newDescription(entry *fdt.File, expires time.Time, forever bool) *description {
	f := new(fdt.File)
	*f = *entry
	d := &description{file: f, expires: expires, forever: forever}
	if n, ok := f.Transfer(); ok {
		oti, err := f.OTI.FEC(n)
		d.oti, d.hasOTI = oti, err == nil
	}
	return d
}

// sameFile reports whether two entries can be of one object: nothing that both tell
// differs (RFC 6726 section 3.3: an entry may only be augmented).
func sameFile(a, b *description) bool {
	x, y := a.file, b.file
	if x.ContentLocation != y.ContentLocation || x.Encoded() != y.Encoded() ||
		x.HasMD5 && y.HasMD5 && x.ContentMD5 != y.ContentMD5 ||
		x.HasContentLength && y.HasContentLength && x.ContentLength != y.ContentLength {
		return false
	}
	n, ok := x.Transfer()
	m, ok2 := y.Transfer()
	return (!ok || !ok2 || n == m) && (!a.hasOTI || !b.hasOTI || sameOTI(&a.oti, &b.oti))
}

// describe takes in one entry of an FDT Instance.
func (s *session) describe(now time.Time, f *fdt.File, expires time.Time) {
	r := s.r
	d := newDescription(f, expires, r.cfg.IgnoreExpiry)
	old, o := s.files[f.TOI], s.objects[f.TOI]
	if (old == nil || !sameFile(old, d)) && r.fileBytes > maxFileBytes && !s.forget(now) {
		r.stats.Refused++
		return
	}
	defer s.reweigh(f.TOI)
	if old == nil || !sameFile(old, d) {
		d.skip = r.cfg.Want != nil && !r.cfg.Want(s.key, f)
	}
	switch {
	case old == nil:
		if r.files >= r.cfg.MaxFiles && !s.forget(now) {
			r.stats.Refused++
			return
		}
		r.files++
		s.listed = append(s.listed, f.TOI)
	case sameFile(old, d):
		old.augment(d)
		d = old
	default:
		r.stats.FileConflicts++
		s.contested = true
		if b := old.before; b != nil && o == nil && sameFile(b, d) {
			b.augment(d)
			d = b
			break
		}
		if d.before = old.before; old.settled {
			d.before, old.before = old, nil
		}
		if o != nil && o.file == old && (old.valid(now) || o.handed) {
			old.next = d // what is under way is not ended by whoever says so
			return
		}
		if o != nil && o.file == old {
			o.abort(ErrExpired)
			o = nil
		}
	}
	s.files[f.TOI] = d
	switch {
	case o != nil && o.dead:
		d.settled = true
		s.remove(o)
	case o != nil && o.file == nil && d.skip:
		o.abort(ErrCanceled)
	case o != nil && o.file == nil && !d.fits(&o.oti):
		// RFC 6726 section 5 would have EXT_FTI decide; but any one forged packet
		// can begin an object, and this is a whole instance.
		r.stats.FTIConflicts++
		o.abort(ErrReplaced)
	case o != nil && o.file == nil:
		o.describe(d)
	case o == nil && !d.settled && !d.skip:
		if n, ok := f.Transfer(); ok && n == 0 { // no packet will come of it
			oti := fec.OTI{EncodingID: fec.CompactNoCode, SymbolSize: 1, MaxBlockLen: 1}
			s.open(now, f.TOI, &oti, d)
		}
	}
}

// distrust is called when an object could not be received as it was described. What
// describes it is then read again, from whoever sends it.
func (o *rxObject) distrust() {
	s := o.s
	s.contested = true
	if d := o.file; d != nil && d.next == nil && s.files[o.key.TOI] == d && o.misfits >= maxMisfits {
		d.expires, d.forever = time.Time{}, false
	}
}

// augment takes what a later entry tells and this one does not, and its expiry.
func (d *description) augment(by *description) {
	if by.expires.After(d.expires) {
		d.expires = by.expires
	}
	if !d.hasOTI && by.hasOTI || !d.file.HasMD5 && by.file.HasMD5 {
		f := *by.file // the application may have the earlier one
		if d.file.HasMD5 {
			f.ContentMD5, f.HasMD5 = d.file.ContentMD5, true
		}
		d.file = &f
		if !d.hasOTI {
			d.oti, d.hasOTI = by.oti, by.hasOTI
		}
	}
}

// forget drops the descriptions that have expired and are of nothing under way. It
// returns false when there are none.
func (s *session) forget(now time.Time) bool {
	if now.Sub(s.swept) < time.Second { // a long FDT must not have us look at all for each entry
		return false
	}
	s.swept = now
	before := len(s.listed)
	s.listed = slices.DeleteFunc(s.listed, func(toi lct.TOI) bool {
		if s.files[toi].valid(now) || s.objects[toi] != nil {
			return false
		}
		delete(s.files, toi)
		s.reweigh(toi)
		return true
	})
	s.r.files -= before - len(s.listed)
	return len(s.listed) < before
}

func sortByRun(list []*rxObject) {
	slices.SortFunc(list, func(a, b *rxObject) int { return cmp.Compare(a.key.Run, b.key.Run) })
}
