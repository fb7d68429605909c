package mld

import "testing"

// report22 is a report of two records with two sources, 80 bytes.
func report22() []byte {
	var r ReportBuilder
	r.Reset(nil, 1452)
	_, _ = r.Add(AllowNewSources, addr("ff35::1:2:3"), addrs("2001:db8::1"))
	_, _ = r.Add(BlockOldSources, addr("ff35::1:2:4"), addrs("2001:db8::2"))
	return r.Bytes(from, to)
}

func query2() []byte {
	q := Query{Version: 2, Code: 10000, Robustness: 2, IntervalCode: 125}
	b, _ := q.Append(nil, from, to)
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
		var r Report2
		none("parse "+v.name, func() {
			switch v.msg.(type) {
			case *Query:
				if Strict.ParseQuery(from, to, b, &q) != nil {
					t.Fatal(v.name)
				}
				for s := range q.Sources.All() {
					sink += s.BitLen()
				}
				q.Check(Envelope{})
			case *Membership:
				if Strict.ParseMembership(from, to, b, &m) != nil {
					t.Fatal(v.name)
				}
				m.Check(Envelope{})
			default:
				if Strict.ParseReport2(from, to, b, &r) != nil {
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
			if _, err := v.msg.Append(buf, from, to); err != nil {
				t.Fatal(err)
			}
		})
	}
	packet, _ := AppendPacket(nil, from, to, report22())
	none("packet", func() {
		if _, _, err := ParsePacket(packet); err != nil {
			t.Fatal(err)
		}
		if _, err := AppendPacket(buf, from, to, packet[48:]); err != nil {
			t.Fatal(err)
		}
	})
	g, ss := addr("ff35::1"), addrs("2001:db8::1", "2001:db8::2")
	none("builder", func() {
		var r ReportBuilder
		r.Reset(buf, 1452)
		for range 10 {
			if _, err := r.Add(AllowNewSources, g, ss); err != nil {
				t.Fatal(err)
			}
		}
		sink += len(r.Bytes(from, to))
	})
}

// A report of 2 records and 2 sources, verified, and every address looked at.
func BenchmarkParseReport(b *testing.B) {
	packet := report22()
	if len(packet) != 80 {
		b.Fatal(len(packet))
	}
	var r Report2
	b.ReportAllocs()
	for b.Loop() {
		if err := Strict.ParseReport2(from, to, packet, &r); err != nil {
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
	packet := query2()
	var q Query
	b.ReportAllocs()
	for b.Loop() {
		if err := Strict.ParseQuery(from, to, packet, &q); err != nil {
			b.Fatal(err)
		}
		if q.General() {
			sink++
		}
	}
}

func BenchmarkAppendQuery(b *testing.B) {
	q := Query{Version: 2, Code: 10000, Robustness: 2, IntervalCode: 125}
	buf := make([]byte, 0, 1500)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = q.Append(buf, from, to)
	}
}

func BenchmarkBuildReport(b *testing.B) {
	buf := make([]byte, 0, 1500)
	g1, g2 := addr("ff35::1:2:3"), addr("ff35::1:2:4")
	s1, s2 := addrs("2001:db8::1"), addrs("2001:db8::2")
	var r ReportBuilder
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(buf, 1452)
		_, _ = r.Add(AllowNewSources, g1, s1)
		_, _ = r.Add(BlockOldSources, g2, s2)
		sink += len(r.Bytes(from, to))
	}
}
