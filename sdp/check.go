package sdp

import "strings"

// Warnings returns what the RFCs do not allow in the lines as they are now, in about
// their order and at most MaxWarnings, the last of which then says that there are
// more. It looks through all lines at each call, and allocates only for what it finds.
func (d *Description) Warnings() []Warning {
	// Looked for once, and not in every line: nearly no text has one.
	c := checker{d: d, nul: d.edited || strings.IndexByte(d.text[:len(d.text)-len(d.tail)], 0) >= 0}
	if d.head != "" {
		c.add(0, 0, CodeBytes, "a byte order mark")
	}
	rank, seen, where := -1, uint64(0), sessionRanks
	sessionC := false
	for i := range d.lines {
		l := &d.lines[i]
		if l.typ == 'm' {
			c.section(i, where == sessionRanks, seen, sessionC)
			if where == sessionRanks {
				sessionC = seen&bit('c') != 0
			}
			where, rank, seen = mediaRanks, -1, 0
			c.value(i, l)
			continue
		}
		rank = c.line(i, l, where, rank, seen)
		if l.typ != 0 {
			seen |= bit(l.typ)
		}
		if c.full {
			return c.found
		}
	}
	c.section(len(d.lines), where == sessionRanks, seen, sessionC)
	if d.tail != "" {
		c.add(len(d.lines), 0, CodeBytes, "NULs behind the last line")
	}
	return c.found
}

func bit(typ byte) uint64 { return 1 << (typ & 63) }

// The lines in the order of RFC 8866 section 9. Those for times may follow each
// other in any order that begins with t=: RFC 4566 has z= behind all of them, RFC 8866
// behind each.
var (
	sessionRanks = &[128]int8{'v': 1, 'o': 2, 's': 3, 'i': 4, 'u': 5, 'e': 6, 'p': 7, 'c': 8, 'b': 9, 't': 10, 'r': 10, 'z': 10, 'k': 11, 'a': 12}
	mediaRanks   = &[128]int8{'i': 1, 'c': 2, 'b': 3, 'k': 4, 'a': 5}
)

// once are the lines of which a section has one at most.
var once = [128]bool{'v': true, 'o': true, 's': true, 'i': true, 'u': true, 'k': true}

type checker struct {
	d     *Description
	found []Warning
	full  bool
	nul   bool // there may be a NUL in a line
}

// add adds a warning about a line at an offset from its begin.
func (c *checker) add(line, at int, code Code, why string) {
	switch {
	case len(c.found) == MaxWarnings:
		c.full = true
		last := &c.found[MaxWarnings-1]
		last.Code, last.Reason = CodeLimit, "more like these from here on"
	case !c.full:
		c.found = append(c.found, Warning{Line: line + 1, Column: at + 1, Code: code, Reason: why})
	}
}

// section adds what is missing from the lines before line i.
func (c *checker) section(i int, session bool, seen uint64, sessionC bool) {
	if !session {
		if seen&bit('c') == 0 && !sessionC {
			c.add(i, 0, CodeMissing, "no c= line in the media nor in the session")
		}
		return
	}
	for _, m := range [...]struct {
		typ byte
		why string
	}{{'v', "no v= line"}, {'o', "no o= line"}, {'s', "no s= line"}, {'t', "no t= line"}} {
		if seen&bit(m.typ) == 0 {
			c.add(i, 0, CodeMissing, m.why)
		}
	}
}

// line checks a line that begins no media, and returns the new rank.
func (c *checker) line(i int, l *Line, where *[128]int8, rank int, seen uint64) int {
	if l.typ == 0 {
		why := "not of the form x=value"
		if strings.Trim(l.Text(), " \t") == "" {
			why = "an empty line"
		}
		c.add(i, 0, CodeLine, why)
		c.ending(i, l)
		return rank
	}
	r := int(where[l.typ&127])
	switch {
	case r == 0 && where == mediaRanks && sessionRanks[l.typ&127] != 0:
		c.add(i, 0, CodeOrder, "a line of the session below an m= line")
	case r == 0:
		c.add(i, 0, CodeLine, "a line of an unknown type")
	case r < rank:
		c.add(i, 0, CodeOrder, "a line that belongs further up (RFC 8866 section 5)")
	case seen&bit(l.typ) != 0 && once[l.typ&127], l.typ == 'c' && where == sessionRanks && seen&bit('c') != 0:
		c.add(i, 0, CodeTwice, "there may be only one such line here")
	case l.typ == 'r' && seen&bit('t') == 0 || l.typ == 'z' && seen&bit('t') == 0:
		c.add(i, 0, CodeOrder, "a line about times before the first t=")
	}
	c.value(i, l)
	return max(rank, r)
}

