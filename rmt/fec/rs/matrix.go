package rs

import "sync"

// exp and log are the powers of a and their inverse, in GF(2^8) with polynomial
// 0x11D; exp repeats so that the sum of two logarithms needs no reduction.
var exp, log = func() (exp [2 * MaxSymbols]uint8, log [MaxSymbols + 1]uint8) {
	for i, x := 0, 1; i < MaxSymbols; i++ {
		exp[i], exp[i+MaxSymbols] = uint8(x), uint8(x)
		log[x] = uint8(i)
		if x <<= 1; x > 0xff {
			x ^= 0x11d
		}
	}
	return
}()

// div returns a^e / d, for e of 0 to 509 and d not 0.
func div(e int, d uint8) uint8 {
	return exp[(e+MaxSymbols-int(log[d]))%MaxSymbols]
}

// A matrix is the parity part of a systematic generator matrix, for k source
// symbols and all the 255 - k parity symbols there can be.
//
// A Vandermonde matrix multiplied by the inverse of its top square evaluates, at
// the point of each row, the polynomial of degree below k that takes the source
// symbols as values at the first k points. So the entry of parity row i, source
// j is Lagrange's: with points x_i of parity and y_j of source,
//
//	P(x_i) / ((x_i - y_j) w_j)   P(x) = prod_l (x - y_l)   w_j = prod_{l!=j} (y_j - y_l)
//
// which is a Cauchy matrix with its rows and columns scaled: every square part of
// it has an inverse, in closed form.
type matrix struct {
	points Matrix
	k      int
	rows   []uint8           // (255-k) rows of k
	logW   [MaxSymbols]uint8 // log w_j
	logP   [MaxSymbols]uint8 // log P(x_i)
}

func newMatrix(points Matrix, k int) *matrix {
	m := &matrix{points: points, k: k, rows: make([]uint8, 0, (MaxSymbols-k)*k)}
	for j := range k {
		m.logW[j] = m.logProduct(m.point(j), j)
	}
	for i := range MaxSymbols - k {
		x := m.parityPoint(i)
		m.logP[i] = m.logProduct(x, -1)
		for j := range k {
			e := int(m.logP[i]) + MaxSymbols - int(m.logW[j])
			m.rows = append(m.rows, div(e, x^m.point(j)))
		}
	}
	return m
}

// logProduct returns log prod (x - y_l) over all source points but number skip.
func (m *matrix) logProduct(x uint8, skip int) uint8 {
	sum := 0
	for l := range m.k {
		if l != skip {
			sum += int(log[x^m.point(l)])
		}
	}
	return uint8(sum % MaxSymbols)
}

// point returns the evaluation point of source symbol i, and those of parity
// from k on.
func (m *matrix) point(i int) uint8 {
	switch {
	case m.points == Sequential:
		return uint8(i)
	case m.points == Powers:
		return exp[i]
	case i == 0:
		return 0
	}
	return exp[i-1]
}

func (m *matrix) parityPoint(i int) uint8 { return m.point(m.k + i) }

// row returns the coefficients of parity symbol i.
func (m *matrix) row(i int) []uint8 { return m.rows[i*m.k : (i+1)*m.k : (i+1)*m.k] }

// inverse computes the inverse of the square part of the matrix that has the
// rows of parity symbols index and the columns of source symbols missing. Its
// entry for missing[l] and index[i] is a^(left[l]+right[i]) / (x_i - y_l).
//
// For the Cauchy matrix 1/(x_i - y_l), with X and Y the products over these x
// and these y only, it is X(y_l) Y(x_i) / (X'(x_i) Y'(y_l) (x_i - y_l)), the
// prime leaving out the factor 0; the scales of our rows and columns go over to
// it inverted. The minus is a plus.
func (m *matrix) inverse(missing, index []int, left, right []uint8) {
	for l, j := range missing {
		y := m.point(j)
		sum := int(m.logW[j])
		for i := range index {
			sum += int(log[m.parityPoint(index[i])^y])
		}
		for o, other := range missing {
			if o != l {
				sum += MaxSymbols - int(log[m.point(other)^y])
			}
		}
		left[l] = uint8(sum % MaxSymbols)
	}
	for i, r := range index {
		x := m.parityPoint(r)
		sum := MaxSymbols - int(m.logP[r])
		for _, j := range missing {
			sum += int(log[x^m.point(j)])
		}
		for o, other := range index {
			if o != i {
				sum += MaxSymbols - int(log[x^m.parityPoint(other)])
			}
		}
		right[i] = uint8(sum % MaxSymbols)
	}
}

// maxMatrices bounds the matrices kept for later use: all that there are for one choice of
// points, so that nobody has them computed again and again. They take 3 MB.
const maxMatrices = 256

type matrixKey struct {
	points Matrix
	k      int
}

var cache = struct {
	sync.Mutex
	m map[matrixKey]*matrix
}{m: make(map[matrixKey]*matrix)}

// matrixFor returns the matrix for k source symbols, from the cache if it is
// there. A full cache gives up an arbitrary entry.
func matrixFor(points Matrix, k int) *matrix {
	key := matrixKey{points, k}
	cache.Lock()
	defer cache.Unlock()
	if m := cache.m[key]; m != nil {
		return m
	}
	if len(cache.m) >= maxMatrices {
		for old := range cache.m {
			delete(cache.m, old)
			break
		}
	}
	m := newMatrix(points, k)
	cache.m[key] = m
	return m
}
