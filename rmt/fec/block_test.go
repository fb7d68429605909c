package fec_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
	_ "github.com/gomulticast/multicast/rmt/fec/ldpc"
	_ "github.com/gomulticast/multicast/rmt/fec/raptor"
	_ "github.com/gomulticast/multicast/rmt/fec/raptorq"
	_ "github.com/gomulticast/multicast/rmt/fec/rs"
)

// coded has an OTI for each scheme, with some blocks of two lengths and a short last
// symbol.
var coded = []struct {
	name string
	oti  fec.OTI
	mds  bool // any k symbols do
}{
	{"no code", fec.OTI{EncodingID: fec.CompactNoCode, TransferLength: 12345, SymbolSize: 50, MaxBlockLen: 100}, false},
	{"raptor", fec.OTI{EncodingID: fec.Raptor, TransferLength: 12345, SymbolSize: 50, Blocks: 3, SubBlocks: 1, Align: 2}, false},
	{"raptor, sub-blocks", fec.OTI{EncodingID: fec.Raptor, TransferLength: 12345, SymbolSize: 56, Blocks: 3, SubBlocks: 3, Align: 4}, false},
	{"rs m 8", fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 12345, SymbolSize: 50, MaxBlockLen: 100, Parity: 60, M: 8, G: 1}, true},
	{"rs m 16", fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 12345, SymbolSize: 20, MaxBlockLen: 300, Parity: 200, M: 16, G: 1}, true},
	{"ldpc staircase", fec.OTI{EncodingID: fec.LDPCStaircase, TransferLength: 12345, SymbolSize: 10, MaxBlockLen: 500, Parity: 400, Seed: 1}, false},
	{"ldpc triangle", fec.OTI{EncodingID: fec.LDPCTriangle, TransferLength: 12345, SymbolSize: 10, MaxBlockLen: 500, Parity: 400, Seed: 99, N1: 5}, false},
	{"rs8", fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 12345, SymbolSize: 50, MaxBlockLen: 100, Parity: 60}, true},
	{"raptorq", fec.OTI{EncodingID: fec.RaptorQ, TransferLength: 12345, SymbolSize: 50, Blocks: 3, SubBlocks: 1, Align: 2}, false},
	{"raptorq, sub-blocks", fec.OTI{EncodingID: fec.RaptorQ, TransferLength: 12345, SymbolSize: 56, Blocks: 3, SubBlocks: 3, Align: 4}, false},
	{"small block", fec.OTI{EncodingID: fec.SmallBlockSystematic, TransferLength: 12345, SymbolSize: 50, MaxBlockLen: 100, Parity: 60}, true},
}

// object returns bytes to send, and the coder and partition for them.
func object(t testing.TB, o *fec.OTI) ([]byte, fec.Scheme, fec.Partition) {
	t.Helper()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := fec.Lookup(o.EncodingID)
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.Partition()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, o.TransferLength))
	b := make([]byte, o.TransferLength)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b, s, p
}

func blockOf(object []byte, p *fec.Partition, sbn uint32) []byte {
	at := p.Offset(sbn)
	return object[at:][:p.BlockBytes(sbn)]
}

