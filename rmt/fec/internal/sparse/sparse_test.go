package sparse

import (
	"bytes"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// memory gives a plan its symbols: unknowns and constants are rows of it.
type memory struct {
	unknown  [][]byte
	constant [][]byte
	scratch  []byte
}

func (m *memory) Unknown(c uint32) []byte         { return m.unknown[c] }
func (m *memory) Constant(dst []byte, row uint32) { copy(dst, m.constant[row]) }
func (m *memory) Scratch() []byte                 { return m.scratch }

// random makes a system of n unknowns whose solution is known, with or without a group
// of gray equations.
func random(r *rand.Rand, sys *System, n, rows, degree, gray int) *memory {
	const size = 9
	sys.Reset()
	m := &memory{scratch: make([]byte, size)}
	value := make([][]byte, n)
	for i := range value {
		value[i] = make([]byte, size)
		for j := range value[i] {
			value[i][j] = byte(r.Uint32())
		}
		m.unknown = append(m.unknown, bytes.Repeat([]byte{0xaa}, size))
	}
	if gray > 0 { // the last gray unknowns are sums of the others
		masks := make([]uint32, n-gray)
		for j := range masks {
			masks[j] = r.Uint32() & (1<<gray - 1)
		}
		for i := range gray {
			v := value[n-gray+i]
			clear(v)
			for j, mask := range masks {
				if mask>>i&1 != 0 {
					Add(v, value[j])
				}
			}
		}
		sys.SetGray(masks, uint32(n-gray), gray)
	}
	for range rows {
		c := make([]byte, size)
		for _, i := range r.Perm(n)[:1+r.IntN(min(degree, n))] {
			sys.Put(uint32(i))
			Add(c, value[i])
		}
		sys.End()
		m.constant = append(m.constant, c)
	}
	m.constant = append(m.constant, value...) // what is expected, behind
	return m
}

// rank is that of the system by plain elimination, for up to 64 unknowns.
func rank(sys *System) int {
	var rows []uint64
	for r := range uint32(sys.rows()) {
		v := uint64(0)
		for _, c := range sys.row(r) {
			v |= 1 << c
		}
		rows = append(rows, v)
	}
	for i := range sys.grayN {
		v := uint64(1) << (sys.grayOwn + uint32(i))
		for j, mask := range sys.gray {
			v |= uint64(mask>>i&1) << j
		}
		rows = append(rows, v)
	}
	rank := 0
	for len(rows) > 0 {
		v := rows[0]
		rows = rows[1:]
		if v == 0 {
			continue
		}
		rank++
		low := bits.TrailingZeros64(v)
		for i, w := range rows {
			if w>>low&1 != 0 {
				rows[i] ^= v
			}
		}
	}
	return rank
}

// TestSolve solves systems of all shapes: those of full rank, and no others, with the
// values they were made from.
func TestSolve(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var sys System
	var s Solver
	var p Plan
	solved := 0
	for range 4000 {
		n := 1 + r.IntN(64)
		gray := r.IntN(min(n, 17))
		rows := max(n-gray+r.IntN(12)-3, 0)
		m := random(r, &sys, n, rows, 1+r.IntN(8), gray)
		full := rank(&sys) == n
		if got := s.Plan(&p, &sys, n, Limits{Inactive: n, Bits: 1 << 20}); got != full {
			t.Fatalf("%d unknowns, %d equations and %d gray ones: solved %t, of full rank %t", n, rows, gray, got, full)
		}
		if !full {
			continue
		}
		solved++
		p.Run(m)
		for i, v := range m.unknown {
			if !bytes.Equal(v, m.constant[rows+i]) {
				t.Fatalf("%d unknowns, %d equations and %d gray ones: unknown %d is % x, want % x", n, rows, gray, i, v, m.constant[rows+i])
			}
		}
	}
	if solved < 500 || solved > 3500 {
		t.Errorf("%d of 4,000 solved", solved)
	}
}

// TestLimits: a system beyond the limits is not solved.
func TestLimits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var sys System
	var s Solver
	var p Plan
	random(r, &sys, 60, 100, 60, 0)
	if !s.Plan(&p, &sys, 60, Limits{Inactive: 60, Bits: 1 << 20}) {
		t.Fatal("not solved")
	}
	u := s.Inactive()
	if u < 2 {
		t.Fatalf("%d inactive", u)
	}
	for _, l := range []Limits{{Inactive: u - 1, Bits: 1 << 20}, {Inactive: u, Bits: 100}, {}} {
		if s.Plan(&p, &sys, 60, l) {
			t.Errorf("solved within %+v", l)
		}
	}
	if !s.Plan(&p, &sys, 60, Limits{Inactive: u, Bits: 1 << 20}) {
		t.Error("not solved within exact limits")
	}
}
