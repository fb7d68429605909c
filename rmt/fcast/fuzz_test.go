package fcast

import (
	"bytes"
	"reflect"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, c := range []CID{{Complete: true}, {HasInstance: true, List: List{Objects: []Interval{one(1), interval(5, 9)}, Equivalences: []Equivalence{equivalence(1, 2, 3)}}}} {
		for _, compress := range []bool{false, true} {
			b, err := c.Append(nil, compress)
			if err != nil {
				f.Fatal(err)
			}
			b[0] &^= flagGlobal // so that the fuzzer need not find checksums of everything
			f.Add(b, uint8(3))
		}
	}
	text, err := everything.Append(nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, h := range []Header{{Metadata: text}, {Metadata: GZIP(nil, text), Encoding: EncodingGZIP}} {
		b, err := h.Append(nil, true)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(b, "data"...), uint8(7))
	}
	limits := Limits{Inflated: 4096, List: 4096, Header: 4096}
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		// The header's checksum is made right, or nothing would get past it.
		if n, err := HeaderLen(b, limits); err == nil && n <= len(b) && b[0]&flagGlobal == 0 {
			b = bytes.Clone(b)
			h := Header{CID: b[0]&flagCID != 0, Format: MetadataFormat(b[1] >> 4), Encoding: MetadataEncoding(b[1] & 15), Metadata: b[8:n]}
			head, err := h.Append(nil, false)
			if err != nil {
				t.Fatal(err)
			}
			copy(b, head)
		}
		h, err := ParseHeader(b, limits)
		r := NewReader(int64(len(b)), limits)
		var data []byte
		var readErr error
		for rest := b; len(rest) > 0 && readErr == nil; {
			n := min(len(rest), int(piece)+1)
			var d []byte
			d, readErr = r.Next(rest[:n])
			data, rest = append(data, d...), rest[n:]
		}
		if err != nil {
			if r.Done() {
				t.Fatalf("%v, but the Reader is done", err)
			}
			return
		}
		if err := h.Verify(b); (err == nil) != (readErr == nil) {
			t.Fatalf("%v, but the Reader says %v", err, readErr)
		}
		if readErr == nil && !bytes.Equal(data, b[min(int(h.Data), len(b)):]) {
			t.Fatal("the Reader's data are others")
		}
		m, err := h.ParseMetadata(limits)
		if err != nil {
			return
		}
		if out, err := m.Append(nil); err == nil {
			again, err := (&Header{Metadata: out}).ParseMetadata(Limits{Fields: 1000})
			if err != nil || !reflect.DeepEqual(m, again) {
				t.Fatalf("%+v\nis now\n%+v, %v\n%s", m, again, err, out)
			}
		}
		c, err := ParseCID(b, limits)
		if err != nil {
			return
		}
		out, err := c.List.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if l, err := ParseList(out, Limits{}); err != nil || !reflect.DeepEqual(l, c.List) {
			t.Fatalf("%+v is now %+v, %v", c.List, l, err)
		}
	})
}
