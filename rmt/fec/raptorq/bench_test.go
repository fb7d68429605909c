package raptorq

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchSize is the symbol size of the benchmarks in bytes; MB/s counts the source
// bytes of the block.
const benchSize = 1280

var benchLengths = []int{10, 100, 1000, 10000, 56403}

func benchBlock(b *testing.B, k int) (*Encoder, [][]byte) {
	src, _ := randomBlock(rand.New(rand.NewPCG(1, 2)), k, benchSize)
	return loaded(b, src, benchSize), src
}

// BenchmarkLoad is encoding, but for the repair symbols themselves; the plan is in
// the cache.
func BenchmarkLoad(b *testing.B) {
	for _, k := range benchLengths {
		b.Run(fmt.Sprintf("K=%d", k), func(b *testing.B) {
			e, src := benchBlock(b, k)
			b.SetBytes(int64(k * benchSize))
			b.ReportAllocs()
			for b.Loop() {
				if err := e.Load(src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSymbol makes one repair symbol.
func BenchmarkSymbol(b *testing.B) {
	for _, k := range benchLengths {
		b.Run(fmt.Sprintf("K=%d", k), func(b *testing.B) {
			e, _ := benchBlock(b, k)
			dst := make([]byte, benchSize)
			b.SetBytes(benchSize)
			b.ReportAllocs()
			esi := uint32(k)
			for b.Loop() {
				e.Symbol(dst, esi)
				esi++
			}
		})
	}
}

// BenchmarkPlan works out how to encode, without data.
func BenchmarkPlan(b *testing.B) {
	for _, k := range benchLengths {
		b.Run(fmt.Sprintf("K=%d", k), func(b *testing.B) {
			p, _ := paramsFor(k)
			isi := make([]uint32, p.kp)
			for i := range isi {
				isi[i] = uint32(i)
			}
			var m planner
			var pl plan
			b.SetBytes(int64(k * benchSize))
			b.ReportAllocs()
			for b.Loop() {
				m.plan(&pl, &p, isi)
			}
		})
	}
}

// BenchmarkDecode recovers a block of which a part in a hundred of the source
// symbols is lost, from as many symbols as it has and two more; adding them counts.
func BenchmarkDecode(b *testing.B) {
	for _, k := range benchLengths {
		for _, lost := range []int{1, 5, 10, 20, 50, 100} {
			b.Run(fmt.Sprintf("K=%d/lost=%d%%", k, lost), func(b *testing.B) {
				e, _ := benchBlock(b, k)
				n := max(k*lost/100, 1)
				r := rand.New(rand.NewPCG(1, 2))
				gone := make([]bool, k)
				for _, i := range r.Perm(k)[:n] {
					gone[i] = true
				}
				var esis []uint32
				for i, g := range gone {
					if !g {
						esis = append(esis, uint32(i))
					}
				}
				for i := range n + 2 {
					esis = append(esis, uint32(k+i))
				}
				syms := make([]byte, len(esis)*benchSize)
				for i, esi := range esis {
					e.Symbol(syms[i*benchSize:][:benchSize], esi)
				}
				d, err := NewDecoder(k, benchSize, -1, nil)
				if err != nil {
					b.Fatal(err)
				}
				block := make([]byte, k*benchSize)
				b.SetBytes(int64(k * benchSize))
				b.ReportAllocs()
				for b.Loop() {
					d.Reset(block)
					for i, esi := range esis {
						d.Add(esi, syms[i*benchSize:][:benchSize])
					}
					if err := d.Decode(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
