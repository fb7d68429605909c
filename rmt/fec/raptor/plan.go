package raptor

import (
	"sync"

	"github.com/gomulticast/multicast/rmt/fec/internal/sparse"
)

// A coder solves for the intermediate symbols of a block. Its memory is kept from one
// block to the next.
type coder struct {
	p      params
	sys    sparse.System
	solver sparse.Solver
	plan   sparse.Plan
	ldpc   [][]uint32

	in    [][]byte // the symbols of the equations behind the LDPC relations
	buf   []byte   // the intermediate symbols, and one more for the plan's own use
	size  int
	pitch int // from one symbol to the next
}

// pitchOf is the size up to a whole number of cache lines.
func pitchOf(size int) int { return (size + 63) &^ 63 }

// equations fills sys with the relations of the intermediate symbols and those of the
// encoding symbols esis.
func (c *coder) equations(sys *sparse.System, esis []uint32) {
	p := &c.p
	sys.Reset()
	c.ldpc = p.ldpcRows(c.ldpc)
	for _, row := range c.ldpc {
		sys.Add(row...)
	}
	var room [maxDegree]uint32
	for _, x := range esis {
		sys.Add(p.appendRow(room[:0], x)...)
	}
	sys.SetGray(halfMasks(p.h, p.k+p.s), p.k+p.s, int(p.h))
}

// limits let through whatever comes by chance: of 8,192 symbols there are then about
// 230 inactive ones: see TestSystematic.
var limits = sparse.Limits{Inactive: 1024, Bits: 2 << 20}

// solve plans how the intermediate symbols follow from the encoding symbols esis, and
// reports whether they do.
func (c *coder) solve(esis []uint32) bool {
	c.equations(&c.sys, esis)
	return c.solver.Plan(&c.plan, &c.sys, int(c.p.l), limits)
}

// run determines the intermediate symbols by a plan, from encoding symbols in the order
// of its equations. A short one counts as padded with zeros.
func (c *coder) run(pl *sparse.Plan, in [][]byte, size int) {
	c.in, c.size, c.pitch = in, size, pitchOf(size)
	if need := (int(c.p.l) + 1) * c.pitch; cap(c.buf) < need {
		c.buf = make([]byte, need)
	} else {
		c.buf = c.buf[:need]
	}
	pl.Run(c)
}

// Unknown returns intermediate symbol i.
func (c *coder) Unknown(i uint32) []byte {
	at := int(i) * c.pitch
	return c.buf[at : at+c.size : at+c.size]
}

// Scratch returns the symbol behind the intermediate ones.
func (c *coder) Scratch() []byte { return c.Unknown(c.p.l) }

// Constant sets dst to the encoding symbol of an equation; the LDPC relations sum to
// zero.
func (c *coder) Constant(dst []byte, row uint32) {
	if row < c.p.s {
		clear(dst)
		return
	}
	clear(dst[copy(dst, c.in[row-c.p.s]):])
}

// encode sets dst to encoding symbol x.
func (c *coder) encode(dst []byte, x uint32) {
	var room [maxDegree]uint32
	cols := c.p.appendRow(room[:0], x)
	copy(dst, c.Unknown(cols[0]))
	for _, i := range cols[1:] {
		sparse.Add(dst, c.Unknown(i))
	}
}

// maxPlans bounds the memory of plans kept for later use, in bytes. One takes about 120
// bytes a symbol.
const maxPlans = 8 << 20

// An encodingPlan is the plan for all source symbols of a block.
type encodingPlan struct {
	k    uint32
	sys  sparse.System
	plan sparse.Plan
}

var plans struct {
	sync.Mutex
	list  []*encodingPlan // the latest used first
	bytes int
}

func (e *encodingPlan) bytes() int { return e.sys.Bytes() + e.plan.Bytes() }

// encoding returns the plan for the source symbols of a block, from those kept if it is
// there. They determine any block: that is what the systematic index is for (RFC 5053
// section 5.7).
func (c *coder) encoding() *sparse.Plan {
	if e := cached(c.p.k); e != nil {
		return &e.plan
	}
	e := &encodingPlan{k: c.p.k}
	esis := make([]uint32, c.p.k)
	for i := range esis {
		esis[i] = uint32(i)
	}
	c.equations(&e.sys, esis)
	if !c.solver.Plan(&e.plan, &e.sys, int(c.p.l), limits) {
		panic("raptor: the source symbols do not determine the block") // see TestSystematic
	}
	keep(e)
	return &e.plan
}

func cached(k uint32) *encodingPlan {
	plans.Lock()
	defer plans.Unlock()
	for i, e := range plans.list {
		if e.k == k {
			copy(plans.list[1:i+1], plans.list[:i])
			plans.list[0] = e
			return e
		}
	}
	return nil
}

func keep(e *encodingPlan) {
	plans.Lock()
	defer plans.Unlock()
	plans.list = append([]*encodingPlan{e}, plans.list...)
	plans.bytes += e.bytes()
	for n := len(plans.list) - 1; plans.bytes > maxPlans && n > 0; n-- {
		plans.bytes -= plans.list[n].bytes()
		plans.list = plans.list[:n]
	}
}
