package raptorq

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// The code found in the registry makes the encoder's symbols and recovers blocks,
// with short source symbols, missing ones in any order, and more parity than
// missing.
func TestCode(t *testing.T) {
	r := newRand(t)
	scheme, err := fec.Lookup(fec.RaptorQ)
	if err != nil {
		t.Fatal(err)
	}
	for range 15 {
		k, size := 1+r.IntN(150), 1+r.IntN(50)
		code, err := scheme.NewCode(&fec.OTI{MaxBlockLen: 200, SymbolSize: uint16(size)}, k)
		if err != nil {
			t.Fatal(err)
		}
		src, block := randomBlock(r, k, size)
		src[k-1] = src[k-1][:r.IntN(size+1)]
		clear(block[(k-1)*size+len(src[k-1]):])
		e := loaded(t, src, size)
		missing := r.Perm(k)[:1+r.IntN(k)]
		var index []int
		var parity [][]byte
		for j := range len(missing) + 3 {
			j := 5*j + r.IntN(5)
			p, want := make([]byte, size), make([]byte, size)
			code.Encode(p, src, j)
			e.Symbol(want, uint32(k+j))
			if !bytes.Equal(p, want) {
				t.Fatalf("k %d, size %d: parity symbol %d is % x, want % x", k, size, j, p, want)
			}
			parity, index = append(parity, p), append(index, j)
		}
		got := make([][]byte, k)
		for i := range got {
			got[i] = slices.Clone(src[i])
		}
		for _, i := range missing {
			fill(r, got[i])
		}
		if err := code.Decode(got, missing, parity, index); err != nil {
			t.Fatalf("k %d, missing %v, parity %v: %v", k, missing, index, err)
		}
		if !slices.EqualFunc(got, src, bytes.Equal) {
			t.Fatalf("k %d, missing %v, parity %v: recovered another block", k, missing, index)
		}
	}
}

func TestCodeRefuses(t *testing.T) {
	for _, tt := range []struct{ k, most, parity int }{{0, 10, 0}, {11, 10, 0}, {-1, 10, 0}, {MaxBlockLen + 1, 65535, 0}} {
		c, err := Scheme().NewCode(&fec.OTI{MaxBlockLen: uint32(tt.most), Parity: uint32(tt.parity)}, tt.k)
		if !errors.Is(err, fec.ErrCodeSize) || c != nil {
			t.Errorf("%+v: %v, %v", tt, c, err)
		}
	}
	if _, err := New(10, MaxESI-8); !errors.Is(err, fec.ErrCodeSize) {
		t.Error(err)
	}
	code, err := New(3, 10)
	if err != nil {
		t.Fatal(err)
	}
	sym := func(n ...int) (out [][]byte) {
		for _, n := range n {
			out = append(out, make([]byte, n))
		}
		return
	}
	for name, tt := range map[string]struct {
		src     [][]byte
		missing []int
		parity  [][]byte
		index   []int
		err     error
	}{
		"nothing missing":  {sym(4, 4, 4), nil, nil, nil, nil},
		"few sources":      {sym(4, 4), []int{0}, sym(4), []int{0}, ErrBadSymbols},
		"few parity":       {sym(4, 4, 4), []int{0, 1}, sym(4), []int{0}, ErrNeedMore},
		"unnumbered":       {sym(4, 4, 4), []int{0}, sym(4, 4), []int{0}, ErrBadSymbols},
		"twice":            {sym(4, 4, 4), []int{0, 1}, sym(4, 4), []int{1, 1}, ErrBadSymbols},
		"negative":         {sym(4, 4, 4), []int{0}, sym(4), []int{-1}, ErrBadSymbols},
		"beyond":           {sym(4, 4, 4), []int{0}, sym(4), []int{10}, ErrBadSymbols},
		"sizes":            {sym(4, 4, 4), []int{0, 1}, sym(4, 5), []int{0, 1}, ErrBadSymbols},
		"empty":            {sym(0, 0, 0), []int{0}, sym(0), []int{0}, ErrBadSymbols},
		"missing beyond":   {sym(4, 4, 4), []int{3}, sym(4), []int{0}, ErrBadSymbols},
		"missing negative": {sym(4, 4, 4), []int{-1}, sym(4), []int{0}, ErrBadSymbols},
		"missing twice":    {sym(4, 4, 4), []int{1, 1}, sym(4, 4), []int{0, 1}, ErrBadSymbols},
		"long source":      {sym(4, 5, 4), []int{0}, sym(4), []int{0}, ErrBadSymbols},
	} {
		if err := code.Decode(tt.src, tt.missing, tt.parity, tt.index); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", name, err, tt.err)
		}
	}
	e, err := NewEncoder(3, 4, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(){
		"parity number": func() { code.Encode(make([]byte, 4), sym(4, 4, 4), 10) },
		"sources":       func() { code.Encode(make([]byte, 4), sym(4, 4), 0) },
		"long source":   func() { code.Encode(make([]byte, 4), sym(4, 4, 5), 0) },
		"not loaded":    func() { e.Symbol(make([]byte, 4), 0) },
		"block":         func() { d, _ := NewDecoder(3, 4, 0, nil); d.Reset(make([]byte, 11)) },
		"payload ID":    func() { PayloadID{0, 1 << 24}.AppendBinary(nil) },
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
	if err := e.Load(sym(4, 4)); !errors.Is(err, ErrBadSymbols) {
		t.Error(err)
	}
	if err := e.Load(sym(4, 4, 5)); !errors.Is(err, ErrBadSymbols) {
		t.Error(err)
	}
}

// FuzzCode decodes with arguments as they come off a wire.
func FuzzCode(f *testing.F) {
	f.Add([]byte{3, 4, 0, 1, 2, 0, 1})
	f.Add([]byte{20, 7, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 2 {
			return
		}
		k, size := 1+int(b[0])%60, int(b[1])%20
		code, err := New(k, 1000)
		if err != nil {
			t.Fatal(err)
		}
		src := make([][]byte, k)
		for i := range src {
			src[i] = make([]byte, size)
		}
		var missing, index []int
		var parity [][]byte
		for _, v := range b[2:] {
			switch v & 3 {
			case 0:
				missing = append(missing, int(v>>2)-1)
				continue
			case 1:
				src[int(v)%k] = src[int(v)%k][:int(v>>2)%(size+1)]
			}
			index = append(index, int(v)*3)
			parity = append(parity, make([]byte, max(size-int(v>>2)/62, 0)))
		}
		if code.Decode(src, missing, parity, index) != nil {
			return
		}
		for _, s := range src { // all parity is zero, and so is the block
			for _, v := range s {
				if v != 0 {
					t.Fatalf("k %d, missing %v, parity %v: % x", k, missing, index, s)
				}
			}
		}
	})
}
