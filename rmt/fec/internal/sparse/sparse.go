// Package sparse solves sparse systems of linear equations over GF(2) whose unknowns
// and constants are symbols: slices of bytes of one size. It is what decoding comes to
// with Raptor and the LDPC codes, and encoding with Raptor.
//
// A [Solver] works out a [Plan] from the equations alone, without any symbol:
// which unknown follows from which equation, in what order. Running the plan does it.
package sparse

// A System holds equations: which unknowns each has. Unknowns have numbers from 0.
// The zero System is empty; Reset makes it so again and keeps its memory.
type System struct {
	cols []uint32 // the unknowns of all equations, one equation after another
	ends []uint32 // where each equation ends in cols

	// gray, if any, stands for a last group of equations with many unknowns; see
	// SetGray.
	gray    []uint32
	grayOwn uint32 // the first of the unknowns that each has for itself
	grayN   int
}

// Reset takes all equations out.
func (s *System) Reset() { s.cols, s.ends, s.gray, s.grayN = s.cols[:0], s.ends[:0], nil, 0 }

// Add appends an equation, the unknowns cols, all different.
func (s *System) Add(cols ...uint32) {
	s.cols = append(s.cols, cols...)
	s.ends = append(s.ends, uint32(len(s.cols)))
}

// Put adds an unknown to the equation that the next End ends.
func (s *System) Put(col uint32) { s.cols = append(s.cols, col) }

// End ends an equation whose unknowns were added by Put.
func (s *System) End() { s.ends = append(s.ends, uint32(len(s.cols))) }

// SetGray adds n equations that are worked out together, at three additions for each
// entry of masks instead of one for each bit in it: equation i has unknown j if bit i
// of masks[j] is set, and unknown own+i; it sums to zero. They are cheap if masks
// changes by few bits from one entry to the next, as a Gray sequence does. masks is
// kept. n is at most 32.
func (s *System) SetGray(masks []uint32, own uint32, n int) {
	s.gray, s.grayOwn, s.grayN = masks, own, n
}

// rows returns how many equations there are, but for those of SetGray.
func (s *System) rows() int { return len(s.ends) }

// row returns the unknowns of equation r.
func (s *System) row(r uint32) []uint32 {
	from := uint32(0)
	if r > 0 {
		from = s.ends[r-1]
	}
	return s.cols[from:s.ends[r]]
}

// A Plan says how the unknowns of a System follow. It needs the System it was made
// from, unchanged. It may be used by several goroutines at once.
type Plan struct {
	sys    *System
	pivots []pivot
	leads  []pivot // equations that determine inactive unknowns
	steps  []step
	gray   uint32 // the equations of SetGray among leads, a bit each
	solved []bool // by unknown: a pivot gives it
}

// A pivot is an equation used to determine an unknown.
type pivot struct {
	row, col uint32
	again    bool // other unknowns of the row depend on inactive ones
}

// A step adds unknown src to unknown dst.
type step struct{ dst, src uint32 }

// bit 31 of a lead's row says that it is an equation of SetGray.
const grayRow = 1 << 31

// Bytes returns about how much memory the equations take.
func (s *System) Bytes() int { return 4 * (cap(s.cols) + cap(s.ends)) }

// Bytes returns about how much memory the plan takes, without its System.
func (p *Plan) Bytes() int { return 12*(cap(p.pivots)+cap(p.leads)) + 8*cap(p.steps) + cap(p.solved) }

// Values gives a plan its symbols.
type Values interface {
	// Unknown returns the memory of an unknown, to be written.
	Unknown(col uint32) []byte

	// Constant sets dst to what the unknowns of an equation sum to.
	Constant(dst []byte, row uint32)

	// Scratch returns memory for one symbol more.
	Scratch() []byte
}

// Run determines the unknowns.
func (p *Plan) Run(v Values) {
	// Pivots as far as other pivots make them up, and then what their equations
	// leave over for the inactive unknowns.
	for _, pv := range p.pivots {
		p.sum(v, pv, false)
	}
	for _, l := range p.leads {
		if l.row&grayRow == 0 {
			p.sum(v, l, false)
		}
	}
	if p.gray != 0 {
		p.sumGray(v)
	}
	for _, s := range p.steps {
		Add(v.Unknown(s.dst), v.Unknown(s.src))
	}
	// Now that the inactive unknowns are there, the pivots that need them.
	for _, pv := range p.pivots {
		if pv.again {
			p.sum(v, pv, true)
		}
	}
}

// sum sets an unknown to its equation's constant and other unknowns: all of them, or
// those that a pivot gives.
func (p *Plan) sum(v Values, pv pivot, all bool) {
	dst := v.Unknown(pv.col)
	v.Constant(dst, pv.row)
	for _, c := range p.sys.row(pv.row) {
		if c != pv.col && (all || p.solved[c]) {
			Add(dst, v.Unknown(c))
		}
	}
}

// sumGray does the same for the equations of SetGray: where a bit of the masks changes,
// the sum of all unknowns before that belongs to its equation, twice taken where it is
// set again.
func (p *Plan) sumGray(v Values) {
	var dst [32][]byte
	for _, l := range p.leads {
		if l.row&grayRow != 0 {
			i := l.row &^ grayRow
			dst[i] = v.Unknown(l.col)
			clear(dst[i])
			if own := p.sys.grayOwn + i; p.solved[own] {
				Add(dst[i], v.Unknown(own))
			}
		}
	}
	sum := v.Scratch()
	clear(sum)
	last := uint32(0)
	for j, mask := range p.sys.gray {
		p.toggle(&dst, (mask^last)&p.gray, sum)
		last = mask
		if p.solved[j] {
			Add(sum, v.Unknown(uint32(j)))
		}
	}
	p.toggle(&dst, last&p.gray, sum)
}
