package core

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
)

// A Work is one block to be solved: as many symbols as the block has, and what came
// beside them. A Solver does it, at leisure and on any goroutine; only then it is given
// back by Receiver.Solved. Meanwhile the receiver does not touch what it holds.
type Work struct {
	block  *rxBlock
	hold   *decoderHold
	data   []byte // as rxBlock.data; when it was solved the block itself
	extra  [][]byte
	extras []uint32

	// The outcome.
	solved  bool
	missing int // symbols, at least, until it is worth another try
	bad     int // symbols that cannot be of the block
	err     error
}

// A decoderHold is an object's decoder. It is the Solver's while works are out.
type decoderHold struct {
	oti     fec.OTI
	scheme  fec.Scheme
	decoder fec.BlockDecoder // nil until first needed
	bytes   int64            // of Receiver.decoderBytes
	works   int              // not given back
	object  *rxObject        // nil when it needs no decoder any more
}

// A Solver does the work of a Receiver that takes too long to be done between two
// packets: to solve a block of some megabytes takes about as long as to receive it. A
// receiver's works are done by one solver, one at a time, in the order of their events.
// It is not for concurrent use. The zero Solver is ready.
type Solver struct {
	scratch []byte // where decoders begin; its like comes back with each block
}

// Solve does a work. It takes memory of one block, which the solver keeps, beside that
// of decoders, for which see ReceiverConfig.DecoderBytes.
func (s *Solver) Solve(w *Work) {
	if w.err = s.start(w); w.err != nil {
		return
	}
	d, b := w.hold.decoder, w.block
	add := func(esi uint32, symbol []byte) {
		if _, err := d.Add(esi, symbol); err != nil {
			w.bad++
		}
	}
	at := func(place int) []byte { return w.data[place*b.size:][:b.size] }
	// Source symbols first: repair symbols then go where none will come.
	for i := range b.k {
		if b.holder[i] == uint32(i)+1 {
			add(uint32(i), at(i))
		}
	}
	for i, h := range b.holder {
		if h != 0 && int(h-1) >= b.k {
			add(h-1, at(i))
		}
	}
	for i, esi := range w.extras {
		add(esi, extraAt(w.extra, i, b.size))
	}
	if d.Missing() == 0 && d.Solve() == nil {
		w.solved = true
		w.data, s.scratch = s.scratch, w.data
		return
	}
	w.missing = max(d.Missing(), 1)
}

func (s *Solver) start(w *Work) (err error) {
	h := w.hold
	if h.decoder == nil {
		if h.decoder, err = h.scheme.NewDecoder(&h.oti, -1); err != nil {
			h.decoder = nil
			return err
		}
	}
	if len(s.scratch) != len(w.data) {
		s.scratch = nil
		s.scratch = make([]byte, len(w.data))
	}
	return h.decoder.Start(w.block.sbn, s.scratch)
}

// complete is called when a block has as many symbols as source symbols: it hands the
// block over, or lets a decoder see what it can do.
func (o *rxObject) complete(b *rxBlock) {
	if b.source == b.k && !o.scattered {
		o.finish(b)
		return
	}
	b.full, b.wait, b.failed = true, 0, 0
	o.solve(b)
}

// solve asks for a block to be solved.
func (o *rxObject) solve(b *rxBlock) {
	r := o.r
	hold, err := o.holdDecoder()
	if err != nil {
		r.stats.NoBuffer++
		o.drop(b)
		return
	}
	hold.works++
	r.solving++
	r.solvingBytes += bufferCost(len(b.data))
	r.lru.remove(b)
	w := r.work()
	*w = Work{block: b, hold: hold, data: b.data, extra: b.extra, extras: b.extras}
	b.data, b.work = nil, w
	r.events.push(ReceiverEvent{Type: BlockSolvable, Key: o.key, Block: b.sbn, Blocks: o.part.Blocks(), Work: w})
}

// solved takes in what became of a work. The more often it was in vain the more
// symbols are awaited before the next time, up to an eighth of the block: who crafts
// symbols for it to fail gets less work out of it than by sending others.
func (r *Receiver) solved(w *Work) {
	b := w.block
	r.returnDecoder(w.hold)
	r.solving--
	r.solvingBytes -= bufferCost(len(w.data))
	r.stats.Malformed += uint64(w.bad)
	b.data, b.work = w.data, nil
	late := len(b.extras) - len(w.extras)
	defer r.recycleWork(w)
	r.lru.pushFront(b)
	o := b.object
	switch {
	case o == nil: // nobody wants it any more
		r.recycle(b)
	case w.err != nil:
		r.stats.NoBuffer++
		o.drop(b)
	case w.solved:
		r.stats.Solved++
		r.stats.Recovered += uint64(b.k - b.source)
		o.finish(b)
	default:
		r.stats.Unsolved++
		b.wait = w.missing
		if b.failed++; b.failed > 3 {
			b.wait = max(b.wait, min(1<<min(b.failed-3, 20), max(b.k/8, 1)))
		}
		b.wait -= late
		o.retry(b)
	}
}

