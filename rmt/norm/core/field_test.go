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

// A scripted receiver hears what a test writes for a sender.
type scripted struct {
	t   *testing.T
	rx  *Receiver
	now time.Time
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	rx, err := NewReceiver(ReceiverConfig{NodeID: 2, FTI: wire.FTINRL, Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	return &scripted{t, rx, netem.Start}
}

var scriptedSender = wire.Sender{Source: 1, InstanceID: 1, GRTT: wire.QuantizeGRTT(10 * time.Millisecond), Backoff: 4}

func (s *scripted) hear(b []byte, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	s.rx.Handle(s.now, &datagram.Packet{Data: b, Src: senderAddr})
}

// data has the receiver hear a symbol with EXT_FTI.
func (s *scripted) data(object wire.TransportID, flags wire.Flags, id fec.PayloadID, oti fec.OTI) {
	s.t.Helper()
	s.hear(wire.Codec{FTI: wire.FTINRL}.AppendData(nil, &wire.Data{
		Sender: scriptedSender, Flags: flags, FEC: oti.EncodingID, Object: object, ID: id, HasFTI: true, FTI: oti,
		Payload: append(wire.StreamHeader{Len: 92}.Append(nil), make([]byte, 92)...),
	}))
}

// asks returns the payload IDs that the receiver's NACKs have on the wire, by object.
func (s *scripted) asks() map[wire.TransportID]uint32 {
	s.t.Helper()
	got := map[wire.TransportID]uint32{}
	for range 10 {
		s.now = s.now.Add(50 * time.Millisecond)
		s.rx.Advance(s.now)
		for p := (datagram.Packet{}); s.rx.Transmit(s.now, &p); {
			var nack wire.Nack
			if err := (wire.Codec{}).ParseNack(p.Data, &nack); err != nil {
				s.t.Fatal(err)
			}
			for q := range nack.Requests.All() { // by 24 and 8 bits
				got[q.First.Object] = q.First.ID.SBN<<8 | q.First.ID.ESI
			}
		}
	}
	return got
}

// TestFieldSizePerObject: of one sender each object may be coded over a field of its own.
func TestFieldSizePerObject(t *testing.T) {
	s := newScripted(t)
	for object, m := range []uint8{16, 8, 16, 8} {
		oti := fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 5000, SymbolSize: 100, MaxBlockLen: 60, Parity: 20, M: m, G: 1}
		for esi := range uint32(50) {
			if esi != 7 {
				s.data(wire.TransportID(object), 0, fec.PayloadID{ESI: esi}, oti)
			}
		}
	}
	s.data(9, 0, fec.PayloadID{}, fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 100, SymbolSize: 100, MaxBlockLen: 60, Parity: 20, M: 8})
	got := s.asks()
	for object := range wire.TransportID(4) {
		if got[object] != 50 { // the first parity symbol of block 0, by either layout
			t.Errorf("object %d: %#x asked for", object, got[object])
		}
	}
	// In block 1 the layouts differ.
	s = newScripted(t)
	for object, m := range []uint8{16, 8, 16, 8} {
		oti := fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 10_000, SymbolSize: 100, MaxBlockLen: 50, Parity: 20, M: m, G: 1}
		for i := range uint32(100) {
			if i != 57 {
				s.data(wire.TransportID(object), 0, fec.PayloadID{SBN: i / 50, ESI: i % 50}, oti)
			}
		}
	}
	s.data(9, 0, fec.PayloadID{}, fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 100, SymbolSize: 100, MaxBlockLen: 60, Parity: 20, M: 8})
	got = s.asks()
	for object := range wire.TransportID(4) {
		want := uint32(1<<16 | 50)
		if object%2 == 1 {
			want = 1<<8 | 50
		}
		if got[object] != want {
			t.Errorf("object %d: %#x asked for, want %#x", object, got[object], want)
		}
	}
}

// TestFieldSizeSquelch: the block that a SQUELCH names is read as the stream's are.
func TestFieldSizeSquelch(t *testing.T) {
	s := newScripted(t)
	oti := fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 1 << 20, SymbolSize: 92, MaxBlockLen: 300, Parity: 20, M: 16, G: 1}
	s.data(3, wire.FlagStream, fec.PayloadID{SBN: 5, ESI: 0}, oti)
	o := s.rx.order[0].objects[0]
	low := o.stream.low
	s.hear(wire.Codec{M: 16}.AppendSquelch(nil, &wire.Squelch{Sender: scriptedSender, FEC: oti.EncodingID, Object: 3, ID: fec.PayloadID{SBN: 8}}))
	if lost := o.stream.lost; lost != low+3 {
		t.Errorf("given up to block %d, want %d", lost-low, 3)
	}
}

// TestFieldSizeOverheard: what another receiver asks for is read as this sender's payload
// IDs are, and need not be asked for again.
func TestFieldSizeOverheard(t *testing.T) {
	s := newScripted(t)
	oti := fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 60_000, SymbolSize: 100, MaxBlockLen: 300, Parity: 20, M: 16, G: 1}
	for i := range uint32(301) {
		if i != 7 {
			s.data(3, 0, fec.PayloadID{SBN: i / 300, ESI: i % 300}, oti)
		}
	}
	m := s.rx.order[0]
	if m.nack.phase != nackBackoff {
		t.Fatalf("phase %d", m.nack.phase)
	}
	c := wire.Codec{M: 16}
	var rb wire.RequestBuilder
	rb.Reset(nil, 100, c)
	it := wire.Item{FEC: oti.EncodingID, Object: 3, ID: fec.PayloadID{ESI: 300}}
	rb.Add(wire.NackSegment, it, it)
	s.hear(c.AppendNack(nil, &wire.Nack{Feedback: wire.Feedback{Source: 10, Server: 1, InstanceID: 1}, Requests: rb.Requests()}))
	if got := s.asks(); len(got) > 0 || s.rx.Stats().Suppressed != 1 {
		t.Errorf("asked for %v; %+v", got, s.rx.Stats())
	}
}
