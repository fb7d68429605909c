package sdp

import (
	"fmt"
	"strconv"
	"time"
)

// RTP says what NewRTP is to write.
type RTP struct {
	Session
	Dest

	// Dup is where a copy of the stream is sent, in the sense of RFC 7104 and
	// SMPTE ST 2022-7; the zero Dest is nowhere.
	Dup Dest

	Kind        string // "audio", "video" and the like
	PayloadType uint8  // 0 to 127; dynamic ones begin at 96

	// Encoding, ClockRate and Channels are what the payload type is. An empty
	// Encoding writes no a=rtpmap, which is for types of RFC 3551 only. Channels
	// is for audio; 0 writes none, which is 1.
	Encoding  string
	ClockRate uint32 // in Hz
	Channels  int

	Params     string        // of a=fmtp, if not empty
	PacketTime time.Duration // a=ptime, if not 0
	Title      string        // an i= line of the media, if not empty

	// RefClock and MediaClock are written if they have a Kind.
	RefClock   RefClock
	MediaClock MediaClock

	// Feedback is "reflection" or "rsi" for a source-specific session whose
	// receivers report to the sender (RFC 5760). When it is empty such a session
	// is told to have no reports, with b=RR:0.
	Feedback string
}

// NewRTP writes a description of an RTP stream. The error wraps ErrValue.
func NewRTP(r RTP) (*Description, error) {
	b := r.Session.start(r.Dest)
	if r.PayloadType > 127 {
		return nil, fmt.Errorf("%w: payload type %d", ErrValue, r.PayloadType)
	}
	if r.PacketTime < 0 {
		return nil, fmt.Errorf("%w: packets of %v", ErrValue, r.PacketTime)
	}
	if r.Encoding == "" {
		if _, ok := static[r.PayloadType]; !ok {
			return nil, fmt.Errorf("%w: tell the encoding of payload type %d", ErrValue, r.PayloadType)
		}
	}
	dup := r.Dup != Dest{}
	if dup {
		b.attribute(Section{}, "group", "DUP primary secondary")
	}
	r.leg(b, r.Dest, dup, "primary")
	if dup {
		r.leg(b, r.Dup, dup, "secondary")
	}
	return b.done()
}

// leg writes one of the two copies of the stream.
func (r RTP) leg(b *builder, to Dest, dup bool, id string) {
	pt := strconv.Itoa(int(r.PayloadType))
	s := b.media(MediaLine{Kind: r.Kind, Proto: "RTP/AVP", Formats: pt}, to, r.Title)
	if b.err != nil {
		return
	}
	switch {
	case to.Channel.AnySource():
	case r.Feedback != "":
		b.attribute(s, "rtcp-unicast", r.Feedback)
	default:
		for _, v := range []string{"RS:0", "RR:0"} {
			if b.err == nil {
				b.err = s.Add('b', v)
			}
		}
	}
	if r.Encoding != "" {
		m := RTPMap{PayloadType: r.PayloadType, Encoding: r.Encoding, ClockRate: r.ClockRate}
		if r.Channels > 0 {
			m.Params = strconv.Itoa(r.Channels)
		}
		b.attribute(s, "rtpmap", m.String())
	}
	if r.Params != "" {
		b.attribute(s, "fmtp", pt+" "+r.Params)
	}
	if r.PacketTime != 0 {
		b.attribute(s, "ptime", formatPacketTime(r.PacketTime))
	}
	if r.RefClock.Kind != "" {
		b.attribute(s, "ts-refclk", r.RefClock.String())
	}
	if r.MediaClock.Kind != "" {
		b.attribute(s, "mediaclk", r.MediaClock.String())
	}
	if b.err == nil {
		b.err = s.AddAttribute("recvonly", "")
	}
	if dup {
		b.attribute(s, "mid", id)
	}
}

// MPEGTS says what NewMPEGTS is to write.
type MPEGTS struct {
	Session
	Dest
	Dup Dest // of RTP; see RTP

	// Raw is for a transport stream in UDP packets without RTP, as VLC and many
	// encoders send it.
	Raw bool
}

