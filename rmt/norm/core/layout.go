package core

import (
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A layout says how an object is cut into blocks and symbols: by the partition of RFC
// 5052 or, for a stream, into blocks of one length without end (RFC 5740 section
// 5.1.1).
type layout struct {
	fec.Partition
	blockLen int // symbols in each block of a stream; 0 is not a stream
	symbol   int // bytes in a symbol of a stream, its header included
}

// layoutOf returns the layout of an object with parameters oti.
func layoutOf(oti *fec.OTI, stream bool) (layout, error) {
	part, err := oti.Partition()
	if !stream {
		return layout{Partition: part}, err
	}
	if oti.SymbolSize == 0 || oti.MaxBlockLen == 0 || oti.MaxBlockLen > maxSymbols || oti.TransferLength == 0 {
		return layout{}, fec.ErrBlockLen
	}
	return layout{blockLen: int(oti.MaxBlockLen), symbol: int(oti.SymbolSize) + wire.StreamHeaderLen}, nil
}

func (l *layout) stream() bool { return l.blockLen > 0 }

// Blocks returns the number of blocks; of a stream, as many as can be numbered here.
func (l *layout) Blocks() uint64 {
	if l.stream() {
		return 1 << 32
	}
	return l.Partition.Blocks()
}

func (l *layout) BlockLen(sbn uint32) int {
	if l.stream() {
		return l.blockLen
	}
	return l.Partition.BlockLen(sbn)
}

func (l *layout) SymbolSize() int {
	if l.stream() {
		return l.symbol
	}
	return l.Partition.SymbolSize()
}

// SymbolBytes returns the least length of source symbol esi of block sbn.
func (l *layout) SymbolBytes(sbn uint32, esi int) int {
	if l.stream() {
		return wire.StreamHeaderLen
	}
	return l.Partition.SymbolBytes(sbn, esi)
}

// A numbering maps the block numbers of a stream, which wrap on the wire after some
// weeks, to numbers that only grow here (RFC 5740 section 4.2.1). For all other
// objects both are the same: the zero numbering.
type numbering struct {
	mask   uint32 // 2^bits - 1 of the number on the wire; 0 is no mapping
	offset uint32 // what is added on the way to the wire
}

// wire returns block sbn's number in a message.
func (n *numbering) wire(sbn uint32) uint32 {
	if n.mask == 0 {
		return sbn
	}
	return (sbn + n.offset) & n.mask
}

// local returns the number here of a block named in a message, the one closest to
// near. It returns false when that would lie before all numbers.
func (n *numbering) local(id, near uint32) (uint32, bool) {
	if n.mask == 0 {
		return id, true
	}
	d := (id - n.wire(near)) & n.mask
	if d <= n.mask>>1 {
		return near + d, d <= ^uint32(0)-near
	}
	back := n.mask - d + 1
	return near - back, back <= near
}

// rebase lowers all numbers here by d, which the wire does not see.
func (n *numbering) rebase(d uint32) { n.offset += d }

// numberingOf returns the mapping for a stream's block numbers in format f.
func numberingOf(f fec.PayloadIDFormat) numbering {
	return numbering{mask: uint32(f.MaxBlocks() - 1)}
}

// Block numbers of streams here are kept below rebaseAt by lowering them all by
// rebaseBy.
const (
	rebaseAt = 1 << 31
	rebaseBy = 1 << 30
)
