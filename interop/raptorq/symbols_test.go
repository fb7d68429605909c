package raptorq

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	rq "github.com/gomulticast/multicast/rmt/fec/raptorq"
)

// TestBuild shows that the peer can be built.
func TestBuild(t *testing.T) { Build(t) }

// block makes the block that the peer makes, and its symbols.
func block(k, size int) ([]byte, [][]byte) {
	b := make([]byte, k*size)
	x := uint32(len(b))
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	src := make([][]byte, k)
	for i := range src {
		src[i] = b[i*size:][:size]
	}
	return b, src
}

// TestSymbols holds our encoding symbols to liblcrq's, byte for byte, for source
// and repair symbols of blocks of many lengths. With MULTICAST_LAB=required there
// are more and longer blocks; a block of 3,000 takes liblcrq some seconds.
func TestSymbols(t *testing.T) {
	Build(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	lengths := []int{1, 2, 9, 10, 11, 12, 13, 26, 100, 101, 102, 477}
	n, most := 20, 400
	if os.Getenv("MULTICAST_LAB") == "required" {
		lengths = append(lengths, 999, 1000, 1002, 1003, 3000)
		n, most = 60, 700
	}
	for range n {
		lengths = append(lengths, 1+r.IntN(most))
	}
	symbols := 0
	for _, k := range lengths {
		size := 4 * (1 + r.IntN(40))
		esis := []uint32{0, uint32(k - 1), uint32(k), uint32(k + 1), rq.MaxESI}
		for range 40 {
			esis = append(esis, r.Uint32N(rq.MaxESI+1)>>r.IntN(20))
		}
		args := []string{"symbols", strconv.Itoa(k), strconv.Itoa(size)}
		for _, esi := range esis {
			args = append(args, fmt.Sprint(esi))
		}
		lines := Run(t, args...)
		if len(lines) != len(esis) {
			t.Fatalf("peer says %d symbols, asked for %d", len(lines), len(esis))
		}
		_, src := block(k, size)
		e, err := rq.NewEncoder(k, size, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Load(src); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, size)
		for i, esi := range esis {
			e.Symbol(got, esi)
			if want := fmt.Sprintf("%d %s", esi, hex.EncodeToString(got)); lines[i] != want {
				t.Errorf("K %d, T %d: ours is\n%s, liblcrq's\n%s", k, size, want, lines[i])
			}
			symbols++
		}
	}
	t.Logf("%d blocks, %d symbols alike", len(lengths), symbols)
}
