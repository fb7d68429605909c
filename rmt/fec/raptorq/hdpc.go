package raptorq

import (
	"math/bits"
	"slices"
)

// finish gives the free columns, those that no binary row leads to, by the HDPC
// relations. It reports whether there is a solution.
func (d *dense) finish(m *planner, pl *plan) bool {
	free := len(d.free)
	if free == 0 {
		return true
	}
	h := int(m.p.h)
	if free > h {
		return false
	}
	d.masks()
	d.relations(m, pl)

	// Reduce each relation to the free columns, and solve.
	l := uint16(m.p.l)
	var rows [16][16]uint8 // by free column it leads to
	var lead [16]int       // the relation it is from
	var has [16]bool
	rank := 0
	for r := 0; r < h && rank < free; r++ {
		slot := l + slotHDPC + uint16(r)
		mark := len(pl.rest)
		row := d.reduceRelation(m, pl, r)
		at := -1
		for t := range free {
			c := row[t]
			if c == 0 {
				continue
			}
			if !has[t] {
				at = t
				break
			}
			for k := t; k < free; k++ {
				row[k] ^= octMul(c, rows[t][k])
			}
			pl.rest = append(pl.rest, step{slot, l + slotHDPC + uint16(lead[t]), c})
		}
		if at < 0 {
			pl.rest = pl.rest[:mark]
			continue
		}
		if c := octInv(row[at]); c != 1 {
			for k := at; k < free; k++ {
				row[k] = octMul(c, row[k])
			}
			pl.rest = append(pl.rest, step{slot, slot, c})
		}
		rows[at], lead[at], has[at] = row, r, true
		pl.hdpc |= 1 << r
		rank++
	}
	if rank < free {
		return false
	}
	for t := free - 1; t >= 0; t-- {
		slot := l + slotHDPC + uint16(lead[t])
		for k := t + 1; k < free; k++ {
			if c := rows[t][k]; c != 0 {
				pl.rest = append(pl.rest, step{slot, m.uCols[d.free[k]], c})
			}
		}
		pl.rest = append(pl.rest, step{m.uCols[d.free[t]], slot, 0})
	}
	for u, mask := range d.mask {
		for ; mask != 0; mask &= mask - 1 {
			t := bits.TrailingZeros16(mask)
			pl.rest = append(pl.rest, step{m.uCols[u], m.uCols[d.free[t]], 1})
		}
	}
	return true
}

// masks notes the free columns of each lower row.
func (d *dense) masks() {
	d.mask = resize(d.mask, d.u)
	for u := range d.u {
		if !d.has[u] {
			continue
		}
		row := d.lowerRow(u)
		for t, f := range d.free {
			d.mask[u] |= uint16(row[f>>6]>>(f&63)&1) << t
		}
	}
}

// relations computes what the HDPC relations are in inactive columns: I_H and MT *
// GAMMA (RFC 6330 section 5.3.3.3) with the solved columns replaced. GAMMA is a
// running sum: each column's value plus alpha times the sum before, which goes to
// the two relations that MT has for this column.
func (d *dense) relations(m *planner, pl *plan) {
	p := m.p
	n := 8 * d.words // eight octets a word
	d.hd = resize(d.hd, int(p.h)*n)
	g := resize(d.running, n)
	d.running = g
	last := p.kp + p.s - 1
	pl.pairs = resize(pl.pairs, int(last))
	for j := uint32(0); j <= last; j++ {
		if m.role[j] == inactive {
			for i, v := range g {
				g[i] = alphaTimes(v)
			}
			u := m.uIndex[j]
			g[u>>3] ^= 1 << (8 * (u & 7))
		} else {
			at := 0
			for _, v := range d.upper(uint16(j)) {
				for i, w := range (*[8]uint64)(g[at:]) {
					g[at+i] = alphaTimes(w) ^ spread[uint8(v>>(8*i))]
				}
				at += 8
			}
		}
		if j == last {
			break
		}
		r1, r2 := p.hdpcPair(j)
		pl.pairs[j] = uint8(r1 | r2<<4)
		a, b := d.relation(int(r1), n), d.relation(int(r2), n)
		for i, v := range g {
			a[i] ^= v
			b[i] ^= v
		}
	}
	for r := range int(p.h) { // MT's last column is alpha^r
		row := d.relation(r, n)
		for i, v := range g {
			row[i] ^= v
			g[i] = alphaTimes(v)
		}
		u := m.uIndex[int(last)+1+r]
		row[u>>3] ^= 1 << (8 * (u & 7))
	}
}

func (d *dense) relation(r, n int) []uint64 { return d.hd[r*n:][:n] }

// reduceRelation replaces the columns that lower rows lead to in relation r, and
// returns the coefficients of the free columns.
func (d *dense) reduceRelation(m *planner, pl *plan, r int) (row [16]uint8) {
	hd := d.relation(r, 8*d.words)
	slot := uint16(m.p.l) + slotHDPC + uint16(r)
	for u := range d.u {
		c := uint8(hd[u>>3] >> (8 * (u & 7)))
		switch {
		case c == 0:
		case d.has[u]:
			for mask := d.mask[u]; mask != 0; mask &= mask - 1 {
				row[bits.TrailingZeros16(mask)] ^= c
			}
			pl.rest = append(pl.rest, step{slot, m.uCols[u], c})
		default:
			row[slices.Index(d.free, uint16(u))] ^= c
		}
	}
	return row
}
