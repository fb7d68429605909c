package ldpc

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/fec/internal/sparse"
)

// limits bound the Gaussian elimination. Of 5,000 symbols, N1 5, some 250 are inactive
// when just enough have come, and fewer with each one more; see TestOverhead. Blocks so
// long that it is beyond the limits take more symbols.
var limits = sparse.Limits{Inactive: 2048, Bits: 32 << 20}

// A decoder is an LDPC code as a fec.BlockDecoder. Source symbols are kept in the block,
// repair symbols beside it.
type decoder struct {
	*shared
	size   int
	m      *matrix // nil when there is no block
	sbn    uint32
	block  []byte
	repair []byte // room for all repair symbols
	have   []bool // by encoding symbol ID: it is at hand
	n      int    // how many are
	next   int    // as many must be at hand for elimination to be tried
	done   bool

	// The trivial algorithm, without symbols: what would follow if it were run.
	known []bool   // by encoding symbol ID: at hand, or it follows
	lack  []uint32 // by row: its unknown symbols
	xor   []uint32 // their numbers, added without carry: of one, it is that
	queue []uint32
	left  int // source symbols not known
}

// shared is what siblings have in common.
type shared struct {
	*code
	sys     sparse.System
	solver  sparse.Solver
	plan    sparse.Plan
	number  []uint32 // by encoding symbol ID: its number as an unknown, plus one
	unknown []uint32 // encoding symbol IDs of the unknowns
	rows    []uint32 // rows of the matrix that are equations of sys
	scratch []byte
}

func newDecoder(o *fec.OTI, limit int64) (fec.BlockDecoder, error) {
	if err := fec.CheckMemory(memory(o), limit); err != nil {
		return nil, err
	}
	c, err := newCode(o)
	if err != nil {
		return nil, err
	}
	return &decoder{shared: &shared{code: c}, size: int(o.SymbolSize)}, nil
}

// memory is that of the repair symbols, of the matrix - twice, for two lengths of
// blocks - and of the equations and their solution.
func memory(o *fec.OTI) int64 {
	p, err := o.Partition()
	if err != nil || o.MaxBlockLen == 0 {
		return 0
	}
	c := code{oti: *o, n1: max(int(o.N1), 3)}
	k := p.BlockLen(0)
	n := int64(c.symbols(k))
	entries := int64(c.n1)*int64(k) + 4*(n-int64(k))
	if o.EncodingID == fec.LDPCTriangle {
		entries += 20 * (n - int64(k))
	}
	if o.G > 1 {
		entries += n - int64(k) // of the groups
	}
	words := n - int64(k) // unknowns, for the elimination
	return (n-int64(k))*int64(o.SymbolSize) + 32*entries + 80*n + min(int64(limits.Bits), 16*words+words*words/64) + 4096
}

func (d *decoder) Sibling() fec.BlockDecoder { return &decoder{shared: d.shared, size: d.size} }

func (d *decoder) Start(sbn uint32, block []byte) error {
	d.m = nil
	k, err := d.part.CheckStart(sbn, len(block))
	if err != nil {
		return err
	}
	m, err := d.matrix(k)
	if err != nil {
		return err
	}
	d.m, d.sbn, d.block = m, sbn, block[:k*d.size]
	d.n, d.next, d.left, d.done = 0, k, k, false
	d.have, d.known = fresh(d.have, m.n), fresh(d.known, m.n)
	d.lack, d.xor = fresh(d.lack, m.n-k), fresh(d.xor, m.n-k)
	for i := range d.lack {
		row := m.row(i)
		d.lack[i] = uint32(len(row))
		for _, c := range row {
			d.xor[i] ^= c
		}
	}
	return nil
}

