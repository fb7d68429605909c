package core

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A target is an engine under attack, in a world where only the attacker speaks.
type target struct {
	t   testing.TB
	tx  *Sender
	rx  *Receiver
	now time.Time

	stream wire.TransportID // of tx
}

func newTarget(t testing.TB) *target {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	tx, err := NewSender(SenderConfig{NodeID: 1, InstanceID: 7, Rate: -1, CacheObjects: 4, MaxNodes: 16, Rand: rng})
	if err != nil {
		t.Fatal(err)
	}
	rx, err := NewReceiver(ReceiverConfig{NodeID: 2, BufferBytes: 1 << 20, MaxSenders: 4, MaxObjects: 8, Rand: rng})
	if err != nil {
		t.Fatal(err)
	}
	a := &target{t: t, tx: tx, rx: rx, now: time.Unix(1000, 0)}
	for range 3 {
		if _, err := tx.Enqueue(a.now, ObjectSpec{Source: bytes.NewReader(make([]byte, 200_000)), Size: 200_000, Info: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	var err2 error
	if a.stream, err2 = tx.OpenStream(a.now, StreamSpec{Buffer: 200_000, DropAfter: time.Second, AckNodes: []wire.NodeID{10}}); err2 != nil {
		t.Fatal(err2)
	}
	if _, err := tx.Ask(a.now, QuestionSpec{Type: 16, Nodes: []wire.NodeID{10, 11}, Timeout: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Command(a.now, []byte("go"), true); err != nil {
		t.Fatal(err)
	}
	a.settle(64)
	return a
}

var attacker = netip.MustParseAddrPort("192.0.2.66:6003")

// hit gives a datagram to both engines.
func (a *target) hit(data []byte) {
	for _, dst := range []string{"239.1.2.3:6003", "192.0.2.1:6003"} {
		p := datagram.Packet{Data: data, Src: attacker, Dst: netip.MustParseAddrPort(dst)}
		a.tx.Handle(a.now, &p)
		a.rx.Handle(a.now, &p)
	}
}

// settle lets time pass and drains both engines, at most steps packets each: after
// that they must have come to rest, or be sending what they were told to send.
func (a *target) settle(steps int) {
	a.now = a.now.Add(20 * time.Millisecond)
	buf := make([]byte, 0, 2048)
	a.tx.WriteStream(a.now, a.stream, make([]byte, 5000), true)
	a.tx.Advance(a.now)
	a.rx.Advance(a.now)
	for range steps {
		p := datagram.Packet{Data: buf}
		if !a.tx.Transmit(a.now, &p) {
			break
		}
	}
	n := 0
	for p := (datagram.Packet{Data: buf}); a.rx.Transmit(a.now, &p); p.Data = buf {
		if n++; n > 1000 {
			a.t.Fatal("the receiver does not stop sending")
		}
	}
	for _, ok := a.tx.Event(); ok; _, ok = a.tx.Event() {
	}
	for e, ok := a.rx.Event(); ok; e, ok = a.rx.Event() {
		switch e.Type {
		case BlockReceived:
			a.rx.Release(e.Data)
		case ObjectReceived:
			a.rx.Stored(a.now, e.Key, nil)
		case AckRequested:
			a.rx.Answer(a.now, e.Key, e.AckType, e.AckID, make([]byte, 100))
		case StreamReadable:
			for n := 0; ; n++ {
				if _, ok := a.rx.ReadStream(e.Key); !ok {
					break
				}
				if n > 1<<20 {
					a.t.Fatal("a stream without end was read at once")
				}
			}
		}
	}
	a.tx.Next()
	a.rx.Next()
}

// check holds the engines to their bounds.
func (a *target) check() {
	a.t.Helper()
	if p := &a.rx.buffers; p.inUse > p.limit || p.inUse < 0 || p.inUse+p.idle > p.limit {
		a.t.Errorf("buffers: %d in use and %d idle of %d", p.inUse, p.idle, p.limit)
	}
	if len(a.rx.order) > 4 || len(a.rx.senders) > 4 {
		a.t.Errorf("%d senders", len(a.rx.order))
	}
	ranges := 0
	for _, m := range a.rx.order {
		holds := int64(0)
		for _, o := range m.objects {
			if o != nil {
				ranges += len(o.done.ranges)
				for _, b := range o.blocks {
					if o.settled() { // a stream that is complete
						break
					}
					holds += bufferCost(cap(b.data))
				}
			}
		}
		if holds != m.holds {
			a.t.Errorf("blocks of %d bytes, counted as %d", holds, m.holds)
		}
		if len(m.commands.told) > commandsKnown || len(m.answers.list) > questionsKnown {
			a.t.Errorf("%d commands and %d questions known", len(m.commands.told), len(m.answers.list))
		}
		if len(m.objects) > 8 || len(m.nack.heard) > maxOverheard {
			a.t.Errorf("%d objects, requests of %d overheard", len(m.objects), len(m.nack.heard))
		}
	}
	if ranges != a.rx.doneRanges || ranges > maxDoneRanges+minDoneRanges*8*4 {
		a.t.Errorf("%d ranges of blocks done, counted as %d", ranges, a.rx.doneRanges)
	}
	// The records of blocks take what they are counted for.
	for _, m := range a.rx.order {
		for _, o := range m.objects {
			if o == nil {
				continue
			}
			list := o.blocks
			if o.stream != nil {
				list = append(slices.Clone(list), o.stream.held...)
			}
			for _, b := range list {
				if n := int64(8*cap(b.have.high) + 4*cap(b.parity)); n > b.record+4*lowSymbols {
					a.t.Errorf("the record of a block of %d takes %d bytes, counted as %d", b.k, n, b.record)
				}
			}
		}
		for _, set := range m.nack.heard {
			for i := range set.partial {
				if n := len(set.partial[i].symbols.high); n > maxSymbols/64 {
					a.t.Errorf("%d words overheard", n)
				}
			}
		}
	}
	if n := len(a.rx.buffers.spare[1]); n > maxSpareLarge {
		a.t.Errorf("%d records of large blocks kept", n)
	}
	if a.rx.buffers.stream < 0 || a.rx.buffers.stream > a.rx.buffers.inUse {
		a.t.Errorf("streams hold %d of %d bytes", a.rx.buffers.stream, a.rx.buffers.inUse)
	}
	if len(a.tx.objects) > 4 || len(a.tx.nodes.byID) > 16 || len(a.tx.nodes.order) > 16 {
		a.t.Errorf("%d objects, %d nodes", len(a.tx.objects), len(a.tx.nodes.byID))
	}
	for _, o := range a.tx.objects {
		for _, r := range []*repairSet{&o.want, &o.repair} {
			if len(r.partial) > maxRepairBlocks || len(r.whole.ranges) > maxRepairRanges {
				a.t.Errorf("%d blocks, %d ranges asked for", len(r.partial), len(r.whole.ranges))
			}
			words := 0
			for i := range r.partial {
				words += r.partial[i].symbols.words()
			}
			if words > maxRepairBlocks*lowSymbols/64 {
				a.t.Errorf("requests for symbols take %d words", words)
			}
		}
	}
}

// messages returns one good message of every kind that the engines listen to, from a
// sender with node ID 9 and a receiver with node ID 10.
func messages() [][]byte {
	c := wire.Codec{FTI: wire.FTINRL}
	s := wire.Sender{Sequence: 1, Source: 9, InstanceID: 3, GRTT: wire.QuantizeGRTT(time.Millisecond), Backoff: 4, GroupSize: 1}
	oti := fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 100_000, SymbolSize: 100, MaxBlockLen: 8, Parity: 4, M: 8}
	f := wire.Feedback{Source: 10, Server: 1, InstanceID: 7, HasCC: true}
	var list [][]byte
	add := func(b []byte, err error) {
		if err != nil {
			panic(err)
		}
		list = append(list, b)
	}
	for esi := range uint32(10) {
		add(c.AppendData(nil, &wire.Data{Sender: s, Flags: wire.FlagInfo, FEC: 5, Object: 1, ID: fec.PayloadID{SBN: esi / 5, ESI: esi}, HasFTI: true, FTI: oti, Payload: make([]byte, 100)}))
	}
	stream := fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 10_000, SymbolSize: 100, MaxBlockLen: 8, Parity: 4, M: 8}
	at := uint32(0)
	for _, sbn := range []uint32{5, 5, 6, 7, 1<<24 - 1, 1 << 23, 8, 300} {
		payload := append(wire.StreamHeader{Len: 50, MsgStart: 1, Offset: at}.Append(nil), make([]byte, 50)...)
		if sbn == 8 {
			payload = wire.StreamHeader{Offset: at}.Append(nil) // the end
		}
		add(c.AppendData(nil, &wire.Data{Sender: s, Flags: wire.FlagStream, FEC: 5, Object: 3, ID: fec.PayloadID{SBN: sbn, ESI: at / 50 % 12}, HasFTI: true, FTI: stream, Payload: payload}))
		at += 50
	}
	add(c.AppendFlush(nil, &wire.Flush{Sender: s, FEC: 5, Object: 3, ID: fec.PayloadID{SBN: 9, ESI: 3}, AckingNodes: wire.NodeList{}.Append(2)}))
	add(c.AppendSquelch(nil, &wire.Squelch{Sender: s, FEC: 5, Object: 3, ID: fec.PayloadID{SBN: 1000}}))
	add(c.AppendInfo(nil, &wire.Info{Sender: s, Flags: wire.FlagInfo, FEC: 5, Object: 1, HasFTI: true, FTI: oti, Payload: []byte("name")}))
	add(c.AppendFlush(nil, &wire.Flush{Sender: s, FEC: 5, Object: 1, ID: fec.PayloadID{SBN: 124, ESI: 7}, AckingNodes: wire.NodeList{}.Append(2)}))
	add(c.AppendEOT(nil, &wire.EOT{Sender: s}))
	add(c.AppendSquelch(nil, &wire.Squelch{Sender: s, FEC: 5, Object: 1, Invalid: wire.TransportIDList{}.Append(2)}))
	add(c.AppendApplication(nil, &wire.Application{Sender: s, Payload: []byte("go")}))
	add(c.AppendApplication(nil, &wire.Application{Sender: s, HasNumber: true, Number: 1, Payload: []byte("go")}))
	for id := range uint8(10) {
		add(c.AppendAckReq(nil, &wire.AckReq{Sender: s, AckType: 16 + wire.AckType(id), AckID: 20 * id, AckingNodes: wire.NodeList{}.Append(2)}))
	}
	add(c.AppendAck(nil, &wire.Ack{Feedback: f, AckType: 16, AckID: 1, Payload: []byte("yes")}))
	add(c.AppendCC(nil, &wire.CC{Sender: s, CCSequence: 1, HasRate: true, Rate: 0x1234, Nodes: wire.CCNodeList{}.Append(wire.CCNode{Node: 2, Flags: wire.CCFlagPLR | wire.CCFlagRTT})}))
	// Blocks of more than 255 symbols, of an object and a stream, and asked for.
	large := fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 100_000, SymbolSize: 10, MaxBlockLen: 300, Parity: 100, M: 16, G: 1}
	for _, esi := range []uint32{0, 299, 300, 399, 255, 256} {
		add(c.AppendData(nil, &wire.Data{Sender: s, FEC: 2, Object: 4, ID: fec.PayloadID{SBN: esi % 3, ESI: esi}, HasFTI: true, FTI: large, Payload: make([]byte, 10)}))
		add(c.AppendData(nil, &wire.Data{Sender: s, Flags: wire.FlagStream, FEC: 2, Object: 5, ID: fec.PayloadID{SBN: 0xfffe + esi%2, ESI: esi}, HasFTI: true, FTI: large, Payload: wire.StreamHeader{Len: 10, Offset: esi * 10}.Append(nil)}))
	}
	wide := c
	wide.M = 16
	add(wide.AppendFlush(nil, &wire.Flush{Sender: s, FEC: 2, Object: 5, ID: fec.PayloadID{SBN: 0xffff, ESI: 299}}))
	var rb wire.RequestBuilder
	rb.Reset(nil, 1000, wide)
	ask := wire.Item{FEC: 2, Object: 4, ID: fec.PayloadID{SBN: 1, ESI: 10}}
	upTo := ask
	upTo.ID.ESI = 380
	rb.Add(wire.NackSegment, ask, upTo)
	add(c.AppendNack(nil, &wire.Nack{Feedback: wire.Feedback{Source: 10, Server: 9, InstanceID: 3}, Requests: rb.Requests()}))
	rb.Reset(nil, 1000, c)
	item := func(o wire.TransportID, sbn, esi uint32) wire.Item {
		return wire.Item{FEC: 5, Object: o, ID: fec.PayloadID{SBN: sbn, ESI: esi}}
	}
	rb.Add(wire.NackInfo, item(1, 0, 0), item(1, 0, 0))
	rb.Add(wire.NackSegment, item(1, 0, 8), item(1, 0, 10))
	rb.Add(wire.NackBlock, item(1, 1, 0), item(1, 5, 0))
	rb.Add(wire.NackObject, item(2, 0, 0), item(2, 0, 0))
	add(c.AppendNack(nil, &wire.Nack{Feedback: f, Requests: rb.Requests()}))
	add(c.AppendRepairAdv(nil, &wire.RepairAdv{Sender: s, Requests: rb.Requests()}))
	ack, _ := c.AppendFlushAck(nil, &wire.FlushAck{FEC: 5, Object: 1})
	add(c.AppendAck(nil, &wire.Ack{Feedback: f, AckType: wire.AckFlush, Payload: ack}))
	return list
}

// FuzzEngines feeds both engines a series of messages, cut from the input as length
// and bytes, with time passing between them.
func FuzzEngines(f *testing.F) {
	var all []byte
	for _, m := range messages() {
		all = append(append(all, byte(len(m)), byte(len(m)>>8)), m...)
		f.Add(append([]byte{byte(len(m)), byte(len(m) >> 8)}, m...))
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, in []byte) {
		a := newTarget(t)
		for n := 0; len(in) >= 2 && n < 200; n++ {
			size := min(int(in[0])|int(in[1]&0x0f)<<8, len(in)-2)
			a.hit(in[2 : 2+size])
			if in[1]&0x80 != 0 {
				a.settle(16)
			}
			in = in[2+size:]
		}
		for range 20 {
			a.settle(16)
		}
		a.check()
	})
}

// Each of these once cost an implementation its memory, its time or its life.
func TestAttacks(t *testing.T) {
	c := wire.Codec{FTI: wire.FTINRL}
	s := func(node wire.NodeID) wire.Sender {
		return wire.Sender{Source: node, InstanceID: 3, GRTT: 100, Backoff: 4, GroupSize: 1}
	}
	must := func(b []byte, err error) []byte {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
		return b
	}
	data := func(node wire.NodeID, o wire.TransportID, id fec.PayloadID, oti fec.OTI) []byte {
		return must(c.AppendData(nil, &wire.Data{Sender: s(node), FEC: oti.EncodingID, Object: o, ID: id, HasFTI: true, FTI: oti, Payload: make([]byte, oti.SymbolSize)}))
	}
	small := fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: fec.MaxTransferLength >> 20, SymbolSize: 64, MaxBlockLen: 1, Parity: 1, M: 8}
	tiny16 := fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 2 * 1024 * 65536, SymbolSize: 2, MaxBlockLen: 1024, Parity: 1023, M: 16}
	nack := func(object wire.TransportID, add func(*wire.RequestBuilder, func(uint32, uint32) wire.Item)) []byte {
		var rb wire.RequestBuilder
		rb.Reset(nil, 1400, c)
		add(&rb, func(sbn, esi uint32) wire.Item {
			return wire.Item{FEC: 5, Object: object, ID: fec.PayloadID{SBN: sbn, ESI: esi}}
		})
		return must(c.AppendNack(nil, &wire.Nack{Feedback: wire.Feedback{Source: 10, Server: 1, InstanceID: 7}, Requests: rb.Requests()}))
	}
	for _, c := range []struct {
		name string
		run  func(a *target)
	}{
		{"NACK of all blocks there could be", func(a *target) {
			b := nack(a.tx.objects[0].id, func(rb *wire.RequestBuilder, item func(uint32, uint32) wire.Item) {
				rb.Add(wire.NackBlock, item(0, 0), item(1<<24-1, 0))
				rb.Add(wire.NackSegment, item(0, 0), item(1<<24-1, 255))
			})
			for range 1000 {
				a.hit(b)
			}
		}},
		{"NACK of all objects there could be", func(a *target) {
			b := must(wire.Codec{}.AppendNack(nil, &wire.Nack{Feedback: wire.Feedback{Source: 10, Server: 1, InstanceID: 7}, Requests: func() wire.Requests {
				var rb wire.RequestBuilder
				rb.Reset(nil, 1400, wire.Codec{})
				rb.Add(wire.NackObject, wire.Item{FEC: 5, Object: a.tx.nextID}, wire.Item{FEC: 5, Object: a.tx.nextID - 1})
				return rb.Requests()
			}()}))
			for range 1000 {
				a.hit(b)
			}
		}},
		{"NACKs of ten thousand receivers", func(a *target) {
			for i := range wire.NodeID(10_000) {
				a.hit(must(c.AppendNack(nil, &wire.Nack{Feedback: wire.Feedback{Source: 100 + i, Server: 1, InstanceID: 7}})))
			}
		}},
		{"a stream that runs away", func(a *target) {
			for i := range uint32(200_000) {
				d := wire.Data{Sender: s(9), Flags: wire.FlagStream, FEC: 5, Object: 3, ID: fec.PayloadID{SBN: i * 37, ESI: i % 8}, HasFTI: true,
					FTI:     fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 1 << 40, SymbolSize: 64, MaxBlockLen: 8, Parity: 8, M: 8},
					Payload: wire.StreamHeader{Len: 1, Offset: i}.Append(nil)}
				d.Payload = append(d.Payload, 0)
				a.hit(must(c.AppendData(nil, &d)))
				if i%1000 == 0 {
					a.settle(16)
				}
			}
		}},
		{"streams that nobody reads, of many senders", func(a *target) {
			for node := range wire.NodeID(4) {
				for i := range uint32(5000) {
					d := wire.Data{Sender: s(20 + node), Flags: wire.FlagStream, FEC: 5, Object: 3, ID: fec.PayloadID{SBN: i, ESI: 1}, HasFTI: true,
						FTI:     fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 1 << 40, SymbolSize: 1000, MaxBlockLen: 8, Parity: 8, M: 8},
						Payload: append(wire.StreamHeader{Len: 1, Offset: i}.Append(nil), 0)}
					a.hit(must(c.AppendData(nil, &d)))
				}
			}
			if p := &a.rx.buffers; p.stream > p.limit/2 {
				t.Errorf("streams hold %d of %d bytes", p.stream, p.limit)
			}
		}},
		{"NACK and FLUSH of all of a stream", func(a *target) {
			b := nack(a.stream, func(rb *wire.RequestBuilder, item func(uint32, uint32) wire.Item) {
				rb.Add(wire.NackBlock, item(0, 0), item(1<<24-1, 0))
				rb.Add(wire.NackSegment, item(0, 0), item(1<<24-1, 255))
				rb.Add(wire.NackSegment, item(3, 0), item(3, 255))
			})
			for i := range uint32(1000) {
				a.hit(b)
				a.hit(must(c.AppendFlush(nil, &wire.Flush{Sender: s(9), FEC: 5, Object: 3, ID: fec.PayloadID{SBN: i * 16000, ESI: 255}})))
				a.hit(must(c.AppendSquelch(nil, &wire.Squelch{Sender: s(9), FEC: 5, Object: 3, ID: fec.PayloadID{SBN: i * 16000}})))
				a.settle(16)
			}
		}},
		{"ten thousand senders", func(a *target) {
			for i := range wire.NodeID(10_000) {
				a.hit(data(100+i, 1, fec.PayloadID{}, small))
			}
		}},
		{"ten thousand objects of one sender", func(a *target) {
			for i := range wire.TransportID(10_000) {
				a.hit(data(9, i, fec.PayloadID{}, small))
			}
		}},
		{"every second block of many", func(a *target) {
			for i := range uint32(200_000) {
				a.hit(data(9, 1, fec.PayloadID{SBN: 2 * i}, small))
				if i%1000 == 0 {
					a.settle(16)
				}
			}
		}},
		{"blocks of the smallest symbols, begun and left, from the last on", func(a *target) {
			tiny := fec.OTI{EncodingID: fec.SmallBlockSystematic, TransferLength: 1 << 30, SymbolSize: 1, MaxBlockLen: 2, Parity: 1, M: 8}
			for i := range uint32(100_000) {
				a.hit(data(9, 1, fec.PayloadID{SBN: 1<<29 - 1 - 2*i, SourceBlockLen: 2}, tiny))
			}
			if n := len(a.rx.order[0].objects[0].blocks); n == 0 || n > int(a.rx.cfg.BufferBytes/256) {
				a.t.Errorf("%d blocks begun", n)
			}
		}},
		{"NACKs of 64 KiB from the last block on", func(a *target) {
			o := a.tx.objects[0]
			o.sbn = uint32(o.part.Blocks())
			var rb wire.RequestBuilder
			rb.Reset(nil, 65_000, c)
			for i := uint32(0); ; i++ {
				it := wire.Item{FEC: 5, Object: o.id, ID: fec.PayloadID{SBN: 1<<24 - 1 - i, ESI: 1}}
				if !rb.Add(wire.NackSegment, it, it) {
					break
				}
			}
			b := must(c.AppendNack(nil, &wire.Nack{Feedback: wire.Feedback{Source: 10, Server: 1, InstanceID: 7}, Requests: rb.Requests()}))
			for range 50 {
				a.hit(b)
			}
		}},
		{"blocks larger than the buffers", func(a *target) {
			big := fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 1 << 40, SymbolSize: 60_000, MaxBlockLen: 250, Parity: 5, M: 8}
			for i := range uint32(100) {
				a.hit(data(9, 1, fec.PayloadID{SBN: i}, big))
			}
		}},
		{"blocks of 2,047 of the smallest symbols, two each", func(a *target) {
			for i := range uint32(60_000) {
				for _, esi := range []uint32{0, 1024} {
					a.hit(data(9, 1, fec.PayloadID{SBN: i, ESI: esi}, tiny16))
				}
				if i%5000 == 0 {
					a.settle(16)
					a.check()
				}
			}
		}},
		{"blocks of 2,047 with much parity, then source symbols in its places", func(a *target) {
			for sbn := range uint32(5) {
				for i := range uint32(1022) {
					esi := 1024 + i
					if i >= 700 {
						esi = 1023 + 700 - i
					}
					a.hit(data(9, 1, fec.PayloadID{SBN: sbn, ESI: esi}, tiny16))
					if i%100 == 0 {
						a.settle(16)
						a.check()
					}
				}
			}
		}},
		{"ten thousand objects over GF(2^16), each of another code", func(a *target) {
			for i := range uint32(10_000) {
				o := tiny16
				o.MaxBlockLen, o.Parity = 500+i%500, 1+i%1000
				a.hit(data(9, wire.TransportID(i), fec.PayloadID{ESI: i % 500}, o))
			}
		}},
		{"one object, told over GF(2^8) and GF(2^16) in turns", func(a *target) {
			for i := range uint32(10_000) {
				o := tiny16
				if o.MaxBlockLen, o.Parity = 100, 100; i%2 == 0 {
					o.M = 8
				}
				a.hit(data(9, 1, fec.PayloadID{SBN: i % 200, ESI: i % 200}, o))
				a.hit(must(c.AppendFlush(nil, &wire.Flush{Sender: s(9), FEC: 2, Object: 1, ID: fec.PayloadID{SBN: i * 77, ESI: i % 200}})))
				if i%100 == 0 {
					a.settle(16)
				}
			}
		}},
		{"streams over GF(2^16) whose numbers jump", func(a *target) {
			for i := range uint32(5000) {
				d := wire.Data{Sender: s(9), Flags: wire.FlagStream, FEC: 2, Object: 3, ID: fec.PayloadID{SBN: i * 16_001 % 65536, ESI: i % 2048}, HasFTI: true,
					FTI: tiny16, Payload: append(wire.StreamHeader{Len: 2, Offset: i * 2}.Append(nil), 0, 0)}
				a.hit(must(c.AppendData(nil, &d)))
				if i%100 == 0 {
					a.settle(16)
				}
			}
		}},
		{"an object that changes its layout", func(a *target) {
			for i := range uint16(300) {
				o := small
				o.SymbolSize, o.MaxBlockLen, o.TransferLength = 64+i, 1+uint32(i)%200, uint64(i)*997
				a.hit(data(9, 1, fec.PayloadID{SBN: uint32(i), ESI: uint32(i) % 200}, o))
			}
		}},
		{"jumping object numbers", func(a *target) {
			for i := range 5000 {
				a.hit(data(9, wire.TransportID(i*16_001), fec.PayloadID{}, small))
			}
		}},
		{"FLUSH far ahead", func(a *target) {
			for i := range 5000 {
				a.hit(must(c.AppendFlush(nil, &wire.Flush{Sender: s(9), FEC: 129, Object: wire.TransportID(i * 7919), ID: fec.PayloadID{SBN: ^uint32(0), ESI: 65535}})))
				a.settle(1)
			}
		}},
		{"probes with timestamps out of nowhere", func(a *target) {
			for i := range uint32(1000) {
				a.hit(must(c.AppendCC(nil, &wire.CC{Sender: s(9), CCSequence: uint16(i), HasRate: true, SendTime: wire.Timestamp{Sec: i * 4_000_007, Usec: i * 4_000_007}})))
				a.hit(must(c.AppendAck(nil, &wire.Ack{Feedback: wire.Feedback{Source: 10, Server: 1, InstanceID: 7, GRTTResponse: wire.Timestamp{Sec: i * 4_000_007, Usec: ^i}}, AckType: wire.AckCC})))
				a.settle(1)
			}
			if g := a.tx.grtt.current; g > a.tx.cfg.MaxGRTT {
				a.t.Errorf("GRTT %v", g)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newTarget(t)
			start := time.Now()
			c.run(a)
			for range 50 {
				a.settle(64)
			}
			a.check()
			t.Logf("%v", time.Since(start))
		})
	}
}

// A stranger with the node ID of a sender cannot say goodbye in its name: senders are
// told apart by address too.
func TestSpoofedGoodbye(t *testing.T) {
	a := newTarget(t)
	for _, m := range messages()[:4] {
		a.rx.Handle(a.now, &datagram.Packet{Data: m, Src: senderAddr})
	}
	eot, _ := wire.Codec{}.AppendEOT(nil, &wire.EOT{Sender: wire.Sender{Source: 9, InstanceID: 3}})
	a.rx.Handle(a.now, &datagram.Packet{Data: eot, Src: attacker})
	a.now = a.now.Add(10 * time.Second)
	a.rx.Advance(a.now)
	for e, ok := a.rx.Event(); ok; e, ok = a.rx.Event() {
		if e.Type == ObjectAborted {
			t.Errorf("aborted: %v", e.Err)
		}
	}
}
