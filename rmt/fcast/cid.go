package fcast

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gomulticast/multicast/rmt/lct"
)

// CID is a Carousel Instance Descriptor: which objects are on the air (RFC 6968 section
// 2.2).
type CID struct {
	// Instance is the Carousel Instance ID: the number of this set of objects.
	// Without one there is only one set, and Complete is true.
	Instance    uint64
	HasInstance bool

	// Complete says that no objects will come that are not in this or an earlier
	// descriptor.
	Complete bool

	List
}

// List is the object list of a descriptor.
type List struct {
	// Objects are the TOIs, as intervals, in increasing order.
	Objects []Interval

	// Equivalences name objects that had another TOI before. Their new TOIs need
	// not be in Objects.
	Equivalences []Equivalence
}

// Interval is the TOIs from First to Last, inclusive.
type Interval struct{ First, Last lct.TOI }

// Equivalence says that TOI is the object that was first sent as First in the instance
// Instance.
type Equivalence struct {
	TOI, First lct.TOI
	Instance   uint64
}

// Contains reports whether the list has toi, in either part.
func (l *List) Contains(toi lct.TOI) bool {
	if _, ok := l.Equivalent(toi); ok {
		return true
	}
	return slices.ContainsFunc(l.Objects, func(i Interval) bool { return toi.Compare(i.First) >= 0 && toi.Compare(i.Last) <= 0 })
}

// Equivalent returns what the list says toi was before.
func (l *List) Equivalent(toi lct.TOI) (Equivalence, bool) {
	i := slices.IndexFunc(l.Equivalences, func(e Equivalence) bool { return e.TOI == toi })
	if i < 0 {
		return Equivalence{}, false
	}
	return l.Equivalences[i], true
}

// ParseList reads an object list. Order is not checked, and a zero byte at the end is
// fine. The error wraps ErrList.
func ParseList(b []byte, limits Limits) (List, error) {
	lim := limits.withDefaults()
	var l List
	if len(b) > lim.List {
		return l, fmt.Errorf("%w: %d bytes, at most %d", ErrList, len(b), lim.List)
	}
	text := string(bytes.Trim(b, "\x00 \t\r\n"))
	if text == "" {
		return l, nil
	}
	items := 0
	for item := range strings.SplitSeq(text, ",") {
		if items++; items > lim.Items {
			return List{}, fmt.Errorf("%w: more than %d items", ErrList, lim.Items)
		}
		if !l.item(strings.TrimSpace(item)) {
			return List{}, fmt.Errorf("%w: %.60q", ErrList, item)
		}
	}
	return l, nil
}

func (l *List) item(s string) bool {
	if inner, ok := strings.CutPrefix(s, "("); ok {
		inner, ok = strings.CutSuffix(inner, ")")
		left, right, ok1 := strings.Cut(inner, "=")
		first, instance, ok2 := strings.Cut(right, "/")
		var e Equivalence
		var err1, err2, err3 error
		e.TOI, err1 = lct.ParseTOI(left)
		e.First, err2 = lct.ParseTOI(first)
		e.Instance, err3 = strconv.ParseUint(instance, 10, 64)
		l.Equivalences = append(l.Equivalences, e)
		return ok && ok1 && ok2 && err1 == nil && err2 == nil && err3 == nil
	}
	a, b, pair := strings.Cut(s, "-")
	first, err := lct.ParseTOI(a)
	i := Interval{first, first}
	if err == nil && pair {
		if i.Last, err = lct.ParseTOI(b); err == nil && i.First.Compare(i.Last) >= 0 {
			return false
		}
	}
	l.Objects = append(l.Objects, i)
	return err == nil
}

// Append appends the list as text. The error wraps ErrList for an interval that ends
// before it begins; dst is then as it was.
func (l *List) Append(dst []byte) ([]byte, error) {
	b := dst
	comma := func() {
		if len(b) > len(dst) {
			b = append(b, ',')
		}
	}
	for _, i := range l.Objects {
		comma()
		b, _ = i.First.AppendText(b)
		switch i.First.Compare(i.Last) {
		case -1:
			b, _ = i.Last.AppendText(append(b, '-'))
		case 1:
			return dst, fmt.Errorf("%w: from %v to %v", ErrList, i.First, i.Last)
		}
	}
	for _, e := range l.Equivalences {
		comma()
		b, _ = e.TOI.AppendText(append(b, '('))
		b, _ = e.First.AppendText(append(b, '='))
		b = append(strconv.AppendUint(append(b, '/'), e.Instance, 10), ')')
	}
	return b, nil
}

// ParseCID reads a whole compound object that is a descriptor. Errors wrap those of
// ParseHeader, Header.ParseMetadata and ParseList; ErrFormat is also for an object that
// is none, and for a list in another encoding than gzip.
func ParseCID(object []byte, limits Limits) (CID, error) {
	h, err := ParseHeader(object, limits)
	if err != nil {
		return CID{}, err
	}
	if err := h.Verify(object); err != nil {
		return CID{}, err
	}
	if !h.CID {
		return CID{}, fmt.Errorf("%w: it is no carousel instance descriptor", ErrFormat)
	}
	m, err := h.ParseMetadata(limits)
	if err != nil {
		return CID{}, err
	}
	return m.ParseCID(object[min(h.Data, int64(len(object))):], limits)
}

// ParseCID reads the data of a descriptor with this metadata.
func (m *Metadata) ParseCID(data []byte, limits Limits) (CID, error) {
	c := CID{Instance: m.Instance, HasInstance: m.HasInstance, Complete: m.Complete}
	switch {
	case len(data) == 0:
	case strings.EqualFold(m.ContentEncoding, "gzip"):
		var err error
		if data, err = inflate(data, limits.withDefaults().List); err != nil {
			return CID{}, err
		}
	case m.ContentEncoding != "":
		return CID{}, fmt.Errorf("%w: list in %.20q", ErrFormat, m.ContentEncoding)
	}
	if m.HasContentLength && m.ContentLength < uint64(len(data)) {
		data = data[:m.ContentLength]
	}
	if m.HasContentLength && m.ContentLength > uint64(len(data)) {
		return CID{}, fmt.Errorf("fcast: object list of %d bytes in %d: %w", m.ContentLength, len(data), io.ErrUnexpectedEOF)
	}
	var err error
	c.List, err = ParseList(data, limits)
	return c, err
}

// Append appends the descriptor as a whole compound object, whose list is compressed if
// compress says so. The checksum is of all of it. Errors are those of List.Append.
func (c *CID) Append(dst []byte, compress bool) ([]byte, error) {
	list, err := c.List.Append(nil)
	if err != nil {
		return dst, err
	}
	m := Metadata{
		ContentLength: uint64(len(list)), HasContentLength: true,
		Complete: c.Complete, Instance: c.Instance, HasInstance: c.HasInstance,
	}
	if compress && len(list) > 0 {
		m.ContentEncoding, list = "gzip", GZIP(nil, list)
	}
	h := Header{CID: true}
	if h.Metadata, err = m.Append(nil); err != nil {
		return dst, err
	}
	var sum Sum
	sum.Add(list)
	b, err := h.AppendGlobal(dst, len(list) > 0, sum)
	if err != nil {
		return dst, err
	}
	return append(b, list...), nil
}
