package igmp

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

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// sums writes the right checksum into a message.
func sums(b []byte) []byte { return seal(b, 0) }

// records makes a list of records from addresses.
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
	AppendBinary([]byte) ([]byte, error)
	Check(Envelope) Violations
}

// parse parses b as the kind of message that like is.
func parse(m Mode, b []byte, like message) (message, error) {
	switch like.(type) {
	case *Query:
		var q Query
		return &q, m.ParseQuery(b, &q)
	case *Membership:
		var r Membership
		return &r, m.ParseMembership(b, &r)
	default:
		var r Report3
		return &r, m.ParseReport3(b, &r)
	}
}

// vectors are messages with checksums worked out by hand (RFC 1071) or taken from
// the kernel.
var vectors = []struct {
	name  string
	bytes string
	msg   message
}{
	{"v1 query", "1100eeff 00000000", &Query{Version: 1, Group: addr("0.0.0.0")}},
	{"v2 general query", "1164ee9b 00000000", &Query{Version: 2, Code: 100, Group: addr("0.0.0.0")}},
	{"v2 query of a group", "110afdf0 ef010203", &Query{Version: 2, Code: 10, Group: addr("239.1.2.3")}},
	{"v3 general query", "1164ec1e 00000000 027d0000", &Query{Version: 3, Code: 100, Group: addr("0.0.0.0"), Robustness: 2, IntervalCode: 125}},
	// What it is all for: code 0 in 12 bytes is version 3, and so are QRV and QQIC 0.
	{"v3 query of zeroes", "1100eeff 00000000 00000000", &Query{Version: 3, Group: addr("0.0.0.0")}},
	{"v3 query of sources, S, additional", "110a67b3 ef010203 0f9f0002 c0000201 c0000202 616263", &Query{
		Version: 3, Code: 10, Group: addr("239.1.2.3"), Suppress: true, Robustness: 7, IntervalCode: 0x9f,
		Sources: sources("192.0.2.1", "192.0.2.2"), Additional: []byte("abc"),
	}},
	{"v3 query with extensions", "1164671c 00000000 827d0000 00000000 00050002 0102", &Query{
		Version: 3, Code: 100, Group: addr("0.0.0.0"), Robustness: 2, IntervalCode: 125,
		Extended: true, Additional: unhex("00000000 00050002 0102"),
	}},
	{"v1 report", "1200fcfa ef010203", &Membership{Type: TypeReport1, Group: addr("239.1.2.3")}},
	{"v2 report", "1600f8fa ef010203", &Membership{Type: TypeReport2, Group: addr("239.1.2.3")}},
	{"leave with more behind", "1700f7f6 ef010203 0001", &Membership{Type: TypeLeave, Group: addr("239.1.2.3"), Additional: []byte{0, 1}}},
	{"v3 report, empty", "2200ddff 00000000", &Report3{}},
	// From the kernel, igmpv3.pcap, first packet of 10.6.0.1.
	{"v3 report, ALLOW", "2200d9e2 00000001 05000002 e8060302 0a060002 0a060003", &Report3{
		Records: records(Record{Type: AllowNewSources, Group: addr("232.6.3.2"), Sources: sources("10.6.0.2", "10.6.0.3")}),
	}},
	{"v3 report, all of it", "2200 0000 8000 0003 01020001 ef010203 c0000201 6162636465666768 02000000 ef010204 07000000 ef010205 00000000", &Report3{
		Records: records(
			Record{Type: ModeIsInclude, Group: addr("239.1.2.3"), Sources: sources("192.0.2.1"), Aux: []byte("abcdefgh")},
			Record{Type: ModeIsExclude, Group: addr("239.1.2.4")},
			Record{Type: 7, Group: addr("239.1.2.5")}),
		Extended: true, Additional: unhex("00000000"),
	}},
}

