package sdp

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/gomulticast/multicast/mcast/group"
)

// Codes of what is allowed but will not work, or not well. Lint also gives the codes
// of package group, about addresses.
const (
	CodeIdentity      Code = "identity"       // an origin that many sessions share
	CodeSize          Code = "size"           // too large to announce in one packet
	CodeTimes         Code = "times"          // over before it begins
	CodeLevel         Code = "level"          // an attribute at a level where it means nothing
	CodePort          Code = "port"           // a port that does not work
	CodeFilterDest    Code = "filter-dest"    // a source filter for something that is not there
	CodeFilterTwice   Code = "filter-twice"   // two source filters for one destination
	CodeFilterCount   Code = "filter-count"   // a source filter for some groups of a count
	CodeFilterSources Code = "filter-sources" // a source filter without a sender that can be joined
	CodeSSMSource     Code = "ssm-source"     // a source-specific group without a sender
	CodeSSMExclude    Code = "ssm-exclude"    // a source-specific group from all senders but some
	CodeRTCPUnicast   Code = "rtcp-unicast"   // a source-specific session where nobody can report
	CodeConnections   Code = "connections"    // several connections where there may be one
	CodeRTPMap        Code = "rtpmap"         // a payload type nobody knows
	CodeClock         Code = "clock"          // a clock missing or unclear
	CodePacketTime    Code = "ptime"          // a packet time missing, or not fitting
	CodeGrouping      Code = "grouping"       // media that cannot be grouped
	CodeFEC           Code = "fec"            // FEC that cannot be used
	CodeFLUTE         Code = "flute"          // a FLUTE session not fully told
)

// announceSize is what an announcement should stay below (RFC 2974 section 4: 1 kB with
// the SAP header).
const announceSize = 1000

// Lint returns advice about what the grammar allows but multicast does not, or not well:
// what RFC 4570, RFC 4607, RFC 5760 and RFC 7273 ask for, what AES67 receivers need,
// and what package group says about the groups. It returns at most MaxWarnings. What the
// grammar does not allow is in Warnings, and not repeated.
func (d *Description) Lint() []Warning {
	l := linter{checker: checker{d: d}}
	l.session()
	for i := range d.media {
		if l.full {
			break
		}
		m, _ := d.MediaAt(i)
		l.media(m)
	}
	l.groupings()
	return l.found
}

type linter struct {
	checker
	above   []lineFilter // source filters of the session
	groups  int          // looked at
	filters []lineFilter // those that count for the media: its own or, without any, above
}

// A lineFilter is a source filter with its line.
type lineFilter struct {
	SourceFilter
	line int
}

func (l *linter) session() {
	d := l.d
	if d.size > announceSize {
		l.add(0, 0, CodeSize, strconv.Itoa(d.size)+" bytes: announcements should be below 1,000 (RFC 2974 section 4)")
	}
	for i, line := range d.Session().Lines() {
		switch line.typ {
		case 'o':
			if o, bad := parseOrigin(line.Value()); !bad.dead && !o.Identifies() {
				l.add(i, 0, CodeIdentity, "an origin that other sessions have too: give it an address and an ID of its own")
			}
		case 't':
			if t, bad := parseTiming(line.Value()); !bad.dead && t.Stop != 0 && t.Stop <= t.Start {
				l.add(i, 0, CodeTimes, "over before it begins")
			}
		case 'c':
			c, bad := parseConnection(line.Value())
			if !bad.dead && c.Count > 1 {
				l.add(i, 0, CodeConnections, "several groups for the whole session: they are for the layers of one media (RFC 8866 section 5.7)")
			}
		case 'a':
			switch name, _ := cutAttribute(line.Value()); name {
			case "rtcp", "mid", "rtpmap", "fmtp", "ptime", "framecount", "fec-source-flow", "fec-repair-flow", "repair-window":
				l.add(i, 0, CodeLevel, name+" is about one media: put it below its m= line")
			}
		}
	}
	l.above = sectionFilters(d.Session())
	l.twice(l.above)
	for _, f := range l.above {
		l.dest(f, sessionLevel)
	}
}

// sectionFilters returns the source filters of one level, and their lines.
func sectionFilters(s Section) (all []lineFilter) {
	for i, line := range s.Lines() {
		if len(all) == MaxGroups {
			break
		}
		if line.typ != 'a' {
			continue
		}
		if name, value := cutAttribute(line.Value()); name == "source-filter" {
			if f, bad := parseSourceFilter(value); !bad.dead {
				all = append(all, lineFilter{f, i})
			}
		}
	}
	return all
}

// twice finds filters for one destination at one level.
func (l *linter) twice(fs []lineFilter) {
	for i, f := range fs {
		for _, g := range fs[:i] {
			if strings.EqualFold(f.Dest, g.Dest) && (f.AddrType == g.AddrType || f.Dest != "*") {
				l.add(f.line, 0, CodeFilterTwice, "a second source filter for "+f.Dest+" (RFC 4570 section 3.1): put all sources into one")
				break
			}
		}
	}
}

