package raptorq

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// FuzzDecoder feeds a decoder what a hostile sender may: any encoding symbol IDs,
// twice, of any size, with wrong data, in any order. It must neither panic nor keep
// more than it says, and when all symbols were right give the right block.
func FuzzDecoder(f *testing.F) {
	f.Add(uint16(1), uint8(1), []byte{0, 0, 0, 0})
	f.Add(uint16(10), uint8(4), bytes.Repeat([]byte{0, 1, 2, 3, 4, 5}, 30))
	f.Add(uint16(40), uint8(9), bytes.Repeat([]byte{9, 8, 7, 0, 0, 1, 200, 3}, 60))
	var w Workspace
	f.Fuzz(func(t *testing.T, k16 uint16, size8 uint8, script []byte) {
		k, size := 1+int(k16)%120, 1+int(size8)%40
		src := make([][]byte, k)
		block := make([]byte, k*size)
		for i := range block {
			block[i] = byte(i * 7)
		}
		for i := range src {
			src[i] = block[i*size:][:size]
		}
		e := loaded(t, src, size)
		d, err := NewDecoder(k, size, 0, &w)
		if err != nil {
			t.Fatal(err)
		}
		into := make([]byte, k*size+1)
		into[k*size] = 0x5a
		d.Reset(into)
		honest := true
		sym := make([]byte, size+1)
		last := uint32(0)
		for n := 0; len(script) >= 4; n++ {
			op, v := script[0], uint32(script[1])<<16|uint32(script[2])<<8|uint32(script[3])
			script = script[4:]
			esi := v // anything
			if op&1 != 0 {
				esi = v % uint32(2*k) // near the block
			}
			if op&2 != 0 {
				esi = last + 1
			}
			last = esi
			data := sym[:size]
			if esi <= MaxESI {
				e.Symbol(data, esi)
			}
			switch op >> 5 {
			case 0:
				data = sym[:size+1]
			case 1:
				data = sym[:size/2]
				honest = honest && esi != uint32(k-1)
			case 2:
				data[v%uint32(size)] ^= 0x10
				honest = false
			case 3:
				esi += 1 << 24
			}
			before := d.Have()
			ready := d.Add(esi, data)
			if d.Have() > k+MaxExtra || d.Have() > before+1 || ready && d.Have() < k {
				t.Fatalf("have %d of %d, ready %t", d.Have(), k, ready)
			}
			if ready && op&4 != 0 || op&8 != 0 {
				if err := d.Decode(); err == nil {
					break
				}
			}
		}
		if err := d.Decode(); err == nil && honest && !bytes.Equal(into[:k*size], block) {
			t.Fatalf("k %d: another block", k)
		}
		if into[k*size] != 0x5a {
			t.Fatal("wrote beyond the block")
		}
	})
}