// TestBlocks takes every scheme's blocks through loss, in an order by chance, with
// symbols that come twice and others that cannot be.
func TestBlocks(t *testing.T) {
	for _, tt := range coded {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.oti
			data, s, p := object(t, &o)
			enc, err := s.NewEncoder(&o)
			if err != nil {
				t.Fatal(err)
			}
			dec, err := s.NewDecoder(&o, 0)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(7, 7))
			room := make([]byte, fec.BlockMemory(&o)+1)
			room[len(room)-1] = 0x5a
			sym := make([]byte, o.SymbolSize)
			for round := range 4 {
				loss := []float64{0, 0.1, 0.3, 0.5}[round] // of source symbols
				if o.EncodingID == fec.CompactNoCode {
					loss = 0
				}
				for sbn := range uint32(p.Blocks()) {
					want := blockOf(data, &p, sbn)
					if err := enc.Load(sbn, want); err != nil {
						t.Fatal(err)
					}
					k := p.BlockLen(sbn)
					var esis []uint32
					for esi := range min(enc.MaxESI(), uint32(3*k)) {
						if int(esi) >= k || r.Float64() >= loss {
							esis = append(esis, esi)
						}
					}
					r.Shuffle(len(esis), func(i, j int) { esis[i], esis[j] = esis[j], esis[i] })
					if err := dec.Start(sbn, room[:len(room)-1]); err != nil {
						t.Fatal(err)
					}
					solved := false
					for n, esi := range esis {
						length := enc.Symbol(sym, esi)
						if full := length == len(sym); !full && (int(esi) != k-1 || length != p.SymbolBytes(sbn, int(esi))) {
							t.Fatalf("symbol %d of %d bytes", esi, length)
						}
						if missing := dec.Missing(); missing < 1 || tt.mds && missing != k-n {
							t.Fatalf("%d of %d missing after %d", missing, k, n)
						}
						if _, err := dec.Add(esi, sym[:length-1]); length > 1 && !errors.Is(err, fec.ErrBadSymbol) &&
							(p.SymbolBytes(sbn, int(esi)) != length-1) {
							t.Fatalf("short symbol: %v", err)
						}
						if _, err := dec.Add(enc.MaxESI(), sym); !errors.Is(err, fec.ErrBadSymbol) {
							t.Fatalf("symbol %d of %d: %v", enc.MaxESI(), enc.MaxESI(), err)
						}
						ready, err := dec.Add(esi, sym[:length])
						if err != nil {
							t.Fatal(err)
						}
						if again, err := dec.Add(esi, sym[:length]); again != ready || err != nil {
							t.Fatalf("again: %t, %v", again, err)
						}
						if tt.mds && ready != (n+1 == k) {
							t.Fatalf("solvable %t after %d of %d", ready, n+1, k)
						}
						err = dec.Solve()
						if err != nil && !errors.Is(err, fec.ErrNeedMore) || err == nil && !ready {
							t.Fatalf("Solve after %d symbols, solvable %t: %v", n+1, ready, err)
						}
						if err == nil {
							solved = true
							break
						}
					}
					if !solved || dec.Missing() != 0 {
						t.Fatalf("block %d, loss %.1f: not solved by %d symbols, %d missing", sbn, loss, len(esis), dec.Missing())
					}
					if err := dec.Solve(); err != nil { // again does no harm
						t.Fatal(err)
					}
					if _, err := dec.Add(0, sym); err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(room[:len(want)], want) {
						t.Fatalf("block %d, loss %.1f: another block", sbn, loss)
					}
				}
			}
			if room[len(room)-1] != 0x5a {
				t.Error("wrote beyond the block")
			}
		})
	}
}

// TestSiblings decodes all blocks of an object at once.
func TestSiblings(t *testing.T) {
	for _, tt := range coded {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.oti
			data, s, p := object(t, &o)
			enc, err := s.NewEncoder(&o)
			if err != nil {
				t.Fatal(err)
			}
			first, err := s.NewDecoder(&o, 0)
			if err != nil {
				t.Fatal(err)
			}
			n := int(p.Blocks())
			decs, rooms := make([]fec.BlockDecoder, n), make([][]byte, n)
			for i := range n {
				if decs[i] = first; i > 0 {
					decs[i] = decs[i-1].Sibling()
				}
				rooms[i] = make([]byte, p.BlockLen(uint32(i))*p.SymbolSize())
				if err := decs[i].Start(uint32(i), rooms[i]); err != nil {
					t.Fatal(err)
				}
			}
			sym := make([]byte, o.SymbolSize)
			for esi, open := uint32(0), n; open > 0; esi++ {
				for i := range n {
					want := blockOf(data, &p, uint32(i))
					if err := enc.Load(uint32(i), want); err != nil {
						t.Fatal(err)
					}
					if decs[i] == nil || o.EncodingID != fec.CompactNoCode && esi%4 == uint32(i)%4 {
						continue
					}
					if esi >= enc.MaxESI() {
						t.Fatalf("block %d is not solved by all its symbols", i)
					}
					ready, err := decs[i].Add(esi, sym[:enc.Symbol(sym, esi)])
					if err != nil {
						t.Fatal(err)
					}
					if ready && decs[i].Solve() == nil {
						if !bytes.Equal(rooms[i][:len(want)], want) {
							t.Fatalf("block %d is another", i)
						}
						decs[i] = nil
						open--
					}
				}
			}
		})
	}
}