// retry asks for a block to be solved once more if enough came since the last time.
func (o *rxObject) retry(b *rxBlock) {
	if b.wait <= 0 || b.source == b.k {
		o.solve(b)
	}
}

// surplus takes in a symbol of a block that has as many as source symbols: while it is
// being solved, or when they did not suffice.
func (o *rxObject) surplus(b *rxBlock, esi uint32, data []byte) {
	r := o.r
	if len(b.extras) >= maxExtra(b.k) && b.work == nil {
		// So many that are not independent no sender makes by chance, and some have
		// to go for there to be room for better ones.
		r.dropExtra(b)
	}
	n := extraChunk(b.size)
	switch {
	case len(b.extras) >= maxExtra(b.k):
		r.stats.Duplicates++ // most likely not needed
		return
	case len(b.extras) == n*len(b.extra):
		chunk := r.buffers.get(n * b.size)
		if chunk == nil {
			r.stats.NoBuffer++
			return
		}
		b.extra = append(b.extra, chunk)
	}
	dst := extraAt(b.extra, len(b.extras), b.size)
	clear(dst[copy(dst, data):])
	b.extras = append(b.extras, esi)
	b.others.add(esi)
	if int(esi) < b.k {
		b.source++
	}
	r.stats.Symbols++
	if b.wait--; b.work == nil {
		o.retry(b)
	}
}

// maxExtra is how many symbols a block of k keeps beyond them. RaptorQ hardly ever
// needs two, LDPC codes some in a hundred, those of very long blocks more.
func maxExtra(k int) int { return 32 + k/4 }

// extraChunk is how many symbols of a size are kept in one piece of memory.
func extraChunk(size int) int { return min(max(1<<16/size, 1), 32) }

// extraAt returns the memory of the i-th symbol kept beyond the block.
func extraAt(extra [][]byte, i, size int) []byte {
	n := extraChunk(size)
	return extra[i/n][i%n*size:][:size]
}

// dropExtra forgets the symbols kept beyond the block, but for source symbols: they
// take the place of repair symbols.
func (r *Receiver) dropExtra(b *rxBlock) {
	if len(b.extras) == 0 {
		return
	}
	for i, esi := range b.extras {
		if int(esi) < b.k {
			copy(b.at(int(esi)), extraAt(b.extra, i, b.size))
			b.holder[esi] = esi + 1
		}
	}
	r.freeExtra(b)
	b.others.clear()
	for _, h := range b.holder {
		if h != 0 && int(h-1) >= b.k {
			b.others.add(h - 1)
		}
	}
}

// freeExtra gives back the memory of symbols kept beyond the block.
func (r *Receiver) freeExtra(b *rxBlock) {
	for i, chunk := range b.extra {
		r.buffers.put(chunk)
		b.extra[i] = nil
	}
	b.extra, b.extras = b.extra[:0], b.extras[:0]
}

// holdDecoder returns the object's decoder, within the limit for all. Another object's
// that has nothing to do may have to go.
func (o *rxObject) holdDecoder() (*decoderHold, error) {
	if o.hold != nil {
		return o.hold, nil
	}
	r := o.r
	scheme, err := r.cfg.Scheme(o.oti.EncodingID)
	if err != nil {
		return nil, err
	}
	var need int64
	if scheme.Memory != nil {
		need = scheme.Memory(&o.oti)
	}
	for i := 0; i < len(r.holds) && r.decoderBytes+need > r.cfg.DecoderBytes; {
		if h := r.holds[i]; h.works == 0 {
			h.object.freeDecoder()
			continue // the next has its place
		}
		i++
	}
	if r.decoderBytes+need > r.cfg.DecoderBytes {
		return nil, fmt.Errorf("%w: %d bytes, and %d are in use", fec.ErrMemory, need, r.decoderBytes)
	}
	o.hold = &decoderHold{oti: o.oti, scheme: scheme, bytes: need, object: o}
	r.decoderBytes += need
	r.holds = append(r.holds, o.hold)
	return o.hold, nil
}

// freeDecoder forgets the object's decoder, when it is no longer in use.
func (o *rxObject) freeDecoder() {
	if h := o.hold; h != nil {
		o.hold, h.object = nil, nil
		o.r.dropHold(h)
	}
}

func (r *Receiver) returnDecoder(h *decoderHold) {
	h.works--
	r.dropHold(h)
}

// dropHold gives up a decoder that nobody wants and nobody uses.
func (r *Receiver) dropHold(h *decoderHold) {
	if h.object != nil || h.works > 0 {
		return
	}
	r.decoderBytes -= h.bytes
	for i := range r.holds {
		if r.holds[i] == h {
			r.holds = append(r.holds[:i], r.holds[i+1:]...)
			break
		}
	}
	h.decoder = nil
}

// work returns an empty record of a work.
func (r *Receiver) work() *Work {
	if n := len(r.works); n > 0 {
		w := r.works[n-1]
		r.works = r.works[:n-1]
		return w
	}
	return new(Work)
}

func (r *Receiver) recycleWork(w *Work) {
	*w = Work{}
	if len(r.works) < 64 {
		r.works = append(r.works, w)
	}
}
