package igmp

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
		_, _ = parse(Strict, b, like)
		if len(b) >= 4 {
			sums(b)
		}
		in := bytes.Clone(b)
		lenient, lerr := parse(Lenient, b, like)
		if lerr == nil {
			walk(t, lenient, len(b))
		}
		m, err := parse(Strict, b, like)
		if err != nil {
			return
		}
		if lerr != nil || !reflect.DeepEqual(m, lenient) {
			t.Fatalf("strict: %+v\nlenient: %+v, %v", m, lenient, lerr)
		}
		out, err := m.AppendBinary(nil)
		if err != nil {
			if q, ok := m.(*Query); ok && len(q.Sources) > 0xffff*4 {
				return
			}
			t.Fatalf("%x parses and does not append: %v\n%+v", b, err, m)
		}
		if len(out) != len(b) {
			t.Fatalf("%d bytes become %d", len(b), len(out))
		}
		again, err := parse(Strict, out, like)
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
			n += 4
		}
		e, _ := m.Extensions()
		for _, v := range e.All() {
			n += 4 + len(v)
		}
		m.MaxResp()
	case *Report3:
		records, again := 0, Records{}
		for rec := range m.Records.All() {
			records++
			n += recordLen + 4*rec.Sources.Len() + len(rec.Aux)
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
func FuzzReport3(f *testing.F)    { fuzz(f, &Report3{}) }

// FuzzPacket does what somebody who listens on a link does with a frame's payload.
func FuzzPacket(f *testing.F) {
	for _, v := range vectors {
		b, err := AppendPacket(nil, addr("10.6.0.1"), AllSystems, unhex(v.bytes))
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
		h, _ := ParseHeader(m)
		_ = h.String()
		for _, like := range []message{&Query{}, &Membership{}, &Report3{}} {
			if got, err := parse(Lenient, m, like); err == nil {
				_ = got.Check(e).String()
			}
		}
	})
}

func FuzzSwitch(f *testing.F) {
	f.Add(unhex("aaaa0300000c2001 11000001 01005e010203 020000000001"))
	f.Add(unhex("4242030001 01 08 01 01005e010203 02 00 00 02 03 02 00 00 00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c CGMP
		if ParseCGMP(b, &c) == nil {
			for i := range c.Entries.Len() {
				c.Entries.At(i)
			}
		}
		if g, err := ParseGMRP(b); err == nil {
			n := 0
			for range g.All() {
				n++
			}
			if n > len(b) {
				t.Fatal(n)
			}
			if _, err := walkGMRP(g, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}