// NewMPEGTS writes a description of an MPEG transport stream, in RTP (RFC 2250) or
// not. The error wraps ErrValue.
func NewMPEGTS(m MPEGTS) (*Description, error) {
	if !m.Raw {
		d, err := NewRTP(RTP{Session: m.Session, Dest: m.Dest, Dup: m.Dup, Kind: "video", PayloadType: 33, Encoding: "MP2T", ClockRate: 90000})
		if err == nil && m.Dup == (Dest{}) {
			err = d.raise()
		}
		if err != nil {
			return nil, err
		}
		return d, nil
	}
	if m.Dup != (Dest{}) {
		return nil, fmt.Errorf("%w: a copy needs RTP", ErrValue)
	}
	// "udp mpeg" is what VLC writes, and reads; no RFC has it. RFC 8866 section
	// 5.14 has the protocol in lower case.
	b := m.Session.start(m.Dest)
	b.media(MediaLine{Kind: "video", Proto: "udp", Formats: "mpeg"}, m.Dest, "")
	return b.done()
}

// raise moves the connection and the source filter of the one media to the session:
// FFmpeg takes those of MPEG-TS from nowhere else.
func (d *Description) raise() error {
	for i := d.Len() - 1; i >= 0 && d.Line(i).Type() != 'm'; i-- {
		l := d.Line(i)
		name, _ := cutAttribute(l.Value())
		if l.Type() != 'c' && (l.Type() != 'a' || name != "source-filter") {
			continue
		}
		if err := d.DeleteLine(i); err != nil {
			return err
		}
		if err := d.Session().Add(l.Type(), l.Value()); err != nil {
			return err
		}
		i++ // one line more above
	}
	return nil
}

// AES67 says what NewAES67 is to write.
type AES67 struct {
	Session
	Dest
	Dup Dest // see RTP

	// Bits is the width of a sample: 16 or 24; 0 is 24.
	Bits int

	ClockRate uint32 // in Hz; 0 is 48000
	Channels  int    // 1 and more

	// PacketTime is how much audio is in a packet; 0 is 1 ms. A packet may not
	// have more than 1440 bytes of it.
	PacketTime time.Duration

	// PayloadType is 96 to 127; 0 is 96.
	PayloadType uint8

	// RefClock is the PTP clock. Its Kind is "ptp" if it is not told, its
	// Version "IEEE1588-2008", and without a Server it is Traceable. It changes
	// when PTP elects another grandmaster, and the description with it.
	RefClock RefClock

	// Offset is the RTP timestamp at the PTP epoch.
	Offset uint32

	Title string // an i= line of the media, such as "2 channels: Left, Right"
}

// aes67MTU is the most audio in a packet, in bytes (AES67 section 6.3).
const aes67MTU = 1440

// NewAES67 writes a description of an AES67 stream. The error wraps ErrValue.
func NewAES67(a AES67) (*Description, error) {
	if a.Bits == 0 {
		a.Bits = 24
	}
	if a.ClockRate == 0 {
		a.ClockRate = 48000
	}
	if a.PacketTime == 0 {
		a.PacketTime = time.Millisecond
	}
	if a.PayloadType == 0 {
		a.PayloadType = 96
	}
	c := &a.RefClock
	if c.Kind == "" {
		c.Kind = "ptp"
	}
	if c.Kind == "ptp" {
		if c.Version == "" {
			c.Version = "IEEE1588-2008"
		}
		c.Traceable = c.Server == ""
	}
	switch {
	case a.Bits != 16 && a.Bits != 24:
		return nil, fmt.Errorf("%w: %d bits a sample", ErrValue, a.Bits)
	case a.Channels < 1 || a.Channels > aes67MTU:
		return nil, fmt.Errorf("%w: %d channels", ErrValue, a.Channels)
	case a.PacketTime < 0 || a.PacketTime > time.Second || a.ClockRate > 1<<20:
		return nil, fmt.Errorf("%w: packets of %v at %d Hz", ErrValue, a.PacketTime, a.ClockRate)
	}
	// Rounded, since the packet time of 48 samples at 44.1 kHz is no round number.
	samples := int((int64(a.PacketTime)*int64(a.ClockRate) + int64(time.Second)/2) / int64(time.Second))
	if n := samples * a.Channels * a.Bits / 8; n > aes67MTU || samples < 1 {
		return nil, fmt.Errorf("%w: %d bytes in a packet, of 1 sample to %d bytes", ErrValue, n, aes67MTU)
	}
	return NewRTP(RTP{Session: a.Session, Dest: a.Dest, Dup: a.Dup, Kind: "audio", PayloadType: a.PayloadType,
		Encoding: "L" + strconv.Itoa(a.Bits), ClockRate: a.ClockRate, Channels: a.Channels, PacketTime: a.PacketTime, Title: a.Title,
		RefClock: *c, MediaClock: MediaClock{Kind: "direct", Offset: uint64(a.Offset), HasOffset: true}})
}
