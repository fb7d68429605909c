package raptorq

// A plan says how the intermediate symbols follow from the symbols given, as steps
// on slots of memory. It depends on which symbols are given, not on their data.
//
// Slots 0 to L-1 are the intermediate symbols, by column; behind them are HDPC sums
// and what the steps need for themselves.
type plan struct {
	p *params

	// pivots are the sparse rows that give a column each, in an order in which
	// each uses only columns of earlier ones, and inactive columns. A row is:
	// its column, its symbol or none, how many columns of earlier rows follow,
	// how many columns follow in all, the columns.
	pivots []uint16

	// lower are the rows used to find the inactive columns: the slot, the symbol
	// or none, how many columns follow, the columns of pivots in the row.
	lower []uint16

	// steps work on the lower rows; after them comes the sum over the HDPC
	// relations, if hdpc is not 0; rest works on both. hdpc has a bit for each
	// relation used, isPivot for each column that a pivot gives.
	steps   []step
	hdpc    uint16
	isPivot []uint64
	pairs   []uint8 // by column, the two relations its sum goes to, 4 bits each
	rest    []step
}

// A step is slot dst += c * slot src; with dst the same as src, slot dst *= c; with
// c 0, slot dst = slot src.
type step struct {
	dst, src uint16
	c        uint8
}

// none is the symbol of a row that has none: LDPC relations sum to zero.
const none = 0xffff

// maxRows bounds the symbols a plan is made for, so that slots, rows and symbols
// have numbers of 16 bits.
const maxRows = 1<<16 - 2048

// Slots behind the intermediate symbols.
const (
	slotHDPC  = 0  // + relation, up to 16
	slotPing  = 16 // two for the running sum over the HDPC relations
	slotPong  = 17
	slotsMore = 18
)

// bytes returns about how much memory the plan takes.
func (pl *plan) bytes() int {
	return 2*(cap(pl.pivots)+cap(pl.lower)) + 6*(cap(pl.steps)+cap(pl.rest)) + 8*cap(pl.isPivot) + cap(pl.pairs)
}
