package mld

import (
	"bytes"
	"reflect"
	"testing"
)

// fuzz parses anything as one kind of message, with the checksum as it is and with
// the right one.
func fuzz(f *testing.F, like message) {
	for _, v := range vectors {
		f.Add(unhex(v.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parse(Strict, from, to, b, like)
		if len(b) >= 4 {
			sums(b)
		}
		in := bytes.Clone(b)
		lenient, lerr := parse(Lenient, from, to, b, like)
		if lerr == nil {
			walk(t, lenient, len(b))
		}
		m, err := parse(Strict, from, to, b, like)
		if err != nil {
			return
		}
		if lerr != nil || !reflect.DeepEqual(m, lenient) {
			t.Fatalf("strict: %+v\nlenient: %+v, %v", m, lenient, lerr)
		}
		out, err := m.Append(nil, from, to)
		if err != nil {
			if q, ok := m.(*Query); ok && len(q.Sources) > 0xffff*16 {
				return
			}
			t.Fatalf("%x parses and does not append: %v\n%+v", b, err, m)
		}
		if len(out) != len(b) {
			t.Fatalf("%d bytes become %d", len(b), len(out))
		}
		again, err := parse(Strict, from, to, out, like)
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("first %+v\n then %+v, %v", m, again, err)
		}
		m.Check(Envelope{})
		if !bytes.Equal(in, b) {
			t.Fatal("the input was written to")
		}
	})
}

// walk reads all there is to read.
func walk(t *testing.T, m message, size int) {
	n := 0
	switch m := m.(type) {
	case *Query:
		for range m.Sources.All() {
			n += 16
		}
		e, _ := m.Extensions()
		for _, v := range e.All() {
			n += 4 + len(v)
		}
		m.MaxResp()
	case *Report2:
		records, again := 0, Records{}
		for rec := range m.Records.All() {
			records++
			n += recordLen + 16*rec.Sources.Len() + len(rec.Aux)
			var err error
			if again, err = again.Append(rec); err != nil {
				t.Fatal(err)
			}
			rec.Check()
		}
		if records != m.Records.Len() || !bytes.Equal(again.Bytes(), m.Records.Bytes()) {
			t.Fatalf("%d records, not %d", records, m.Records.Len())
		}
		e, _ := m.Extensions()
		for _, v := range e.All() {
			n += 4 + len(v)
		}
	}
	if n > size {
		t.Fatalf("%d bytes in %d", n, size)
	}
}

func FuzzQuery(f *testing.F)      { fuzz(f, &Query{}) }
func FuzzMembership(f *testing.F) { fuzz(f, &Membership{}) }
func FuzzReport2(f *testing.F)    { fuzz(f, &Report2{}) }

// FuzzPacket does what somebody who listens on a link does with a frame's payload.
func FuzzPacket(f *testing.F) {
	for _, v := range vectors {
		b, err := AppendPacket(nil, from, to, unhex(v.bytes))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, m, err := ParsePacket(b)
		if err != nil {
			return
		}
		for _, like := range []message{&Query{}, &Membership{}, &Report2{}} {
			if got, err := parse(Lenient, e.Src, e.Dst, m, like); err == nil {
				_ = got.Check(e).String()
			}
		}
	})
}
