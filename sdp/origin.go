package sdp

import (
	"net/netip"
	"strings"
)

// An Origin is who made a session and which version of it this is: the o= line (RFC
// 8866 section 5.2). All but Version together are the same as long as it is the same
// session, and different between sessions.
type Origin struct {
	Username string // "-" when there is none; it has no blanks in it

	// ID and Version are decimal numbers of any length, so kept as text. A
	// version is greater the later it is; see CompareVersions.
	ID, Version string

	NetType  string // "IN"
	AddrType string // "IP4" or "IP6"
	Address  string // of the host that made the session: an address or a name
}

// ParseOrigin reads the value of an o= line. Blanks in the user name and numbers
// that are none pass; the error wraps ErrValue when user, ID and version are not
// there.
func ParseOrigin(s string) (Origin, error) {
	o, bad := parseOrigin(s)
	return o, bad.err("origin")
}

func parseOrigin(s string) (Origin, fault) {
	o, _, bad := originFields(s)
	return o, bad
}

// originFields also returns where the version is.
func originFields(s string) (o Origin, version int, bad fault) {
	f := fields{s: s}
	o.Username = f.next()
	n, extra := 6, 0
	if !sixFields(f) {
		if n = countFields(s); n < 3 {
			return o, 0, dead(CodeSyntax, len(s), "an origin needs a user name, a session ID and a version")
		}
		extra = max(n-6, 0)
	}
	if extra > 0 {
		// Blanks in the name, or, from cameras, one number too many.
		look := f
		id, version := look.next(), look.next()
		if !isNumber(id) || !isNumber(version) {
			for ; extra > 0; extra-- {
				f.next()
			}
			o.Username = strings.Trim(s[:f.pos], " \t")
		}
		bad.note(CodeSyntax, 0, "an origin has six fields, and no blanks in its user name")
	}
	o.ID = f.next()
	if !isNumber(o.ID) {
		bad.note(CodeNumber, f.at, "the session ID is not a decimal number")
	}
	o.Version = f.next()
	version = f.at
	if !isNumber(o.Version) {
		bad.note(CodeNumber, f.at, "the session version is not a decimal number")
	}
	if n < 6 {
		bad.note(CodeSyntax, len(s), "an origin ends with network type, address type and address")
	}
	for ; extra > 0; extra-- {
		f.next()
	}
	o.NetType = f.next()
	at := f.at
	o.AddrType = f.next()
	checkTypes(o.NetType, o.AddrType, at, &bad)
	o.Address = f.next()
	a, odd := parseAddr(o.Address)
	switch {
	case n < 6:
	case odd:
		bad.note(CodeAddress, f.at, "an address written in a form that is not allowed")
	case a.IsValid() && addrType(a) != o.AddrType:
		bad.note(CodeAddress, f.at, "the address is not of the type told before it")
	}
	f.done(&bad)
	return o, version, bad
}

// sixFields reports whether there are five fields behind the first, and single spaces.
func sixFields(f fields) bool {
	return f.loose == 0 && strings.Count(f.s, " ") == 5 && strings.IndexByte(f.s, '\t') < 0 && !strings.Contains(f.s, "  ") && !strings.HasSuffix(f.s, " ")
}

// checkTypes notes what is wrong with a network and address type. Others than IN,
// IP4 and IP6 are tokens that some registry may know.
func checkTypes(net, addr string, at int, bad *fault) {
	if !isToken(net) || !isToken(addr) {
		bad.note(CodeSyntax, at, "network and address type are two words such as IN IP4")
	} else if net == "IN" && addr != "IP4" && addr != "IP6" || net == "IP" || strings.EqualFold(net, "in") && net != "IN" {
		bad.note(CodeSyntax, at, "network and address type are IN IP4 or IN IP6")
	}
}

// Addr returns the address of the host that made the session, or the zero Addr when
// it is told by name or not at all.
func (o Origin) Addr() netip.Addr {
	a, _ := parseAddr(o.Address)
	return a
}

// Key returns what tells the session from others: all fields but the version.
func (o Origin) Key() string {
	o.Version = "*"
	return o.String()
}

// Identifies reports whether the origin can tell this session from others. FFmpeg and
// some cameras write the same o= for every session they ever make: ID 0, or a host
// that is loopback or unspecified and the same user.
func (o Origin) Identifies() bool {
	a := o.Addr()
	local := a.IsLoopback() || a.IsUnspecified() || o.Address == "" || strings.EqualFold(o.Address, "localhost")
	return !local || strings.Trim(o.ID, "0") != ""
}

// String returns the value of an o= line.
func (o Origin) String() string {
	return o.Username + " " + o.ID + " " + o.Version + " " + o.NetType + " " + o.AddrType + " " + o.Address
}

// CompareVersions compares two session IDs or versions as numbers of any length: -1
// when a is before b, 1 when behind, 0 when equal. What is not a number is compared as
// text.
func CompareVersions(a, b string) int {
	if isNumber(a) && isNumber(b) {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		if len(a) != len(b) {
			if len(a) < len(b) {
				return -1
			}
			return 1
		}
	}
	return strings.Compare(a, b)
}

// nextVersion returns a decimal number of any length plus one.
func nextVersion(s string) string {
	b := []byte(s)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != '9' {
			b[i]++
			return string(b)
		}
		b[i] = '0'
	}
	return "1" + string(b)
}

// Origin returns the first o= line that can be read, or false.
func (d *Description) Origin() (Origin, bool) {
	for i := range d.lines {
		if d.lines[i].typ == 'o' {
			if o, bad := parseOrigin(d.lines[i].Value()); !bad.dead {
				return o, true
			}
		}
	}
	return Origin{}, false
}
