package raptorq

import (
	"fmt"
	"math/bits"
)

// A Decoder collects the encoding symbols of one block, and recovers the block from
// as many as it has source symbols, or a few more. Source symbols go to their
// place in the block, repair symbols to places of source symbols that are not
// there, so that a block once begun takes no more memory until it is decoded.
//
// It is not for concurrent use.
type Decoder struct {
	p    params
	k    int
	size int
	w    *Workspace

	block  []byte
	holder []uint32 // by place: what is there, see below
	free   int      // no place before it is empty
	source int      // source symbols at hand
	repair []held
	seen   map[uint32]struct{} // encoding symbol IDs of repair
	extra  [][]byte            // places for repair symbols beyond the block
	taken  uint32              // which of them are taken, a bit each
	tried  int                 // symbols at hand when Decode last failed
	done   bool

	src     [][]byte
	missing []int
	given   []given
}

// held is a repair symbol and its place: below k in the block, then in extra.
type held struct{ esi, place uint32 }

// What holder says: empty, the source symbol, or repair symbol number n - placeRepair.
const (
	placeEmpty = iota
	placeSource
	placeRepair
)

// MaxExtra is how many symbols more than the block's length a Decoder keeps, for
// when those do not suffice.
const MaxExtra = 32

// NewDecoder returns a decoder for a block of k source symbols of size bytes; the
// conditions and errors are those of [NewEncoder]. Its memory beside the block is
// w's; with nil it has its own. Reset starts a block, and must come first.
func NewDecoder(k, size int, limit int64, w *Workspace) (*Decoder, error) {
	p, err := checkSize(k, size, limit)
	if err != nil {
		return nil, err
	}
	if w == nil {
		w = new(Workspace)
	}
	return &Decoder{p: p, k: k, size: size, w: w, seen: make(map[uint32]struct{})}, nil
}

// Reset forgets all symbols and starts a block in the memory block, which the
// decoder uses until the next Reset: len(block) is at least k times the symbol size.
// It panics when it is less. The contents do not matter.
func (d *Decoder) Reset(block []byte) {
	if len(block) < d.k*d.size {
		panic(fmt.Sprintf("raptorq: block of %d bytes for %d symbols of %d", len(block), d.k, d.size))
	}
	d.block = block[:d.k*d.size]
	d.holder = resize(d.holder, d.k)
	clear(d.seen)
	d.repair = d.repair[:0]
	d.free, d.source, d.tried, d.taken, d.done = 0, 0, 0, 0, false
}

// Add takes in encoding symbol esi, copying it, and reports whether it is time to
// call Decode: there are as many symbols as the block has, all different, and more
// than when it last failed. The last source symbol may be shorter than the symbol
// size, as the object's last one is; it is padded with zeros (RFC 6330 section
// 4.4.2). Symbols that are there already, and those that cannot be of this block by
// length or esi, are ignored.
func (d *Decoder) Add(esi uint32, data []byte) bool {
	switch {
	case d.done || d.block == nil || esi > MaxESI || len(data) > d.size:
	case len(data) < d.size && esi != uint32(d.k-1):
	case esi < uint32(d.k):
		d.addSource(int(esi), data)
	default:
		d.addRepair(esi, data)
	}
	return d.Ready()
}

// Ready reports what the last Add did.
func (d *Decoder) Ready() bool {
	n := d.source + len(d.repair)
	return d.source == d.k || n >= d.k && n > d.tried
}

// Have returns how many different symbols are at hand. Once the block is decoded,
// it is k.
func (d *Decoder) Have() int {
	if d.done {
		return d.k
	}
	return d.source + len(d.repair)
}

func (d *Decoder) addSource(i int, data []byte) {
	was := d.holder[i]
	if was == placeSource {
		return
	}
	place := d.at(i)
	d.holder[i] = placeSource
	if was >= placeRepair { // it has to move
		r := was - placeRepair
		if to := d.place(r); to != nil {
			copy(to, place)
		} else { // a source symbol is worth more
			d.drop(r)
		}
	}
	set(place, data)
	d.source++
}

