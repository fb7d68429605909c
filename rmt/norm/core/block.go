package core

import "github.com/gomulticast/multicast/rmt/fec"

// An rxBlock is one coding block being received. Source symbols go to their place
// in data; parity waits beside them until it is needed and suffices.
type rxBlock struct {
	sbn    uint32
	k      int    // source symbols
	data   []byte // k symbols end to end
	have   symbolSet
	n      int // source symbols in have
	parity []paritySymbol
}

type paritySymbol struct {
	esi  int
	data []byte
}

// erasures returns how many more symbols are needed.
func (b *rxBlock) erasures() int { return b.k - b.n - len(b.parity) }

// addSource stores a source symbol, zero-padded to size.
func (b *rxBlock) addSource(esi, size int, payload []byte) {
	dst := b.data[esi*size : (esi+1)*size]
	clear(dst[copy(dst, payload):])
	b.have.add(esi)
	b.n++
}

// addParity stores a parity symbol. NRL's NORM sends it only as long as the
// longest source symbol of the block; the rest is zero.
func (b *rxBlock) addParity(esi int, buf, payload []byte) {
	clear(buf[copy(buf, payload):])
	b.have.add(esi)
	b.parity = append(b.parity, paritySymbol{esi, buf})
}

// wanted returns the symbols to ask for (RFC 5740 section 5.3): as many parity
// symbols as are needed, the lowest not yet here; when the sender has not that
// many, all of them and the highest source symbols missing. Every receiver choosing
// alike, one's request serves the others.
func (b *rxBlock) wanted(parity int) (s symbolSet) {
	e := b.erasures()
	for i := b.k; i < min(b.k+parity, maxSymbols) && e > 0; i++ {
		if !b.have.has(i) {
			s.add(i)
			e--
		}
	}
	for i := b.k - 1; i >= 0 && e > 0; i-- {
		if !b.have.has(i) {
			s.add(i)
			e--
		}
	}
	return s
}

// A decoder holds the scratch space to recover blocks.
type decoder struct {
	src     [][]byte
	missing []int
	parity  [][]byte
	index   []int
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
	for i := range b.parity {
		d.parity = append(d.parity, b.parity[i].data)
		d.index = append(d.index, b.parity[i].esi-b.k)
	}
	return code.Decode(d.src, d.missing, d.parity, d.index)
}