// dest looks for the connection that a filter is about: in the media, or, for a filter
// of the session, anywhere.
func (l *linter) dest(f lineFilter, level int) {
	if f.Dest == "*" {
		return
	}
	want, _ := parseAddr(f.Dest)
	for i := range l.d.lines {
		line := &l.d.lines[i]
		if line.typ != 'c' {
			continue
		}
		if level >= 0 {
			lo, hi := l.d.bounds(level)
			_, end := l.d.bounds(sessionLevel)
			if i >= end && (i < lo || i >= hi) {
				continue
			}
		}
		c, bad := parseConnection(line.Value())
		if bad.dead {
			continue
		}
		if strings.EqualFold(c.Host, f.Dest) || c.Addr.IsValid() && c.Addr == want {
			return
		}
		for a := range c.Groups() {
			if a == want {
				return
			}
		}
	}
	l.add(f.line, 0, CodeFilterDest, "a source filter for "+f.Dest+", which no c= line has (RFC 4570 section 3.1)")
}

func (l *linter) media(m Media) {
	head, _ := l.d.bounds(m.level)
	own := sectionFilters(m.Section)
	l.twice(own)
	for _, f := range own {
		l.dest(f, m.level)
	}
	if l.filters = own; own == nil {
		l.filters = l.above
	}
	multicast, ssm := false, false
	for _, c := range m.Connections() {
		if l.full || l.groups > MaxChannels {
			return
		}
		multicast = multicast || c.Multicast()
		for a := range c.Groups() {
			l.groups++
			ssm = ssm || group.IsSSM(a)
			l.group(head, a, c)
		}
		l.count(head, c)
	}
	if !multicast || m.Port == 0 {
		return
	}
	if m.RTP() {
		l.rtp(m, head, ssm)
	}
	if f, ok := m.FLUTE(); ok {
		l.flute(head, f)
	}
	l.repair(m, head)
}

// group looks at one group of a media.
func (l *linter) group(head int, a netip.Addr, c Connection) {
	var src netip.Addr
	has := false
	for _, f := range l.filters {
		covers, _ := f.Covers(a)
		if !covers {
			continue
		}
		has = true
		if f.Exclude && group.IsSSM(a) {
			l.add(f.line, 0, CodeSSMExclude, a.String()+" is source-specific: name the senders with incl (RFC 4607 section 4.1)")
		}
		if s, ok := usable(f.SourceFilter, a); !ok {
			l.add(f.line, 0, CodeFilterSources, "no sender of the IP version of "+a.String()+" in the source filter")
		} else if !f.Exclude {
			src = s
		}
	}
	if !has && group.IsSSM(a) {
		l.add(head, 0, CodeSSMSource, a.String()+" is source-specific, but there is no a=source-filter with the sender (RFC 4607 section 4.1)")
	}
	for _, f := range group.Lint(a, group.Use{Purpose: group.Send, Source: src, TTL: int(c.TTL)}) {
		l.add(head, 0, Code(f.Code), a.String()+": "+f.Message)
	}
}

// usable returns a sender of the filter that can be one to a group; names pass.
func usable(f SourceFilter, g netip.Addr) (netip.Addr, bool) {
	for name, a := range f.AllSources() {
		if !a.IsValid() && isHost(name) && !looksLike4(name) {
			return a, true
		}
		if (group.Channel{Group: g, Source: a}).Validate() == nil && a.IsValid() {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// count looks for filters that are about some groups of a connection only.
func (l *linter) count(head int, c Connection) {
	if c.Count < 2 || len(l.filters) == 0 {
		return
	}
	n, all := 0, 0
	for a := range c.Groups() {
		all++
		for _, f := range l.filters {
			if covers, _ := f.Covers(a); covers {
				n++
				break
			}
		}
	}
	if n > 0 && n < all {
		l.add(head, 0, CodeFilterCount, strconv.Itoa(all-n)+" of "+strconv.Itoa(all)+" groups have no source filter: write one for each, or * (RFC 4570 section 3.1)")
	}
}

// groupings looks for groups of media that do not hold together.
func (l *linter) groupings() {
	used := map[string]bool{}
	for i := range l.d.media {
		s := Section{d: l.d, level: i}
		if at, id := s.findAttribute("mid"); at >= 0 {
			if id = strings.TrimSpace(id); used[id] {
				l.add(at, 0, CodeGrouping, "a second media with the ID "+id+" (RFC 5888 section 4)")
			}
			used[id] = true
		}
	}
	for i, line := range l.d.Session().Lines() {
		if line.typ != 'a' || l.full {
			continue
		}
		name, value := cutAttribute(line.Value())
		if name != "group" {
			continue
		}
		g, bad := parseGrouping(value)
		if bad.dead {
			continue
		}
		n := 0
		for id := range g.AllIDs() {
			if n++; !used[id] {
				l.add(i, 0, CodeGrouping, "no media has the ID "+id)
			}
		}
		if n < 2 && (g.Semantics == "DUP" || strings.HasPrefix(g.Semantics, "FEC")) {
			l.add(i, 0, CodeGrouping, g.Semantics+" is about two media or more")
		}
	}
}
