package rs

import "sync"

// GF(2^16) as pairs of elements of GF(2^8): what its field of 256 elements is, and a degree
// of two above that. A multiplication there is four over GF(2^8), for which there are vector
// instructions; the price is to take symbols apart before and put them together after.
//
// An element w is phi(u) + phi(v) g: phi maps GF(2^8) with polynomial 0x11D into GF(2^16),
// and g, which is not in there, has g^2 = g + norm.
type tower struct {
	norm uint8
	// What a byte of w comes to, u in the low half and v in the high one; and back.
	low, high [256]uint16
	fromU     [256]uint16
	fromV     [256]uint16
}

var towers = sync.OnceValue(func() *tower {
	f, t := gf16(), new(tower)
	// The elements of the small field are the powers of a^257, and 0. One of them is a
	// root of 0x11D, and stands for 2.
	const step = MaxSymbols16 / MaxSymbols
	root := 0
	for e := step; root == 0; e += step {
		at := func(n int) uint16 { return f.exp[mod(n*e)] }
		if at(8)^at(4)^at(3)^at(2)^1 == 0 {
			root = e
		}
	}
	// d is not in the small field, and g = d / (d + d^256) neither. g + g^256 is 1, so that
	// g is a root of x^2 + x + g g^256.
	const d = 1
	g := mod(d - int(f.log[f.exp[d]^f.exp[d*256]]))
	var split [1 << 16]uint16
	for i := range 256 {
		if i > 0 {
			e := root * int(log[i]) % MaxSymbols16
			t.fromU[i], t.fromV[i] = f.exp[e], f.exp[mod(e+g)]
		}
		if f.exp[mod(g*257)] == t.fromU[i] {
			t.norm = uint8(i)
		}
	}
	for v := range 256 {
		for u := range 256 {
			split[t.fromU[u]^t.fromV[v]] = uint16(u | v<<8)
		}
	}
	for i := range 256 {
		t.low[i], t.high[i] = split[i], split[i<<8]
	}
	return t
})

// split writes the elements of src, of two bytes each, to dst: all their u, then, from half
// the length of dst on, all their v. A last byte alone counts as an element with 0 behind it.
// It returns how many elements there are.
func (t *tower) split(dst, src []byte, bigEndian bool) int {
	low, high := &t.low, &t.high
	if bigEndian {
		low, high = high, low
	}
	n := len(src) / 2
	half := len(dst) / 2
	u, v := dst[:half:half], dst[half:]
	u, v = u[:(len(src)+1)/2], v[:(len(src)+1)/2]
	for i := range n {
		w := low[src[2*i]] ^ high[src[2*i+1]]
		u[i], v[i] = uint8(w), uint8(w>>8)
	}
	if len(src)%2 != 0 {
		w := low[src[2*n]]
		u[n], v[n] = uint8(w), uint8(w>>8)
		n++
	}
	return n
}

// join does the opposite, for a whole dst as long as src.
func (t *tower) join(dst, src []byte, bigEndian bool) {
	half := len(src) / 2
	u, v := src[:half], src[half:]
	first, second := 0, 8
	if bigEndian {
		first, second = 8, 0
	}
	v = v[:len(u)]
	dst = dst[:2*len(u)]
	for i := range u {
		w := t.fromU[u[i]] ^ t.fromV[v[i]]
		dst[2*i], dst[2*i+1] = uint8(w>>first), uint8(w>>second)
	}
}

// addTo adds w times the first n elements of src to dst, both split.
func (t *tower) addTo(w uint16, dst, src []byte, n int) {
	c := t.low[uint8(w)] ^ t.high[w>>8]
	c0, c1 := uint8(c), uint8(c>>8)
	from, to := len(src)/2, len(dst)/2
	u, v := src[:n], src[from:from+n]
	mul.GalMulSliceXor(c0, u, dst)
	mul.GalMulSliceXor(times(c1, t.norm), v, dst)
	mul.GalMulSliceXor(c1, u, dst[to:])
	mul.GalMulSliceXor(c0^c1, v, dst[to:])
}

// times multiplies in GF(2^8).
func times(x, y uint8) uint8 {
	if x == 0 || y == 0 {
		return 0
	}
	return exp[int(log[x])+int(log[y])]
}
