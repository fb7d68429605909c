package raptorq

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec/internal/intake"
)

// A Decoder collects the encoding symbols of one block, and recovers the block from
// as many as it has source symbols, or a few more. Source symbols go to their
// place in the block, repair symbols to places of source symbols that are not
// there, so that a block once begun takes no more memory until it is decoded.
//
// It is not for concurrent use.
type Decoder struct {
	p     params
	k     int
	size  int
	w     *Workspace
	begun bool
	in    intake.Block
	done  bool

	src     [][]byte
	missing []int
	given   []given
}

// MaxExtra is how many symbols more than the block's length a Decoder keeps, for
// when those do not suffice.
const MaxExtra = intake.MaxExtra

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
	return &Decoder{p: p, k: k, size: size, w: w}, nil
}

// Reset forgets all symbols and starts a block in the memory block, which the
// decoder uses until the next Reset: len(block) is at least k times the symbol size.
// It panics when it is less. The contents do not matter.
func (d *Decoder) Reset(block []byte) {
	if len(block) < d.k*d.size {
		panic(fmt.Sprintf("raptorq: block of %d bytes for %d symbols of %d", len(block), d.k, d.size))
	}
	d.in.Reset(block, d.k, d.size, MaxExtra)
	d.begun, d.done = true, false
}

// Add takes in encoding symbol esi, copying it, and reports whether it is time to
// call Decode: there are as many symbols as the block has, all different, and more
// than when it last failed, some more if it has failed often. The last source symbol may be shorter than the symbol
// size, as the object's last one is; it is padded with zeros (RFC 6330 section
// 4.4.2). Symbols that are there already, and those that cannot be of this block by
// length or esi, are ignored.
func (d *Decoder) Add(esi uint32, data []byte) bool {
	switch {
	case d.done || !d.begun || esi > MaxESI || len(data) > d.size:
	case len(data) < d.size && esi != uint32(d.k-1):
	case esi < uint32(d.k):
		d.in.AddSource(int(esi), data)
	default:
		d.in.AddRepair(esi, data)
	}
	return d.Ready()
}

// Ready reports what the last Add did.
func (d *Decoder) Ready() bool {
	return d.begun && (d.done || d.in.Ready())
}

// Have returns how many different symbols are at hand. Once the block is decoded,
// it is k.
func (d *Decoder) Have() int {
	if d.done {
		return d.k
	}
	return d.in.Have()
}

// Decode recovers the source symbols that are missing. With fewer symbols than the
// block has, or in the rare case that they do not suffice, it fails with
// ErrNeedMore, having changed nothing: add more and try again.
func (d *Decoder) Decode() error {
	if d.done || d.begun && d.in.Sources() == d.k {
		d.done = true
		return nil
	}
	if have := d.Have(); have < d.k || !d.begun {
		return fmt.Errorf("%w: %d of %d", ErrNeedMore, have, d.k)
	}
	d.src, d.missing, d.given = d.src[:0], d.missing[:0], d.given[:0]
	for i := range d.k {
		d.src = append(d.src, d.in.At(i))
		if !d.in.HasSource(i) {
			d.missing = append(d.missing, i)
		}
	}
	for _, r := range d.in.Repairs() {
		d.given = append(d.given, given{d.p.isi(d.k, r.ESI), d.in.Symbol(r)})
	}
	if err := d.w.recover(&d.p, d.size, d.src, d.missing, d.given); err != nil {
		d.in.Failed()
		return fmt.Errorf("%w: %d of %d do not suffice", err, d.Have(), d.k)
	}
	d.done = true
	return nil
}

// Source returns source symbol i, a part of the block, if it was received or
// recovered, otherwise nil.
func (d *Decoder) Source(i int) []byte {
	if i < 0 || i >= d.k || !d.begun || !d.done && !d.in.HasSource(i) {
		return nil
	}
	return d.in.At(i)
}
