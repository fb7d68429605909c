package core

// An rxBlock is one source block being received. Source symbols go to their place in
// data. Repair symbols are kept there too, in the places of source symbols still
// missing: there are always enough of those, and so a block once begun needs no more
// memory, and can be put aside in the file itself.
type rxBlock struct {
	sbn  uint32
	k    int // source symbols
	size int // of a symbol in bytes
	data []byte
	// holder says, by place, which symbol is there: its encoding symbol ID and 1;
	// 0 is none.
	holder []uint32
	source int    // source symbols at hand
	others esiSet // IDs of repair symbols, and of all in extra
	free   int    // no place from here on is empty

	// full: there are as many symbols as the block has. Those that come from then
	// on are kept beside it, in pieces of memory, until it is solved. work is set,
	// and data is not, while a Solver has it, which reads the symbols that were
	// here by then, and holder. wait is how many more to take before it is tried
	// again, failed how often it was.
	full         bool
	work         *Work
	extra        [][]byte
	extras       []uint32 // encoding symbol IDs of what is there
	wait, failed int

	spilled bool // data is nil; the symbols are in the object's file
	writing bool // on their way there

	object     *rxObject
	prev, next *rxBlock // in the list of those in memory, by last use
}

// have returns how many different symbols are at hand of a block that is not full.
func (b *rxBlock) have() int { return b.source + b.others.n }

// has reports whether a symbol is at hand.
func (b *rxBlock) has(esi uint32) bool {
	return int(esi) < b.k && b.holder[esi] == esi+1 || b.others.has(esi)
}

// reset begins block sbn.
func (b *rxBlock) reset(o *rxObject, sbn uint32, data []byte) {
	b.sbn, b.object, b.data = sbn, o, data
	b.k, b.size = o.part.BlockLen(sbn), o.part.SymbolSize()
	if cap(b.holder) < b.k {
		b.holder = make([]uint32, b.k)
	}
	b.holder = b.holder[:b.k]
	clear(b.holder)
	b.others.clear()
	b.source, b.free = 0, b.k
	b.full, b.spilled, b.writing = false, false, false
}

func (b *rxBlock) at(place int) []byte { return b.data[place*b.size : (place+1)*b.size] }

// add stores a symbol that is not there, while have is less than k.
func (b *rxBlock) add(esi uint32, symbol []byte) {
	if int(esi) >= b.k {
		place := b.vacancy()
		b.holder[place] = esi + 1
		b.put(place, symbol)
		b.others.add(esi)
		return
	}
	if was := b.holder[esi]; was != 0 { // a repair symbol has to move
		b.holder[esi] = esi + 1
		to := b.vacancy()
		b.holder[to] = was
		copy(b.at(to), b.at(int(esi)))
	}
	b.holder[esi] = esi + 1
	b.put(int(esi), symbol)
	b.source++
}

// put copies a symbol to a place, with the padding it may lack.
func (b *rxBlock) put(place int, symbol []byte) {
	dst := b.at(place)
	clear(dst[copy(dst, symbol):])
}

// vacancy returns the last empty place. There is one as long as have is less than k.
func (b *rxBlock) vacancy() int {
	for b.free--; b.holder[b.free] != 0; b.free-- {
	}
	return b.free
}

// An esiSet is a set of encoding symbol IDs: a hash table with open addressing, for
// crafted IDs cost no more than the table is long, and that is twice the block.
type esiSet struct {
	slots []uint32 // ID and 1; 0 is empty. The length is a power of two.
	n     int
}

func (s *esiSet) clear() {
	clear(s.slots)
	s.n = 0
}

func (s *esiSet) find(esi uint32) int {
	mask := len(s.slots) - 1
	i := int(esi*0x9e3779b1>>7) & mask
	for s.slots[i] != 0 && s.slots[i] != esi+1 {
		i = (i + 1) & mask
	}
	return i
}

func (s *esiSet) has(esi uint32) bool { return s.n > 0 && s.slots[s.find(esi)] != 0 }

func (s *esiSet) add(esi uint32) {
	if 2*(s.n+1) > len(s.slots) {
		old := s.slots
		s.slots = make([]uint32, max(16, 2*len(old)))
		for _, v := range old {
			if v != 0 {
				s.slots[s.find(v-1)] = v
			}
		}
	}
	s.slots[s.find(esi)] = esi + 1
	s.n++
}
