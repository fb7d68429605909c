package ldpc

// groups says which repair symbols go into a packet together (RFC 5170 section 5.6). It
// is a permutation of their numbers, ESI - k.
type groups struct {
	sent   []uint32 // txseqToID: by place in the sequence, the symbol
	placed []uint32 // IDtoTxseq: by symbol, its place
}

// groups returns the permutation, which takes up the random numbers where making the
// matrix left off.
func (m *matrix) groups() *groups {
	if m.grouped != nil {
		return m.grouped
	}
	n, random := m.n-m.k, m.random
	g := &groups{sent: make([]uint32, n), placed: make([]uint32, n)}
	for i := range n {
		g.sent[i], g.placed[i] = uint32(i), uint32(i)
	}
	for i := range n {
		r := random.below(n)
		g.placed[i], g.placed[r] = g.placed[r], g.placed[i]
		g.sent[g.placed[i]], g.sent[g.placed[r]] = uint32(i), uint32(r)
	}
	m.grouped = g
	return g
}

// firstESI is sender_find_ESIs_of_group, as far as the first symbol.
func (m *matrix) firstESI(packet, size int) uint32 {
	sources := (m.k + size - 1) / size
	if packet < sources || m.n == m.k {
		return uint32(packet*size) % uint32(m.k)
	}
	return uint32(m.k) + m.groups().sent[(packet-sources)*size%(m.n-m.k)]
}

// appendGroup is receiver_find_ESIs_of_group.
func (m *matrix) appendGroup(dst []uint32, first uint32, n int) []uint32 {
	k := uint32(m.k)
	switch {
	case uint64(first) >= uint64(m.n):
	case first < k:
		for i := range uint32(n) {
			dst = append(dst, (first+i)%k)
		}
	default:
		g, repair := m.groups(), uint32(m.n-m.k)
		for i := range uint32(n) {
			dst = append(dst, k+g.sent[(g.placed[first-k]+i)%repair])
		}
	}
	return dst
}

// FirstESI implements fec.Grouper. A block must be loaded.
func (e *encoder) FirstESI(packet int) uint32 {
	return e.m.firstESI(packet, max(int(e.oti.G), 1))
}

// AppendGroup implements fec.Grouper.
func (e *encoder) AppendGroup(dst []uint32, first uint32, n int) []uint32 {
	if e.m == nil {
		return dst
	}
	return e.m.appendGroup(dst, first, n)
}

// FirstESI implements fec.Grouper. A block must be begun.
func (d *decoder) FirstESI(packet int) uint32 {
	return d.m.firstESI(packet, max(int(d.oti.G), 1))
}

// AppendGroup implements fec.Grouper.
func (d *decoder) AppendGroup(dst []uint32, first uint32, n int) []uint32 {
	if d.m == nil {
		return dst
	}
	return d.m.appendGroup(dst, first, n)
}
