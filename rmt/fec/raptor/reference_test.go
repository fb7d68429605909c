package raptor

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
)

// reference is Raptor told once more, straight from RFC 5053 section 5.4 and with
// nothing of the code under test but the tables: the matrix A in full, solved by plain
// Gaussian elimination, with a symbol of one byte.
type reference struct {
	k, s, h, l, lp int
	c              []byte
}

func newReference(src []byte) *reference {
	r := &reference{k: len(src)}
	x := 1
	for x*(x-1) < 2*r.k {
		x++
	}
	prime := func(n int) int {
	next:
		for ; ; n++ {
			for d := 2; d < n; d++ {
				if n%d == 0 {
					continue next
				}
			}
			return n
		}
	}
	r.s = prime((r.k+99)/100 + x)
	pascal := func(n, k int) int {
		row := []int{1}
		for range n {
			next := append(slices.Clone(row), 0)
			for i, v := range row {
				next[i+1] += v
			}
			row = next
		}
		return row[k]
	}
	for r.h = 1; pascal(r.h, (r.h+1)/2) < r.k+r.s; {
		r.h++
	}
	r.l = r.k + r.s + r.h
	r.lp = prime(r.l)

	a := make([][]byte, r.l) // rows of the matrix, with the value behind
	for i := range a {
		a[i] = make([]byte, r.l+1)
	}
	for i := range r.k { // G_LDPC
		step := 1 + (i/r.s)%(r.s-1)
		for j := range 3 {
			a[(i+j*step)%r.s][i] ^= 1
		}
	}
	for i := range r.s {
		a[i][r.k+i] = 1
	}
	j := 0
	for g := 0; j < r.k+r.s; g++ { // G_Half
		gray := g ^ g/2
		ones := 0
		for b := range r.h {
			ones += gray >> b & 1
		}
		if ones != (r.h+1)/2 {
			continue
		}
		for b := range r.h {
			a[r.s+b][j] = byte(gray >> b & 1)
		}
		j++
	}
	for b := range r.h {
		a[r.s+b][r.k+r.s+b] = 1
	}
	for i, v := range src { // G_LT
		row := a[r.s+r.h+i]
		for _, c := range r.lt(i) {
			row[c] ^= 1
		}
		row[r.l] = v
	}
	for c := range r.l {
		p := slices.IndexFunc(a[c:], func(row []byte) bool { return row[c] != 0 })
		if p < 0 {
			return nil
		}
		a[c], a[c+p] = a[c+p], a[c]
		for i := range a {
			if i != c && a[i][c] != 0 {
				for j := c; j <= r.l; j++ {
					a[i][j] ^= a[c][j]
				}
			}
		}
	}
	for i := range a {
		r.c = append(r.c, a[i][r.l])
	}
	return r
}

// lt is Trip and LTEnc.
func (r *reference) lt(x int) (cols []int) {
	const q = 65521
	rnd := func(x, i, m int) int {
		return int((v0[(x+i)%256] ^ v1[(x/256+i)%256]) % uint32(m))
	}
	j := int(systematic[r.k-4])
	y := int((int64(10267*(j+1)%q) + int64(x)*int64((53591+j*997)%q)) % q)
	v := rnd(y, 0, 1<<20)
	d := 40
	for _, t := range [][2]int{{1032189, 11}, {948446, 10}, {831695, 4}, {712794, 3}, {491582, 2}, {10241, 1}} {
		if v < t[0] {
			d = t[1]
		}
	}
	a, b := 1+rnd(y, 1, r.lp-1), rnd(y, 2, r.lp)
	for b >= r.l {
		b = (b + a) % r.lp
	}
	cols = append(cols, b)
	for range min(d-1, r.l-1) {
		b = (b + a) % r.lp
		for b >= r.l {
			b = (b + a) % r.lp
		}
		cols = append(cols, b)
	}
	return cols
}

func (r *reference) symbol(x int) (v byte) {
	for _, c := range r.lt(x) {
		v ^= r.c[c]
	}
	return v
}

// TestReference compares all kinds of encoding symbols with the reference's, for every
// short block and some longer ones.
func TestReference(t *testing.T) {
	rnd := rand.New(rand.NewPCG(53, 5053))
	var ks []int
	for k := 4; k <= 120; k++ {
		ks = append(ks, k)
	}
	for _, k := range append(ks, 200, 333, 512, 700) {
		src := make([]byte, k)
		for i := range src {
			src[i] = byte(rnd.Uint32())
		}
		ref := newReference(src)
		if ref == nil {
			t.Fatalf("K %d: the matrix has no inverse", k)
		}
		if p := paramsFor(k); int(p.s) != ref.s || int(p.h) != ref.h || int(p.l) != ref.l || int(p.lp) != ref.lp {
			t.Fatalf("K %d: %+v, want S %d, H %d, L %d, L' %d", k, p, ref.s, ref.h, ref.l, ref.lp)
		}
		e := load(t, k, 1, src)
		for i := range 40 {
			esi := k + i
			if i >= 20 {
				esi = rnd.IntN(1 << 16)
			}
			var got [1]byte
			if e.Symbol(got[:], uint32(esi)); got[0] != ref.symbol(esi) {
				t.Fatalf("K %d, symbol %d: %x, want %x", k, esi, got[0], ref.symbol(esi))
			}
		}
	}
}

var everyK = flag.Bool("every-k", false, "TestSystematic for every K, which takes a minute")

// TestSystematic: the source symbols determine the intermediate ones, which is what
// J(K) of section 5.7 was chosen for; with -every-k for all K.
func TestSystematic(t *testing.T) {
	var c coder
	most := 0
	esis := make([]uint32, MaxBlockLen)
	for i := range esis {
		esis[i] = uint32(i)
	}
	for k := MinBlockLen; k <= MaxBlockLen; k++ {
		if k > 300 && k < MaxBlockLen-5 && !*everyK {
			k = min(k+96, MaxBlockLen-5)
		}
		c.p = paramsFor(k)
		if !c.solve(esis[:k]) {
			t.Errorf("K %d: no solution", k)
		}
		most = max(most, c.solver.Inactive())
	}
	t.Logf("at most %d inactive symbols", most)
}