func (d *Decoder) addRepair(esi uint32, data []byte) {
	if _, ok := d.seen[esi]; ok || d.source == d.k {
		return
	}
	r := len(d.repair)
	d.repair = append(d.repair, held{esi: esi})
	to := d.place(uint32(r))
	if to == nil {
		d.repair = d.repair[:r]
		return
	}
	d.seen[esi] = struct{}{}
	copy(to, data)
}

// at returns the memory of a place.
func (d *Decoder) at(place int) []byte {
	if place >= d.k {
		return d.extra[place-d.k]
	}
	return d.block[place*d.size:][:d.size]
}

// place finds a place for repair symbol r, or returns nil. In the block none that
// was taken is ever empty again.
func (d *Decoder) place(r uint32) []byte {
	for ; d.free < d.k; d.free++ {
		if d.holder[d.free] == placeEmpty {
			d.holder[d.free] = placeRepair + r
			d.repair[r].place = uint32(d.free)
			return d.at(d.free)
		}
	}
	n := bits.TrailingZeros32(^d.taken)
	if n == MaxExtra {
		return nil
	}
	if n == len(d.extra) {
		d.extra = append(d.extra, make([]byte, d.size))
	}
	d.taken |= 1 << n
	d.repair[r].place = uint32(d.k + n)
	return d.extra[n]
}

// drop forgets repair symbol r, whose place in the block, if it is there, has
// another holder.
func (d *Decoder) drop(r uint32) {
	gone := d.repair[r]
	delete(d.seen, gone.esi)
	if n := int(gone.place) - d.k; n >= 0 {
		d.taken &^= 1 << n
	}
	last := len(d.repair) - 1
	if moved := d.repair[last]; int(r) < last {
		d.repair[r] = moved
		if int(moved.place) < d.k {
			d.holder[moved.place] = placeRepair + r
		}
	}
	d.repair = d.repair[:last]
}

// Decode recovers the source symbols that are missing. With fewer symbols than the
// block has, or in the rare case that they do not suffice, it fails with
// ErrNeedMore, having changed nothing: add more and try again.
func (d *Decoder) Decode() error {
	if d.done || d.block != nil && d.source == d.k {
		d.done = d.block != nil
		return nil
	}
	if have := d.Have(); have < d.k || d.block == nil {
		return fmt.Errorf("%w: %d of %d", ErrNeedMore, have, d.k)
	}
	d.src, d.missing, d.given = d.src[:0], d.missing[:0], d.given[:0]
	for i := range d.k {
		d.src = append(d.src, d.at(i))
		if d.holder[i] != placeSource {
			d.missing = append(d.missing, i)
		}
	}
	for _, r := range d.repair {
		d.given = append(d.given, given{d.p.isi(d.k, r.esi), d.at(int(r.place))})
	}
	if err := d.w.recover(&d.p, d.size, d.src, d.missing, d.given); err != nil {
		d.tried = d.Have()
		if d.taken == 1<<MaxExtra-1 {
			// So many that are dependent no sender makes by chance. Some have to
			// go for there to be room for better ones.
			for r := len(d.repair) - 1; r >= 0; r-- {
				if int(d.repair[r].place) >= d.k {
					d.drop(uint32(r))
				}
			}
			d.tried = d.Have()
		}
		return fmt.Errorf("%w: %d of %d do not suffice", err, d.tried, d.k)
	}
	d.done = true
	return nil
}

// Source returns source symbol i, a part of the block, if it was received or
// recovered, otherwise nil.
func (d *Decoder) Source(i int) []byte {
	if i < 0 || i >= d.k || d.block == nil || !d.done && d.holder[i] != placeSource {
		return nil
	}
	return d.at(i)
}
