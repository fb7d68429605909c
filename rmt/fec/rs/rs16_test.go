package rs

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// TestLibnorm16 holds the NRL profile over GF(2^16) to parity symbols of NRL's encoder.
func TestLibnorm16(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "libnorm16.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		var b, parity, size, j int
		var want string
		if _, err := fmt.Sscan(s.Text(), &b, &parity, &size, &j, &want); err != nil {
			t.Fatal(err)
		}
		src := make([][]byte, b)
		x := uint32(b)
		for i := range src {
			src[i] = make([]byte, size)
			for l := range src[i] {
				x = x*1664525 + 1013904223
				src[i][l] = byte(x >> 24)
			}
		}
		c, err := New16(NRL, b, parity, b)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, size)
		if c.Encode(got, src, j); hex.EncodeToString(got) != want {
			t.Errorf("B %d, parity %d: %x, want %s", b, j, got, want)
		}
		symbols++
	}
	if symbols != 50 {
		t.Errorf("%d symbols", symbols)
	}
}

// mul16 multiplies in GF(2^16) bit by bit.
func mul16(a, b uint16) (v uint16) {
	for x := uint32(a); b != 0; b >>= 1 {
		if b&1 != 0 {
			v ^= uint16(x)
		}
		if x <<= 1; x > 0xffff {
			x ^= 0x1100b
		}
	}
	return v
}

// TestMatrix16 checks parity against its definition: it is the value, at the parity
// symbol's point, of the polynomial of degree below B that takes the source symbols as
// values at theirs. So B parity and source elements together lie on such a polynomial:
// Lagrange's divided difference of B+1 points is zero.
func TestMatrix16(t *testing.T) {
	inv := func(a uint16) uint16 { // a^(2^16-2)
		v := uint16(1)
		for range 15 {
			a = mul16(a, a)
			v = mul16(v, a)
		}
		return v
	}
	for _, p := range []Profile{NRL, RFC5510, {Rizzo, Fresh}, {Powers, ZeroPadded}} {
		for _, b := range []int{1, 2, 3, 17, 40} {
			for _, k := range []int{b, (b + 1) / 2} {
				c, err := New16(p, b, 20, k)
				if err != nil {
					t.Fatal(err)
				}
				src := randomBlock(newRand(t), k, 2)
				base := b
				if p.Shortening == Fresh {
					base = k
				}
				points := func(i int) uint16 {
					x := uint16(1)
					if p.Matrix == Rizzo {
						if i == 0 {
							return 0
						}
						i--
					}
					for range i {
						x = mul16(x, 2)
					}
					return x
				}
				for j := range 20 {
					par := make([]byte, 2)
					c.Encode(par, src, j)
					xs, vs := []uint16{points(base + j)}, [][]byte{par}
					for i := range base {
						xs = append(xs, points(i))
						if i < k {
							vs = append(vs, src[i])
						} else {
							vs = append(vs, []byte{0, 0})
						}
					}
					diff := uint16(0)
					for i, x := range xs {
						w := uint16(1)
						for l, y := range xs {
							if l != i {
								w = mul16(w, x^y)
							}
						}
						v := uint16(vs[i][0]) | uint16(vs[i][1])<<8
						if p.Matrix == Powers {
							v = v<<8 | v>>8
						}
						diff ^= mul16(v, inv(w))
					}
					if diff != 0 {
						t.Fatalf("%v, B %d, k %d, parity %d is off the polynomial", p, b, k, j)
					}
				}
			}
		}
	}
}

// TestProducts16 compares the products that the matrix is made of with what they stand
// for, in long codes.
func TestProducts16(t *testing.T) {
	for _, p := range []Profile{NRL, RFC5510} {
		for _, b := range []int{1, 2, 1000, 65000} {
			c, err := New16(p, b, 535, b)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range []int{0, 1, b / 2, b - 1, b, b + 1, b + 534} {
				x, want := c.point(i), 0
				for l := range b {
					if l != i {
						want += int(c.f.log[x^c.point(l)])
						want %= MaxSymbols16
					}
				}
				if got := mod(c.logProduct(i)); got != want {
					t.Errorf("%v, B %d, symbol %d: %d, want %d", p, b, i, got, want)
				}
			}
		}
	}
}

func TestDecode16(t *testing.T) {
	r := newRand(t)
	for _, p := range []Profile{NRL, RFC5510} {
		for _, tt := range []struct{ b, parity, k int }{{1, 1, 1}, {5, 300, 3}, {300, 100, 250}, {1200, 40, 1199}} {
			c, err := New16(p, tt.b, tt.parity, tt.k)
			if err != nil {
				t.Fatal(err)
			}
			const size = 12
			src := randomBlock(r, tt.k, size)
			n := min(tt.k, tt.parity)
			missing, index := r.Perm(tt.k)[:n], r.Perm(tt.parity)[:n]
			var parity [][]byte
			for _, j := range index {
				s := make([]byte, size)
				c.Encode(s, src, j)
				parity = append(parity, s)
			}
			got := make([][]byte, tt.k)
			for i := range got {
				got[i] = slices.Clone(src[i])
			}
			for _, j := range missing {
				r := got[j]
				for i := range r {
					r[i] = 0x55
				}
			}
			if err := c.Decode(got, missing, parity, index); err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(got, src, bytes.Equal) {
				t.Errorf("%v, %+v: another block", p, tt)
			}
		}
	}
}

