package core

import (
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// BenchmarkPacket is what a packet of 1,400 bytes costs both engines together: sent,
// received, its block handed over.
func BenchmarkPacket(b *testing.B) {
	for _, c := range []struct {
		name string
		code FEC
		loss float64
	}{
		{"no code", FEC{NoCode: true}, 0},
		{"RaptorQ 10%", FEC{Depth: 1}, 0},
		{"RaptorQ 10% loss 5%", FEC{Depth: 1}, 0.05},
		{"RaptorQ 30% loss 20%", FEC{Depth: 1, Overhead: 0.3}, 0.2},
		{"Reed-Solomon 20% loss 5%", FEC{Encoding: fec.ReedSolomonGF8, Depth: 1, Overhead: 0.2}, 0.05},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := newPair(b, c.code, c.loss)
			p.step(b, 3000)
			b.SetBytes(1400)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += 100 {
				p.step(b, 100)
			}
		})
	}
}
