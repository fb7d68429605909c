package alc_test

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/alc"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/lct"
)

// A packet with one Reed-Solomon symbol, and its reading.
func Example() {
	oti := fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 100_000, SymbolSize: 1400, MaxBlockLen: 64, Parity: 16}
	extensions, err := alc.AppendFTI(nil, &oti)
	if err != nil {
		fmt.Println(err)
		return
	}
	p := alc.Packet{
		Header:     lct.Header{TSI: 7, TOI: lct.TOI{Lo: 1}, Codepoint: uint8(fec.ReedSolomonGF8), Extensions: extensions},
		HasPayload: true,
		ID:         fec.PayloadID{SBN: 1, ESI: 3},
		Symbols:    []byte("a symbol"),
	}
	packet, err := alc.Codec{}.Append(make([]byte, 0, 1500), &p)
	if err != nil {
		fmt.Println(err)
		return
	}

	var got alc.Packet
	if err := (alc.Codec{}).Parse(packet, &got); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("TSI %d, TOI %v, block %d, symbol %d: %q\n", got.TSI, got.TOI, got.ID.SBN, got.ID.ESI, got.Symbols)
	if o, ok, err := got.FTI(fec.EncodingID(got.Codepoint)); ok && err == nil {
		fmt.Printf("%v: %d bytes in blocks of up to %d+%d symbols of %d\n", o.EncodingID, o.TransferLength, o.MaxBlockLen, o.Parity, o.SymbolSize)
	}
	// Output:
	// TSI 7, TOI 1, block 1, symbol 3: "a symbol"
	// rs8 (5): 100000 bytes in blocks of up to 64+16 symbols of 1400
}