func TestRefuse16(t *testing.T) {
	for _, n := range [][3]int{{0, 1, 0}, {10, 1, 11}, {65000, 536, 1}, {10, -1, 1}} {
		if c, err := New16(NRL, n[0], n[1], n[2]); !errors.Is(err, fec.ErrCodeSize) || c != nil {
			t.Errorf("%v: %v", n, err)
		}
	}
	if _, err := New16(Backblaze, 10, 10, 10); err == nil {
		t.Error("Backblaze's points over GF(2^16)")
	}
	c, err := New16(NRL, 60000, 5535, 10) // the longest code
	if err != nil {
		t.Fatal(err)
	}
	src, par := randomBlock(newRand(t), 10, 4), [][]byte{make([]byte, 4), make([]byte, 4)}
	for name, err := range map[string]error{
		"too few symbols":  c.Decode(src[:9], []int{1}, par, []int{0, 1}),
		"no numbers":       c.Decode(src, []int{1}, par, nil),
		"number too high":  c.Decode(src, []int{1}, par, []int{0, 5535}),
		"number negative":  c.Decode(src, []int{1}, par, []int{-1, 1}),
		"number twice":     c.Decode(src, []int{1}, par, []int{1, 1}),
		"odd":              c.Decode(src, []int{1}, [][]byte{make([]byte, 3)}, []int{1}),
		"other lengths":    c.Decode(src, []int{1}, [][]byte{par[0], par[1][:2]}, []int{1, 2}),
		"missing too high": c.Decode(src, []int{10}, par, []int{0, 1}),
		"missing twice":    c.Decode(src, []int{1, 1}, par, []int{0, 1}),
		"room too small":   c.Decode([][]byte{src[0], {1}, src[2], src[3], src[4], src[5], src[6], src[7], src[8], src[9]}, []int{1}, par, []int{0, 1}),
	} {
		if !errors.Is(err, ErrBadSymbols) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Decode(src, []int{1, 2, 3}, par, []int{0, 1}); !errors.Is(err, ErrTooFewParity) {
		t.Error(err)
	}
}

func BenchmarkEncode16(b *testing.B) {
	for _, k := range []int{100, 1000} {
		b.Run(fmt.Sprint(k), func(b *testing.B) {
			c, err := New16(NRL, k, 16, k)
			if err != nil {
				b.Fatal(err)
			}
			src, dst := randomBlock(newRand(b), k, 1400), make([]byte, 1400)
			b.SetBytes(int64(k) * 1400) // of source for one parity symbol
			b.ReportAllocs()
			for b.Loop() {
				c.Encode(dst, src, 3)
			}
		})
	}
}

// TestTower compares products over pairs of elements of GF(2^8) with those bit by bit.
func TestTower(t *testing.T) {
	tw, r := towers(), newRand(t)
	for _, big := range []bool{false, true} {
		for _, size := range []int{2, 4, 130, 1400} {
			src, dst := randomBlock(r, 1, size)[0], randomBlock(r, 1, size)[0]
			at := func(b []byte, i int) uint16 {
				if big {
					return uint16(b[2*i])<<8 | uint16(b[2*i+1])
				}
				return uint16(b[2*i]) | uint16(b[2*i+1])<<8
			}
			for _, n := range []int{size, size - 1} { // of src; a byte alone has 0 behind it
				w := uint16(r.Uint32())
				from, to, got := make([]byte, size), make([]byte, size), make([]byte, size)
				elements := tw.split(from, src[:n], big)
				tw.split(to, dst, big)
				tw.addTo(w, to, from, elements)
				tw.join(got, to, big)
				padded := append(slices.Clone(src[:n]), 0)
				for i := range size / 2 {
					if want := at(dst, i) ^ mul16(w, at(padded, i)); at(got, i) != want {
						t.Fatalf("%d bytes, element %d times %x: %x, want %x", n, i, w, at(got, i), want)
					}
				}
			}
		}
	}
}

func BenchmarkDecode16(b *testing.B) {
	for _, tt := range []struct{ k, missing, size int }{{300, 30, 1400}, {1000, 100, 1400}, {1024, 1024, 2}, {1024, 1024, 1400}} {
		b.Run(fmt.Sprintf("%d/%d/%d", tt.k, tt.missing, tt.size), func(b *testing.B) {
			c, err := New16(NRL, tt.k, tt.missing, tt.k)
			if err != nil {
				b.Fatal(err)
			}
			src := randomBlock(newRand(b), tt.k, tt.size)
			parity := randomBlock(newRand(b), tt.missing, tt.size)
			var missing, index []int
			for i := range tt.missing {
				missing, index = append(missing, i*tt.k/tt.missing), append(index, i)
			}
			b.SetBytes(int64(tt.k * tt.size))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Decode(src, missing, parity, index); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestEncodeRun16: symbols made together are those made alone.
func TestEncodeRun16(t *testing.T) {
	for _, p := range []Profile{NRL, RFC5510} {
		c, err := New16(p, 40, 20, 30)
		if err != nil {
			t.Fatal(err)
		}
		src := randomBlock(newRand(t), 30, 10)
		for i := range src {
			src[i] = src[i][:10-i%4] // shorter ones, of an odd length too
		}
		run, one := make([]byte, 7*10), make([]byte, 10)
		c.EncodeRun(run, 10, src, 13)
		for i := range 7 {
			if c.Encode(one, src, 13+i); !bytes.Equal(one, run[i*10:][:10]) {
				t.Errorf("%v: symbol %d is %x alone and %x in a run", p, 13+i, one, run[i*10:][:10])
			}
		}
		for _, bad := range []func(){
			func() { c.EncodeRun(run, 10, src, 14) }, func() { c.EncodeRun(run, 9, src, 0) }, func() { c.EncodeRun(run[:65], 10, src, 0) },
			func() { c.EncodeRun(nil, 0, src, 0) }, func() { c.EncodeRun(run, 10, src[1:], 0) }, func() { c.EncodeRun(run, 10, src, -1) },
			func() { c.EncodeRun(make([]byte, 16), 8, src, 0) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				bad()
			}()
		}
	}
}
