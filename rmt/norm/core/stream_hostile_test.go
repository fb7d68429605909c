package core

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// Whatever offsets a sender gives, what is read goes on from where it was: a reader that was
// told of a gap which lies before what it has would wait for it for ever.
func TestStreamOffsetsGoOn(t *testing.T) {
	for _, offsets := range [][]uint32{
		{1000, 1050, 1100}, {1000, 500, 550, 1050, 1100}, {1000, 500, 700, 2000, 0}, {5, 1 << 31, 1<<31 + 50, 3 << 30, 10},
		{10, 1<<32 - 100, 1<<32 - 50, 0}, // the last is behind: they wrap
		{1 << 20, 1<<20 + 5, 1<<20 + 1, 1<<20 + 50},
	} {
		r, err := NewReceiver(ReceiverConfig{NodeID: 2, Rand: rand.New(rand.NewPCG(1, 2))})
		if err != nil {
			t.Fatal(err)
		}
		oti := fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 100_000, SymbolSize: 50, MaxBlockLen: 2, Parity: 1, M: 8}
		for i, at := range offsets {
			b, err := wire.Codec{}.AppendData(nil, &wire.Data{
				Sender: wire.Sender{Source: 1, InstanceID: 1, GRTT: 100}, Flags: wire.FlagStream, FEC: oti.EncodingID, Object: 1,
				ID: fec.PayloadID{SBN: uint32(i / 2), ESI: uint32(i % 2)}, HasFTI: true, FTI: oti,
				Payload: append(wire.StreamHeader{Len: 50, Offset: at}.Append(nil), make([]byte, 50)...),
			})
			if err != nil {
				t.Fatal(err)
			}
			r.Handle(time.Unix(1000, 0), &datagram.Packet{Data: b, Src: senderAddr})
		}
		next, read := uint64(offsets[0]), 0
		for e, ok := r.Event(); ok; e, ok = r.Event() {
			if e.Type != StreamReadable {
				continue
			}
			for g, ok := r.ReadStream(e.Key); ok; g, ok = r.ReadStream(e.Key) {
				from := g.Offset
				if g.Lost {
					from = g.From
				}
				if from != next || g.Lost && g.Offset <= g.From {
					t.Errorf("%v: read up to %d, and then %+v", offsets, next, g)
				}
				next = g.Offset + uint64(len(g.Data))
				read += len(g.Data)
			}
		}
		if read != 50*len(offsets) {
			t.Errorf("%v: %d bytes of %d", offsets, read, 50*len(offsets))
		}
	}
}

// A stream that leaps ahead with every packet is read over its gaps in leaps too: block by
// block this test took 15 seconds.
func TestStreamThatLeaps(t *testing.T) {
	r, err := NewReceiver(ReceiverConfig{NodeID: 2, Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	oti := fec.OTI{EncodingID: fec.SmallBlockSystematic, TransferLength: 100_000, SymbolSize: 50, MaxBlockLen: 2, Parity: 1}
	const leap = 1 << 16
	read := 0
	for i := range uint32(30_000) {
		b, err := wire.Codec{}.AppendData(nil, &wire.Data{
			Sender: wire.Sender{Source: 1, InstanceID: 1, GRTT: 100}, Flags: wire.FlagStream, FEC: oti.EncodingID, Object: 1,
			ID: fec.PayloadID{SBN: i * leap, SourceBlockLen: 2}, HasFTI: true, FTI: oti,
			Payload: append(wire.StreamHeader{Len: 50, Offset: i * leap}.Append(nil), make([]byte, 50)...),
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Handle(time.Unix(1000, 0), &datagram.Packet{Data: b, Src: senderAddr})
		for e, ok := r.Event(); ok; e, ok = r.Event() {
			for g, ok := r.ReadStream(e.Key); ok; g, ok = r.ReadStream(e.Key) {
				if read += len(g.Data); len(g.Data) > 0 && g.Offset != uint64(read/50-1)*leap {
					t.Fatal(i, read/50, g.Offset/leap)
				}
			}
		}
	}
	if read != 29_999*50 { // what is before the last may yet come
		t.Errorf("%d bytes", read)
	}
}

// A stream that nobody reads goes on for longer than its blocks can be numbered: who reads it
// then begins with what is kept, and nothing is confirmed that was not read.
func TestStreamUnreadForLong(t *testing.T) {
	r, err := NewReceiver(ReceiverConfig{NodeID: 2, BufferBytes: 1 << 20, Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	oti := fec.OTI{EncodingID: fec.SmallBlockSystematic, TransferLength: 100_000, SymbolSize: 50, MaxBlockLen: 2, Parity: 1}
	send := func(sbn, esi uint32) {
		b, err := wire.Codec{}.AppendData(nil, &wire.Data{
			Sender: wire.Sender{Source: 1, InstanceID: 1, GRTT: 100}, Flags: wire.FlagStream, FEC: oti.EncodingID, Object: 1,
			ID: fec.PayloadID{SBN: sbn, SourceBlockLen: 2, ESI: esi}, HasFTI: true, FTI: oti,
			Payload: append(wire.StreamHeader{Len: 50, Offset: sbn*100 + esi*50}.Append(nil), make([]byte, 50)...),
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Handle(time.Unix(1000, 0), &datagram.Packet{Data: b, Src: senderAddr})
	}
	sbn := uint32(0)
	for range 40_000 {
		send(sbn, 0)
		sbn += 1 << 16
		if sbn > rebaseAt {
			break
		}
	}
	const blocks = 5000
	for i := range uint32(blocks) {
		send(sbn+i, 0)
		send(sbn+i, 1)
	}
	m := r.order[0]
	if o := m.object(1); o.stream.newest >= rebaseAt || o.streamRead(o.stream.newest, 0) {
		t.Errorf("at block %d of %d, and read", o.stream.newest, o.stream.low)
	}
	read, last := 0, uint64(0)
	for e, ok := r.Event(); ok; e, ok = r.Event() {
		if e.Type != StreamReadable {
			continue
		}
		for g, ok := r.ReadStream(e.Key); ok; g, ok = r.ReadStream(e.Key) {
			read, last = read+len(g.Data), g.Offset
		}
	}
	for i := range uint32(2000) {
		send(sbn+blocks+i, 0)
		send(sbn+blocks+i, 1)
		for e, ok := r.Event(); ok; e, ok = r.Event() {
			for g, ok := r.ReadStream(e.Key); ok; g, ok = r.ReadStream(e.Key) {
				read, last = read+len(g.Data), g.Offset
			}
		}
	}
	// A window may be kept back: something before it is missing.
	if end := (sbn + blocks + 2000) * 100; end-uint32(last) > m.object(1).stream.window*100 || read < 50_000 {
		t.Errorf("%d bytes, the last at %d of %d", read, uint32(last), end)
	}
}