// TestBlockErrors: what is no block is refused, and the decoder can be used after.
func TestBlockErrors(t *testing.T) {
	for _, tt := range coded {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.oti
			data, s, p := object(t, &o)
			enc, err := s.NewEncoder(&o)
			if err != nil {
				t.Fatal(err)
			}
			if enc.MaxESI() != 0 {
				t.Error("symbols without a block")
			}
			for _, err := range []error{
				enc.Load(uint32(p.Blocks()), data[:100]), enc.Load(0, data[:p.BlockBytes(0)-1]), enc.Load(0, data[:p.BlockBytes(0)+1]), enc.Load(0, nil),
			} {
				if !errors.Is(err, fec.ErrBadBlock) || enc.MaxESI() != 0 {
					t.Errorf("Load: %v, %d symbols", err, enc.MaxESI())
				}
			}
			dec, err := s.NewDecoder(&o, -1)
			if err != nil {
				t.Fatal(err)
			}
			sym := make([]byte, o.SymbolSize)
			closed := func(when string) {
				t.Helper()
				if ready, err := dec.Add(0, sym); ready || !errors.Is(err, fec.ErrBadSymbol) {
					t.Errorf("%s: Add %t, %v", when, ready, err)
				}
				if err := dec.Solve(); !errors.Is(err, fec.ErrNeedMore) || dec.Missing() != 0 {
					t.Errorf("%s: Solve %v, %d missing", when, err, dec.Missing())
				}
			}
			closed("before Start")
			room := make([]byte, fec.BlockMemory(&o))
			for _, err := range []error{
				dec.Start(uint32(p.Blocks()), room), dec.Start(0, room[:p.BlockLen(0)*p.SymbolSize()-1]), dec.Start(0, nil),
			} {
				if !errors.Is(err, fec.ErrBadBlock) {
					t.Errorf("Start: %v", err)
				}
			}
			closed("after Start has failed")

			need, err := fec.DecoderMemory(&o)
			if err != nil || need <= 0 {
				t.Fatalf("memory %d, %v", need, err)
			}
			if _, err := s.NewDecoder(&o, need-1); !errors.Is(err, fec.ErrMemory) {
				t.Errorf("limit below the need: %v", err)
			}
			if _, err := s.NewDecoder(&o, need); err != nil {
				t.Errorf("limit at the need: %v", err)
			}
		})
	}
}

// TestBlockAllocs: symbols cost no allocation, neither do blocks after the first.
func TestBlockAllocs(t *testing.T) {
	for _, tt := range coded {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.oti
			data, s, p := object(t, &o)
			enc, err := s.NewEncoder(&o)
			if err != nil {
				t.Fatal(err)
			}
			dec, err := s.NewDecoder(&o, 0)
			if err != nil {
				t.Fatal(err)
			}
			want := blockOf(data, &p, 0)
			k := uint32(p.BlockLen(0))
			if err := enc.Load(0, want); err != nil {
				t.Fatal(err)
			}
			sym := make([]byte, o.SymbolSize)
			if k < enc.MaxESI() {
				enc.Symbol(sym, k) // the block's first repair symbol
			}
			room := make([]byte, fec.BlockMemory(&o))
			symbols := make([][]byte, min(enc.MaxESI(), 2*k))
			for esi := range symbols {
				symbols[esi] = make([]byte, o.SymbolSize)
			}
			if n := testing.AllocsPerRun(5, func() {
				for esi := range symbols {
					enc.Symbol(symbols[esi], uint32(esi))
				}
			}); n != 0 {
				t.Errorf("%v allocations for %d symbols", n, len(symbols))
			}
			start := uint32(0)
			if k < enc.MaxESI() {
				start = 20 // so many source symbols are lost
			}
			add := func() {
				if err := dec.Start(0, room); err != nil {
					t.Fatal(err)
				}
				for esi := start; int(esi) < len(symbols); esi++ {
					if ready, err := dec.Add(esi, symbols[esi]); err != nil {
						t.Fatal(err)
					} else if ready {
						break
					}
				}
			}
			for range 3 {
				add()
			}
			if n := testing.AllocsPerRun(5, add); n != 0 {
				t.Errorf("%v allocations for the symbols of a block", n)
			}
		})
	}
}

