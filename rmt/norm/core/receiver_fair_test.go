package core

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// A host that fills all memory with blocks it never completes, from as many senders as
// there may be, keeps nobody from beginning to send, nor from being received.
func TestGreedyHost(t *testing.T) {
	r, err := NewReceiver(ReceiverConfig{NodeID: 2, BufferBytes: 1 << 20, MaxSenders: 4, MaxObjects: 8, Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	send := func(from datagram.Packet, node wire.NodeID, id fec.PayloadID, length uint64) {
		oti := fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: length, SymbolSize: 1000, MaxBlockLen: 16, Parity: 4, M: 8}
		from.Data, err = wire.Codec{}.AppendData(nil, &wire.Data{
			Sender: wire.Sender{Source: node, InstanceID: 1, GRTT: 100}, FEC: oti.EncodingID, Object: 1, ID: id, HasFTI: true, FTI: oti, Payload: make([]byte, 1000),
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Handle(now, &from)
		now = now.Add(100 * time.Microsecond)
	}
	bad, good := datagram.Packet{Src: attacker}, datagram.Packet{Src: senderAddr}
	rng := rand.New(rand.NewPCG(3, 4))
	forge := func(n int) {
		for range n {
			send(bad, wire.NodeID(20+rng.IntN(4)), fec.PayloadID{SBN: rng.Uint32() >> 10, ESI: rng.Uint32() % 16}, 1<<36)
		}
	}
	forge(1000)
	if n := len(r.order); n != 4 {
		t.Fatalf("%d senders", n)
	}
	done := 0
	for sbn := range uint32(20) {
		for esi := range uint32(16) {
			send(good, 1, fec.PayloadID{SBN: sbn, ESI: esi}, 20*16*1000)
			forge(3)
		}
		for e, ok := r.Event(); ok; e, ok = r.Event() {
			if e.Type == BlockReceived && e.Key.Sender.Node == 1 {
				done++
				r.Release(e.Data)
			}
		}
		forge(20)
	}
	if done != 20 {
		t.Errorf("%d of 20 blocks of the honest sender: %+v", done, r.Stats())
	}
	if p := &r.buffers; p.inUse > p.limit || p.inUse < 0 {
		t.Errorf("%d of %d bytes in use", p.inUse, p.limit)
	}
	// The honest sender is not to slow down for what the other takes.
	m := r.senders[SenderKey{1, senderAddr}]
	if part := r.crammed(m); part > 0 || m.cc.noRoom > 0 || r.Stats().NoBuffer == 0 {
		t.Errorf("the honest sender is told that %.2f is too much and %d packets found no room, of %d", part, m.cc.noRoom, r.Stats().NoBuffer)
	}
	if b := r.senders[SenderKey{20, attacker}]; b == nil || r.crammed(b) < 0.5 {
		t.Errorf("the other one is not told")
	}
	// Of two hosts each keeps what it has.
	before := len(r.order)
	for node := range wire.NodeID(100) {
		send(bad, 100+node, fec.PayloadID{}, 1<<36)
	}
	if r.senders[SenderKey{1, senderAddr}] == nil || len(r.order) != before {
		t.Errorf("the honest sender was driven out; %d senders", len(r.order))
	}
}

// Of two senders with one node ID the first is answered as ever, the second alone at its
// address: what it sends must not have the first one repair anything.
func TestClaimedNodeID(t *testing.T) {
	group := netip.MustParseAddrPort("239.1.2.3:6003")
	r, err := NewReceiver(ReceiverConfig{NodeID: 2, Group: group, Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	oti := fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 1 << 20, SymbolSize: 1000, MaxBlockLen: 16, Parity: 4, M: 8}
	for sbn := range uint32(40) { // with every second block left out
		for _, from := range []netip.AddrPort{senderAddr, attacker} {
			b, err := wire.Codec{}.AppendData(nil, &wire.Data{
				Sender: wire.Sender{Source: 1, InstanceID: 1, GRTT: 100}, FEC: oti.EncodingID, Object: 1, ID: fec.PayloadID{SBN: 2 * (sbn % 20)}, HasFTI: true, FTI: oti, Payload: make([]byte, 1000),
			})
			if err != nil {
				t.Fatal(err)
			}
			r.Handle(now, &datagram.Packet{Data: b, Src: from})
		}
		now = now.Add(20 * time.Millisecond)
		r.Advance(now)
	}
	said := map[netip.AddrPort]int{}
	for range 100 {
		now = now.Add(100 * time.Millisecond)
		r.Advance(now)
		for p := (datagram.Packet{}); r.Transmit(now, &p); p = (datagram.Packet{}) {
			said[p.Dst]++
		}
	}
	if said[group] == 0 || said[attacker] == 0 || len(said) != 2 {
		t.Errorf("said to %v", said)
	}
	if r.Stats().Clashes != 1 {
		t.Errorf("%d clashes", r.Stats().Clashes)
	}
}

// Nor does a host that fills it with the smallest blocks there are, of which hundreds have to
// give way to each of another: to find them took seconds once, and this test ten minutes.
func TestGreedyHostOfSmallBlocks(t *testing.T) {
	r, err := NewReceiver(ReceiverConfig{NodeID: 2, Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	send := func(from netip.AddrPort, node wire.NodeID, object wire.TransportID, id fec.PayloadID, oti fec.OTI) {
		b, err := wire.Codec{}.AppendData(nil, &wire.Data{
			Sender: wire.Sender{Source: node, InstanceID: 1, GRTT: 100}, FEC: oti.EncodingID, Object: object, ID: id, HasFTI: true, FTI: oti, Payload: make([]byte, oti.SymbolSize),
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Handle(now, &datagram.Packet{Data: b, Src: from})
		now = now.Add(10 * time.Microsecond)
	}
	small := fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 4 << 14, SymbolSize: 2, MaxBlockLen: 2, Parity: 4, M: 8}
	large := fec.OTI{EncodingID: fec.ReedSolomonGF8, TransferLength: 200 * 64 * 1400, SymbolSize: 1400, MaxBlockLen: 64, Parity: 4, M: 8}
	for i := range uint32(260_000) {
		send(attacker, 20, wire.TransportID(i/16000), fec.PayloadID{SBN: i % 16000}, small)
	}
	if p := &r.buffers; p.inUse < p.limit*9/10 {
		t.Fatalf("%d of %d bytes in use", p.inUse, p.limit)
	}
	for sbn := range uint32(200) {
		for esi := range uint32(64) {
			send(senderAddr, 1, 1, fec.PayloadID{SBN: sbn, ESI: esi}, large)
		}
	}
	done := 0
	for e, ok := r.Event(); ok; e, ok = r.Event() {
		if e.Type == BlockReceived && e.Key.Sender.Node == 1 {
			done++
		}
	}
	if done != 200 {
		t.Errorf("%d of 200 blocks of the honest sender: %+v", done, r.Stats())
	}
}

// crowdedModel says the same as crowded, in the words of its comment, and takes its time.
func crowdedModel(r *Receiver, by netip.Addr) (oldest *remote) {
	count := func(host netip.Addr) (n int) {
		for _, m := range r.order {
			if m.key.Addr.Addr() == host {
				n++
			}
		}
		return n
	}
	most := count(by) + 1
	for _, m := range r.order {
		n := count(m.key.Addr.Addr())
		if n > most || n == most && oldest != nil && oldest.key.Addr.Addr() == m.key.Addr.Addr() && m.heard.Before(oldest.heard) {
			most, oldest = n, m
		}
	}
	return oldest
}

// Whoever gives way is the same as ever, and to find him leaves nothing behind: an attacker
// has it done for every packet.
func TestCrowded(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	r := &Receiver{crowd: make(map[netip.Addr]int)}
	host := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }
	found := 0
	for range 3000 {
		hosts := 1 + rng.IntN(64)
		skew := 1 + rng.IntN(4) // few hosts have most
		r.order = r.order[:0]
		for i := range rng.IntN(65) {
			n := hosts
			for range skew {
				n = 1 + rng.IntN(n)
			}
			r.order = append(r.order, &remote{
				key: SenderKey{wire.NodeID(i), netip.AddrPortFrom(host(n), uint16(rng.IntN(3)))}, heard: time.Unix(int64(rng.IntN(20)), 0),
			})
		}
		by := host(1 + rng.IntN(70))
		got, want := r.crowded(by), crowdedModel(r, by)
		if got != want {
			t.Fatalf("%d senders of %d hosts, by %v: %p, want %p", len(r.order), hosts, by, got, want)
		}
		if got != nil {
			found++
		}
	}
	if found < 500 || found > 2900 {
		t.Errorf("somebody gives way in %d of 3,000 tables", found)
	}
	r.order = r.order[:0]
	for i := range 64 {
		r.order = append(r.order, &remote{key: SenderKey{wire.NodeID(i), netip.AddrPortFrom(host(1+i%60), 6003)}})
	}
	if n := testing.AllocsPerRun(100, func() { r.crowded(host(200)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
