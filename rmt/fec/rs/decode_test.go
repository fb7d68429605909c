package rs

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// erase runs one decode: missing symbols are overwritten with junk, recovered
// from the parity symbols index, and compared.
func erase(t testing.TB, c *Code, src, parity [][]byte, missing, index []int) {
	t.Helper()
	block := make([][]byte, len(src))
	for i := range src {
		block[i] = bytes.Clone(src[i])
	}
	for _, j := range missing {
		for i := range block[j] {
			block[j][i] ^= 0xa5
		}
	}
	received := make([][]byte, len(index))
	for i, j := range index {
		received[i] = bytes.Clone(parity[j])
	}
	if err := c.Decode(block, missing, received, index); err != nil {
		t.Fatalf("missing %v, parity %v: %v", missing, index, err)
	}
	for i := range src {
		if !bytes.Equal(block[i], src[i]) {
			t.Fatalf("k %d, missing %v, parity %v: symbol %d is wrong", c.k, missing, index, i)
		}
	}
}

// TestDecodeAll tries every set of missing symbols with every set of parity in
// small codes.
func TestDecodeAll(t *testing.T) {
	r := newRand(t)
	for _, p := range profiles {
		for _, tt := range []struct{ b, parity, k int }{{5, 4, 5}, {6, 4, 4}, {1, 3, 1}, {2, 2, 2}} {
			c := mustNew(t, p, tt.b, tt.parity, tt.k)
			src := randomBlock(r, tt.k, 5)
			parity := encode(c, src, 5)
			for lost := range 1 << tt.k {
				for got := range 1 << tt.parity {
					missing, index := bits(lost), bits(got)
					if len(missing) > len(index) {
						continue
					}
					r.Shuffle(len(missing), func(i, j int) { missing[i], missing[j] = missing[j], missing[i] })
					r.Shuffle(len(index), func(i, j int) { index[i], index[j] = index[j], index[i] })
					erase(t, c, src, parity, missing, index)
				}
			}
		}
	}
}

func bits(set int) []int {
	var out []int
	for i := 0; set>>i != 0; i++ {
		if set>>i&1 != 0 {
			out = append(out, i)
		}
	}
	return out
}

func TestDecodeRandom(t *testing.T) {
	r := newRand(t)
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	for range rounds {
		b := 1 + r.IntN(MaxSymbols)
		parity := r.IntN(MaxSymbols - b + 1)
		k := 1 + r.IntN(b)
		c := mustNew(t, profiles[r.IntN(len(profiles))], b, parity, k)
		size := r.IntN(300)
		src := randomBlock(r, k, size)
		made := encode(c, src, size)
		most := min(k, parity)
		lost := most // maximal erasure, half of the time
		if r.IntN(2) == 0 {
			lost = r.IntN(most + 1)
		}
		extra := r.IntN(parity - lost + 1)
		erase(t, c, src, made, r.Perm(k)[:lost], r.Perm(parity)[:lost+extra])
	}
}

// The limits: every source symbol of the largest half-and-half block, one source
// symbol with 254 parity, 254 with one.
func TestDecodeLimits(t *testing.T) {
	r := newRand(t)
	for _, p := range profiles {
		for _, tt := range []struct{ b, parity int }{{127, 128}, {128, 127}, {1, 254}, {254, 1}} {
			c := mustNew(t, p, tt.b, tt.parity, tt.b)
			src := randomBlock(r, tt.b, 33)
			n := min(tt.b, tt.parity)
			erase(t, c, src, encode(c, src, 33), r.Perm(tt.b)[:n], r.Perm(tt.parity)[:n])
		}
	}
}

// Present symbols may be short, and so may the buffer of a missing one: the last
// symbol of an object.
func TestDecodeShortSymbols(t *testing.T) {
	r := newRand(t)
	c := mustNew(t, NRL, 8, 3, 5)
	src := randomBlock(r, 5, 64)
	src[4] = src[4][:17]
	parity := encode(c, src, 64)
	erase(t, c, src, parity, []int{0, 2}, []int{2, 0})
	erase(t, c, src, parity, []int{4}, []int{1})
	erase(t, c, src, parity, []int{4, 0, 1}, []int{0, 1, 2})
}