// FuzzDecoder gives every decoder symbols in an order, and with contents, as an
// attacker likes, and now and then asks it to solve. Nothing may panic, and a block of
// symbols that are all genuine is the block.
func FuzzDecoder(f *testing.F) {
	for i := range coded {
		f.Add(uint8(i), uint8(0), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13})
		f.Add(uint8(i), uint8(200), bytes.Repeat([]byte("1234567890abcdefghi"), 30))
	}
	f.Fuzz(func(t *testing.T, which, length uint8, script []byte) {
		o := coded[int(which)%len(coded)].oti
		o.SymbolSize = uint16(o.SubBlocks) * uint16(o.Align) * 2
		if o.SymbolSize == 0 {
			o.SymbolSize = 2
		}
		o.TransferLength = uint64(length)*3 + 13*uint64(o.SymbolSize)
		data, s, p := object(t, &o)
		enc, err := s.NewEncoder(&o)
		if err != nil {
			t.Fatal(err)
		}
		dec, err := s.NewDecoder(&o, 0)
		if err != nil {
			t.Fatal(err)
		}
		sbn := uint32(length) % uint32(p.Blocks())
		want := blockOf(data, &p, sbn)
		if err := enc.Load(sbn, want); err != nil {
			t.Fatal(err)
		}
		room := make([]byte, p.BlockLen(sbn)*p.SymbolSize()+1)
		room[len(room)-1] = 0x5a
		if err := dec.Start(sbn, room[:len(room)-1]); err != nil {
			t.Fatal(err)
		}
		sym := make([]byte, o.SymbolSize)
		honest := true
		for i, v := range script {
			esi := uint32(v)
			if i%7 == 3 && i > 0 {
				esi = esi<<8 | uint32(script[i-1])
			}
			n := len(sym)
			if esi < enc.MaxESI() {
				n = enc.Symbol(sym, esi)
				if v%31 == 30 {
					sym[0] ^= 1
					honest = false
				}
			}
			if v%29 == 28 {
				n--
			}
			ready, err := dec.Add(esi, sym[:n])
			if err != nil && !errors.Is(err, fec.ErrBadSymbol) {
				t.Fatal(err)
			}
			if esi >= enc.MaxESI() && err == nil {
				t.Fatalf("symbol %d of %d is taken", esi, enc.MaxESI())
			}
			if !ready && v%16 != 15 {
				continue
			}
			if err := dec.Solve(); err == nil {
				if honest && !bytes.Equal(room[:len(want)], want) {
					t.Fatal("another block")
				}
				break
			} else if !errors.Is(err, fec.ErrNeedMore) {
				t.Fatal(err)
			}
		}
		if room[len(room)-1] != 0x5a {
			t.Fatal("wrote beyond the block")
		}
	})
}

func ExampleScheme() {
	oti := fec.OTI{
		EncodingID: fec.Raptor, TransferLength: 100_000, SymbolSize: 1000, Blocks: 1, SubBlocks: 1, Align: 4,
	}
	scheme, err := fec.Lookup(oti.EncodingID) // import _ ".../rmt/fec/raptor"
	if err != nil {
		fmt.Println(err)
		return
	}
	enc, _ := scheme.NewEncoder(&oti)
	if err := enc.Load(0, make([]byte, 100_000)); err != nil {
		fmt.Println(err)
		return
	}
	dec, _ := scheme.NewDecoder(&oti, 0)
	if err := dec.Start(0, make([]byte, fec.BlockMemory(&oti))); err != nil {
		fmt.Println(err)
		return
	}
	symbol := make([]byte, oti.SymbolSize)
	for esi := uint32(7); ; esi++ { // the first seven are lost
		n := enc.Symbol(symbol, esi)
		if ready, _ := dec.Add(esi, symbol[:n]); ready && dec.Solve() == nil {
			fmt.Println("solved")
			return
		}
	}
	// Output: solved
}
