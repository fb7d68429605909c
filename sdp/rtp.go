package sdp

import (
	"iter"
	"strconv"
	"strings"
	"time"
)

// An RTPMap says what a payload type is: an a=rtpmap attribute (RFC 8866 section
// 6.6).
type RTPMap struct {
	PayloadType uint8  // 0 to 127
	Encoding    string // "L24", "MP2T", "H264"
	ClockRate   uint32 // in Hz

	// Params is what is behind the clock rate: for audio the number of
	// channels, "" when it is one.
	Params string
}

// ParseRTPMap reads the value of an a=rtpmap attribute. A missing clock rate passes;
// the error wraps ErrValue when there is no payload type and no encoding.
func ParseRTPMap(s string) (RTPMap, error) {
	r, bad := parseRTPMap(s)
	return r, bad.err("rtpmap")
}

func parseRTPMap(s string) (r RTPMap, bad fault) {
	f := fields{s: s}
	pt, ok := parseUint(f.next(), 127)
	if !ok {
		return r, dead(CodeAttribute, f.at, "a payload type is 0 to 127")
	}
	r.PayloadType = uint8(pt)
	what := f.next()
	encoding, clock, _ := strings.Cut(what, "/")
	if r.Encoding = encoding; encoding == "" {
		return r, dead(CodeAttribute, f.at, "an RTP map is a payload type, an encoding and a clock rate")
	}
	clock, r.Params, _ = strings.Cut(clock, "/")
	rate, ok := parseUint(clock, 1<<32-1)
	r.ClockRate = uint32(rate)
	if !ok || rate == 0 {
		bad.note(CodeAttribute, f.at+len(encoding), "a clock rate is a number of Hz")
	}
	if !isToken(encoding) || strings.HasSuffix(what, "/") {
		bad.note(CodeAttribute, f.at, "an encoding is a word")
	}
	f.done(&bad)
	return r, bad
}

// Channels returns the number of audio channels: Params as a number, or 1.
func (r RTPMap) Channels() int {
	if n, ok := parseUint(r.Params, 1<<15); ok && n > 0 {
		return int(n)
	}
	return 1
}

// String returns the value of the attribute.
func (r RTPMap) String() string {
	s := strconv.Itoa(int(r.PayloadType)) + " " + r.Encoding + "/" + strconv.FormatUint(uint64(r.ClockRate), 10)
	if r.Params != "" {
		s += "/" + r.Params
	}
	return s
}

// static are the payload types that need no a=rtpmap (RFC 3551 section 6), of those
// that are met in multicast.
var static = map[uint8]RTPMap{
	0: {0, "PCMU", 8000, ""}, 3: {3, "GSM", 8000, ""}, 4: {4, "G723", 8000, ""}, 5: {5, "DVI4", 8000, ""},
	6: {6, "DVI4", 16000, ""}, 7: {7, "LPC", 8000, ""}, 8: {8, "PCMA", 8000, ""}, 9: {9, "G722", 8000, ""},
	10: {10, "L16", 44100, "2"}, 11: {11, "L16", 44100, ""}, 12: {12, "QCELP", 8000, ""}, 13: {13, "CN", 8000, ""},
	14: {14, "MPA", 90000, ""}, 15: {15, "G728", 8000, ""}, 16: {16, "DVI4", 11025, ""}, 17: {17, "DVI4", 22050, ""},
	18: {18, "G729", 8000, ""}, 25: {25, "CelB", 90000, ""}, 26: {26, "JPEG", 90000, ""}, 28: {28, "nv", 90000, ""},
	31: {31, "H261", 90000, ""}, 32: {32, "MPV", 90000, ""}, 33: {33, "MP2T", 90000, ""}, 34: {34, "H263", 90000, ""},
}

// RTPMaps returns what the payload types of an RTP media are, in the order of its
// formats: as a=rtpmap says, or, for the types RFC 3551 section 6 knows, as that says.
// Types of which nothing is said are left out.
func (m Media) RTPMaps() []RTPMap {
	var all []RTPMap
	n := 0
	for f := range m.AllFormats() {
		if n++; n > 128 { // there are no more payload types
			break
		}
		if pt, ok := parseUint(f, 127); ok {
			if r, ok := m.RTPMap(uint8(pt)); ok {
				all = append(all, r)
			}
		}
	}
	return all
}

