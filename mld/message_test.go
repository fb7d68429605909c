package mld

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/internal/wire"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func addrs(ss ...string) (out []netip.Addr) {
	for _, s := range ss {
		out = append(out, addr(s))
	}
	return out
}

// The packets of all test messages are from and to these, wherever they belong.
var (
	from = addr("fe80::1")
	to   = addr("ff02::16")
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// sums writes the right checksum into a message.
func sums(b []byte) []byte { return seal(b, 0, from, to) }

// records makes a list of records.
func records(rr ...Record) (out Records) {
	for _, r := range rr {
		var err error
		if out, err = out.Append(r); err != nil {
			panic(err)
		}
	}
	return out
}

func sources(ss ...string) Sources {
	out, err := Sources(nil).Append(addrs(ss...)...)
	if err != nil {
		panic(err)
	}
	return out
}

// message is what all three types have in common.
type message interface {
	Append(b []byte, src, dst netip.Addr) ([]byte, error)
	Check(Envelope) Violations
}

// parse parses b as the kind of message that like is.
func parse(m Mode, src, dst netip.Addr, b []byte, like message) (message, error) {
	switch like.(type) {
	case *Query:
		var q Query
		return &q, m.ParseQuery(src, dst, b, &q)
	case *Membership:
		var r Membership
		return &r, m.ParseMembership(src, dst, b, &r)
	default:
		var r Report2
		return &r, m.ParseReport2(src, dst, b, &r)
	}
}

const (
	zero6 = "00000000000000000000000000000000"
	grp6  = "ff150000000000000000000000060001"
	src61 = "20010db8000000000000000000000001"
	src62 = "20010db8000000000000000000000002"
)

// vectors are messages. The first two sums are worked out by hand (RFC 1071), the
// others computed: that they are right, the captures show, and tshark.
var vectors = []struct {
	name  string
	bytes string
	msg   message
}{
	// fe80 + 1 + ff02 + 16 + length 18 + 3a + 8200 + 2710 = 2a6fb, 0xa6fd
	{"v1 general query", "82005902 27100000" + zero6, &Query{Version: 1, Code: 10000, Group: addr("::")}},
	// the same without the query, with length 8 and 8f00: 28cdb, 0x8cdd
	{"v2 report, empty", "8f007322 00000000", &Report2{}},
	{"v1 query of a group", "82000000 03e80000" + grp6, &Query{Version: 1, Code: 1000, Group: addr("ff15::6:1")}},
	{"v2 general query", "82000000 27100000" + zero6 + "027d0000", &Query{Version: 2, Code: 10000, Group: addr("::"), Robustness: 2, IntervalCode: 125}},
	{"v2 query of zeroes", "82000000 00000000" + zero6 + "00000000", &Query{Version: 2, Group: addr("::")}},
	{"v2 query of sources, S, additional", "82000000 8a000000" + grp6 + "0f9f0002" + src61 + src62 + "616263", &Query{
		Version: 2, Code: 0x8a00, Group: addr("ff15::6:1"), Suppress: true, Robustness: 7, IntervalCode: 0x9f,
		Sources: sources("2001:db8::1", "2001:db8::2"), Additional: []byte("abc"),
	}},
	{"v2 query with extensions", "82000000 27100000" + zero6 + "827d0000 00000000 00050002 0102", &Query{
		Version: 2, Code: 10000, Group: addr("::"), Robustness: 2, IntervalCode: 125,
		Extended: true, Additional: unhex("00000000 00050002 0102"),
	}},
	{"v1 report", "83000000 00000000" + grp6, &Membership{Type: TypeReport, Group: addr("ff15::6:1")}},
	{"done with more behind", "84000000 00000000" + grp6 + "0001", &Membership{Type: TypeDone, Group: addr("ff15::6:1"), Additional: []byte{0, 1}}},
	// Found by fuzzing: it parsed and did not append.
	{"done of a mapped address", "84000000 00000000 00000000000000000000ffff30303030", &Membership{Type: TypeDone, Group: addr("::ffff:48.48.48.48")}},
	{"v2 report, ALLOW", "8f000000 00000001 05000002" + grp6 + src61 + src62, &Report2{
		Records: records(Record{Type: AllowNewSources, Group: addr("ff15::6:1"), Sources: sources("2001:db8::1", "2001:db8::2")}),
	}},
	{"v2 report, all of it", "8f000000 8000 0003 01020001" + grp6 + src61 + "6162636465666768 02000000" + grp6 + "07000000" + grp6 + "00000000", &Report2{
		Records: records(
			Record{Type: ModeIsInclude, Group: addr("ff15::6:1"), Sources: sources("2001:db8::1"), Aux: []byte("abcdefgh")},
			Record{Type: ModeIsExclude, Group: addr("ff15::6:1")},
			Record{Type: 7, Group: addr("ff15::6:1")}),
		Extended: true, Additional: unhex("00000000"),
	}},
}

func init() {
	for i, v := range vectors[2:] {
		vectors[2+i].bytes = hex.EncodeToString(sums(unhex(v.bytes)))
	}
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		b := unhex(v.bytes)
		for _, mode := range []Mode{Strict, Lenient} {
			got, err := parse(mode, from, to, b, v.msg)
			if err != nil {
				t.Errorf("%s, %v: %v", v.name, mode, err)
			} else if !reflect.DeepEqual(got, v.msg) {
				t.Errorf("%s, %v:\n got %+v\nwant %+v", v.name, mode, got, v.msg)
			}
		}
		out, err := v.msg.Append([]byte("before"), from.WithZone("eth0"), to)
		if err != nil || !bytes.Equal(out, append([]byte("before"), b...)) {
			t.Errorf("%s: %x, %v\nwant %x", v.name, out, err, b)
		}
	}
}

