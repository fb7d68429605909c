package sdp

import (
	"strconv"
	"strings"
)

// A RefClock is the clock that timestamps come from: an a=ts-refclk attribute (RFC 7273
// section 4.8).
type RefClock struct {
	// Kind is "ptp", "ntp", "gps", "gal", "glonass", "local", "private",
	// "localmac" (SMPTE ST 2110-10) or another.
	Kind string

	// Version is that of PTP: "IEEE1588-2008" and the like.
	Version string

	// Server is the host of NTP, the grandmaster's EUI-64 of PTP, written
	// 39-A7-94-FF-FE-07-CB-D0, the address of a localmac, or what is behind the
	// = of another kind. It is empty when Traceable.
	Server string

	// Domain is that of PTP as written, "" when not told: a number, or a name
	// for IEEE1588-2002.
	Domain string

	// Traceable is set when any clock traceable to TAI will do.
	Traceable bool
}

// ParseRefClock reads the value of an a=ts-refclk attribute. A domain without
// "domain-nmbr=", which RFC 7273's own examples have, and letters in lower case pass.
// The error wraps ErrValue.
func ParseRefClock(s string) (RefClock, error) {
	r, bad := parseRefClock(s)
	return r, bad.err("ts-refclk")
}

func parseRefClock(s string) (r RefClock, bad fault) {
	trimmed := strings.Trim(s, " \t")
	if len(trimmed) < len(s) {
		bad.note(CodeSpace, 0, "blanks beside the clock")
	}
	kind, value, ok := strings.Cut(trimmed, "=")
	at := len(kind) + 1
	r.Kind = kind
	switch kind {
	case "ptp":
		if bad := r.ptp(value, at, &bad); bad.dead {
			return r, bad
		}
	case "ntp":
		if r.Traceable = value == "/traceable/"; !r.Traceable {
			r.Server = value
		}
		if value == "" {
			bad.note(CodeAttribute, at, "an NTP clock has a server, or /traceable/")
		}
	case "localmac":
		if r.Server = value; !isEUI(value, 6) {
			bad.note(CodeAttribute, at, "a localmac is an address such as 01-23-45-67-89-AB")
		}
	default:
		r.Server = value
		if name, rest, colon := strings.Cut(kind, ":"); colon && name == "private" && !ok {
			r.Kind, r.Traceable = name, rest == "traceable"
		}
		if !isToken(r.Kind) {
			return r, dead(CodeAttribute, 0, "a reference clock begins with a word such as ptp, ntp or gps")
		}
	}
	return r, bad
}

// ptp reads what is behind ptp=.
func (r *RefClock) ptp(s string, at int, bad *fault) fault {
	version, rest, ok := strings.Cut(s, ":")
	r.Version = version
	if !isToken(version) {
		return dead(CodeAttribute, at, "a PTP clock begins with a version such as IEEE1588-2008")
	}
	if !ok {
		r.Traceable = version == "traceable"
		bad.note(CodeAttribute, at, "a PTP clock is a version, a colon, and a grandmaster or traceable, as in IEEE1588-2008:traceable")
		return fault{}
	}
	if rest == "traceable" {
		r.Traceable = true
		return fault{}
	}
	at += len(version) + 1
	r.Server, r.Domain, ok = strings.Cut(rest, ":")
	if !isEUI(r.Server, 8) {
		bad.note(CodeAttribute, at, "a grandmaster is eight bytes such as 39-A7-94-FF-FE-07-CB-D0")
	}
	if !ok {
		return fault{}
	}
	at += len(r.Server) + 1
	r.Server, r.Domain = strings.TrimSpace(r.Server), strings.TrimSpace(r.Domain)
	if name, ok := strings.CutPrefix(r.Domain, "domain-name="); ok {
		if r.Domain = name; name == "" || len(name) > 16 {
			bad.note(CodeNumber, at, "the name of a PTP domain has 1 to 16 letters")
		}
		return fault{}
	}
	r.Domain = strings.TrimPrefix(r.Domain, "domain-nmbr=")
	if _, ok := parseUint(r.Domain, 127); !ok {
		bad.note(CodeNumber, at, "a PTP domain is 0 to 127")
	}
	return fault{}
}