// fresh returns n zeros, in the memory of s if it suffices.
func fresh[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

func (d *decoder) Add(esi uint32, symbol []byte) (bool, error) {
	if d.m == nil || uint64(esi) >= uint64(d.m.n) || !d.part.FitsSymbol(d.sbn, esi, len(symbol)) {
		return d.solvable(), fec.ErrBadSymbol
	}
	if !d.done && !d.have[esi] {
		d.have[esi] = true
		d.n++
		to := d.at(esi)
		clear(to[copy(to, symbol):])
		d.follow(esi)
	}
	return d.solvable(), nil
}

// at returns the memory of a symbol.
func (d *decoder) at(esi uint32) []byte {
	if int(esi) < d.m.k {
		return d.block[int(esi)*d.size:][:d.size]
	}
	if need := (d.m.n - d.m.k) * d.size; len(d.repair) < need {
		d.repair = make([]byte, need)
	}
	return d.repair[(int(esi)-d.m.k)*d.size:][:d.size]
}

// follow notes that a symbol is known, and what is known by it.
func (d *decoder) follow(esi uint32) {
	d.queue = append(d.queue[:0], esi)
	for len(d.queue) > 0 {
		c := d.queue[len(d.queue)-1]
		d.queue = d.queue[:len(d.queue)-1]
		if d.known[c] {
			continue
		}
		d.known[c] = true
		if int(c) < d.m.k {
			d.left--
		}
		for _, r := range d.m.rowsOf(c) {
			d.lack[r]--
			if d.xor[r] ^= c; d.lack[r] == 1 {
				d.queue = append(d.queue, d.xor[r])
			}
		}
	}
}

func (d *decoder) solvable() bool {
	return d.m != nil && (d.left == 0 || d.n >= d.next)
}

// Missing cannot say more than that a block takes as many symbols as it has.
func (d *decoder) Missing() int {
	if d.m == nil || d.solvable() {
		return 0
	}
	return max(d.next-d.n, 1)
}

func (d *decoder) Solve() error {
	switch {
	case !d.solvable():
		return fmt.Errorf("%w: %d symbols", fec.ErrNeedMore, d.n)
	case d.done:
		return nil
	}
	if !d.haveSource() {
		if !d.recover() {
			// Elimination is some work: not after each symbol.
			d.next = d.n + 1 + d.m.k/256
			return fmt.Errorf("%w: %d for %d do not suffice", fec.ErrNeedMore, d.n, d.m.k)
		}
	}
	d.left, d.done = 0, true
	return nil
}

func (d *decoder) haveSource() bool {
	for _, have := range d.have[:d.m.k] {
		if !have {
			return false
		}
	}
	return true
}

// recover determines what is not at hand: if the trivial algorithm does for the source
// symbols, what follows by it, otherwise everything.
func (d *decoder) recover() bool {
	s := d.shared
	s.number = fresh(s.number, d.m.n)
	s.unknown, s.rows = s.unknown[:0], s.rows[:0]
	for c, have := range d.have {
		if !have && (d.left > 0 || d.known[c]) {
			s.unknown = append(s.unknown, uint32(c))
			s.number[c] = uint32(len(s.unknown))
		}
	}
	s.sys.Reset()
	for i := range d.m.n - d.m.k {
		if d.left == 0 && d.lack[i] > 0 {
			continue // it has a symbol that is not needed
		}
		unknowns := 0
		for _, c := range d.m.row(i) {
			if no := s.number[c]; no > 0 {
				s.sys.Put(no - 1)
				unknowns++
			}
		}
		if unknowns > 0 {
			s.sys.End()
			s.rows = append(s.rows, uint32(i))
		}
	}
	if !s.solver.Plan(&s.plan, &s.sys, len(s.unknown), limits) {
		return false
	}
	if len(s.scratch) < d.size {
		s.scratch = make([]byte, d.size)
	}
	s.plan.Run((*values)(d))
	return true
}

// values gives the plan its symbols.
type values decoder

func (v *values) Unknown(no uint32) []byte { return (*decoder)(v).at(v.unknown[no]) }

func (v *values) Scratch() []byte { return v.scratch[:v.size] }

// Constant sets dst to what is at hand in a row.
func (v *values) Constant(dst []byte, eq uint32) {
	clear(dst)
	for _, c := range v.m.row(int(v.rows[eq])) {
		if v.number[c] == 0 {
			sparse.Add(dst, (*decoder)(v).at(c))
		}
	}
}
