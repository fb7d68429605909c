package sdp

import (
	"iter"
	"net/netip"
	"strings"
)

// A SourceFilter says which senders to a group are legitimate: an a=source-filter
// attribute (RFC 4570).
type SourceFilter struct {
	// Exclude is set for excl: all senders but Sources. Otherwise none but
	// Sources.
	Exclude bool

	NetType  string // "IN"
	AddrType string // "IP4", "IP6", or "*" for names of either

	// Dest is the group, host or name it is about, as written, or "*" for all
	// connection addresses.
	Dest string

	// Sources has the addresses and names of the senders with a space between
	// them, as written. See AllSources.
	Sources string
}

// ParseSourceFilter reads the value of an a=source-filter attribute, with or without the
// space before it that RFC 4570 asks for and later RFCs leave out. The error wraps
// ErrValue when there is no mode or no source.
func ParseSourceFilter(s string) (SourceFilter, error) {
	f, bad := parseSourceFilter(s)
	return f, bad.err("source-filter")
}

func parseSourceFilter(s string) (v SourceFilter, bad fault) {
	f := fields{s: strings.TrimPrefix(s, " ")}
	mode := f.next()
	switch {
	case strings.EqualFold(mode, "excl"):
		v.Exclude = true
	case !strings.EqualFold(mode, "incl"):
		return v, dead(CodeAttribute, 0, "a source filter begins with incl or excl")
	}
	if mode != "incl" && mode != "excl" {
		bad.note(CodeAttribute, 0, "incl and excl are in lower case")
	}
	v.NetType = f.next()
	v.AddrType = f.next()
	if v.AddrType != "*" {
		checkTypes(v.NetType, v.AddrType, f.at, &bad)
	}
	v.Dest = f.next()
	at := f.at
	// One of the two most common mistakes: the destination as in the c= line.
	if host, _, slash := strings.Cut(v.Dest, "/"); slash && host != "" {
		v.Dest = host
		bad.note(CodeTTL, at+len(host), "the destination of a source filter has no TTL and no count (RFC 4570 section 3.1)")
	}
	first := f.next()
	if first == "" {
		return v, dead(CodeAttribute, len(s), "a source filter is a mode, a network type, an address type, a destination and sources")
	}
	a, odd := parseAddr(v.Dest)
	if odd || a.IsValid() && addrType(a) != v.AddrType {
		bad.note(CodeAddress, at, "the destination is not an address of the type told before it")
	}
	at = f.at
	for src := first; src != ""; src = f.next() {
		a, odd := parseAddr(src)
		if odd || a.IsMulticast() || !a.IsValid() && (looksLike4(src) || !isHost(src)) {
			bad.note(CodeAddress, f.at, "a source is a unicast address or a name")
		}
	}
	v.Sources = strings.TrimRight(f.s[at:], " \t")
	f.done(&bad)
	return v, bad
}

// AllSources yields the senders one by one: an address, or a name and the zero Addr.
func (f SourceFilter) AllSources() iter.Seq2[string, netip.Addr] {
	return func(yield func(string, netip.Addr) bool) {
		c := fields{s: f.Sources}
		for v := c.next(); v != ""; v = c.next() {
			if a, _ := parseAddr(v); !yield(v, a) {
				return
			}
		}
	}
}

// Covers reports whether the filter is about a connection's group, and whether it names
// the group or means all. With "*" as destination the address types must agree.
func (f SourceFilter) Covers(g netip.Addr) (covers, exact bool) {
	if f.Dest == "*" {
		return f.AddrType == "*" || strings.EqualFold(f.AddrType, addrType(g)), false
	}
	a, _ := parseAddr(f.Dest)
	same := a.IsValid() && a.WithZone("") == g.Unmap().WithZone("")
	return same, same
}

// covers is Covers for a group that was told by name.
func (f SourceFilter) covers(g netip.Addr, name string) (covers, exact bool) {
	if covers, exact = f.Covers(g); !covers && name != "" && strings.EqualFold(f.Dest, name) {
		return true, true
	}
	return covers, exact
}

// String returns the value of the attribute, with a space before it.
func (f SourceFilter) String() string {
	mode := " incl "
	if f.Exclude {
		mode = " excl "
	}
	return mode + f.NetType + " " + f.AddrType + " " + f.Dest + " " + f.Sources
}

// SourceFilters returns the source filters that can be read: those of the media, which
// override those of the session completely (RFC 4570 section 3.1), or without any
// those of the session.
func (s Section) SourceFilters() []SourceFilter {
	all := s.ownFilters(nil)
	if all == nil && s.level >= 0 {
		return s.d.Session().ownFilters(nil)
	}
	return all
}

// ownFilters appends the filters of this level alone.
func (s Section) ownFilters(all []SourceFilter) []SourceFilter {
	for name, value := range s.Attributes() {
		if name == "source-filter" {
			if f, bad := parseSourceFilter(value); !bad.dead {
				all = append(all, f)
			}
		}
	}
	return all
}
