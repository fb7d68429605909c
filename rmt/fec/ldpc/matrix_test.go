package ldpc

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// TestRandom is the validation criterion of RFC 5170 section 5.7.
func TestRandom(t *testing.T) {
	r := random(1)
	for range 9999 {
		r.next()
	}
	if got := r.next(); got != 1043618065 {
		t.Errorf("the 10,000th value is %d", got)
	}
}

// reference makes a matrix as the functions printed in RFC 5170 sections 6.2 and 7.2
// do, in full and step by step, with a generator of its own.
func reference(k, n, n1 int, seed uint64, triangle bool) [][]bool {
	h := make([][]bool, n-k)
	for i := range h {
		h[i] = make([]bool, n)
	}
	rand := func(limit int) int {
		// Park and Miller's own way, by Schrage's method, without wide numbers.
		hi, lo := int64(seed)/127773, int64(seed)%127773
		v := 16807*lo - 2836*hi
		if v <= 0 {
			v += 2147483647
		}
		seed = uint64(v)
		return int(float64(limit) * float64(v) / 2147483647.0)
	}
	degree := func(i int) (d int) {
		for _, v := range h[i] {
			if v {
				d++
			}
		}
		return d
	}
	u := make([]int, n1*k)
	for i := len(u) - 1; i >= 0; i-- {
		u[i] = i % (n - k)
	}
	t := 0
	for j := range k {
		for range n1 {
			i := t
			for i < n1*k && h[u[i]][j] {
				i++
			}
			if i < n1*k {
				for {
					if i = t + rand(n1*k-t); !h[u[i]][j] {
						break
					}
				}
				h[u[i]][j] = true
				u[i] = u[t]
				t++
			} else {
				for {
					if i = rand(n - k); !h[i][j] {
						break
					}
				}
				h[i][j] = true
			}
		}
	}
	for i := range n - k {
		if degree(i) == 0 {
			h[i][rand(k)] = true
		}
		if degree(i) == 1 {
			for {
				if j := rand(k); !h[i][j] {
					h[i][j] = true
					break
				}
			}
		}
	}
	h[0][k] = true
	for i := 1; i < n-k; i++ {
		h[i][k+i], h[i][k+i-1] = true, true
		if triangle {
			j := i - 1
			for l := 0; l < j; l++ {
				j = rand(j)
				h[i][k+j] = true
			}
		}
	}
	return h
}

func TestMatrix(t *testing.T) {
	for _, tt := range []struct{ k, n, n1 int }{
		{2, 5, 3}, {3, 6, 3}, {4, 12, 3}, {10, 13, 3}, {20, 30, 3}, {20, 200, 3}, {50, 53, 3}, {64, 74, 10},
		{100, 150, 3}, {100, 150, 7}, {300, 310, 10}, {500, 550, 5}, {200, 900, 4},
	} {
		for _, triangle := range []bool{false, true} {
			for _, seed := range []uint32{1, 2, 12345, 1<<31 - 2} {
				m, err := newMatrix(tt.k, tt.n, tt.n1, seed, triangle)
				if err != nil {
					t.Fatal(err)
				}
				name := fmt.Sprintf("%+v, triangle %t, seed %d", tt, triangle, seed)
				want := reference(tt.k, tt.n, tt.n1, uint64(seed), triangle)
				for i, row := range want {
					var cols []uint32
					for c, one := range row {
						if one {
							cols = append(cols, uint32(c))
							if !slices.Contains(m.rowsOf(uint32(c)), uint32(i)) {
								t.Fatalf("%s: column %d has no row %d", name, c, i)
							}
						}
					}
					got := slices.Clone(m.row(i))
					if got[len(got)-1] != uint32(tt.k+i) {
						t.Fatalf("%s: row %d ends with %d", name, i, got[len(got)-1])
					}
					if slices.Sort(got); !slices.Equal(got, cols) {
						t.Fatalf("%s: row %d is %v, want %v", name, i, got, cols)
					}
				}
				if int(m.starts[tt.n]) != len(m.cols) || len(m.rows) != len(m.cols) {
					t.Fatalf("%s: %d and %d entries by column", name, m.starts[tt.n], len(m.rows))
				}
			}
		}
	}
}

// TestHostileMatrix: parameters for which the RFC's choices take for ever, or nearly,
// are refused in bounded time, or have no repair symbols.
func TestHostileMatrix(t *testing.T) {
	refused := 0
	for _, m := range []int{3, 4, 5, 10, 11, 12, 100} {
		for _, n1 := range []int{3, 7, 10} {
			if m < n1 {
				continue
			}
			for _, k := range []int{2, 3, 10, 1000, 50_000} {
				switch _, err := newMatrix(k, k+m, n1, 77, true); {
				case errors.Is(err, fec.ErrCodeSize):
					refused++
					if k <= 1000 {
						t.Errorf("%d source and %d repair symbols, N1 %d: %v", k, m, n1, err)
					}
				case err != nil:
					t.Error(err)
				}
			}
		}
	}
	t.Logf("%d refused", refused)
	o := fec.OTI{EncodingID: fec.LDPCStaircase, TransferLength: 10, SymbolSize: 1, MaxBlockLen: 10, Parity: 2, Seed: 1}
	for _, length := range []uint64{2, 10} {
		o.TransferLength = length
		e, err := newEncoder(&o)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Load(0, make([]byte, length)); err != nil || e.MaxESI() != uint32(length) {
			t.Errorf("%d source symbols: %d encoding symbols, %v", length, e.MaxESI(), err)
		}
	}
}