// Cut short, a message is an error, or one of version 1, or the same without what is
// additional; the checksum is always that of what is left.
func TestTruncation(t *testing.T) {
	for _, v := range vectors {
		whole := unhex(v.bytes)
		for n := range whole {
			b := bytes.Clone(whole[:n])
			if n >= 4 {
				sums(b)
			}
			got, err := parse(Strict, from, to, b, v.msg)
			if err != nil {
				if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrLength) {
					t.Errorf("%s: %d bytes: %v", v.name, n, err)
				}
			} else {
				same := false
				switch got := got.(type) {
				case *Query:
					want := *v.msg.(*Query)
					same = n == 24 && got.Version == 1 || len(got.Additional) < len(want.Additional) && reflect.DeepEqual(got.Sources, want.Sources)
				case *Membership:
					same = len(got.Additional) < len(v.msg.(*Membership).Additional)
				case *Report2:
					same = len(got.Additional) < len(v.msg.(*Report2).Additional) && got.Records.Len() == v.msg.(*Report2).Records.Len()
				}
				if !same {
					t.Errorf("%s: %d bytes are %+v", v.name, n, got)
				}
			}
			// Lenient makes something of all that have the first fields.
			least := 24
			if _, ok := v.msg.(*Report2); ok {
				least = 8
			}
			if got, err := parse(Lenient, from, to, b, v.msg); n >= least && err != nil {
				t.Errorf("%s: %d bytes: %v, %+v", v.name, n, err, got)
			}
		}
	}
}

// Every single-bit error is caught, in the pseudo-header too, and what is only a
// wrong checksum can still be looked at.
func TestChecksum(t *testing.T) {
	for _, v := range vectors {
		for bit := range 8 * len(unhex(v.bytes)) {
			b := unhex(v.bytes)
			b[bit/8] ^= 1 << (bit % 8)
			for _, mode := range []Mode{Strict, Lenient} {
				if _, err := parse(mode, from, to, b, v.msg); err == nil {
					t.Errorf("%s, %v: bit %d wrong and accepted", v.name, mode, bit)
				}
			}
		}
		b := unhex(v.bytes)
		b[3] ^= 1
		if got, err := parse(Strict, from, to, b, v.msg); !errors.Is(err, ErrChecksum) || !reflect.DeepEqual(got, v.msg) {
			t.Errorf("%s: %v, %+v", v.name, err, got)
		}
		b[3] ^= 1
		for _, pair := range [][2]netip.Addr{{addr("fe80::2"), to}, {from, addr("ff02::1")}, {{}, to}, {from, addr("192.0.2.1")}} {
			if _, err := parse(Strict, pair[0], pair[1], b, v.msg); !errors.Is(err, ErrChecksum) {
				t.Errorf("%s from %v to %v: %v", v.name, pair[0], pair[1], err)
			}
		}
	}
}

// Queries are told apart by length (RFC 3810 section 8.1).
func TestQueryVersions(t *testing.T) {
	for n := 24; n < 32; n++ {
		b := make([]byte, n)
		b[0] = byte(TypeQuery)
		sums(b)
		var q Query
		err := Strict.ParseQuery(from, to, b, &q)
		want := uint8(2)
		if n < 28 {
			want = 1
		}
		if middle := n > 24 && n < 28; middle != errors.Is(err, ErrLength) || !middle && err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if err := Lenient.ParseQuery(from, to, b, &q); err != nil || q.Version != want || n < 28 && len(q.Additional) != n-24 {
			t.Errorf("%d bytes: %v, %+v", n, err, q)
		}
	}
}

