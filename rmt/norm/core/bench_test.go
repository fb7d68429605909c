package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
)

// What a data packet costs its sender alone, with few or many objects kept for
// repair behind the one being sent.
func BenchmarkSender(b *testing.B) {
	for _, kept := range []int{0, 63} {
		b.Run(fmt.Sprintf("kept=%d", kept), func(b *testing.B) {
			p := newPair(b, 1)
			for i := range kept + 1 {
				if i > 0 {
					if _, err := p.tx.Enqueue(p.now, ObjectSpec{Source: zeros{}, Size: 1}); err != nil {
						b.Fatal(err)
					}
				}
				p.step(b, 2, nil)
				p.now = p.now.Add(time.Hour) // it is done
				p.tx.Advance(p.now)
			}
			if _, err := p.tx.Enqueue(p.now, ObjectSpec{Source: zeros{}, Size: 1 << 40}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(1400)
			b.ResetTimer()
			for i := range b.N {
				pkt := datagram.Packet{Data: p.buf}
				if !p.tx.Transmit(p.now, &pkt) {
					b.Fatal("nothing to send")
				}
				if i%64 == 0 { // as the loop does, once a batch
					p.tx.Advance(p.now)
					p.tx.Next()
				}
			}
		})
	}
}

// What a data packet costs its receiver alone.
func BenchmarkReceiver(b *testing.B) {
	const batch = 64 * 64
	p := newEndless(b)
	packets := make([][]byte, batch)
	b.ReportAllocs()
	b.SetBytes(1400)
	b.ResetTimer()
	for i := range b.N {
		if i%batch == 0 {
			b.StopTimer()
			for j := range packets {
				pkt := datagram.Packet{Data: packets[j][:0]}
				p.tx.Transmit(p.now, &pkt)
				packets[j] = pkt.Data
			}
			b.StartTimer()
		}
		p.rx.Handle(p.now, &datagram.Packet{Data: packets[i%batch], Src: senderAddr})
		for e, ok := p.rx.Event(); ok; e, ok = p.rx.Event() {
			if e.Type == BlockReceived {
				p.rx.Release(e.Data)
			}
		}
		if i%32 == 0 {
			p.rx.Advance(p.now)
			p.rx.Next()
		}
	}
}

// Sender and receiver together, where four of each 64 packets are lost: the price of
// asking, answering, coding and recovering spread over the packets.
func BenchmarkRepaired(b *testing.B) {
	p := newEndless(b)
	lose := func(i int) bool { return i%16 == 3 }
	b.ReportAllocs()
	b.SetBytes(1400)
	b.ResetTimer()
	for i := 0; i < b.N; i += 128 {
		p.step(b, 128, lose)
		p.repair(b)
	}
}

// repair lets the receiver ask and the sender answer.
func (p *pair) repair(t testing.TB) {
	p.now = p.now.Add(time.Second)
	p.rx.Advance(p.now)
	pkt := datagram.Packet{Data: p.buf, Src: receiverAddr}
	for p.rx.Transmit(p.now, &pkt) {
		pkt.Src = receiverAddr
		p.tx.Handle(p.now, &pkt)
		pkt.Data = p.buf
	}
	p.now = p.now.Add(time.Second)
	p.tx.Advance(p.now)
	p.rx.Advance(p.now)
	p.step(t, 8, nil)
}
