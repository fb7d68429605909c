package raptorq

import "slices"

// peel is the first phase (RFC 6330 section 5.4.2.2), told differently: a row with
// one active column left gives that column's value, which takes the column out of
// all other rows. When no such row is left, a column is made inactive: its value is
// found at the end, by dense elimination, so there should be few.
//
// The section picks a row of two active columns from the largest component of the
// graph that such rows make. Here one column of that component is made inactive,
// and the rest of the component follows by itself. PI symbols are inactive from
// the start, and rows are not changed: no symbol is touched here.
//
// It gives up, and returns false, when more than maxInactive columns are inactive.
func (m *planner) peel() bool {
	p := m.p
	rows := len(m.lt)
	m.degree = append(m.degree[:0], m.lt...)
	m.sum = resize(m.sum, rows)
	m.chosen = resize(m.chosen, rows)
	m.role = resize(m.role, int(p.l))
	m.uIndex = resize(m.uIndex, int(p.l))
	m.uCols, m.pivots = m.uCols[:0], m.pivots[:0]
	m.ready, m.heavy = m.ready[:0], m.heavy[:0]
	m.clumps.reset(int(p.w))
	m.active = int(p.w)
	for c := p.w; c < p.l; c++ {
		m.putOff(uint16(c))
	}
	for r := range rows {
		for _, c := range m.ltCols(r) {
			m.sum[r] ^= c
		}
	}
	for r := range rows {
		m.lighter(uint16(r))
	}
	for {
		for {
			r, ok := m.nextReady()
			if !ok {
				break
			}
			if m.degree[r] != 1 { // another row gave this column
				continue
			}
			c := m.sum[r]
			m.chosen[r] = true
			m.pivots = append(m.pivots, pivot{r, c})
			m.role[c] = solved
			m.remove(c)
		}
		if m.active == 0 {
			return true
		}
		if len(m.uCols) == p.maxInactive() {
			return false
		}
		c := m.stuck()
		m.putOff(c)
		m.remove(c)
	}
}

// nextReady returns a row of one active column. LDPC relations have many columns
// more than others and so make costly pivots: they come last.
func (m *planner) nextReady() (uint16, bool) {
	from := &m.ready
	if len(*from) == 0 {
		from = &m.heavy
	}
	n := len(*from)
	if n == 0 {
		return 0, false
	}
	r := (*from)[n-1]
	*from = (*from)[:n-1]
	return r, true
}

func (m *planner) putOff(c uint16) {
	m.role[c] = inactive
	m.uIndex[c] = uint16(len(m.uCols))
	m.uCols = append(m.uCols, c)
}

// remove takes column c, no longer active, out of its rows.
func (m *planner) remove(c uint16) {
	m.active--
	for _, r := range m.rowsOf(c) {
		m.degree[r]--
		m.sum[r] ^= c
		m.lighter(r)
	}
}

// lighter files row r by its number of active columns.
func (m *planner) lighter(r uint16) {
	switch m.degree[r] {
	case 1:
		if uint32(r) < m.p.s {
			m.heavy = append(m.heavy, r)
		} else {
			m.ready = append(m.ready, r)
		}
	case 2:
		for _, c := range m.ltCols(int(r)) {
			if m.role[c] == active {
				m.clumps.join(c, m.sum[r]^c)
				return
			}
		}
	}
}

// stuck picks the column to be made inactive when no row has one active column
// only.
func (m *planner) stuck() uint16 {
	if c, ok := m.clumps.largest(m.role); ok {
		return c
	}
	// No row with two either. Of a row with fewest active columns take the one
	// that most rows have.
	row, fewest := -1, uint16(0)
	for r, d := range m.degree {
		if d > 2 && (row < 0 || d < fewest) {
			row, fewest = r, d
		}
	}
	if row >= 0 {
		best, most := uint16(0), -1
		for _, c := range m.ltCols(row) {
			if n := len(m.rowsOf(c)); m.role[c] == active && n > most {
				best, most = c, n
			}
		}
		return best
	}
	// No row has an active column: nothing given says anything about those left.
	// The HDPC relations may.
	return uint16(slices.Index(m.role, active))
}

// clumps are the components of the graph whose nodes are the active columns and
// whose edges are the rows of two of them. A clump only grows until all of it
// goes at once: when one of its columns is no longer active the others follow
// along the edges.
type clumps struct {
	parent []uint16
	size   []uint16
	heap   []uint32 // size<<16 | root, the largest first; stale entries stay
}

func (g *clumps) reset(columns int) {
	g.parent = resize(g.parent, columns)
	g.size = resize(g.size, columns)
	g.heap = g.heap[:0]
	for c := range g.parent {
		g.parent[c], g.size[c] = uint16(c), 1
	}
}

func (g *clumps) root(c uint16) uint16 {
	for g.parent[c] != c {
		g.parent[c] = g.parent[g.parent[c]]
		c = g.parent[c]
	}
	return c
}

// join adds an edge.
func (g *clumps) join(a, b uint16) {
	a, b = g.root(a), g.root(b)
	if a == b {
		return
	}
	if g.size[a] < g.size[b] {
		a, b = b, a
	}
	g.parent[b] = a
	g.size[a] += g.size[b]
	g.heap = append(g.heap, uint32(g.size[a])<<16|uint32(a))
	h := g.heap
	for i := len(h) - 1; i > 0 && h[(i-1)/2] < h[i]; i = (i - 1) / 2 {
		h[(i-1)/2], h[i] = h[i], h[(i-1)/2]
	}
}

// largest returns a column of the largest clump of at least two columns that are
// active.
func (g *clumps) largest(role []uint8) (uint16, bool) {
	for len(g.heap) > 0 {
		top := g.heap[0]
		if c := uint16(top); role[c] == active && g.size[c] == uint16(top>>16) && g.parent[c] == c {
			return c, true
		}
		g.pop()
	}
	return 0, false
}

func (g *clumps) pop() {
	n := len(g.heap) - 1
	g.heap[0] = g.heap[n]
	g.heap = g.heap[:n]
	for i := 0; ; {
		big := 2*i + 1
		if big >= n {
			return
		}
		if big+1 < n && g.heap[big+1] > g.heap[big] {
			big++
		}
		if g.heap[i] >= g.heap[big] {
			return
		}
		g.heap[i], g.heap[big] = g.heap[big], g.heap[i]
		i = big
	}
}
