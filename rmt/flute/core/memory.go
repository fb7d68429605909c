package core

// Bounds on what a receiver remembers beyond its buffers, whatever arrives.
const (
	// maxOpenBlocks is how many blocks of one object may be begun and not done.
	maxOpenBlocks = 65536
	// maxDoneRanges is how many holes one object may have before its newest block.
	maxDoneRanges = 65536
	// maxAsideBytes is for the records of blocks that were put aside.
	maxAsideBytes = 64 << 20
	// creditPerSymbol is how many symbols may be moved to or from storage for
	// each that comes, so that no sender can make a disk work more than that.
	creditPerSymbol = 4
	maxCredit       = 1 << 18
)

// A blockList is the blocks in memory, the last used first.
type blockList struct{ first, last *rxBlock }

func (l *blockList) pushFront(b *rxBlock) {
	b.prev, b.next = nil, l.first
	if l.first != nil {
		l.first.prev = b
	} else {
		l.last = b
	}
	l.first = b
}

func (l *blockList) remove(b *rxBlock) {
	if b.prev != nil {
		b.prev.next = b.next
	} else {
		l.first = b.next
	}
	if b.next != nil {
		b.next.prev = b.prev
	} else {
		l.last = b.prev
	}
	b.prev, b.next = nil, nil
}

// touch makes b the last used.
func (r *Receiver) touch(b *rxBlock) {
	if r.lru.first != b {
		r.lru.remove(b)
		r.lru.pushFront(b)
	}
}

// room returns memory for a block of n bytes, or nil. The block last used longest ago
// has to go before all is taken, so that there is time to store it.
func (r *Receiver) room(n int) []byte {
	if r.buffers.inUse+bufferCost(n) > r.cfg.BufferBytes*3/4 {
		r.yield(n)
	}
	return r.buffers.get(n)
}

// yield puts blocks aside until there is room for n bytes, or gives them up.
func (r *Receiver) yield(n int) {
	for r.lru.last != nil {
		if r.buffers.inUse-r.writing-r.solvingBytes+bufferCost(n) <= r.cfg.BufferBytes*3/4 {
			return // there soon is
		}
		b := r.lru.last
		full := r.buffers.inUse+bufferCost(n) > r.cfg.BufferBytes
		if r.canSpill(b) {
			if r.writing >= r.cfg.BufferBytes/4 {
				return // the disk has enough to do; what comes meanwhile is dropped
			}
			r.spill(b)
			continue
		}
		if !full {
			return
		}
		b.object.drop(b)
		r.stats.Dropped++
	}
}

// asideCost is what the record of a block put aside takes.
func asideCost(b *rxBlock) int64 { return int64(4*cap(b.holder) + 4*len(b.others.slots) + 256) }

func (r *Receiver) canSpill(b *rxBlock) bool {
	return r.cfg.Load != nil && b.object.table == nil &&
		r.credit >= b.k && r.aside+asideCost(b) <= maxAsideBytes
}

// spill hands a block's memory to the application to store.
func (r *Receiver) spill(b *rxBlock) {
	o := b.object
	r.credit -= b.k
	r.dropExtra(b) // there is room in the file for as many symbols as the block has
	r.lru.remove(b)
	r.aside += asideCost(b)
	r.writing += bufferCost(len(b.data))
	b.spilled, b.writing = true, true
	r.events.push(ReceiverEvent{Type: BlockSpilled, Key: o.key, Offset: o.part.Offset(b.sbn), Data: b.data, Block: b.sbn, Blocks: o.part.Blocks()})
	b.data = nil
	r.stats.Spilled++
}

// reload brings a block back that was put aside. It returns false when that cannot be
// done now.
func (r *Receiver) reload(b *rxBlock) bool {
	o := b.object
	if b.writing || r.credit < b.k {
		return false
	}
	data := r.room(b.k * b.size)
	if data == nil {
		return false
	}
	if !b.spilled { // yield may have dropped blocks, but never one put aside
		r.buffers.put(data)
		return false
	}
	r.credit -= b.k
	r.aside -= asideCost(b)
	if err := r.cfg.Load(o.key, o.part.Offset(b.sbn), data); err != nil {
		// What was there is lost: begin anew.
		b.reset(o, b.sbn, data)
		r.stats.Dropped++
	} else {
		b.data, b.spilled = data, false
		r.stats.Reloaded++
	}
	r.lru.pushFront(b)
	return true
}

// Release gives back the memory of a BlockReceived or BlockSpilled event. It must be the
// event's whole, unaltered in its length, Type, Key and Block.
func (r *Receiver) Release(e *ReceiverEvent) {
	if e.Type == BlockSpilled {
		r.writing -= bufferCost(cap(e.Data))
		if s := r.sessions[e.Key.Session]; s != nil {
			if o := s.objects[e.Key.TOI]; o != nil && o.key.Run == e.Key.Run {
				if b := o.begun(e.Block); b != nil && b.spilled {
					b.writing = false
				}
			}
		}
	}
	r.buffers.put(e.Data)
}

// record returns an empty block record.
func (r *Receiver) record() *rxBlock {
	if n := len(r.spare); n > 0 {
		b := r.spare[n-1]
		r.spare = r.spare[:n-1]
		return b
	}
	return new(rxBlock)
}

// recycle takes a block's record, and the memory it still has: at once, or when a
// solver gives it back.
func (r *Receiver) recycle(b *rxBlock) {
	b.object = nil
	if b.work != nil {
		return
	}
	r.freeExtra(b)
	if b.spilled {
		r.aside -= asideCost(b)
	} else if b.data != nil {
		r.lru.remove(b)
		r.buffers.put(b.data)
	}
	b.data, b.spilled, b.writing = nil, false, false
	if len(r.spare) < 64 && cap(b.holder) <= 4096 {
		r.spare = append(r.spare, b)
	}
}
