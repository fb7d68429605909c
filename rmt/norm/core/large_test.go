package core

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gomulticast/multicast/internal/netem"
	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// Blocks of more than 255 symbols, over GF(2^16).

// TestSymbolSet compares sets with maps.
func TestSymbolSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(16, 8))
	for range 500 {
		top := pick(dice{rng}, 10, 64, 65, 255, 256, 257, 300, 1000, maxSymbols)
		var s, u symbolSet
		in, also := map[int]bool{}, map[int]bool{}
		for range rng.IntN(20) {
			lo := rng.IntN(top)
			hi := min(lo+rng.IntN(top), top-1)
			switch rng.IntN(4) {
			case 0:
				s.addRange(lo, hi)
				for i := lo; i <= hi; i++ {
					in[i] = true
				}
			case 1:
				u.addRange(lo, hi)
				for i := lo; i <= hi; i++ {
					also[i] = true
				}
			case 2:
				s.add(lo)
				in[lo] = true
			case 3:
				s.keep(hi)
				for i := range in {
					if i >= hi {
						delete(in, i)
					}
				}
			}
		}
		same := func(what string, got *symbolSet, want func(i int) bool) {
			t.Helper()
			n, next := 0, -1
			for i := range top {
				if got.has(i) != want(i) {
					t.Fatalf("%s: %d is %v", what, i, got.has(i))
				}
				if want(i) {
					if next = got.next(next + 1); next != i {
						t.Fatalf("%s: next is %d, not %d", what, next, i)
					}
					n++
				}
			}
			if got.len() != n || got.next(next+1) != -1 {
				t.Fatalf("%s: %d members, not %d", what, got.len(), n)
			}
		}
		same("set", &s, func(i int) bool { return in[i] })
		at := rng.IntN(top)
		gap, before := at, at-1
		for in[gap] {
			gap++
		}
		for before >= 0 && in[before] {
			before--
		}
		if s.gap(at) != gap || s.gapBefore(at) != before {
			t.Fatalf("gaps about %d are %d and %d, not %d and %d", at, s.gapBefore(at), s.gap(at), before, gap)
		}
		lo := rng.IntN(top)
		hi, n := lo+rng.IntN(top-lo+1), rng.IntN(top)
		var missing []int
		for i := lo; i < hi; i++ {
			if !in[i] {
				missing = append(missing, i)
			}
		}
		n = min(n, len(missing))
		var low, high symbolSet
		if a, b := low.addLowest(&s, lo, hi, n), high.addHighest(&s, lo, hi, n); a != n || b != n {
			t.Fatalf("%d and %d added, not %d", a, b, n)
		}
		same("lowest", &low, func(i int) bool { return slices.Contains(missing[:n], i) })
		same("highest", &high, func(i int) bool { return slices.Contains(missing[len(missing)-n:], i) })

		contained := true
		for i := range also {
			contained = contained && in[i]
		}
		if s.contains(&u) != contained {
			t.Fatalf("contains is %v", !contained)
		}
		var c symbolSet
		c.add(rng.IntN(maxSymbols))
		c.copyOf(&s)
		c.union(&u)
		same("union", &c, func(i int) bool { return in[i] || also[i] })
		c.remove(&u)
		same("difference", &c, func(i int) bool { return in[i] && !also[i] })
		same("set", &s, func(i int) bool { return in[i] }) // is nobody else's
	}
}

