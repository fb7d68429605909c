package raptorq

// slots is the memory a plan works on: symbols of one size.
type slots struct {
	buf    []byte
	size   int
	stride int // size, up to a whole number of vectors
}

// vector is the alignment of slots in bytes: a cache line, and the width of the
// widest vector instructions.
const vector = 64

func strideOf(size int) int { return (size + vector - 1) &^ (vector - 1) }

// resize makes room for n slots of size bytes, contents undefined.
func (s *slots) resize(n, size int) {
	s.size, s.stride = size, strideOf(size)
	if need := n * s.stride; cap(s.buf) < need {
		s.buf = make([]byte, need)
	} else {
		s.buf = s.buf[:need]
	}
}

func (s *slots) at(i uint16) []byte {
	o := int(i) * s.stride
	return s.buf[o : o+s.size : o+s.size]
}

// set copies src to dst, padding with zeros.
func set(dst, src []byte) { clear(dst[copy(dst, src):]) }

// add adds src, at most as long, to dst.
func add(dst, src []byte) { mul.GalMulSliceXor(1, src, dst) }

// run does what the plan says with the symbols in, of which a short one counts as
// padded with zeros, nil or one beyond the end as all zeros. Then slots 0 to L-1 of
// s, which has room for L+slotsMore, are the intermediate symbols.
func (pl *plan) run(s *slots, in [][]byte) {
	input := func(i uint16) []byte {
		if int(i) < len(in) {
			return in[i]
		}
		return nil
	}
	// Values of pivots, as far as other pivots make them up.
	for r := pl.pivots; len(r) > 0; {
		dst, from, n, all := s.at(r[0]), input(r[1]), r[2], r[3]
		gather(s, dst, from, r[4:][:n])
		r = r[4+int(all):]
	}
	for r := pl.lower; len(r) > 0; {
		dst, from, n := s.at(r[0]), input(r[1]), r[2]
		gather(s, dst, from, r[3:][:n])
		r = r[3+int(n):]
	}
	s.steps(pl.steps)
	if pl.hdpc != 0 {
		pl.relations(s)
		s.steps(pl.rest)
	}
	// Now that the inactive columns are known, the pivots from their rows.
	for r := pl.pivots; len(r) > 0; {
		dst, from, all := s.at(r[0]), input(r[1]), r[3]
		gather(s, dst, from, r[4:][:all])
		r = r[4+int(all):]
	}
}

// gather sets dst to from and the slots cols added up.
func gather(s *slots, dst, from []byte, cols []uint16) {
	if from == nil && len(cols) > 0 {
		from, cols = s.at(cols[0]), cols[1:]
	}
	set(dst, from)
	for _, c := range cols {
		add(dst, s.at(c))
	}
}

func (s *slots) steps(steps []step) {
	for _, st := range steps {
		switch dst, src := s.at(st.dst), s.at(st.src); {
		case st.c == 0:
			copy(dst, src)
		case st.dst == st.src:
			mul.GalMulSlice(st.c, src, dst)
		default:
			mul.GalMulSliceXor(st.c, src, dst)
		}
	}
}

// relations sums the pivots' values by the HDPC relations in use; compare
// dense.relations.
func (pl *plan) relations(s *slots) {
	p := pl.p
	l := uint16(p.l)
	for r := range uint16(p.h) {
		if pl.hdpc>>r&1 != 0 {
			clear(s.at(l + slotHDPC + r))
		}
	}
	g, next := s.at(l+slotPing), s.at(l+slotPong)
	clear(g)
	last := p.kp + p.s - 1
	for j := uint32(0); j <= last; j++ {
		mul.GalMulSlice(2, g, next)
		g, next = next, g
		if pl.isPivot[j>>6]>>(j&63)&1 != 0 {
			add(g, s.at(uint16(j)))
		}
		if j == last {
			break
		}
		r1, r2 := pl.pairs[j]&15, pl.pairs[j]>>4
		if pl.hdpc>>r1&1 != 0 {
			add(s.at(l+slotHDPC+uint16(r1)), g)
		}
		if pl.hdpc>>r2&1 != 0 {
			add(s.at(l+slotHDPC+uint16(r2)), g)
		}
	}
	for r := range uint16(p.h) {
		if pl.hdpc>>r&1 != 0 {
			mul.GalMulSliceXor(octExp[r], g, s.at(l+slotHDPC+r))
		}
	}
}

// encode sets dst, as long as a slot, to the symbol with internal symbol ID x: the sum
// of intermediate symbols that Enc of RFC 6330 section 5.3.5.3 says.
func (s *slots) encode(p *params, dst []byte, x uint32) {
	var room [maxDegree]uint16
	cols, _ := p.appendRow(room[:0], x)
	copy(dst, s.at(cols[0]))
	for _, c := range cols[1:] {
		add(dst, s.at(c))
	}
}
