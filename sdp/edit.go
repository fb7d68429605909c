package sdp

import (
	"fmt"
	"slices"
	"strings"
)

// New returns a description with the lines every one must have: an origin, a name, and
// a time, which for zero times is permanent. It has CRLF at the ends of lines. The
// error wraps ErrValue.
func New(o Origin, name string, t Timing) (*Description, error) {
	if name == "" {
		name = "-" // RFC 8866 section 5.3
	}
	v := o.String()
	if _, bad := parseOrigin(v); bad.is() {
		return nil, fmt.Errorf("%w: origin: %s", ErrValue, bad.why)
	}
	if err := checkText("s=" + name); err != nil {
		return nil, err
	}
	return ParseString("v=0\r\no=" + v + "\r\ns=" + name + "\r\nt=" + t.String() + "\r\n")
}

// checkText refuses what would break its line, which is also what stops a name from
// somebody else from adding lines of its own.
func checkText(s string) error {
	if i := strings.IndexAny(s, "\r\n\x00"); i >= 0 {
		return fmt.Errorf("%w: a line break or NUL at byte %d of %q", ErrValue, i, s)
	}
	return nil
}

// SetLine replaces the text of line i, from 0, and keeps its ending. The error wraps
// ErrNoLine, ErrValue or ErrTooLarge.
func (d *Description) SetLine(i int, text string) error {
	if i < 0 || i >= len(d.lines) {
		return fmt.Errorf("%w: %d of %d", ErrNoLine, i, len(d.lines))
	}
	return d.replace(i, 1, text, d.lines[i].Ending())
}

// InsertLine puts a line before line i, or behind the last if i is Len, with the
// line ending of those beside it. The error wraps ErrNoLine, ErrValue or ErrTooLarge.
func (d *Description) InsertLine(i int, text string) error {
	if i < 0 || i > len(d.lines) {
		return fmt.Errorf("%w: %d of %d", ErrNoLine, i, len(d.lines))
	}
	return d.replace(i, 0, text, d.endingAt(i))
}

// DeleteLine takes line i away. The error wraps ErrNoLine.
func (d *Description) DeleteLine(i int) error {
	if i < 0 || i >= len(d.lines) {
		return fmt.Errorf("%w: %d of %d", ErrNoLine, i, len(d.lines))
	}
	d.size -= len(d.lines[i].raw)
	d.lines = slices.Delete(d.lines, i, i+1)
	d.part(i)
	d.edited = true
	return d.index()
}

// part keeps line i apart from the one before: a CR that ends a line and an LF that is
// an empty line would be one line ending.
func (d *Description) part(i int) {
	for ; i > 0 && i < len(d.lines) && d.lines[i].raw == "\n" && d.lines[i-1].Ending() == "\r"; i-- {
		p := &d.lines[i-1]
		p.raw = p.Text() + "\n" // which may be such a line itself now
	}
}

// endingAt returns the ending for a new line before line i.
func (d *Description) endingAt(i int) string {
	for k := i - 1; k >= 0; k-- { // it is the first that has one, but for an open end
		if e := d.lines[k].Ending(); e != "" {
			return e
		}
	}
	if e := d.Line(i).Ending(); e != "" {
		return e
	}
	return "\r\n"
}

// replace puts a line in the place of n lines at i.
func (d *Description) replace(i, n int, text, ending string) error {
	if err := checkText(text); err != nil {
		return err
	}
	l := newLine(text+ending, len(text))
	was, media := 0, len(d.media)
	for _, old := range d.lines[i : i+n] {
		was += len(old.raw)
		if old.typ == 'm' {
			media--
		}
	}
	if l.typ == 'm' {
		media++
	}
	// A last line without an ending needs one before another can follow.
	open := n == 0 && i > 0 && d.lines[i-1].Ending() == ""
	more := len(l.raw) - was
	if open {
		more += len(ending)
	}
	if d.size+more > MaxSize || len(d.lines)+1-n > MaxLines || media > MaxMedia {
		return fmt.Errorf("%w: no room for %q", ErrTooLarge, text)
	}
	if open {
		p := &d.lines[i-1]
		p.raw += ending
	}
	d.lines = slices.Replace(d.lines, i, i+n, l)
	d.part(i)
	d.part(i + 1)
	d.size += more
	d.edited = true
	return d.index()
}