// TestParityPlaces lets the symbols of blocks come in any order: no two may ever share a
// place, whatever moves.
func TestParityPlaces(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 16))
	for range 400 {
		k, parity := 1+rng.IntN(600), 1+rng.IntN(300)
		const size = 4
		b := &rxBlock{k: k, free: k, data: make([]byte, k*size)}
		for _, esi := range rng.Perm(k + parity) {
			symbol := []byte{byte(esi), byte(esi >> 8), 1, 2}
			if esi < k {
				b.addSource(esi, size, symbol)
			} else {
				b.addParity(esi, size, symbol)
			}
			if b.erasures() == 0 {
				break
			}
		}
		taken := map[int]bool{}
		hold := func(slot, esi int) {
			if at := b.data[slot*size:]; taken[slot] || int(at[0])|int(at[1])<<8 != esi {
				t.Fatalf("block of %d and %d: place %d has symbol %d, should have %d", k, parity, slot, int(at[0])|int(at[1])<<8, esi)
			}
			taken[slot] = true
		}
		for esi := range k {
			if b.have.has(esi) {
				hold(esi, esi)
			}
		}
		for _, p := range b.parity {
			hold(int(p.slot), int(p.esi))
		}
		if len(taken) != k {
			t.Fatalf("%d of %d places taken", len(taken), k)
		}
	}
}

// TestLargeBlocks sends objects and a stream in blocks of several hundred symbols to
// receivers that lose a lot.
func TestLargeBlocks(t *testing.T) {
	for _, tt := range []struct {
		name                         string
		block, parity, auto, segment int
		loss                         float64
		size                         int
	}{
		{"as few as can be", 200, 56, 0, 100, 0.1, 61_001},
		{"parity enough", 300, 100, 0, 64, 0.1, 200_000},
		{"parity unasked", 400, 100, 50, 64, 0.1, 150_001},
		{"little parity", 300, 3, 0, 64, 0.1, 100_000},
		{"no parity", 1000, -1, 0, 64, 0.2, 200_000},
		{"more parity than source", 100, 400, 0, 64, 0.4, 50_000},
		{"as many as can be", maxSymbols - 512, 512, 0, 64, 0.05, 300_000},
		{"a short object in a code for long blocks", 1000, 200, 0, 64, 0.3, 131},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 16)
			cfg := SenderConfig{BlockSize: tt.block, Parity: tt.parity, AutoParity: tt.auto, SegmentSize: tt.segment, Rate: 20_000_000}
			tx := w.sender(cfg, netem.Link{}, netem.Link{})
			if tx.cfg.Encoding != fec.ReedSolomonGF2m || tx.oti(1).M != 16 {
				t.Fatalf("encoding %v, m %d", tx.cfg.Encoding, tx.oti(1).M)
			}
			for range 3 {
				w.receiver(ReceiverConfig{}, netem.Link{Delay: time.Millisecond}, netem.Link{Delay: time.Millisecond, Loss: tt.loss})
			}
			tx.send(randomBytes(w.sim.Rand("object"), tt.size), ObjectSpec{AckCount: 3, Info: []byte("about it")})
			tx.waiting = append(tx.waiting, txWaiting{stream: &streamPlan{
				total: uint64(tt.size), largest: 1000, spec: StreamSpec{AckCount: 3, Buffer: int64(20 * tt.block * tt.segment)},
			}})
			tx.node.Run(tx.enqueue)
			w.run()
			w.check()
			w.checkQuiet()
			recovered := uint64(0)
			for _, rx := range w.rx {
				st := rx.Stats()
				if recovered += st.Recovered; st.Malformed+st.Undecodable > 0 {
					t.Errorf("%+v", st)
				}
			}
			if recovered == 0 && tt.parity > 0 {
				t.Error("nothing was recovered from parity")
			}
		})
	}
}

// TestFieldSizePerSender lets a receiver hear two senders with the same encoding ID, of
// which one codes over GF(2^8) and the other over GF(2^16): nothing but their EXT_FTI says
// how their payload IDs divide.
func TestFieldSizePerSender(t *testing.T) {
	w := newWorld(t, 2)
	var all []*txNode
	for _, block := range []int{20, 300} {
		all = append(all, w.sender(SenderConfig{
			Encoding: fec.ReedSolomonGF2m, BlockSize: block, Parity: 60, SegmentSize: 64, Rate: 2_000_000,
		}, netem.Link{}, netem.Link{}))
	}
	for range 3 {
		w.receiver(ReceiverConfig{FTI: wire.FTINRL}, netem.Link{Delay: time.Millisecond}, netem.Link{Delay: time.Millisecond, Loss: 0.1})
	}
	for _, tx := range all {
		for range 3 {
			tx.send(randomBytes(w.sim.Rand("object"), 100_000), ObjectSpec{AckCount: 3})
		}
	}
	w.run()
	w.check()
	w.checkQuiet()
	for _, tx := range all {
		if st := tx.Stats(); st.Repairs == 0 || st.ExplicitRepairs > 0 {
			t.Errorf("%+v", st)
		}
	}
}

