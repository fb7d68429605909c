package fec

import "fmt"

// A Layout says where the source symbols of an object lie in it (RFC 5053
// section 5.3.1.2, RFC 6330 section 4.4.1.2). Source blocks follow each other as in any [Partition]. In a block
// of more than one sub-block a symbol is no contiguous part of the object: it is
// made of a sub-symbol from each sub-block.
//
// The code itself does not know sub-blocks: each byte of a symbol is coded alike.
// Whoever has memory for a sub-block only may run it on sub-symbols.
type Layout struct {
	part  Partition
	n     int // sub-blocks
	large int // sub-symbol size of the first ones in bytes, TL*Al
	small int // and of the others, TS*Al
	numL  int // NL, how many the first ones are
}

// Layout returns the layout of the object o describes, whose scheme is Raptor or RaptorQ.
// It fails as [OTI.Validate] does.
func (o *OTI) Layout() (Layout, error) {
	if o.EncodingID != Raptor && o.EncodingID != RaptorQ {
		return Layout{}, fmt.Errorf("%w: %v has no sub-blocks", ErrUnknownScheme, o.EncodingID)
	}
	if err := o.Validate(); err != nil {
		return Layout{}, err
	}
	part, err := o.Partition()
	if err != nil {
		return Layout{}, err
	}
	al, n := int(o.Align), int(o.SubBlocks)
	units := int(o.SymbolSize) / al
	return Layout{
		part:  part,
		n:     n,
		large: (units + n - 1) / n * al,
		small: units / n * al,
		numL:  units - units/n*n,
	}, nil
}

// Partition returns the object's partition in source blocks.
func (l *Layout) Partition() Partition { return l.part }

// SubBlocks returns the number of sub-blocks in each source block, N.
func (l *Layout) SubBlocks() int { return l.n }

// SubSymbol returns where sub-symbol j of a symbol starts in it, and its size, both
// in bytes. j is below SubBlocks.
func (l *Layout) SubSymbol(j int) (offset, size int) {
	if j < l.numL {
		return j * l.large, l.large
	}
	return l.numL*l.large + (j-l.numL)*l.small, l.small
}

// Gather writes a source symbol to dst, which has the symbol size. block is the
// object's bytes of source block sbn, [Partition.BlockBytes] of them; what the
// last block lacks counts as zeros. There must be such a symbol.
func (l *Layout) Gather(dst, block []byte, sbn uint32, esi int) {
	k := l.part.BlockLen(sbn)
	for j := range l.n {
		from, size := l.SubSymbol(j)
		at := from*k + esi*size
		to := dst[from : from+size]
		clear(to[copy(to, block[min(at, len(block)):min(at+size, len(block))]):])
	}
}

// Scatter is the reverse of Gather: it writes the bytes of a source symbol to their
// places in block.
func (l *Layout) Scatter(block, symbol []byte, sbn uint32, esi int) {
	k := l.part.BlockLen(sbn)
	for j := range l.n {
		from, size := l.SubSymbol(j)
		at := from*k + esi*size
		copy(block[min(at, len(block)):min(at+size, len(block))], symbol[from:from+size])
	}
}
