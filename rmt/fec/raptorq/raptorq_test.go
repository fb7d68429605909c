package raptorq

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

func newRand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func fill(r *rand.Rand, b []byte) {
	for i := 0; i < len(b); i += 8 {
		v := r.Uint64()
		for j := i; j < min(i+8, len(b)); j++ {
			b[j] = byte(v)
			v >>= 8
		}
	}
}

// randomBlock returns k symbols of size bytes, and the memory they lie in.
func randomBlock(r *rand.Rand, k, size int) ([][]byte, []byte) {
	block := make([]byte, k*size)
	fill(r, block)
	src := make([][]byte, k)
	for i := range src {
		src[i] = block[i*size:][:size:size]
	}
	return src, block
}

func loaded(t testing.TB, src [][]byte, size int) *Encoder {
	t.Helper()
	e, err := NewEncoder(len(src), size, -1)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Load(src); err != nil {
		t.Fatal(err)
	}
	return e
}

// lengths are block lengths for tests: the borders of some K', and at random.
func lengths(r *rand.Rand, n, most int) []int {
	ks := []int{1, 2, 9, 10, 11, 12, 13, 26, 100, 101, 102, 255, 256, 1002, 1003}
	for range n {
		i := r.IntN(rowFor(most))
		kp := int(table2[i][0])
		ks = append(ks, kp-r.IntN(min(kp, 5)))
	}
	return slices.DeleteFunc(ks, func(k int) bool { return k > most })
}

// The source symbols come out of the intermediate symbols again: the system was
// solved, and short symbols counted as padded.
func TestSystematic(t *testing.T) {
	r := newRand(t)
	for _, k := range lengths(r, 12, 3000) {
		size := 1 + r.IntN(80)
		src, _ := randomBlock(r, k, size)
		for range 3 {
			i := r.IntN(k)
			src[i] = src[i][:r.IntN(size+1)]
		}
		e := loaded(t, src, size)
		got := make([]byte, size)
		want := make([]byte, size)
		for i, s := range src {
			e.Symbol(got, uint32(i))
			if set(want, s); !bytes.Equal(got, want) {
				t.Fatalf("k %d, size %d: symbol %d is % x, want % x", k, size, i, got, want)
			}
		}
	}
}

// Blocks of some K', in the long run of each, can be encoded.
func TestEveryLength(t *testing.T) {
	var m planner
	var pl plan
	for i := range table2 {
		if long == "" && (i%53 != 0 || table2[i][0] > 12000) {
			continue
		}
		p := makeParams(&table2[i])
		isi := make([]uint32, p.kp)
		for i := range isi {
			isi[i] = uint32(i)
		}
		if !m.plan(&pl, &p, isi) {
			t.Errorf("K' %d: source symbols do not determine the intermediate symbols", p.kp)
		}
	}
}

// Decoding by either way, with source symbols lost at any rate and repair symbols
// from anywhere, in any order.
func TestDecode(t *testing.T) {
	r := newRand(t)
	var w Workspace
	failed, ran := 0, 0
	for _, k := range lengths(r, 10, 3000) {
		size := 1 + r.IntN(70)
		src, block := randomBlock(r, k, size)
		e := loaded(t, src, size)
		d, err := NewDecoder(k, size, 0, &w)
		if err != nil {
			t.Fatal(err)
		}
		into := make([]byte, k*size)
		for _, loss := range []float64{0, 0.02, 0.1, 0.5, 1} {
			fill(r, into)
			d.Reset(into)
			var esis []uint32
			for i := range k {
				if r.Float64() >= loss {
					esis = append(esis, uint32(i))
				}
			}
			esi := uint32(k) + r.Uint32N(1<<20)
			for range k - len(esis) {
				esis = append(esis, esi)
				esi += 1 + r.Uint32N(3)
			}
			r.Shuffle(len(esis), func(i, j int) { esis[i], esis[j] = esis[j], esis[i] })
			for n, esi := range esis {
				sym := make([]byte, size)
				e.Symbol(sym, esi)
				if n == len(esis)-1 {
					if err := d.Decode(); !errors.Is(err, ErrNeedMore) {
						t.Fatalf("k %d with %d symbols: %v", k, n, err)
					}
				}
				if ready := d.Add(esi, sym); ready != (n == k-1) || d.Have() != n+1 {
					t.Fatalf("k %d: symbol %d: ready %t, have %d", k, n, ready, d.Have())
				}
				d.Add(esi, sym)
			}
			ran++
			for err := d.Decode(); err != nil; err = d.Decode() {
				if !errors.Is(err, ErrNeedMore) || d.Ready() {
					t.Fatal(err, d.Ready())
				}
				failed++
				esi++
				sym := make([]byte, size)
				e.Symbol(sym, esi)
				if !d.Add(esi, sym) {
					t.Fatalf("k %d: another symbol, and not ready", k)
				}
			}
			if !bytes.Equal(into, block) || d.Have() != k || !bytes.Equal(d.Source(k-1), src[k-1]) {
				t.Fatalf("k %d, size %d, loss %g: recovered another block", k, size, loss)
			}
		}
	}
	if t.Logf("%d of %d needed more symbols", failed, ran); failed > 8 {
		t.Error("too many")
	}
}