func init() {
	// The sums of these are computed; the others stand as they are written.
	for i, v := range vectors {
		switch v.name {
		case "v3 query of sources, S, additional", "v3 query with extensions", "v3 report, all of it", "leave with more behind", "v3 general query":
			vectors[i].bytes = hex.EncodeToString(sums(unhex(v.bytes)))
		}
	}
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		b := unhex(v.bytes)
		for _, mode := range []Mode{Strict, Lenient} {
			got, err := parse(mode, b, v.msg)
			if err != nil {
				t.Errorf("%s, %v: %v", v.name, mode, err)
			} else if !reflect.DeepEqual(got, v.msg) {
				t.Errorf("%s, %v:\n got %+v\nwant %+v", v.name, mode, got, v.msg)
			}
		}
		out, err := v.msg.AppendBinary([]byte("before"))
		if err != nil || !bytes.Equal(out, append([]byte("before"), b...)) {
			t.Errorf("%s: %x, %v\nwant %x", v.name, out, err, b)
		}
		if m, ok := v.msg.(interface{ MarshalBinary() ([]byte, error) }); !ok {
			t.Errorf("%s has no MarshalBinary", v.name)
		} else if out, err := m.MarshalBinary(); err != nil || !bytes.Equal(out, b) {
			t.Errorf("%s: %x, %v", v.name, out, err)
		}
	}
}

// Cut short, a message is an error, or one of an older version, or the same without
// what is additional; the checksum is always that of what is left.
func TestTruncation(t *testing.T) {
	for _, v := range vectors {
		whole := unhex(v.bytes)
		for n := range whole {
			b := bytes.Clone(whole[:n])
			if n >= 4 {
				sums(b)
			}
			got, err := parse(Strict, b, v.msg)
			if err != nil {
				if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrLength) {
					t.Errorf("%s: %d bytes: %v", v.name, n, err)
				}
			} else {
				same := false
				switch got := got.(type) {
				case *Query:
					want := *v.msg.(*Query)
					same = n == 8 && got.Version <= 2 || len(got.Additional) < len(want.Additional) && reflect.DeepEqual(got.Sources, want.Sources)
				case *Membership:
					same = len(got.Additional) < len(v.msg.(*Membership).Additional)
				case *Report3:
					same = len(got.Additional) < len(v.msg.(*Report3).Additional) && got.Records.Len() == v.msg.(*Report3).Records.Len()
				}
				if !same {
					t.Errorf("%s: %d bytes are %+v", v.name, n, got)
				}
			}
			// Lenient makes something of all that have 8 bytes.
			if got, err := parse(Lenient, b, v.msg); n >= 8 && err != nil {
				t.Errorf("%s: %d bytes: %v, %+v", v.name, n, err, got)
			}
		}
	}
}

// Every single-bit error is caught by the checksum, if not by something else, and
// what is only that can still be looked at.
func TestChecksum(t *testing.T) {
	for _, v := range vectors {
		for bit := range 8 * len(unhex(v.bytes)) {
			b := unhex(v.bytes)
			b[bit/8] ^= 1 << (bit % 8)
			for _, mode := range []Mode{Strict, Lenient} {
				if _, err := parse(mode, b, v.msg); err == nil {
					t.Errorf("%s, %v: bit %d wrong and accepted", v.name, mode, bit)
				}
			}
			if _, err := ParseHeader(b); !errors.Is(err, ErrChecksum) {
				t.Errorf("%s: header: bit %d: %v", v.name, bit, err)
			}
		}
		b := unhex(v.bytes)
		b[3] ^= 1
		if got, err := parse(Strict, b, v.msg); !errors.Is(err, ErrChecksum) || !reflect.DeepEqual(got, v.msg) {
			t.Errorf("%s: %v, %+v", v.name, err, got)
		}
	}
}

// Queries are told apart by length, and code 0 in 8 bytes (RFC 3376 section 7.1).
func TestQueryVersions(t *testing.T) {
	for n := 8; n < 16; n++ {
		for _, code := range []byte{0, 1} {
			b := make([]byte, n)
			b[0], b[1] = byte(TypeQuery), code
			sums(b)
			var q Query
			err := Strict.ParseQuery(b, &q)
			want := uint8(3)
			if n < 12 {
				want = 1 + code
			}
			if middle := n > 8 && n < 12; middle != errors.Is(err, ErrLength) || !middle && err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
			if err := Lenient.ParseQuery(b, &q); err != nil || q.Version != want || n < 12 && len(q.Additional) != n-8 {
				t.Errorf("%d bytes, code %d: %v, %+v", n, code, err, q)
			}
		}
	}
}

// What a message held before is gone when another is parsed into it.
func TestReuse(t *testing.T) {
	var q Query
	var m Membership
	var r Report3
	for range 2 {
		for _, v := range vectors {
			var got message
			var err error
			switch b := unhex(v.bytes); v.msg.(type) {
			case *Query:
				got, err = &q, Strict.ParseQuery(b, &q)
			case *Membership:
				got, err = &m, Strict.ParseMembership(b, &m)
			default:
				got, err = &r, Strict.ParseReport3(b, &r)
			}
			if err != nil || !reflect.DeepEqual(got, v.msg) {
				t.Errorf("%s: %v, %+v", v.name, err, got)
			}
		}
	}
}

