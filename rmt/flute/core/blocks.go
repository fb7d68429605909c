package core

import (
	"fmt"
	"math"

	"github.com/gomulticast/multicast/rmt/fec"
)

// A txBlock is a source block that is being sent.
type txBlock struct {
	sbn     uint32
	n, sent uint32 // symbols in this pass, and how many of those were sent
	first   uint32 // the first one's encoding symbol ID
	limit   uint32 // IDs are below it
	k       uint32
	stride  uint32 // from one repair symbol to the next
	data    []byte // borrowed by encoder
	encoder fec.BlockEncoder
}

// fill begins blocks until as many are under way as are sent in turns.
func (o *txObject) fill() error {
	for len(o.window) < o.fec.Depth && uint64(o.next) < o.part.Blocks() {
		var b txBlock
		if n := len(o.spare); n > 0 {
			b, o.spare = o.spare[n-1], o.spare[:n-1]
		} else {
			e, err := o.scheme.NewEncoder(&o.oti)
			if err != nil {
				return err
			}
			b = txBlock{encoder: e, data: make([]byte, o.part.BlockBytes(0))}
		}
		if err := o.load(&b, o.next); err != nil {
			return err
		}
		o.window = append(o.window, b)
		o.next++
	}
	return nil
}

// load reads block sbn and says which of its symbols this pass sends: fresh ones as
// long as there are, then the first again.
func (o *txObject) load(b *txBlock, sbn uint32) error {
	data := b.data[:o.part.BlockBytes(sbn)]
	if n, err := o.spec.Source.ReadAt(data, o.part.Offset(sbn)); n < len(data) {
		return fmt.Errorf("%w: %w", ErrSource, err)
	}
	if err := b.encoder.Load(sbn, data); err != nil {
		return err
	}
	b.sbn, b.k, b.limit, b.sent = sbn, uint32(o.part.BlockLen(sbn)), b.encoder.MaxESI(), 0
	b.stride = o.stride(b.limit - b.k)
	repair := uint32(math.Ceil(float64(b.k) * o.fec.Overhead))
	b.n = min(b.k+repair, b.limit)
	b.first = uint32(uint64(o.pass) * uint64(b.n) % uint64(b.limit))
	return nil
}

// stride returns how far it is from one repair symbol to be sent to the next, of m. Those
// of an LDPC code each tell of one part of the block: the first some of them tell nothing
// of the rest, while some from all over tell of all. Steps of the golden ratio spread
// them evenly, however many are sent.
func (o *txObject) stride(m uint32) uint32 {
	if o.oti.EncodingID != fec.LDPCStaircase && o.oti.EncodingID != fec.LDPCTriangle {
		return 1
	}
	for s := uint32(float64(m) / math.Phi); s > 1; s-- {
		a, b := s, m
		for b > 0 {
			a, b = b, a%b
		}
		if a == 1 { // so that each has its turn
			return s
		}
	}
	return 1
}

// advance takes the next symbol of the pass: its block, which it is, and whether it is
// the pass's last. There must be one; fill comes first.
func (o *txObject) advance() (b *txBlock, esi uint32, last bool) {
	if o.turn >= len(o.window) {
		o.turn = 0
	}
	b = &o.window[o.turn]
	esi = uint32((uint64(b.first) + uint64(b.sent)) % uint64(b.limit))
	if b.stride > 1 && esi >= b.k {
		esi = b.k + uint32(uint64(esi-b.k)*uint64(b.stride)%uint64(b.limit-b.k))
	}
	b.sent++
	last = b.sent == b.n && len(o.window) == 1 && uint64(o.next) >= o.part.Blocks()
	return b, esi, last
}

// step ends what advance began: the turn goes on, and a block that is done leaves.
func (o *txObject) step() {
	if b := &o.window[o.turn]; b.sent < b.n {
		o.turn++
		return
	}
	done := o.window[o.turn]
	o.window = append(o.window[:o.turn], o.window[o.turn+1:]...)
	o.spare = append(o.spare, done)
}
