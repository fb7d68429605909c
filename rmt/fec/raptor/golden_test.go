package raptor

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// load makes an encoder with a block of k symbols of size bytes.
func load(t testing.TB, k, size int, block []byte) fec.BlockEncoder {
	t.Helper()
	o := oti(k, size)
	e, err := newEncoder(&o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Load(0, block); err != nil {
		t.Fatal(err)
	}
	return e
}

func oti(k, size int) fec.OTI {
	return fec.OTI{EncodingID: fec.Raptor, TransferLength: uint64(k * size), SymbolSize: uint16(size), Blocks: 1, SubBlocks: 1, Align: 1}
}

// TestGolden compares with symbols made by github.com/google/gofountain, an
// implementation by others.
func TestGolden(t *testing.T) {
	f, err := os.Open("testdata/gofountain.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 4
	var e fec.BlockEncoder
	last, n := 0, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		var k int
		var esi uint32
		var want string
		if _, err := fmt.Sscan(lines.Text(), &k, &esi, &want); err != nil {
			t.Fatal(err)
		}
		if k != last {
			block := make([]byte, k*size)
			x := uint32(k)
			for i := range block {
				x = x*1664525 + 1013904223
				block[i] = byte(x >> 24)
			}
			e, last = load(t, k, size, block), k
		}
		var got [size]byte
		e.Symbol(got[:], esi)
		if hex.EncodeToString(got[:]) != want {
			t.Errorf("K %d, symbol %d: %x, want %s", k, esi, got, want)
		}
		n++
	}
	if n != 12*24 {
		t.Errorf("%d symbols", n)
	}
}
