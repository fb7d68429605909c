package fec_test

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
)

// A file of 300,000 bytes in symbols of 1400 makes 215 symbols, which do not fill
// four blocks of 64: the partition evens them out.
func ExampleOTI_Partition() {
	oti := fec.OTI{
		EncodingID:     fec.ReedSolomonGF8,
		TransferLength: 300_000,
		SymbolSize:     1400,
		MaxBlockLen:    64,
		Parity:         16,
	}
	p, err := oti.Partition()
	if err != nil {
		fmt.Println(err)
		return
	}
	for sbn := range uint32(p.Blocks()) {
		fmt.Printf("block %d: %d symbols from byte %d\n", sbn, p.BlockLen(sbn), p.Offset(sbn))
	}
	fmt.Printf("last symbol: %d bytes\n", p.SymbolBytes(3, p.BlockLen(3)-1))
	// Output:
	// block 0: 54 symbols from byte 0
	// block 1: 54 symbols from byte 75600
	// block 2: 54 symbols from byte 151200
	// block 3: 53 symbols from byte 226800
	// last symbol: 400 bytes
}

// The receiver of a NORM_DATA message learns the scheme from the header and reads
// the payload ID by it.
func ExampleOTI_PayloadIDFormat() {
	oti := fec.OTI{EncodingID: fec.ReedSolomonGF8}
	f, err := oti.PayloadIDFormat()
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := f.Parse([]byte{0x00, 0x00, 0x03, 0x36})
	fmt.Println(id.SBN, id.ESI, err)
	// Output: 3 54 <nil>
}
