package sdp

import "strings"

// A Line is one line of a description as it was written. It is a value and never
// changes.
type Line struct {
	raw string // with its ending
	n   int32  // length without the ending
	off uint8  // where the value begins, when typ is not 0
	typ byte
}

// Type returns the letter before the =, or 0 for a line that has not the form
// x=value: an empty one, for instance.
func (l Line) Type() byte { return l.typ }

// Value returns what is behind the =, or the whole line when Type is 0, without
// the line ending.
func (l Line) Value() string { return l.raw[l.off:l.n] }

// Text returns the line without its ending.
func (l Line) Text() string { return l.raw[:l.n] }

// Ending returns "\r\n", "\n", "\r", or "" for a last line that has none.
func (l Line) Ending() string { return l.raw[l.n:] }

// String returns the line with its ending.
func (l Line) String() string { return l.raw }

// maxIndent is how many blanks may be before the type. Texts copied from source
// code have some.
const maxIndent = 64

// newLine takes a line with n bytes before its ending apart.
func newLine(raw string, n int) Line {
	l := Line{raw: raw, n: int32(n)}
	if n >= 2 && raw[1] == '=' && isLetter(raw[0]) {
		l.typ, l.off = raw[0], 2
		return l
	}
	i := 0
	for i < n && i < maxIndent && isBlank(raw[i]) {
		i++
	}
	if i+1 < n && raw[i+1] == '=' && isLetter(raw[i]) {
		l.typ, l.off = raw[i], uint8(i+2)
	}
	return l
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isBlank(c byte) bool  { return c == ' ' || c == '\t' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// cutLine returns where the line of s that begins at pos ends, and where the next one
// begins; lf is the place of the next LF, or the length of s. A CR alone ends a line
// too: old Macintosh programs wrote so, and no value may have one in it.
func cutLine(s string, pos, lf int) (end, next int) {
	r := strings.IndexByte(s[pos:lf], '\r')
	switch {
	case r < 0:
		return lf, min(lf+1, len(s))
	case pos+r+1 == lf && lf < len(s):
		return pos + r, lf + 1
	}
	return pos + r, pos + r + 1
}
