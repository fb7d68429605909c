package sdp

import (
	"iter"
	"strings"
	"time"
)

// A Grouping says which media belong together, and how: an a=group attribute (RFC 5888
// section 5).
type Grouping struct {
	// Semantics is "DUP" for copies of one stream (RFC 7104), "FEC-FR" for a
	// stream and its repair packets (RFC 5956), "FEC" as of RFC 4756, "LS" for
	// lip synchronization, "DDP" for decoding dependency, "CS" for the channels of one
	// FLUTE session, or another.
	Semantics string

	// IDs has the a=mid values of the media with a space between them. See
	// AllIDs.
	IDs string
}

// ParseGrouping reads the value of an a=group attribute. The error wraps ErrValue.
func ParseGrouping(s string) (Grouping, error) {
	g, bad := parseGrouping(s)
	return g, bad.err("group")
}

func parseGrouping(s string) (g Grouping, bad fault) {
	f := fields{s: s}
	if g.Semantics = f.next(); !isToken(g.Semantics) {
		return g, dead(CodeAttribute, f.at, "a group begins with a word such as DUP or FEC-FR")
	}
	start := -1
	for v := f.next(); v != ""; v = f.next() {
		if start < 0 {
			start = f.at
		}
		if !isToken(v) {
			bad.note(CodeAttribute, f.at, "the ID of a media is one word")
		}
	}
	if start >= 0 {
		g.IDs = strings.TrimRight(s[start:], " \t")
	}
	f.done(&bad)
	return g, bad
}

// AllIDs yields the IDs one by one.
func (g Grouping) AllIDs() iter.Seq[string] { return MediaLine{Formats: g.IDs}.AllFormats() }

// String returns the value of the attribute.
func (g Grouping) String() string {
	if g.IDs == "" {
		return g.Semantics
	}
	return g.Semantics + " " + g.IDs
}

// Groupings returns the a=group attributes of the session.
func (d *Description) Groupings() []Grouping {
	var all []Grouping
	for name, value := range d.Session().Attributes() {
		if name == "group" {
			if g, bad := parseGrouping(value); !bad.dead {
				all = append(all, g)
			}
		}
	}
	return all
}

// MediaOf returns the media of a group, in its order. IDs that no media has are left
// out.
func (d *Description) MediaOf(g Grouping) []Media {
	places := make(map[string]int, len(d.media))
	for i := len(d.media) - 1; i >= 0; i-- { // so that the first with an ID stays
		if id, ok := (Section{d: d, level: i}).Attribute("mid"); ok {
			places[strings.TrimSpace(id)] = i
		}
	}
	var all []Media
	for id := range g.AllIDs() {
		if i, ok := places[id]; ok && len(all) < len(d.media) {
			m, _ := d.MediaAt(i)
			all = append(all, m)
		}
	}
	return all
}

// A SourceFlow marks a stream that is protected by repair packets: an
// a=fec-source-flow attribute (RFC 6364 section 4.4).
type SourceFlow struct {
	ID     uint32
	TagLen int // bytes of the explicit source FEC payload ID, 0 for none
}

// ParseSourceFlow reads the value of an a=fec-source-flow attribute. The error wraps
// ErrValue.
func ParseSourceFlow(s string) (SourceFlow, error) {
	f, bad := parseSourceFlow(s)
	return f, bad.err("fec-source-flow")
}

func parseSourceFlow(s string) (v SourceFlow, bad fault) {
	has := false
	for name, value := range (FMTP{Params: s}).All() {
		n, ok := parseUint(value, 1<<32-1)
		switch {
		case name == "id" && ok:
			v.ID, has = uint32(n), true
		case name == "tag-len" && ok && n > 0 && n < 1<<16:
			v.TagLen = int(n)
		default:
			bad.note(CodeAttribute, 0, "a source flow is id=number, and maybe tag-len=number")
		}
	}
	if !has {
		return v, dead(CodeAttribute, 0, "a source flow has an id")
	}
	return v, bad
}

// SourceFlow returns the a=fec-source-flow attribute of the media.
func (m Media) SourceFlow() (SourceFlow, bool) {
	v, ok := m.Attribute("fec-source-flow")
	if !ok {
		return SourceFlow{}, false
	}
	f, bad := parseSourceFlow(v)
	return f, !bad.dead
}

// A RepairFlow says how repair packets are made: an a=fec-repair-flow attribute (RFC 6364
// section 4.5).
type RepairFlow struct {
	EncodingID uint8

	// Preference is the order in which to use repair flows, -1 when not told.
	Preference int

	// SenderInfo and Info are scheme-specific, the first for senders alone:
	// name:value elements with commas between them.
	SenderInfo, Info string
}

// ParseRepairFlow reads the value of an a=fec-repair-flow attribute. The error wraps
// ErrValue.
func ParseRepairFlow(s string) (RepairFlow, error) {
	f, bad := parseRepairFlow(s)
	return f, bad.err("fec-repair-flow")
}

func parseRepairFlow(s string) (v RepairFlow, bad fault) {
	v.Preference = -1
	has := false
	for name, value := range (FMTP{Params: s}).All() {
		n, ok := parseUint(value, 1<<31-1)
		switch {
		case name == "encoding-id" && ok && n < 256:
			v.EncodingID, has = uint8(n), true
		case name == "preference-lvl" && ok:
			v.Preference = int(n)
		case name == "ss-fssi" && value != "":
			v.SenderInfo = value
		case name == "fssi" && value != "":
			v.Info = value
		default:
			bad.note(CodeAttribute, 0, "a repair flow is encoding-id=number, and maybe preference-lvl, ss-fssi and fssi")
		}
	}
	if !has {
		return v, dead(CodeAttribute, 0, "a repair flow has an encoding-id of 0 to 255")
	}
	return v, bad
}

// RepairFlow returns the a=fec-repair-flow attribute of the media.
func (m Media) RepairFlow() (RepairFlow, bool) {
	v, ok := m.Attribute("fec-repair-flow")
	if !ok {
		return RepairFlow{}, false
	}
	f, bad := parseRepairFlow(v)
	return f, !bad.dead
}

// parseWindow reads 150ms or 150500us.
func parseWindow(s string) (time.Duration, fault) {
	s = strings.Trim(s, " \t")
	unit := time.Millisecond
	number, ok := strings.CutSuffix(s, "ms")
	if !ok {
		unit = time.Microsecond
		number, ok = strings.CutSuffix(s, "us")
	}
	n, isNum := parseUint(number, 1<<32-1)
	if !ok || !isNum || n == 0 {
		return 0, dead(CodeAttribute, 0, "a repair window is a number and ms or us")
	}
	return time.Duration(n) * unit, fault{}
}

// RepairWindow returns how long a source block and its repair packets take to send, from
// a=repair-window (RFC 6364 section 4.6).
func (m Media) RepairWindow() (time.Duration, bool) {
	v, ok := m.Attribute("repair-window")
	if !ok {
		return 0, false
	}
	w, bad := parseWindow(v)
	return w, !bad.dead
}
