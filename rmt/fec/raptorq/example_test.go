package raptorq_test

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec/raptorq"
)

// A block of four symbols comes through although only one of its source symbols
// does, with three repair symbols picked from 16 million.
func Example() {
	src := [][]byte{[]byte("Many "), []byte("ears "), []byte("one  "), []byte("voice")}
	enc, err := raptorq.NewEncoder(4, 5, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := enc.Load(src); err != nil {
		fmt.Println(err)
		return
	}

	dec, err := raptorq.NewDecoder(4, 5, 0, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	block := make([]byte, 4*5)
	dec.Reset(block)
	symbol := make([]byte, 5)
	for _, esi := range []uint32{2, 1000, 77, 9_000_000, 5} {
		enc.Symbol(symbol, esi)
		if dec.Add(esi, symbol) && dec.Decode() == nil {
			break
		}
	}
	fmt.Printf("%s\n", block)
	// Output: Many ears one  voice
}