// What a message held before is gone when another is parsed into it.
func TestReuse(t *testing.T) {
	var q Query
	var m Membership
	var r Report2
	for range 2 {
		for _, v := range vectors {
			var got message
			var err error
			switch b := unhex(v.bytes); v.msg.(type) {
			case *Query:
				got, err = &q, Strict.ParseQuery(from, to, b, &q)
			case *Membership:
				got, err = &m, Strict.ParseMembership(from, to, b, &m)
			default:
				got, err = &r, Strict.ParseReport2(from, to, b, &r)
			}
			if err != nil || !reflect.DeepEqual(got, v.msg) {
				t.Errorf("%s: %v, %+v", v.name, err, got)
			}
		}
	}
}

// A query that claims 9 sources and carries one and a half.
func TestMissingSources(t *testing.T) {
	b := sums(unhex("82000000 03e80000" + grp6 + "027d0009" + src61 + src62[:16]))
	var q Query
	if err := Strict.ParseQuery(from, to, b, &q); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if err := Lenient.ParseQuery(from, to, b, &q); err != nil || q.Sources.Len() != 1 || len(q.Additional) != 8 {
		t.Errorf("%v, %+v", err, q)
	}
}

// A report whose fourth record is not there.
func TestMissingRecords(t *testing.T) {
	b := unhex(vectors[len(vectors)-1].bytes)
	b[7] = 9
	sums(b)
	var r Report2
	if err := Strict.ParseReport2(from, to, b, &r); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if err := Lenient.ParseReport2(from, to, b, &r); err != nil || r.Records.Len() != 3 || len(r.Additional) != 4 {
		t.Errorf("%v, %+v", err, r)
	}
	for rec := range r.Records.All() {
		if string(rec.Aux) != "abcdefgh" {
			t.Errorf("%+v", rec)
		}
		break
	}
}

func TestWrongType(t *testing.T) {
	for _, v := range vectors {
		for _, like := range []message{&Query{}, &Membership{}, &Report2{}} {
			b := unhex(v.bytes)
			if reflect.TypeOf(like) == reflect.TypeOf(v.msg) || len(b) < 24 {
				continue
			}
			if _, err := parse(Lenient, from, to, b, like); !errors.Is(err, ErrType) {
				t.Errorf("%s as %T: %v", v.name, like, err)
			}
		}
	}
	var pe *ParseError
	err := Strict.ParseQuery(from, to, nil, &Query{})
	if !errors.As(err, &pe) || pe.Msg != "query" || err.Error() != "mld: query: length: unexpected EOF" {
		t.Error(err)
	}
	for typ, want := range map[Type]string{130: "query", 131: "v1 report", 132: "done", 143: "v2 report", 151: "router advertisement", 152: "router solicitation", 153: "router termination", 135: "type 135"} {
		if got, ok := TypeOf([]byte{byte(typ)}); !ok || got.String() != want {
			t.Errorf("%d is %v", typ, got)
		}
	}
	if _, ok := TypeOf(nil); ok {
		t.Error("nothing has a type")
	}
	if Strict.String() != "strict" || Lenient.String() != "lenient" {
		t.Error("modes")
	}
}

