package raptorq

// A Workspace is the memory that decoding takes beside the block: the intermediate
// symbols and a plan, see [Memory]. Decoders used one at a time may share one. The
// zero Workspace is ready for use.
type Workspace struct {
	planner planner
	plan    plan
	slots   slots
	in      [][]byte
	isi     []uint32
}

// A given is a repair symbol at hand: its internal symbol ID and its data, which
// decoding overwrites.
type given struct {
	isi  uint32
	data []byte
}

// recover writes the source symbols named by missing, in ascending order, each to its
// place in src, from the others and the repair symbols, of size bytes each. Repair
// symbols may lie in the places of missing ones. Until it is sure to succeed it
// changes nothing; if the symbols do not suffice it fails with ErrNeedMore.
//
// It solves for the intermediate symbols, and makes the missing ones of these.
func (w *Workspace) recover(p *params, size int, src [][]byte, missing []int, repair []given) error {
	if len(missing) == 0 {
		return nil
	}
	if len(repair) < len(missing) {
		return ErrNeedMore
	}
	w.isi, w.in = w.isi[:0], w.in[:0]
	gone := missing
	for i := range p.kp { // padding symbols too: nil, which is zero
		if len(gone) > 0 && int(i) == gone[0] {
			gone = gone[1:]
			continue
		}
		var data []byte
		if int(i) < len(src) {
			data = src[i]
		}
		w.isi, w.in = append(w.isi, i), append(w.in, data)
	}
	for _, g := range repair {
		if len(w.isi) == maxRows {
			break
		}
		w.isi, w.in = append(w.isi, g.isi), append(w.in, g.data)
	}
	if !w.planner.plan(&w.plan, p, w.isi) {
		return ErrNeedMore
	}
	w.slots.resize(int(p.l)+slotsMore, size)
	w.plan.run(&w.slots, w.in)
	for _, i := range missing {
		dst := src[i]
		if len(dst) < size { // the caller wants only the first bytes
			dst = w.slots.at(uint16(p.l) + slotPing)
		}
		w.slots.encode(p, dst, uint32(i))
		copy(src[i], dst)
	}
	return nil
}
