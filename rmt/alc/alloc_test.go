package alc

import (
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/lct"
)

func sample() ([]byte, Packet) {
	x, err := AppendFTI(nil, &fec.OTI{TransferLength: 1 << 30, SymbolSize: 1400, MaxBlockLen: 64})
	if err != nil {
		panic(err)
	}
	p := Packet{
		Header:     lct.Header{TSI: 1, TOI: lct.TOI{Lo: 5}, Extensions: x},
		HasPayload: true, ID: fec.PayloadID{SBN: 3, ESI: 9}, Symbols: make([]byte, 1400),
	}
	b, err := Codec{}.Append(nil, &p)
	if err != nil {
		panic(err)
	}
	return b, p
}

func TestAllocs(t *testing.T) {
	b, p := sample()
	buf := make([]byte, 0, 2048)
	scratch := make([]byte, 0, 64)
	o := fec.OTI{TransferLength: 1 << 30, SymbolSize: 1400, MaxBlockLen: 64}
	var q Packet
	n := testing.AllocsPerRun(100, func() {
		if (Codec{}).Parse(b, &q) != nil {
			t.Fatal("parse")
		}
		if _, ok, err := q.FTI(0); !ok || err != nil {
			t.Fatal(err)
		}
		x, err := AppendFTI(lct.AppendFDT(scratch, lct.FDT{}), &o)
		if err != nil {
			t.Fatal(err)
		}
		p.Extensions = x
		if _, err := (Codec{}).Append(buf, &p); err != nil {
			t.Fatal(err)
		}
		if _, err := (Codec{}).AppendHeader(buf, &p); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	packet, p := sample()
	b.ReportAllocs()
	for b.Loop() {
		_ = Codec{}.Parse(packet, &p)
	}
}

func BenchmarkAppend(b *testing.B) {
	_, p := sample()
	buf := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Codec{}.Append(buf, &p)
	}
}

func BenchmarkAppendHeader(b *testing.B) {
	_, p := sample()
	p.Extensions = nil
	buf := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Codec{}.AppendHeader(buf, &p)
	}
}
