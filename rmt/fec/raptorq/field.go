package raptorq

import "github.com/klauspost/reedsolomon"

// mul adds and multiplies slices with the machine's vector instructions. Its field
// is ours: GF(2^8) by 0x11D (RFC 6330 section 5.7.3).
var mul reedsolomon.LowLevel

// octExp and octLog are OCT_EXP and OCT_LOG of RFC 6330 sections 5.7.3 and 5.7.4;
// octLog[0] means nothing.
var octExp, octLog = func() (e [510]uint8, l [256]uint8) {
	x := 1
	for i := range 255 {
		e[i], e[i+255] = uint8(x), uint8(x)
		l[x] = uint8(i)
		if x <<= 1; x > 0xff {
			x ^= 0x11d
		}
	}
	return
}()

func octMul(a, b uint8) uint8 {
	if a == 0 || b == 0 {
		return 0
	}
	return octExp[int(octLog[a])+int(octLog[b])]
}

// octInv returns 1/a; a is not 0.
func octInv(a uint8) uint8 { return octExp[255-int(octLog[a])] }

// spread has the bits of a byte as eight bytes 0 or 1, the lowest first.
var spread = func() (t [256]uint64) {
	for i := range t {
		for bit := range 8 {
			t[i] |= uint64(i>>bit&1) << (8 * bit)
		}
	}
	return
}()

// alphaTimes multiplies each of eight octets by alpha, which is 2.
func alphaTimes(v uint64) uint64 {
	const high = 0x8080808080808080
	return v&^high<<1 ^ v&high>>7*0x1d
}
