package core

import (
	"slices"

	"github.com/gomulticast/multicast/rmt/fec"
)

// An rxBlock is one coding block being received. Source symbols go to their place
// in data. Parity is kept there too, in the places of source symbols still missing:
// there are always enough of those, and so a block once begun needs no more memory.
// It must not: with all buffers taken by blocks that wait for parity, there would be
// none to store the parity in, for ever.
type rxBlock struct {
	sbn    uint32
	k      int    // source symbols
	data   []byte // k symbols end to end
	have   symbolSet
	n      int // source symbols in have
	parity []paritySymbol
	free   int   // all places from here on are taken
	stream bool  // counts as a stream's
	bare   bool  // its parity is of no use
	record int64 // what this record counts for beyond what bufferCost says
	of     *remote
	cost   int64 // of its buffer, counted in of.holds
}

// counted counts a block that has been begun as its sender's.
func (b *rxBlock) counted(m *remote) {
	b.of, b.cost = m, bufferCost(cap(b.data))
	m.holds += b.cost
}

// uncounted does the opposite, when it is complete or given up.
func (b *rxBlock) uncounted() {
	if b.of != nil {
		b.of.holds -= b.cost
		b.of, b.cost = nil, 0
	}
}

// A paritySymbol is kept in a place of data, counted in symbols. Each goes to a lower place
// than those before it.
type paritySymbol struct{ esi, slot uint16 }

// recordCost is the memory that the record of a block with so many symbols may take beyond
// what bufferCost has for it: a bit for each, and a paritySymbol for half of them in a list
// that grew by doubling.
func recordCost(symbols int) int64 {
	if symbols <= lowSymbols {
		return 0
	}
	return int64(symbols) * 5
}

// sourceBefore reports whether the first n source symbols are here.
func (b *rxBlock) sourceBefore(n int) bool {
	return b.have.gap(0) >= n
}

// erasures returns how many more symbols are needed.
func (b *rxBlock) erasures() int { return b.k - b.n - len(b.parity) }

// place copies a payload to a symbol's place in data. NRL's NORM sends parity only
// as long as the longest source symbol of the block, and the last symbol of an
// object is short: the rest is zero.
func (b *rxBlock) place(slot, size int, payload []byte) {
	dst := b.data[slot*size : (slot+1)*size]
	clear(dst[copy(dst, payload):])
}

// addSource stores a source symbol. A parity symbol in its place moves.
func (b *rxBlock) addSource(esi, size int, payload []byte) {
	if esi >= b.free {
		i, _ := slices.BinarySearchFunc(b.parity, esi, func(p paritySymbol, esi int) int { return esi - int(p.slot) })
		p := b.parity[i]
		b.parity = append(b.parity[:i], b.parity[i+1:]...)
		slot := b.vacancy()
		copy(b.data[slot*size:(slot+1)*size], b.data[esi*size:(esi+1)*size])
		b.parity = append(b.parity, paritySymbol{p.esi, uint16(slot)})
	}
	b.place(esi, size, payload)
	b.have.add(esi)
	b.n++
}

// addParity stores a parity symbol.
func (b *rxBlock) addParity(esi, size int, payload []byte) {
	slot := b.vacancy()
	b.place(slot, size, payload)
	b.have.add(esi)
	b.parity = append(b.parity, paritySymbol{uint16(esi), uint16(slot)})
}

// vacancy takes the highest place that neither a source symbol nor parity has. There is one
// as long as symbols are missing.
func (b *rxBlock) vacancy() int {
	if b.free = b.have.gapBefore(b.free); b.free < 0 {
		panic("norm: a block has more symbols than it needs")
	}
	return b.free
}

// wanted makes s the symbols to ask for (RFC 5740 section 5.3): as many parity
// symbols as are needed, the lowest not yet here; when the sender has not that
// many, all of them and the highest source symbols missing. Every receiver choosing
// alike, one's request serves the others.
func (b *rxBlock) wanted(s *symbolSet, parity int) {
	s.clear()
	e := b.erasures()
	e -= s.addLowest(&b.have, b.k, b.k+parity, e)
	s.addHighest(&b.have, 0, b.k, e)
}

// A decoder holds the scratch space to recover blocks.
type decoder struct {
	src     [][]byte
	missing []int
	parity  [][]byte
	index   []int
	scratch []byte
}

// recover fills in the missing source symbols; the block has no erasures left.
func (d *decoder) recover(b *rxBlock, size int, code fec.Code) error {
	d.src, d.missing, d.parity, d.index = d.src[:0], d.missing[:0], d.parity[:0], d.index[:0]
	for i := range b.k {
		d.src = append(d.src, b.data[i*size:(i+1)*size])
		if !b.have.has(i) {
			d.missing = append(d.missing, i)
		}
	}
	// The parity lies where the result will go: move it out of the way.
	if need := len(b.parity) * size; cap(d.scratch) < need {
		d.scratch = make([]byte, need)
	}
	for i, p := range b.parity {
		buf := d.scratch[:cap(d.scratch)][i*size : (i+1)*size]
		copy(buf, d.src[p.slot])
		d.parity = append(d.parity, buf)
		d.index = append(d.index, int(p.esi)-b.k)
	}
	return code.Decode(d.src, d.missing, d.parity, d.index)
}