// slowRows are the rows of the matrix A (RFC 6330 section 5.3.3.4.2) by the book,
// for symbols with internal symbol IDs isi.
func slowRows(p *params, isi []uint32) [][]uint8 {
	n := int(p.kp + p.s)
	rows := make([][]uint8, int(p.s+p.h)+len(isi))
	for i := range rows {
		rows[i] = make([]uint8, p.l)
	}
	for i := range p.b { // G_LDPC,1
		a, b := 1+i/p.s, i%p.s
		for range 3 {
			rows[b][i] ^= 1
			b = (b + a) % p.s
		}
	}
	for i := range p.s { // I_S, G_LDPC,2
		rows[i][p.b+i] ^= 1
		rows[i][p.w+i%p.p] ^= 1
		rows[i][p.w+(i+1)%p.p] ^= 1
	}
	for i := range p.h { // MT * GAMMA, I_H
		row := rows[p.s+i]
		for k := range n {
			mt := uint8(0)
			if a := random(uint32(k)+1, 6, p.h); k == n-1 {
				mt = octExp[i]
			} else if i == a || i == (a+random(uint32(k)+1, 7, p.h-1)+1)%p.h {
				mt = 1
			}
			for j := range k + 1 {
				row[j] ^= octMul(mt, octExp[(k-j)%255])
			}
		}
		row[n+int(i)] ^= 1
	}
	for i, x := range isi { // Enc
		row, t := rows[int(p.s+p.h)+i], p.tuple(x)
		row[t.b] ^= 1
		for range t.d - 1 {
			t.b = (t.b + t.a) % p.w
			row[t.b] ^= 1
		}
		for j := range t.d1 {
			if j > 0 {
				t.b1 = (t.b1 + t.a1) % p.p1
			}
			for t.b1 >= p.p {
				t.b1 = (t.b1 + t.a1) % p.p1
			}
			row[p.w+t.b1] ^= 1
		}
	}
	return rows
}

func slowRank(rows [][]uint8) (rank int) {
	for c := range rows[0] {
		i := slices.IndexFunc(rows[rank:], func(row []uint8) bool { return row[c] != 0 })
		if i < 0 {
			continue
		}
		rows[rank], rows[rank+i] = rows[rank+i], rows[rank]
		for _, row := range rows[rank+1:] {
			if row[c] != 0 {
				f := octMul(row[c], octInv(rows[rank][c]))
				for j, v := range rows[rank] {
					row[j] ^= octMul(f, v)
				}
			}
		}
		if rank++; rank == len(rows) {
			break
		}
	}
	return rank
}

// There is a plan if and only if the matrix has full rank: whatever can be decoded
// is decoded (RFC 6330 section 5.8).
func TestPlanAgainstRank(t *testing.T) {
	r := newRand(t)
	var m planner
	var pl plan
	var counts [2]int
	for range 300 {
		p := makeParams(&table2[r.IntN(6)])
		var isi []uint32
		width := p.kp + r.Uint32N(1<<r.IntN(12)) + 4
		for _, x := range r.Perm(int(width))[:int(p.kp)+r.IntN(4)-1] {
			isi = append(isi, uint32(x))
		}
		if r.IntN(3) == 0 { // some that are alike, which no decoder lets through
			isi[0] = isi[len(isi)-1]
			isi[1] = isi[len(isi)-2]
		}
		got, want := m.plan(&pl, &p, isi), slowRank(slowRows(&p, isi)) == int(p.l)
		if got != want {
			t.Fatalf("K' %d, %v: plan %t, full rank %t", p.kp, isi, got, want)
		}
		if want {
			counts[1]++
		} else {
			counts[0]++
		}
	}
	t.Logf("%d without, %d with a solution", counts[0], counts[1])
}

