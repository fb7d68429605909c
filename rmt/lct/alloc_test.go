package lct

import "testing"

func sample() ([]byte, Header) {
	x := AppendFDT(nil, FDT{Version: 2, InstanceID: 7})
	x, _ = AppendExtension(x, ExtFTI, make([]byte, 14))
	h := Header{TSI: 1, TOI: TOI{Lo: 0}, Extensions: x}
	b, err := h.Append(nil)
	if err != nil {
		panic(err)
	}
	return b, h
}

func TestAllocs(t *testing.T) {
	b, h := sample()
	buf := make([]byte, 0, 256)
	scratch := make([]byte, 0, 256)
	var g Header
	n := testing.AllocsPerRun(100, func() {
		if Parse(b, &g) != nil {
			t.Fatal("parse")
		}
		for x := g.Extensions; ; {
			if _, _, ok := x.Next(); !ok {
				break
			}
		}
		if _, err := h.Append(buf); err != nil {
			t.Fatal(err)
		}
		x := AppendTime(AppendFDT(scratch, FDT{}), Time{HasSCTHigh: true})
		if _, err := AppendExtension(x, ExtFTI, b[:10]); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	p, h := sample()
	b.ReportAllocs()
	for b.Loop() {
		_ = Parse(p, &h)
	}
}

func BenchmarkAppend(b *testing.B) {
	_, h := sample()
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = h.Append(buf)
	}
}
