package core

// A bufferPool hands out the memory of coding blocks, within one bound for all
// senders together.
type bufferPool struct {
	limit  int64
	inUse  int64
	idle   int64
	bySize map[int][][]byte
	spare  []*rxBlock
}

// get returns a buffer of n bytes with whatever it held before, or nil when the
// bound is reached.
func (p *bufferPool) get(n int) []byte {
	if p.inUse+int64(n) > p.limit {
		return nil
	}
	if free := p.bySize[n]; len(free) > 0 {
		b := free[len(free)-1]
		free[len(free)-1] = nil
		p.bySize[n] = free[:len(free)-1]
		p.idle -= int64(n)
		p.inUse += int64(n)
		return b
	}
	if p.inUse+p.idle+int64(n) > p.limit {
		p.bySize, p.idle = nil, 0 // of sizes no longer used
	}
	p.inUse += int64(n)
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
	p.inUse -= int64(len(b))
	p.idle += int64(len(b))
}

// block returns an empty block record.
func (p *bufferPool) block() *rxBlock {
	if n := len(p.spare); n > 0 {
		b := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return b
	}
	return new(rxBlock)
}

// recycle takes a block record and the buffer it still has.
func (p *bufferPool) recycle(b *rxBlock) {
	p.put(b.data)
	*b = rxBlock{parity: b.parity[:0]}
	if len(p.spare) < 1024 {
		p.spare = append(p.spare, b)
	}
}