// largePair is a pair whose blocks have more than 255 symbols, and many more of which come.
func largePair(t testing.TB) *pair {
	t.Helper()
	return newPairOf(t, SenderConfig{BlockSize: 320, Parity: 64, SegmentSize: 100}, 1<<20)
}

// Law 10 holds for large blocks too.
func TestNoAllocationLargeBlocks(t *testing.T) {
	p := largePair(t)
	p.step(t, 320*4, nil)
	if n := testing.AllocsPerRun(5, func() { p.step(t, 320, nil) }); n != 0 {
		t.Errorf("%v allocations for a block without loss", n)
	}
	p = newPairOf(t, SenderConfig{BlockSize: 320, Parity: 64, AutoParity: 32, SegmentSize: 100}, 8<<20)
	lose := func(i int) bool { return i%32 == 3 }
	p.step(t, 352*10, lose) // as many as the sender keeps, and more
	before := p.rx.Stats().Recovered
	n := testing.AllocsPerRun(5, func() { p.step(t, 352, lose) })
	if p.rx.Stats().Recovered == before {
		t.Fatal("nothing was recovered: this measures nothing")
	}
	if n != 0 {
		t.Errorf("%v allocations for a block that is recovered", n)
	}
}

// TestLargeNack: what is asked for of large blocks stays within the messages of a NACK, at
// the worst of all losses, and is right.
func TestLargeNack(t *testing.T) {
	for _, parity := range []int{-1, 1000} {
		t.Run(fmt.Sprint(parity), func(t *testing.T) {
			p := newPairOf(t, SenderConfig{BlockSize: 1024, Parity: parity, SegmentSize: 64}, 3*1024*64)
			p.step(t, 1+3*1024, func(i int) bool { return i > 10 && i%2 == 1 })
			p.now = p.now.Add(time.Second)
			p.rx.Advance(p.now)
			var asked symbolSet
			messages := 0
			for pkt := (datagram.Packet{Data: p.buf}); p.rx.Transmit(p.now, &pkt); pkt.Data = p.buf {
				var m wire.Nack
				if err := p.tx.codec.ParseNack(pkt.Data, &m); err != nil {
					continue // an answer to a probe
				}
				messages++
				if n := len(m.Requests.Bytes()); n > 64 {
					t.Errorf("%d bytes of requests; a segment has 64", n)
				}
				if err := m.Requests.Err(); err != nil {
					t.Error(err)
				}
				for r := range m.Requests.All() {
					if r.Flags&wire.NackSegment != 0 && r.First.ID.SBN == 0 {
						asked.addRange(int(r.First.ID.ESI), int(r.Last.ID.ESI))
					}
				}
			}
			if messages == 0 || messages > p.rx.cfg.MaxNackMessages || asked.len() == 0 {
				t.Errorf("%d messages, %d symbols of the first block", messages, asked.len())
			}
			b := p.rx.order[0].objects[0].begun(0)
			if lost := b.erasures(); lost < 500 || parity > 0 && (asked.next(0) != 1024 || asked.len() != lost) {
				t.Errorf("asked for %d symbols from %d on, %d are lost", asked.len(), asked.next(0), lost)
			}
			for i := asked.next(0); i >= 0; i = asked.next(i + 1) {
				if b.have.has(i) {
					t.Fatalf("asked for symbol %d, which is here", i)
				}
			}
		})
	}
}

