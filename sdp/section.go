package sdp

import (
	"iter"
	"strings"
)

// sessionLevel is the level of the lines before the first m=.
const sessionLevel = -1

// A Section is a part of a description: the session, which is all lines before the
// first m=, or one media. It is a view: it sees and makes edits.
type Section struct {
	d     *Description
	level int
}

// Session returns the lines before the first m=.
func (d *Description) Session() Section { return Section{d: d, level: sessionLevel} }

// Index returns the place among the media, from 0, or -1 for the session.
func (s Section) Index() int { return s.level }

// bounds returns the lines of a level.
func (d *Description) bounds(level int) (lo, hi int) {
	if d == nil || level >= len(d.media) {
		return 0, 0
	}
	hi = len(d.lines)
	if level+1 < len(d.media) {
		hi = int(d.media[level+1])
	}
	if level >= 0 {
		lo = int(d.media[level])
	}
	return lo, hi
}

// Lines yields the lines of the section with their numbers in the description.
func (s Section) Lines() iter.Seq2[int, Line] {
	return func(yield func(int, Line) bool) {
		lo, hi := s.d.bounds(s.level)
		for i := lo; i < hi && i < len(s.d.lines); i++ {
			if !yield(i, s.d.lines[i]) {
				return
			}
		}
	}
}

// find returns the number of the first line of a type, or -1.
func (s Section) find(typ byte) int {
	lo, hi := s.d.bounds(s.level)
	for i := lo; i < hi; i++ {
		if s.d.lines[i].typ == typ {
			return i
		}
	}
	return -1
}

// Value returns the value of the first line of a type: Value('s') is the name of a
// session, Value('i') the information about it or the title of media, Value('u') a
// link.
func (s Section) Value(typ byte) (string, bool) {
	if i := s.find(typ); i >= 0 {
		return s.d.lines[i].Value(), true
	}
	return "", false
}

// Name returns the value of the s= line, "" without one. A single space or dash means
// that the session has no name (RFC 8866 section 5.3).
func (d *Description) Name() string {
	v, _ := d.Session().Value('s')
	return v
}

// cutAttribute takes the value of an a= line apart: at the colon, or at a space
// before it, since RFC 4570 section 3.2.5 itself has a line without the colon.
func cutAttribute(s string) (name, value string) {
	for i := range len(s) {
		if c := s[i]; c == ':' || isBlank(c) && i > 0 {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// Attributes yields the names and values of the a= lines, in order. A flag such as
// a=recvonly has an empty value. A value keeps its blanks.
func (s Section) Attributes() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		lo, hi := s.d.bounds(s.level)
		for i := lo; i < hi && i < len(s.d.lines); i++ {
			if l := s.d.lines[i]; l.typ == 'a' {
				if name, value := cutAttribute(l.Value()); !yield(name, value) {
					return
				}
			}
		}
	}
}

// Attribute returns the value of the first attribute with that name, which is compared
// with its case (RFC 8866 section 5.13).
func (s Section) Attribute(name string) (string, bool) {
	if i, v := s.findAttribute(name); i >= 0 {
		return v, true
	}
	return "", false
}

func (s Section) findAttribute(name string) (line int, value string) {
	lo, hi := s.d.bounds(s.level)
	for i := lo; i < hi; i++ {
		// The comparison comes first: it is the one that mostly fails.
		if v := s.d.lines[i].Value(); s.d.lines[i].typ == 'a' && strings.HasPrefix(v, name) {
			if n, value := cutAttribute(v); n == name {
				return i, value
			}
		}
	}
	return -1, ""
}

// up returns the value of an attribute, of the session when the media has none.
func (s Section) up(name string) (string, bool) {
	v, ok := s.Attribute(name)
	if !ok && s.level >= 0 {
		v, ok = s.d.Session().Attribute(name)
	}
	return v, ok
}

// levelOf returns s if it has an attribute of that name, and otherwise the session:
// what is told of media replaces what is told of the session.
func (s Section) levelOf(name string) Section {
	if i, _ := s.findAttribute(name); i < 0 && s.level >= 0 {
		return s.d.Session()
	}
	return s
}

// Connections returns the c= lines that can be read: those of the media, or without
// any those of the session.
func (s Section) Connections() []Connection {
	var all []Connection
	for _, l := range s.Lines() {
		if l.typ == 'c' {
			if c, bad := parseConnection(l.Value()); !bad.dead {
				all = append(all, c)
			}
		}
	}
	if all == nil && s.level >= 0 {
		return s.d.Session().Connections()
	}
	return all
}

// A Bandwidth is a b= line (RFC 8866 section 5.8).
type Bandwidth struct {
	// Type is "AS" or "CT", in kilobits per second, "TIAS" (RFC 3890), "RS" or "RR"
	// (RFC 3556), in bits per second, or another.
	Type  string
	Value uint64
}

// ParseBandwidth reads the value of a b= line: "AS:1200". The error wraps ErrValue.
func ParseBandwidth(s string) (Bandwidth, error) {
	b, bad := parseBandwidth(s)
	return b, bad.err("bandwidth")
}

func parseBandwidth(s string) (b Bandwidth, bad fault) {
	typ, value, ok := strings.Cut(s, ":")
	b.Type = typ
	number := strings.Trim(value, " \t")
	v, isNum := parseUint(number, 1<<63-1)
	b.Value = v
	switch {
	case !ok || !isNum:
		return b, dead(CodeNumber, 0, "a bandwidth is a type, a colon and a number")
	case !isToken(typ):
		bad.note(CodeSyntax, 0, "the type of a bandwidth is one word")
	case len(number) < len(value):
		bad.note(CodeSpace, len(typ)+1, "blanks beside the number")
	}
	return b, bad
}

// BitsPerSecond returns the bandwidth in bits per second; false for a type that is not
// one of those named at Type, or a number that is too large.
func (b Bandwidth) BitsPerSecond() (uint64, bool) {
	switch b.Type {
	case "AS", "CT":
		return b.Value * 1000, b.Value < 1<<53
	case "TIAS", "RS", "RR":
		return b.Value, true
	}
	return 0, false
}

// Bandwidth returns the b= line of a type: that of the media, or else of the session.
func (s Section) Bandwidth(typ string) (Bandwidth, bool) {
	for _, l := range s.Lines() {
		if l.typ == 'b' {
			if b, bad := parseBandwidth(l.Value()); !bad.dead && b.Type == typ {
				return b, true
			}
		}
	}
	if s.level >= 0 {
		return s.d.Session().Bandwidth(typ)
	}
	return Bandwidth{}, false
}