// A query that claims 9 sources and carries 2 and a half: some decoders take it.
func TestMissingSources(t *testing.T) {
	b := sums(unhex("110a0000 ef010203 02 7d 0009 c0000201 c0000202 c000"))
	var q Query
	if err := Strict.ParseQuery(b, &q); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if err := Lenient.ParseQuery(b, &q); err != nil || q.Sources.Len() != 2 || len(q.Additional) != 2 {
		t.Errorf("%v, %+v", err, q)
	}
}

// A report whose third record is not all there.
func TestMissingRecords(t *testing.T) {
	b := unhex(vectors[len(vectors)-1].bytes)
	b[7] = 9
	sums(b)
	var r Report3
	if err := Strict.ParseReport3(b, &r); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if err := Lenient.ParseReport3(b, &r); err != nil || r.Records.Len() != 3 || len(r.Additional) != 4 {
		t.Errorf("%v, %+v", err, r)
	}
	n := 0
	for rec := range r.Records.All() {
		n++
		if rec.Type == ModeIsInclude && string(rec.Aux) != "abcdefgh" {
			t.Errorf("%+v", rec)
		}
		if n == 2 {
			break
		}
	}
}

func TestWrongType(t *testing.T) {
	for _, v := range vectors {
		for _, like := range []message{&Query{}, &Membership{}, &Report3{}} {
			if reflect.TypeOf(like) == reflect.TypeOf(v.msg) {
				continue
			}
			if _, err := parse(Lenient, unhex(v.bytes), like); !errors.Is(err, ErrType) {
				t.Errorf("%s as %T: %v", v.name, like, err)
			}
		}
	}
	var pe *ParseError
	err := Strict.ParseQuery(nil, &Query{})
	if !errors.As(err, &pe) || pe.Msg != "query" || err.Error() != "igmp: query: length: unexpected EOF" {
		t.Error(err)
	}
}

