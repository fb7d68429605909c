package wire

import (
	"bytes"
	"reflect"
	"testing"
)

// fuzzCodec makes one of all the Codecs there are from a byte.
func fuzzCodec(c byte) Codec {
	return Codec{FTI: FTIStyle(c % 3), M: [4]uint8{0, 8, 16, 7}[c/3%4]}
}

// roundTrip checks a message of kind k that parses from b: appended, it gives
// bytes that parse to the same message and give the same bytes again.
func roundTrip(t *testing.T, c Codec, k kind, b []byte) {
	t.Helper()
	in := bytes.Clone(b)
	m := k.new()
	if k.parse(c, in, m) != nil {
		return
	}
	out, err := k.append(c, nil, m)
	if err != nil {
		t.Fatalf("%s parses from %x and does not append: %v\n%+v", k.name, b, err, m)
	}
	if len(out) > len(b) {
		t.Fatalf("%s grew from %d to %d bytes", k.name, len(b), len(out))
	}
	again := k.new()
	if err := k.parse(c, out, again); err != nil {
		t.Fatalf("%s of its own: %v\n%x", k.name, err, out)
	}
	if !reflect.DeepEqual(m, again) {
		t.Fatalf("%s\nfirst %+v\n then %+v", k.name, m, again)
	}
	if out2, err := k.append(c, nil, again); err != nil || !bytes.Equal(out, out2) {
		t.Fatalf("%s\nfirst %x\n then %x, %v", k.name, out, out2, err)
	}
	if !bytes.Equal(in, b) {
		t.Fatalf("%s: the input was written to", k.name)
	}
	walk(t, c, m)
}

// walk reads everything in a message that is read lazily.
func walk(t *testing.T, c Codec, m any) {
	t.Helper()
	switch m := m.(type) {
	case *Nack:
		rebuild(t, c, m.Requests)
	case *RepairAdv:
		rebuild(t, c, m.Requests)
	case *Data:
		if h, data, err := ParseStreamHeader(m.Payload); err == nil && int(h.Len) != len(data) {
			t.Fatalf("%d bytes of data for %+v", len(data), h)
		}
	case *Ack:
		var f FlushAck
		if c.ParseFlushAck(m.Payload, &f) == nil {
			if _, err := c.AppendFlushAck(nil, &f); err != nil {
				t.Fatalf("%+v: %v", f, err)
			}
		}
	case *CC:
		for n := range m.Nodes.All() {
			_ = Rate(n.Rate) + GRTT(n.RTT).Seconds()
		}
	}
}

// rebuild checks that what is in requests comes back from a builder, and in no
// more bytes.
func rebuild(t *testing.T, c Codec, r Requests) {
	t.Helper()
	var want []Request
	for q := range r.All() {
		want = append(want, q)
	}
	if 8*len(want) > len(r.Bytes()) {
		t.Fatalf("%d requests in %d bytes", len(want), len(r.Bytes()))
	}
	var b RequestBuilder
	b.Reset(nil, 2*len(r.Bytes()), c)
	for _, q := range want {
		if q.Form != Erasures && !b.Add(q.Flags, q.First, q.Last) {
			t.Fatalf("builder refuses %+v", q)
		}
	}
	if err := b.Requests().Err(); err != nil {
		t.Fatal(err)
	}
}

func addSeeds(f *testing.F, name string) {
	for _, tt := range messages {
		if name != "" && tt.kind != name {
			continue
		}
		c := byte(tt.codec.FTI)
		if tt.codec.M == 16 {
			c += 6
		}
		f.Add(c, unhex(tt.bytes))
	}
}

func fuzzKind(f *testing.F, name string) {
	addSeeds(f, name)
	k := kindNamed(name)
	f.Fuzz(func(t *testing.T, c byte, b []byte) { roundTrip(t, fuzzCodec(c), k, b) })
}

