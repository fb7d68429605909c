package sdp

import (
	"encoding/base64"
	"fmt"
	"strconv"
)

// A FileSession says what NewFLUTE and NewNORM are to write.
type FileSession struct {
	Session
	Dest

	// TSI is the transport session identifier of FLUTE, up to 48 bits. NORM
	// has none.
	TSI uint64

	// FEC has the schemes that receivers must know; none writes nothing, and
	// receivers learn of them in the packets. Their Ref must differ.
	FEC []FECDeclaration

	Content string // a=content-desc: a URI that describes the files, if not empty
	Title   string // an i= line of the media, if not empty
}

// NewFLUTE writes a description of a FLUTE session (RFC 6726), with the attributes of
// draft-ietf-rmt-flute-sdp. The channel must name the sender, whose address is half of
// what names the session. The error wraps ErrValue.
func NewFLUTE(f FileSession) (*Description, error) {
	if f.Dest.Channel.AnySource() {
		return nil, fmt.Errorf("%w: FLUTE needs the sender's address", ErrValue)
	}
	b := f.Session.start(f.Dest)
	b.attribute(Section{}, "flute-tsi", strconv.FormatUint(f.TSI, 10))
	b.attribute(Section{}, "flute-ch", strconv.Itoa(max(f.Dest.Groups, 1)))
	f.media(b, "FLUTE/UDP")
	return b.done()
}

// NewNORM writes a description of a NORM session (RFC 5740). No RFC says how; see NORM. The
// error wraps ErrValue.
func NewNORM(f FileSession) (*Description, error) {
	if f.TSI != 0 {
		return nil, fmt.Errorf("%w: NORM has no TSI", ErrValue)
	}
	b := f.Session.start(f.Dest)
	f.media(b, "NORM/UDP")
	return b.done()
}

func (f FileSession) media(b *builder, proto string) {
	for i, v := range f.FEC {
		for _, w := range f.FEC[:i] {
			if v.Ref == w.Ref && b.err == nil {
				b.err = fmt.Errorf("%w: two FEC declarations %d", ErrValue, v.Ref)
			}
		}
		b.attribute(Section{}, "FEC-declaration", v.String())
		if len(v.OTI) > 0 {
			b.attribute(Section{}, "FEC-OTI-extension", strconv.FormatUint(uint64(v.Ref), 10)+" "+base64.StdEncoding.EncodeToString(v.OTI))
		}
	}
	if f.Content != "" {
		b.attribute(Section{}, "content-desc", f.Content)
	}
	s := b.media(MediaLine{Kind: "application", Proto: proto, Formats: "*"}, f.Dest, f.Title)
	for _, v := range f.FEC {
		b.attribute(s, "FEC", strconv.FormatUint(uint64(v.Ref), 10))
	}
}
