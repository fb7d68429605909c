package core

import (
	"slices"
	"time"
)

// A ByteRange is the bytes From up to, not including, To of an object.
type ByteRange struct{ From, To int64 }

// Have tells the receiver that its owner has an object already: no more of it is needed,
// and it may be acknowledged. It returns false if the object was not being received;
// an ObjectReceived of it may then wait among the events.
func (r *Receiver) Have(now time.Time, key ObjectKey) bool {
	r.now = now
	m, o := r.receiving(key)
	if o == nil {
		return false
	}
	m.settle(o, received)
	o.state = stored
	return true
}

// Prime tells the receiver which bytes of an object its owner has from an earlier run,
// so that they are not asked for; blocks that are not whole there are. It comes after
// ObjectNew. If nothing else is missing ObjectReceived follows.
func (r *Receiver) Prime(now time.Time, key ObjectKey, parts []ByteRange) {
	r.now = now
	m, o := r.receiving(key)
	if o == nil || !o.known {
		return
	}
	for _, p := range parts {
		o.prime(r, p)
	}
	m.finish(o)
}

// receiving returns an object that is being received and is no stream, and its sender.
func (r *Receiver) receiving(key ObjectKey) (*remote, *rxObject) {
	m := r.senders[key.Sender]
	if m == nil || m.instance != key.Instance {
		return nil, nil
	}
	o := m.object(key.Object)
	if o == nil || o.state != receiving || o.part.stream() {
		return nil, nil
	}
	return m, o
}

// prime marks the blocks that lie within p as done.
func (o *rxObject) prime(r *Receiver, p ByteRange) {
	blocks := o.part.Blocks()
	first := o.blockAt(p.From)
	for first < blocks && o.part.Offset(uint32(first)) < p.From {
		first++
	}
	end := o.blockAt(p.To)
	if p.To >= int64(o.oti.TransferLength) {
		end = blocks
	}
	for at := first; at < end; {
		lo, hi := o.done.nextMissing(uint32(at))
		if uint64(lo) >= end || lo < uint32(at) {
			return
		}
		hi = min(hi, uint32(end-1))
		before := len(o.done.ranges)
		ok := o.done.add(lo, hi, maxDoneRanges)
		r.doneRanges += len(o.done.ranges) - before
		if !ok {
			return
		}
		o.doneLen += uint64(hi-lo) + 1
		o.drop(r, lo, hi)
		at = uint64(hi) + 1
	}
}

// drop forgets the blocks begun from lo to hi.
func (o *rxObject) drop(r *Receiver, lo, hi uint32) {
	i, _ := o.find(lo)
	j := i
	for ; j < len(o.blocks) && o.blocks[j].sbn <= hi; j++ {
		r.buffers.recycle(o.blocks[j])
	}
	o.blocks, o.newest = slices.Delete(o.blocks, i, j), nil
}

// blockAt returns the block that holds the byte at off, as many as there are if it lies
// behind the end.
func (o *rxObject) blockAt(off int64) uint64 {
	lo, hi := uint64(0), o.part.Blocks()
	for lo < hi {
		if mid := (lo + hi) / 2; o.part.Offset(uint32(mid))+int64(o.part.BlockBytes(uint32(mid))) <= off {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