// Add adds a line of a type at the place RFC 8866 section 5 gives it in the section,
// behind those of its type. The error wraps ErrValue or ErrTooLarge; ErrValue also
// when the type does not belong in the section.
func (s Section) Add(typ byte, value string) error {
	ranks := sessionRanks
	if s.level >= 0 {
		ranks = mediaRanks
	}
	if typ > 127 || ranks[typ] == 0 {
		return fmt.Errorf("%w: no %q line belongs there", ErrValue, typ)
	}
	lo, hi := s.d.bounds(s.level)
	at := lo
	for i := lo; i < hi; i++ {
		if l := s.d.lines[i]; l.typ == 'm' || l.typ != 0 && ranks[l.typ] <= ranks[typ] {
			at = i + 1
		}
	}
	return s.d.InsertLine(at, string(rune(typ))+"="+value)
}

// Set replaces the value of the first line of a type in the section, or adds it. The
// error wraps ErrValue or ErrTooLarge.
func (s Section) Set(typ byte, value string) error {
	i := s.find(typ)
	if i < 0 {
		return s.Add(typ, value)
	}
	l := s.d.lines[i]
	return s.d.SetLine(i, l.raw[:l.off]+value)
}

func attributeText(name, value string) string {
	if value == "" {
		return "a=" + name
	}
	return "a=" + name + ":" + value
}

// AddAttribute adds an attribute behind the others of the section; one with an empty
// value is a flag. The error wraps ErrValue or ErrTooLarge.
func (s Section) AddAttribute(name, value string) error {
	if !isToken(name) {
		return fmt.Errorf("%w: attribute %q is not one word", ErrValue, name)
	}
	return s.Add('a', attributeText(name, value)[2:])
}

// SetAttribute replaces the value of the first attribute of a name in the section, or
// adds it. The error wraps ErrValue or ErrTooLarge.
func (s Section) SetAttribute(name, value string) error {
	i, _ := s.findAttribute(name)
	if i < 0 || !isToken(name) {
		return s.AddAttribute(name, value)
	}
	return s.d.SetLine(i, attributeText(name, value))
}

// DeleteAttribute takes all attributes of a name out of the section, and returns how
// many there were.
func (s Section) DeleteAttribute(name string) (n int) {
	for {
		i, _ := s.findAttribute(name)
		if i < 0 {
			return n
		}
		_ = s.d.DeleteLine(i)
		n++
	}
}

// AddMedia adds an m= line behind everything else. The error wraps ErrValue or
// ErrTooLarge.
func (d *Description) AddMedia(m MediaLine) (Media, error) {
	v := m.String()
	if _, bad := parseMediaLine(v); bad.is() {
		return Media{}, fmt.Errorf("%w: media: %s", ErrValue, bad.why)
	}
	if err := d.InsertLine(len(d.lines), "m="+v); err != nil {
		return Media{}, err
	}
	all, _ := d.MediaAt(len(d.media) - 1)
	return all, nil
}

// SetOrigin replaces the o= line, or adds one. The error wraps ErrValue or
// ErrTooLarge.
func (d *Description) SetOrigin(o Origin) error {
	v := o.String()
	if _, bad := parseOrigin(v); bad.is() {
		return fmt.Errorf("%w: origin: %s", ErrValue, bad.why)
	}
	return d.Session().Set('o', v)
}

// BumpVersion adds one to the version in the o= line, which every change of a session
// that is announced must do (RFC 8866 section 5.2), and changes no other byte. The
// error wraps ErrNoLine when there is no o= line that can be read, and ErrValue when
// its version is not a number.
func (d *Description) BumpVersion() error {
	for i := range d.lines {
		l := d.lines[i]
		if l.typ != 'o' {
			continue
		}
		v := l.Value()
		o, at, bad := originFields(v)
		if bad.dead {
			continue
		}
		if !isNumber(o.Version) {
			return fmt.Errorf("%w: the version %q is not a number", ErrValue, o.Version)
		}
		at += int(l.off)
		return d.SetLine(i, l.raw[:at]+nextVersion(o.Version)+l.raw[at+len(o.Version):l.n])
	}
	return fmt.Errorf("%w: no o= line", ErrNoLine)
}
