package rs

import (
	"encoding/binary"
	"sync"
)

// MaxSymbols16 is the largest number of symbols, source and parity together, in a block
// of the code over GF(2^16): 2^16 - 1 (RFC 5510 section 6.1).
const MaxSymbols16 = 1<<16 - 1

// field16 has the tables of GF(2^16) with polynomial 0x1100B (RFC 5510 section 8.1).
// They take 500 KB and are made when they are first needed.
type field16 struct {
	exp [2 * MaxSymbols16]uint16
	log [MaxSymbols16 + 1]uint16
	// sums[m] is the sum of log(a^d + 1) for d from 1 to m, reduced: products over
	// points that are powers of a follow from it.
	sums [MaxSymbols16]uint16
}

var gf16 = sync.OnceValue(func() *field16 {
	f := new(field16)
	for i, x := 0, 1; i < MaxSymbols16; i++ {
		f.exp[i], f.exp[i+MaxSymbols16] = uint16(x), uint16(x)
		f.log[x] = uint16(i)
		if x <<= 1; x > 0xffff {
			x ^= 0x1100b
		}
	}
	sum := 0
	for d := 1; d < MaxSymbols16; d++ {
		sum += int(f.log[f.exp[d]^1])
		f.sums[d] = uint16(sum % MaxSymbols16)
	}
	return f
})

// mod reduces an exponent of a.
func mod(e int) int {
	if e %= MaxSymbols16; e < 0 {
		e += MaxSymbols16
	}
	return e
}

// product returns log of the product of a^e + a^f over all f below n but e.
func (f *field16) product(e, n int) int {
	low := min(e, n) // f < e gives a^f (a^(e-f) + 1), f > e gives a^e (a^(f-e) + 1)
	sum := powers(low) + int(f.sums[e]) - int(f.sums[e-low])
	if e < n {
		sum += int(int64(e)*int64(n-1-e)%MaxSymbols16) + int(f.sums[n-1-e])
	}
	return sum
}

// powers returns log of the product of a^f over all f below n, reduced.
func powers(n int) int { return int(int64(n) * int64(n-1) / 2 % MaxSymbols16) }

// A multiplier multiplies by a constant: what a symbol's even and odd bytes come to, as
// little-endian words.
type multiplier struct{ even, odd [256]uint16 }

// set makes m the multiplication by a^e of elements in the given byte order.
func (m *multiplier) set(f *field16, e int, bigEndian bool) {
	low, high := &m.even, &m.odd
	if bigEndian {
		low, high = high, low
	}
	for b := range 8 {
		v, w := f.exp[e+b], f.exp[mod(e+b+8)]
		if bigEndian {
			v, w = v<<8|v>>8, w<<8|w>>8
		}
		for i := range 1 << b {
			low[1<<b|i], high[1<<b|i] = low[i]^v, high[i]^w
		}
	}
}

// addTo adds the product with src to dst, as long, of an even number of bytes.
func (m *multiplier) addTo(dst, src []byte) {
	for len(src) >= 8 && len(dst) >= 8 {
		v := binary.LittleEndian.Uint64(src)
		w := uint64(m.even[uint8(v)]^m.odd[uint8(v>>8)]) |
			uint64(m.even[uint8(v>>16)]^m.odd[uint8(v>>24)])<<16 |
			uint64(m.even[uint8(v>>32)]^m.odd[uint8(v>>40)])<<32 |
			uint64(m.even[uint8(v>>48)]^m.odd[uint8(v>>56)])<<48
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(dst)^w)
		src, dst = src[8:], dst[8:]
	}
	for ; len(src) >= 2; src, dst = src[2:], dst[2:] {
		w := m.even[src[0]] ^ m.odd[src[1]]
		dst[0] ^= byte(w)
		dst[1] ^= byte(w >> 8)
	}
}
