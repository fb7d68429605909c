package core

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// What went wrong with NRL's NORM as the peer (interop/libnorm), told here without it.

// libnorm goes over to GF(2^16) when block and parity are more than 255 symbols together,
// also for objects whose own blocks are small. Such an object used to be taken, and asked
// for in the payload ID layout of GF(2^8), in vain and for ever.
func TestField16IsRefused(t *testing.T) {
	r, err := NewReceiver(ReceiverConfig{NodeID: 2, Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	now := netem.Start
	oti := fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 5000, SymbolSize: 100, MaxBlockLen: 300, Parity: 20, M: 16, G: 1}
	for _, esi := range []uint32{0, 1, 49} {
		m := wire.Data{
			Sender: wire.Sender{Source: 1, InstanceID: 1, GRTT: wire.QuantizeGRTT(10 * time.Millisecond), Backoff: 4},
			FEC:    fec.ReedSolomonGF2m, Object: 3, ID: fec.PayloadID{ESI: esi}, HasFTI: true, FTI: oti, Payload: make([]byte, 100),
		}
		b, err := wire.Codec{FTI: wire.FTINRL}.AppendDataHeader(nil, &m)
		if err != nil {
			t.Fatal(err)
		}
		r.Handle(now, &datagram.Packet{Data: append(b, m.Payload...)})
	}
	refused := false
	for e, ok := r.Event(); ok; e, ok = r.Event() {
		refused = refused || e.Type == ObjectAborted && errors.Is(e.Err, ErrUnsupported)
	}
	if !refused {
		t.Error("taken")
	}
	for range 100 {
		now = now.Add(50 * time.Millisecond)
		r.Advance(now)
		for r.Transmit(now, &datagram.Packet{}) {
		}
	}
	if n := r.Stats().Nacks; n > 0 {
		t.Errorf("%d NACKs", n)
	}
}
