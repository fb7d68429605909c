package core

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
)

// A codeCache keeps the codes used last, for objects of all senders: a code over GF(2^16)
// takes up to 30 KB and a symbol, and every object might have one of its own.
type codeCache struct {
	entries [16]codeEntry
	turn    int
}

type codeEntry struct {
	oti  fec.OTI // but for the length of the object
	k    int
	code fec.Code
}

// check reports whether this receiver can do with an object's codes. The partition has
// blocks of at most two lengths: the first's, the last's.
func (c *codeCache) check(r *Receiver, oti *fec.OTI, part *layout) error {
	first, last := part.BlockLen(0), part.BlockLen(uint32(max(part.Blocks(), 1)-1))
	if n := first + int(oti.Parity); n > maxSymbols {
		return fmt.Errorf("%w: %d source and %d parity symbols in a block; at most %d in all are received", fec.ErrCodeSize, first, oti.Parity, maxSymbols)
	}
	if oti.EncodingID == fec.ReedSolomonGF2m && oti.M == 16 && oti.SymbolSize%2 != 0 {
		return fmt.Errorf("%w: segments of %d bytes; over GF(2^16) they are of an even length", fec.ErrCodeSize, oti.SymbolSize)
	}
	if oti.EncodingID == fec.ReedSolomonGF2m && oti.G > 1 {
		return fmt.Errorf("%w: %d symbols in a packet; one is received", fec.ErrCodeSize, oti.G)
	}
	for _, k := range [2]int{first, last} {
		if k == 0 {
			continue
		}
		if _, err := c.find(r, oti, k); err != nil {
			return err
		}
	}
	return nil
}

// find returns the code for blocks of k source symbols.
func (c *codeCache) find(r *Receiver, oti *fec.OTI, k int) (fec.Code, error) {
	key := *oti
	key.TransferLength = 0
	for i := range c.entries {
		if e := &c.entries[i]; e.k == k && e.oti == key {
			return e.code, nil
		}
	}
	scheme, err := r.cfg.Scheme(oti.EncodingID)
	if err != nil {
		return nil, err
	}
	code, err := scheme.NewCode(oti, k)
	if err != nil {
		return nil, err
	}
	c.entries[c.turn] = codeEntry{key, k, code}
	c.turn = (c.turn + 1) % len(c.entries)
	return code, nil
}
