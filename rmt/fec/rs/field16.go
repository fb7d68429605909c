package rs

import "sync"

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
