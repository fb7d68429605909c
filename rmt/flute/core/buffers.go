package core

// A bufferPool hands out the memory of source blocks, within one bound for all
// sessions together.
type bufferPool struct {
	limit  int64
	inUse  int64
	idle   int64
	bySize map[int][][]byte
}

// bufferCost is what a buffer of n bytes counts for: with the record of its block,
// which for the smallest symbols is the larger part.
func bufferCost(n int) int64 { return int64(n) + 512 }

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

// put takes a buffer back, whole: its capacity is what get returned.
func (p *bufferPool) put(b []byte) {
	b = b[:cap(b)]
	if len(b) == 0 {
		return
	}
	if p.bySize == nil {
		p.bySize = make(map[int][][]byte)
	}
	p.bySize[len(b)] = append(p.bySize[len(b)], b)
	p.inUse -= bufferCost(len(b))
	p.idle += bufferCost(len(b))
}