// What cannot be told apart when it is read is not written.
func TestAppendRefuses(t *testing.T) {
	six := addr("ff02::1")
	for name, tt := range map[string]struct {
		msg  message
		want error
	}{
		"no version":            {&Query{}, ErrVersion},
		"version 4":             {&Query{Version: 4}, ErrVersion},
		"v1 with a code":        {&Query{Version: 1, Code: 1}, ErrVersion},
		"v2 without a code":     {&Query{Version: 2}, ErrVersion},
		"v2 with sources":       {&Query{Version: 2, Code: 1, Sources: sources("192.0.2.1")}, ErrVersion},
		"v2 with S":             {&Query{Version: 2, Code: 1, Suppress: true}, ErrVersion},
		"v2 with QRV":           {&Query{Version: 2, Code: 1, Robustness: 2}, ErrVersion},
		"v2 with QQIC":          {&Query{Version: 2, Code: 1, IntervalCode: 2}, ErrVersion},
		"v2 with data":          {&Query{Version: 2, Code: 1, Additional: []byte{0}}, ErrVersion},
		"an IPv6 group":         {&Query{Version: 3, Group: six}, ErrAddress},
		"half a source":         {&Query{Version: 3, Sources: Sources{1, 2}}, ErrRange},
		"too many sources":      {&Query{Version: 3, Sources: make(Sources, 65536*4)}, ErrRange},
		"a query as report":     {&Membership{Type: TypeQuery, Group: addr("239.1.1.1")}, ErrType},
		"a report about IPv6":   {&Membership{Type: TypeReport2, Group: six}, ErrAddress},
		"a report of no group":  {&Membership{Type: TypeReport2}, ErrAddress},
		"a v3 report as v2 one": {&Membership{Type: TypeReport3, Group: addr("239.1.1.1")}, ErrType},
	} {
		if out, err := tt.msg.AppendBinary([]byte("x")); !errors.Is(err, tt.want) || string(out) != "x" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	for name, tt := range map[string]struct {
		rec  Record
		want error
	}{
		"group":   {Record{Group: six}, ErrAddress},
		"sources": {Record{Group: addr("239.1.1.1"), Sources: make(Sources, 65536*4)}, ErrRange},
		"odd":     {Record{Group: addr("239.1.1.1"), Sources: make(Sources, 3)}, ErrRange},
		"aux":     {Record{Group: addr("239.1.1.1"), Aux: make([]byte, 1024)}, ErrRange},
		"odd aux": {Record{Group: addr("239.1.1.1"), Aux: make([]byte, 3)}, ErrRange},
	} {
		if out, err := (Records{}).Append(tt.rec); !errors.Is(err, tt.want) || out.Len() != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (Records{n: 0xffff}).Append(Record{Group: addr("239.1.1.1")}); !errors.Is(err, ErrRange) {
		t.Error(err)
	}
	if s, err := sources("192.0.2.1").Append(addr("192.0.2.2"), six); !errors.Is(err, ErrAddress) || s.Len() != 1 {
		t.Error(s, err)
	}
	// An IPv4 address in IPv6 clothes is one; robustness over 7 is sent as 0.
	q := Query{Version: 3, Group: addr("::ffff:239.1.2.3"), Robustness: 8}
	b, err := q.MarshalBinary()
	if err != nil || !bytes.Equal(b[4:9], []byte{239, 1, 2, 3, 0}) {
		t.Errorf("%x, %v", b, err)
	}
}

func TestSources(t *testing.T) {
	s := sources("192.0.2.1", "192.0.2.2", "192.0.2.3")
	if s.Len() != 3 || s.At(1) != addr("192.0.2.2") || !s.Contains(addr("192.0.2.3")) || s.Contains(addr("192.0.2.4")) {
		t.Error(s)
	}
	for a := range s.All() {
		if a != addr("192.0.2.1") {
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
	q := Query{Version: 3, Code: 1, Extended: true, Additional: e}
	b, _ := q.MarshalBinary()
	if err := Strict.ParseQuery(b, &q); err != nil {
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
	// Without the bit it is just data; with an octet behind it is ignored, and
	// the message is good (RFC 9279 section 5).
	q.Extended = false
	if _, ok := q.Extensions(); ok {
		t.Error("extensions without the bit")
	}
	r := Report3{Extended: true, Additional: append(bytes.Clone(e), 0)}
	b, _ = r.MarshalBinary()
	if err := Strict.ParseReport3(b, &r); err != nil || !r.Extended || len(r.Additional) != len(e)+1 {
		t.Fatal(err, r)
	}
	if _, ok := r.Extensions(); ok {
		t.Error("extensions with an octet behind")
	}
	if r.Check(Envelope{RouterAlert: true}) != BadExtensions {
		t.Error(r.Check(Envelope{RouterAlert: true}))
	}
	r.Additional = nil
	if _, ok := r.Extensions(); ok {
		t.Error("no extension at all")
	}
	if _, err := e.Append(1, make([]byte, 65536)); !errors.Is(err, ErrRange) {
		t.Error(err)
	}
}

func TestPacket(t *testing.T) {
	m := unhex(vectors[1].bytes)
	b, err := AppendPacket([]byte("x"), addr("10.6.0.254"), AllSystems, m)
	if err != nil || len(b) != 1+HeaderLen+len(m) {
		t.Fatal(err)
	}
	e, got, err := ParsePacket(append(b[1:], 0, 0)) // padded
	want := Envelope{Src: addr("10.6.0.254"), Dst: AllSystems, HopLimit: 1, RouterAlert: true}
	if err != nil || e != want || !bytes.Equal(got, m) {
		t.Errorf("%+v %x %v", e, got, err)
	}
	for n := range len(b) - 1 {
		if _, _, err := ParsePacket(b[1 : 1+n]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	b[1+8] = 2
	if e, got, err := ParsePacket(b[1:]); !errors.Is(err, ErrIPChecksum) || e.HopLimit != 2 || !bytes.Equal(got, m) {
		t.Error(e, got, err)
	}
	if _, err := AppendPacket(nil, addr("::1"), AllSystems, m); !errors.Is(err, ErrAddress) {
		t.Error(err)
	}
	if _, err := AppendPacket(nil, addr("10.6.0.1"), AllSystems, make([]byte, 65512)); !errors.Is(err, ErrRange) {
		t.Error(err)
	}
	udp := wire.AppendIPv4(nil, addr("10.6.0.1"), AllSystems, wire.ProtoUDP, 0)
	if _, _, err := ParsePacket(udp); !errors.Is(err, ErrProtocol) {
		t.Error(err)
	}
}
