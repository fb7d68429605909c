package wire

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

func item129(o TransportID, sbn, esi uint32) Item {
	return Item{FEC: 129, Object: o, ID: fec.PayloadID{SBN: sbn, SourceBlockLen: 32, ESI: esi}}
}

func item5(o TransportID, sbn, esi uint32) Item {
	return Item{FEC: 5, Object: o, ID: fec.PayloadID{SBN: sbn, ESI: esi}}
}

type addition struct {
	flags       NackFlags
	first, last Item
}

func one(flags NackFlags, it Item) addition { return addition{flags, it, it} }

var requests = []struct {
	name  string
	codec Codec
	add   []addition
	bytes string
	want  []Request
}{
	{
		name: "RFC 5740 section 4.3.1, example 1",
		add: []addition{
			one(NackSegment, item129(12, 3, 2)), one(NackSegment, item129(12, 3, 5)), one(NackSegment, item129(12, 3, 8)),
		},
		bytes: `01 01 0024
			81 00 000c 00000003 0020 0002 | 81 00 000c 00000003 0020 0005 | 81 00 000c 00000003 0020 0008`,
		want: []Request{
			{Items, NackSegment, item129(12, 3, 2), item129(12, 3, 2)},
			{Items, NackSegment, item129(12, 3, 5), item129(12, 3, 5)},
			{Items, NackSegment, item129(12, 3, 8), item129(12, 3, 8)},
		},
	},
	{
		name: "RFC 5740 section 4.3.1, example 2",
		add: []addition{
			{NackSegment, item129(18, 6, 5), item129(18, 6, 10)},
			one(NackSegment|NackInfo, item129(19, 1, 3)),
		},
		bytes: `02 01 0018 | 81 00 0012 00000006 0020 0005 | 81 00 0012 00000006 0020 000a
			01 05 000c | 81 00 0013 00000001 0020 0003`,
		want: []Request{
			{Ranges, NackSegment, item129(18, 6, 5), item129(18, 6, 10)},
			{Items, NackSegment | NackInfo, item129(19, 1, 3), item129(19, 1, 3)},
		},
	},
	{
		name: "two are items, three a range, at every level",
		add: []addition{
			{NackSegment, item5(1, 2, 7), item5(1, 2, 8)},
			{NackSegment, item5(1, 2, 7), item5(1, 2, 9)},
			{NackBlock, item5(1, 2, 0), item5(1, 3, 0)},
			{NackBlock, item5(1, 2, 0), item5(1, 4, 0)},
			{NackObject, item5(0xffff, 0, 0), item5(0, 0, 0)},
			{NackInfo, item5(0xffff, 0, 0), item5(1, 0, 0)},
			{NackBlock, item5(1, 9, 3), item5(1, 9, 5)}, // one block
		},
		bytes: `01 01 0010 | 05 00 0001 000002 07 | 05 00 0001 000002 08
			02 01 0010 | 05 00 0001 000002 07 | 05 00 0001 000002 09
			01 02 0010 | 05 00 0001 000002 00 | 05 00 0001 000003 00
			02 02 0010 | 05 00 0001 000002 00 | 05 00 0001 000004 00
			01 08 0010 | 05 00 ffff 000000 00 | 05 00 0000 000000 00
			02 04 0010 | 05 00 ffff 000000 00 | 05 00 0001 000000 00
			01 02 0008 | 05 00 0001 000009 03`,
		want: []Request{
			{Items, NackSegment, item5(1, 2, 7), item5(1, 2, 7)},
			{Items, NackSegment, item5(1, 2, 8), item5(1, 2, 8)},
			{Ranges, NackSegment, item5(1, 2, 7), item5(1, 2, 9)},
			{Items, NackBlock, item5(1, 2, 0), item5(1, 2, 0)},
			{Items, NackBlock, item5(1, 3, 0), item5(1, 3, 0)},
			{Ranges, NackBlock, item5(1, 2, 0), item5(1, 4, 0)},
			{Items, NackObject, item5(0xffff, 0, 0), item5(0xffff, 0, 0)},
			{Items, NackObject, item5(0, 0, 0), item5(0, 0, 0)},
			{Ranges, NackInfo, item5(0xffff, 0, 0), item5(1, 0, 0)},
			{Items, NackBlock, item5(1, 9, 3), item5(1, 9, 3)},
		},
	},
	{
		name: "ranges over a border, and backwards, stay ranges",
		add: []addition{
			{NackSegment, item5(1, 2, 63), item5(1, 3, 0)},
			{NackSegment, item5(1, 2, 9), item5(1, 2, 8)},
			{NackBlock, item5(1, 9, 0), item5(1, 8, 0)},
			{NackBlock, item5(1, 0xffffff, 0), item5(2, 0, 0)},
			{NackBlock, item5(1, 0, 0), item5(1, 0xffffff, 0)},
		},
		bytes: `02 01 0020 | 05 00 0001 000002 3f | 05 00 0001 000003 00 | 05 00 0001 000002 09 | 05 00 0001 000002 08
			02 02 0030 | 05 00 0001 000009 00 | 05 00 0001 000008 00
			05 00 0001 ffffff 00 | 05 00 0002 000000 00 | 05 00 0001 000000 00 | 05 00 0001 ffffff 00`,
		want: []Request{
			{Ranges, NackSegment, item5(1, 2, 63), item5(1, 3, 0)},
			{Ranges, NackSegment, item5(1, 2, 9), item5(1, 2, 8)},
			{Ranges, NackBlock, item5(1, 9, 0), item5(1, 8, 0)},
			{Ranges, NackBlock, item5(1, 0xffffff, 0), item5(2, 0, 0)},
			{Ranges, NackBlock, item5(1, 0, 0), item5(1, 0xffffff, 0)},
		},
	},
	{
		name: "over GF(2^16)", codec: Codec{M: 16},
		add:   []addition{one(NackSegment, Item{FEC: 2, Object: 1, ID: fec.PayloadID{SBN: 0x0102, ESI: 0x0304}})},
		bytes: `01 01 0008 | 02 00 0001 0102 0304`,
		want: []Request{{
			Items, NackSegment,
			Item{FEC: 2, Object: 1, ID: fec.PayloadID{SBN: 0x0102, ESI: 0x0304}},
			Item{FEC: 2, Object: 1, ID: fec.PayloadID{SBN: 0x0102, ESI: 0x0304}},
		}},
	},
}

