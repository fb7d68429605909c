package rs

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// The benchmarks work on one block of 64 symbols of 1400 bytes with 16 parity;
// MB/s counts the source bytes of the block.
const (
	benchK, benchParity, benchSize = 64, 16, 1400
)

func BenchmarkEncode(b *testing.B) {
	src := randomBlock(rand.New(rand.NewPCG(1, 2)), benchK, benchSize)
	c := mustNew(b, NRL, benchK, benchParity, benchK)
	dst := make([]byte, benchSize)
	for _, rows := range []int{1, benchParity} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			b.SetBytes(benchK * benchSize)
			b.ReportAllocs()
			for b.Loop() {
				for j := range rows {
					c.Encode(dst, src, j)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	src := randomBlock(r, benchK, benchSize)
	c := mustNew(b, NRL, benchK, benchParity, benchK)
	parity := encode(c, src, benchSize)
	for _, lost := range []int{1, 3, benchParity} {
		missing, index := r.Perm(benchK)[:lost], r.Perm(benchParity)[:lost]
		b.Run(fmt.Sprintf("missing=%d", lost), func(b *testing.B) {
			b.SetBytes(benchK * benchSize)
			b.ReportAllocs()
			for b.Loop() { // from the second round on the values are junk, the work is the same
				if err := c.Decode(src, missing, parity[:lost], index); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMatrix(b *testing.B) {
	for b.Loop() {
		newMatrix(Rizzo, benchK)
	}
}
