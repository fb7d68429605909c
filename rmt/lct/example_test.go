package lct_test

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/lct"
)

// A header of a FLUTE packet with an FDT Instance, and its reading.
func Example() {
	h := lct.Header{TSI: 7, Extensions: lct.AppendFDT(nil, lct.FDT{Version: 2, InstanceID: 1})}
	packet, err := h.Append(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%x\n", packet)

	var got lct.Header
	if err := lct.Parse(packet, &got); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("TSI %d, TOI %v, widths %v, payload from byte %d\n", got.TSI, got.TOI, got.Widths, got.Len)
	for x := got.Extensions; ; {
		t, content, ok := x.Next()
		if !ok {
			break
		}
		fmt.Printf("%v: %x\n", t, content)
	}
	// Output:
	// 101004000000000000070000c0200001
	// TSI 7, TOI 0, widths 16/16, payload from byte 16
	// EXT_FDT: 200001
}
