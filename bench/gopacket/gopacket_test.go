package gopacket

import (
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	gp "github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/gomulticast/multicast/igmp"
	"github.com/gomulticast/multicast/mld"
)

var (
	g4, s4 = netip.MustParseAddr("232.1.2.3"), []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	g6, s6 = netip.MustParseAddr("ff35::1:2:3"), []netip.Addr{netip.MustParseAddr("2001:db8::1")}
	src    = netip.MustParseAddr("fe80::1")
	dst    = netip.MustParseAddr("ff02::16")
	sink   int
)

// report is 2 records of 1 source each; query a General Query of version 3.
func messages4() (report, query []byte) {
	var r igmp.ReportBuilder
	r.Reset(nil, 1476)
	_, _ = r.Add(igmp.AllowNewSources, g4, s4)
	_, _ = r.Add(igmp.BlockOldSources, g4, s4)
	q := igmp.Query{Version: 3, Code: 100, Robustness: 2, IntervalCode: 125}
	query, _ = q.MarshalBinary()
	return r.Bytes(), query
}

func messages6() (report, query []byte) {
	var r mld.ReportBuilder
	r.Reset(nil, 1452)
	_, _ = r.Add(mld.AllowNewSources, g6, s6)
	_, _ = r.Add(mld.BlockOldSources, g6, s6)
	q := mld.Query{Version: 2, Code: 10000, Robustness: 2, IntervalCode: 125}
	query, _ = q.Append(nil, src, dst)
	return r.Bytes(src, dst), query
}

func BenchmarkIGMPReport(b *testing.B) {
	report, _ := messages4()
	b.Run("ours", func(b *testing.B) {
		var r igmp.Report3
		b.ReportAllocs()
		for b.Loop() {
			if err := igmp.Strict.ParseReport3(report, &r); err != nil {
				b.Fatal(err)
			}
			for rec := range r.Records.All() {
				for s := range rec.Sources.All() {
					sink += s.BitLen()
				}
			}
		}
	})
	b.Run("gopacket layer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var l layers.IGMP
			if err := l.DecodeFromBytes(report, gp.NilDecodeFeedback); err != nil {
				b.Fatal(err)
			}
			for _, rec := range l.GroupRecords {
				for _, s := range rec.SourceAddresses {
					sink += len(s)
				}
			}
		}
	})
	b.Run("gopacket NewPacket", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p := gp.NewPacket(report, layers.LayerTypeIGMP, gp.DecodeOptions{NoCopy: true})
			if p.ErrorLayer() != nil {
				b.Fatal(p.ErrorLayer())
			}
		}
	})
}

func BenchmarkIGMPQuery(b *testing.B) {
	_, query := messages4()
	b.Run("ours", func(b *testing.B) {
		var q igmp.Query
		b.ReportAllocs()
		for b.Loop() {
			if err := igmp.Strict.ParseQuery(query, &q); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gopacket layer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var l layers.IGMP
			if err := l.DecodeFromBytes(query, gp.NilDecodeFeedback); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMLDReport(b *testing.B) {
	report, _ := messages6()
	b.Run("ours", func(b *testing.B) {
		var r mld.Report2
		b.ReportAllocs()
		for b.Loop() {
			if err := mld.Strict.ParseReport2(src, dst, report, &r); err != nil {
				b.Fatal(err)
			}
			for rec := range r.Records.All() {
				for s := range rec.Sources.All() {
					sink += s.BitLen()
				}
			}
		}
	})
	b.Run("gopacket layer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var l layers.MLDv2MulticastListenerReportMessage
			if err := l.DecodeFromBytes(report[4:], gp.NilDecodeFeedback); err != nil {
				b.Fatal(err)
			}
			for _, rec := range l.MulticastAddressRecords {
				for _, s := range rec.SourceAddresses {
					sink += len(s)
				}
			}
		}
	})
}

func BenchmarkMLDQuery(b *testing.B) {
	_, query := messages6()
	b.Run("ours", func(b *testing.B) {
		var q mld.Query
		b.ReportAllocs()
		for b.Loop() {
			if err := mld.Strict.ParseQuery(src, dst, query, &q); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gopacket layer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var l layers.MLDv2MulticastListenerQueryMessage
			if err := l.DecodeFromBytes(query[4:], gp.NilDecodeFeedback); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestFaults keeps what gopacket's IGMP makes of messages that ours must not: the
// log says so, for the day it is repaired, and ours is held to the RFC.
func TestFaults(t *testing.T) {
	decode := func(b []byte) (l layers.IGMP, err error) {
		err = l.DecodeFromBytes(b, gp.NilDecodeFeedback)
		return l, err
	}
	// Floating-point codes (RFC 3376 section 4.1.1).
	wrong := 0
	for c := range 256 {
		q := igmp.Query{Version: 3, Code: uint8(c), IntervalCode: 125}
		b, err := q.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		want := time.Duration(c) * time.Second / 10
		if c >= 128 {
			want = time.Duration(c&15|16) << (c>>4&7 + 3) * time.Second / 10
		}
		var got igmp.Query
		if err := igmp.Strict.ParseQuery(b, &got); err != nil || got.MaxResp() != want || got.Interval() != 125*time.Second {
			t.Errorf("code %#x: %v, want %v; interval %v, %v", c, got.MaxResp(), want, got.Interval(), err)
		}
		l, err := decode(b)
		if err != nil || l.MaxResponseTime != want {
			wrong++
		}
		if c == 0x8a || c == 0xff {
			t.Logf("code %#x is %v; gopacket: %v, interval %v (125 s), version %d", c, want, l.MaxResponseTime, l.IntervalTime, l.Version)
		}
	}
	t.Logf("gopacket reads %d of 256 codes wrong", wrong)

	// Nine sources claimed and none carried; a wrong checksum.
	q := igmp.Query{Version: 3, Code: 10, Group: g4}
	b, _ := q.MarshalBinary()
	b[11] = 9
	var got igmp.Query
	if err := igmp.Strict.ParseQuery(b, &got); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	_, err := decode(b)
	t.Logf("nine sources that are not there; gopacket: %v", err)
	b[11], b[2] = 0, b[2]^1
	if err := igmp.Strict.ParseQuery(b, &got); !errors.Is(err, igmp.ErrChecksum) {
		t.Error(err)
	}
	_, err = decode(b)
	t.Logf("a wrong checksum; gopacket: %v", err)
}
