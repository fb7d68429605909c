package core

// A bufferPool hands out the memory of coding blocks, within one bound for all
// senders together.
type bufferPool struct {
	limit  int64
	inUse  int64
	stream int64 // of which streams hold, half of limit at most: readers may be slow
	idle   int64
	bySize map[int][][]byte
	spare  [2][]*rxBlock // of small blocks, and of large ones
}

// maxIdle is how much is kept for reuse at least, and more only as long as more is in use.
const maxIdle = 16 << 20

// bufferCost is what a buffer of n bytes counts for: with the record of its block,
// which for the smallest symbols is the larger part.
func bufferCost(n int) int64 { return int64(n) + 256 }

// get returns a buffer of n bytes with whatever it held before, or nil when the
// bound is reached.
func (p *bufferPool) get(n int) []byte {
	cost := bufferCost(n)
	if p.inUse+cost > p.limit {
		return nil
	}
	if free := p.bySize[n]; len(free) > 0 {
		b := free[len(free)-1]
		free[len(free)-1] = nil
		p.bySize[n] = free[:len(free)-1]
		p.idle -= cost
		p.inUse += cost
		return b
	}
	if p.inUse+p.idle+cost > p.limit {
		p.bySize, p.idle = nil, 0 // of sizes no longer used
	}
	p.inUse += cost
	return make([]byte, n)
}

// take is get for a block of a stream or another object.
func (p *bufferPool) take(n int, stream bool) []byte {
	cost := bufferCost(n)
	if stream && p.stream+cost > max(p.limit/2, minStreamBlocks*cost) {
		return nil
	}
	b := p.get(n)
	if b != nil && stream {
		p.stream += cost
	}
	return b
}

// giveBack is put for what take returned.
func (p *bufferPool) giveBack(b []byte, stream bool) {
	if b != nil && stream {
		p.stream -= bufferCost(cap(b))
	}
	p.put(b)
}

// put takes a buffer back, whole: its capacity is what get returned.
func (p *bufferPool) put(b []byte) {
	b = b[:cap(b)]
	if len(b) == 0 {
		return
	}
	p.inUse -= bufferCost(len(b))
	if p.idle >= max(p.inUse, maxIdle) {
		return // what was needed once need not be kept for ever
	}
	if p.bySize == nil {
		p.bySize = make(map[int][][]byte)
	}
	p.bySize[len(b)] = append(p.bySize[len(b)], b)
	p.idle += bufferCost(len(b))
}

// How many records of blocks are kept for others, and how many of blocks with more than
// lowSymbols symbols, which take up to 10 KB each.
const (
	maxSpare      = 1024
	maxSpareLarge = 128
)

// block returns an empty block record.
func (p *bufferPool) block(large bool) *rxBlock {
	list := &p.spare[0]
	if large {
		list = &p.spare[1]
	}
	if n := len(*list); n > 0 {
		b := (*list)[n-1]
		*list = (*list)[:n-1]
		return b
	}
	return new(rxBlock)
}

// recycle takes a block record and the buffer it still has.
func (p *bufferPool) recycle(b *rxBlock) {
	b.uncounted()
	p.giveBack(b.data, b.stream)
	p.inUse -= b.record
	list, limit := &p.spare[0], maxSpare
	if b.record > 0 {
		list, limit = &p.spare[1], maxSpareLarge
	}
	*b = rxBlock{parity: b.parity[:0], have: symbolSet{high: b.have.high}}
	b.have.clear()
	if len(*list) < limit {
		*list = append(*list, b)
	}
}
