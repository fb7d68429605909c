package madcap

import (
	"fmt"
	"iter"
	"net/netip"
	"unicode/utf8"

	"github.com/gomulticast/multicast/mcast/group"
)

// A Name is the name of a zone in one language (RFC 2730 section 3.10).
type Name struct {
	Lang    string // a tag such as "en" or "de-CH", RFC 1766
	Text    string // 1 to 255 bytes of UTF-8
	Default bool   // to be used where no name is in a language asked for
}

// A Zone describes a scope at one place: its addresses, how far packets may go, and
// what it is called. The first address is the scope's ID.
type Zone struct {
	group.Zone
	TTL   uint8 // the most that packets sent to the scope may have
	Names []Name
}

// nameDefault is the flag of a name to be used if there is none in a language.
const nameDefault = 0x80

// A ScopeList is the data of a Multicast Scope List. It views the message it came
// from.
type ScopeList struct {
	family Family
	data   []byte
}

// NewScopeList encodes zones, 255 at most. The error wraps ErrMessage and says which
// one cannot be: one of another family, listed before, or with a name that is empty,
// too long, not UTF-8 or without a language.
func NewScopeList(f Family, zones ...Zone) (ScopeList, error) {
	l := ScopeList{f, []byte{byte(len(zones))}}
	if len(zones) > 255 {
		return l, fmt.Errorf("%w: %d scopes, more than 255", ErrMessage, len(zones))
	}
	for _, z := range zones {
		if !z.IsValid() || FamilyOf(z.First) != f || len(z.Names) > 255 {
			return l, fmt.Errorf("%w: scope %v to %v with %d names", ErrMessage, z.First, z.Last, len(z.Names))
		}
		l.data = appendAddr(l.data, z.First)
		l.data = appendAddr(l.data, z.Last)
		l.data = append(l.data, z.TTL, byte(len(z.Names)))
		for _, n := range z.Names {
			if !n.valid() {
				return l, fmt.Errorf("%w: name %q in language %q of scope %v", ErrMessage, n.Text, n.Lang, z.First)
			}
			flags := byte(0)
			if n.Default {
				flags = nameDefault
			}
			l.data = append(l.data, flags, byte(len(n.Lang)))
			l.data = append(append(l.data, n.Lang...), byte(len(n.Text)))
			l.data = append(l.data, n.Text...)
		}
	}
	if !l.valid() {
		return l, fmt.Errorf("%w: a scope is listed twice, or there are too many names", ErrMessage)
	}
	return l, nil
}

func (n Name) valid() bool {
	return len(n.Lang) <= 255 && validTag(n.Lang) && len(n.Text) > 0 && len(n.Text) <= 255 && utf8.ValidString(n.Text)
}

// validTag reports whether s has the form of a language tag: groups of 1 to 8 letters
// or digits with hyphens between them, only letters in the first (RFC 1766 section 2).
func validTag[S ~string | ~[]byte](s S) bool {
	run, first := 0, true
	for i := range len(s) {
		switch c := s[i]; {
		case c == '-' && run > 0:
			run, first = 0, false
			continue
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9' && !first:
			if run++; run <= 8 {
				continue
			}
		}
		return false
	}
	return run > 0
}

// Len returns the number of scopes.
func (l ScopeList) Len() int {
	if len(l.data) == 0 {
		return 0
	}
	return int(l.data[0])
}

// An Entry is a scope in a list. It views the message it came from.
type Entry struct {
	group.Zone
	TTL   uint8
	names []byte
	count int
}

// All yields the scopes, from the smallest to the largest as far as the server knew.
func (l ScopeList) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		b := l.data[min(1, len(l.data)):]
		for range l.Len() {
			e, rest, ok := nextEntry(l.family, b)
			if !ok || !yield(e) {
				return
			}
			b = rest
		}
	}
}

func nextEntry(f Family, b []byte) (e Entry, rest []byte, ok bool) {
	n := f.size()
	if n == 0 || len(b) < 2*n+2 {
		return e, nil, false
	}
	e.First, _ = netip.AddrFromSlice(b[:n])
	e.Last, _ = netip.AddrFromSlice(b[n : 2*n])
	e.TTL, e.count = b[2*n], int(b[2*n+1])
	e.names = b[2*n+2:]
	rest = e.names
	for range e.count {
		if _, _, _, rest, ok = nextName(rest); !ok {
			return e, nil, false
		}
	}
	e.names = e.names[:len(e.names)-len(rest)]
	return e, rest, true
}

func nextName(b []byte) (flags byte, lang, text, rest []byte, ok bool) {
	if len(b) < 2 || len(b) < 3+int(b[1]) {
		return 0, nil, nil, nil, false
	}
	flags, lang, b = b[0], b[2:2+int(b[1])], b[2+int(b[1]):]
	if n := 1 + int(b[0]); len(b) >= n {
		return flags, lang, b[1:n], b[n:], true
	}
	return 0, nil, nil, nil, false
}

// valid reports whether the list is whole: zones of multicast addresses, each once, and
// names in UTF-8 with a language.
func (l ScopeList) valid() bool {
	if len(l.data) == 0 {
		return false
	}
	var seen [255]netip.Addr
	i, b := 0, l.data[1:]
	for range l.Len() {
		e, rest, ok := nextEntry(l.family, b)
		if !ok || !e.IsValid() {
			return false
		}
		for _, id := range seen[:i] {
			if id == e.First {
				return false
			}
		}
		seen[i] = e.First
		i++
		for n := e.names; len(n) > 0; {
			var lang, text []byte
			_, lang, text, n, _ = nextName(n)
			if !validTag(lang) || len(text) == 0 || !utf8.Valid(text) {
				return false
			}
		}
		b = rest
	}
	return len(b) == 0
}

// Names returns the names of the scope, in copies.
func (e Entry) Names() (all []Name) {
	for b := e.names; len(b) > 0; {
		flags, lang, text, rest, ok := nextName(b)
		if !ok {
			break
		}
		all = append(all, Name{string(lang), string(text), flags&nameDefault != 0})
		b = rest
	}
	return all
}

// Describe returns a copy of the entry that stands by itself.
func (e Entry) Describe() Zone { return Zone{e.Zone, e.TTL, e.Names()} }

// Name returns the name of the zone in a language: the one with that tag without
// regard to case; else the one marked as the default; else the first (section 3.10). It
// reports false when there are no names.
func (z Zone) Name(lang string) (Name, bool) {
	if len(z.Names) == 0 {
		return Name{}, false
	}
	best := z.Names[0]
	for _, n := range z.Names {
		if equalTag(n.Lang, lang) {
			return n, true
		}
		if n.Default && !best.Default {
			best = n
		}
	}
	return best, true
}

// equalTag compares tags without regard to the case of ASCII letters.
func equalTag(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if 'A' <= x && x <= 'Z' {
			x |= 0x20
		}
		if 'A' <= y && y <= 'Z' {
			y |= 0x20
		}
		if x != y {
			return false
		}
	}
	return true
}
