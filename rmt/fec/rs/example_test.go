package rs_test

import (
	"fmt"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/fec/rs"
)

// A block of four symbols with two parity symbols survives the loss of any two.
func Example() {
	code, err := rs.New(rs.NRL, 4, 2, 4)
	if err != nil {
		fmt.Println(err)
		return
	}
	src := [][]byte{[]byte("Many "), []byte("ears "), []byte("one  "), []byte("voice")}
	parity := [][]byte{make([]byte, 5), make([]byte, 5)}
	for j := range parity {
		code.Encode(parity[j], src, j)
	}

	clear(src[0]) // lost on the way
	clear(src[2])
	if err := code.Decode(src, []int{0, 2}, parity, []int{0, 1}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", src)
	// Output: [Many  ears  one   voice]
}

// A session with flute-rs, which builds its matrix on other points, registers
// that profile or takes a code from its scheme.
func ExampleScheme() {
	s := rs.Scheme(fec.ReedSolomonGF8, rs.Backblaze)
	_, err := s.NewCode(&fec.OTI{SymbolSize: 1400, MaxBlockLen: 64, Parity: 16}, 55)
	fmt.Println(s.Name, err)
	// Output: Reed-Solomon GF(2^8), backblaze <nil>
}
