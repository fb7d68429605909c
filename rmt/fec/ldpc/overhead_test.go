package ldpc

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// overhead decodes blocks from symbols in an order by chance and returns how many more
// than k it took on average, in per cent, and the most inactive unknowns.
func overhead(t *testing.T, o *fec.OTI, runs int) (percent float64, inactive int) {
	const size = 4
	p, err := o.Partition()
	if err != nil {
		t.Fatal(err)
	}
	k := p.BlockLen(0)
	enc, err := newEncoder(o)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, k*size)
	r := rand.New(rand.NewPCG(5170, uint64(k)))
	for i := range block {
		block[i] = byte(r.Uint32())
	}
	if err := enc.Load(0, block); err != nil {
		t.Fatal(err)
	}
	d, err := newDecoder(o, 0)
	if err != nil {
		t.Fatal(err)
	}
	room, sym := make([]byte, k*size), make([]byte, size)
	for range runs {
		if err := d.Start(0, room); err != nil {
			t.Fatal(err)
		}
		for n, esi := range r.Perm(int(enc.MaxESI())) {
			enc.Symbol(sym, uint32(esi))
			ready, err := d.Add(uint32(esi), sym)
			if err != nil {
				t.Fatal(err)
			}
			if ready && d.Solve() == nil {
				percent += 100 * float64(n+1-k) / float64(k) / float64(runs)
				inactive = max(inactive, d.(*decoder).solver.Inactive())
				break
			}
		}
		if !bytes.Equal(room, block) {
			t.Fatalf("k %d: another block", k)
		}
	}
	return percent, inactive
}

// TestOverhead measures what the codes take; with N1 of 5 and more, Gaussian
// elimination makes them nearly perfect.
func TestOverhead(t *testing.T) {
	for _, tt := range []struct {
		id          fec.EncodingID
		k, n        int
		n1          uint8
		runs        int
		percent     float64 // at most
		maxInactive int
	}{
		{fec.LDPCStaircase, 500, 750, 3, 20, 7, 100},
		{fec.LDPCStaircase, 500, 750, 7, 20, 1, 250},
		{fec.LDPCTriangle, 500, 750, 3, 20, 2, 100},
		{fec.LDPCStaircase, 5000, 7500, 3, 3, 5, 200},
		{fec.LDPCStaircase, 5000, 7500, 5, 3, 1.5, 500},
		{fec.LDPCTriangle, 5000, 7500, 3, 3, 2, 300},
	} {
		o := fec.OTI{EncodingID: tt.id, TransferLength: uint64(4 * tt.k), SymbolSize: 4, MaxBlockLen: uint32(tt.k), Parity: uint32(tt.n - tt.k), N1: tt.n1, Seed: 7}
		percent, inactive := overhead(t, &o, tt.runs)
		t.Logf("%v, k %d, n %d, N1 %d: %.2f %% more symbols on average, %d inactive", tt.id, tt.k, tt.n, tt.n1, percent, inactive)
		if percent > tt.percent || inactive > tt.maxInactive {
			t.Errorf("more than %.2f %% or %d inactive", tt.percent, tt.maxInactive)
		}
	}
}
