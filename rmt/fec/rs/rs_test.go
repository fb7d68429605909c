package rs

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/klauspost/reedsolomon"

	"github.com/gomulticast/multicast/rmt/fec"
)

var profiles = []Profile{NRL, RFC5510, Backblaze, {Powers, ZeroPadded}, {Rizzo, Fresh}, {Sequential, ZeroPadded}}

func newRand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func randomBlock(r *rand.Rand, k, size int) [][]byte {
	src := make([][]byte, k)
	for i := range src {
		src[i] = make([]byte, size)
		for j := range src[i] {
			src[i][j] = byte(r.Uint32())
		}
	}
	return src
}

func mustNew(t testing.TB, p Profile, maxBlockLen, parity, k int) *Code {
	t.Helper()
	c, err := New(p, maxBlockLen, parity, k)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func encode(c *Code, src [][]byte, size int) [][]byte {
	out := make([][]byte, c.parity)
	for j := range out {
		out[j] = bytes.Repeat([]byte{0xee}, size) // what Encode leaves alone shows
		c.Encode(out[j], src, j)
	}
	return out
}

// slowMul multiplies by the definition: shift, and reduce by 0x11D.
func slowMul(a, b uint8) uint8 {
	x, p := int(a), 0
	for ; b > 0; b >>= 1 {
		if b&1 != 0 {
			p ^= x
		}
		if x <<= 1; x > 0xff {
			x ^= 0x11d
		}
	}
	return uint8(p)
}

// slowMatrix builds the parity part by the book: a Vandermonde matrix multiplied
// by the inverse of its top square, found by elimination.
func slowMatrix(points []uint8, k int) [][]uint8 {
	vander := make([][]uint8, len(points))
	for r, x := range points {
		vander[r] = make([]uint8, k)
		for c, v := 0, uint8(1); c < k; c, v = c+1, slowMul(v, x) {
			vander[r][c] = v
		}
	}
	top := make([][]uint8, k) // the top square, and the identity to its right
	for r := range top {
		top[r] = append(slices.Clone(vander[r]), make([]uint8, k)...)
		top[r][k+r] = 1
	}
	for c := range k {
		pivot := c
		for top[pivot][c] == 0 {
			pivot++
		}
		top[c], top[pivot] = top[pivot], top[c]
		inv := uint8(1)
		for slowMul(inv, top[c][c]) != 1 {
			inv++
		}
		for i := range top[c] {
			top[c][i] = slowMul(top[c][i], inv)
		}
		for r := range k {
			if f := top[r][c]; r != c && f != 0 {
				for i := range top[r] {
					top[r][i] ^= slowMul(top[c][i], f)
				}
			}
		}
	}
	var parity [][]uint8
	for _, v := range vander[k:] {
		row := make([]uint8, k)
		for c := range row {
			for i := range k {
				row[c] ^= slowMul(v[i], top[i][k+c])
			}
		}
		parity = append(parity, row)
	}
	return parity
}

// points lists the first n evaluation points as the peers describe them.
func points(m Matrix, n int) []uint8 {
	var powers []uint8
	for i, x := 0, uint8(1); i < n; i, x = i+1, slowMul(x, 2) {
		powers = append(powers, x)
	}
	switch m {
	case Rizzo:
		return append([]uint8{0}, powers[:n-1]...)
	case Powers:
		return powers
	}
	var all []uint8
	for i := range n {
		all = append(all, uint8(i))
	}
	return all
}

func TestMatrix(t *testing.T) {
	for _, m := range []Matrix{Rizzo, Powers, Sequential} {
		for _, k := range []int{1, 2, 3, 20, 55, 64, 128} {
			parity := min(12, MaxSymbols-k)
			got := newMatrix(m, k)
			for j, want := range slowMatrix(points(m, k+parity), k) {
				if !bytes.Equal(got.row(j), want) {
					t.Fatalf("matrix %d, k %d, row %d:\n got % x\nwant % x", m, k, j, got.row(j), want)
				}
			}
		}
	}
}

// TestKlauspost holds every code against klauspost's own encoder: its default
// matrix for Backblaze, ours given to it for all.
func TestKlauspost(t *testing.T) {
	r := newRand(t)
	for _, p := range profiles {
		for _, tt := range []struct{ b, parity, k int }{{64, 16, 64}, {64, 16, 55}, {8, 2, 8}, {20, 20, 1}, {200, 55, 199}, {1, 1, 1}, {1, 254, 1}, {230, 25, 230}} {
			t.Run(fmt.Sprintf("%v/%d+%d of %d", p, tt.k, tt.parity, tt.b), func(t *testing.T) {
				const size = 200
				c := mustNew(t, p, tt.b, tt.parity, tt.k)
				rows := make([][]byte, tt.parity)
				for j := range rows {
					rows[j] = c.m.row(j)[:tt.k]
				}
				src := randomBlock(r, tt.k, size)
				got := encode(c, src, size)
				compare := func(name string, opts ...reedsolomon.Option) {
					enc, err := reedsolomon.New(tt.k, tt.parity, opts...)
					if err != nil {
						t.Fatal(err)
					}
					shards := slices.Clone(src)
					for range tt.parity {
						shards = append(shards, make([]byte, size))
					}
					if err := enc.Encode(shards); err != nil {
						t.Fatal(err)
					}
					for j := range got {
						if !bytes.Equal(got[j], shards[tt.k+j]) {
							t.Fatalf("%s: parity symbol %d differs", name, j)
						}
					}
				}
				compare("custom matrix", reedsolomon.WithCustomMatrix(rows))
				if p == Backblaze {
					compare("default matrix")
				}
			})
		}
	}
}

// The two shortening rules agree on a full block and differ on a short one.
func TestShortening(t *testing.T) {
	r := newRand(t)
	for _, m := range []Matrix{Rizzo, Powers, Sequential} {
		for k, same := range map[int]bool{64: true, 50: false} {
			src := randomBlock(r, k, 64)
			padded := encode(mustNew(t, Profile{m, ZeroPadded}, 64, 16, k), src, 64)
			fresh := encode(mustNew(t, Profile{m, Fresh}, 64, 16, k), src, 64)
			if slices.EqualFunc(padded, fresh, bytes.Equal) != same {
				t.Errorf("matrix %d, %d of 64 symbols: the same parity: %v, want %v", m, k, !same, same)
			}
			if !same { // zero-padding is what it says
				full := append(slices.Clone(src), make([][]byte, 64-k)...)
				want := encode(mustNew(t, Profile{m, ZeroPadded}, 64, 16, 64), full, 64)
				if !slices.EqualFunc(padded, want, bytes.Equal) {
					t.Errorf("matrix %d: the short block is not that of zeros added", m)
				}
			}
		}
	}
}

func TestNewLimits(t *testing.T) {
	for _, tt := range []struct {
		b, parity, k int
		ok           bool
	}{
		{1, 0, 1, true}, {255, 0, 255, true}, {255, 0, 1, true}, {1, 254, 1, true}, {64, 191, 64, true},
		{0, 0, 0, false}, {64, 16, 0, false}, {64, 16, -1, false}, {64, 16, 65, false}, {64, -1, 64, false},
		{255, 1, 255, false}, {64, 192, 64, false}, {64, 192, 1, false}, {256, 0, 255, false}, {math.MaxInt, math.MaxInt, 1, false},
	} {
		for _, p := range profiles {
			_, err := New(p, tt.b, tt.parity, tt.k)
			if tt.ok != (err == nil) || (err != nil && !errors.Is(err, fec.ErrCodeSize)) {
				t.Errorf("New(%v, %d, %d, %d): %v", p, tt.b, tt.parity, tt.k, err)
			}
		}
	}
	for _, p := range []Profile{{Matrix: 3}, {Shortening: 2}} {
		if _, err := New(p, 64, 16, 64); err == nil {
			t.Errorf("profile %v accepted", p)
		}
	}
}

func TestSchemes(t *testing.T) {
	oti := fec.OTI{SymbolSize: 8, MaxBlockLen: 64, Parity: 16}
	for _, id := range []fec.EncodingID{fec.ReedSolomonGF8, fec.ReedSolomonGF2m, fec.SmallBlockSystematic} {
		s, err := fec.Lookup(id)
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.NewCode(&oti, 55)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := c.(*Code), mustNew(t, NRL, 64, 16, 55); *got != *want {
			t.Errorf("%v: %+v, want the NRL code", id, got)
		}
		if c, err := s.NewCode(&oti, 65); !errors.Is(err, fec.ErrCodeSize) || c != nil {
			t.Errorf("%v: block of 65: %v, %v", id, c, err)
		}
	}
	m9 := oti
	m9.M = 9
	instance := oti
	instance.InstanceID = 1
	for _, tt := range []struct {
		id  fec.EncodingID
		oti fec.OTI
	}{{fec.ReedSolomonGF2m, m9}, {fec.SmallBlockSystematic, instance}} {
		s, _ := fec.Lookup(tt.id)
		if c, err := s.NewCode(&tt.oti, 55); !errors.Is(err, fec.ErrUnknownScheme) || c != nil {
			t.Errorf("%v: %v, %v; want ErrUnknownScheme", tt.id, c, err)
		}
	}
	s := Scheme(fec.ReedSolomonGF8, Backblaze)
	c, err := s.NewCode(&oti, 55)
	if err != nil {
		t.Fatal(err)
	}
	if *c.(*Code) != *mustNew(t, Backblaze, 64, 16, 55) || s.Name != "Reed-Solomon GF(2^8), backblaze" {
		t.Errorf("%s: %+v", s.Name, c)
	}
}

func TestProfileString(t *testing.T) {
	for p, want := range map[Profile]string{{}: "nrl", RFC5510: "rfc5510", Backblaze: "backblaze", {Powers, ZeroPadded}: "matrix 1, shortening 0"} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Codes share their matrix, the cache has a bound, and many goroutines may ask.
func TestMatrixCache(t *testing.T) {
	a, b := mustNew(t, NRL, 64, 16, 64), mustNew(t, NRL, 64, 8, 3)
	if a.m != b.m {
		t.Error("two codes of one profile and block length have their own matrices")
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for k := range 2 * MaxSymbols {
				p := []Profile{RFC5510, Backblaze}[k/MaxSymbols]
				if _, err := New(p, MaxSymbols, 0, k%MaxSymbols+1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(cache.m); n > maxMatrices {
		t.Errorf("%d matrices are kept, at most %d wanted", n, maxMatrices)
	}
	// A code keeps working after its matrix left the cache.
	src := randomBlock(newRand(t), 64, 16)
	if !slices.EqualFunc(encode(a, src, 16), encode(mustNew(t, NRL, 64, 16, 64), src, 16), bytes.Equal) {
		t.Error("the matrix changed")
	}
}

func TestEncodeShortSymbols(t *testing.T) {
	r := newRand(t)
	const size = 100
	c := mustNew(t, NRL, 8, 4, 5)
	for _, lengths := range [][]int{{100, 100, 100, 100, 37}, {0, 100, 1, 99, 100}, {37, 0, 0, 0, 0}, {0, 0, 0, 0, 0}} {
		src := randomBlock(r, 5, size)
		padded := make([][]byte, 5)
		for i, n := range lengths {
			src[i] = src[i][:n]
			padded[i] = append(slices.Clone(src[i]), make([]byte, size-n)...)
		}
		got, want := encode(c, src, size), encode(c, padded, size)
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("lengths %v: not the parity of the padded block", lengths)
		}
	}
}

func TestEncodePanics(t *testing.T) {
	c := mustNew(t, NRL, 8, 4, 2)
	two := [][]byte{{1, 2}, {3, 4}}
	for name, f := range map[string]func(){
		"parity too high":     func() { c.Encode(make([]byte, 2), two, 4) },
		"parity negative":     func() { c.Encode(make([]byte, 2), two, -1) },
		"too few symbols":     func() { c.Encode(make([]byte, 2), two[:1], 0) },
		"first symbol longer": func() { c.Encode(make([]byte, 1), two, 0) },
		"other symbol longer": func() { c.Encode(make([]byte, 1), [][]byte{{1}, {3, 4}}, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// Whoever names ever other block lengths does not have their matrices computed again and
// again, which takes longer than to receive a packet.
func TestMatricesAreKept(t *testing.T) {
	cache.Lock()
	clear(cache.m)
	cache.Unlock()
	of := make(map[int]*matrix)
	for range 2 {
		for k := 1; k < MaxSymbols; k++ {
			m := matrixFor(Rizzo, k)
			if of[k] != nil && of[k] != m {
				t.Fatalf("the matrix for %d symbols was computed again", k)
			}
			of[k] = m
		}
	}
}
