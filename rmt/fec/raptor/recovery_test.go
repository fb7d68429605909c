package raptor

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// TestRecovery counts how often K + m symbols do not determine a block, by rank alone,
// without symbols. What is known of the code is 0.85 * 0.567^m for K above 200 (Luby,
// Gasiba, Stockhammer, Watson: Reliable Multimedia Download Delivery in Cellular
// Broadcast Networks, 2007). With a tenth of the symbols lost it is that good. Of repair
// symbols only, long blocks take more, some 7 at K = 8,192: TestRank says that this is
// the code and not its solution.
func TestRecovery(t *testing.T) {
	r := rand.New(rand.NewPCG(5053, 1))
	for _, tt := range []struct {
		k, runs int
		loss    float64
		known   bool
	}{
		{10, 300, 0.1, false}, {100, 300, 0.1, false}, {256, 200, 0.1, true}, {1024, 50, 0.1, true}, {4096, 8, 0.1, true},
		{8192, 5, 0.1, true}, {8192, 2, 1, false},
	} {
		var c coder
		c.p = paramsFor(tt.k)
		var fails [6]int
		for range tt.runs {
			var esis []uint32
			for x := 0; len(esis) < tt.k+len(fails); x++ {
				if x >= tt.k && tt.loss == 1 || r.Float64() >= tt.loss {
					esis = append(esis, uint32(x))
				}
			}
			for m := range fails {
				if c.solve(esis[:tt.k+m]) {
					break
				}
				fails[m]++
			}
		}
		line := fmt.Sprintf("K %d, %.0f %% loss:", tt.k, 100*tt.loss)
		for m, n := range fails {
			want := 0.85 * math.Pow(0.567, float64(m))
			line += fmt.Sprintf(" +%d %.3f (%.3f)", m, float64(n)/float64(tt.runs), want)
			sigma := math.Sqrt(float64(tt.runs) * want * (1 - want))
			if tt.known && float64(n) > float64(tt.runs)*want+4*sigma+1 {
				t.Errorf("K %d, %d more: %d of %d failed, expected %.3f", tt.k, m, n, tt.runs, want)
			}
		}
		t.Log(line)
	}
}

// TestDecode takes blocks through loss, those of one length behind another.
func TestDecode(t *testing.T) {
	r := rand.New(rand.NewPCG(5053, 2))
	for _, k := range []int{4, 5, 11, 100, 1000} {
		const size = 16
		o := oti(k, size)
		d, err := newDecoder(&o, 0)
		if err != nil {
			t.Fatal(err)
		}
		block := make([]byte, k*size)
		for i := range block {
			block[i] = byte(r.Uint32())
		}
		e := load(t, k, size, block)
		room, sym := make([]byte, k*size), make([]byte, size)
		for _, loss := range []float64{0, 0.1, 0.5, 1} {
			if err := d.Start(0, room); err != nil {
				t.Fatal(err)
			}
			clear(room)
			n := 0
			for esi := uint32(0); ; esi++ {
				if int(esi) < k && r.Float64() < loss {
					continue
				}
				e.Symbol(sym, esi)
				n++
				if ready, err := d.Add(esi, sym); err != nil {
					t.Fatal(err)
				} else if !ready {
					continue
				}
				if err := d.Solve(); err == nil {
					break
				} else if !errors.Is(err, fec.ErrNeedMore) {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(room, block) {
				t.Fatalf("K %d, loss %.1f: another block", k, loss)
			}
			if n > k+32 {
				t.Errorf("K %d, loss %.1f: %d symbols", k, loss, n)
			}
		}
	}
}

// TestTiny: blocks of fewer than four symbols, which the RFC does not have, are taken
// from senders who make them, without repair; our own do not make them.
func TestTiny(t *testing.T) {
	for k := 1; k < MinBlockLen; k++ {
		o := oti(k, 10)
		if _, err := newEncoder(&o); !errors.Is(err, fec.ErrCodeSize) {
			t.Errorf("encoder for %d symbols: %v", k, err)
		}
		d, err := newDecoder(&o, 0)
		if err != nil {
			t.Fatal(err)
		}
		room := make([]byte, k*10)
		if err := d.Start(0, room); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Add(uint32(k), make([]byte, 10)); !errors.Is(err, fec.ErrBadSymbol) {
			t.Errorf("repair symbol of %d: %v", k, err)
		}
		for i := range k {
			ready, err := d.Add(uint32(i), bytes.Repeat([]byte{byte(i + 1)}, 10))
			if err != nil || ready != (i == k-1) {
				t.Errorf("symbol %d of %d: %t, %v", i, k, ready, err)
			}
		}
		if err := d.Solve(); err != nil || room[0] != 1 || room[k*10-1] != byte(k) {
			t.Errorf("%d symbols: %v, % x", k, err, room)
		}
	}
}

func TestNewOTI(t *testing.T) {
	for _, tt := range []struct {
		length  uint64
		s       Sizing
		t, z, n int
	}{
		// The formulas of RFC 5053 section 4.2 by hand: G = min(ceil(P*Kmin/F), P/Al, Gmax).
		{1_000_000, Sizing{Payload: 512, MinSymbols: 1024}, 512, 1, 1},      // G = 1
		{100_000, Sizing{Payload: 512, MinSymbols: 1024}, 84, 1, 1},         // G = 6, T = floor(512/24)*4
		{10_000, Sizing{Payload: 512, MinSymbols: 1024}, 48, 1, 1},          // G = 10, T = floor(512/40)*4
		{100_000_000, Sizing{Payload: 1280}, 1280, 10, 1},                   // Kt = 78,125
		{100_000_000, Sizing{Payload: 1280, Memory: 1 << 20}, 1280, 10, 10}, // KL*T = 10,000,640 in 2^20
		{0, Sizing{}, 1280, 1, 1},
		{100, Sizing{}, 24, 1, 1},       // five symbols, not one
		{4, Sizing{Align: 1}, 1, 1, 1},  // the smallest
		{17, Sizing{Align: 4}, 4, 1, 1}, // five of four
		{8192 * 65535 * 1280, Sizing{}, 1280, 65535, 1},
	} {
		o, err := NewOTI(tt.length, tt.s)
		if err != nil {
			t.Errorf("%d, %+v: %v", tt.length, tt.s, err)
			continue
		}
		if int(o.SymbolSize) != tt.t || int(o.Blocks) != tt.z || int(o.SubBlocks) != tt.n {
			t.Errorf("%d, %+v: T %d, Z %d, N %d; want %d, %d, %d", tt.length, tt.s, o.SymbolSize, o.Blocks, o.SubBlocks, tt.t, tt.z, tt.n)
		}
	}
	for _, tt := range []struct {
		length uint64
		s      Sizing
		want   error
	}{
		{3, Sizing{Align: 1}, fec.ErrCodeSize},
		{12, Sizing{Align: 4}, fec.ErrCodeSize},
		{8192*65535*1280 + 1, Sizing{}, fec.ErrCodeSize},
		{1 << 45, Sizing{}, fec.ErrFTI},
		{100, Sizing{Payload: 3}, fec.ErrFTI},
		{1 << 40, Sizing{Memory: 1}, fec.ErrCodeSize},
	} {
		if _, err := NewOTI(tt.length, tt.s); !errors.Is(err, tt.want) {
			t.Errorf("%d, %+v: %v, want %v", tt.length, tt.s, err, tt.want)
		}
	}
}
