package raptor_test

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/fec/raptor"
)

// A file of 100,000 bytes in packets of up to 512: the symbols are made smaller, so that
// the block has more of them.
func ExampleNewOTI() {
	oti, err := raptor.NewOTI(100_000, raptor.Sizing{Payload: 512, MinSymbols: 1024})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, _ := oti.Partition()
	fmt.Println(oti.SymbolSize, "bytes a symbol,", p.BlockLen(0), "symbols in", p.Blocks(), "block")

	scheme, _ := fec.Lookup(fec.Raptor)
	enc, _ := scheme.NewEncoder(&oti)
	if err := enc.Load(0, make([]byte, 100_000)); err != nil {
		fmt.Println(err)
		return
	}
	repair := make([]byte, oti.SymbolSize)
	fmt.Println(enc.Symbol(repair, uint32(p.BlockLen(0))), "bytes of repair")
	// Output:
	// 84 bytes a symbol, 1191 symbols in 1 block
	// 84 bytes of repair
}
