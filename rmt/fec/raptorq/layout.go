package raptorq

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
)

// A Layout says where the source symbols of an object lie in it (RFC 6330 section
// 4.4.1.2).
//
// The code itself does not know sub-blocks: each byte of a symbol is coded alike.
// Whoever has memory for a sub-block only may run it on sub-symbols.
type Layout = fec.Layout

// NewLayout returns the layout of the object o describes; for errors see
// [Validate].
func NewLayout(o *fec.OTI) (Layout, error) {
	if o.TransferLength > MaxTransferLength || o.MaxBlockLen > MaxBlockLen {
		return Layout{}, fmt.Errorf("%w: object of %d bytes, at most %d; blocks of up to %d symbols, at most %d",
			ErrOTI, o.TransferLength, uint64(MaxTransferLength), o.MaxBlockLen, MaxBlockLen)
	}
	l, err := o.Layout()
	if err != nil {
		return Layout{}, fmt.Errorf("%w: %w", ErrOTI, err)
	}
	return l, nil
}
