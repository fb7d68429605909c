package fec

// A Grouper is a block encoder or decoder of a scheme whose packets of several symbols
// do not hold consecutive ones: the LDPC codes (RFC 5170 section 5.6). It counts for OTI
// with G above 1.
type Grouper interface {
	// FirstESI returns the encoding symbol ID that the payload ID of a packet says,
	// by the packet's number: packets of source symbols come first.
	FirstESI(packet int) uint32

	// AppendGroup appends the encoding symbol IDs of the n symbols in a packet whose
	// payload ID says first. What is no symbol of the block has no group.
	AppendGroup(dst []uint32, first uint32, n int) []uint32
}

// AppendGroup appends the encoding symbol IDs of the n symbols in a packet whose payload
// ID says first: as coder, a block encoder or decoder, says if it is a [Grouper],
// otherwise one behind another (RFC 5053 section 5.3.2, RFC 6330 section 4.4.2).
func AppendGroup(dst []uint32, coder any, first uint32, n int) []uint32 {
	if g, ok := coder.(Grouper); ok && n > 1 {
		return g.AppendGroup(dst, first, n)
	}
	for i := range uint32(n) {
		dst = append(dst, first+i)
	}
	return dst
}