// TestInactive holds the columns left for dense elimination well below their bound,
// for symbols not chosen to be hard.
func TestInactive(t *testing.T) {
	r := newRand(t)
	var m planner
	var pl plan
	for _, c := range []struct{ k, trials int }{{10, 300}, {101, 200}, {1002, 30}, {10017, 1}} {
		p, _ := paramsFor(c.k)
		most := 0
		trials := c.trials
		if long != "" {
			trials *= 100
		}
		for n := range trials {
			var isi []uint32
			for i := range p.kp { // lost sources, from none to all
				if r.IntN(c.trials) > n%c.trials {
					isi = append(isi, i)
				}
			}
			for x := p.kp + r.Uint32N(1<<23); len(isi) < int(p.kp); x += 1 + r.Uint32N(2) {
				isi = append(isi, x)
			}
			m.plan(&pl, &p, isi)
			most = max(most, len(m.uCols))
		}
		t.Logf("K' %5d: P %d, at most %d of %d inactive", p.kp, p.p, most, p.maxInactive())
		if most > (int(p.p)+3*p.maxInactive())/4 {
			t.Error("too many")
		}
	}
}

// TestHardest gives the decoder symbols of the highest degree only. It may give up,
// but not take more time or memory than it says.
func TestHardest(t *testing.T) {
	const k, size = 2002, 4
	src, _ := randomBlock(newRand(t), k, size)
	e := loaded(t, src, size)
	d, err := NewDecoder(k, size, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.Reset(make([]byte, k*size))
	sym := make([]byte, size)
	for esi := uint32(k); d.Have() < k+MaxExtra; esi++ {
		if d.p.tuple(d.p.isi(k, esi)).d == maxDegree-3 {
			e.Symbol(sym, esi)
			d.Add(esi, sym)
		}
	}
	err = d.Decode()
	t.Log(err)
	if err != nil && !errors.Is(err, ErrNeedMore) {
		t.Error(err)
	}
	if n := int64(memoryOf(d)); n > Memory(k, size) {
		t.Errorf("%d bytes, Memory says %d", n, Memory(k, size))
	}
}

// The longest block, of small symbols, none of which is a source symbol.
func TestLongest(t *testing.T) {
	r := newRand(t)
	const k, size = MaxBlockLen - 1, 2
	src, block := randomBlock(r, k, size)
	e := loaded(t, src, size)
	d, err := NewDecoder(k, size, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	into := make([]byte, k*size)
	d.Reset(into)
	sym := make([]byte, size)
	for esi := uint32(MaxESI); ; esi-- {
		e.Symbol(sym, esi)
		if d.Add(esi, sym) && d.Decode() == nil {
			break
		}
		if d.Have() > k+5 {
			t.Fatal("not decoded")
		}
	}
	if !bytes.Equal(into, block) {
		t.Error("recovered another block")
	}
}

// Encoders and decoders of one length in several goroutines share plans.
func TestConcurrent(t *testing.T) {
	seed := newRand(t).Uint64()
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(n)))
			for _, k := range []int{12, 70, 12, 300, 70} {
				src, block := randomBlock(r, k, 8)
				e, err := NewEncoder(k, 8, 0)
				if err != nil || e.Load(src) != nil {
					t.Error("no encoder", err)
					return
				}
				d, err := NewDecoder(k, 8, 0, nil)
				if err != nil {
					t.Error(err)
					return
				}
				into := make([]byte, k*8)
				d.Reset(into)
				sym := make([]byte, 8)
				for esi := uint32(k / 2); !d.Ready() || d.Decode() != nil; esi++ {
					e.Symbol(sym, esi)
					d.Add(esi, sym)
				}
				if !bytes.Equal(into, block) {
					t.Error("recovered another block")
				}
			}
		})
	}
	wg.Wait()
}

func TestSizes(t *testing.T) {
	var largest error
	if math.MaxInt == math.MaxInt32 { // more than the machine can address
		largest = ErrMemory
	}
	for _, tt := range []struct {
		k, size int
		limit   int64
		err     error
	}{
		{0, 1, 0, fec.ErrCodeSize},
		{MaxBlockLen + 1, 1, -1, fec.ErrCodeSize},
		{-1, 1, -1, fec.ErrCodeSize},
		{1, 0, 0, ErrBadSymbols},
		{1, MaxSymbolSize + 1, 0, ErrBadSymbols},
		{MaxBlockLen, MaxSymbolSize, 0, ErrMemory},
		{1000, 1280, 1 << 20, ErrMemory},
		{1000, 1280, 4 << 20, nil},
		{MaxBlockLen, 1280, 0, nil},
		{MaxBlockLen, MaxSymbolSize, -1, largest},
	} {
		_, err := NewDecoder(tt.k, tt.size, tt.limit, nil)
		if !errors.Is(err, tt.err) {
			t.Errorf("decoder for %d symbols of %d, limit %d: %v, want %v", tt.k, tt.size, tt.limit, err, tt.err)
		}
		if _, err = NewEncoder(tt.k, tt.size, tt.limit); !errors.Is(err, tt.err) {
			t.Errorf("encoder for %d symbols of %d, limit %d: %v, want %v", tt.k, tt.size, tt.limit, err, tt.err)
		}
	}
}
