package sparse

// clumps are the components of the graph whose nodes are the active unknowns and
// whose edges are the equations of two of them. A clump only grows until all of it
// goes at once: when one of its unknowns is no longer active the others follow
// along the edges.
type clumps struct {
	parent []uint32
	size   []uint32
	heap   []uint64 // size<<32 | root, the largest first; stale entries stay
}

func (g *clumps) reset(n int) {
	g.parent, g.size = grow(g.parent, n), grow(g.size, n)
	g.heap = g.heap[:0]
	for c := range g.parent {
		g.parent[c], g.size[c] = uint32(c), 1
	}
}

func (g *clumps) root(c uint32) uint32 {
	for g.parent[c] != c {
		g.parent[c] = g.parent[g.parent[c]]
		c = g.parent[c]
	}
	return c
}

// join adds an edge.
func (g *clumps) join(a, b uint32) {
	a, b = g.root(a), g.root(b)
	if a == b {
		return
	}
	if g.size[a] < g.size[b] {
		a, b = b, a
	}
	g.parent[b] = a
	g.size[a] += g.size[b]
	g.heap = append(g.heap, uint64(g.size[a])<<32|uint64(a))
	h := g.heap
	for i := len(h) - 1; i > 0 && h[(i-1)/2] < h[i]; i = (i - 1) / 2 {
		h[(i-1)/2], h[i] = h[i], h[(i-1)/2]
	}
}

// largest returns an unknown of the largest clump of at least two that are active.
func (g *clumps) largest(state []uint32) (uint32, bool) {
	for len(g.heap) > 0 {
		top := g.heap[0]
		if c := uint32(top); state[c] == stateActive && g.size[c] == uint32(top>>32) && g.parent[c] == c {
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
