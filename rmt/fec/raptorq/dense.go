package raptorq

import (
	"math/bits"
	"slices"
)

// dense is the second phase (RFC 6330 section 5.4.2.3): the inactive columns, from
// the rows that are no pivot's and the HDPC relations. Coefficients of the former
// are bits, eight bytes of them a word.
type dense struct {
	u, words int

	// up has what each solved column is in inactive columns, by column.
	up []uint64

	row     []uint64 // the lower row being reduced
	lower   []uint64 // the lower rows in use, reduced, by the column they lead to
	has     []bool   // by inactive column: there is such a row
	free    []uint16 // inactive columns without
	mask    []uint16 // by inactive column: which free columns its row has
	hd      []uint64 // HDPC relations, a byte for each inactive column
	running []uint64
}

// solve makes the plan, or returns false when the rank is too low.
func (d *dense) solve(m *planner, pl *plan) bool {
	d.u = len(m.uCols)
	d.words = (d.u + 63) / 64
	*pl = plan{
		p:       m.p,
		pivots:  pl.pivots[:0],
		lower:   pl.lower[:0],
		steps:   pl.steps[:0],
		isPivot: pl.isPivot,
		pairs:   pl.pairs,
		rest:    pl.rest[:0],
	}
	d.pivots(m, pl)
	d.eliminate(m, pl)
	return d.finish(m, pl)
}

func (d *dense) upper(c uint16) []uint64 { return d.up[int(c)*d.words:][:d.words] }

func (d *dense) lowerRow(u int) []uint64 { return d.lower[u*d.words:][:d.words] }

// sum sets row to what the columns cols are in inactive columns, all but the
// column not.
func (d *dense) sum(m *planner, row []uint64, cols []uint16, not uint16) {
	for _, c := range cols {
		if m.role[c] == inactive {
			u := m.uIndex[c]
			row[u>>6] ^= 1 << (u & 63)
		} else if c != not {
			for i, v := range d.upper(c) {
				row[i] ^= v
			}
		}
	}
}

// pivots expresses the solved columns in inactive ones, and writes their rows.
func (d *dense) pivots(m *planner, pl *plan) {
	s := int(m.p.s)
	d.up = resize(d.up, int(m.p.l)*d.words)
	n := 4 * len(m.pivots)
	for _, pv := range m.pivots {
		n += len(m.row(int(pv.row))) - 1
	}
	pl.pivots = slices.Grow(pl.pivots, n)
	pl.isPivot = resize(pl.isPivot, int(m.p.l+63)/64)
	for _, pv := range m.pivots {
		pl.isPivot[pv.col>>6] |= 1 << (pv.col & 63)
		cols := m.row(int(pv.row))
		d.sum(m, d.upper(pv.col), cols, pv.col)

		in := uint16(none)
		if int(pv.row) >= s {
			in = pv.row - uint16(s)
		}
		at := len(pl.pivots)
		pl.pivots = append(pl.pivots, pv.col, in, 0, uint16(len(cols)-1))
		for _, c := range cols {
			if c != pv.col && m.role[c] == solved {
				pl.pivots = append(pl.pivots, c)
			}
		}
		pl.pivots[at+2] = uint16(len(pl.pivots) - at - 4)
		for _, c := range cols {
			if m.role[c] == inactive {
				pl.pivots = append(pl.pivots, c)
			}
		}
	}
}

// eliminate reduces the rows that are no pivot's, one after another until there
// are enough, to a row each for as many inactive columns as they can give. A row
// leads to the first column it has left; then each row is rid of the columns that
// later ones lead to.
func (d *dense) eliminate(m *planner, pl *plan) {
	s := int(m.p.s)
	d.lower = slices.Grow(d.lower[:0], d.u*d.words)[:d.u*d.words]
	d.has = resize(d.has, d.u)
	rank := 0
	rows := len(m.lt)
	for i := range rows {
		r := (i + s) % rows // LDPC relations last, they have most columns
		if m.chosen[r] {
			continue
		}
		if rank == d.u {
			break
		}
		d.row = resize(d.row, d.words)
		cols := m.row(r)
		d.sum(m, d.row, cols, none)
		mark := len(pl.steps)
		lead := d.reduce(m, pl, d.row)
		if lead < 0 {
			pl.steps = pl.steps[:mark]
			continue
		}
		slot := m.uCols[lead]
		for i := mark; i < len(pl.steps); i++ {
			pl.steps[i].dst = slot
		}
		copy(d.lowerRow(lead), d.row)
		d.has[lead] = true
		rank++

		in := uint16(none)
		if r >= s {
			in = uint16(r - s)
		}
		at := len(pl.lower)
		pl.lower = append(pl.lower, slot, in, 0)
		for _, c := range cols {
			if m.role[c] == solved {
				pl.lower = append(pl.lower, c)
			}
		}
		pl.lower[at+2] = uint16(len(pl.lower) - at - 3)
	}
	d.backward(m, pl)
}

// reduce subtracts the lower rows there are from row, until it has a column that
// none leads to, which it returns, or is used up: -1.
func (d *dense) reduce(m *planner, pl *plan, row []uint64) int {
	for i := range row {
		for row[i] != 0 {
			u := i<<6 + bits.TrailingZeros64(row[i])
			if !d.has[u] {
				return u
			}
			for j, v := range d.lowerRow(u) {
				row[j] ^= v
			}
			pl.steps = append(pl.steps, step{src: m.uCols[u], c: 1})
		}
	}
	return -1
}

// backward rids each lower row of the columns that other ones lead to, so that
// only free columns are left beside its own.
func (d *dense) backward(m *planner, pl *plan) {
	d.free = d.free[:0]
	for u := range d.u {
		if !d.has[u] {
			d.free = append(d.free, uint16(u))
		}
	}
	for u := d.u - 1; u >= 0; u-- {
		if !d.has[u] {
			continue
		}
		row := d.lowerRow(u)
		for i := u >> 6; i < d.words; i++ {
			v := row[i]
			if i == u>>6 {
				v &^= 1<<(u&63+1) - 1
			}
			for ; v != 0; v &= v - 1 {
				other := i<<6 + bits.TrailingZeros64(v)
				if !d.has[other] {
					continue
				}
				// The other row has its own column and free ones, so
				// what is still to be looked at does not change.
				for j, w := range d.lowerRow(other) {
					row[j] ^= w
				}
				pl.steps = append(pl.steps, step{m.uCols[u], m.uCols[other], 1})
			}
		}
	}
}
