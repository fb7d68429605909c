package rs

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// TestLibnorm holds the NRL profile to parity symbols that NRL's libnorm has sent;
// the file says how they were taken.
func TestLibnorm(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "libnorm.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var (
		oti       fec.OTI
		partition fec.Partition
		content   []byte
		objects   int
		symbols   int
	)
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		if after, ok := strings.CutPrefix(line, "object "); ok {
			oti = fec.OTI{}
			if _, err := fmt.Sscan(after, &oti.EncodingID, &oti.MaxBlockLen, &oti.Parity, &oti.SymbolSize, &oti.TransferLength); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if partition, err = oti.Partition(); err != nil {
				t.Fatal(err)
			}
			content = content[:0]
			for x := uint32(oti.TransferLength); len(content) < int(oti.TransferLength); {
				x = x*1664525 + 1013904223
				content = append(content, byte(x>>24))
			}
			objects++
			continue
		}
		var sbn uint32
		var esi int
		var digits string
		if _, err := fmt.Sscan(line, &sbn, &esi, &digits); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		want, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		k := partition.BlockLen(sbn)
		src := make([][]byte, k)
		for i := range src {
			src[i] = content[int(partition.Offset(sbn))+i*partition.SymbolSize():][:partition.SymbolBytes(sbn, i)]
		}
		scheme, err := fec.Lookup(oti.EncodingID)
		if err != nil {
			t.Fatal(err)
		}
		code, err := scheme.NewCode(&oti, k)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, oti.SymbolSize)
		code.Encode(got, src, esi-k)
		if !bytes.Equal(got, want) {
			t.Errorf("%v, B %d, block %d of %d, symbol %d:\n    got % x\nlibnorm % x", oti.EncodingID, oti.MaxBlockLen, sbn, k, esi, got, want)
		}
		symbols++
	}
	if objects < 6 || symbols < 400 {
		t.Errorf("%d objects, %d symbols: the file is not whole", objects, symbols)
	}
}
