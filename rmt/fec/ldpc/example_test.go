package ldpc_test

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
	_ "github.com/gomulticast/multicast/rmt/fec/ldpc"
)

// A block of 1,000 symbols with half as many repair symbols; a fifth of the source
// symbols is lost.
func Example() {
	oti := fec.OTI{
		EncodingID: fec.LDPCStaircase, TransferLength: 100_000, SymbolSize: 100,
		MaxBlockLen: 1000, Parity: 500, N1: 7, Seed: 1,
	}
	scheme, err := fec.Lookup(oti.EncodingID)
	if err != nil {
		fmt.Println(err)
		return
	}
	object := make([]byte, 100_000)
	enc, _ := scheme.NewEncoder(&oti)
	if err := enc.Load(0, object); err != nil {
		fmt.Println(err)
		return
	}
	dec, _ := scheme.NewDecoder(&oti, 0)
	if err := dec.Start(0, make([]byte, fec.BlockMemory(&oti))); err != nil {
		fmt.Println(err)
		return
	}
	symbol := make([]byte, oti.SymbolSize)
	for i := range enc.MaxESI() {
		if i < 1000 && i%5 == 0 {
			continue
		}
		esi := i
		if i >= 1000 { // repair symbols one behind another are of less use
			esi = 1000 + (i-1000)*307%500
		}
		n := enc.Symbol(symbol, esi)
		if ready, _ := dec.Add(esi, symbol[:n]); ready && dec.Solve() == nil {
			fmt.Println("solved by at most 1,020 symbols:", i-200 < 1020)
			return
		}
	}
	// Output: solved by at most 1,020 symbols: true
}
