package raptorq

// random is Rand[y, i, m] of RFC 6330 section 5.3.5.1: a number below m.
func random(y uint32, i uint8, m uint32) uint32 {
	return (v0[uint8(y)+i] ^ v1[uint8(y>>8)+i] ^ v2[uint8(y>>16)+i] ^ v3[uint8(y>>24)+i]) % m
}

// degrees is f of RFC 6330 section 5.3.5.2, Table 1: a v below degrees[d], and not
// below degrees[d-1], has degree d.
var degrees = [...]uint32{
	0, 5243, 529531, 704294, 791675, 844104, 879057, 904023, 922747, 937311, 948962,
	958494, 966438, 973160, 978921, 983914, 988283, 992138, 995565, 998631, 1001391,
	1003887, 1006157, 1008229, 1010129, 1011876, 1013490, 1014983, 1016370, 1017662,
	1048576,
}

// degree is Deg[v] of RFC 6330 section 5.3.5.2; v is below 2^20.
func (p *params) degree(v uint32) uint32 {
	d := uint32(1)
	for v >= degrees[d] {
		d++
	}
	return min(d, p.w-2)
}

// A tuple says which intermediate symbols make an encoding symbol (RFC 6330
// section 5.3.5.4): d LT symbols from b in steps of a, d1 PI symbols from b1 in steps
// of a1.
type tuple struct{ d, a, b, d1, a1, b1 uint32 }

// tuple is Tuple[K', x] of RFC 6330 section 5.3.5.4 for internal symbol ID x.
func (p *params) tuple(x uint32) tuple {
	y := p.tupleB + x*p.tupleA
	t := tuple{
		d:  p.degree(random(y, 0, 1<<20)),
		a:  1 + random(y, 1, p.w-1),
		b:  random(y, 2, p.w),
		d1: 2,
		a1: 1 + random(x, 4, p.p1-1),
		b1: random(x, 5, p.p1),
	}
	if t.d < 4 {
		t.d1 += random(x, 3, 2)
	}
	return t
}

// maxDegree bounds the intermediate symbols of one encoding symbol: 30 LT symbols
// of Table 1 and 3 PI symbols.
const maxDegree = 33

// appendRow appends the columns of internal symbol ID x, the intermediate symbols
// whose sum it is, all different: LT symbols first, then PI symbols (Enc of RFC
// 6330 section 5.3.5.3). It returns the number of LT symbols as well.
func (p *params) appendRow(dst []uint16, x uint32) ([]uint16, int) {
	t := p.tuple(x)
	b := t.b
	for range t.d {
		dst = append(dst, uint16(b))
		if b += t.a; b >= p.w {
			b -= p.w
		}
	}
	b1 := t.b1
	for range t.d1 {
		for b1 >= p.p {
			b1 = (b1 + t.a1) % p.p1
		}
		dst = append(dst, uint16(p.w+b1))
		b1 = (b1 + t.a1) % p.p1
	}
	return dst, int(t.d)
}

// hdpcPair returns the two rows of MT in which column j has a one, for j below
// K'+S-1 (RFC 6330 section 5.3.3.3).
func (p *params) hdpcPair(j uint32) (uint32, uint32) {
	a := random(j+1, 6, p.h)
	b := a + random(j+1, 7, p.h-1) + 1
	if b >= p.h {
		b -= p.h
	}
	return a, b
}