// TestExtra: repair symbols first, source symbols after, more of both than the
// block has. Source symbols drive repair symbols out of the block.
func TestExtra(t *testing.T) {
	r := newRand(t)
	const k, size = 50, 8
	src, block := randomBlock(r, k, size)
	e := loaded(t, src, size)
	d, err := NewDecoder(k, size, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	into := make([]byte, k*size)
	d.Reset(into)
	sym := make([]byte, size)
	for i := range uint32(2 * k) {
		e.Symbol(sym, k+i)
		d.Add(k+i, sym)
	}
	if d.Have() != k+MaxExtra {
		t.Fatalf("%d symbols kept", d.Have())
	}
	for i := range uint32(k - 1) {
		d.Add(i, src[i])
		if d.Have() > k+MaxExtra || !d.Ready() {
			t.Fatalf("%d symbols kept", d.Have())
		}
	}
	if err := d.Decode(); err != nil || !bytes.Equal(into, block) {
		t.Fatal("another block", err)
	}
	// The same in the same memory, from source symbols only.
	d.Reset(into)
	if d.Source(0) != nil || d.Ready() || d.Have() != 0 {
		t.Error("not reset")
	}
	for i := range uint32(k) {
		d.Add(i, src[i])
	}
	if !d.Ready() || d.Decode() != nil || d.Add(k, sym) != true || !bytes.Equal(into, block) {
		t.Error("source symbols only")
	}
}

// TestDependent: when the symbols at hand do not suffice, and all room for more is
// used up, some give way and others can still complete the block.
func TestDependent(t *testing.T) {
	r := newRand(t)
	const k, size = 10, 4
	src, block := randomBlock(r, k, size)
	e := loaded(t, src, size)
	// Repair symbols whose rows lie in a space of too low rank: those that do not
	// contain a certain intermediate symbol, which only one source symbol... any
	// set found by search will do: keep symbols as long as the rank is below K.
	p, _ := paramsFor(k)
	var m planner
	var pl plan
	var isi []uint32
	for x := p.kp; len(isi) < k+MaxExtra && x < 1<<20; x++ {
		with := append(isi[:len(isi):len(isi)], x)
		if !m.plan(&pl, &p, with) {
			isi = with
		}
	}
	if len(isi) < k+MaxExtra {
		t.Fatalf("only %d dependent symbols found", len(isi))
	}
	d, err := NewDecoder(k, size, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	into := make([]byte, k*size)
	d.Reset(into)
	sym := make([]byte, size)
	for _, x := range isi {
		e.Symbol(sym, x-p.kp+k)
		if d.Add(x-p.kp+k, sym) {
			if d.Decode() == nil {
				t.Fatal("decoded from dependent symbols")
			}
		}
	}
	for i := uint32(0); i < k; i++ {
		if d.Add(i, src[i]) && d.Decode() == nil {
			break
		}
	}
	if d.Decode() != nil || !bytes.Equal(into, block) {
		t.Error("not decoded")
	}
}

func TestAllocs(t *testing.T) {
	const k, size = 200, 64
	r := newRand(t)
	src, _ := randomBlock(r, k, size)
	e := loaded(t, src, size)
	sym := make([]byte, size)
	esi := uint32(0)
	if n := testing.AllocsPerRun(1000, func() { e.Symbol(sym, esi); esi++ }); n != 0 {
		t.Errorf("Symbol allocates %g times", n)
	}
	if n := testing.AllocsPerRun(10, func() { _ = e.Load(src) }); n != 0 {
		t.Errorf("Load allocates %g times", n)
	}
	d, err := NewDecoder(k, size, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, k*size)
	d.Reset(block)
	for i := range uint32(k) { // the first block makes room
		e.Symbol(sym, k+i)
		d.Add(k+i, sym)
	}
	d.Reset(block)
	next := uint32(0)
	if n := testing.AllocsPerRun(k/2, func() { d.Add(k+next, sym); next++ }); n != 0 {
		t.Errorf("Add of a repair symbol allocates %g times", n)
	}
	if n := testing.AllocsPerRun(k/4, func() { d.Add(next, sym); next++ }); n != 0 {
		t.Errorf("Add of a source symbol allocates %g times", n)
	}
	var lost byte
	if n := testing.AllocsPerRun(20, func() {
		d.Reset(block)
		for i := uint32(0); !d.Ready() || d.Decode() != nil; i++ {
			if i%20 != uint32(lost) {
				e.Symbol(sym, i)
				d.Add(i, sym)
			}
		}
	}); n != 0 {
		t.Errorf("decoding allocates %g times", n)
	}
}

// memoryOf returns the bytes that d takes beside the block.
func memoryOf(d *Decoder) int {
	w, m := d.w, &d.w.planner
	n := cap(w.slots.buf) + 24*cap(w.in) + 4*cap(w.isi) +
		4*cap(m.start) + 2*cap(m.cols) + 2*cap(m.lt) + 4*cap(m.colStart) + 2*cap(m.colRows) +
		2*cap(m.degree) + 2*cap(m.sum) + cap(m.role) + 2*cap(m.uIndex) + 2*cap(m.uCols) + 4*cap(m.pivots) +
		cap(m.chosen) + 2*cap(m.ready) + 2*cap(m.heavy) + 4*cap(m.scratch) +
		2*cap(m.clumps.parent) + 2*cap(m.clumps.size) + 4*cap(m.clumps.heap) +
		8*cap(m.dense.up) + 8*cap(m.dense.lower) + 8*cap(m.dense.hd) + w.plan.bytes()
	n += (4+8+16)*d.k + 24*cap(d.src) + 8*cap(d.missing) + 40*cap(d.given) // the intake's notes first
	return n
}

// TestMemory holds Memory to what is really used.
func TestMemory(t *testing.T) {
	r := newRand(t)
	for _, k := range []int{1, 10, 300, 5000} {
		const size = 16
		src, _ := randomBlock(r, k, size)
		e := loaded(t, src, size)
		d, err := NewDecoder(k, size, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		d.Reset(make([]byte, k*size))
		sym := make([]byte, size)
		for i := uint32(0); !d.Ready() || d.Decode() != nil; i++ {
			e.Symbol(sym, uint32(k)+i)
			d.Add(uint32(k)+i, sym)
		}
		n := memoryOf(d)
		t.Logf("k %d: %d bytes, %d a symbol; Memory says %d", k, n, n/k, Memory(k, size))
		if int64(n) > Memory(k, size) {
			t.Errorf("k %d takes %d bytes, Memory says %d", k, n, Memory(k, size))
		}
	}
	if Memory(0, 1) != 0 || Memory(1, 0) != 0 || Memory(MaxBlockLen+1, 1) != 0 {
		t.Error("memory for no block")
	}
}

// A plan is made once, and the cache holds what it says, the latest first.
func TestPlanCache(t *testing.T) {
	var m planner
	p := makeParams(&table2[30])
	pl := encodingPlan(&m, &p)
	if pl.p.kp != p.kp || encodingPlan(&m, &p) != pl {
		t.Error("made twice")
	}
	const each = 2 << 20 // bytes
	for i := range uint32(2 * maxPlans / each) {
		keep(&plan{p: &params{kp: MaxBlockLen + 1 + i}, pivots: make([]uint16, each/2)})
		if i%3 == 0 && cached(p.kp) != pl {
			t.Fatal("in use, and given up")
		}
	}
	plans.Lock()
	defer plans.Unlock()
	n := 0
	for _, pl := range plans.list {
		n += pl.bytes()
	}
	if n != plans.bytes || n > maxPlans || n < maxPlans-each {
		t.Errorf("%d bytes in cache, noted %d", n, plans.bytes)
	}
	plans.list, plans.bytes = nil, 0
	if binary.Size(step{}) > 6 {
		t.Error("a step is larger than bytes takes it for")
	}
}