// isEUI reports whether s is n bytes in hex with dashes between them.
func isEUI(s string, n int) bool {
	if len(s) != 3*n-1 {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		if dash := i%3 == 2; dash != (s[i] == '-') || !dash && !isDigit(s[i]) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// String returns the value of the attribute.
func (r RefClock) String() string {
	switch {
	case r.Kind == "ptp" && r.Version == "traceable" && r.Traceable && r.Server == "":
		return "ptp=traceable"
	case r.Kind == "ptp":
		s := "ptp=" + r.Version
		switch {
		case r.Traceable:
			s += ":traceable"
		case r.Server != "" || r.Domain != "":
			s += ":" + r.Server
		}
		if r.Domain == "" {
			return s
		}
		if isNumber(r.Domain) {
			return s + ":" + r.Domain
		}
		return s + ":domain-name=" + r.Domain
	case r.Kind == "ntp" && r.Traceable:
		return "ntp=/traceable/"
	case r.Kind == "private" && r.Traceable:
		return "private:traceable"
	case r.Server != "":
		return r.Kind + "=" + r.Server
	}
	return r.Kind
}

// RefClocks returns the clocks that timestamps come from, which are as good as each
// other: those of the media, or without any those of the session.
func (s Section) RefClocks() []RefClock {
	var all []RefClock
	for name, value := range s.levelOf("ts-refclk").Attributes() {
		if name == "ts-refclk" {
			if r, bad := parseRefClock(value); !bad.dead {
				all = append(all, r)
			}
		}
	}
	return all
}

// A MediaClock is the clock that media is sampled with: an a=mediaclk attribute (RFC
// 7273 section 5.4).
type MediaClock struct {
	// Kind is "direct", "sender", "IEEE1722" or another.
	Kind string

	// Offset is the RTP timestamp at the reference clock's zero, of a direct
	// clock, if HasOffset.
	Offset    uint64
	HasOffset bool

	// Rate is what the clock rate is multiplied with, as written: "1000/1001".
	// ST 2110 equipment writes the rate in Hz there.
	Rate string

	// Stream is the stream ID of IEEE1722, or what is behind the = of another
	// kind.
	Stream string

	// ID names the clock in base64, and Master tells that this stream is its
	// source.
	ID     string
	Master bool
}

// ParseMediaClock reads the value of an a=mediaclk attribute. The error wraps ErrValue.
func ParseMediaClock(s string) (MediaClock, error) {
	m, bad := parseMediaClock(s)
	return m, bad.err("mediaclk")
}

func parseMediaClock(s string) (m MediaClock, bad fault) {
	f := fields{s: s}
	v := f.next()
	if id, ok := strings.CutPrefix(v, "id="); ok {
		m.ID, m.Master = strings.CutPrefix(id, "src:")
		if m.ID == "" {
			return m, dead(CodeAttribute, f.at, "a clock's name is in base64")
		}
		v = f.next()
	}
	kind, value, has := strings.Cut(v, "=")
	if m.Kind = kind; !isToken(kind) {
		return m, dead(CodeAttribute, f.at, "a media clock is direct, sender or IEEE1722")
	}
	if kind != "direct" {
		if m.Stream = value; kind == "IEEE1722" && !isEUI(value, 8) {
			bad.note(CodeAttribute, f.at, "a stream ID is eight bytes such as 38-D6-6D-8E-D2-78-13-2F")
		}
		f.done(&bad)
		return m, bad
	}
	if has {
		if m.Offset, m.HasOffset = parseUint(value, 1<<64-1); !m.HasOffset {
			bad.note(CodeNumber, f.at, "the offset of a direct clock is a number")
		}
	}
	if v = f.next(); v == "" {
		f.done(&bad)
		return m, bad
	}
	rate, ok := strings.CutPrefix(v, "rate=")
	num, den, _ := strings.Cut(rate, "/")
	n, ok1 := parseUint(num, 1<<63-1)
	e, ok2 := parseUint(den, 1<<63-1)
	if ok {
		m.Rate = rate
	}
	if !ok || !ok1 || !ok2 || n == 0 || e == 0 {
		bad.note(CodeAttribute, f.at, "a rate is two numbers with a slash, such as rate=1000/1001")
	}
	f.done(&bad)
	return m, bad
}

// String returns the value of the attribute.
func (m MediaClock) String() string {
	s := m.Kind
	if m.ID != "" {
		s = "id=" + m.ID + " " + s
		if m.Master {
			s = "id=src:" + s[len("id="):]
		}
	}
	if m.Stream != "" {
		s += "=" + m.Stream
	}
	if m.HasOffset {
		s += "=" + strconv.FormatUint(m.Offset, 10)
	}
	if m.Rate != "" {
		s += " rate=" + m.Rate
	}
	return s
}

// MediaClock returns the clock the media is sampled with, of the media or of the
// session.
func (s Section) MediaClock() (MediaClock, bool) {
	v, ok := s.up("mediaclk")
	if !ok {
		return MediaClock{}, false
	}
	m, bad := parseMediaClock(v)
	return m, !bad.dead
}
