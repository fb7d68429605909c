package core

import (
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
// also for objects whose own blocks are small. Such an object used to be asked for in the
// payload ID layout of GF(2^8), in vain and for ever. Told to send EXT_FTI with the INFO
// alone, libnorm leaves it to the receiver to remember how payload IDs divide.
func TestField16WithoutFTI(t *testing.T) {
	r, err := NewReceiver(ReceiverConfig{NodeID: 2, Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	now := netem.Start
	oti := fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 50_000, SymbolSize: 100, MaxBlockLen: 300, Parity: 20, M: 16, G: 1}
	c := wire.Codec{FTI: wire.FTINRL, M: 16}
	common := wire.Sender{Source: 1, InstanceID: 1, GRTT: wire.QuantizeGRTT(10 * time.Millisecond), Backoff: 4}
	hand := func(b []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		r.Handle(now, &datagram.Packet{Data: b, Src: senderAddr})
	}
	hand(c.AppendInfo(nil, &wire.Info{Sender: common, Flags: wire.FlagInfo, FEC: oti.EncodingID, Object: 3, HasFTI: true, FTI: oti, Payload: []byte("x")}))
	const lost = 249 // of block 1, as of block 0 with the layout of GF(2^8)
	for i := range uint32(500) {
		if i == 250+lost {
			continue
		}
		hand(c.AppendData(nil, &wire.Data{
			Sender: common, Flags: wire.FlagInfo, FEC: oti.EncodingID, Object: 3, ID: fec.PayloadID{SBN: i / 250, ESI: i % 250}, Payload: make([]byte, 100),
		}))
	}
	hand(c.AppendFlush(nil, &wire.Flush{Sender: common, FEC: oti.EncodingID, Object: 3, ID: fec.PayloadID{SBN: 1, ESI: 249}}))
	if st := r.Stats(); st.Malformed+st.Refused+st.Duplicates > 0 {
		t.Fatalf("%+v", st)
	}
	asked := false
	for range 10 {
		now = now.Add(50 * time.Millisecond)
		r.Advance(now)
		for p := (datagram.Packet{}); r.Transmit(now, &p); {
			var nack wire.Nack
			if err := c.ParseNack(p.Data, &nack); err != nil {
				t.Fatal(err)
			}
			for q := range nack.Requests.All() {
				if q.Flags != wire.NackSegment || q.First != q.Last || q.First.ID != (fec.PayloadID{SBN: 1, ESI: 250}) {
					t.Errorf("asked for %+v", q)
				}
				asked = true
			}
		}
	}
	if !asked {
		t.Error("nothing was asked for")
	}
}

// libnorm sends parity as long as the longest source symbol of its block. Where that is an
// odd number of bytes, half of the last element of GF(2^16) is missing, and what it would
// recover is wrong in its last byte.
func TestOddParity(t *testing.T) {
	s := newScripted(t)
	oti := fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 200, SymbolSize: 100, MaxBlockLen: 300, Parity: 20, M: 16, G: 1}
	s.data(3, 0, fec.PayloadID{}, oti)
	for range 2 {
		s.hear(wire.Codec{FTI: wire.FTINRL}.AppendData(nil, &wire.Data{
			Sender: scriptedSender, FEC: oti.EncodingID, Object: 3, ID: fec.PayloadID{ESI: 2}, HasFTI: true, FTI: oti, Payload: make([]byte, 99),
		}))
	}
	if st := s.rx.Stats(); st.Malformed != 2 || st.Recovered > 0 {
		t.Errorf("%+v", st)
	}
	s.hear(wire.Codec{M: 16}.AppendFlush(nil, &wire.Flush{Sender: scriptedSender, FEC: oti.EncodingID, Object: 3, ID: fec.PayloadID{ESI: 1}}))
	if got := s.asks(); got[3] != 1 { // the source symbol: there is no end to asking for such parity
		t.Errorf("%#x asked for", got[3])
	}
}
