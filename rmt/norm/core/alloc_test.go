package core

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// A pair is a sender and a receiver that hand each other packets at one instant,
// without a network, to see what a packet costs.
type pair struct {
	tx  *Sender
	rx  *Receiver
	now time.Time
	buf []byte
}

func newPair(t testing.TB, size int) *pair {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	tx, err := NewSender(SenderConfig{NodeID: 1, Rate: -1, Rand: rng})
	if err != nil {
		t.Fatal(err)
	}
	rx, err := NewReceiver(ReceiverConfig{NodeID: 2, Rand: rng})
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{tx: tx, rx: rx, now: time.Unix(1000, 0), buf: make([]byte, 0, 2048)}
	if _, err := tx.Enqueue(p.now, ObjectSpec{Source: bytes.NewReader(make([]byte, size)), Size: int64(size), Info: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	senderAddr   = netip.MustParseAddrPort("192.0.2.1:6003")
	receiverAddr = netip.MustParseAddrPort("192.0.2.2:6003")
)

// step moves n datagrams from the sender to the receiver, losing those that lose
// says, and does what their owners do with events.
func (p *pair) step(t testing.TB, n int, lose func(i int) bool) {
	for i := range n {
		pkt := datagram.Packet{Data: p.buf, Src: senderAddr}
		if !p.tx.Transmit(p.now, &pkt) {
			t.Fatal("the sender has nothing to send")
		}
		if lose == nil || !lose(i) {
			pkt.Src = senderAddr
			p.rx.Handle(p.now, &pkt)
		}
		for e, ok := p.rx.Event(); ok; e, ok = p.rx.Event() {
			if e.Type == BlockReceived {
				p.rx.Release(e.Data)
			}
		}
	}
	p.tx.Advance(p.now)
	p.rx.Advance(p.now)
	p.tx.Next()
	p.rx.Next()
}

// Law 10: no allocation per data packet in steady state, either way. A block of 64
// is the unit: its record, buffer and event are reused too.
func TestNoAllocationPerDataPacket(t *testing.T) {
	p := newPair(t, 64<<20)
	p.step(t, 64*20, nil) // warm up
	if n := testing.AllocsPerRun(100, func() { p.step(t, 64, nil) }); n != 0 {
		t.Errorf("%v allocations for a block without loss", n)
	}
}

func TestNoAllocationPerRepairedPacket(t *testing.T) {
	p := newPair(t, 64<<20)
	lose := func(i int) bool { return i%16 == 3 } // 4 of each block
	round := func() {
		p.step(t, 128, lose)
		// The receiver asks, after the longest back-off; the sender collects and
		// answers; the receiver solves the blocks.
		p.repair(t)
	}
	for range 20 {
		round()
	}
	before := p.tx.Stats().Repairs
	n := testing.AllocsPerRun(50, round)
	if p.tx.Stats().Repairs-before < 50*4 {
		t.Fatal("nothing was repaired: this measures nothing")
	}
	if n != 0 {
		t.Errorf("%v allocations for 136 data packets, with the NACKs and repairs for their losses", n)
	}
}

func BenchmarkFirstPass(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(1400)
	p := newEndless(b)
	b.ResetTimer()
	for i := 0; i < b.N; i += 64 {
		p.step(b, 64, nil)
	}
}

// zeros is a source of any length.
type zeros struct{}

func (zeros) ReadAt(p []byte, off int64) (int, error) { clear(p); return len(p), nil }

func newEndless(t testing.TB) *pair {
	p := newPair(t, 1)
	p.tx.Cancel(p.now, p.tx.objects[0].id)
	if _, err := p.tx.Enqueue(p.now, ObjectSpec{Source: zeros{}, Size: 1 << 40, Info: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	return p
}
