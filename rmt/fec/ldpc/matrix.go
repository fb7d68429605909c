package ldpc

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
)

// A matrix is the parity check matrix of a block of k source symbols: n-k equations,
// each of which sums to zero. Column j is encoding symbol j.
type matrix struct {
	k, n int
	ends []uint32 // where each row ends in cols
	cols []uint32 // the columns of each row; the last is the row's own repair symbol

	starts []uint32 // where each column starts in rows
	rows   []uint32 // the rows of each column

	random  random // as it is after making the matrix: groups go on from there
	grouped *groups
}

// row returns the columns of row i.
func (m *matrix) row(i int) []uint32 {
	from := uint32(0)
	if i > 0 {
		from = m.ends[i-1]
	}
	return m.cols[from:m.ends[i]]
}

// rowsOf returns the rows of column c.
func (m *matrix) rowsOf(c uint32) []uint32 { return m.rows[m.starts[c]:m.starts[c+1]] }

// An entry is a one in the matrix.
type entry struct{ row, col uint32 }

// A builder makes a matrix as RFC 5170 sections 6.2 and 7.2 say.
type builder struct {
	random random
	k, m   int // m is n-k, the number of rows
	n1     int
	left   []uint32 // the rows of each source column, n1 each
	extra  []entry  // what is added to rows of fewer than two ones
	right  []entry
	work   int // steps that may still be taken
}

// newMatrix makes the matrix for k source and n-k repair symbols. It fails with
// fec.ErrCodeSize when the random choices take many times as long as they do by chance:
// the numbers come from the network.
func newMatrix(k, n, n1 int, seed uint32, triangle bool) (*matrix, error) {
	b := &builder{random: random(seed), k: k, m: n - k, n1: n1, work: 1<<20 + 16*n1*n}
	if n > k {
		b.makeLeft()
		b.makeRight(triangle)
	}
	if b.work < 0 {
		return nil, fmt.Errorf("%w: no matrix for %d source and %d repair symbols with N1 %d within a reasonable time",
			fec.ErrCodeSize, k, n-k, n1)
	}
	return b.matrix(), nil
}

// has reports whether source column j, of which h ones are set, has one in row.
func (b *builder) has(row uint32, j, h int) bool {
	for _, r := range b.left[j*b.n1:][:h] {
		if r == row {
			return true
		}
	}
	return false
}

func (b *builder) makeLeft() {
	k, n1, all := b.k, b.n1, b.n1*b.k
	b.left = make([]uint32, all)
	u := make([]uint32, all) // choices, so that ones are spread evenly over the rows
	for h := range u {
		u[h] = uint32(h % b.m)
	}
	t := 0 // the choices before have been made
	for j := range k {
		for h := range n1 {
			i := t
			for i < all && b.has(u[i], j, h) {
				i++
			}
			if b.work -= i - t + 1; b.work < 0 {
				return
			}
			row := uint32(0)
			if i < all {
				for i = t + b.random.below(all-t); b.has(u[i], j, h); i = t + b.random.below(all-t) {
					if b.work--; b.work < 0 {
						return
					}
				}
				row = u[i]
				u[i] = u[t]
				t++
			} else {
				for row = uint32(b.random.below(b.m)); b.has(row, j, h); row = uint32(b.random.below(b.m)) {
					if b.work--; b.work < 0 {
						return
					}
				}
			}
			b.left[j*n1+h] = row
		}
	}
	b.fill()
}

// fill adds ones to rows that have fewer than two.
func (b *builder) fill() {
	degree := make([]uint8, b.m) // up to 2
	only := make([]uint32, b.m)  // the column of a row's last one
	for i, r := range b.left {
		degree[r] = min(degree[r]+1, 2)
		only[r] = uint32(i / b.n1)
	}
	for i := range uint32(b.m) {
		if degree[i] == 0 {
			only[i] = uint32(b.random.below(b.k))
			b.extra = append(b.extra, entry{i, only[i]})
			degree[i] = 1
		}
		if degree[i] == 1 && b.k > 1 {
			j := uint32(b.random.below(b.k))
			for ; j == only[i]; j = uint32(b.random.below(b.k)) {
				if b.work--; b.work < 0 {
					return
				}
			}
			b.extra = append(b.extra, entry{i, j})
		}
	}
}

// makeRight makes the staircase and, with the triangle, what is below it. The entry of
// a row's own repair symbol comes last in the row.
func (b *builder) makeRight(triangle bool) {
	k := uint32(b.k)
	for i := 0; i < b.m; i++ {
		if i > 0 {
			b.right = append(b.right, entry{uint32(i), k + uint32(i) - 1})
			if triangle {
				j := i - 1
				for l := 0; l < j; l++ {
					j = b.random.below(j)
					b.right = append(b.right, entry{uint32(i), k + uint32(j)})
				}
			}
		}
		b.right = append(b.right, entry{uint32(i), k + uint32(i)})
	}
}

// each calls f for every entry, those of a row in the order of columns but for its own
// repair symbol, which is last.
func (b *builder) each(f func(row, col uint32)) {
	for i, r := range b.left {
		f(r, uint32(i/b.n1))
	}
	for _, e := range b.extra {
		f(e.row, e.col)
	}
	for _, e := range b.right {
		f(e.row, e.col)
	}
}

func (b *builder) matrix() *matrix {
	m := &matrix{
		k: b.k, n: b.k + b.m, random: b.random,
		ends:   make([]uint32, b.m+1),
		starts: make([]uint32, b.k+b.m+2),
		cols:   make([]uint32, len(b.left)+len(b.extra)+len(b.right)),
	}
	m.rows = make([]uint32, len(m.cols))
	b.each(func(r, c uint32) {
		m.ends[r+1]++
		m.starts[c+2]++
	})
	for i := range b.m {
		m.ends[i+1] += m.ends[i]
	}
	for c := 2; c < len(m.starts); c++ {
		m.starts[c] += m.starts[c-1]
	}
	b.each(func(r, c uint32) {
		m.cols[m.ends[r]] = c
		m.ends[r]++
		m.rows[m.starts[c+1]] = r
		m.starts[c+1]++
	})
	m.ends, m.starts = m.ends[:b.m], m.starts[:b.k+b.m+1]
	return m
}