// value checks what is behind the =, and the bytes of the line.
func (c *checker) value(i int, l *Line) {
	if l.off > 2 {
		c.add(i, 0, CodeSpace, "blanks before the line")
	}
	v := l.Value()
	if c.nul {
		if at := strings.IndexByte(v, 0); at >= 0 {
			c.add(i, int(l.off)+at, CodeBytes, "a NUL")
		}
	}
	var bad fault
	switch l.typ {
	case 'v':
		if v != "0" {
			bad = fault{code: CodeVersion, why: "the version is 0"}
		}
	case 'o':
		_, bad = parseOrigin(v)
	case 'c':
		_, bad = parseConnection(v)
	case 'b':
		_, bad = parseBandwidth(v)
	case 't':
		_, bad = parseTiming(v)
	case 'r':
		_, bad = parseRepeat(v, false)
	case 'z':
		_, bad = parseZones(v, false)
	case 'm':
		_, bad = parseMediaLine(v)
	case 'a':
		bad = checkAttribute(v)
	default:
		if v == "" && l.typ != 's' { // RFC 7273's own examples have an empty s=
			bad = fault{code: CodeSyntax, why: "nothing behind the ="}
		}
	}
	if bad.is() {
		c.add(i, int(l.off)+bad.at, bad.code, bad.why)
	}
	c.ending(i, l)
}

func (c *checker) ending(i int, l *Line) {
	switch e := l.Ending(); e {
	case "\r\n", "\n":
	case "":
		c.add(i, len(l.Text()), CodeEnding, "no line ending")
	default:
		c.add(i, len(l.Text()), CodeEnding, "a line ends in CR and LF, or LF alone")
	}
}

// checkAttribute checks the name of an attribute and the value of those this package
// knows.
func checkAttribute(v string) fault {
	name, value := cutAttribute(v)
	at := min(len(name)+1, len(v))
	if !isToken(name) {
		return fault{code: CodeAttribute, why: "the name of an attribute is one word"}
	}
	if at < len(v) && v[at-1] != ':' {
		return fault{code: CodeAttribute, at: at - 1, why: "a colon is between an attribute and its value"}
	}
	bad := checkValue(name, value)
	if bad.is() {
		bad.at += at
	}
	return bad
}

func checkValue(name, value string) (bad fault) {
	switch name {
	case "source-filter":
		_, bad = parseSourceFilter(value)
	case "rtpmap":
		_, bad = parseRTPMap(value)
	case "fmtp":
		_, bad = parseFMTP(value)
	case "ptime", "maxptime":
		_, bad = parsePacketTime(value)
	case "rtcp":
		_, bad = parseRTCP(value)
	case "rtcp-unicast":
		_, bad = parseRTCPUnicast(value)
	case "ts-refclk":
		_, bad = parseRefClock(value)
	case "mediaclk":
		_, bad = parseMediaClock(value)
	case "group":
		_, bad = parseGrouping(value)
	case "mid":
		if !isToken(value) {
			bad = fault{code: CodeAttribute, why: "the ID of a media is one word"}
		}
	case "fec-source-flow":
		_, bad = parseSourceFlow(value)
	case "fec-repair-flow":
		_, bad = parseRepairFlow(value)
	case "repair-window":
		_, bad = parseWindow(value)
	case "FEC-declaration":
		_, bad = parseFECDeclaration(value)
	case "flute-tsi":
		bad = checkNumber(value, maxTSI)
	case "flute-ch", "framecount":
		bad = checkNumber(value, 1<<31-1)
	case "multicast-rtcp":
		bad = checkNumber(value, 65535)
	}
	return bad
}

func checkNumber(v string, most uint64) fault {
	if _, ok := parseUint(v, most); !ok {
		return fault{code: CodeNumber, why: "a number in range, and nothing else"}
	}
	return fault{}
}
