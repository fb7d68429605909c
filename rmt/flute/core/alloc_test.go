package core

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/datagram"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
)

// A pair is a sender and a receiver that hand each other packets at one instant,
// without a network, to see what a packet costs.
type pair struct {
	tx   *Sender
	rx   *Receiver
	now  time.Time
	buf  []byte
	loss float64
	rng  *rand.Rand

	solver Solver
}

// zeros is a source of any length.
type zeros struct{}

func (zeros) ReadAt(p []byte, off int64) (int, error) { clear(p); return len(p), nil }

func newPair(t testing.TB, code FEC, loss float64) *pair {
	t.Helper()
	tx, err := NewSender(SenderConfig{TSI: 1, Rate: -1, FEC: code})
	if err != nil {
		t.Fatal(err)
	}
	rx, err := NewReceiver(ReceiverConfig{})
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{tx: tx, rx: rx, now: time.Unix(1_000_000_000, 0), buf: make([]byte, 0, 2048), loss: loss, rng: rand.New(rand.NewPCG(1, 2))}
	size := int64(200 << 20)
	if _, err := tx.Enqueue(p.now, ObjectSpec{Source: zeros{}, Size: size, Passes: -1, File: fdt.File{ContentLocation: "x"}}); err != nil {
		t.Fatal(err)
	}
	return p
}

var senderAddr = netip.MustParseAddrPort("192.0.2.1:6003")

// step moves n datagrams and does what their owners do with events.
func (p *pair) step(t testing.TB, n int) {
	for range n {
		pkt := datagram.Packet{Data: p.buf}
		if !p.tx.Transmit(p.now, &pkt) {
			t.Fatal("the sender has nothing to send")
		}
		pkt.Src = senderAddr
		if p.loss == 0 || p.rng.Float64() >= p.loss {
			p.rx.Handle(p.now, &pkt)
		}
		for e, ok := p.rx.Event(); ok; e, ok = p.rx.Event() {
			switch e.Type {
			case BlockReceived:
				p.rx.Release(&e)
			case BlockSolvable:
				p.solver.Solve(e.Work)
				p.rx.Solved(p.now, e.Work)
			}
		}
	}
	p.tx.Advance(p.now)
	p.rx.Advance(p.now)
	p.tx.Next()
	p.rx.Next()
}

// Law 10: no allocation per data packet in steady state, either way, with losses to
// recover too.
func TestNoAllocationPerPacket(t *testing.T) {
	for _, c := range []struct {
		name string
		code FEC
		loss float64
	}{
		{"no code", FEC{NoCode: true}, 0},
		{"Reed-Solomon", FEC{Encoding: fec.ReedSolomonGF8, Depth: 4}, 0.05},
		{"RaptorQ without loss", FEC{BlockLen: 64, Depth: 4}, 0},
		{"RaptorQ", FEC{BlockLen: 64, Overhead: 0.5, Depth: 4}, 0.05},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, c.code, c.loss)
			p.step(t, 3000) // warm up
			const packets = 2000
			n := testing.AllocsPerRun(10, func() { p.step(t, packets) })
			if p.rx.Stats().Symbols < packets {
				t.Fatal("nothing was received")
			}
			if n/packets > 0.001 {
				t.Errorf("%v allocations for %d packets", n, packets)
			}
			t.Logf("%v allocations for %d packets", n, packets)
		})
	}
}
