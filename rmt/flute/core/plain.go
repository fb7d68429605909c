package core

import (
	"fmt"
	"time"

	"github.com/gomulticast/multicast/rmt/alc"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// describePlain makes a description of an object that has none but its FEC parameters:
// see ReceiverConfig.Plain. It returns nil if there is no room.
func (s *session) describePlain(now time.Time, toi lct.TOI, oti *fec.OTI) *description {
	r := s.r
	if s.files[toi] == nil {
		if (r.files >= r.cfg.MaxFiles || r.fileBytes > maxFileBytes) && !s.forget(now) {
			return nil
		}
		r.files++
		s.listed = append(s.listed, toi)
	}
	f := &fdt.File{TOI: toi, ContentLocation: fmt.Sprintf("object-%d-%v", r.run+1, toi)}
	f.TransferLength, f.HasTransferLength = oti.TransferLength, true
	d := &description{file: f, oti: *oti, hasOTI: true, expires: now.Add(r.cfg.SessionTimeout)}
	d.skip = r.cfg.Want != nil && !r.cfg.Want(s.key, f)
	s.files[toi] = d
	s.reweigh(toi)
	return d
}

// stillPlain returns the description of an object of which a packet came and that is not
// being received, if it is still that object; a TOI may come to mean another.
func (s *session) stillPlain(now time.Time, d *description, p *alc.Packet) *description {
	content, ok := p.Extensions.Find(lct.ExtFTI)
	if ok {
		oti, err := fec.ParseFTI(fec.EncodingID(p.Codepoint), content)
		if err == nil && !sameOTI(&d.oti, &oti) {
			return nil
		}
	}
	if d.valid(now) {
		d.expires = now.Add(s.r.cfg.SessionTimeout)
	}
	return d
}
