package raptorq

import "slices"

// A planner solves the system of RFC 6330 section 5.4.2 for a set of symbols,
// without touching their data, and writes down how as a plan. It keeps its memory
// for the next one.
//
// Rows are numbered: LDPC relations first, 0 to S-1, then the symbols given. The
// HDPC relations are dense and apart from them: they are left for the end.
type planner struct {
	p *params

	// The rows, one after another: row r is cols[start[r]:start[r+1]], of which
	// the first lt[r] are LT symbols.
	start []uint32
	cols  []uint16
	lt    []uint16

	// The rows by LT column, the same way.
	colStart []uint32
	colRows  []uint16

	// What is left of each row while peeling: how many active columns, and their
	// exclusive or, which is the last one's number when there is one.
	degree, sum []uint16

	role    []uint8  // by column
	uIndex  []uint16 // by inactive column, its place in uCols
	uCols   []uint16
	pivots  []pivot // in the order they were found
	chosen  []bool  // by row: it is a pivot's
	ready   []uint16
	heavy   []uint16 // as ready, LDPC rows
	clumps  clumps
	active  int
	scratch []uint32

	dense dense
}

// A pivot is a row that gives the value of a column.
type pivot struct{ row, col uint16 }

// Roles of a column.
const (
	active   = iota // not decided
	solved          // a pivot's: the value comes from a sparse row
	inactive        // the value comes from the dense rest
)

// resize returns s with length n and all zeros.
func resize[T any](s []T, n int) []T {
	s = slices.Grow(s[:0], n)[:n]
	clear(s)
	return s
}

// plan makes pl the plan for symbols with internal symbol IDs isi, at most maxRows,
// using its memory again, and reports whether they determine the block; if not, pl
// is of no use.
func (m *planner) plan(pl *plan, p *params, isi []uint32) bool {
	m.p = p
	m.build(isi)
	return m.peel() && m.dense.solve(m, pl)
}

// build lays out the rows.
func (m *planner) build(isi []uint32) {
	p := m.p
	s, rows := int(p.s), int(p.s)+len(isi)
	m.start = resize(m.start, rows+1)
	m.lt = resize(m.lt, rows)

	// LDPC relations (section 5.3.3.3): count, then fill.
	each := func(f func(row, col uint32)) {
		for i := range p.b {
			a, b := 1+i/p.s, i%p.s
			for range 3 {
				f(b, i)
				b = (b + a) % p.s
			}
		}
		for r := range p.s {
			f(r, p.b+r)
		}
	}
	each(func(row, _ uint32) { m.lt[row]++ })
	n := uint32(0)
	for r := range s {
		m.start[r] = n
		n += uint32(m.lt[r]) + 2
	}
	m.cols = slices.Grow(m.cols[:0], int(n)+8*len(isi))[:n]
	m.scratch = append(m.scratch[:0], m.start[:s]...)
	each(func(row, col uint32) {
		m.cols[m.scratch[row]] = uint16(col)
		m.scratch[row]++
	})
	for r := range p.s {
		at := m.scratch[r]
		m.cols[at], m.cols[at+1] = uint16(p.w+r%p.p), uint16(p.w+(r+1)%p.p)
	}

	for i, x := range isi {
		m.start[s+i] = uint32(len(m.cols))
		var d int
		m.cols, d = p.appendRow(m.cols, x)
		m.lt[s+i] = uint16(d)
	}
	m.start[rows] = uint32(len(m.cols))
	m.transpose()
}

// transpose lists the rows of each LT column.
func (m *planner) transpose() {
	w := int(m.p.w)
	m.colStart = resize(m.colStart, w+1)
	total := uint32(0)
	for r, n := range m.lt {
		total += uint32(n)
		for _, c := range m.ltCols(r) {
			m.colStart[c]++
		}
	}
	sum := uint32(0)
	for c, n := range m.colStart {
		m.colStart[c] = sum
		sum += n
	}
	m.colRows = slices.Grow(m.colRows[:0], int(total))[:total]
	m.scratch = append(m.scratch[:0], m.colStart...)
	for r := range m.lt {
		for _, c := range m.ltCols(r) {
			m.colRows[m.scratch[c]] = uint16(r)
			m.scratch[c]++
		}
	}
}

func (m *planner) row(r int) []uint16 { return m.cols[m.start[r]:m.start[r+1]] }

func (m *planner) ltCols(r int) []uint16 { return m.cols[m.start[r]:][:m.lt[r]] }

func (m *planner) rowsOf(c uint16) []uint16 { return m.colRows[m.colStart[c]:m.colStart[c+1]] }