// RTPMap returns what a payload type is.
func (m Media) RTPMap(payloadType uint8) (RTPMap, bool) {
	for name, value := range m.Attributes() {
		if name == "rtpmap" {
			if r, bad := parseRTPMap(value); !bad.dead && r.PayloadType == payloadType {
				return r, true
			}
		}
	}
	r, ok := static[payloadType]
	return r, ok && m.RTP()
}

// An FMTP has parameters of a format: an a=fmtp attribute (RFC 8866 section 6.15).
type FMTP struct {
	Format string // a payload type, in RTP

	// Params is everything behind it, mostly name=value pairs with semicolons
	// between them; see All.
	Params string
}

// ParseFMTP reads the value of an a=fmtp attribute. The error wraps ErrValue.
func ParseFMTP(s string) (FMTP, error) {
	f, bad := parseFMTP(s)
	return f, bad.err("fmtp")
}

func parseFMTP(s string) (v FMTP, bad fault) {
	f := fields{s: s}
	v.Format = f.next()
	if !isToken(v.Format) {
		return v, dead(CodeAttribute, f.at, "format parameters begin with a format")
	}
	v.Params = f.rest()
	if v.Params == "" {
		bad.note(CodeAttribute, len(s), "no parameters behind the format")
	}
	return v, bad
}

// All yields the parameters; one without = has an empty value.
func (f FMTP) All() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for part := range strings.SplitSeq(f.Params, ";") {
			part = strings.Trim(part, " \t")
			if part == "" {
				continue
			}
			if name, value, _ := strings.Cut(part, "="); !yield(name, value) {
				return
			}
		}
	}
}

// Get returns the value of a parameter, whose name is compared without its case.
func (f FMTP) Get(name string) (string, bool) {
	for n, v := range f.All() {
		if strings.EqualFold(n, name) {
			return v, true
		}
	}
	return "", false
}

// String returns the value of the attribute.
func (f FMTP) String() string { return f.Format + " " + f.Params }

// FMTP returns the parameters of a format.
func (m Media) FMTP(format string) (FMTP, bool) {
	for name, value := range m.Attributes() {
		if name == "fmtp" {
			if f, bad := parseFMTP(value); !bad.dead && f.Format == format {
				return f, true
			}
		}
	}
	return FMTP{}, false
}

// ParsePacketTime reads the value of an a=ptime or a=maxptime attribute, milliseconds
// that may have a fraction: "0.125". The error wraps ErrValue.
func ParsePacketTime(s string) (time.Duration, error) {
	t, bad := parsePacketTime(s)
	return t, bad.err("ptime")
}

func parsePacketTime(s string) (time.Duration, fault) {
	var bad fault
	number := strings.Trim(s, " \t")
	if number != s {
		bad.note(CodeSpace, 0, "blanks beside the number")
	}
	whole, part, _ := strings.Cut(number, ".")
	ms, ok := parseUint(whole, 1<<31)
	if !ok || part != "" && !isNumber(part) {
		return 0, dead(CodeAttribute, 0, "a packet time is a number of milliseconds")
	}
	// Nanoseconds are six digits of a millisecond; more do not count.
	ns, unit := time.Duration(0), 100*time.Microsecond
	for i := 0; i < len(part) && unit > 0; i++ {
		ns += time.Duration(part[i]-'0') * unit
		unit /= 10
	}
	if t := time.Duration(ms)*time.Millisecond + ns; t > 0 {
		return t, bad
	}
	return 0, dead(CodeAttribute, 0, "a packet time is more than 0")
}

// PacketTime returns how much media is in a packet, from a=ptime.
func (s Section) PacketTime() (time.Duration, bool) {
	v, ok := s.Attribute("ptime")
	if !ok {
		return 0, false
	}
	t, bad := parsePacketTime(v)
	return t, !bad.dead
}

// FrameCount returns the samples of each channel in a packet, from a=framecount (AES67
// section 8.1).
func (s Section) FrameCount() (int, bool) {
	v, ok := s.Attribute("framecount")
	n, isNum := parseUint(strings.Trim(v, " \t"), 1<<31-1)
	return int(n), ok && isNum
}

// Direction returns "sendrecv", "recvonly", "sendonly" or "inactive" if the section has
// such an attribute, or else the session, and "" otherwise (RFC 8866 section 6.7).
func (s Section) Direction() string {
	for name := range s.Attributes() {
		switch name {
		case "sendrecv", "recvonly", "sendonly", "inactive":
			return name
		}
	}
	if s.level >= 0 {
		return s.d.Session().Direction()
	}
	return ""
}
