package intake

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// check looks for contradictions in the block's notes.
func check(t *testing.T, b *Block) {
	t.Helper()
	extra := uint32(0)
	for r, h := range b.repair {
		if _, ok := b.seen[h.ESI]; !ok {
			t.Fatalf("repair symbol %d not noted", h.ESI)
		}
		if int(h.place) >= b.k {
			extra |= 1 << (int(h.place) - b.k)
		} else if b.holder[h.place] != placeRepair+uint32(r) {
			t.Fatalf("repair symbol %d is not at place %d", r, h.place)
		}
	}
	sources := 0
	for _, h := range b.holder {
		if h == placeSource {
			sources++
		}
	}
	if extra != b.taken || sources != b.source || len(b.seen) != len(b.repair) {
		t.Fatalf("extra %b, noted %b; %d sources, noted %d; %d repair, noted %d", extra, b.taken, sources, b.source, len(b.repair), len(b.seen))
	}
}

// symbol is what the test sends under an encoding symbol ID.
func symbol(esi uint32, size int) []byte {
	return bytes.Repeat([]byte{byte(esi), byte(esi >> 8)}, size)[:size]
}

// FuzzBlock adds symbols in any order; what is at hand must be what was added.
func FuzzBlock(f *testing.F) {
	f.Add(uint8(4), uint8(2), []byte{0, 9, 8, 7, 6, 5, 1, 2, 3})
	f.Add(uint8(20), uint8(32), []byte("a longer script that fills the block and the places beyond it, and then some"))
	f.Fuzz(func(t *testing.T, k8, most uint8, script []byte) {
		k, size := 1+int(k8)%64, 5
		var b Block
		b.Reset(make([]byte, k*size), k, size, int(most))
		for _, v := range script {
			before := b.Have()
			if esi := uint32(v); int(esi) < k {
				b.AddSource(int(esi), symbol(esi, size))
			} else {
				b.AddRepair(esi, symbol(esi, size))
			}
			if v == 255 {
				b.Failed()
			}
			check(t, &b)
			if n := b.Have(); n > k+MaxExtra || n > before+1 || v != 255 && n < before {
				t.Fatalf("%d symbols after %d", n, before)
			}
		}
		for i := range k {
			if b.HasSource(i) && !bytes.Equal(b.At(i), symbol(uint32(i), size)) {
				t.Fatalf("source symbol %d is % x", i, b.At(i))
			}
		}
		for _, r := range b.Repairs() {
			if !bytes.Equal(b.Symbol(r), symbol(r.ESI, size)) {
				t.Fatalf("repair symbol %d is % x", r.ESI, b.Symbol(r))
			}
		}
	})
}

// TestSourcesDriveOut: source symbols that come late take places from repair symbols,
// and those that have nowhere else to go are forgotten.
func TestSourcesDriveOut(t *testing.T) {
	const k, size, most = 10, 3, 2
	var b Block
	b.Reset(make([]byte, k*size), k, size, most)
	for esi := range uint32(k + most + 3) {
		b.AddRepair(k+esi, symbol(k+esi, size))
	}
	if b.Have() != k+most {
		t.Fatalf("%d symbols, want %d", b.Have(), k+most)
	}
	for n, i := range rand.New(rand.NewPCG(1, 2)).Perm(k) {
		b.AddSource(i, symbol(uint32(i), size)[:size-1])
		check(t, &b)
		if b.Sources() != n+1 || b.Have() != k+most {
			t.Fatalf("after %d source symbols: %d, and %d in all", n+1, b.Sources(), b.Have())
		}
		if got := b.At(i); got[size-1] != 0 {
			t.Fatalf("source symbol %d is not padded: % x", i, got)
		}
	}
	if b.Solved(); b.Have() != k || len(b.Repairs()) != 0 {
		t.Errorf("%d symbols after Solved", b.Have())
	}
}

// TestPatience: while tries fail they become rarer, but never stop, whatever room there
// is.
func TestPatience(t *testing.T) {
	const k = 20
	for most := range MaxExtra + 1 {
		var b Block
		b.Reset(make([]byte, k), k, 1, most)
		tries := 0
		for esi := range uint32(2000) {
			b.AddRepair(k+esi, []byte{1})
			if !b.Ready() {
				if b.Missing() < 1 {
					t.Fatalf("%d missing, but not ready", b.Missing())
				}
				continue
			}
			tries++
			b.Failed()
		}
		if b.Have() < k || tries < 1 || most > 0 && tries < 8 || most == MaxExtra && tries > 100 {
			t.Errorf("room for %d: %d tries", most, tries)
		}
	}
}
