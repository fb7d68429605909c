package raptor

import (
	"math/bits"
	"sync"
)

// params are the numbers that follow from K (RFC 5053 section 5.4.2.3), under the names
// they have there. L is at most 8,419.
type params struct {
	k  uint32 // K, source symbols
	s  uint32 // S, LDPC symbols
	h  uint32 // H, Half symbols
	l  uint32 // L = K+S+H, intermediate symbols
	lp uint32 // L', the smallest prime >= L

	tripA, tripB uint32 // A and B of section 5.4.4.4
}

// paramsFor returns the parameters of a block of k source symbols, MinBlockLen to
// MaxBlockLen.
func paramsFor(k int) params {
	p := params{k: uint32(k)}
	x := uint32(1)
	for x*(x-1) < 2*p.k {
		x++
	}
	for p.s = (p.k+99)/100 + x; !isPrime(p.s); {
		p.s++
	}
	for p.h = 1; choose(p.h, (p.h+1)/2) < p.k+p.s; {
		p.h++
	}
	p.l = p.k + p.s + p.h
	for p.lp = p.l; !isPrime(p.lp); {
		p.lp++
	}
	j := uint32(systematic[k-MinBlockLen])
	p.tripA = (53591 + j*997) % q
	p.tripB = 10267 * (j + 1) % q
	return p
}

// q is Q, the largest prime below 2^16.
const q = 65521

func isPrime(n uint32) bool {
	for d := uint32(2); d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return n >= 2
}

func choose(n, k uint32) uint32 {
	c := uint32(1)
	for i := range k {
		c = c * (n - i) / (i + 1)
	}
	return c
}

// random is Rand[X, i, m] of RFC 5053 section 5.4.4.1: a number below m. X is below Q.
func random(x, i, m uint32) uint32 { return (v0[uint8(x+i)] ^ v1[uint8(x>>8+i)]) % m }

// degrees is Table 1 of RFC 5053 section 5.4.4.2.
var degrees = [...]struct{ f, d uint32 }{
	{10241, 1}, {491582, 2}, {712794, 3}, {831695, 4}, {948446, 10}, {1032189, 11}, {1048576, 40},
}

func degree(v uint32) uint32 {
	i := 0
	for v >= degrees[i].f {
		i++
	}
	return degrees[i].d
}

// maxDegree is the largest degree of Table 1.
const maxDegree = 40

// appendRow appends the intermediate symbols whose sum is encoding symbol x, all
// different (LTEnc and Trip, RFC 5053 sections 5.4.4.3 and 5.4.4.4).
func (p *params) appendRow(dst []uint32, x uint32) []uint32 {
	y := uint32((uint64(p.tripB) + uint64(x)*uint64(p.tripA)) % q)
	d := min(degree(random(y, 0, 1<<20)), p.l)
	a, b := 1+random(y, 1, p.lp-1), random(y, 2, p.lp)
	for range d {
		for b >= p.l {
			b = (b + a) % p.lp
		}
		dst = append(dst, b)
		b = (b + a) % p.lp
	}
	return dst
}

// ldpcRows returns the symbols of the S LDPC relations, in the memory of rows as far as
// there is any (RFC 5053 section 5.4.2.3).
func (p *params) ldpcRows(rows [][]uint32) [][]uint32 {
	for len(rows) < int(p.s) {
		rows = append(rows, nil)
	}
	rows = rows[:p.s]
	for i := range rows {
		rows[i] = append(rows[i][:0], p.k+uint32(i))
	}
	for i := range p.k {
		a, b := 1+(i/p.s)%(p.s-1), i%p.s
		for range 3 {
			rows[b] = append(rows[b], i)
			b = (b + a) % p.s
		}
	}
	return rows
}

// halfMasks are m[j, H'] of RFC 5053 section 5.4.2.3 for j below n, the numbers of the
// Gray sequence with H' ones: bit h of the j-th says that Half symbol h has symbol j.
// It is the same for all blocks with as many Half symbols.
func halfMasks(h, n uint32) []uint32 {
	masks.Lock()
	defer masks.Unlock()
	m := masks.list[h]
	if m == nil {
		for i := uint32(1); i < 1<<h; i++ {
			if g := i ^ i>>1; uint32(bits.OnesCount32(g)) == (h+1)/2 {
				m = append(m, g)
			}
		}
		masks.list[h] = m
	}
	return m[:n]
}

// masks keeps the sequences made; H is at most 16, and they have 24,000 numbers in all.
var masks struct {
	sync.Mutex
	list [17][]uint32
}
