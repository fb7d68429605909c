package alc

import (
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/lct"
)

// AppendFTI appends the header extension EXT_FTI with o to extensions (RFC 5775 section
// 4.2). On an error, that of fec.AppendFTI, it returns dst as it was.
func AppendFTI(dst lct.Extensions, o *fec.OTI) (lct.Extensions, error) {
	b, err := fec.AppendFTI(lct.BeginExtension(dst, lct.ExtFTI), o)
	if err != nil {
		return dst, err
	}
	return lct.EndExtension(b, len(dst))
}

// FTI reads the packet's EXT_FTI as that of scheme id: in FLUTE the codepoint. ok says
// whether there is one. The error is that of fec.ParseFTI.
//
// Of fec.Raptor the layout of flute-rs is read too, which is that of fec.RaptorQ with
// longer fields: it has the symbol size where RFC 5053 section 3.2.2 has zeros.
func (p *Packet) FTI(id fec.EncodingID) (o fec.OTI, ok bool, err error) {
	content, ok := p.Extensions.Find(lct.ExtFTI)
	if !ok {
		return fec.OTI{}, false, nil
	}
	if id == fec.Raptor && len(content) == 14 {
		if b := [14]byte(content); raptorLikeQ(&b) {
			o, err = fec.ParseFTI(id, b[:])
			return o, true, err
		}
	}
	o, err = fec.ParseFTI(id, content)
	return o, true, err
}

// raptorLikeQ reports whether b has F 40, 0 8, T 16, Z 16, N 8, Al 8, 0 16, and makes
// it F 48, 0 16, T 16, Z 16, N 8, Al 8.
func raptorLikeQ(b *[14]byte) bool {
	if b[6]|b[7] == 0 || b[5]|b[12]|b[13] != 0 {
		return false
	}
	copy(b[8:], b[6:12])
	b[6], b[7] = 0, 0
	copy(b[1:6], b[:5])
	b[0] = 0
	return true
}