func TestAppendRefuses(t *testing.T) {
	four, g := addr("239.1.2.3"), addr("ff15::1")
	for name, tt := range map[string]struct {
		msg  message
		want error
	}{
		"no version":            {&Query{}, ErrVersion},
		"version 3":             {&Query{Version: 3}, ErrVersion},
		"v1 with sources":       {&Query{Version: 1, Sources: sources("2001:db8::1")}, ErrVersion},
		"v1 with S":             {&Query{Version: 1, Suppress: true}, ErrVersion},
		"v1 with QRV":           {&Query{Version: 1, Robustness: 2}, ErrVersion},
		"v1 with QQIC":          {&Query{Version: 1, IntervalCode: 2}, ErrVersion},
		"v1 with data":          {&Query{Version: 1, Additional: []byte{0}}, ErrVersion},
		"an IPv4 group":         {&Query{Version: 2, Group: four}, ErrAddress},
		"half a source":         {&Query{Version: 2, Sources: Sources{1, 2}}, ErrRange},
		"too many sources":      {&Query{Version: 2, Sources: make(Sources, 65536*16)}, ErrRange},
		"a query as report":     {&Membership{Type: TypeQuery, Group: g}, ErrType},
		"a report about IPv4":   {&Membership{Type: TypeReport, Group: four}, ErrAddress},
		"a report of no group":  {&Membership{Type: TypeReport}, ErrAddress},
		"a v2 report as v1 one": {&Membership{Type: TypeReport2, Group: g}, ErrType},
	} {
		if out, err := tt.msg.Append([]byte("x"), from, to); !errors.Is(err, tt.want) || string(out) != "x" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	for _, v := range vectors {
		for _, pair := range [][2]netip.Addr{{four, to}, {from, {}}, {from, addr("::ffff:239.1.2.3")}} {
			if out, err := v.msg.Append([]byte("x"), pair[0], pair[1]); !errors.Is(err, ErrAddress) || string(out) != "x" {
				t.Errorf("%s from %v to %v: %v", v.name, pair[0], pair[1], err)
			}
		}
	}
	for name, tt := range map[string]struct {
		rec  Record
		want error
	}{
		"group":   {Record{Group: four}, ErrAddress},
		"sources": {Record{Group: g, Sources: make(Sources, 65536*16)}, ErrRange},
		"odd":     {Record{Group: g, Sources: make(Sources, 15)}, ErrRange},
		"aux":     {Record{Group: g, Aux: make([]byte, 1024)}, ErrRange},
		"odd aux": {Record{Group: g, Aux: make([]byte, 3)}, ErrRange},
	} {
		if out, err := (Records{}).Append(tt.rec); !errors.Is(err, tt.want) || out.Len() != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (Records{n: 0xffff}).Append(Record{Group: g}); !errors.Is(err, ErrRange) {
		t.Error(err)
	}
	if s, err := sources("2001:db8::1").Append(addr("2001:db8::2"), four); !errors.Is(err, ErrAddress) || s.Len() != 1 {
		t.Error(s, err)
	}
	q := Query{Version: 2, Robustness: 8}
	if b, err := q.Append(nil, from, to); err != nil || b[24] != 0 {
		t.Errorf("%x, %v", b, err)
	}
}

func TestSources(t *testing.T) {
	s := sources("2001:db8::1", "2001:db8::2", "fe80::3%eth0")
	if s.Len() != 3 || s.At(1) != addr("2001:db8::2") || !s.Contains(addr("fe80::3")) || s.Contains(addr("fe80::4")) {
		t.Error(s)
	}
	for a := range s.All() {
		if a != addr("2001:db8::1") {
			t.Error(a)
		}
		break
	}
}

func TestExtensions(t *testing.T) {
	e, err := Extensions(nil).Append(ExtensionNoOp, nil)
	if err == nil {
		e, err = e.Append(5, []byte("abc"))
	}
	if err != nil || !e.Valid() {
		t.Fatal(e, err)
	}
	q := Query{Version: 2, Extended: true, Additional: e}
	b, _ := q.Append(nil, from, to)
	if err := Strict.ParseQuery(from, to, b, &q); err != nil {
		t.Fatal(err)
	}
	got, ok := q.Extensions()
	var s string
	for typ, value := range got.All() {
		s += string(rune('0'+typ)) + string(value)
	}
	if !ok || s != "05abc" {
		t.Errorf("%v %q", ok, s)
	}
	q.Extended = false
	if _, ok := q.Extensions(); ok {
		t.Error("extensions without the bit")
	}
	// With an octet behind they are ignored, and the message is good (RFC 9279
	// section 5).
	r := Report2{Extended: true, Additional: append(bytes.Clone(e), 0)}
	b, _ = r.Append(nil, from, to)
	if err := Strict.ParseReport2(from, to, b, &r); err != nil || !r.Extended || len(r.Additional) != len(e)+1 {
		t.Fatal(err, r)
	}
	if _, ok := r.Extensions(); ok {
		t.Error("extensions with an octet behind")
	}
	if got := r.Check(Envelope{RouterAlert: true}); got != BadExtensions {
		t.Error(got)
	}
	if _, err := e.Append(1, make([]byte, 65536)); !errors.Is(err, ErrRange) {
		t.Error(err)
	}
}

func TestPacket(t *testing.T) {
	m := unhex(vectors[0].bytes)
	b, err := AppendPacket([]byte("x"), from.WithZone("eth0"), to, m)
	if err != nil || len(b) != 1+HeaderLen+len(m) {
		t.Fatal(err)
	}
	e, got, err := ParsePacket(append(b[1:], 0, 0)) // padded
	want := Envelope{Src: from, Dst: to, HopLimit: 1, RouterAlert: true}
	if err != nil || e != want || !bytes.Equal(got, m) {
		t.Errorf("%+v %x %v", e, got, err)
	}
	for n := range len(b) - 1 {
		if _, _, err := ParsePacket(b[1 : 1+n]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := AppendPacket(nil, from, addr("224.0.0.1"), m); !errors.Is(err, ErrAddress) {
		t.Error(err)
	}
	if _, err := AppendPacket(nil, from, to, make([]byte, 65528)); !errors.Is(err, ErrRange) {
		t.Error(err)
	}
	b[1+40] = wire.ProtoUDP
	if _, _, err := ParsePacket(b[1:]); !errors.Is(err, ErrProtocol) {
		t.Error(err)
	}
}
