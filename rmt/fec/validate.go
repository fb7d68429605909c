package fec

import "fmt"

// Longest source blocks, in symbols.
const (
	minRaptorSymbols  = 4     // RFC 5053 section 5.7
	maxRaptorSymbols  = 8192  // K_max, RFC 5053 section 5.1.2
	maxRaptorQSymbols = 56403 // K'_max, RFC 6330 section 5.1.2
	maxLDPCSymbols    = 1<<20 - 1
)

func maxRaptorBlock(id EncodingID) uint64 {
	if id == Raptor {
		return maxRaptorSymbols
	}
	return maxRaptorQSymbols
}

// Validate reports whether a sender could work by o: that its scheme is known, that
// the maximum block and its parity fit the scheme's code, and that the object has
// a partition. It says nothing about memory: see [BlockMemory] and [DecoderMemory].
func (o *OTI) Validate() error {
	f, err := o.PayloadIDFormat()
	if err != nil {
		return err
	}
	part, err := o.Partition()
	if err != nil {
		return err
	}
	limit := uint64(f.MaxSymbols() - 1) // 2^m - 1: RFC 5510 section 6.1
	switch o.EncodingID {
	case CompactNoCode:
		if o.Parity != 0 {
			return fmt.Errorf("%w: %d parity symbols, %v has none", ErrCodeSize, o.Parity, o.EncodingID)
		}
		if part.large > limit+1 {
			return fmt.Errorf("%w: blocks of %d symbols, at most %d with %v", ErrCodeSize, part.large, limit+1, o.EncodingID)
		}
		return nil
	case Raptor, RaptorQ:
		return o.validateRaptor(&part)
	case LDPCStaircase, LDPCTriangle:
		limit = maxLDPCSymbols
		if err := o.validateLDPC(); err != nil {
			return err
		}
	case ReedSolomonGF2m:
		if o.M == 16 && o.SymbolSize%2 != 0 {
			return fmt.Errorf("%w: symbols of %d bytes, elements of GF(2^16) take two", ErrCodeSize, o.SymbolSize)
		}
	case SmallBlockSystematic:
		if o.InstanceID == 0 {
			limit = 255 // instance 0 is Reed-Solomon over GF(2^8): RFC 5510 section 7
		}
	}
	if n := uint64(o.MaxBlockLen) + uint64(o.Parity); n > limit {
		return fmt.Errorf("%w: %d source and %d parity symbols, at most %d in all with %v",
			ErrCodeSize, o.MaxBlockLen, o.Parity, limit, o.EncodingID)
	}
	return nil
}

// validateRaptor checks what Raptor and RaptorQ have in common (RFC 5053 section
// 4.1, RFC 6330 section 4.4.1.2).
func (o *OTI) validateRaptor(p *Partition) error {
	t, al, n := o.SymbolSize, uint16(o.Align), o.SubBlocks
	switch {
	case al == 0 || t%al != 0:
		return fmt.Errorf("%w: symbols of %d bytes, alignment %d", ErrFTI, t, al)
	case n == 0 || n > t/al:
		return fmt.Errorf("%w: %d sub-blocks in symbols of %d bytes with alignment %d", ErrFTI, n, t, al)
	case o.Blocks == 0 || o.EncodingID == RaptorQ && o.Blocks > 255 || o.EncodingID == Raptor && n > 255:
		return fmt.Errorf("%w: %d source blocks of %d sub-blocks with %v", ErrFTI, o.Blocks, n, o.EncodingID)
	case o.EncodingID == RaptorQ && o.TransferLength >= 1<<40:
		return fmt.Errorf("%w: object of %d bytes, its length has 40 bits with %v", ErrFTI, o.TransferLength, o.EncodingID)
	}
	if limit := maxRaptorBlock(o.EncodingID); p.large > limit {
		return fmt.Errorf("%w: blocks of %d symbols, at most %d with %v", ErrCodeSize, p.large, limit, o.EncodingID)
	}
	if o.EncodingID == Raptor && p.blocks > 0 && p.small < minRaptorSymbols {
		return fmt.Errorf("%w: blocks of %d symbols, at least %d with %v; use smaller symbols", ErrCodeSize, p.small, minRaptorSymbols, o.EncodingID)
	}
	return nil
}

// maxSeed is 2^31 - 2 (RFC 5170 section 5.7).
const maxSeed = 1<<31 - 2

func (o *OTI) validateLDPC() error {
	switch {
	case o.N1 != 0 && (o.N1 < 3 || o.N1 > 10):
		return fmt.Errorf("%w: N1 is %d, 3 to 10 with %v", ErrFTI, o.N1, o.EncodingID)
	case o.G > 31:
		return fmt.Errorf("%w: %d symbols a packet, 1 to 31 with %v", ErrFTI, o.G, o.EncodingID)
	case o.Seed == 0 || o.Seed > maxSeed:
		return fmt.Errorf("%w: seed %d, 1 to 2^31-2 with %v", ErrFTI, o.Seed, o.EncodingID)
	}
	return nil
}
