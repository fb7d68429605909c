// Package intake collects the encoding symbols of a source block in the memory of the
// block itself. Source symbols go to their place, repair symbols to places of source
// symbols that are not there, so that a block once begun takes hardly more memory
// until it is decoded.
package intake

import "math/bits"

// MaxExtra is the largest number of symbols that a [Block] keeps beyond its length.
const MaxExtra = 32

// A Block is what has come of a source block. The zero Block has no memory: Reset
// comes first. It is not for concurrent use.
type Block struct {
	k, size int
	most    int // symbols kept beyond k, up to MaxExtra
	mem     []byte
	holder  []uint32 // by place: what is there, see below
	free    int      // no place before it is empty
	source  int      // source symbols at hand
	repair  []Repair
	seen    map[uint32]struct{} // encoding symbol IDs of repair
	extra   [][]byte            // places for repair symbols beyond the block
	taken   uint32              // which of them are taken, a bit each
	failed  int                 // how often the symbols did not suffice
	wait    int                 // symbols to come before it is worth another try
}

// A Repair is a repair symbol at hand, with its encoding symbol ID.
type Repair struct{ ESI, place uint32 } // place below k in the block, then in extra

// What holder says: empty, the source symbol, or repair symbol number n - placeRepair.
const (
	placeEmpty = iota
	placeSource
	placeRepair
)

// Reset forgets all symbols and starts a block of k symbols of size bytes in mem, which
// holds them and is used until the next Reset. Up to most symbols more are kept, at
// most MaxExtra, for when k do not suffice.
func (b *Block) Reset(mem []byte, k, size, most int) {
	if b.seen == nil {
		b.seen = make(map[uint32]struct{})
	}
	if size != b.size {
		b.extra = nil
	}
	b.mem, b.k, b.size, b.most = mem[:k*size], k, size, min(most, MaxExtra)
	if cap(b.holder) < k {
		b.holder = make([]uint32, k)
	}
	b.holder = b.holder[:k]
	clear(b.holder)
	clear(b.seen)
	b.repair = b.repair[:0]
	b.free, b.source, b.taken = 0, 0, 0
	b.failed, b.wait = 0, 0
}

// Len returns k.
func (b *Block) Len() int { return b.k }

// Have returns how many different symbols are at hand.
func (b *Block) Have() int { return b.source + len(b.repair) }

// Sources returns how many source symbols are at hand.
func (b *Block) Sources() int { return b.source }

// HasSource reports whether source symbol i is at hand.
func (b *Block) HasSource(i int) bool { return b.holder[i] == placeSource }

// Repairs returns the repair symbols at hand. It is valid until the next symbol.
func (b *Block) Repairs() []Repair { return b.repair }

// Symbol returns the memory of a repair symbol.
func (b *Block) Symbol(r Repair) []byte { return b.At(int(r.place)) }

// At returns the memory of source symbol i, whatever is there.
func (b *Block) At(i int) []byte {
	if i >= b.k {
		return b.extra[i-b.k]
	}
	return b.mem[i*b.size:][:b.size]
}

// AddSource takes in source symbol i, copying it and padding it with zeros; one that is
// there already is ignored.
func (b *Block) AddSource(i int, data []byte) {
	was := b.holder[i]
	if was == placeSource {
		return
	}
	place := b.At(i)
	b.holder[i] = placeSource
	if was == placeEmpty {
		b.wait--
	} else { // it has to move
		r := was - placeRepair
		if to := b.place(r); to != nil {
			copy(to, place)
			b.wait--
		} else { // a source symbol is worth more
			b.drop(r)
		}
	}
	clear(place[copy(place, data):])
	b.source++
}

// AddRepair takes in a repair symbol, copying it. It is ignored when it is there
// already, the source symbols are complete, or there is no room.
func (b *Block) AddRepair(esi uint32, data []byte) {
	if _, ok := b.seen[esi]; ok || b.source == b.k {
		return
	}
	r := len(b.repair)
	b.repair = append(b.repair, Repair{ESI: esi})
	to := b.place(uint32(r))
	if to == nil {
		b.repair = b.repair[:r]
		return
	}
	b.seen[esi] = struct{}{}
	copy(to, data)
	b.wait--
}

// place finds a place for repair symbol r, or returns nil. In the block none that
// was taken is ever empty again.
func (b *Block) place(r uint32) []byte {
	for ; b.free < b.k; b.free++ {
		if b.holder[b.free] == placeEmpty {
			b.holder[b.free] = placeRepair + r
			b.repair[r].place = uint32(b.free)
			return b.At(b.free)
		}
	}
	n := bits.TrailingZeros32(^b.taken)
	if n >= b.most {
		return nil
	}
	if n == len(b.extra) {
		b.extra = append(b.extra, make([]byte, b.size))
	}
	b.taken |= 1 << n
	b.repair[r].place = uint32(b.k + n)
	return b.extra[n]
}

// drop forgets repair symbol r, whose place in the block, if it is there, has
// another holder.
func (b *Block) drop(r uint32) {
	gone := b.repair[r]
	delete(b.seen, gone.ESI)
	if n := int(gone.place) - b.k; n >= 0 {
		b.taken &^= 1 << n
	}
	last := len(b.repair) - 1
	if moved := b.repair[last]; int(r) < last {
		b.repair[r] = moved
		if int(moved.place) < b.k {
			b.holder[moved.place] = placeRepair + r
		}
	}
	b.repair = b.repair[:last]
}

// freeTries is how often in a row solving is tried with each symbol that comes. A try
// is some work, and symbols can be chosen so that it is in vain; by chance it takes no
// more of them, but for the longest blocks of Raptor.
const freeTries = 8

// Failed notes that the symbols at hand do not suffice.
func (b *Block) Failed() {
	b.makeRoom()
	b.failed++
	b.wait = min(1<<min(max(b.failed-freeTries, 0), 5), max(b.k+b.most-b.Have(), 1))
}

// Ready reports whether the source symbols are complete, or it is worth trying to
// solve: there are as many symbols as the block has, and enough more than when that
// last failed.
func (b *Block) Ready() bool {
	return b.source == b.k || b.Have() >= b.k && b.wait <= 0
}

// Missing returns how many more symbols there must be for Ready, at least.
func (b *Block) Missing() int {
	if b.Ready() {
		return 0
	}
	return max(b.k-b.Have(), b.wait, 1)
}

// makeRoom drops the symbols beyond the block's length when there is no room for more:
// so many that are not independent no sender makes by chance, and some have to go for
// there to be room for better ones.
func (b *Block) makeRoom() {
	if b.most == 0 || b.taken != uint32(1<<b.most-1) {
		return
	}
	for r := len(b.repair) - 1; r >= 0; r-- {
		if int(b.repair[r].place) >= b.k {
			b.drop(uint32(r))
		}
	}
}

// Solved notes that all source symbols are in their places.
func (b *Block) Solved() {
	for i := range b.holder {
		b.holder[i] = placeSource
	}
	b.source, b.repair, b.taken = b.k, b.repair[:0], 0
	clear(b.seen)
}
