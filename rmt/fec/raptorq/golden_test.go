package raptorq

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// TestTables holds the tables to what they were when they were made from the RFC,
// and to what the RFC says about them.
func TestTables(t *testing.T) {
	sum := func(v any) string {
		h := sha256.New()
		if err := binary.Write(h, binary.BigEndian, v); err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(h.Sum(nil)[:8])
	}
	for _, tt := range []struct {
		name      string
		got, want string
	}{
		{"V0", sum(v0[:]), "e93a1c8858a6f72d"},
		{"V1", sum(v1[:]), "fc7849e2f98e30ab"},
		{"V2", sum(v2[:]), "2ffd0991ee9e71c8"},
		{"V3", sum(v3[:]), "17a4e6ab6f886fe2"},
		{"Table 2", sum(table2[:]), "6669e3a7073bdae5"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s has changed: %s, was %s", tt.name, tt.got, tt.want)
		}
	}
	if len(table2) != 477 {
		t.Errorf("%d values of K'", len(table2))
	}
	last := 0
	for i := range table2 {
		p := makeParams(&table2[i])
		if !isPrime(p.s) || !isPrime(p.w) || int(p.kp) <= last || p.h > 16 || p.p < p.h || p.l+slotsMore > maxRows {
			t.Errorf("row %d: %+v", i, p)
		}
		last = int(p.kp)
	}
	if last != MaxBlockLen {
		t.Errorf("longest block %d", last)
	}
	// RFC 6330 sections 5.7.3 and 5.7.4.
	if octExp[8] != 29 || octExp[254] != 142 || octExp[509] != 142 || octLog[2] != 1 || octLog[29] != 8 || octLog[255] != 175 {
		t.Error("OCT_EXP or OCT_LOG is wrong")
	}
}

// TestField holds our arithmetic to the vector code's, which must be in the same
// field and may work in place.
func TestField(t *testing.T) {
	in := make([]byte, 256+300)
	for i := range in {
		in[i] = byte(i)
	}
	for c := range 256 {
		for _, n := range []int{1, 15, 16, 31, 33, 63, 64, 127, 200, 256, 300, len(in)} {
			got := slices.Clone(in[:n])
			mul.GalMulSlice(byte(c), got, got)
			for i, v := range got {
				if want := octMul(byte(c), byte(i)); v != want {
					t.Fatalf("%d * %d = %d in place in %d bytes, want %d", c, byte(i), v, n, want)
				}
			}
		}
		if c > 0 && octMul(byte(c), octInv(byte(c))) != 1 {
			t.Errorf("1/%d is wrong", c)
		}
	}
	for i, v := range []uint8{0, 1, 0x80, 0xff} {
		if got := alphaTimes(uint64(v) << (8 * i)); got != uint64(octMul(2, v))<<(8*i) {
			t.Errorf("2 * %d: %x", v, got)
		}
	}
}

// TestLibraries holds the symbols to those of two other implementations; the files
// say how they were made.
func TestLibraries(t *testing.T) {
	for _, tt := range []struct {
		file             string
		objects, symbols int
		internal         bool // repair symbols are numbered by internal symbol ID
	}{
		{"lcrq.txt", 11, 95, false},
		{"cberner.txt", 9, 80, true},
	} {
		f, err := os.Open(filepath.Join("testdata", tt.file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var (
			object           []byte
			layout           Layout
			e                *Encoder
			src              [][]byte
			objects, symbols int
		)
		for s := bufio.NewScanner(f); s.Scan(); {
			line := s.Text()
			if strings.HasPrefix(line, "#") {
				continue
			}
			if after, ok := strings.CutPrefix(line, "object "); ok {
				o := fec.OTI{EncodingID: fec.RaptorQ, MaxBlockLen: MaxBlockLen}
				if _, err := fmt.Sscan(after, &o.TransferLength, &o.SymbolSize, &o.Blocks, &o.SubBlocks, &o.Align); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				if testing.Short() && o.TransferLength > 1e6 {
					t.Skip("long objects")
				}
				if layout, err = NewLayout(&o); err != nil {
					t.Fatal(err)
				}
				object = make([]byte, o.TransferLength)
				x := uint32(o.TransferLength)
				for i := range object {
					x = x*1664525 + 1013904223
					object[i] = byte(x >> 24)
				}
				part := layout.Partition()
				src = make([][]byte, part.BlockLen(0))
				for i := range src {
					src[i] = make([]byte, o.SymbolSize)
					layout.Gather(src[i], object, 0, i)
				}
				e = loaded(t, src, int(o.SymbolSize))
				objects++
				continue
			}
			var sbn, esi uint32
			var want string
			if _, err := fmt.Sscan(line, &sbn, &esi, &want); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if k := uint32(len(src)); tt.internal && esi >= k {
				esi -= e.p.kp - k
			}
			dst := make([]byte, e.size)
			e.Symbol(dst, esi)
			got := hex.EncodeToString(dst)
			if strings.HasPrefix(want, "sha256:") {
				h := sha256.Sum256(dst)
				got = "sha256:" + hex.EncodeToString(h[:16])
			}
			if got != want {
				t.Errorf("%s, %d symbols of %d: symbol %d is\n%s, want\n%s", tt.file, len(src), e.size, esi, got, want)
			}
			if int(esi) < len(src) && !bytes.Equal(dst, src[esi]) {
				t.Errorf("%s: symbol %d of %d is not the source symbol", tt.file, esi, len(src))
			}
			symbols++
		}
		if objects < tt.objects || symbols < tt.symbols {
			t.Errorf("%s: %d objects, %d symbols: the file is not whole", tt.file, objects, symbols)
		}
	}
}