// newPairOf is newPair with a configuration of its own.
func newPairOf(t testing.TB, cfg SenderConfig, size int) *pair {
	t.Helper()
	p := newPair(t, 1)
	cfg.NodeID, cfg.Rate, cfg.Rand = 1, -1, rand.New(rand.NewPCG(3, 4))
	tx, err := NewSender(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.tx, p.buf = tx, make([]byte, 0, 70_000)
	if _, err := tx.Enqueue(p.now, ObjectSpec{Source: bytes.NewReader(make([]byte, size)), Size: int64(size), Info: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestBlockTooLarge: an object whose blocks would take more than their share of memory is
// refused, with what can be done about it.
func TestBlockTooLarge(t *testing.T) {
	rx, err := NewReceiver(ReceiverConfig{NodeID: 2, BufferBytes: 1 << 20, Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	for i, oti := range []fec.OTI{
		{TransferLength: 1 << 30, SymbolSize: 1400, MaxBlockLen: 1000, Parity: 100, M: 16},
		{TransferLength: 1 << 30, SymbolSize: 10, MaxBlockLen: 4000, Parity: 97, M: 16},
		{TransferLength: 1 << 30, SymbolSize: 10, MaxBlockLen: 65_000, Parity: 535, M: 16},
		{TransferLength: 1 << 30, SymbolSize: 1401, MaxBlockLen: 300, Parity: 100, M: 16},
	} {
		oti.EncodingID = fec.ReedSolomonGF2m
		m := wire.Data{
			Sender: wire.Sender{Source: 1, InstanceID: 1, GRTT: 100, Backoff: 4}, FEC: oti.EncodingID,
			Object: wire.TransportID(i), HasFTI: true, FTI: oti, Payload: make([]byte, oti.SymbolSize),
		}
		b, err := wire.Codec{FTI: wire.FTINRL}.AppendData(nil, &m)
		if err != nil {
			t.Fatal(err)
		}
		rx.Handle(netem.Start, &datagram.Packet{Data: b})
		var why error
		for e, ok := rx.Event(); ok; e, ok = rx.Event() {
			if e.Type == ObjectAborted {
				why = e.Err
			}
		}
		if why == nil || rx.buffers.inUse != 0 {
			t.Errorf("%+v was taken, %d bytes in use", oti, rx.buffers.inUse)
		}
		t.Log(why)
	}
}

// TestNackFloodLargeBlocks: what a sender remembers of requests is bounded in bytes, not
// in blocks.
func TestNackFloodLargeBlocks(t *testing.T) {
	p := newPairOf(t, SenderConfig{BlockSize: 1024, Parity: 1000, SegmentSize: 64, Backoff: 15, GRTT: time.Minute, MaxGRTT: time.Hour}, 1)
	if _, err := p.tx.Enqueue(p.now, ObjectSpec{Source: zeros{}, Size: 2000 * 1024 * 64}); err != nil {
		t.Fatal(err)
	}
	o := p.tx.objects[1]
	o.sbn = uint32(o.part.Blocks()) // as if sent
	hand := func(sbn uint32, first, last int) {
		var rb wire.RequestBuilder
		rb.Reset(nil, 1400, p.tx.codec)
		item := func(esi int) wire.Item {
			return wire.Item{FEC: fec.ReedSolomonGF2m, Object: o.id, ID: fec.PayloadID{SBN: sbn, ESI: uint32(esi)}}
		}
		rb.Add(wire.NackSegment, item(first), item(last))
		b, err := p.tx.codec.AppendNack(nil, &wire.Nack{Feedback: wire.Feedback{Source: 10, Server: 1}, Requests: rb.Requests()})
		if err != nil {
			t.Fatal(err)
		}
		p.tx.Handle(p.now, &datagram.Packet{Data: b, Src: attacker})
	}
	for _, last := range []int{10, 65_535} { // small sets first, that then grow
		for sbn := range uint32(2000) {
			hand(sbn, 1, last)
		}
	}
	words := 0
	for i := range o.want.partial {
		words += o.want.partial[i].symbols.words()
	}
	if n := len(o.want.partial); n == 0 || words > maxRepairBlocks*lowSymbols/64 {
		t.Errorf("%d blocks, %d words", n, words)
	}
	if n := o.want.partial[0].count; n != 2023 {
		t.Errorf("%d symbols of a block asked for", n)
	}
	if n := testing.AllocsPerRun(10, func() {
		for sbn := range uint32(10) {
			p.tx.handleNackOf(o, sbn)
		}
	}); n != 0 {
		t.Errorf("%v allocations for requests that were there already", n)
	}
}

// handleNackOf takes a request for all symbols of a block.
func (s *Sender) handleNackOf(o *txObject, sbn uint32) {
	var in intake
	in.begin(s, s.now)
	in.block.symbols = s.asked
	in.symbols(o, sbn, 0, maxSymbols-1)
	in.endBlock()
	s.asked = in.block.symbols
}

// TestOddSegments: of a stream's block all segments may be short and of an odd length;
// parity has the whole of its last element all the same.
func TestOddSegments(t *testing.T) {
	p := newPairOf(t, SenderConfig{BlockSize: 200, Parity: 56, AutoParity: 56, SegmentSize: 64}, 1)
	p.step(t, 3+56, nil)
	id, err := p.tx.OpenStream(p.now, StreamSpec{Buffer: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var sent, got []byte
	lost := 0
	for i := range 200 {
		b := fmt.Appendf(nil, "%05d", i)
		sent = append(sent, b...)
		if n, err := p.tx.WriteStream(p.now, id, b, true); n != len(b) || err != nil {
			t.Fatal(n, err)
		}
		p.tx.FlushStream(p.now, id)
		for range 1000 {
			pkt := datagram.Packet{Data: p.buf}
			if !p.tx.Transmit(p.now, &pkt) {
				break
			}
			var d wire.Data
			if p.tx.codec.ParseData(pkt.Data, &d) == nil && d.Flags&wire.FlagStream != 0 {
				if n := len(d.Payload); n != 13 && d.ID.ESI < 200 || n != 14 && d.ID.ESI >= 200 {
					t.Fatalf("symbol %d of %d bytes", d.ID.ESI, n)
				}
				if d.ID.ESI%4 == 1 && d.ID.ESI < 200 {
					lost++
					continue
				}
			}
			pkt.Src = senderAddr
			p.rx.Handle(p.now, &pkt)
		}
		for e, ok := p.rx.Event(); ok; e, ok = p.rx.Event() {
			for e.Type == StreamReadable {
				seg, more := p.rx.ReadStream(e.Key)
				if !more {
					break
				}
				got = append(got, seg.Data...)
			}
		}
	}
	if lost != 50 || !bytes.Equal(got, sent) {
		t.Errorf("%d lost; read %q, %+v", lost, got, p.rx.Stats())
	}
}

// RFC 5510 section 4.2.3: with G above 1 a packet carries several symbols. They are not
// received, and that is said at once: else such an object would be asked for without end.
func TestSeveralSymbolsAPacket(t *testing.T) {
	for _, g := range []uint8{1, 4} {
		r, err := NewReceiver(ReceiverConfig{NodeID: 2, Rand: rand.New(rand.NewPCG(1, 2))})
		if err != nil {
			t.Fatal(err)
		}
		oti := fec.OTI{EncodingID: fec.ReedSolomonGF2m, TransferLength: 4000, SymbolSize: 100, MaxBlockLen: 8, Parity: 4, M: 8, G: g}
		b, err := wire.Codec{}.AppendData(nil, &wire.Data{
			Sender: wire.Sender{Source: 1, InstanceID: 1, GRTT: 100}, FEC: oti.EncodingID, Object: 1, HasFTI: true, FTI: oti, Payload: make([]byte, 100*int(g)),
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Handle(time.Unix(1000, 0), &datagram.Packet{Data: b, Src: senderAddr})
		var reason error
		for e, ok := r.Event(); ok; e, ok = r.Event() {
			if e.Type == ObjectAborted {
				reason = e.Err
			}
		}
		if errors.Is(reason, ErrUnsupported) != (g > 1) {
			t.Errorf("%d symbols a packet: %v", g, reason)
		}
	}
}
