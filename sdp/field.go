package sdp

import (
	"net/netip"
	"strings"
)

// fields takes a value apart at its blanks. The grammar has single spaces
// everywhere; loose tells of something else.
type fields struct {
	s     string
	pos   int
	at    int // where the last field began
	loose int // where the odd blanks are, plus one
}

// next returns the next field, "" at the end.
func (f *fields) next() string {
	s, i := f.s, f.pos
	switch {
	case i > 0 && i+1 < len(s) && s[i] == ' ' && !isBlank(s[i+1]): // as it should be
		i++
	case i < len(s) && isBlank(s[i]):
		for i < len(s) && isBlank(s[i]) {
			i++
		}
		if f.loose == 0 {
			f.loose = f.pos + 1
		}
	}
	f.at = i
	for i < len(s) && !isBlank(s[i]) {
		i++
	}
	f.pos = i
	return s[f.at:i]
}

// rest returns what is left, without the space before it.
func (f *fields) rest() string {
	if f.pos < len(f.s) && isBlank(f.s[f.pos]) {
		f.pos++
	}
	f.at = f.pos
	f.pos = len(f.s)
	return f.s[f.at:]
}

// done notes blanks in odd places and fields that are too many.
func (f *fields) done(bad *fault) {
	if f.next() != "" {
		bad.note(CodeSyntax, f.at, "more behind it than there may be")
	}
	if f.loose > 0 {
		bad.note(CodeSpace, f.loose-1, "blanks other than one space between two fields")
	}
}

// countFields returns the number of fields of s.
func countFields(s string) int {
	f, n := fields{s: s}, 0
	for f.next() != "" {
		n++
	}
	return n
}

// parseUint reads digits alone, up to a largest number.
func parseUint(s string, most uint64) (uint64, bool) {
	if s == "" {
		return 0, false
	}
	var v uint64
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		digit := uint64(s[i] - '0')
		if digit > most || v > (most-digit)/10 {
			return 0, false
		}
		v = v*10 + digit
	}
	return v, true
}

// isNumber reports whether s is digits, of any length.
func isNumber(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// tokenChars are the bytes of a token (RFC 8866 section 9).
var tokenChars = func() (set [256]bool) {
	for c := 0x21; c < 0x7f; c++ {
		set[c] = !strings.ContainsRune("\"(),/:;<=>?@[\\]", rune(c))
	}
	return
}()

func isToken(s string) bool {
	for i := range len(s) {
		if !tokenChars[s[i]] {
			return false
		}
	}
	return s != ""
}

// tokenList reports whether s is tokens with a slash between them.
func tokenList(s string) bool {
	for {
		one, rest, more := strings.Cut(s, "/")
		if !isToken(one) {
			return false
		}
		if !more {
			return true
		}
		s = rest
	}
}

// parseAddr reads an IP address; odd is set for one that the grammar does not
// allow but that can be meant in one way only. Names give the zero Addr, without
// the cost of an error.
func parseAddr(s string) (a netip.Addr, odd bool) {
	if strings.IndexByte(s, ':') >= 0 {
		a, _ = netip.ParseAddr(s)
		return a.Unmap(), a.Is4In6() || a.Zone() != ""
	}
	if !looksLike4(s) {
		return netip.Addr{}, false
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return a, false
	}
	return padded4(s)
}

func looksLike4(s string) bool {
	dots := 0
	for i := range len(s) {
		if s[i] == '.' {
			dots++
		} else if !isDigit(s[i]) {
			return false
		}
	}
	return dots == 3
}

// padded4 reads an IPv4 address with zeros before its numbers, 239.001.002.003,
// which is what people type who like columns.
func padded4(s string) (netip.Addr, bool) {
	var b [4]byte
	for i := range b {
		part, rest, _ := strings.Cut(s, ".")
		v, ok := parseUint(part, 255)
		if !ok || len(part) > 3 {
			return netip.Addr{}, false
		}
		b[i], s = byte(v), rest
	}
	return netip.AddrFrom4(b), true
}

// isHost reports whether s can be a host name: what may be in one, at least.
func isHost(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return s != ""
}

// addrType returns "IP4" or "IP6".
func addrType(a netip.Addr) string {
	if a.Unmap().Is6() {
		return "IP6"
	}
	return "IP4"
}
