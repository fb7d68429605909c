package fcast

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/rmt/lct"
)

// A compound object by hand: version 0, no flags, format 0, encoding 0, 5 bytes of
// metadata. The sum is 000d + 613a + 620d + 0a00 = cd54, whose complement is 32ab.
func TestVector(t *testing.T) {
	object := append([]byte{0, 0, 0x32, 0xab, 0, 0, 0, 13, 'a', ':', 'b', '\r', '\n', 0, 0, 0}, "data"...)
	h, err := ParseHeader(object, Limits{})
	if err != nil || h.Data != 16 || string(h.Metadata) != "a:b\r\n" || h.CID || h.Global {
		t.Fatalf("%+v, %v", h, err)
	}
	m, err := h.ParseMetadata(Limits{})
	if err != nil || !reflect.DeepEqual(m, Metadata{Other: []Field{{"a", "b"}}}) {
		t.Errorf("%+v, %v", m, err)
	}
	out, err := (&Header{Metadata: []byte("a:b\r\n")}).Append([]byte("x"), true)
	if err != nil || !bytes.Equal(out[1:], object[:16]) {
		t.Errorf("%x, %v; want %x", out, err, object[:16])
	}
	// Without data there is no padding.
	out, err = (&Header{Metadata: []byte("a:b\r\n")}).Append(nil, false)
	if err != nil || !bytes.Equal(out, object[:13]) {
		t.Errorf("%x, %v", out, err)
	}
	for i := range 13 {
		for bit := range 8 {
			b := bytes.Clone(object)
			b[i] ^= 1 << bit
			if _, err := ParseHeader(b, Limits{}); err == nil && i != 0 { // G says there is none
				t.Errorf("bit %d of byte %d may be wrong", bit, i)
			}
		}
	}
	for n := range 13 {
		if _, err := ParseHeader(object[:n:n], Limits{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	object[0] = 0x20
	if _, err := ParseHeader(object, Limits{}); !errors.Is(err, ErrVersion) {
		t.Errorf("version 1: %v", err)
	}
	if _, err := ParseHeader([]byte{0, 0, 0, 0, 0, 0, 0, 7}, Limits{}); !errors.Is(err, ErrHeaderLen) {
		t.Errorf("length 7: %v", err)
	}
	if _, err := ParseHeader([]byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, Limits{}); !errors.Is(err, ErrHeaderLen) {
		t.Errorf("length 2^32-1: %v", err)
	}
	if b, err := (&Header{Format: 16}).Append([]byte{1}, true); !errors.Is(err, ErrFormat) || len(b) != 1 {
		t.Errorf("format 16: %v", err)
	}
}

var everything = Metadata{
	ContentLocation: "http://example.com/ä", ContentType: "text/plain", ContentEncoding: "gzip",
	ContentLength: 1 << 40, HasContentLength: true,
	SHA1: [20]byte{1, 2, 3}, HasSHA1: true, SHA256: sha256.Sum256([]byte("x")), HasSHA256: true,
	Slice: Slice{Count: 3, Index: 2, Offset: 1 << 33}, Complete: true, Instance: 9, HasInstance: true,
	Other: []Field{{"X-One", "1: 2"}, {"X-One", ""}},
}

func TestMetadata(t *testing.T) {
	text, err := everything.Append([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	text = text[6:]
	for _, h := range []Header{{Metadata: text}, {Metadata: GZIP(nil, text), Encoding: EncodingGZIP}} {
		m, err := h.ParseMetadata(Limits{})
		if err != nil || !reflect.DeepEqual(m, everything) {
			t.Errorf("%+v, %v", m, err)
		}
	}
	for _, tt := range []struct {
		text string
		want Metadata
	}{
		{"", Metadata{}},
		{"content-TYPE:a/b", Metadata{ContentType: "a/b"}},
		{"Content-Type: a\r\n  b\n\tc\r\n\r\n\x00", Metadata{ContentType: "a b c"}},
		{"Fcast-CID-Complete: 0\n", Metadata{}},
	} {
		m, err := (&Header{Metadata: []byte(tt.text)}).ParseMetadata(Limits{})
		if err != nil || !reflect.DeepEqual(m, tt.want) {
			t.Errorf("%q: %+v, %v", tt.text, m, err)
		}
	}
	for _, text := range []string{
		"no colon", ": x", " a: b", "\xff: a", "Content-Length: -1", "Content-Length: 1\nContent-length: 1", "Content-Length: 18446744073709551616",
		"Fcast-Obj-Digest-SHA1: AAAA", "Fcast-Obj-Digest-SHA256: *", "Fcast-CID-Complete: 2", "Fcast-CID-ID: x",
		"Fcast-Obj-Slice-Nb: 2\nFcast-Obj-Slice-Idx: 2", "Fcast-Obj-Slice-Offset: 2", strings.Repeat("a:b\n", 65),
	} {
		if m, err := (&Header{Metadata: []byte(text)}).ParseMetadata(Limits{}); !errors.Is(err, ErrMetadata) {
			t.Errorf("%.40q: %+v, %v", text, m, err)
		}
	}
	for _, h := range []Header{{Format: 1}, {Encoding: 2}} {
		if _, err := h.ParseMetadata(Limits{}); !errors.Is(err, ErrFormat) {
			t.Errorf("%+v: %v", h, err)
		}
	}
	bomb := GZIP(nil, make([]byte, 10<<20))
	for _, b := range [][]byte{bomb, []byte("hello"), bomb[:20]} {
		if _, err := (&Header{Encoding: EncodingGZIP, Metadata: b}).ParseMetadata(Limits{}); !errors.Is(err, ErrInflate) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
	// What a bomb costs is bounded too.
	var was, is runtime.MemStats
	runtime.ReadMemStats(&was)
	_, _ = (&Header{Encoding: EncodingGZIP, Metadata: bomb}).ParseMetadata(Limits{})
	runtime.ReadMemStats(&is)
	if n := is.TotalAlloc - was.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated for a bomb", n)
	}
	for _, m := range []Metadata{
		{ContentType: "a\r\nFcast-CID-ID: 1"}, {ContentLocation: "\xff"}, {Other: []Field{{"", "x"}}}, {Other: []Field{{"a b", "x"}}}, {Slice: Slice{Index: 1, Count: 1}},
	} {
		if b, err := m.Append([]byte{1}); !errors.Is(err, ErrMetadata) || len(b) != 1 {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

func one(n uint64) Interval         { return Interval{lct.TOI{Lo: n}, lct.TOI{Lo: n}} }
func interval(a, b uint64) Interval { return Interval{lct.TOI{Lo: a}, lct.TOI{Lo: b}} }
func equivalence(a, b, i uint64) Equivalence {
	return Equivalence{lct.TOI{Lo: a}, lct.TOI{Lo: b}, i}
}

// The examples of RFC 6968 section 2.2, and more.
func TestList(t *testing.T) {
	eq := []Equivalence{equivalence(100, 10, 2), equivalence(101, 11, 2), equivalence(102, 12, 2), equivalence(103, 13, 2), equivalence(104, 14, 2)}
	for _, tt := range []struct {
		text string
		want List
	}{
		{"", List{}},
		{"1,2,4-6", List{Objects: []Interval{one(1), one(2), interval(4, 6)}}},
		{"97,98,99,(100=10/2),(101=11/2),(102=12/2),(103=13/2),(104=14/2)", List{Objects: []Interval{one(97), one(98), one(99)}, Equivalences: eq}},
		{"97-104,(100=10/2),(101=11/2),(102=12/2),(103=13/2),(104=14/2)", List{Objects: []Interval{interval(97, 104)}, Equivalences: eq}},
		{"65530-65535,0-3", List{Objects: []Interval{interval(65530, 65535), interval(0, 3)}}},
		{"(5=1/0)", List{Equivalences: []Equivalence{equivalence(5, 1, 0)}}},
		{"5192296858534827628530496329220095", List{Objects: []Interval{{lct.MaxTOI, lct.MaxTOI}}}},
	} {
		got, err := ParseList([]byte(tt.text), Limits{})
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v", tt.text, got, err)
		}
		if b, err := got.Append([]byte("x")); err != nil || string(b) != "x"+tt.text {
			t.Errorf("%s: %s, %v", tt.text, b, err)
		}
	}
	l, err := ParseList([]byte(" 1, 3 - 4\x00"), Limits{})
	if err == nil { // spaces around items only
		t.Errorf("%+v", l)
	}
	if l, err = ParseList([]byte(" 97-99, (104=10/2)\r\n\x00"), Limits{}); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[uint64]bool{96: false, 97: true, 98: true, 99: true, 100: false, 104: true, 10: false} {
		if l.Contains(lct.TOI{Lo: n}) != want {
			t.Errorf("Contains(%d) is not %v", n, want)
		}
	}
	if e, ok := l.Equivalent(lct.TOI{Lo: 104}); !ok || e != equivalence(104, 10, 2) {
		t.Errorf("%+v, %v", e, ok)
	}
	for _, s := range []string{"a", "1,", ",1", "1,,2", "2-1", "1-1", "1-", "-1", "(1=2)", "(1=2/3", "1=2/3", "()", "(1=2/x)", "(1=2/3)4", "1-2-3", strings.Repeat("1,", 1<<15) + "1"} {
		if l, err := ParseList([]byte(s), Limits{}); !errors.Is(err, ErrList) || l.Objects != nil {
			t.Errorf("%.40q: %v", s, err)
		}
	}
	if _, err := ParseList(make([]byte, 2<<20), Limits{}); !errors.Is(err, ErrList) {
		t.Errorf("2 MiB: %v", err)
	}
	if b, err := (&List{Objects: []Interval{interval(2, 1)}}).Append([]byte{1}); !errors.Is(err, ErrList) || len(b) != 1 {
		t.Errorf("from 2 to 1: %v", err)
	}
}

func TestCID(t *testing.T) {
	for _, c := range []CID{
		{Complete: true},
		{Instance: 3, HasInstance: true, List: List{Objects: []Interval{one(1), interval(5, 1000)}, Equivalences: []Equivalence{equivalence(1001, 2, 1)}}},
	} {
		for _, compress := range []bool{false, true} {
			b, err := c.Append(nil, compress)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseCID(b, Limits{})
			if err != nil || !reflect.DeepEqual(got, c) {
				t.Errorf("%+v, %v; want %+v", got, err, c)
			}
			for n := range b {
				if _, err := ParseCID(b[:n:n], Limits{}); err == nil {
					t.Errorf("%d of %d bytes were taken", n, len(b))
				}
			}
			for i := 8; i < len(b); i++ {
				b[i] ^= 4
				if _, err := ParseCID(b, Limits{}); !errors.Is(err, ErrChecksum) {
					t.Errorf("byte %d is wrong: %v", i, err)
				}
				b[i] ^= 4
			}
		}
	}
	b, err := (&Header{}).Append(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseCID(b, Limits{}); !errors.Is(err, ErrFormat) {
		t.Errorf("no CID: %v", err)
	}
	m := Metadata{ContentEncoding: "zstd"}
	if _, err := m.ParseCID([]byte("1"), Limits{}); !errors.Is(err, ErrFormat) {
		t.Errorf("zstd: %v", err)
	}
	m = Metadata{ContentEncoding: "gzip"}
	if _, err := m.ParseCID(GZIP(nil, bytes.Repeat([]byte("1,"), 2<<20)), Limits{}); !errors.Is(err, ErrInflate) {
		t.Errorf("a bomb: %v", err)
	}
	m = Metadata{ContentLength: 5, HasContentLength: true}
	if _, err := m.ParseCID([]byte("1"), Limits{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short: %v", err)
	}
}

// A Reader gives the same data whatever the pieces are.
func TestReader(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		data := make([]byte, r.IntN(50))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		h := Header{Metadata: []byte(strings.Repeat("a:b\n", r.IntN(3)) + strings.Repeat("\n", r.IntN(4)))}
		var object []byte
		var err error
		global := r.IntN(2) == 0
		if global {
			var sum Sum
			for rest := data; len(rest) > 0; {
				n := 1 + r.IntN(len(rest))
				sum.Add(rest[:n])
				rest = rest[n:]
			}
			object, err = h.AppendGlobal(nil, len(data) > 0, sum)
		} else {
			object, err = h.Append(nil, len(data) > 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		object = append(object, data...)
		if g, err := ParseHeader(object, Limits{}); err != nil || g.Verify(object) != nil {
			t.Fatalf("%v, %v", err, g.Verify(object))
		}
		read := func(object []byte) ([]byte, *Reader, error) {
			p := NewReader(int64(len(object)), Limits{})
			var got []byte
			for rest := object; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(8))
				d, err := p.Next(rest[:n])
				got = append(got, d...)
				if err != nil {
					return got, p, err
				}
				rest = rest[n:]
			}
			return got, p, nil
		}
		got, p, err := read(object)
		if err != nil || !p.Done() || !bytes.Equal(got, data) {
			t.Fatalf("%x gives %x, %v; want %x", object, got, err, data)
		}
		if g, ok := p.Header(); !ok || !bytes.Equal(g.Metadata, h.Metadata) {
			t.Fatalf("%+v, %v", g, ok)
		}
		if _, err := p.Next([]byte{0}); !errors.Is(err, ErrHeaderLen) {
			t.Fatalf("a byte behind the end: %v", err)
		}
		if global && len(data) > 0 {
			object[len(object)-1] ^= 1
			if _, p, err := read(object); !errors.Is(err, ErrChecksum) || p.Done() {
				t.Fatalf("a wrong byte: %v", err)
			}
		}
		if cut := r.IntN(len(h.Metadata) + 8); cut > 0 {
			if _, _, err := read(object[:cut]); err == nil {
				t.Fatalf("%d bytes were taken", cut)
			}
		}
	}
}

func TestReaderAllocs(t *testing.T) {
	object, err := (&Header{}).Append(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	p := NewReader(1<<40, Limits{})
	if _, err := p.Next(object); err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 1400)
	if n := testing.AllocsPerRun(100, func() {
		if d, err := p.Next(piece); err != nil || len(d) != len(piece) {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
