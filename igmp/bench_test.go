package igmp

import (
	"net/netip"
	"testing"
)

func addrs(ss ...string) (out []netip.Addr) {
	for _, s := range ss {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// report22 is a report of two records with two sources, 32 bytes.
func report22() []byte {
	var r ReportBuilder
	r.Reset(nil, 1476)
	_, _ = r.Add(AllowNewSources, netip.MustParseAddr("232.1.2.3"), addrs("192.0.2.1"))
	_, _ = r.Add(BlockOldSources, netip.MustParseAddr("232.1.2.4"), addrs("192.0.2.2"))
	return r.Bytes()
}

func query3() []byte {
	q := Query{Version: 3, Code: 100, Robustness: 2, IntervalCode: 125}
	b, _ := q.MarshalBinary()
	return b
}

var sink int

// Parsing, reading, checking and appending allocate nothing.
func TestAllocs(t *testing.T) {
	buf := make([]byte, 0, 2048)
	none := func(name string, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	for _, v := range vectors {
		b := unhex(v.bytes)
		var q Query
		var m Membership
		var r Report3
		none("parse "+v.name, func() {
			switch v.msg.(type) {
			case *Query:
				if Strict.ParseQuery(b, &q) != nil {
					t.Fatal(v.name)
				}
				for s := range q.Sources.All() {
					sink += s.BitLen()
				}
				q.Check(Envelope{})
			case *Membership:
				if Strict.ParseMembership(b, &m) != nil {
					t.Fatal(v.name)
				}
				m.Check(Envelope{})
			default:
				if Strict.ParseReport3(b, &r) != nil {
					t.Fatal(v.name)
				}
				for rec := range r.Records.All() {
					for s := range rec.Sources.All() {
						sink += s.BitLen()
					}
				}
				r.Check(Envelope{})
			}
		})
		none("append "+v.name, func() {
			if _, err := v.msg.AppendBinary(buf); err != nil {
				t.Fatal(err)
			}
		})
	}
	packet, _ := AppendPacket(nil, addr("10.6.0.1"), AllSystems, report22())
	none("packet", func() {
		if _, _, err := ParsePacket(packet); err != nil {
			t.Fatal(err)
		}
		if _, err := AppendPacket(buf, AllSystems, AllSystems, packet[24:]); err != nil {
			t.Fatal(err)
		}
	})
	g, ss := addr("232.1.1.1"), addrs("192.0.2.1", "192.0.2.2")
	none("builder", func() {
		var r ReportBuilder
		r.Reset(buf, 1476)
		for range 10 {
			if _, err := r.Add(AllowNewSources, g, ss); err != nil {
				t.Fatal(err)
			}
		}
		sink += len(r.Bytes())
	})
}

// A report of 2 records and 2 sources, verified, and every address looked at.
func BenchmarkParseReport(b *testing.B) {
	packet := report22()
	if len(packet) != 32 {
		b.Fatal(len(packet))
	}
	var r Report3
	b.ReportAllocs()
	for b.Loop() {
		if err := Strict.ParseReport3(packet, &r); err != nil {
			b.Fatal(err)
		}
		for rec := range r.Records.All() {
			if rec.Group.IsValid() {
				sink++
			}
			for s := range rec.Sources.All() {
				if s.IsValid() {
					sink++
				}
			}
		}
	}
}

func BenchmarkParseQuery(b *testing.B) {
	packet := query3()
	var q Query
	b.ReportAllocs()
	for b.Loop() {
		if err := Strict.ParseQuery(packet, &q); err != nil {
			b.Fatal(err)
		}
		if q.General() {
			sink++
		}
	}
}

func BenchmarkAppendQuery(b *testing.B) {
	q := Query{Version: 3, Code: 100, Robustness: 2, IntervalCode: 125}
	buf := make([]byte, 0, 1500)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = q.AppendBinary(buf)
	}
}

func BenchmarkBuildReport(b *testing.B) {
	buf := make([]byte, 0, 1500)
	g1, g2 := netip.MustParseAddr("232.1.2.3"), netip.MustParseAddr("232.1.2.4")
	s1, s2 := addrs("192.0.2.1"), addrs("192.0.2.2")
	var r ReportBuilder
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(buf, 1476)
		_, _ = r.Add(AllowNewSources, g1, s1)
		_, _ = r.Add(BlockOldSources, g2, s2)
		sink += len(r.Bytes())
	}
}
