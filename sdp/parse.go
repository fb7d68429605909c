package sdp

import (
	"fmt"
	"slices"
	"strings"
)

// A Description is a session description: its lines, and what they mean. Make one
// with Parse, Strict, New or one of the builders; do not copy it but Clone it.
type Description struct {
	text  string // of all lines, as long as nothing was edited
	head  string // a byte order mark
	tail  string // NULs behind the last line
	lines []Line

	media  []int32 // the m= lines
	media4 [4]int32
	size   int // of everything
	edited bool
}

// Parse reads a description and lets everything pass that leaves something to use;
// Warnings tells what, for those who ask. It returns an error wrapping ErrNotSDP for a text without
// any line of a description, and ErrTooLarge for one over MaxSize, MaxLines or
// MaxMedia. b is copied.
func Parse(b []byte) (*Description, error) {
	if len(b) > MaxSize { // before it is copied
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxSize)
	}
	return ParseString(string(b))
}

// ParseString is Parse without the copy: the description shares memory with s.
func ParseString(s string) (*Description, error) {
	if len(s) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(s), MaxSize)
	}
	d := &Description{text: s, size: len(s)}
	if err := d.split(s); err != nil {
		return nil, err
	}
	return d, nil
}

// Strict reads a description that follows the RFCs: what Parse reads without a
// warning. Otherwise the error is that of Parse, or a *ParseError with the
// position and the reason. LF alone as line ending is allowed, as RFC 8866 section
// 5 wants it.
func Strict(b []byte) (*Description, error) {
	d, err := Parse(b)
	if err != nil {
		return nil, err
	}
	if w := d.Warnings(); len(w) > 0 {
		return nil, &ParseError{w[0]}
	}
	return d, nil
}

const bom = "\xef\xbb\xbf"

// split cuts the text into lines and finds the media.
func (d *Description) split(s string) error {
	if strings.HasPrefix(s, bom) {
		d.head, s = bom, s[len(bom):]
	}
	// A C string announced with its terminator, or a buffer with its padding.
	if body := strings.TrimRight(s, "\x00"); len(body) < len(s) {
		d.tail, s = s[len(body):], body
	}
	n := strings.Count(s, "\n") + 1
	if n > MaxLines+1 {
		return fmt.Errorf("%w: %d lines, at most %d", ErrTooLarge, n-1, MaxLines)
	}
	d.lines = make([]Line, 0, n)
	known := false
	for pos, lf := 0, -1; pos < len(s); {
		if len(d.lines) == MaxLines {
			return fmt.Errorf("%w: more than %d lines", ErrTooLarge, MaxLines)
		}
		if lf < pos {
			if lf = strings.IndexByte(s[pos:], '\n'); lf < 0 {
				lf = len(s)
			} else {
				lf += pos
			}
		}
		end, next := cutLine(s, pos, lf)
		l := newLine(s[pos:next], end-pos)
		pos = next
		d.lines = append(d.lines, l)
		switch l.typ {
		case 'v', 'o', 's', 't', 'c', 'm':
			known = true
		}
	}
	if !known {
		return ErrNotSDP
	}
	return d.index()
}

// index finds the m= lines.
func (d *Description) index() error {
	d.media = d.media4[:0]
	for i := range d.lines {
		if d.lines[i].typ == 'm' {
			d.media = append(d.media, int32(i))
		}
	}
	if len(d.media) > MaxMedia {
		return fmt.Errorf("%w: %d media, at most %d", ErrTooLarge, len(d.media), MaxMedia)
	}
	return nil
}

// Len returns the number of lines.
func (d *Description) Len() int { return len(d.lines) }

// Line returns line i, from 0, or the zero Line when there is none.
func (d *Description) Line(i int) Line {
	if i < 0 || i >= len(d.lines) {
		return Line{}
	}
	return d.lines[i]
}

// AppendBinary appends the text of the description to b: for an unedited one
// exactly what was parsed. It returns no error.
func (d *Description) AppendBinary(b []byte) ([]byte, error) {
	if !d.edited {
		return append(b, d.text...), nil
	}
	b = append(slices.Grow(b, d.size), d.head...)
	for i := range d.lines {
		b = append(b, d.lines[i].raw...)
	}
	return append(b, d.tail...), nil
}

// MarshalBinary returns the text of the description in a new slice. It returns no
// error.
func (d *Description) MarshalBinary() ([]byte, error) { return d.AppendBinary(nil) }

// UnmarshalBinary is Parse into d.
func (d *Description) UnmarshalBinary(b []byte) error {
	v, err := Parse(b)
	if err == nil {
		v.copyTo(d)
	}
	return err
}

// String returns the text of the description.
func (d *Description) String() string {
	if !d.edited {
		return d.text
	}
	b, _ := d.AppendBinary(nil)
	return string(b)
}

// Size returns the length of the text in bytes.
func (d *Description) Size() int { return d.size }

// Clone returns a copy that can be edited on its own.
func (d *Description) Clone() *Description {
	c := new(Description)
	d.copyTo(c)
	return c
}

func (d *Description) copyTo(c *Description) {
	*c = *d
	c.lines = slices.Clone(d.lines)
	if len(d.media) <= len(c.media4) {
		c.media = append(c.media4[:0], d.media...)
	} else {
		c.media = slices.Clone(d.media)
	}
}
