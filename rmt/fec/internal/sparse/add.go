package sparse

import (
	"math/bits"

	"github.com/klauspost/reedsolomon"
)

// mul adds slices with the machine's vector instructions.
var mul reedsolomon.LowLevel

// Add adds src to dst, of the same length.
func Add(dst, src []byte) { mul.GalMulSliceXor(1, src, dst) }

// toggle adds sum to each of the equations in the set.
func (p *Plan) toggle(dst *[32][]byte, set uint32, sum []byte) {
	for ; set != 0; set &= set - 1 {
		Add(dst[bits.TrailingZeros32(set)], sum)
	}
}