func FuzzInfo(f *testing.F)        { fuzzKind(f, "INFO") }
func FuzzData(f *testing.F)        { fuzzKind(f, "DATA") }
func FuzzFlush(f *testing.F)       { fuzzKind(f, "CMD(FLUSH)") }
func FuzzEOT(f *testing.F)         { fuzzKind(f, "CMD(EOT)") }
func FuzzSquelch(f *testing.F)     { fuzzKind(f, "CMD(SQUELCH)") }
func FuzzCC(f *testing.F)          { fuzzKind(f, "CMD(CC)") }
func FuzzRepairAdv(f *testing.F)   { fuzzKind(f, "CMD(REPAIR_ADV)") }
func FuzzAckReq(f *testing.F)      { fuzzKind(f, "CMD(ACK_REQ)") }
func FuzzApplication(f *testing.F) { fuzzKind(f, "CMD(APPLICATION)") }
func FuzzNack(f *testing.F)        { fuzzKind(f, "NACK") }
func FuzzAck(f *testing.F)         { fuzzKind(f, "ACK") }
func FuzzReport(f *testing.F)      { fuzzKind(f, "REPORT") }

// FuzzMessage does what an engine does with a datagram.
func FuzzMessage(f *testing.F) {
	addSeeds(f, "")
	f.Fuzz(func(t *testing.T, c byte, b []byte) {
		k, err := dispatch(b)
		if err != nil {
			return
		}
		roundTrip(t, fuzzCodec(c), k, b)
		// No other kind takes it.
		for _, other := range kinds {
			if other.name != k.name && other.parse(fuzzCodec(c), b, other.new()) == nil {
				t.Fatalf("a %s is a %s as well", k.name, other.name)
			}
		}
	})
}

func FuzzRequests(f *testing.F) {
	for _, tt := range requests {
		f.Add(byte(0), unhex(tt.bytes))
	}
	f.Fuzz(func(t *testing.T, c byte, b []byte) {
		rebuild(t, fuzzCodec(c), fuzzCodec(c).Requests(b))
	})
}

// FuzzBuilder adds whatever there is to add, within any limit.
func FuzzBuilder(f *testing.F) {
	f.Add(byte(1), uint16(1), uint16(3), uint32(2), uint32(2), uint16(7), uint16(9), uint16(100))
	f.Fuzz(func(t *testing.T, flags byte, o1, o2 uint16, s1, s2 uint32, e1, e2, limit uint16) {
		first, last := item5(TransportID(o1), s1&0xffffff, uint32(e1&0xff)), item129(TransportID(o2), s2, uint32(e2))
		if flags&0x10 != 0 {
			last = item5(TransportID(o2), s2&0xffffff, uint32(e2&0xff))
		}
		// What does not count at the level of the flags does not come back.
		for _, it := range []*Item{&first, &last} {
			if NackFlags(flags)&NackSegment == 0 {
				it.ID.ESI, it.ID.SourceBlockLen = 0, 0
			}
			if NackFlags(flags)&(NackSegment|NackBlock) == 0 {
				it.ID.SBN = 0
			}
		}
		var b RequestBuilder
		b.Reset(nil, int(limit), Codec{})
		var want []Request
		for range 3 {
			if !b.Add(NackFlags(flags), first, last) {
				break
			}
			want = append(want, Request{Flags: NackFlags(flags), First: first, Last: last})
			first, last = last, first
		}
		if b.Len() > int(limit) {
			t.Fatalf("%d bytes, limit %d", b.Len(), limit)
		}
		r := b.Requests()
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		it := r.Iter()
		for _, w := range want {
			q, ok := it.Next()
			if ok && q.Form == Items && w.First != w.Last { // two items
				next, _ := it.Next()
				q.Last = next.First
			}
			if !ok || q.First != w.First || q.Last != w.Last || q.Flags != w.Flags {
				t.Fatalf("got %+v, want %+v", q, w)
			}
		}
		if _, ok := it.Next(); ok {
			t.Fatal("more than was added")
		}
	})
}
