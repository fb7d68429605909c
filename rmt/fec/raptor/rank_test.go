package raptor

import (
	"math/rand/v2"
	"testing"
)

// denseRank returns the rank of the equations by plain elimination over bit rows.
func denseRank(c *coder, esis []uint32) int {
	p := c.p
	words := int(p.l+63) / 64
	var rows [][]uint64
	add := func(cols []uint32) {
		row := make([]uint64, words)
		for _, i := range cols {
			row[i>>6] ^= 1 << (i & 63)
		}
		rows = append(rows, row)
	}
	for _, row := range p.ldpcRows(nil) {
		add(row)
	}
	m := halfMasks(p.h, p.k+p.s)
	for h := range p.h {
		cols := []uint32{p.k + p.s + h}
		for j, mask := range m {
			if mask>>h&1 != 0 {
				cols = append(cols, uint32(j))
			}
		}
		add(cols)
	}
	for _, x := range esis {
		add(p.appendRow(nil, x))
	}
	rank := 0
	for col := range int(p.l) {
		at := -1
		for i := rank; i < len(rows); i++ {
			if rows[i][col>>6]>>(col&63)&1 != 0 {
				at = i
				break
			}
		}
		if at < 0 {
			continue
		}
		rows[rank], rows[at] = rows[at], rows[rank]
		for i := rank + 1; i < len(rows); i++ {
			if rows[i][col>>6]>>(col&63)&1 != 0 {
				for w := col >> 6; w < words; w++ {
					rows[i][w] ^= rows[rank][w]
				}
			}
		}
		rank++
	}
	return rank
}

// TestRank: the solver finds a solution when the rank says that there is one, and only
// then.
func TestRank(t *testing.T) {
	r := rand.New(rand.NewPCG(5053, 3))
	var c coder
	both := [2]int{}
	for _, k := range []int{4, 5, 7, 10, 20, 50, 100, 300, 1000} {
		c.p = paramsFor(k)
		for range min(200, 20000/k) {
			var esis []uint32
			for _, x := range r.Perm(2 * k)[:k+r.IntN(4)] {
				esis = append(esis, uint32(x))
			}
			full := denseRank(&c, esis) == int(c.p.l)
			if full {
				both[1]++
			} else {
				both[0]++
			}
			if got := c.solve(esis); got != full {
				t.Fatalf("K %d, %d symbols: solved %t, of full rank %t", k, len(esis), got, full)
			}
		}
	}
	t.Logf("%d solvable, %d not", both[1], both[0])
}
