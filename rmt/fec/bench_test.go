package fec_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// benched has blocks of each scheme as a file transfer has them, with symbols of 1,280
// bytes.
var benched = []struct {
	name string
	k    int
	oti  fec.OTI
}{
	{"rs8", 64, fec.OTI{EncodingID: fec.ReedSolomonGF8, Parity: 16}},
	{"rs8", 200, fec.OTI{EncodingID: fec.ReedSolomonGF8, Parity: 50}},
	{"rs16", 1000, fec.OTI{EncodingID: fec.ReedSolomonGF2m, M: 16, Parity: 250}},
	{"raptor", 100, fec.OTI{EncodingID: fec.Raptor}},
	{"raptor", 1000, fec.OTI{EncodingID: fec.Raptor}},
	{"raptor", 8192, fec.OTI{EncodingID: fec.Raptor}},
	{"raptorq", 100, fec.OTI{EncodingID: fec.RaptorQ}},
	{"raptorq", 1000, fec.OTI{EncodingID: fec.RaptorQ}},
	{"raptorq", 10000, fec.OTI{EncodingID: fec.RaptorQ}},
	{"staircase", 1000, fec.OTI{EncodingID: fec.LDPCStaircase, Parity: 500, N1: 5}},
	{"staircase", 10000, fec.OTI{EncodingID: fec.LDPCStaircase, Parity: 5000, N1: 5}},
	{"triangle", 10000, fec.OTI{EncodingID: fec.LDPCTriangle, Parity: 5000, N1: 3}},
}

func benchBlock(b *testing.B, k int, o fec.OTI) (fec.OTI, fec.Scheme, fec.BlockEncoder, []byte) {
	const size = 1280
	o.SymbolSize, o.TransferLength = size, uint64(k*size)
	if o.EncodingID == fec.Raptor || o.EncodingID == fec.RaptorQ {
		o.Blocks, o.SubBlocks, o.Align = 1, 1, 4
	} else {
		o.MaxBlockLen, o.Seed = uint32(k), 1
	}
	data, s, _ := object(b, &o)
	enc, err := s.NewEncoder(&o)
	if err != nil {
		b.Fatal(err)
	}
	if err := enc.Load(0, data); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	return o, s, enc, data
}

// BenchmarkBlockEncode makes a quarter as many repair symbols as the block has.
func BenchmarkBlockEncode(b *testing.B) {
	for _, bb := range benched {
		b.Run(fmt.Sprintf("%s/%d", bb.name, bb.k), func(b *testing.B) {
			o, _, enc, data := benchBlock(b, bb.k, bb.oti)
			dst := make([]byte, o.SymbolSize)
			for b.Loop() {
				if err := enc.Load(0, data); err != nil {
					b.Fatal(err)
				}
				for i := range uint32(bb.k / 4) {
					enc.Symbol(dst, uint32(bb.k)+i)
				}
			}
		})
	}
}

// BenchmarkBlockDecode takes in a block of which a tenth of the source symbols was lost,
// and half as many repair symbols as it has came, in an order by chance.
func BenchmarkBlockDecode(b *testing.B) {
	for _, bb := range benched {
		b.Run(fmt.Sprintf("%s/%d", bb.name, bb.k), func(b *testing.B) {
			o, s, enc, data := benchBlock(b, bb.k, bb.oti)
			dec, err := s.NewDecoder(&o, -1)
			if err != nil {
				b.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 2))
			var esis []uint32
			var symbols [][]byte
			for esi := range min(enc.MaxESI(), uint32(bb.k*3/2)) {
				if int(esi) >= bb.k || r.IntN(10) > 0 {
					esis = append(esis, esi)
				}
			}
			r.Shuffle(len(esis), func(i, j int) { esis[i], esis[j] = esis[j], esis[i] })
			for _, esi := range esis {
				sym := make([]byte, o.SymbolSize)
				enc.Symbol(sym, esi)
				symbols = append(symbols, sym)
			}
			room := make([]byte, len(data))
			for b.Loop() {
				if err := dec.Start(0, room); err != nil {
					b.Fatal(err)
				}
				solved := false
				for i, esi := range esis {
					if ready, _ := dec.Add(esi, symbols[i]); ready && dec.Solve() == nil {
						solved = true
						break
					}
				}
				if !solved {
					b.Fatal("not solved")
				}
			}
		})
	}
}
