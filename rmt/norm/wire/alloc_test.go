package wire

import (
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// Parsing and appending allocate nothing, nor does walking what was parsed.
func TestAllocs(t *testing.T) {
	buf := make([]byte, 0, 2048)
	for _, tt := range messages {
		k, b := kindNamed(tt.kind), unhex(tt.bytes)
		m := k.new()
		check(t, "parse "+tt.name, func() {
			if k.parse(tt.codec, b, m) != nil {
				t.Fatal(tt.name)
			}
		})
		check(t, "append "+tt.name, func() {
			if _, err := k.append(tt.codec, buf, m); err != nil {
				t.Fatal(err)
			}
		})
	}

	var data Data
	packet := unhex(messages[0].bytes)
	check(t, "ParseData", func() { _ = Codec{}.ParseData(packet, &data) })
	check(t, "AppendData", func() { _, _ = Codec{}.AppendData(buf, &data) })
	check(t, "AppendDataHeader", func() { _, _ = Codec{}.AppendDataHeader(buf, &data) })
	check(t, "ParseHeader and ParseCmdType", func() {
		_, _ = ParseHeader(packet)
		_, _ = ParseHeader(packet)
	})

	nack := nackPacket()
	n := 0
	check(t, "ParseNack and All", func() {
		var m Nack
		_ = Codec{}.ParseNack(nack, &m)
		for q := range m.Requests.All() {
			n += int(q.First.ID.ESI)
		}
	})
	check(t, "ParseNack and Iter", func() {
		var m Nack
		_ = Codec{}.ParseNack(nack, &m)
		it := m.Requests.Iter()
		for q, ok := it.Next(); ok; q, ok = it.Next() {
			n += int(q.First.ID.ESI)
		}
		if it.Err() != nil {
			t.Fatal(it.Err())
		}
	})
	var cc CCNodeList
	cc = cc.Append(CCNode{Node: 1}).Append(CCNode{Node: 2})
	check(t, "CCNodeList.All", func() {
		for node := range cc.All() {
			n += int(node.Node)
		}
	})
	check(t, "RequestBuilder", func() {
		var m Nack
		out, _ := Codec{}.AppendNackHeader(buf, &m)
		var b RequestBuilder
		b.Reset(out, 1400, Codec{})
		for i := range uint32(10) {
			b.Add(NackSegment, item5(1, i, 3), item5(1, i, 9))
		}
		n += len(b.Bytes())
	})
	if n == 0 {
		t.Error("nothing was read")
	}
}

func check(t *testing.T, name string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, f); n != 0 {
		t.Errorf("%s: %v allocations", name, n)
	}
}

// nackPacket is a NACK of 1400 bytes or so: 80 ranges.
func nackPacket() []byte {
	b, _ := Codec{}.AppendNackHeader(nil, &Nack{Feedback: Feedback{Source: 11, HasCC: true}})
	var r RequestBuilder
	r.Reset(b, 1400, Codec{})
	for i := range uint32(80) {
		r.Add(NackSegment, item5(1, i, 3), item5(1, i, 9))
	}
	return r.Bytes()
}

func dataMessage() Data {
	return Data{
		Sender: sender, Flags: FlagInfo, FEC: 5, ID: fec.PayloadID{SBN: 3, ESI: 4},
		HasFTI: true, FTI: rs8OTI, Payload: make([]byte, 1400),
	}
}

func BenchmarkParseData(b *testing.B) {
	m := dataMessage()
	packet, _ := m.MarshalBinary()
	b.ReportAllocs()
	for b.Loop() {
		_ = Codec{}.ParseData(packet, &m)
	}
}

func BenchmarkAppendData(b *testing.B) {
	m := dataMessage()
	buf := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Codec{}.AppendData(buf, &m)
	}
}

func BenchmarkAppendDataHeader(b *testing.B) {
	m := dataMessage()
	buf := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Codec{}.AppendDataHeader(buf, &m)
	}
}

func BenchmarkNackRequests(b *testing.B) {
	packet := nackPacket()
	var m Nack
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		_ = Codec{}.ParseNack(packet, &m)
		for q := range m.Requests.All() {
			n += int(q.Last.ID.ESI)
		}
	}
}
