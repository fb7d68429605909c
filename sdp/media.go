package sdp

import (
	"iter"
	"strconv"
	"strings"
)

// A MediaLine is what a stream is and where it goes: an m= line (RFC 8866 section
// 5.14).
type MediaLine struct {
	Kind string // "audio", "video", "text", "application", "message" or another

	// Port is the first UDP port; 0 when the stream is off or the port is told
	// elsewhere, as in RTSP.
	Port uint16

	// Ports is how many there are; 0 and 1 are one. Those of RTP are two apart,
	// since each has its RTCP port behind it.
	Ports int

	// Proto is "RTP/AVP", "udp", "FLUTE/UDP" and the like, as written: some
	// write it in lower case.
	Proto string

	// Formats has the formats with a space between them: payload types in RTP.
	// See AllFormats.
	Formats string
}

// ParseMediaLine reads the value of an m= line. A missing format and a port that is none
// pass; the error wraps ErrValue when there is no kind, port and protocol.
func ParseMediaLine(s string) (MediaLine, error) {
	m, bad := parseMediaLine(s)
	return m, bad.err("media")
}

func parseMediaLine(s string) (m MediaLine, bad fault) {
	f := fields{s: s}
	m.Kind = f.next()
	if !isToken(m.Kind) {
		bad.note(CodeSyntax, f.at, "the kind of media is one word")
	}
	port, count, many := strings.Cut(f.next(), "/")
	v, ok := parseUint(port, 65535)
	m.Port = uint16(v)
	if !ok {
		bad.note(CodeNumber, f.at, "a port is 0 to 65535")
	}
	if many {
		n, ok := parseUint(count, 65535)
		m.Ports = int(n)
		if !ok || n == 0 {
			bad.note(CodeNumber, f.at+len(port)+1, "a number of ports is 1 to 65535")
		} else if n > MaxPorts {
			bad.note(CodeCount, f.at+len(port)+1, "a number of ports that is not believed")
		}
	}
	if m.Proto = f.next(); m.Proto == "" {
		return m, dead(CodeSyntax, len(s), "media needs a kind, a port and a protocol")
	}
	if !tokenList(m.Proto) {
		bad.note(CodeSyntax, f.at, "a protocol is words with slashes between them")
	}
	first := f.next()
	if first == "" {
		bad.note(CodeMissing, len(s), "media needs a format, * at least")
		f.done(&bad)
		return m, bad
	}
	at := f.at
	for v := first; v != ""; v = f.next() {
		if !isToken(v) {
			bad.note(CodeSyntax, f.at, "a format is a word")
		}
	}
	m.Formats = strings.TrimRight(s[at:], " \t")
	f.done(&bad)
	return m, bad
}

// AllFormats yields the formats one by one.
func (m MediaLine) AllFormats() iter.Seq[string] {
	return func(yield func(string) bool) {
		f := fields{s: m.Formats}
		for v := f.next(); v != "" && yield(v); v = f.next() {
		}
	}
}

// RTP reports whether the protocol is RTP over UDP, in whichever profile and behind
// whichever prefix.
func (m MediaLine) RTP() bool { return hasProto(m.Proto, "RTP") && !hasProto(m.Proto, "TCP") }

// hasProto reports whether one of the words of a protocol is that, in any case.
func hasProto(proto, word string) bool {
	for {
		one, rest, more := strings.Cut(proto, "/")
		if strings.EqualFold(one, word) {
			return true
		}
		if !more {
			return false
		}
		proto = rest
	}
}

// ports returns how many ports there are, at most MaxPorts and none beyond 65535,
// and how far they are apart.
func (m MediaLine) ports() (n, step int) {
	step = 1
	if m.RTP() {
		step = 2
	}
	n = min(max(m.Ports, 1), MaxPorts, (65535-int(m.Port))/step+1)
	return n, step
}

// String returns the value of an m= line.
func (m MediaLine) String() string {
	s := m.Kind + " " + strconv.Itoa(int(m.Port))
	if m.Ports > 1 {
		s += "/" + strconv.Itoa(m.Ports)
	}
	s += " " + m.Proto
	if m.Formats != "" {
		s += " " + m.Formats
	}
	return s
}

// A Media is one m= line of a description and the lines below it. The MediaLine is what
// it was when the Media was asked for; everything else follows edits.
type Media struct {
	MediaLine
	Section
}

// NumMedia returns the number of m= lines.
func (d *Description) NumMedia() int { return len(d.media) }

// MediaAt returns media i, from 0, or false when there is none. An m= line that cannot
// be read gives a Media with an empty Kind or Proto.
func (d *Description) MediaAt(i int) (Media, bool) {
	if i < 0 || i >= len(d.media) {
		return Media{}, false
	}
	m, _ := parseMediaLine(d.lines[d.media[i]].Value())
	return Media{MediaLine: m, Section: Section{d: d, level: i}}, true
}

// Media returns all media in order.
func (d *Description) Media() []Media {
	all := make([]Media, len(d.media))
	for i := range all {
		all[i], _ = d.MediaAt(i)
	}
	return all
}

// MediaByID returns the media whose a=mid is id (RFC 5888 section 4).
func (d *Description) MediaByID(id string) (Media, bool) {
	for i := range d.media {
		s := Section{d: d, level: i}
		if v, ok := s.Attribute("mid"); ok && strings.TrimSpace(v) == id {
			return d.MediaAt(i)
		}
	}
	return Media{}, false
}
