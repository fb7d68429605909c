package raptorq

import (
	"fmt"
	"math"
	"sort"

	"github.com/gomulticast/multicast/rmt/fec"
)

// MaxBlockLen is K'_max, the largest number of source symbols in a block (RFC
// 6330 section 5.1.2).
const MaxBlockLen = 56403

// params are the numbers that follow from K' (RFC 6330 section 5.3.3.3), under the
// names they have there. All of them fit 16 bits; L is at most 57,326.
type params struct {
	kp uint32 // K', symbols of the extended source block
	j  uint32 // J, systematic index
	s  uint32 // S, LDPC symbols
	h  uint32 // H, HDPC symbols
	w  uint32 // W, LT symbols
	l  uint32 // L = K'+S+H, intermediate symbols
	p  uint32 // P = L-W, symbols inactive from the start
	p1 uint32 // P1, the smallest prime >= P
	b  uint32 // B = W-S, LT symbols that are not LDPC symbols

	tupleA, tupleB uint32 // A and B of section 5.3.5.4
}

// paramsFor returns the parameters of a block of k source symbols: those of the
// smallest K' that holds it. It fails with fec.ErrCodeSize unless 1 <= k <=
// MaxBlockLen.
func paramsFor(k int) (params, error) {
	if k < 1 || k > MaxBlockLen {
		return params{}, fmt.Errorf("%w: %d source symbols in a block, RaptorQ has 1 to %d", fec.ErrCodeSize, k, MaxBlockLen)
	}
	return makeParams(&table2[rowFor(k)]), nil
}

// rowFor returns the index in table2 of the smallest K' >= k.
func rowFor(k int) int {
	return sort.Search(len(table2), func(i int) bool { return int(table2[i][0]) >= k })
}

func makeParams(row *[5]uint16) params {
	p := params{kp: uint32(row[0]), j: uint32(row[1]), s: uint32(row[2]), h: uint32(row[3]), w: uint32(row[4])}
	p.l = p.kp + p.s + p.h
	p.p = p.l - p.w
	p.b = p.w - p.s
	p.p1 = p.p
	for !isPrime(p.p1) {
		p.p1++
	}
	p.tupleA = 53591 + p.j*997
	p.tupleA |= 1 // "if A is even, A = A + 1"
	p.tupleB = 10267 * (p.j + 1)
	return p
}

// maxInactive bounds the columns left for dense elimination, whose work grows with
// the cube of their number. By chance there are about sqrt(K') more than P, see
// TestInactive; a sender can choose encoding symbol IDs of high degree so that there
// are nearly K'. The code would allow that, but nobody needs it.
func (p *params) maxInactive() int {
	return int(p.p) + int(4*math.Sqrt(float64(p.kp))) + 32
}

func isPrime(n uint32) bool {
	for d := uint32(2); d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return n >= 2
}
