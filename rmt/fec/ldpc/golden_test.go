package ldpc

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// TestGolden compares LDPC-Staircase with symbols made by OpenFEC, an implementation by
// the RFC's authors.
func TestGolden(t *testing.T) {
	f, err := os.Open("testdata/openfec.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 4
	var e fec.BlockEncoder
	last, symbols := fec.OTI{}, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		var k, n int
		var esi uint32
		var want string
		o := fec.OTI{EncodingID: fec.LDPCStaircase, SymbolSize: size}
		if _, err := fmt.Sscan(lines.Text(), &k, &n, &o.N1, &o.Seed, &esi, &want); err != nil {
			t.Fatal(err)
		}
		o.MaxBlockLen, o.Parity, o.TransferLength = uint32(k), uint32(n-k), uint64(k*size)
		if o != last {
			block := make([]byte, k*size)
			x := uint32(k)
			for i := range block {
				x = x*1664525 + 1013904223
				block[i] = byte(x >> 24)
			}
			if e, err = newEncoder(&o); err != nil {
				t.Fatal(err)
			}
			if err := e.Load(0, block); err != nil {
				t.Fatal(err)
			}
			last = o
		}
		var got [size]byte
		e.Symbol(got[:], esi)
		if hex.EncodeToString(got[:]) != want {
			t.Errorf("k %d, n %d, N1 %d, symbol %d: %x, want %s", k, n, o.N1, esi, got, want)
		}
		symbols++
	}
	if symbols < 70 {
		t.Errorf("%d symbols", symbols)
	}
}
