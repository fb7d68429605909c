package sparse

// A Solver makes plans. It keeps its memory from one to the next. It is not for
// concurrent use.
type Solver struct {
	sys    *System
	plan   *Plan
	limits Limits

	// by equation
	degree []uint32 // active unknowns
	xor    []uint32 // their numbers, added without carry: with one, it is that
	used   []bool   // it is a pivot

	// by unknown
	state  []uint32 // active, solved, or inactive with its index
	starts []uint32 // where its equations begin in rowsOf
	rowsOf []uint32

	ready    []uint32 // equations of one active unknown
	pairs    clumps
	active   int
	inactive []uint32 // unknowns by index

	dense
}

// Limits bound what a plan may take; where a system exceeds them, it is not solved.
type Limits struct {
	// Inactive is how many unknowns may be left to dense elimination, whose work
	// grows with the cube of their number.
	Inactive int

	// Bits is the memory in bytes for the equations in terms of inactive
	// unknowns.
	Bits int
}

// States of unknowns; from stateInactive on its index is added.
const (
	stateActive = iota
	stateSolved
	stateInactive
)

// Plan works out how n unknowns follow from the equations of sys, and says so in p. It
// returns false when they do not, or exceed the limits.
func (s *Solver) Plan(p *Plan, sys *System, n int, limits Limits) bool {
	s.sys, s.plan, s.limits = sys, p, limits
	p.sys = sys
	p.pivots, p.leads, p.steps, p.gray = p.pivots[:0], p.leads[:0], p.steps[:0], 0
	p.solved = resize(p.solved, n)
	if sys.rows()+sys.grayN < n {
		return false
	}
	s.index(n)
	if !s.peel() || !s.eliminate() {
		return false
	}
	return true
}

// Inactive returns how many unknowns the last plan left to dense elimination.
func (s *Solver) Inactive() int { return len(s.inactive) }

// index notes the equations of each unknown.
func (s *Solver) index(n int) {
	sys := s.sys
	s.state = resize(s.state, n)
	s.starts = resize(s.starts, n+1)
	for _, c := range sys.cols {
		s.starts[c]++
	}
	sum := uint32(0)
	for c, k := range s.starts {
		sum += k
		s.starts[c] = sum
	}
	s.rowsOf = grow(s.rowsOf, len(sys.cols))
	rows := sys.rows()
	s.degree, s.xor, s.used = resize(s.degree, rows), resize(s.xor, rows), resize(s.used, rows)
	for r := range uint32(rows) {
		cols := sys.row(r)
		s.degree[r] = uint32(len(cols))
		for _, c := range cols {
			s.xor[r] ^= c
			s.starts[c]--
			s.rowsOf[s.starts[c]] = r
		}
	}
	s.active = n
	s.ready, s.inactive = s.ready[:0], s.inactive[:0]
	s.pairs.reset(n)
}

// peel takes equations of one active unknown for pivots, which takes the unknown out of
// all others. When there is no such equation, an unknown is made inactive: its value
// is found at the end, by dense elimination, so there should be few.
func (s *Solver) peel() bool {
	for r := range uint32(s.sys.rows()) {
		s.file(r)
	}
	for {
		for len(s.ready) > 0 {
			r := s.ready[len(s.ready)-1]
			s.ready = s.ready[:len(s.ready)-1]
			if s.degree[r] != 1 { // another equation gave this unknown
				continue
			}
			c := s.xor[r]
			s.used[r] = true
			s.plan.pivots = append(s.plan.pivots, pivot{row: r, col: c})
			s.plan.solved[c] = true
			s.state[c] = stateSolved
			s.remove(c)
		}
		if s.active == 0 {
			return true
		}
		if len(s.inactive) == s.limits.Inactive {
			return false
		}
		c := s.stuck()
		s.state[c] = stateInactive + uint32(len(s.inactive))
		s.inactive = append(s.inactive, c)
		s.remove(c)
	}
}

// remove takes unknown c, no longer active, out of its equations.
func (s *Solver) remove(c uint32) {
	s.active--
	for _, r := range s.rowsOf[s.starts[c]:s.starts[c+1]] {
		s.degree[r]--
		s.xor[r] ^= c
		s.file(r)
	}
}

// file notes equations by how many active unknowns they have left.
func (s *Solver) file(r uint32) {
	switch s.degree[r] {
	case 1:
		s.ready = append(s.ready, r)
	case 2:
		for _, c := range s.sys.row(r) {
			if s.state[c] == stateActive {
				s.pairs.join(c, s.xor[r]^c)
				return
			}
		}
	}
}

// stuck picks the unknown to be made inactive: one of the largest set that equations
// of two active unknowns hold together, for the rest of the set follows from it; else
// one of the most equations.
func (s *Solver) stuck() uint32 {
	if c, ok := s.pairs.largest(s.state); ok {
		return c
	}
	best, most := uint32(0), -1
	for c, st := range s.state {
		if n := int(s.starts[c+1] - s.starts[c]); st == stateActive && n > most {
			best, most = uint32(c), n
		}
	}
	return best
}

func resize[T any](s []T, n int) []T {
	s = grow(s, n)
	clear(s)
	return s
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