func TestRequests(t *testing.T) {
	for _, tt := range requests {
		t.Run(tt.name, func(t *testing.T) {
			want := unhex(tt.bytes)
			var b RequestBuilder
			b.Reset([]byte("header"), len(want), tt.codec)
			for _, a := range tt.add {
				if !b.Add(a.flags, a.first, a.last) {
					t.Fatalf("no room for %+v after %d bytes", a, b.Len())
				}
			}
			if !bytes.Equal(b.Bytes()[6:], want) || !bytes.Equal(b.Requests().Bytes(), want) {
				t.Errorf("built\n got %x\nwant %x", b.Bytes()[6:], want)
			}
			if string(b.Bytes()[:6]) != "header" || b.Len() != len(want) {
				t.Errorf("%d bytes behind %q", b.Len(), b.Bytes()[:6])
			}
			r := tt.codec.Requests(want)
			if got := slices.Collect(r.All()); !slices.Equal(got, tt.want) {
				t.Errorf("parsed\n got %+v\nwant %+v", got, tt.want)
			}
			if err := r.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The forms and lengths that the builder never writes.
func TestRequestsParse(t *testing.T) {
	it := item5(7, 3, 0x36)
	q := Request{Items, NackSegment, it, it}
	const good = `01 01 0008 | 05 00 0007 000003 36 |`
	for _, tt := range []struct {
		name  string
		bytes string
		want  []Request
		err   error
	}{
		{"nothing", ``, nil, nil},
		{"no items", `01 01 0000`, nil, nil},
		{"no items before some", `01 02 0000 | 02 01 0000 |` + good, []Request{q}, nil},
		{"an erasure count", `03 01 0008 | 05 00 0007 000003 36`, []Request{{Erasures, NackSegment, it, it}}, nil},
		{"an unknown form is skipped", `04 01 0003 | 010203 |` + good, []Request{q}, nil},
		{"unknown flags stay", `01 f1 0008 | 05 00 0007 000003 36`, []Request{{Items, 0xf1, it, it}}, nil},
		{"a reserved byte", `01 01 0008 | 05 ff 0007 000003 36`, []Request{q}, nil},
		{"two schemes in one request", `01 01 0014 | 05 00 0007 000003 36 | 81 00 000c 00000003 0020 0002`,
			[]Request{q, {Items, NackSegment, item129(12, 3, 2), item129(12, 3, 2)}}, nil},
		{"part of a header", good + `01 01 00`, []Request{q}, errTruncated},
		{"more items than bytes", good + `01 01 0010 | 05 00 0007 000003 36`, []Request{q}, errTruncated},
		{"an item and a half", `01 01 000c | 05 00 0007 000003 36 | 05 00 0007 |` + good, []Request{q}, ErrRequest},
		{"half a range", `02 01 0008 | 05 00 0007 000003 36 |` + good, nil, ErrRequest},
		{"an unknown scheme", good + `01 01 0008 | 06 00 0007 000003 36 |` + good, []Request{q}, fec.ErrUnknownScheme},
	} {
		r := Codec{}.Requests(unhex(tt.bytes))
		if got := slices.Collect(r.All()); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.name, got, tt.want)
		}
		if err := r.Err(); !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
		// An iterator that has stopped stays stopped.
		iter := r.Iter()
		for range 100 {
			iter.Next()
		}
		if _, ok := iter.Next(); ok || !errors.Is(iter.Err(), tt.err) {
			t.Errorf("%s: goes on after its end, %v", tt.name, iter.Err())
		}
	}
}

var errTruncated = func() error { _, err := ParseHeader(nil); return errors.Unwrap(err) }()

// Every prefix of good requests gives the first of them, and an error if it cuts
// one short.
func TestRequestsTruncation(t *testing.T) {
	for _, tt := range requests {
		full := unhex(tt.bytes)
		ends := map[int]bool{0: true} // where a request ends
		for i := 0; i < len(full); {
			i += 4 + int(full[i+2])<<8 + int(full[i+3])
			ends[i] = true
		}
		for n := range full {
			r := tt.codec.Requests(full[:n:n])
			got := slices.Collect(r.All())
			if len(got) > len(tt.want) || !slices.Equal(got, tt.want[:len(got)]) {
				t.Errorf("%s, %d bytes: %+v", tt.name, n, got)
			}
			if err := r.Err(); truncated(err) == ends[n] {
				t.Errorf("%s, %d bytes: %v", tt.name, n, err)
			}
		}
	}
}

func TestBuilderLimit(t *testing.T) {
	for _, tt := range requests {
		full := unhex(tt.bytes)
		for limit := range len(full) {
			var b RequestBuilder
			b.Reset(nil, limit, tt.codec)
			all := true
			for _, a := range tt.add {
				before := bytes.Clone(b.Bytes())
				if b.Add(a.flags, a.first, a.last) {
					continue
				}
				all = false
				if !bytes.Equal(b.Bytes(), before) {
					t.Fatalf("%s, limit %d: a refused request changed %x to %x", tt.name, limit, before, b.Bytes())
				}
				break
			}
			if all || b.Len() > limit {
				t.Fatalf("%s, limit %d: %d bytes %x", tt.name, limit, b.Len(), b.Bytes())
			}
			got := slices.Collect(b.Requests().All())
			if len(got) >= len(tt.want) || !slices.Equal(got, tt.want[:len(got)]) {
				t.Fatalf("%s, limit %d: %+v", tt.name, limit, got)
			}
			if err := b.Requests().Err(); err != nil {
				t.Fatalf("%s, limit %d: %v", tt.name, limit, err)
			}
		}
	}
}

func TestBuilderRefuses(t *testing.T) {
	var b RequestBuilder
	if b.Add(NackObject, item5(1, 0, 0), item5(1, 0, 0)) {
		t.Error("a builder that was never Reset has room")
	}
	b.Reset(nil, 1000, Codec{})
	for _, it := range []Item{{FEC: 6}, {FEC: 5, ID: fec.PayloadID{ESI: 256}}} {
		if b.Add(NackSegment, it, it) || b.Add(NackSegment, item5(0, 0, 0), it) || b.Len() != 0 {
			t.Errorf("wrote %+v", it)
		}
	}
}

// A request's length field holds 16 bits; a longer one is split.
func TestBuilderLongRequest(t *testing.T) {
	var b RequestBuilder
	b.Reset(nil, 1<<20, Codec{})
	const n = 10000
	for i := range n {
		if !b.Add(NackSegment, item5(1, uint32(i), 1), item5(1, uint32(i), 1)) {
			t.Fatal(i)
		}
	}
	i := 0
	for q := range b.Requests().All() {
		if q.First != item5(1, uint32(i), 1) {
			t.Fatalf("%d: %+v", i, q)
		}
		i++
	}
	if err := b.Requests().Err(); i != n || err != nil || b.Len() != n*8+2*4 {
		t.Errorf("%d of %d, %d bytes, %v", i, n, b.Len(), err)
	}
}

func TestFlushAck(t *testing.T) {
	for _, tt := range []struct {
		codec Codec
		ack   FlushAck
		bytes string
	}{
		{Codec{}, FlushAck{FEC: 5, Object: 7, ID: fec.PayloadID{SBN: 3, ESI: 0x36}}, `05 00 0007 000003 36`},
		{Codec{M: 16}, FlushAck{FEC: 2, Object: 7, ID: fec.PayloadID{SBN: 3, ESI: 0x136}}, `02 00 0007 0003 0136`},
		{Codec{}, FlushAck(item129(12, 3, 2)), `81 00 000c 00000003 0020 0002`},
	} {
		want := unhex(tt.bytes)
		b, err := tt.codec.AppendFlushAck(nil, &tt.ack)
		if err != nil || !bytes.Equal(b, want) {
			t.Errorf("%x, %v, want %x", b, err, want)
		}
		var got FlushAck
		for n := range want {
			if err := tt.codec.ParseFlushAck(want[:n], &got); !truncated(err) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		if err := tt.codec.ParseFlushAck(append(want, 1), &got); err != nil || got != tt.ack {
			t.Errorf("%+v, %v, want %+v", got, err, tt.ack)
		}
	}
	if _, err := (Codec{}).AppendFlushAck(nil, &FlushAck{FEC: 6}); !errors.Is(err, fec.ErrUnknownScheme) {
		t.Error(err)
	}
	if _, err := (Codec{}).AppendFlushAck(nil, &FlushAck{FEC: 5, ID: fec.PayloadID{ESI: 256}}); !errors.Is(err, ErrRange) {
		t.Error(err)
	}
	if err := (Codec{}).ParseFlushAck(unhex(`06 00 0007 00000336`), new(FlushAck)); !errors.Is(err, fec.ErrUnknownScheme) {
		t.Error(err)
	}
}

func TestLists(t *testing.T) {
	l := nodes(11, NodeAny, 12)
	if l.Len() != 3 || l.At(1) != NodeAny || !l.Contains(12) || l.Contains(13) || NodeList(nil).Contains(0) {
		t.Errorf("%x", l)
	}
	ids := TransportIDList(nil).Append(1).Append(0xffff)
	if ids.Len() != 2 || ids.At(1) != 0xffff || !ids.Contains(1) || ids.Contains(2) {
		t.Errorf("%x", ids)
	}
	want := []CCNode{{Node: 1, Flags: CCFlagCLR, RTT: 2, Rate: 3}, {Node: 4}}
	var cc CCNodeList
	for _, n := range want {
		cc = cc.Append(n)
	}
	if got := slices.Collect(cc.All()); !slices.Equal(got, want) || cc.Len() != 2 {
		t.Errorf("%+v", got)
	}
}