func TestDecodeRefuses(t *testing.T) {
	c := mustNew(t, NRL, 8, 3, 4)
	src := randomBlock(newRand(t), 4, 16)
	parity := encode(c, src, 16)
	short := [][]byte{parity[0], parity[1][:15]}
	long := append(slices.Clone(src[:3]), make([]byte, 17))
	for _, tt := range []struct {
		name    string
		src     [][]byte
		missing []int
		parity  [][]byte
		index   []int
		want    error
	}{
		{"nothing missing", src, nil, nil, nil, nil},
		{"nothing missing, parity at hand", src, nil, parity, []int{0, 1, 2}, nil},
		{"too few parity", src, []int{0, 1}, parity[:1], []int{0}, ErrTooFewParity},
		{"no parity", src, []int{0}, nil, nil, ErrTooFewParity},
		{"too few sources", src[:3], []int{0}, parity[:1], []int{0}, ErrBadSymbols},
		{"no sources", nil, nil, nil, nil, ErrBadSymbols},
		{"more parity than numbers", src, []int{0}, parity[:2], []int{0}, ErrBadSymbols},
		{"parity number too high", src, []int{0}, parity[:1], []int{3}, ErrBadSymbols},
		{"parity number negative", src, []int{0}, parity[:1], []int{-1}, ErrBadSymbols},
		{"parity number huge", src, []int{0}, parity[:1], []int{math.MaxInt}, ErrBadSymbols},
		{"parity number twice", src, []int{0, 1}, parity[:2], []int{1, 1}, ErrBadSymbols},
		{"missing too high", src, []int{4}, parity[:1], []int{0}, ErrBadSymbols},
		{"missing negative", src, []int{-1}, parity[:1], []int{0}, ErrBadSymbols},
		{"missing twice", src, []int{2, 2}, parity[:2], []int{0, 1}, ErrBadSymbols},
		{"parity of two lengths", src, []int{0, 1}, short, []int{0, 1}, ErrBadSymbols},
		{"missing longer than parity", long, []int{3}, parity[:1], []int{0}, ErrBadSymbols},
		{"present longer than parity", long, []int{0}, parity[:1], []int{0}, ErrBadSymbols},
	} {
		if err := c.Decode(tt.src, tt.missing, tt.parity, tt.index); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if got := encode(c, src, 16); !slices.EqualFunc(got, parity, bytes.Equal) {
		t.Error("a refused Decode changed a buffer")
	}
}

func TestAllocs(t *testing.T) {
	r := newRand(t)
	c := mustNew(t, NRL, 64, 16, 55)
	src := randomBlock(r, 55, 1400)
	parity := encode(c, src, 1400)
	missing, index := r.Perm(55)[:16], r.Perm(16)
	if n := testing.AllocsPerRun(100, func() { c.Encode(parity[3], src, 3) }); n != 0 {
		t.Errorf("Encode allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := c.Decode(src, missing, parity, index); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Decode allocates %v times", n)
	}
}

// FuzzDecode throws numbers at Decode as they might come from the wire: it never
// panics, and when it agrees to decode, the result is right.
func FuzzDecode(f *testing.F) {
	f.Add(uint8(64), uint8(16), uint8(55), []byte{1, 2, 3}, []byte{0, 5, 15}, uint8(0))
	f.Add(uint8(8), uint8(2), uint8(8), []byte{7, 7}, []byte{0, 1}, uint8(1))
	f.Add(uint8(1), uint8(254), uint8(1), []byte{0}, []byte{253}, uint8(2))
	f.Fuzz(func(t *testing.T, b, parity, k uint8, lost, got []byte, profile uint8) {
		c, err := New(profiles[int(profile)%len(profiles)], int(b), int(parity), int(k))
		if err != nil {
			return
		}
		const size = 9
		src := randomBlock(rand.New(rand.NewPCG(1, uint64(k))), int(k), size)
		made := encode(c, src, size)
		block := make([][]byte, k)
		for i := range block {
			block[i] = bytes.Clone(src[i])
		}
		var missing, index []int
		for _, j := range lost {
			missing = append(missing, int(j))
			if int(j) < len(block) {
				clear(block[j])
			}
		}
		var received [][]byte
		for _, j := range got {
			index = append(index, int(j))
			if int(j) < len(made) {
				received = append(received, bytes.Clone(made[j]))
			} else {
				received = append(received, make([]byte, size))
			}
		}
		if c.Decode(block, missing, received, index) != nil {
			return
		}
		if !slices.EqualFunc(block, src, bytes.Equal) {
			t.Fatal("decoded wrongly")
		}
	})
}
