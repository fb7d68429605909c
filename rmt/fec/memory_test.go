package fec_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// TestDecoderMemory holds DecoderMemory to what decoders really keep, after blocks of
// which all or some of the source symbols were lost.
func TestDecoderMemory(t *testing.T) {
	for _, bb := range benched {
		if bb.k > 1000 && testing.Short() {
			continue
		}
		t.Run(fmt.Sprintf("%s/%d", bb.name, bb.k), func(t *testing.T) {
			const size = 16
			o := bb.oti
			o.SymbolSize, o.TransferLength = size, uint64(bb.k*size)
			if o.EncodingID == fec.Raptor || o.EncodingID == fec.RaptorQ {
				o.Blocks, o.SubBlocks, o.Align = 1, 1, 4
			} else {
				o.MaxBlockLen, o.Seed = uint32(bb.k), 1
			}
			data, s, _ := object(t, &o)
			enc, err := s.NewEncoder(&o)
			if err != nil {
				t.Fatal(err)
			}
			if err := enc.Load(0, data); err != nil {
				t.Fatal(err)
			}
			need, err := fec.DecoderMemory(&o)
			if err != nil {
				t.Fatal(err)
			}
			sym, room := make([]byte, size), make([]byte, len(data))
			enc.Symbol(sym, uint32(bb.k)) // what encoders share is there now
			warm, err := s.NewDecoder(&o, 0)
			if err != nil {
				t.Fatal(err)
			}
			run := func(dec fec.BlockDecoder, lost uint32) {
				if err := dec.Start(0, room); err != nil {
					t.Fatal(err)
				}
				for esi := lost; esi < min(enc.MaxESI(), uint32(3*bb.k)); esi++ {
					if ready, err := dec.Add(esi, sym[:enc.Symbol(sym, esi)]); err != nil {
						t.Fatal(err)
					} else if ready && dec.Solve() == nil {
						return
					}
				}
				t.Fatalf("%d lost: not solved", lost)
			}
			run(warm, 10)
			before := heap()
			dec, err := s.NewDecoder(&o, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, lost := range []uint32{0, 1, uint32(bb.k / 10), uint32(bb.k / 5)} {
				run(dec, lost)
			}
			used := int64(heap()) - int64(before)
			runtime.KeepAlive(dec)
			t.Logf("%d bytes, DecoderMemory says %d", used, need)
			if used > need+16<<10 {
				t.Errorf("%d bytes, DecoderMemory says %d", used, need)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
